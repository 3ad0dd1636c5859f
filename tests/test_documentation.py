"""The documentation is whole: models have formulas, plots are shown, links lead somewhere, tutorials are notebooks."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from xgamma import models

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
PAGES = [path for path in sorted(DOCS.rglob("*.md")) if not {"_build", "_generated"} & set(path.parts)]
TUTORIALS = [path for path in sorted((DOCS / "tutorials").glob("*.md")) if path.stem != "index"]
CELL = re.compile(r"^```\{code-cell\} python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^(```|:::)[^\n]*\n.*?^\1$", re.MULTILINE | re.DOTALL)


def anchors_of(page):
    """Return the anchors of the headings of a page, as MyST and GitHub make them."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", title).lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_a_link_to_a_part_of_a_page_leads_to_a_heading(page):
    links = re.findall(r"\]\(([^)#:\s]*\.md)?#([^)\s]+)\)", page.read_text(encoding="utf-8"))
    lost = []
    for name, anchor in links:
        target = (page.parent / name).resolve() if name else page
        # Headings of included tables are made at the build.
        generated = "_generated/" in target.read_text(encoding="utf-8")
        if anchor not in anchors_of(target) and not generated:
            lost.append(f"{name}#{anchor}")
    assert not lost


def test_every_model_of_the_registry_has_a_formula():
    kinds = ("SpectralModel", "SpatialModel", "TemporalModel")
    named = {name for name in models.__all__ if name.endswith(kinds) and getattr(getattr(models, name), "tag", ())}
    assert set(yaml.safe_load((DOCS / "formulas.yaml").read_text(encoding="utf-8"))) == named


def drawing_methods():
    """Yield the names of methods of views, models and results that draw."""
    folders = ("data", "datasets", "fit", "models", "sources")
    for path in (path for folder in folders for path in (REPOSITORY / "src/xgamma" / folder).rglob("*.py")):
        classes = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.ClassDef)]
        methods = [node.name for each in classes for node in each.body if isinstance(node, ast.FunctionDef)]
        yield from (name for name in methods if name.startswith(("plot", "peek")))


def test_the_gallery_of_plots_shows_what_views_draw():
    shown = (DOCS / "gallery-of-plots.md").read_text(encoding="utf-8")
    assert not {name for name in drawing_methods() if name not in shown}


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_can_be_run_as_a_notebook_and_ends_with_exercises(page):
    text = page.read_text(encoding="utf-8")
    assert text.startswith("---\nfile_format: mystnb\n")
    cells = CELL.findall(text)
    assert len(cells) >= 4
    for cell in cells:
        ast.parse(re.sub(r"^( *)!.*$", r"\1pass", cell, flags=re.MULTILINE))
    assert re.search(r"^## Try\n\n1\. ", text, re.MULTILINE)


def test_the_list_of_tutorials_names_each_of_them():
    listed = (DOCS / "tutorials" / "index.md").read_text(encoding="utf-8")
    assert all(re.search(rf"^{page.stem}$", listed, re.MULTILINE) for page in TUTORIALS)


def test_the_front_page_has_three_doors_and_a_picture():
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    doors = re.findall(r":link: (start-\S+)", text)
    assert len(doors) == 3
    assert all((DOCS / f"{door}.md").is_file() for door in doors)
    assert re.search(r"!\[[^\]]{20,}\]\(images/", text)


# What pages name besides: what is built, installed or inside an archive.
NOT_HERE = {"docs/_build/html", "a/../b", "index/gps", "xgamma/templates", "xgamma/help"}
NAMED = re.compile(r"`([a-z_0-9]+(?:/[a-z_0-9.]+)+)/?`")


def is_there(name, page):
    """Whether a path, or a module or something of one, is below the package, the repository or a page."""
    package = REPOSITORY / "src" / "xgamma"
    places = [folder / name for folder in (package, REPOSITORY, DOCS, page.parent)]
    module = package / f"{name.rpartition('.')[0]}.py"
    return module.exists() or any(each.exists() or each.with_name(f"{each.name}.py").exists() for each in places)


OTHERS = [path for path in sorted(REPOSITORY.glob("*.md")) if path.name != "CHANGELOG.md"]


@pytest.mark.parametrize("page", [*OTHERS, *PAGES], ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_file_and_module_that_a_page_names_is_there(page):
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    assert [name for name in NAMED.findall(text) if name not in NOT_HERE and not is_there(name, page)] == []
