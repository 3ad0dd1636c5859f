"""One tree of exceptions, each with a stable ``kind`` and the exit code of the command line.

A message says what was expected, what was found and what to do. Where users of Gammapy catch a built-in class
(``RuntimeError`` for methods called out of order, ``OSError`` for a file that exists), the class here derives from it
too.
"""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any, ClassVar, Self

log = logging.getLogger(__name__)


class ExitCode(IntEnum):
    """The exit codes of the command line; the help and the documentation print each with its ``meaning``."""

    DONE = 0, "done"
    INTERNAL = 1, "internal error"
    USAGE = 2, "configuration or usage"
    INPUT = 3, "input data, store or cluster"
    INCOMPLETE = 4, "done, but some runs were not used, could not be read or fetched"
    NOT_CONVERGED = 5, "the fit did not converge"
    FAULT = (
        6,
        "verify, validate, closure or doctor found something wrong, diff a difference, or a record is damaged",
    )
    INTERRUPTED = 130, "interrupted; the next run goes on from what is in the store"

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        """Make a member that equals its number."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member


def more_about(kind: str) -> str:
    """Return where to read on about errors of a kind: a page of ``docs/errors``, which the command prints.

    >>> more_about("fit")
    'More: xgamma help fit'
    """
    return f"More: xgamma help {kind}"


class XgammaError(Exception):
    """Root of everything that xgamma raises on purpose; a traceback ends with the page of its kind.

    Parameters
    ----------
    *args
        The message, and what else a built-in class takes.
    """

    kind: ClassVar[str] = "internal"
    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.add_note(more_about(self.kind))

    def __str__(self) -> str:
        return " ".join(str(part) for part in self.args)

    def of(self, place: object) -> Self:
        """Return the error with the file, or the key in it, that it is about."""
        return type(self)(f"{place}:\n{self}" if "\n" in str(self) else f"{place}: {self}")

    def in_file(self, path: object) -> Self:
        """Return the error with the file that it comes from, unless its sentence names that already."""
        is_named = re.search(rf"(?<![\w/.-]){re.escape(str(path))}(?![\w/-])", str(self))
        return self if is_named else self.of(path)


class ConfigError(XgammaError, ValueError):
    """A configuration, a model document or an argument that is not valid."""

    kind = "config"
    exit_code = ExitCode.USAGE


class ConfigTypeError(ConfigError, TypeError):
    """An argument of a type that is not accepted."""


class MemoryLimitError(ConfigError):
    """A request that needs more memory than is allowed, or than there is."""

    kind = "memory"


class OrderError(XgammaError, RuntimeError):
    """A method called before the step it needs."""

    kind = "order"
    exit_code = ExitCode.USAGE


class UnknownNameError(ConfigError, KeyError):
    """A name under which nothing is registered or stored."""

    kind = "unknown-name"


class LaterError(XgammaError, NotImplementedError):
    """A documented part of the interface that this version does not compute yet."""

    kind = "later"
    exit_code = ExitCode.USAGE


class LaterNameError(LaterError, ImportError):
    """An import of a name of Gammapy that this version does not have; the message says why."""


class LaterModuleError(LaterNameError, ModuleNotFoundError):
    """An import of a module of Gammapy that this version does not have; the message says what to take instead."""


class OutputExistsError(XgammaError, FileExistsError):
    """An output that exists and would be overwritten."""

    kind = "output-exists"
    exit_code = ExitCode.USAGE


class OutputError(XgammaError, OSError):
    """An output location that cannot be written."""

    kind = "output"
    exit_code = ExitCode.USAGE


class InputError(XgammaError, OSError):
    """An input that exists and cannot be read."""

    kind = "input"
    exit_code = ExitCode.INPUT


class MissingInputError(InputError, FileNotFoundError):
    """An input that does not exist."""

    kind = "missing-input"


class MissingHduError(InputError):
    """A file or an index that lacks an HDU."""

    kind = "missing-hdu"


class DataError(XgammaError, ValueError):
    """Data that violate the schema of their product: dims, units, ledger, aligned axes."""

    kind = "data"
    exit_code = ExitCode.INPUT


class StoreError(XgammaError, OSError):
    """A product store that cannot be used as requested."""

    kind = "store"
    exit_code = ExitCode.INPUT


class DamagedError(StoreError):
    """A published product of which bytes are missing; computing it again repairs it.

    Parameters
    ----------
    message
        What happened and what to do.
    url, path
        The store, and the object in it that is missing or cut off.
    """

    kind = "damaged"

    def __init__(self, message: str, url: str, path: str) -> None:
        super().__init__(message)
        self.url = url
        self.path = path

    def __reduce__(self) -> tuple[type[DamagedError], tuple[str, str, str]]:
        return DamagedError, (str(self), self.url, self.path)


class ClusterError(XgammaError, RuntimeError):
    """A dask cluster that does not answer, cannot run a block, or disconnects."""

    kind = "cluster"
    exit_code = ExitCode.INPUT


class WorkerLostError(ClusterError):
    """Blocks whose workers died each time.

    Parameters
    ----------
    message
        Which blocks, and what to do.
    results
        The results of all blocks in their order, ``None`` for those that were lost.
    """

    kind = "worker"

    def __init__(self, message: str, results: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.results = results


class FitError(XgammaError, RuntimeError):
    """A fit that is not possible or did not converge."""

    kind = "fit"
    exit_code = ExitCode.NOT_CONVERGED


def sentence_of(error: Exception, what: str) -> str:
    """Return the message of an error of xgamma; for any other error ``what``, its class and its message.

    >>> sentence_of(ZeroDivisionError("division by zero"), "It cannot be read")
    'It cannot be read (ZeroDivisionError: division by zero). Fetch or write its files again.'
    """
    if isinstance(error, XgammaError):
        return str(error)
    log.debug("%s.", what, exc_info=error)
    return f"{what} ({type(error).__name__}: {error}). Fetch or write its files again."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the nearest known word, else the known words.

    >>> did_you_mean("enrgy", ["energy", "offset"])
    " Did you mean 'energy'?"
    """
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if near:
        return f" Did you mean {near[0]!r}?"
    return f" Known: {', '.join(words)}." if words else ""


def shortened(text: str, most: int = 60) -> str:
    """Return a text as a sentence quotes it: what is longer than ``most`` characters ends in three dots.

    >>> shortened("a very long value", most=10)
    'a very ...'
    """
    return text if len(text) <= most else f"{text[: most - 3]}..."


def listed(texts: Sequence[str], most: int = 5) -> str:
    """Return texts as a sentence lists them: the first ones, and how many others there are.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
