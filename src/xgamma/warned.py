"""Warnings that xgamma logs while something is made, collected in the context that makes it.

A block that is computed for it in another thread or process collects its own; they come back with its result.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import uuid4

Result = TypeVar("Result")

_STARTED = uuid4().hex
_LIBRARY = logging.getLogger("xgamma")


class Warned(NamedTuple):
    """A warning: the name of its logger, its level and its text."""

    logger: str
    level: int
    text: str


@dataclass
class Collected:
    """What was logged in a context, and what of it no product has taken yet."""

    everything: list[Warned] = field(default_factory=list)
    waiting: list[Warned] = field(default_factory=list)

    def add(self, other: Collected) -> None:
        """Add what was collected for this one."""
        self.everything += other.everything
        self.waiting += other.waiting


@dataclass(frozen=True)
class Answer(Generic[Result]):
    """The result of a block, what was logged meanwhile, and in which process."""

    result: Result
    collected: Collected
    process: str


_CURRENT: ContextVar[Collected | None] = ContextVar("collected", default=None)


@contextmanager
def collected_warnings() -> Iterator[Collected]:
    """Collect what the library logs as a warning in this context, and nowhere else."""
    collected = Collected()
    before = _CURRENT.set(collected)
    _LISTENER.begin()
    try:
        yield collected
    finally:
        _LISTENER.end()
        _CURRENT.reset(before)


def taken_warnings() -> list[str]:
    """Return the texts that were logged in this context since they were last taken, each once."""
    collected = _CURRENT.get()
    if collected is None:
        return []
    texts = dict.fromkeys(each.text for each in collected.waiting)
    collected.waiting.clear()
    return list(texts)


def for_threads() -> dict[str, Any]:
    """Return arguments of ``ThreadPoolExecutor`` that let its threads collect for this context."""
    return {"initializer": _CURRENT.set, "initargs": (_CURRENT.get(),)}


def answered(function: Callable[..., Result], *block: Any) -> Answer[Result]:
    """Compute a block, in whatever thread or process, and collect what it logs."""
    with collected_warnings() as collected:
        return Answer(function(*block), collected, _process())


def arrived(answer: Any) -> Any:
    """Return an answer; what was logged for it in another process is logged in this one, too."""
    if isinstance(answer, Answer) and answer.process != _process():
        # In no context, as it is collected with the results, in the order of the blocks.
        Context().run(_log, answer.collected.everything)
    return answer


def result_of(answer: Answer[Result]) -> Result:
    """Return the result of a block; what it logged counts as logged in this context."""
    collected = _CURRENT.get()
    if collected is not None:
        collected.add(answer.collected)
    return answer.result


def _process() -> str:
    """Return what no other process is called, on this machine or another, also none that was forked from this one."""
    return f"{_STARTED}-{os.getpid()}"


def _log(warnings: list[Warned]) -> None:
    for each in warnings:
        logging.getLogger(each.logger).log(each.level, "%s", each.text)


class _Listener(logging.Handler):
    """Hands each warning to the context that it is logged in, while any context collects."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._contexts, self._counting = 0, Lock()

    def begin(self) -> None:
        with self._counting:
            self._contexts += 1
            _LIBRARY.addHandler(self)

    def end(self) -> None:
        with self._counting:
            self._contexts -= 1
            if not self._contexts:
                _LIBRARY.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        collected = _CURRENT.get()
        if collected is not None:
            warned = Warned(record.name, record.levelno, record.getMessage())
            collected.everything.append(warned)
            collected.waiting.append(warned)
        if not self._is_handled(logging.getLogger(record.name)) and logging.lastResort is not None:
            # Where nobody has set up logging, Python prints warnings as long as there is no handler at all.
            logging.lastResort.handle(record)

    def _is_handled(self, logger: logging.Logger | None) -> bool:
        """Whether anything else handles what a logger gets."""
        while logger is not None:
            if any(handler is not self for handler in logger.handlers):
                return True
            logger = logger.parent if logger.propagate else None
        return False


_LISTENER = _Listener()
