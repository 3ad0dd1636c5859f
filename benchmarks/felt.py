"""What one feels of the command: seconds of the processor and memory of fresh processes, beside another build.

``python felt.py FOLDER CONFIG --before SRC``. CONFIG is run once by each build into FOLDER; a store of many products is
made of that store, by hard links under other keys. Each verb is called in processes of its own, alternately; medians
are printed.
"""

from __future__ import annotations

import argparse
import compileall
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parents[1] / "src"
CALL = "from xgamma.cli import main; main()"
KINDS = ("rows", "stack", "fit", "flux-points", "picture")


def called(source: Path, words: Sequence[str]) -> tuple[float, float]:
    """Return the seconds of the processor and the peak of memory, MB, of one command."""
    environment = {**os.environ, "PYTHONPATH": str(source), "MPLBACKEND": "Agg"}
    process = subprocess.Popen(
        [sys.executable, "-c", CALL, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    _, code, usage = os.wait4(process.pid, 0)
    if code:
        raise SystemExit(f"xgamma {' '.join(words)} of {source} ended with {os.waitstatus_to_exitcode(code)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def configured(folder: Path, config: Path, name: str, store: Path) -> Path:
    """Write the configuration of one build, with an outdir and a store of its own."""
    document = yaml.safe_load(config.read_text())
    document.setdefault("general", {}).update(outdir=str(folder / f"{name}-out"), store=str(store))
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def multiplied(store: Path, target: Path, products: int) -> None:
    """Make a store of many products of a small one; what is in the products is the same file."""
    shutil.copytree(store, target)
    made, kinds = sum(1 for _ in target.glob("*/*/record.json")), [kind for kind in KINDS if (store / kind).is_dir()]
    for number in range(made, products):
        kind = kinds[number % len(kinds)]
        original = min((store / kind).iterdir())
        record = json.loads((original / "record.json").read_bytes())
        record["key"] = hashlib.sha256(f"{number}".encode()).hexdigest()[:32]
        copy = target / kind / record["key"]
        shutil.copytree(original / record["attempt"], copy / record["attempt"], copy_function=os.link)
        (copy / "record.json").write_text(json.dumps(record, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("config", type=Path)
    parser.add_argument("--before", type=Path, required=True, help="The folder src of another build.")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--products", type=int, default=5000)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    builds = {"before": given.before.resolve(), "now": HERE}
    verbs: dict[str, dict[str, list[str]]] = {}
    for name, source in builds.items():
        # As installed: with PYTHONDONTWRITEBYTECODE each process would compile all that it loads.
        compileall.compile_dir(source, quiet=1)
        store, many = given.folder.resolve() / name, given.folder.resolve() / f"{name}-many"
        config = configured(given.folder.resolve(), given.config, name, store)
        if not store.exists():
            called(source, ["run", str(config)])
            multiplied(store, many, given.products)
        of_many = configured(given.folder.resolve(), given.config, f"{name}-of-many", many)
        verbs[name] = {
            "--help": ["--help"],
            "ls": ["ls", str(store)],
            "show": ["show", str(store), f"fit/{next((store / 'fit').iterdir()).name}"],
            "tag": ["tag", str(store)],
            "plan": ["plan", str(config)],
            "run, everything stored": ["run", str(config)],
            f"ls of {given.products:,}": ["ls", str(many)],
            f"gc of {given.products:,}": ["gc", str(many)],
            f"plan of {given.products:,}": ["plan", str(of_many)],
        }
    print("| CPU of a process, medians | before | now | ratio | peak memory |\n|---|---|---|---|---|")
    for verb in verbs["now"]:
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in builds}
        for _ in range(given.repeats):
            for name, source in builds.items():
                found[name].append(called(source, verbs[name][verb]))
        cpu = {name: statistics.median(seconds for seconds, _ in each) for name, each in found.items()}
        peak = {name: max(memory for _, memory in each) for name, each in found.items()}
        print(
            f"| `{verb}` | {cpu['before']:.2f} s | {cpu['now']:.2f} s | {cpu['before'] / cpu['now']:.1f}x "
            f"| {peak['before']:.0f} MB, {peak['now']:.0f} MB |",
            flush=True,
        )


if __name__ == "__main__":
    main()
