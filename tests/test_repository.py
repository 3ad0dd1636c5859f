"""The repository holds together: versions, locks, the wheel, links of the documents, the report about a machine."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import xgamma
from xgamma.check import DATA_VARIABLE, PACKAGES, setup_report
from xgamma.utils.check import check_tutorials_setup

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = sorted((REPOSITORY / "requirements").glob("python-*.txt"))
WRITTEN = [path for path in (REPOSITORY / "docs").rglob("*.md") if not {"_build", "_generated"} & set(path.parts)]
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted(WRITTEN)]


def runtime_dependencies():
    return [re.match(r"[A-Za-z0-9_.-]+", line).group() for line in PROJECT["project"]["dependencies"]]


@pytest.fixture(scope="module")
def tracked():
    """The files of the repository by name."""
    done = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no clone of the repository")
    return done.stdout.splitlines()


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_newest_entry_of_the_changelog_is_this_version():
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", text, re.MULTILINE).group(1) == xgamma.__version__


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_a_lock_pins_every_dependency_with_hashes(lock):
    text = lock.read_text(encoding="utf-8")
    pinned = {normal(name) for name in re.findall(r"^([A-Za-z0-9_.-]+)==", text, re.MULTILINE)}
    assert {normal(name) for name in runtime_dependencies()} <= pinned
    assert text.count("==") <= text.count("--hash=sha256:")
    assert "://" not in text


def test_there_is_a_lock_for_the_oldest_python():
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert (REPOSITORY / "requirements" / f"python-{oldest}.txt") in LOCKS


def test_the_lock_is_chosen_for_this_python():
    done = subprocess.run(
        [sys.executable, "requirements/choose.py"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert (REPOSITORY / done.stdout.strip()) in LOCKS


def test_the_decision_about_dependencies_names_each_of_them():
    text = (REPOSITORY / "docs/decisions/0001-runtime-dependencies.md").read_text(encoding="utf-8")
    named = {normal(name) for name in re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)}
    assert named == {normal(name) for name in runtime_dependencies()}


def test_the_wheel_holds_the_catalogues_the_pages_about_errors_the_type_marker_and_the_licence(tmp_path):
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    catalogues = {f"xgamma/catalogs/{path.name}" for path in (REPOSITORY / "catalogs").glob("*.yaml")}
    assert catalogues
    pages = {f"xgamma/help/{path.name}" for path in (REPOSITORY / "docs/errors").glob("*.md")}
    assert pages
    assert {"xgamma/py.typed", *catalogues, *pages} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith("tests")]
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    code = "from xgamma.releases import catalog_names, release; print(release.catalogs_folder(), *catalog_names())"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    folder, *known = done.stdout.split()
    assert Path(folder) == tmp_path / "installed" / "xgamma" / "catalogs"
    assert {f"xgamma/catalogs/{name}.yaml" for name in known} == catalogues


def test_the_container_copies_what_its_wheel_is_made_of_and_nothing_else():
    _, build, image = re.split(r"^FROM", (REPOSITORY / "Containerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    copied = {name for line in re.findall(r"^COPY (?!--)(.+) \S+$", build, re.MULTILINE) for name in line.split()}
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["src/xgamma"]
    named = {"pyproject.toml", PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]}
    assert copied == {"src", *named, *wheel["force-include"]}
    (lock,) = re.findall(r"^COPY (?!--)(\S+) ", image, re.MULTILINE)
    pinned = (REPOSITORY / lock).read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([a-z0-9-]+)==", pinned, re.MULTILINE))
    assert {normal(name) for name in runtime_dependencies()} <= pinned


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_between_documents_have_a_target(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    lost = [link for link in links if not (page.parent / link).exists()]
    assert not lost


def test_only_text_and_pictures_are_kept_so_that_no_data_of_a_telescope_is(tracked):
    kinds = {Path(name).suffix or Path(name).name for name in tracked}
    text = {".py", ".md", ".rst", ".txt", ".sh", ".yaml", ".toml", ".json", ".cff", ".html", ".css", ".mplstyle"}
    assert kinds - text == {".png", ".typed", ".gitignore", "Makefile", "Containerfile", "LICENSE", "run"}
    assert [name for name in tracked if name.endswith(".json")] == ["tests/analysis/fingerprints.json"]


def test_scripts_take_names_that_xgamma_has(tracked):
    for name in tracked:
        if name.endswith(".py") and not name.startswith(("src/", "tests/")):
            for node in ast.walk(ast.parse((REPOSITORY / name).read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "xgamma":
                    given = importlib.import_module(str(node.module))
                    for taken in node.names:
                        module = f"{node.module}.{taken.name}"
                        is_module = hasattr(given, "__path__") and importlib.util.find_spec(module) is not None
                        assert hasattr(given, taken.name) or is_module, f"{name} takes {module}, which is not there"


def test_documents_and_code_name_no_local_paths():
    words = re.compile(r"/work/|/root/|\bshared/|GAMMAPY_DATA=/")
    files = [
        *PAGES,
        *(REPOSITORY / "src").rglob("*.py"),
        *(REPOSITORY / "examples").rglob("*.yaml"),
        REPOSITORY / "Makefile",
    ]
    named = [str(path) for path in files if words.search(path.read_text(encoding="utf-8"))]
    assert not named


def test_helper_modules_of_tests_have_unique_names_and_can_be_imported():
    helpers = [path for path in (REPOSITORY / "tests").rglob("*.py") if not path.name.startswith(("test_", "conftest"))]
    folders = {REPOSITORY / folder for folder in PROJECT["tool"]["pytest"]["ini_options"]["pythonpath"]}
    assert len(helpers) == len({path.name for path in helpers})
    assert {path.parent for path in helpers} <= folders


@pytest.mark.parametrize("path", sorted((REPOSITORY / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_is_a_complete_configuration(path):
    config = pytest.importorskip("xgamma.config.config").AnalysisConfig.read(path)
    config.check(complete=True)
    maps = {entry.type for entry in config.entries.values()} == {"3d"}
    begin = ["observations", "datasets", *(["excess_map"] if maps else [])]
    steps = config.planned_steps()
    assert steps[: len(begin)] == begin
    if maps and not config.models:
        assert steps == begin
        return
    assert steps[len(begin)] == "fit"
    assert steps[len(begin) + 1 :] in ([], ["flux_points"], ["light_curve"])
    assert yaml.safe_load(config.to_yaml())["models"]


def test_the_report_lists_versions_and_whether_the_data_exist(tmp_path):
    report = setup_report({DATA_VARIABLE: str(tmp_path)})
    titles = [line for line in report.splitlines() if re.match(r"\S.*:$", line)]
    assert titles == ["System:", "xgamma package:", "Other packages:", "xgamma environment variables:"]
    assert re.search(rf"^\tversion +: {re.escape(xgamma.__version__)}$", report, re.MULTILINE)
    assert all(re.search(rf"^\t{name} +: \S", report, re.MULTILINE) for name in PACKAGES)
    assert f"{tmp_path} (the folder exists)" in report
    assert "the folder does not exist" in setup_report({DATA_VARIABLE: str(tmp_path / "gone")})


def test_the_report_gives_advice_where_data_are_missing():
    report = setup_report({})
    assert "not set" in report
    assert report.splitlines()[-1].startswith("Set GAMMAPY_DATA to the folder")


def test_the_report_is_printed(capsys):
    check_tutorials_setup()
    assert capsys.readouterr().out.startswith("System:\n\n\tpython_executable")
