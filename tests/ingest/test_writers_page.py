"""The page about writers, the scripts that run them and the findings about them belong together."""

from __future__ import annotations

import re
import tomllib

import pytest

PEP_723 = re.compile(r"^# /// script\n(?P<text>(?:#.*\n)+?)# ///$", re.MULTILINE)


def test_the_page_names_tests_that_are_there_and_all_of_them(repository):
    text = (repository / "docs/releases.md").read_text(encoding="utf-8")
    named = {f"test_writers_{name}" for name in re.findall(r"`(\w+\.py)` \|$", text, re.MULTILINE)}
    files = {path.name for path in (repository / "tests/ingest").glob("test_writers_*.py")}
    assert named == files - {"test_writers_page.py"}


def test_each_script_of_a_writer_pins_what_it_installs_and_is_described(repository):
    described = (repository / "writers/README.md").read_text(encoding="utf-8")
    scripts = {path: PEP_723.search(path.read_text(encoding="utf-8")) for path in (repository / "writers").glob("*.py")}
    found = {path.name: tomllib.loads(said["text"].replace("# ", "")) for path, said in scripts.items() if said}
    assert set(found) == set(re.findall(r"^\| `(\w+\.py)`", described, re.MULTILINE))
    assert all("==" in package for about in found.values() for package in about["dependencies"])
    assert all(about["tool"]["xgamma"]["plain"] in ("full", "point-like") for about in found.values())


def test_each_finding_is_pinned_named_and_without_xgamma(repository):
    text = (repository / "findings/README.md").read_text(encoding="utf-8")
    scripts = [path for path in (repository / "findings").glob("*.sh") if path.name != "run.sh"]
    assert {path.stem for path in scripts} == set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    for path in scripts:
        script = path.read_text(encoding="utf-8")
        assert "==" in script, path
        assert "# Surprise: " in script, path
        assert "xgamma" not in script, path


@pytest.mark.parametrize("target", ["releases", "findings"])
def test_make_help_names_both(repository, target):
    assert f'@echo "make {target} ' in (repository / "Makefile").read_text(encoding="utf-8")
