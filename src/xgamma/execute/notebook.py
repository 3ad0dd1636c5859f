"""A progress bar in a notebook: an element of the page that is updated, and empty in the end and in what is saved.

The bars of terminals draw with control characters, and those of widgets leave an output behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from IPython.display import display

from xgamma.html import rendered

FIRST, PAUSE = 1.0, 0.2
"""Seconds before anything is shown, and between two updates."""


@contextmanager
def progress_bar(text: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar while in the context; yield a function to be called after each step."""
    bar = _Bar(text, total)
    try:
        yield bar.advance
    finally:
        bar.clear()


class _Bar:
    def __init__(self, text: str, total: int) -> None:
        self._text, self._total, self._done = text, total, 0
        self._due = time.monotonic() + FIRST
        self._handle: Any = None

    def advance(self) -> None:
        self._done += 1
        if time.monotonic() >= self._due:
            self._show(rendered("progress.html", text=self._text, done=self._done, total=self._total))
            self._due = time.monotonic() + PAUSE

    def clear(self) -> None:
        if self._handle is not None:
            self._show("")

    def _show(self, page: str) -> None:
        content = {"text/plain": "", "text/html": str(page)}
        if self._handle is None:
            self._handle = display(content, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(content, raw=True)
