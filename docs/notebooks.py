"""Tutorials as notebooks to download: each page of ``tutorials/`` is written as one, and its top leads there."""

from pathlib import Path

import jupytext

HERE = Path(__file__).parent
FOLDER = HERE / "_generated" / "notebooks"


def is_notebook(path: Path) -> bool:
    return path.read_text(encoding="utf-8").startswith("---\nfile_format: mystnb\n")


def pages() -> list[Path]:
    """Return the pages that are run."""
    return [path for path in sorted(HERE.rglob("*.md")) if is_notebook(path)]


def tutorials() -> list[Path]:
    """Return the pages that are offered as notebooks."""
    return [path for path in pages() if path.parent.name == "tutorials"]


def write() -> None:
    """Write the notebooks, without results: whoever opens one runs it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in tutorials():
        notebook = jupytext.read(path, fmt="md:myst")
        jupytext.write(notebook, FOLDER / f"{path.stem}.ipynb", fmt="ipynb")


def add_download(_app, page, source):
    """Lead from below the title of a tutorial to its notebook."""
    path = HERE / f"{page}.md"
    if path not in tutorials():
        return
    title, rest = source[0].split("\n# ", 1)
    heading, rest = rest.split("\n", 1)
    link = f"{{download}}`Download this page as a notebook <../_generated/notebooks/{path.stem}.ipynb>`"
    source[0] = f"{title}\n# {heading}\n\n{link}\n{rest}"


def setup(app):
    app.connect("source-read", add_download)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
