"""How Sphinx builds these pages: Markdown by MyST, tutorials by running them, tables and reference from the code."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import config_table
import docstrings
import generated_tables
import notebooks

import xgamma

# For tutorials: the command of this environment, tables as wide as a page, pictures as a notebook shows them.
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
# Their commands draw no progress bars, which take the terminal of a cell for one that can go back.
os.environ |= {"COLUMNS": "110", "NO_COLOR": "1", "TTY_INTERACTIVE": "0"}
os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"

project = "xgamma"
author = "The xgamma developers"
project_copyright = "2026, the xgamma developers"
version = release = xgamma.__version__

extensions = [
    "myst_nb",
    "sphinx_design",
    "mathml",
    "notebooks",
    "docstrings",
    "executed",
    "offline",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "_generated/notebooks", "_generated/executed", "_generated/models/*.md"]
templates_path = ["_templates"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_title = "xgamma"
html_show_sphinx = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
# Text between two prices, such as 18 $ a month, is no formula.
myst_dmath_allow_space = False
myst_heading_anchors = 3
# Links to files of the repository are links to read. Included tables begin below the title of their page. A name such
# as `shape`, which several classes have, needs no link.
suppress_warnings = ["myst.xref_missing", "myst.header", "ref.python"]

# Tutorials are run by `executed` at every build; one that fails ends it.
nb_execution_mode = "cache"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_merge_streams = True
# Pages are read without a network: no scripts from elsewhere, formulas as MathML.
nb_ipywidgets_js = {}
html_math_renderer = "mathml"

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_type_aliases = docstrings.ALIASES
python_maximum_signature_line_length = 100
napoleon_google_docstring = False


def write_tables():
    config_table.write(HERE / "_generated" / "config.md")
    generated_tables.write(HERE / "_generated")
    notebooks.write()


def setup(app):
    app.connect("builder-inited", lambda _: write_tables())
