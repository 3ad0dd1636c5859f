"""Blocks in processes of this machine, by the standard library.

Each process has pipes of its own and one block at a time, so that one that dies takes no other block with it. It is a
fresh interpreter that is sent what it needs: nothing is forked from threads, and the script that runs is not run again.
It ends when its pipe is closed, which the end of this process does, however it ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from xgamma.errors import ClusterError
from xgamma.execute.travel import lacking_module, lost_blocks, packed, unpacked
from xgamma.execute.worker import receive, send
from xgamma.warned import arrived

Result = TypeVar("Result")

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.stdin.buffer.readline()); "
    "from xgamma.execute.worker import serve; serve(sys.stdin.buffer)"
)
# Blocks are what is parallel, so that linear algebra gets one thread in each process.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
_CLOSING_SECONDS = 5.0


class _DiedError(Exception):
    """A process ended before it had answered; says how."""


@dataclass
class _Work:
    """The blocks of one call, and what became of them."""

    function: Callable[..., Any]
    arguments: Sequence[tuple[Any, ...]]
    results: list[Any]
    died: dict[int, str] = field(default_factory=dict)
    failed: dict[int, BaseException] = field(default_factory=dict)
    is_interrupted: bool = False

    def compute(self, number: int, pool: _Pool) -> bool:
        """Compute one block, unless one before it failed; return whether it is done with."""
        if self.is_interrupted or min(self.failed, default=number) < number:
            return False
        try:
            is_result, found = unpacked(pool.ask(packed((self.function, self.arguments[number]))))
        except _DiedError as error:
            self.died[number] = str(error)
            return False
        except ClusterError as error:
            is_result, found = False, error
        if is_result:
            self.results[number] = arrived(found)
        else:
            is_missing = isinstance(found, ImportError)
            self.failed[number] = ClusterError(lacking_module(found, "A process")) if is_missing else found
        return True


def run_on_processes(
    function: Callable[..., Result],
    arguments: Sequence[tuple[Any, ...]],
    advance: Callable[[], None],
    n_jobs: int,
    names: Sequence[str],
) -> list[Result]:
    """Return ``function(*a)`` for each tuple of arguments, in their order; ``advance`` is called as they end.

    Raises
    ------
    ClusterError
        When no process can be started, or it cannot import what a block needs.
    WorkerLostError
        When the process of a block dies both times it is tried; raised after all other blocks are done.
    """
    work = _Work(function, arguments, [None] * len(arguments))
    with _pool() as pool:
        _compute(work, range(len(arguments)), pool, n_jobs, advance)
        # Where memory ran out, the process that was ended need not be the one that took it: each is tried by itself.
        suspects, work.died = sorted(work.died), {}
        _compute(work, suspects, pool, 1, advance)
    if work.failed:
        raise work.failed[min(work.failed)]
    if work.died:
        raise lost_blocks(sorted(work.died), names, work.results, ", ".join(sorted(set(work.died.values()))))
    return work.results


def _compute(work: _Work, numbers: Sequence[int], pool: _Pool, at_once: int, advance: Callable[[], None]) -> None:
    """Compute some blocks, begun in their order, each in a process for which a thread waits."""
    if not numbers:
        return
    threads = ThreadPoolExecutor(at_once, "xgamma-worker")
    asked = [threads.submit(work.compute, number, pool) for number in numbers]
    try:
        for done in as_completed(asked):
            if done.result():
                advance()
    except BaseException:
        work.is_interrupted = True
        # More than once, as a process may just be starting.
        while wait(asked, 0.1).not_done:
            pool.kill()
        raise
    finally:
        threads.shutdown()


# Processes


class _Worker:
    """A process that is given one block after another, started with the first."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, content: bytes) -> bytes:
        process = self._process = self._process or _started()
        questions, answers = process.stdin, process.stdout
        assert questions is not None
        assert answers is not None
        try:
            send(questions, content)
            return receive(answers)
        except (EOFError, OSError, ValueError):
            self.kill()
            raise _DiedError(_ending(process.wait())) from None

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            # What was to be sent is not any more.
            with contextlib.suppress(OSError), process:
                pass

    def dismiss(self) -> None:
        """Close the pipe of questions, on which the process ends."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def end(self) -> None:
        """Wait until a dismissed process has ended."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_CLOSING_SECONDS)
        self.kill()


def _started() -> subprocess.Popen[bytes]:
    warnings = [f"-W{each}" for each in sys.warnoptions]
    # No module of the folder it is started in is taken for one of the library. A terminal sends Ctrl-C to a group.
    command = [sys.executable, "-P", *warnings, "-c", _START]
    environment = {**os.environ, **_ONE_THREAD}
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, process_group=0
        )
    except OSError as error:
        raise ClusterError(
            f"general.n_jobs: no process can be started ({error}). Set a smaller number, or 1 for threads of this one."
        ) from None
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.write(f"{json.dumps(sys.path)}\n".encode())
    return process


def _ending(code: int) -> str:
    """Return how a process ended.

    >>> _ending(-9), _ending(1)
    ('by SIGKILL', 'with exit code 1')
    """
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


class _Pool:
    """Processes that are there, and those of them that have nothing to do."""

    def __init__(self) -> None:
        self._workers: list[_Worker] = []
        self._idle: list[_Worker] = []

    def ask(self, content: bytes) -> bytes:
        """Return the answer of a process to a block."""
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = _Worker()
            self._workers.append(worker)
        try:
            return worker.ask(content)
        finally:
            self._idle.append(worker)

    def kill(self) -> None:
        for worker in self._workers:
            worker.kill()

    def close(self) -> None:
        for worker in self._workers:
            worker.dismiss()
        for worker in self._workers:
            worker.end()


_SHARED: ContextVar[_Pool | None] = ContextVar("processes", default=None)


@contextmanager
def shared() -> Iterator[None]:
    """Let all calls of ``run_on_processes`` in the context use the same processes, which end with the outermost one."""
    with _pool() as pool:
        before = _SHARED.set(pool)
        try:
            yield
        finally:
            _SHARED.reset(before)


@contextmanager
def _pool() -> Iterator[_Pool]:
    shared = _SHARED.get()
    if shared is not None:
        yield shared
        return
    pool = _Pool()
    try:
        yield pool
    finally:
        pool.close()
