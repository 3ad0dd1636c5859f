"""The memory of this process: how much it is, and giving back what only malloc keeps."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

# MB that a process may grow by before it gives back.
KEPT = 64


def resident() -> float:
    """Return the memory of this process in MB; 0 where the system does not say it."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


class _Counts(ctypes.Structure):
    """The struct mallinfo2 of glibc."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def held() -> float | None:
    """Return how many MB of malloc are in use, arrays among them; ``None`` where malloc does not say it."""
    count = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if count is None:
        return None
    count.restype = _Counts
    counts = count()
    return float(counts.uordblks + counts.hblkhd) / 1e6


class Heap:
    """What malloc holds; that of glibc asks for ever larger arrays beside its heap, and keeps what they leave free."""

    def __init__(self) -> None:
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        self._least = resident()

    def give_back(self) -> None:
        """Give free memory back to the system, when the process has grown since the last time."""
        if self._trim is not None and resident() > self._least + KEPT:
            gc.collect()
            self._trim(0)
            self._least = resident()
