"""Pipes, devices and endless files in place of what ``fetch`` reads: bounded, with one error each."""

import os
import signal

import pytest
from made_release import ONE

from xgamma.errors import InputError
from xgamma.releases import fetch, read_catalog


@pytest.fixture(autouse=True)
def bounded():
    def end(number, frame):
        raise AssertionError("a file without end was waited for")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def pipe(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


def folder(path):
    path.mkdir()


def absurdly_large(path):
    with path.open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize("make", [pipe, device, folder])
def test_a_source_without_a_file_is_named_and_the_other_files_are_fetched(make, release, contents, tmp_path):
    source = tmp_path / "source"
    for name, content in contents.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
    (source / ONE).unlink()
    make(source / ONE)
    report = fetch(release, tmp_path / "here", sources=[source])
    failed = [file for file in report.files if file.status == "failed"]
    assert [file.file.name for file in failed] == [ONE]
    assert "is no file" in failed[0].message or "no such file" in failed[0].message
    assert len(report.files) == 3


@pytest.mark.parametrize("make", [pipe, device, folder, absurdly_large])
def test_a_catalogue_that_is_no_file_raises(make, tmp_path):
    path = tmp_path / "mine.yaml"
    make(path)
    with pytest.raises(InputError, match=r"mine\.yaml cannot be read: "):
        read_catalog(path)


def test_a_part_that_is_longer_than_its_file_is_not_read_and_the_file_is_fetched(release, fetched, contents):
    part = fetched.folder / f"{ONE}.part"
    part.parent.mkdir(parents=True)
    absurdly_large(part)
    assert fetched()[ONE] == "fetched"
    assert fetched.bytes(ONE) == contents[ONE]
