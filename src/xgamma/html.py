"""HTML from templates that are files of the package; what is filled in is escaped."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from xgamma.digits import number_text, stands_right, value_and_error


def rendered(template: str, /, **values: Any) -> Markup:
    """Return a template of ``xgamma/templates`` filled with values.

    Texts are escaped; a ``Markup``, such as what this function returns, is taken as it is. A name that the template
    uses and nobody gave raises ``jinja2.UndefinedError``. The filters ``number`` and ``with_error`` are those of
    ``digits``.
    """
    return Markup(_environment().get_template(template).render(values))


def table(rows: list[dict[str, Any]], caption: str = "", more: int = 0, gap: int | None = None) -> Markup:
    """Return rows as a table; columns are the keys of the first row, columns of numbers stand right.

    Parameters
    ----------
    rows
        Texts, numbers or ``Markup`` by column.
    caption
        A line above the table.
    more
        How many rows there are beside these.
    gap
        After how many of these they would stand, by default after all.
    """
    columns = list(rows[0]) if rows else []
    numbers = [all(_is_number(row[name]) for row in rows) for name in columns]
    cells = [[row[name] for name in columns] for row in rows]
    return rendered(
        "table.html", caption=caption, columns=columns, rows=cells, numbers=numbers, more=more, gap=gap or len(rows)
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("xgamma"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number_text, "with_error": value_and_error}
    return environment


def _is_number(cell: Any) -> bool:
    return stands_right(cell) if isinstance(cell, str) else isinstance(cell, int | float)
