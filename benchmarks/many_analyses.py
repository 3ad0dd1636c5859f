"""Many analyses in one process: whether threads, open files and memory grow with their number.

``python many_analyses.py [--analyses 200] [--before SRC]``. Each analysis looks ahead as ``check`` does, with a store
in memory, selects, reduces and stacks two simulated runs into a store of its own on a disk, fits the stack, and makes
flux points.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import report

from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.analysis.preview import preview
from xgamma.modeling.models import Models
from xgamma.simulate import Plan, simulate

CONFIG = report.REPOSITORY / "examples" / "demo.yaml"


def analyse(config: AnalysisConfig) -> None:
    preview(config)
    analysis = Analysis(config)
    analysis.get_observations()
    analysis.get_datasets()
    analysis.set_models(Models.from_dict(config.models))
    analysis.run_fit()
    analysis.get_flux_points()


def state() -> dict[str, float]:
    """Return the threads of this process, its open files and its memory in MB."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    files = len(list(Path("/proc/self/fd").iterdir()))
    return {"threads": int(lines["Threads"]), "files": files, "memory": int(lines["VmRSS"].split()[0]) / 1024}


def analyse_many(count: int) -> None:
    found = []
    with tempfile.TemporaryDirectory() as folder:
        release = simulate(Plan(runs=2, compress=False), Path(folder) / "release").path
        start = time.process_time()
        for number in range(1, count + 1):
            config = AnalysisConfig.read(CONFIG)
            config.observations.datastore = str(release)
            config.general.outdir = str(Path(folder) / str(number))
            config.general.log.level = "error"
            analyse(config)
            if number in (1, 10, count):
                found.append({"analyses": number, **state()})
        print(json.dumps({"found": found, "seconds": (time.process_time() - start) / count}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--analyses", type=int, default=200)
    parser.add_argument("--before", type=Path, help="the sources of another build")
    parser.add_argument("--run", action="store_true", help="what one process does")
    options = parser.parse_args()
    if options.run:
        analyse_many(options.analyses)
        return
    builds = {"now": report.REPOSITORY / "src", **({"before": options.before} if options.before else {})}
    arguments = (Path(__file__).name, "--run", "--analyses", options.analyses)
    rows = []
    for build, sources in builds.items():
        result = report.run(report.OURS, sys.executable, *arguments, sources=sources)[1]
        rows += [
            [build, f"{one['analyses']}", f"{one['threads']}", f"{one['files']}", f"{one['memory']:.0f} MB"]
            for one in result["found"]
        ]
    print(report.table(["build", "analyses", "threads", "open files", "memory"], rows))


if __name__ == "__main__":
    main()
