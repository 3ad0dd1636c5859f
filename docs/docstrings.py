"""How the reference shows docstrings and signatures: sentences whole, arrays by their names."""

import re

import numpy.typing as npt
from pydantic import BaseModel
from sphinx.util.typing import stringify_annotation

# What these are in numpy fills a paragraph.
ALIASES = {name: name for name in ("BoolArray", "FloatArray", "IntArray")}
ARRAY_LIKE = stringify_annotation(npt.ArrayLike, "smart")


def keep_sentence(_app, what, _name, _obj, _options, lines):
    """Keep the docstring of a value, whose first words napoleon takes for a type where a colon follows."""
    if what in {"attribute", "data", "property"}:
        # It looks at the first line alone, which a comment is as well.
        lines[:0] = ["..", ""]


def short_signature(_app, _what, _name, obj, _options, signature, returns):
    """Return a signature that can be read; the sections of a configuration are in the table of keys."""
    if isinstance(obj, type) and issubclass(obj, BaseModel):
        return "(**sections)", None
    return None if signature is None else (_short(signature), returns and _short(returns))


def _short(text):
    text = re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", text).replace(ARRAY_LIKE, "ArrayLike")
    # Values that are no Python, as those that a function makes, keep Sphinx from reading the types.
    return re.sub(r"<[^<>]+>", "...", text)


def skip_settings(_app, _what, name, *_rest):
    """Leave out the settings of pydantic."""
    return True if name == "model_config" else None


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    # Before napoleon, which comes at 500.
    app.connect("autodoc-process-docstring", keep_sentence, priority=100)
    app.connect("autodoc-process-signature", short_signature)
    app.connect("autodoc-skip-member", skip_settings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
