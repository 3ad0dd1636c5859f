"""Running blocks: one eagerly, several on dask, with progress and bounded BLAS threads.

``threads`` and ``cluster`` load dask and distributed when they are first used: one block needs neither.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Result = TypeVar("Result")


@dataclass(frozen=True)
class Workers:
    """Where blocks run.

    Parameters
    ----------
    n_jobs
        1 for the threads of this process, more for a local cluster of that many processes.
    scheduler
        The address of a dask scheduler to use instead.
    """

    n_jobs: int = 1
    scheduler: str | None = None


THIS_PROCESS = Workers()
_LAZY = ("threads", "cluster")


def __getattr__(name: str) -> ModuleType:
    if name in _LAZY:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@contextmanager
def progress_bar(text: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar on stderr while in the context; on a terminal only, and for more than one step.

    Yields
    ------
    callable
        To be called after each step.
    """
    console = Console(stderr=True)
    if total < 2 or not console.is_terminal:
        yield lambda: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda: bar.advance(task)


def run_blocks(
    function: Callable[..., Result],
    arguments: Sequence[tuple[Any, ...]],
    text: str,
    n_jobs: int = 1,
    scheduler: str | None = None,
) -> list[Result]:
    """Return ``function(*a)`` for each tuple of arguments, in their order.

    Parameters
    ----------
    function
        A function that can be sent to another process when ``n_jobs`` or ``scheduler`` ask for it.
    arguments
        Its arguments, block by block. One block runs eagerly in this thread.
    text
        What the progress bar says.
    n_jobs
        1 for the threads of this process, more for a local cluster of that many processes.
    scheduler
        The address of a dask scheduler to use instead.

    Raises
    ------
    ConfigError
        When a cluster is asked for and ``distributed`` is not installed.
    """
    if len(arguments) <= 1:
        return [function(*block) for block in arguments]
    this = sys.modules[__name__]
    results: list[Result]
    with progress_bar(text, len(arguments)) as advance:
        if n_jobs > 1 or scheduler is not None:
            results = this.cluster.run(function, arguments, advance, n_jobs, scheduler)
        else:
            results = this.threads.run(function, arguments, advance)
    return results
