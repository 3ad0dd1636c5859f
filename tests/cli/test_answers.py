"""An answer that was kept is given again only while all that it came from is as it was."""

import contextlib
import os
import sys

import pytest

from releases import config_of
from xgamma.analysis.run import run
from xgamma.cli import answers, main
from xgamma.cli.answers import OF_RELEASE, OF_STORE, Answer, answer_to

WORDS = ["plan", "my.yaml"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a configuration, a release, a store and what a run wrote; nothing of it counts as too new."""
    monkeypatch.setenv("XGAMMA_ANSWERS", str(tmp_path / "answers"))
    monkeypatch.setattr(answers, "_SETTLED_S", -3600.0)
    for name in (
        "my.yaml",
        "release/data/run.fits",
        "store/dl3/a1/record.json",
        "store/dl3/a1/b2/x/c.0",
        "out/fit.png",
    ):
        path = tmp_path / "here" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def ask(place, opened=("my.yaml", "store/dl3/a1/record.json", "store/dl3/a1/b2/x/c.0")):
    """Do as a command that opens files and says something; let its answer be kept."""
    answer = answer_to(WORDS)
    with answer.heard():
        for name in opened:
            (place / name).read_bytes()
        print("found")
        print("Next: more", file=sys.stderr)
    folders = {str(place / "release"): OF_RELEASE, str(place / "store"): OF_STORE}
    answer.comes_from(folders, [str(place / "matplotlibrc")], str(place / "out"))
    answer.keep()


def test_an_answer_is_given_again_word_by_word(place, capsys):
    ask(place)
    first = capsys.readouterr()
    assert answer_to(WORDS).given_again()
    assert capsys.readouterr() == first == ("found\n", "Next: more\n")


def rewrite(path):
    """Write as many other bytes, with the same time of change."""
    status = path.stat()
    path.write_text(path.read_text()[::-1])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def swap(path):
    """Put another file of that size and time in its place."""
    status = path.stat()
    other = path.with_name("other")
    other.write_text(path.read_text()[::-1])
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("new")


CHANGES = {
    "another configuration": ("my.yaml", rewrite),
    "another configuration under its name": ("my.yaml", swap),
    "a file of a run, processed again": ("release/data/run.fits", rewrite),
    "a file of a run, put in its place": ("release/data/run.fits", swap),
    "a run more": ("release/data/run2.fits", put),
    "a run less": ("release/data/run.fits", os.unlink),
    "a product more": ("store/dl3/a3/record.json", put),
    "a product that was begun, and is published": ("store/dl3/a1/record2.json", put),
    "a kind more": ("store/rows/a3/record.json", put),
    "a run that failed": ("store/_failed/a.json", put),
    "a product less": ("store/dl3/a1/record.json", os.unlink),
    "bytes of a product, other ones": ("store/dl3/a1/b2/x/c.0", rewrite),
    "bytes of a product, lost": ("store/dl3/a1/b2/x/c.0", os.unlink),
    "a picture that was deleted": ("out/fit.png", os.unlink),
    "a picture that was drawn over": ("out/fit.png", rewrite),
    "settings of matplotlib": ("matplotlibrc", put),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_answer_is_not_given_again_after(place, change):
    ask(place)
    name, act = CHANGES[change]
    act(place / name)
    assert not answer_to(WORDS).given_again()


@pytest.mark.parametrize("asked", ["other words", "an environment", "a folder"])
def test_an_answer_is_not_given_to(place, monkeypatch, asked):
    ask(place)
    words = [*WORDS, "--json"] if asked == "other words" else WORDS
    if asked == "an environment":
        monkeypatch.setenv("GAMMAPY_DATA", "elsewhere")
    if asked == "a folder":
        monkeypatch.chdir(place.parent)
    assert not answer_to(words).given_again()


def test_a_folder_that_was_listed_counts(place):
    ask(place)
    answer = answer_to(WORDS)
    with answer.heard():
        (place / "models").mkdir()
        list((place / "models").iterdir())
    answer.comes_from({str(place / "store"): OF_STORE})
    answer.keep()
    assert answer_to(WORDS).given_again()
    put(place / "models" / "crab.yaml")
    assert not answer_to(WORDS).given_again()


def test_what_has_changed_a_moment_ago_is_not_kept(place, monkeypatch):
    monkeypatch.setattr(answers, "_SETTLED_S", 3.0)
    ask(place)
    assert not answer_to(WORDS).given_again()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"files": 3}', b'{"files": {}, "folders": {}, "made": 1}'])
def test_a_damaged_answer_is_none(place, content):
    ask(place)
    answer_to(WORDS)._path.write_bytes(content)
    assert not answer_to(WORDS).given_again()


def test_where_nothing_can_be_kept_nothing_is(place, monkeypatch):
    monkeypatch.setenv("XGAMMA_ANSWERS", os.devnull)
    ask(place)
    assert not answer_to(WORDS).given_again()


def test_the_oldest_answers_go_first(place, monkeypatch):
    monkeypatch.setattr(answers, "KEPT_MOST", 2)
    for number in range(4):
        monkeypatch.setenv("ANOTHER", str(number))
        ask(place)
    assert len(list((place.parent / "answers").iterdir())) == 2


@pytest.mark.parametrize("words", [[], ["ls", "store"], ["run", "my.yaml", "--rehash"], ["run", "--retry-failed", "a"]])
def test_only_answers_of_plan_and_run_are_kept(place, words):
    assert answer_to(words) is None


def test_who_wants_no_answers_kept_says_so(place, monkeypatch):
    monkeypatch.setenv("XGAMMA_ANSWERS", "")
    assert answer_to(WORDS) is None


@pytest.mark.parametrize("verb", ["plan", "run"])
def test_the_command_gives_the_same_answer_without_an_analysis(tiny_release, place, capsys, monkeypatch, verb):
    config = config_of(tiny_release, place / "own" / "store")
    run(config)
    config.write(place / "tiny.yaml")
    monkeypatch.setattr(sys, "argv", ["xgamma", verb, "tiny.yaml"])
    said = []
    for _ in range(2):
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        said.append((end.value.code, *capsys.readouterr()))
        # From here on nothing can be planned or run.
        monkeypatch.setattr(f"xgamma.cli.run.{verb}", None)
    assert said[0] == said[1]
    assert said[0][0] == 0
    assert "found" in said[0][1] + said[0][2]
    with contextlib.suppress(FileNotFoundError):
        (place / "own" / "store" / "store.json").unlink()
    assert not Answer([verb, "tiny.yaml"]).given_again()
