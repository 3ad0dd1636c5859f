"""Running blocks: one eagerly, several on threads, processes or a cluster, with progress and bounded BLAS threads.

Where they run is a module each, which is loaded when it is first used: one block needs neither dask nor distributed.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, TypeVar

from xgamma.errors import WorkerLostError
from xgamma.warned import Answer, answered, result_of

Result = TypeVar("Result")


@dataclass(frozen=True)
class Workers:
    """Where blocks run.

    Parameters
    ----------
    n_jobs
        1 for the threads of this process, more for that many processes of this machine.
    scheduler
        The address of a dask scheduler to use instead.
    """

    n_jobs: int = 1
    scheduler: str | None = None

    @property
    def threads(self) -> int:
        """How many threads of this process do what is not sent to others: one for each worker, else each processor."""
        if self.n_jobs > 1:
            return self.n_jobs
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


THIS_PROCESS = Workers()
_LAZY = ("threads", "processes", "cluster", "travel", "terminal", "notebook")
_CALLED_TERMINAL = ("FORCE_COLOR", "TTY_COMPATIBLE")
"""Variables of the environment by which a file or a pipe may be taken for a terminal."""


def __getattr__(name: str) -> ModuleType:
    if name in _LAZY:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Make many small objects without the collector of cycles looking at all objects of the process meanwhile.

    Measured: the facts of 10,000 runs take 0.15 s and not 0.28 s. What is made is in no cycle.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    return "IPython" in sys.modules and bool(sys.modules[__name__].terminal.is_notebook())


@contextmanager
def progress_bar(text: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar while in the context, for more than one step; on a terminal and in a notebook only.

    Yields
    ------
    callable
        To be called after each step.
    """
    this = sys.modules[__name__]
    if total < 2:
        yield lambda: None
    elif is_notebook():
        with this.notebook.progress_bar(text, total) as advance:
            yield advance
    elif sys.stderr.isatty() or any(name in os.environ for name in _CALLED_TERMINAL):
        with this.terminal.progress_bar(text, total) as advance:
            yield advance
    else:
        yield lambda: None


def shared_workers(workers: Workers) -> AbstractContextManager[None]:
    """Return a context in which all calls of ``run_blocks`` share workers, which the first that needs them starts."""
    if workers == THIS_PROCESS:
        return nullcontext()
    this = sys.modules[__name__]
    shared: AbstractContextManager[None] = (this.processes if workers.scheduler is None else this.cluster).shared()
    return shared


def workers_there(workers: Workers, *, is_patient: bool = True) -> int | None:
    """Return how many workers a scheduler that is asked for has now; ``None`` where none is asked for.

    Parameters
    ----------
    workers
        Where blocks are to run.
    is_patient
        Whether a scheduler that is just being started is waited for.

    Raises
    ------
    ConfigError, ClusterError
        For what ``run_blocks`` would raise before its first block, but that no worker is there.
    """
    if workers.scheduler is None:
        return None
    there: int = sys.modules[__name__].cluster.workers_there(workers.scheduler, is_patient=is_patient)
    return there


def validate_travel(things: Mapping[str, Any], workers: Workers) -> None:
    """Raise ``ConfigError`` where a user's function or class cannot be sent to the processes of ``workers``.

    Parameters
    ----------
    things
        What is sent with a block, by what a sentence calls it.
    workers
        Where blocks run; to threads of this process nothing is sent.
    """
    if workers != THIS_PROCESS:
        sys.modules[__name__].travel.validate_travel(things)


def run_blocks(
    function: Callable[..., Result],
    arguments: Sequence[tuple[Any, ...]],
    text: str,
    workers: Workers = THIS_PROCESS,
    names: Sequence[str] | None = None,
) -> list[Result]:
    """Return ``function(*a)`` for each tuple of arguments, in their order.

    What blocks log as warnings counts as logged in this context, in the same order wherever they run.

    Parameters
    ----------
    function
        A function that can be sent to another process when ``workers`` ask for it.
    arguments
        Its arguments, block by block. One block runs eagerly in this thread, unless a scheduler is asked for.
    text
        The label of the progress bar.
    workers
        Where blocks run.
    names
        What a message calls each block, such as the runs in it; otherwise their numbers.

    Raises
    ------
    ConfigError
        When a scheduler is requested and ``distributed`` is not installed.
    ClusterError
        When there is no scheduler, or it goes away, or its workers have other software; when no process can be started.
    WorkerLostError
        When the workers of a block die each time it is tried. It is raised after all other blocks are done and holds
        their results, so that they can be kept.
    """
    try:
        return [result_of(answer) for answer in _answers(partial(answered, function), arguments, text, workers, names)]
    except WorkerLostError as error:
        error.results = [None if answer is None else result_of(answer) for answer in error.results]
        raise


def _answers(
    function: Callable[..., Answer[Result]],
    arguments: Sequence[tuple[Any, ...]],
    text: str,
    workers: Workers,
    names: Sequence[str] | None,
) -> list[Answer[Result]]:
    """Return the answer to each block."""
    # For one block no process is started; a cluster is there, and who names it wants nothing computed here.
    if not arguments or (len(arguments) == 1 and workers.scheduler is None):
        return [function(*block) for block in arguments]
    this = sys.modules[__name__]
    answers: list[Answer[Result]]
    with progress_bar(text, len(arguments)) as advance:
        if workers == THIS_PROCESS:
            answers = this.threads.run_on_threads(function, arguments, advance)
        else:
            called = names or [f"block {number} of {len(arguments)}" for number in range(1, len(arguments) + 1)]
            if workers.scheduler is None:
                answers = this.processes.run_on_processes(function, arguments, advance, workers.n_jobs, called)
            else:
                answers = this.cluster.run_on_cluster(function, arguments, advance, workers.scheduler, called)
    return answers
