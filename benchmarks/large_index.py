"""Releases of many runs: how long their index takes to open, to check, to list and to begin with, and how much memory.

``python large_index.py [--runs 20000 200000] [--before SRC]``. Every run has an event list, good time and four
responses in a file of its own, a link to one of a few simulated runs, so that all files are there. Each stage is a
process of its own; seconds are those that the processor worked for it, from when everything is imported, and the peak
is that of the whole process. ``--before`` is the folder ``src`` of another build that is measured beside.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import report
from astropy.table import Table

from xgamma.cli.main import main as command
from xgamma.ingest import open_release
from xgamma.simulate import Plan, simulate

DISTINCT = 50
# Files of a folder, as archives have them.
PER_FOLDER = 10_000
NIGHT = 20
STAGES = ("open", "check", "ls", "ls --where", "init")
CONFIG = """
observations: {{datastore: {release}, required_irf: [aeff, edisp]}}
datasets:
    on_region: {{frame: icrs, lon: 83.63 deg, lat: 22.01 deg, radius: 0.11 deg}}
    containment_correction: false
"""


def make_release(folder: Path, runs: int) -> Path:
    """Return the folder of a release of simulated runs under many ids, some of each night."""
    made = simulate(Plan(runs=DISTINCT, compress=False), folder / "simulated").path
    place = folder / f"release-{runs}"
    place.mkdir()
    for name in ("hdu", "obs"):
        few = Table.read(made / f"{name}-index.fits.gz")
        each = len(few) // DISTINCT
        many = few[np.arange(runs * each) % len(few)]
        number = np.repeat(np.arange(runs), each)
        many["OBS_ID"] = number + 1
        if name == "hdu":
            many["FILE_DIR"] = [f"data/{one // PER_FOLDER:03d}" for one in number]
            many["FILE_NAME"] = [f"run_{one + 1:07d}.fits" for one in number]
        else:
            many["TSTART"], many["TSTOP"] = (many[side] + number // NIGHT * 86_400 for side in ("TSTART", "TSTOP"))
        many.write(place / f"{name}-index.fits.gz")
    _link(made, place, runs)
    return place


def _link(made: Path, place: Path, runs: int) -> None:
    sources = sorted((made / "data").iterdir())
    for number in range(runs):
        folder = place / "data" / f"{number // PER_FOLDER:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        os.link(sources[number % len(sources)], folder / f"run_{number + 1:07d}.fits")


def run_stage(stage: str, release: str) -> None:
    """Open a release in Python, or do with it what a verb of the command does."""
    if stage == "open":
        assert open_release(release).facts()
        return
    words = {
        "check": ["check", "analysis.yaml"],
        "ls": ["ls", release, "--runs"],
        "ls --where": ["ls", release, "--runs", "--where", "night < '2025-01-01'"],
        "init": ["init", release, "init.yaml", "--overwrite"],
    }
    with contextlib.suppress(SystemExit):
        command(words[stage])


def measured(stage: str, release: Path, sources: Path) -> dict[str, float]:
    """Run a stage in a process of its own."""
    return report.run(report.OURS, sys.executable, Path(__file__).name, "--stage", stage, release, sources=sources)[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--before", type=Path, help="the sources of another build")
    parser.add_argument("--stage", nargs=2, metavar=("STAGE", "RELEASE"), help="what one process does")
    options = parser.parse_args()
    if options.stage:
        stage, release = options.stage
        start = time.process_time()
        with (
            tempfile.TemporaryDirectory() as folder,
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.chdir(folder),
        ):
            Path("analysis.yaml").write_text(CONFIG.format(release=release), encoding="utf-8")
            run_stage(stage, release)
        print(json.dumps({"seconds": time.process_time() - start, "peak": report.peak_memory()}))
        return
    builds = [report.REPOSITORY / "src", *([options.before] if options.before else [])]
    rows = []
    for runs in options.runs:
        with tempfile.TemporaryDirectory() as folder:
            release = make_release(Path(folder), runs)
            for stage in STAGES:
                found = [measured(stage, release, sources) for sources in builds]
                each = [text for one in found for text in (report.shown(one["seconds"]), f"{one['peak']:.0f} MB")]
                rows.append([stage, f"{runs:,}", *each])
    head = ["seconds of the processor", "runs", "now", "peak", *(["before", "peak"] if options.before else [])]
    print(report.table(head, rows))
    print(report.machine())


if __name__ == "__main__":
    main()
