"""A writer deletes what killed writers left, and never what another one is writing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import xgamma
from builders import dl4_dataset
from xgamma.datasets.files import read_zarr, write_zarr
from xgamma.formats import local_files
from xgamma.formats.local_files import delete_leftovers, write_files

NAME = ".counts.png.0123456789ab.part"
# Writes two files together, and says when it is half through.
WRITER = """
import sys, time
from pathlib import Path
from xgamma.formats import local_files
whole = local_files._write_through
def slowly(path, content):
    path.write_bytes(content[: len(content) // 2])
    print("writing", flush=True)
    sys.stdin.readline()
    whole(path, content)
local_files._write_through = slowly
local_files.write_files({Path(sys.argv[1], "counts.png"): b"x" * 1000})
"""


@pytest.fixture
def writer(tmp_path):
    """A process that has written half a picture."""
    environment = {**os.environ, "PYTHONPATH": str(Path(xgamma.__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout.readline() == "writing\n"
    yield process
    process.kill()
    process.communicate()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_next_writer_deletes_what_a_killed_process_left(writer, tmp_path):
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    (left,) = names(tmp_path)
    assert left.startswith(".counts.png.")
    write_files({tmp_path / "other.txt": b"other"})
    assert names(tmp_path) == ["other.txt"]


def test_what_another_process_is_writing_is_not_deleted(writer, tmp_path):
    (part,) = names(tmp_path)
    assert delete_leftovers(tmp_path) == []
    write_files({tmp_path / "other.txt": b"other"})
    # However old it is.
    os.utime(tmp_path / part, (0, 0))
    assert delete_leftovers(tmp_path) == []
    writer.communicate("\n", timeout=60)
    assert writer.returncode == 0
    assert (tmp_path / "counts.png").read_bytes() == b"x" * 1000
    assert names(tmp_path) == ["counts.png", "other.txt"]


def test_a_writer_starts_again_when_its_file_is_deleted_before_the_lock(tmp_path, monkeypatch):
    whole = local_files._lock
    deleted = []

    def late(handle, *flags):
        if not deleted:
            (part,) = tmp_path.iterdir()
            part.unlink()
            deleted.append(part)
        return whole(handle, *flags)

    monkeypatch.setattr(local_files, "_lock", late)
    write_files({tmp_path / "a": b"one"})
    assert (names(tmp_path), (tmp_path / "a").read_bytes(), len(deleted)) == (["a"], b"one", 1)


@pytest.mark.parametrize(
    "name", ["counts.png.part", ".counts.png.part", ".counts.png.0123456789ag.part", ".x.0123456789ab.tmp", "a.part"]
)
def test_files_of_other_names_are_not_touched(tmp_path, name):
    (tmp_path / name).write_bytes(b"mine")
    assert delete_leftovers(tmp_path) == []
    assert (tmp_path / name).read_bytes() == b"mine"


def test_links_and_pipes_are_not_touched(tmp_path):
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / NAME).symlink_to(tmp_path / "mine")
    os.mkfifo(tmp_path / NAME.replace("0", "1"))
    assert delete_leftovers(tmp_path) == []
    assert (tmp_path / "mine").read_bytes() == b"mine"


@pytest.mark.parametrize(("age", "stays"), [(0, True), (3600, True), (2 * 86400, False)])
def test_without_locks_leftovers_are_deleted_after_a_day(tmp_path, monkeypatch, age, stays):
    monkeypatch.setattr(local_files, "fcntl", None)
    (tmp_path / NAME).write_bytes(b"half")
    then = time.time() - age
    os.utime(tmp_path / NAME, (then, then))
    write_files({tmp_path / "a": b"one"})
    assert (tmp_path / NAME).exists() == stays


def test_leftover_folders_are_deleted_and_an_old_version_stays_until_there_is_a_new_one(tmp_path):
    ds = dl4_dataset()
    for state in ("part", "old"):
        (tmp_path / f".data.zarr.0123456789ab.{state}").mkdir()
    assert names(tmp_path) == [".data.zarr.0123456789ab.old", ".data.zarr.0123456789ab.part"]
    delete_leftovers(tmp_path)
    assert names(tmp_path) == [".data.zarr.0123456789ab.old"]
    write_zarr([ds], tmp_path / "data.zarr", False)
    write_zarr([ds], tmp_path / "data.zarr", True)
    assert names(tmp_path) == ["data.zarr"]
    np.testing.assert_array_equal(read_zarr(tmp_path / "data.zarr")[0]["counts"], ds["counts"])
