"""Verbs that read text print one error for pipes, devices and folders, and read no file without end."""

import os

import pytest

from xgamma.errors import InputError
from xgamma.formats import local_files
from xgamma.select import read_obs_file
from xgamma.simulate import read_plan

VERBS = {
    "check": "configuration file",
    "plan": "configuration file",
    "run": "configuration file",
    "closure": "simulation plan",
}


@pytest.fixture
def strange(tmp_path):
    """The things that are no files of text, and how sentences call them."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "bytes").write_bytes(bytes(range(128, 256)))
    (tmp_path / "link").symlink_to("/dev/zero")
    return {
        "/dev/zero": "it is a device; expected a file of text.",
        tmp_path / "link": "it is a device; expected a file of text.",
        tmp_path / "pipe": "it is a pipe; expected a file of text.",
        tmp_path / "folder": "it is a folder; expected a file of text.",
        tmp_path / "bytes": "it is no text in UTF-8, by byte 0; expected a file of text.",
    }


@pytest.mark.parametrize("verb", VERBS)
def test_input_that_is_no_text_prints_one_error(xgamma, strange, verb):
    for path, reason in strange.items():
        done = xgamma(verb, path)
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith(f"Error: The {VERBS[verb]} {path} cannot be read: {reason}")
        assert done.err.count("\n") == 1


@pytest.mark.parametrize("verb", ["check", "plan", "run"])
@pytest.mark.parametrize("name", ["nothing.yaml", "x" * 300, "a/b/c.yaml"])
def test_a_missing_file_prints_one_error(xgamma, tmp_path, verb, name):
    done = xgamma(verb, tmp_path / name)
    assert done.code == 3
    assert done.err.startswith("Error: ")
    assert "defect" not in done.err


def test_a_text_above_the_limit_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(local_files, "LARGEST_TEXT", 1 << 20)
    path = tmp_path / "ids.txt"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(
        InputError, match=r"ids.txt cannot be read as text: it is larger than 1 MB; expected a file of te"
    ):
        read_obs_file(path)
    with pytest.raises(InputError, match=r"simulation plan .*ids.txt cannot be read: it is larger than 1 MB"):
        read_plan(path)


def test_a_text_up_to_the_limit_is_read(tmp_path, monkeypatch):
    path = tmp_path / "ids.txt"
    path.write_text("1\n2\n")
    monkeypatch.setattr(local_files, "LARGEST_TEXT", 4)
    assert read_obs_file(path) == (1, 2)
