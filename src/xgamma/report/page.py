"""The page: a head with the numbers that one looks for first, a table of contents, sections."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from xgamma import __version__, html
from xgamma.report.blocks import Section


def page(title: str, sections: Sequence[Section], headline: Mapping[str, str], created: str, subtitle: str = "") -> str:
    """Return the HTML of a page, which holds all that it needs.

    Parameters
    ----------
    title, subtitle
        What it is the report of.
    sections
        Its parts; what is empty is left out.
    headline
        The numbers that one looks for first, by name.
    created
        When it was made, ISO 8601; nothing else in it depends on the time.
    """
    shown = [_Shown.of(section, str(number)) for number, section in enumerate(_filled(sections), start=1)]
    rendered = html.rendered(
        "report/page.html",
        title=title,
        subtitle=subtitle,
        sections=shown,
        headline=headline,
        created=created,
        version=__version__,
    )
    return str(rendered)


def _filled(sections: Sequence[Section]) -> list[Section]:
    return [section for section in sections if not section.is_empty]


@dataclasses.dataclass(frozen=True)
class _Shown:
    """A section with its number, which makes the ids of the page unique."""

    section: Section
    number: str
    parts: Sequence[_Shown]

    @classmethod
    def of(cls, section: Section, number: str) -> _Shown:
        parts = enumerate(_filled(section.parts), start=1)
        return cls(section, number, [cls.of(part, f"{number}.{count}") for count, part in parts])

    @property
    def id(self) -> str:
        return f"s{self.number}-{self.section.anchor}"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.section, name)
