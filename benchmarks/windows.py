"""Reduce windows of the sky into a store and stack them from it: ``python windows.py FOLDER RUNS PIXELS ENERGIES``.

The last three are 125, 200 and 40 where they are left out. Prints one line of JSON. The process does nothing else, so
that its peak memory is that of the two steps; the runs are simulated by another one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from report import peak_memory

from xgamma.axes import Axis
from xgamma.events import Part, Rows
from xgamma.execute import THIS_PROCESS
from xgamma.formats.gadf.index import read_index
from xgamma.grid import Grid, SkySpace
from xgamma.ingest.part import part_of, read_runs
from xgamma.reduce import PRODUCT_BYTES, Recipe, reduce_each, row_bytes, rows_within
from xgamma.reduce.stacks import row_facts, stacks
from xgamma.reduce.sums import leaf_sums, leaves_of, summed
from xgamma.store import Store, digest


def recipe_of(pixels: int, energies: int) -> Recipe:
    """Return windows of a square image with as many bins of true energy as of energy."""
    axes = (Axis.from_bounds(name, 0.1, 100.0, energies) for name in ("energy", "energy_true"))
    return Recipe(Grid(*axes, SkySpace(83.633, 22.014, "icrs", 0.02, (pixels, pixels))), containment=False)


def simulated(folder: Path, runs: int) -> Part:
    """Return the runs of a release in a folder, which is made where it is not there."""
    if not folder.exists():
        code = (
            f"from xgamma.simulate import Plan, simulate; simulate(Plan(runs={runs}, duration=60.0), {str(folder)!r})"
        )
        subprocess.run([sys.executable, "-c", code], check=True)
    found, failures = read_runs(read_index(folder).runs.values(), lambda: None)
    assert failures == []
    return part_of(found, folder.name)


def reduced(part: Part, recipe: Recipe, store: Store) -> list[str]:
    """Put all windows into a store, and return the keys of the products."""
    number = part.obs.sizes["obs"]
    everything = np.full(number, np.inf)
    rows = Rows(np.arange(number), -everything, everything, tuple(map(str, range(number))))
    keys, length = [], rows_within(PRODUCT_BYTES, recipe)
    for first in range(0, number, length):
        block = rows[first : first + length]
        found = reduce_each(part, block, recipe, THIS_PROCESS)
        assert found.data is not None
        texts = {"recipe": digest(recipe.document()), "rows": list(block.names)}
        keys.append(store.put("rows", digest([first, texts]), {"": found.data}, {"recipe": {}}, texts=texts).key)
    return keys


def main() -> None:
    folder = Path(sys.argv[1])
    runs, pixels, energies = (int(given) for given in (*sys.argv[2:], *("125", "200", "40")[len(sys.argv) - 2 :]))
    recipe, imports = recipe_of(pixels, energies), peak_memory()
    part, store = simulated(folder / f"windows-{runs}", runs), Store(folder / "store")
    start = time.perf_counter()
    keys = reduced(part, recipe, store)
    middle, peak = time.perf_counter(), peak_memory()
    leaves = leaves_of(np.zeros(part.obs.sizes["obs"], dtype=np.int64))
    sums = summed([leaf_sums((store.get("rows", key) for key in keys), leaves.leaf)], leaves.group, 1)
    first = store.get("rows", keys[0])
    image = stacks(sums, np.zeros(first.sizes["dataset"], dtype=np.int64), row_facts(first), ["stacked"], first)
    result = {"runs": runs, "row": row_bytes(recipe.grid) / 1e6, "imports": imports}
    result |= {"reduced": middle - start, "reduced_peak": peak, "stacked": time.perf_counter() - middle}
    print(json.dumps(result | {"peak": peak_memory(), "counts": float(image["counts"].sum())}))


if __name__ == "__main__":
    main()
