"""Reduce simulated runs from a store: ``python from_store.py STORE BLOCK``. Prints one line of JSON.

The process does nothing else, so that its peak memory is that of the reduction.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from report import peak_memory

from xgamma.axes import Axis
from xgamma.events import Part, Rows
from xgamma.grid import Circle, Grid, RegionSpace
from xgamma.ingest import StoredRelease
from xgamma.ingest.stored import StoredGroups
from xgamma.reduce import Recipe, method, reduce_block
from xgamma.store import Store

RECIPE = Recipe(
    Grid(
        Axis.from_bounds("energy", 0.5, 30.0, 20),
        Axis.from_bounds("energy_true", 0.1, 50.0, 40),
        RegionSpace((Circle(83.633, 22.014, 0.11),)),
    ),
    background=method("background", "reflected"),
    safe_masks=(method("safe mask", "aeff-default"), method("safe mask", "aeff-max")),
)


def main() -> None:
    store, block = Store(sys.argv[1]), int(sys.argv[2])
    baseline = peak_memory()
    release = StoredRelease(store)
    obs_ids = list(release.facts())
    held = release.load(obs_ids, store)
    runs, events, counts = 0, 0, 0.0
    start = time.perf_counter()
    for key, part in held.parts.items():
        number = part.obs.sizes["obs"]
        for first in range(0, number, block):
            obs = np.arange(first, min(first + block, number))
            everything = np.full(len(obs), np.inf)
            rows = Rows(obs, -everything, everything, tuple(str(one) for one in obs))
            # A part of its own for each block, as in a task: nothing that one block read is there for the next.
            reduced = reduce_block(Part(StoredGroups(store, store.record("dl3", key))), rows, RECIPE)
            counts += float(reduced["counts"].sum())
            runs, events = runs + len(obs), events + int(part.column("event_size", obs).sum())
    seconds = time.perf_counter() - start
    result = {"runs": runs, "events": events, "counts": counts, "seconds": seconds}
    result |= {"peak": peak_memory(), "imports": baseline}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
