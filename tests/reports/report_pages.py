"""What a page holds, found by a plain parser of HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser

HOSTILE = "<script>alert('1 & 2')</script>"
CREATED = "2026-01-02T03:04Z"
VOID = frozenset({"meta", "link", "img", "br", "hr", "input"})


class Page(HTMLParser):
    """A page: its tags with attributes, ids, texts of tables, and what is wrong with its nesting."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tables: dict[str, list[dict[str, str]]] = {}
        self._caption, self._cells, self._heads, self._text = "", list[str](), list[str](), ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("caption", "th", "td", "tr"):
            self._text = ""
        if tag == "tr":
            self._cells = []

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)
        text = re.sub(r"\s+", " ", self._text).strip()
        if tag == "caption":
            self._caption, self.tables[text] = text, []
        elif tag in ("th", "td"):
            self._cells.append(text)
        elif tag == "tr" and self.open[-1:] == ["thead"]:
            self._heads = self._cells
        elif tag == "tr":
            self.tables[self._caption].append(dict(zip(self._heads, self._cells, strict=False)))

    def handle_data(self, data: str) -> None:
        self._text += data

    def of(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of all tags of a name."""
        return [attributes for name, attributes in self.tags if name == tag]

    def table(self, beginning: str) -> list[dict[str, str]]:
        """Return the rows of the first table whose caption begins with some words."""
        return next(rows for caption, rows in self.tables.items() if caption.startswith(beginning))
