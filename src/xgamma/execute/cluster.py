"""Blocks as tasks of a dask cluster, local or anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from xgamma.errors import ConfigError

try:
    import distributed
except ImportError as error:
    raise ConfigError(
        "general.n_jobs above 1 and general.scheduler need dask.distributed; install it: pip install 'xgamma[cluster]'."
    ) from error

Result = TypeVar("Result")


def run(
    function: Callable[..., Result],
    arguments: Sequence[tuple[Any, ...]],
    advance: Callable[[], None],
    n_jobs: int,
    scheduler: str | None,
) -> list[Result]:
    """Return ``function(*a)`` for each tuple of arguments, in their order; ``advance`` is called as they end."""
    with _client(n_jobs, scheduler) as client:
        futures = [client.submit(_limited, function, block, pure=False) for block in arguments]
        for _ in distributed.as_completed(futures):
            advance()
        return list(client.gather(futures))


def _limited(function: Callable[..., Result], block: tuple[Any, ...]) -> Result:
    with threadpool_limits(limits=1):
        return function(*block)


@contextmanager
def _client(n_jobs: int, scheduler: str | None) -> Iterator[Any]:
    if scheduler is not None:
        with distributed.Client(scheduler) as client:
            yield client
        return
    with (
        distributed.LocalCluster(n_workers=n_jobs, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client
