"""Blocks as tasks of a dask cluster, within bounded time.

A scheduler that does not answer or goes away, workers that are missing or have other software, and a block whose
workers die: each ends in one sentence. dask's own words about them stay in the log of its processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from xgamma.errors import ClusterError, ConfigError
from xgamma.execute.travel import lacking_module, lost_blocks, packed, unpacked
from xgamma.warned import arrived

try:
    import distributed
    from distributed.comm import CommClosedError, connect, get_address_host_port
    from distributed.scheduler import KilledWorker
except ImportError as error:
    raise ConfigError(
        "general.scheduler needs dask.distributed; install it: pip install 'xgamma[cluster]'. "
        "For processes of this machine general.n_jobs is enough."
    ) from error

log = logging.getLogger(__name__)

Result = TypeVar("Result")

CONNECT_SECONDS = 10.0
"""How long a scheduler may take to answer, and to be found again when its connection was lost."""
WORKERLESS_SECONDS = 60.0
"""How long blocks may wait while the cluster has no worker."""
_LOOK_SECONDS = 2.0
_LOGS = ("distributed", "distributed.client", "tornado.application", "asyncio")
# What has to be the same for a function and its results to travel.
_SAME = ("python", "dask", "distributed", "xgamma")


@dataclass
class _Work:
    """The blocks of one call: those that are pending, and what became of the others."""

    submit: Callable[[int], Any]
    scheduler: str
    advance: Callable[[], None]
    results: list[Any]
    pending: dict[Any, int] = field(default_factory=dict)
    killed: list[int] = field(default_factory=list)
    failed: dict[int, BaseException] = field(default_factory=dict)


def run_on_cluster(
    function: Callable[..., Result],
    arguments: Sequence[tuple[Any, ...]],
    advance: Callable[[], None],
    scheduler: str,
    names: Sequence[str],
) -> list[Result]:
    """Return ``function(*a)`` for each tuple of arguments, in their order; ``advance`` is called as they end.

    Raises
    ------
    ClusterError
        When the scheduler does not answer, has no workers or other software, or goes away.
    WorkerLostError
        When the workers of a block die each time it is tried; raised after all other blocks are done.
    """
    with _quiet(), _client(scheduler) as client:

        def submit(number: int) -> Any:
            return client.submit(_limited, packed((function, arguments[number])), pure=False)

        work = _Work(submit, scheduler, advance, [None] * len(arguments))
        _wait(client, work, range(len(arguments)))
        # Tasks that lay on a worker beside the one that killed it count as killed too: each is tried by itself.
        suspects, work.killed = sorted(work.killed), []
        for number in suspects:
            _wait(client, work, [number])
        return _ended(work, names)


def workers_there(scheduler: str, *, is_patient: bool) -> int:
    """Return how many workers a cluster has now; those it has are found to be able to run a block.

    Parameters
    ----------
    scheduler
        Its address.
    is_patient
        Whether a scheduler that is just being started is waited for.

    Raises
    ------
    ConfigError, ClusterError
        For what ``run_on_cluster`` would raise before its first block, but that no worker is there.
    """
    with _quiet(), _opened(scheduler, is_patient=is_patient) as client:
        try:
            there = len(client.scheduler_info(n_workers=-1)["workers"])
        except (OSError, TimeoutError):
            raise _gone_early(scheduler) from None
        if there:
            _validate_software(client, scheduler)
        return there


def _limited(content: bytes) -> Any:
    # Unpacked here and not by the worker, which would end on a module that it does not have.
    function, block = unpacked(content)
    with threadpool_limits(limits=1):
        return function(*block)


def _wait(client: Any, work: _Work, numbers: Sequence[int]) -> None:
    """Submit blocks and wait until each is done, failed or killed."""
    work.pending = {work.submit(number): number for number in numbers}
    alone_since: float | None = None
    while work.pending:
        try:
            done = distributed.wait(list(work.pending), _LOOK_SECONDS, "FIRST_COMPLETED").done
        except TimeoutError:
            alone_since = _validate_alive(client, work, alone_since)
        except CancelledError:
            raise _gone(work) from None
        else:
            alone_since = None
            for future in done:
                _take(future, work)


def _take(future: Any, work: _Work) -> None:
    """Note what became of one block."""
    number = work.pending.pop(future)
    try:
        work.results[number] = arrived(future.result())
    except KilledWorker:
        work.killed.append(number)
        return
    except (CancelledError, CommClosedError):
        # A result that is on its way when the scheduler goes does not arrive.
        raise _gone(work) from None
    except ImportError as error:
        work.failed[number] = ClusterError(lacking_module(error, f"A worker of {work.scheduler}"))
    except Exception as error:  # a block's own error is raised when the others are done
        work.failed[number] = error
    work.advance()


def _validate_alive(client: Any, work: _Work, alone_since: float | None) -> float | None:
    """Return since when there has been no worker, ``None`` if there is one; raises ``ClusterError`` after a while."""
    if client.status != "running":
        raise _gone(work)
    try:
        workers = client.scheduler_info(n_workers=-1)["workers"]
    except (OSError, TimeoutError):
        raise _gone(work) from None
    if workers:
        return None
    since = time.monotonic() if alone_since is None else alone_since
    if time.monotonic() - since > WORKERLESS_SECONDS:
        raise _no_workers(work.scheduler)
    return since


def _gone(work: _Work) -> ClusterError:
    total = len(work.results)
    done = total - sum(result is None for result in work.results)
    return ClusterError(
        f"The scheduler at {work.scheduler} went away after {done} of {total} blocks. "
        "Start it again and repeat the command, or set general.n_jobs in its place; what is in the store stays."
    )


def _no_workers(scheduler: str) -> ClusterError:
    return ClusterError(
        f"The scheduler at {scheduler} has had no worker for {WORKERLESS_SECONDS:.0f} s. "
        f"Start one (dask worker {scheduler}) with the same software as here and repeat the command; if there was one, "
        "its log says why it ended. What is in the store stays."
    )


def _ended(work: _Work, names: Sequence[str]) -> list[Any]:
    """Return the results; raises what a block raised, or names the blocks whose workers died."""
    if work.failed:
        raise work.failed[min(work.failed)]
    if work.killed:
        raise lost_blocks(sorted(work.killed), names, work.results)
    return work.results


# Clusters


@dataclass
class _Shared:
    """The client of a cluster that several calls use, once one of them has started it."""

    opened: contextlib.ExitStack
    client: Any = None


_SHARED: ContextVar[_Shared | None] = ContextVar("shared", default=None)


@contextmanager
def shared() -> Iterator[None]:
    """Let all calls of ``run`` in the context use one cluster; it is closed at the end of the outermost one."""
    if _SHARED.get() is not None:
        yield
        return
    with contextlib.ExitStack() as opened:
        before = _SHARED.set(_Shared(opened))
        try:
            yield
        finally:
            _SHARED.reset(before)


@contextmanager
def _client(scheduler: str) -> Iterator[Any]:
    shared = _SHARED.get()
    if shared is None:
        with _connected(scheduler) as client:
            yield client
        return
    if shared.client is None:
        shared.client = shared.opened.enter_context(_connected(scheduler))
    yield shared.client


@contextmanager
def _connected(scheduler: str) -> Iterator[Any]:
    """Connect to a cluster that can run blocks; one without a worker has a while to get one."""
    with _opened(scheduler) as client:
        _validate_software(client, scheduler)
        yield client


@contextmanager
def _opened(scheduler: str, *, is_patient: bool = True) -> Iterator[Any]:
    try:
        # Beforehand, as a Client that met something else than a scheduler cannot be closed.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _greet(scheduler, is_patient)).result()
        client = distributed.Client(scheduler, timeout=CONNECT_SECONDS)
    except ValueError as error:
        raise ConfigError(f"general.scheduler: {scheduler!r} is no address: {error}. Write tcp://HOST:PORT.") from None
    except Exception:  # a server of something else may answer anything
        raise ClusterError(
            f"general.scheduler: no dask scheduler answers at {scheduler}. "
            "Start it (dask scheduler) or correct the address."
        ) from None
    try:
        yield client
    finally:
        # A scheduler that went away does not answer a farewell.
        with contextlib.suppress(TimeoutError):
            client.close(timeout=CONNECT_SECONDS)


async def _greet(scheduler: str, is_patient: bool) -> None:
    """Meet a scheduler; one that is just being started is waited for by those who are patient."""
    if not is_patient:
        # dask tries again where a connection is refused.
        opened = asyncio.open_connection(*get_address_host_port(scheduler))
        _, there = await asyncio.wait_for(opened, CONNECT_SECONDS)
        there.close()
    comm = await connect(scheduler, timeout=CONNECT_SECONDS)
    await comm.close()


def _validate_software(client: Any, scheduler: str) -> None:
    """Raise ``ClusterError`` where the cluster could not run a block, or has nobody to run it."""
    own, others = _software(client, scheduler)
    for who, theirs in others.items():
        wrong = [name for name in _SAME if theirs[name] != own[name]]
        if wrong:
            what = ", ".join(f"{name} {theirs[name] or 'is missing'} (here {own[name]})" for name in wrong)
            raise ClusterError(
                f"The cluster at {scheduler} has other software than this process: on {who} {what}. "
                "Install the same there, pip install 'xgamma[cluster]', and start it again."
            )


def _software(client: Any, scheduler: str) -> tuple[dict[str, str | None], dict[str, dict[str, str | None]]]:
    """Return the versions of what has to be the same: here, and on the scheduler and each worker."""
    # As wait_for_workers and get_versions do, in bounded time: of a scheduler that is gone no answer comes.
    try:
        bound = WORKERLESS_SECONDS + CONNECT_SECONDS
        client.sync(client._wait_for_workers, 1, timeout=WORKERLESS_SECONDS, callback_timeout=bound)
    except TimeoutError:
        raise _no_workers(scheduler) from None
    except (Exception, CancelledError):
        raise _gone_early(scheduler) from None
    try:
        found = client.sync(client._get_versions, packages=["xgamma"], callback_timeout=CONNECT_SECONDS)
        others = {"its scheduler": found["scheduler"], **{f"its worker {k}": v for k, v in found["workers"].items()}}
        return _versions(found["client"]), {who: _versions(versions) for who, versions in others.items()}
    except (Exception, CancelledError):
        raise _gone_early(scheduler) from None


def _gone_early(scheduler: str) -> ClusterError:
    return ClusterError(
        f"The scheduler at {scheduler} went away while it was asked for its software. "
        "Start it again and repeat the command, or set general.n_jobs in its place; what is in the store stays."
    )


def _versions(document: dict[str, Any]) -> dict[str, str | None]:
    packages = document["packages"]
    python = ".".join(map(str, document["host"]["python"].split(".")[:2]))
    return {name: python if name == "python" else packages.get(name) for name in _SAME}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what dask logs about lost connections, tracebacks among it, from a user who gets a sentence.

    After an error it stays so: the threads of dask go on complaining for a while.
    """
    logs = [logging.getLogger(name) for name in _LOGS]
    before = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL)
    yield
    for log, level in zip(logs, before, strict=True):
        log.setLevel(level)
