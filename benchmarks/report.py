"""What both benchmarks share: running the two packages in turns, medians, ratios, a plain table."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
OURS, PEER = "xgamma", "gammapy"
BESIDE = REPOSITORY.parent / "shared" / "data"


def options(description: str) -> argparse.Namespace:
    """Read the command line of a benchmark."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--peer", help="a Python with Gammapy installed")
    parser.add_argument("--repeats", type=int, default=3, help="fresh processes of each package (median)")
    return parser.parse_args()


def pythons(peer: str | None) -> dict[str, str]:
    """Return the interpreter of each package to measure."""
    return {OURS: sys.executable} | ({PEER: peer} if peer else {})


def environment() -> dict[str, str]:
    """Return the environment of the measured processes: one thread, no screen, compiled modules kept."""
    values = {key: value for key, value in os.environ.items() if key not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")}
    data = values.get("GAMMAPY_DATA", str(BESIDE))
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**values, **one_thread, "GAMMAPY_DATA": data, "MPLBACKEND": "Agg"}


def has_data() -> bool:
    """Whether there are real runs to measure with."""
    return (Path(environment()["GAMMAPY_DATA"]) / "hess-dl3-dr1").is_dir()


def run(
    package: str, python: str, script: str, *arguments: object, sources: Path = REPOSITORY / "src"
) -> tuple[float, dict[str, Any]]:
    """Return the wall-clock seconds of a process and the JSON in the last line that it prints."""
    values = environment()
    if package != PEER:
        values["PYTHONPATH"] = str(sources)
    command = [python, str(Path(__file__).with_name(script)), *map(str, arguments)]
    start = time.perf_counter()
    done = subprocess.run(command, env=values, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return seconds, json.loads(done.stdout.splitlines()[-1])


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def shown(seconds: float | None) -> str:
    """Return seconds in the unit that suits them."""
    if seconds is None:
        return "-"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of text, which is Markdown as well."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    line = "|".join("-" * (width + 2) for width in widths)
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    return "\n".join([f"| {lines[0]} |", f"|{line}|", *(f"| {text} |" for text in lines[1:])])


def compared(name: str, ours: float | None, peer: float | None) -> list[str]:
    """Return a row: what, ours, the peer's, how many times faster."""
    ratio = f"{peer / ours:.1f}x" if ours and peer else "-"
    return [name, shown(ours), shown(peer), ratio]


def peak_memory() -> float:
    """Return the peak of the resident memory in MB; ``getrusage`` would count the process that started this one."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def machine() -> str:
    """Return the line that says where the numbers are from."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
