"""Blocks as dask tasks on the threads of this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import dask
import dask.threaded
from dask.delayed import delayed
from threadpoolctl import threadpool_limits

Result = TypeVar("Result")


def run_on_threads(
    function: Callable[..., Result], arguments: Sequence[tuple[Any, ...]], advance: Callable[[], None]
) -> list[Result]:
    """Return ``function(*a)`` for each tuple of arguments, in their order; ``advance`` is called after each."""

    def block(*given: Any) -> Result:
        result = function(*given)
        advance()
        return result

    with threadpool_limits(limits=1):
        # dask takes them by their names, the last first: neighbours, which read the same product, after each other.
        tasks = [
            delayed(block, pure=False, traverse=False)(*given, dask_key_name=f"block-{number:09}")
            for number, given in enumerate(arguments)
        ]
        # The function and not its name, for which dask would import distributed to ask whether there is a cluster.
        return list(dask.compute(*tasks, scheduler=dask.threaded.get, traverse=False))
