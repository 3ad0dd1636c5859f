"""How Sphinx builds these pages: Markdown by MyST, reference from docstrings, tables from the code."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import config_table
import generated_tables

import xgamma

project = "xgamma"
author = "The xgamma developers"
project_copyright = "2026, the xgamma developers"
version = release = xgamma.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = "xgamma"
html_show_sphinx = False

myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
# Links to files of the repository are links to read. Included tables begin below the title of their page. A name such
# as `shape`, which several classes have, needs no link.
suppress_warnings = ["myst.xref_missing", "myst.header", "ref.python"]

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 100
napoleon_google_docstring = False


def write_tables():
    config_table.write(HERE / "_generated" / "config.md")
    generated_tables.write(HERE / "_generated")


def setup(app):
    app.connect("builder-inited", lambda _: write_tables())
