"""What a page is made of: sections with texts, facts, tables, pictures and files to save, each as plain values."""

from __future__ import annotations

import base64
import hashlib
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

from xgamma import html
from xgamma.plot import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = 48
ROWS_SHOWN = 300
"""Rows of a table; a page of ten thousand is read by nobody."""


@dataclass(frozen=True)
class Text:
    """A paragraph; ``is_warning`` sets it apart."""

    kind: ClassVar[str] = "text"
    text: str
    is_warning: bool = False


@dataclass(frozen=True)
class Facts:
    """Names and what stands for them."""

    kind: ClassVar[str] = "facts"
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Rows:
    """A table: texts and numbers by column.

    Parameters
    ----------
    rows
        All rows, of which the first ``ROWS_SHOWN`` are shown.
    caption
        What the table is of.
    """

    kind: ClassVar[str] = "rows"
    rows: Sequence[Mapping[str, Any]]
    caption: str

    @property
    def table(self) -> str:
        """The table as HTML."""
        shown = [dict(row) for row in self.rows[:ROWS_SHOWN]]
        return html.table(shown, self.caption, len(self.rows) - len(shown))


class Drawing(NamedTuple):
    """A drawn picture as a file, and its size in pixels of a page."""

    content: bytes
    media: str
    width: int
    height: int


@dataclass
class Album:
    """Drawings by name: those that are known beforehand, and those that were drawn since."""

    known: Mapping[str, Drawing]
    drawn: dict[str, Drawing] = field(default_factory=dict)


_ALBUM: ContextVar[Album | None] = ContextVar("album", default=None)


@contextmanager
def album(known: Mapping[str, Drawing]) -> Iterator[Album]:
    """Let pictures of the context be taken out of those that are known, and the others be kept."""
    opened = Album(known)
    before = _ALBUM.set(opened)
    try:
        yield opened
    finally:
        _ALBUM.reset(before)


def _name(words: str) -> str:
    """Return what a picture is called in an album: the beginning of its words, and a digest of them all."""
    return f"{textwrap.shorten(words, NAME, placeholder=' ...')} {hashlib.sha256(words.encode()).hexdigest()[:8]}"


def _drawing(draw: Callable[[], Figure], name: str) -> Drawing:
    opened = _ALBUM.get()
    if opened is not None and name in opened.known:
        return opened.known[name]
    figure = draw()
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    found = Drawing(*figures.drawing(figure), width, height)
    if opened is not None:
        opened.drawn[name] = found
    return found


@dataclass(frozen=True)
class Picture:
    """A picture inside of the page.

    Parameters
    ----------
    source
        Its ``data:`` URL.
    width, height
        Its size in pixels of a page.
    alt
        What is to be seen in it, in words.
    caption
        What stands below it.
    """

    kind: ClassVar[str] = "picture"
    source: str
    width: int
    height: int
    alt: str
    caption: str = ""

    @classmethod
    def of(cls, draw: Callable[[], Figure], alt: str, caption: str = "") -> Picture:
        """Take the picture that an open album has with the same words, or draw it: as lines, or as pixels if many."""
        drawing = _drawing(draw, _name(f"{alt} {caption}"))
        return cls(data_url(drawing.content, drawing.media), drawing.width, drawing.height, alt, caption)


def data_url(content: bytes, media: str) -> str:
    """Return the URL that holds a content."""
    return f"data:{media};base64,{base64.b64encode(content).decode()}"


@dataclass(frozen=True)
class Download:
    """A text that can be read in the page and saved as a file."""

    kind: ClassVar[str] = "download"
    name: str
    media: str
    content: str
    summary: str

    @property
    def source(self) -> str:
        """Its ``data:`` URL."""
        return data_url(self.content.encode(), self.media)


Block: TypeAlias = Text | Facts | Rows | Picture | Download


@dataclass(frozen=True)
class Section:
    """A part of the page with a title; one without blocks is left out.

    Parameters
    ----------
    title, blocks
        Its title, and what is in it.
    parts
        Sections below it.
    """

    title: str
    blocks: Sequence[Block] = ()
    parts: Sequence[Section] = field(default=())

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it."""
        return not self.blocks and all(part.is_empty for part in self.parts)

    @cached_property
    def anchor(self) -> str:
        """Its id, made of its title."""
        return re.sub(r"\W+", "-", self.title.lower()).strip("-") or "section"
