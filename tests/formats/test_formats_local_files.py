import os
import stat
from pathlib import Path

import pytest

from xgamma.errors import ConfigError, OutputError, OutputExistsError
from xgamma.formats.local_files import local_path, validate_ending, validate_output, write_files


def test_written_files_hold_their_bytes_and_nothing_else_is_left(tmp_path):
    write_files({tmp_path / "a.fits": b"one", tmp_path / "b.yaml": b"two"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.fits": b"one", "b.yaml": b"two"}


def test_raises_for_an_existing_file_and_keeps_it(tmp_path):
    (tmp_path / "b").write_bytes(b"old")
    with pytest.raises(OutputExistsError, match=r"b exists already.*overwrite=True"):
        write_files({tmp_path / "a": b"new", tmp_path / "b": b"new"})
    assert (tmp_path / "b").read_bytes() == b"old"
    assert not (tmp_path / "a").exists()


def test_output_exists_error_is_a_file_exists_error(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        write_files({tmp_path / "a": b"new"})


def test_overwrite_replaces_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    write_files({tmp_path / "a": b"new"}, overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_failing_disk_leaves_no_new_file_and_keeps_the_old_one(tmp_path, monkeypatch):
    (tmp_path / "old").write_bytes(b"old")
    flush = os.fsync
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"nothing was kept.*No space left"):
        write_files({tmp_path / "new": b"new", tmp_path / "old": b"new"}, overwrite=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"old": b"old"}


def test_a_failing_rename_removes_the_files_renamed_before(tmp_path, monkeypatch):
    swap = Path.replace

    def failing(self, target):
        if target.name == "b":
            raise OSError(5, "Input/output error")
        return swap(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OutputError):
        write_files({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_files({tmp_path / "a": b"1"})
    assert list(tmp_path.iterdir()) == []


def test_raises_for_a_missing_folder_and_names_it(tmp_path):
    with pytest.raises(OutputError, match=r"there is no folder .*nowhere"):
        validate_output(tmp_path / "nowhere" / "a.fits", overwrite=False)


def test_raises_for_a_folder_in_place_of_a_file(tmp_path):
    with pytest.raises(OutputError, match="is a folder"):
        validate_output(tmp_path, overwrite=True)


def test_raises_for_a_folder_that_is_not_writable(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OutputError, match="is not writable"):
        validate_output(tmp_path / "a.fits", overwrite=False)


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_files({tmp_path / "link": b"new"}, overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_written_files_have_the_rights_of_ordinary_ones(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    write_files({tmp_path / "ours": b""})
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "ours")}
    assert len(modes) == 1


def test_environment_variables_are_filled_in(monkeypatch):
    monkeypatch.setenv("HERE", "/somewhere")
    assert str(local_path("$HERE/a.fits")) == "/somewhere/a.fits"


def test_raises_for_another_ending_and_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"expected a name that ends in \.fits or \.fits\.gz, got 'a\.txt'"):
        validate_ending(Path("a.txt"), [".fits", ".fits.gz"], "Spectra")
