"""Every error leads to a page of its kind, which travels with xgamma and says cause, look and mend."""

from __future__ import annotations

import pickle
import re
import sys
import traceback
from pathlib import Path

import pytest

import faults
import xgamma.cli.run
import xgamma.releases.download  # noqa: F401  it has errors of its own
from xgamma.cli import help as help_verb
from xgamma.errors import ConfigError, DamagedError, FitError, XgammaError
from xgamma.outcome import Outcome

PAGES = Path(__file__).resolve().parents[2] / "docs" / "errors"
UNUSED = (PAGES / "unused-runs.md").read_text(encoding="utf-8")
# Pages about what is no error.
OTHERS = {"unused-runs"}


def kinds_of(error: type[XgammaError]) -> set[str]:
    return {error.kind}.union(*(kinds_of(each) for each in error.__subclasses__()))


def test_each_kind_of_error_has_its_page_and_each_page_its_kind():
    assert {path.stem for path in PAGES.glob("*.md")} - {"index"} == kinds_of(XgammaError) | OTHERS
    assert help_verb.help_pages() == {path.stem: path for path in PAGES.glob("*.md") if path.stem != "index"}


def test_the_index_of_the_pages_names_each_of_them():
    block = re.search(r"```\{toctree\}(.*?)```", (PAGES / "index.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    assert set(re.findall(r"^[a-z-]+$", block[1], re.MULTILINE)) == kinds_of(XgammaError) | OTHERS


def test_the_page_about_runs_that_are_not_used_has_the_word_of_each_reason():
    words = {
        word.strip("` ") for row in re.findall(r"^\| \w+ \|([^|]+)\|", UNUSED, re.MULTILINE) for word in row.split(",")
    }
    assert words - {"word"} == {outcome.name.lower() for outcome in Outcome} - {"used"}


@pytest.mark.parametrize("page", [path for path in PAGES.glob("*.md") if path.stem != "index"], ids=lambda p: p.stem)
def test_a_page_says_cause_how_to_look_and_how_to_mend(page):
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^##? (.+)", text, re.MULTILINE)[1:] == ["Cause", "How to look", "How to mend"]
    sections = re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]
    assert all(len(section.split()) > 10 for section in sections)


def test_the_commands_that_pages_name_are_verbs():
    texts = [path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")]
    named = {verb for text in texts for verb in re.findall(r"`xgamma ([a-z]+)", text)}
    assert named <= set(sys.modules["xgamma.cli.main"].VERBS)


def test_a_sentence_on_the_command_line_is_followed_by_its_page(xgamma, tmp_path):
    (tmp_path / "my.yaml").write_text("datasets: {typ: 1d}", encoding="utf-8")
    done = xgamma("check", tmp_path / "my.yaml")
    assert (done.code, xgamma.more) == (2, "config")
    done = xgamma("show", tmp_path / "nothing", "fit/a")
    assert (done.code, xgamma.more) == (3, "missing-input")


@pytest.mark.parametrize(
    ("error", "topic"), [(FitError("no"), "fit"), (MemoryError(), "memory"), (OSError(), "internal")]
)
def test_any_error_ends_with_one_line_about_its_page(error, topic, monkeypatch, xgamma):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(sys.modules["xgamma.cli.main"].group, "main", refuse)
    done = xgamma("ls")
    assert (len(done.err.splitlines()), xgamma.more) == (1, topic)


def test_a_run_that_is_not_used_has_a_page_too(xgamma, own_release, tmp_path):
    faults.truncate_file(own_release, 2)
    done = xgamma("ingest", own_release, tmp_path / "store")
    assert (done.code, xgamma.more) == (4, "unused-runs")


def test_a_traceback_ends_with_the_page():
    assert traceback.format_exception(ConfigError("bins: expected 2."))[-2:] == [
        "xgamma.errors.ConfigError: bins: expected 2.\n",
        "More: xgamma help config\n",
    ]


def test_an_error_that_comes_from_a_worker_names_its_page_once():
    for error in (FitError("no"), DamagedError("cut", "store", "c/0")):
        assert pickle.loads(pickle.dumps(error)).__notes__ == [f"More: xgamma help {error.kind}"]


def test_help_prints_pages_lists_them_and_knows_verbs(xgamma):
    page = xgamma("help", "fit")
    assert page.code == 0
    assert page.out.startswith("# A fit that is not possible, or did not converge\n")
    assert "](" not in page.out
    listed = xgamma("help").out
    assert all(kind in listed for kind in kinds_of(XgammaError))
    assert xgamma("help", "ls").out.startswith("Usage: xgamma ls ")


def test_help_about_an_unknown_topic_suggests_the_nearest(xgamma):
    done = xgamma("help", "confg")
    assert done.code == 2
    assert done.err.startswith("Error: There is no page about 'confg'. Did you mean 'config'? List: xgamma help\n")
