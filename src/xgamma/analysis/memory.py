"""What a step takes, how much of a stack is in memory at a time, and which plans are refused for want of memory."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xgamma.config.section_fields import memory_bytes
from xgamma.errors import MemoryLimitError

# A thousand rows or two, of those read or written last; reading them again costs a millisecond for each array.
KEPT_BYTES = 16_000_000
# Four leaves of a stack: a few megabytes, and more work than a task costs.
BLOCK_ROWS = 256
# The sums of leaves are made and added in batches of so many bytes.
SUMS_BYTES = 64_000_000
CONTROL_GROUP = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Cost:
    """What a step takes.

    Parameters
    ----------
    tasks
        Blocks of it.
    nbytes_in, nbytes_out
        What it reads and writes, uncompressed; of files their size.
    peak
        The peak of memory of all processes of this machine, with their imports.
    """

    tasks: int = 0
    nbytes_in: int = 0
    nbytes_out: int = 0
    peak: int = 0


def machine_bytes() -> int:
    """Return the memory of this machine, or what a control group allows of it; very large where nobody says."""
    found = [sys.maxsize]
    with contextlib.suppress(OSError, ValueError, AttributeError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(OSError, ValueError):
        found.append(int(CONTROL_GROUP.read_text()))
    return min(found)


def validate_room(peaks: Sequence[tuple[str, int]], advice: str) -> None:
    """Raise ``MemoryLimitError`` where a step would need more memory than this machine has.

    Parameters
    ----------
    peaks, advice
        As for ``validate_memory``.
    """
    step, peak = max(peaks, key=lambda each: each[1], default=("", 0))
    if peak > machine_bytes():
        raise MemoryLimitError(
            f"datasets.geom: {step} would need about {peak / 1e9:.2g} GB of memory at its peak, and this machine has "
            f"{machine_bytes() / 1e9:.2g} GB. {advice}"
        )


def validate_memory(limit: str | None, peaks: Sequence[tuple[str, int]], advice: str) -> None:
    """Raise ``MemoryLimitError`` where a step would need more memory than ``general.memory_limit``.

    Parameters
    ----------
    limit
        Such as ``4 GB``; ``None`` is none.
    peaks
        The projected peak of each step, in bytes.
    advice
        What to change.
    """
    if limit is None or not peaks:
        return
    step, peak = max(peaks, key=lambda each: each[1])
    if peak > memory_bytes(limit):
        raise MemoryLimitError(
            f"general.memory_limit: {step} would need about {peak / 1e9:.2g} GB at its peak, and the limit is {limit}. "
            f"{advice}"
        )
