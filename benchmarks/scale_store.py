"""A large store for ``scale.py``: a few simulated runs, ingested again and again under other ids, on other nights.

``python scale_store.py STORE RUNS DISTINCT RATE RUNS_PER_PART``. A part is what ingest puts into a store; only the runs
in it are copies of each other, with observation ids and times of their own. Prints one line of JSON.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from xgamma.formats.gadf.index import read_index
from xgamma.formats.gadf.run import Run, read_run
from xgamma.ingest.part import part_of
from xgamma.ingest.stored import part_chunks
from xgamma.schema import Kind
from xgamma.simulate import AnalyticResponse, Plan, simulate
from xgamma.store import Store, digest
from xgamma.times import SECONDS_PER_DAY


def simulated(folder: Path, distinct: int, rate: float) -> list[Run]:
    """Return simulated runs, each with a pointing and responses of its own; ``rate`` is events per second."""
    angles = tuple(np.linspace(0, 360, distinct, endpoint=False).tolist())
    efficiencies = tuple(np.linspace(0.8, 1.2, distinct).tolist())
    plan = Plan(
        runs=distinct,
        wobble_angles=angles,
        efficiencies=efficiencies,
        compress=False,
        response=AnalyticResponse(background_rate=rate),
    )
    index = read_index(simulate(plan, folder).path)
    return [read_run(entry) for entry in index.runs.values()]


def copied(run: Run, number: int, days: int) -> Run:
    """Return a run under another id, some days later."""
    shift = days * SECONDS_PER_DAY
    events = {**run.events, "time": run.events["time"] + shift}
    entry = dataclasses.replace(run.entry, obs_id=number)
    return dataclasses.replace(run, entry=entry, events=events, gti=run.gti + shift)


def main() -> None:
    store, (runs, distinct, per_part) = Store(sys.argv[1]), (int(sys.argv[at]) for at in (2, 3, 5))
    with tempfile.TemporaryDirectory() as folder:
        originals = simulated(Path(folder) / "release", distinct, float(sys.argv[4]))
    events, start = 0, time.perf_counter()
    for first in range(0, runs, per_part):
        numbers = range(first, min(first + per_part, runs))
        part = part_of([copied(originals[n % distinct], n + 1, n // distinct) for n in numbers], "scale")
        texts = {"release": "scale", "runs": [{"obs_id": n + 1, "run_key": digest(["copy", n])} for n in numbers]}
        store.put(Kind.DL3, digest(["scale", first]), part.groups, {}, texts=texts, encoding=part_chunks(part))
        events += part.events.sizes["event"]
    print(json.dumps({"runs": runs, "events": events, "seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
