"""Every example of the documents runs: its Python and its commands, page by page, on a simulated release.

Those that need real data run where there are data. What stands there as YAML is a configuration, or says ``no-run``.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

from registries import own_registry
from xgamma.analysis import AnalysisConfig
from xgamma.cli import main
from xgamma.simulate import Plan, simulate

REPOSITORY = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^```(python|python needs-data|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONFIGURATION = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# In words that mean nothing here: not run, and no configuration.
UNRUN = {"", "text", "python no-run", "yaml no-run"}
# Where pages with examples are.
FOLDERS = (REPOSITORY / "docs", REPOSITORY / "docs" / "errors")
# Fits of maps, a thousand sets, every verb: pages with the same commands for less are among the others.
LONG = dict.fromkeys(
    ("gallery", "models-on-maps", "maps", "ts-maps", "flux-profiles", "closure", "cli"), pytest.mark.long
)
# What the examples with data read.
RELEASES = ("hess-dl3-dr1", "cta-1dc", "joint-crab")
PAGES = [
    page
    for page in (REPOSITORY / "README.md", *sorted(path for folder in FOLDERS for path in folder.glob("*.md")))
    if FENCE.search(page.read_text(encoding="utf-8"))
]


@pytest.fixture(scope="module")
def demo_release(tmp_path_factory):
    """What pages begin with: the release of ``xgamma simulate demo/release``."""
    return simulate(Plan(), tmp_path_factory.mktemp("demo") / "release").path


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A folder with the examples and, unless the page simulates it, the demo release."""
    shutil.copytree(REPOSITORY / "examples", tmp_path / "examples")
    # What a page registers is known to it alone.
    own_registry(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def has_data():
    folder = Path(os.environ.get("GAMMAPY_DATA", "/nowhere"))
    return all((folder / name).is_dir() for name in RELEASES)


def run_commands(block):
    for line in block.splitlines():
        if line.startswith("$ xgamma "):
            with pytest.raises(SystemExit) as end:
                main(shlex.split(line)[2:])
            assert end.value.code == 0, line


@pytest.mark.parametrize("page", [pytest.param(page, marks=LONG.get(page.stem, ()), id=page.stem) for page in PAGES])
def test_the_examples_of_a_page_run_without_errors(page, workspace, demo_release):
    text = page.read_text(encoding="utf-8")
    if "$ xgamma simulate demo/release" not in text:
        shutil.copytree(demo_release, workspace / "demo" / "release")
    names = {"__name__": page.stem}
    for found in FENCE.finditer(text):
        language, block = found.groups()
        line = text.count("\n", 0, found.start()) + 1
        if language == "console":
            run_commands(block)
        elif language == "python" or has_data():
            # The lines of a traceback are then those of the page.
            exec(compile("\n" * line + block, str(page), "exec", dont_inherit=True), names)


def all_pages():
    """Yield the pages that people write, tutorials and decisions among them."""
    for path in (
        REPOSITORY / "README.md",
        REPOSITORY / "CONTRIBUTING.md",
        *sorted((REPOSITORY / "docs").rglob("*.md")),
    ):
        if not {"_build", "_generated"} & set(path.parts):
            yield path


def test_what_pages_show_as_yaml_is_a_configuration():
    found = [block for path in all_pages() for block in CONFIGURATION.findall(path.read_text(encoding="utf-8"))]
    assert len(found) > 20
    for block in found:
        AnalysisConfig.from_yaml(block)


def test_a_block_of_code_is_run_or_says_that_it_is_not():
    languages = re.compile(r"^```([^{`\n]*)\n.*?^```$", re.MULTILINE | re.DOTALL)
    run = {"python", "python needs-data", "console"}
    for path in all_pages():
        text = path.read_text(encoding="utf-8")
        is_run = path.parent in (REPOSITORY, *FOLDERS)
        assert set(languages.findall(text)) <= UNRUN | {"yaml"} | (run if is_run else set()), path
