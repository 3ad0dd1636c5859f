"""A process that forks a writer for each line ``URL FIRST LAST`` that it reads, so that all import once.

It says ``ready``, then for each writer its process id and, when it is done, the attempts that stand. The id stays the
writer's until another line is read, which is answered with ``ended STATUS``.
"""

import os
import sys

import numpy as np
import xarray as xr

from xgamma.store import Store, digest


def key(number):
    return digest({"recipe": "test", "number": number})


def product(number):
    random = np.random.default_rng(number)
    events = xr.Dataset({"ra": ("event", random.random(20_000), {"units": "deg"}), "id": ("event", np.arange(20_000))})
    counts = xr.Dataset(
        {"counts": (("dataset", "energy"), random.random((2, 8))), "used": ("dataset", np.array([True, False]))},
        coords={"dataset": ["23523", "23526"], "energy": random.random(8)},
    )
    return {"": counts, "events": events}


def write(url, first, last):
    store = Store(url)
    return [
        store.put("dl4", key(number), product(number), {"command": "test"}).attempt for number in range(first, last)
    ]


def run(line):
    url, first, last = line.rsplit(maxsplit=2)
    write("memory://", 0, 1)  # the first write of a process starts threads, which takes longer than the writes
    print(os.getpid(), flush=True)
    print(*write(url, int(first), int(last)), flush=True)


if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(line)
            os._exit(0)
        sys.stdin.readline()
        print("ended", os.waitpid(child, 0)[1], flush=True)
