"""Formulas as MathML, which browsers draw themselves: nothing is fetched, and text stays text."""

from docutils import nodes
from latex2mathml.converter import convert


def mathml(formula, **options):
    # A single letter that is to be upright becomes a slanted variable otherwise.
    return convert(formula.replace(r"\mathrm", r"\text"), **options)


def inline(translator, node):
    translator.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def block(translator, node):
    translator.body.append(f'<div class="math">{mathml(node.astext(), display="block")}</div>\n')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
