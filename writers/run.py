"""Make a release with each writer, in an environment of its own, and run it through xgamma: ``make releases``.

Every script beside this one says in its first lines which packages it needs and which simulated release it writes anew.
The numbers of that release are the right ones. Printed is a table; the exit code is 1 where a number is not right.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.errors import XgammaError
from xgamma.modeling.models import Models
from xgamma.simulate import AnalyticResponse, Plan, Source, power_law, simulate

HERE = Path(__file__).parent
_METADATA = re.compile(r"^# /// script\n(?P<text>(?:#.*\n)+?)# ///$", re.MULTILINE)
BRIGHT = Source(spectral=power_law(amplitude=2e-10))
COMMON = {"runs": 4, "duration": 300.0, "compress": False, "source": BRIGHT}
PLANS = {
    "full": Plan(name="full", response=AnalyticResponse(energy_bins=24, background="bkg_2d"), **COMMON),
    "point-like": Plan(name="point-like", response=AnalyticResponse(energy_bins=24, enclosure="point-like"), **COMMON),
}
CONFIG = """
general: {{store: {store}}}
observations: {{datastore: {release}, required_irf: {irfs}}}
datasets:
  type: 1d
  stack: false
  geom:
    axes:
      energy: {{min: 0.5 TeV, max: 30 TeV, nbins: 8}}
      energy_true: {{min: 0.2 TeV, max: 60 TeV, nbins: 14}}
  on_region: {{frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 0.11 deg}}
  containment_correction: {corrected}
  safe_mask: {{methods: [aeff-max], parameters: {{aeff_percent: 10}}}}
  background: {{method: reflected}}
"""
MODEL = """
components:
- name: crab
  type: SkyModel
  spectral:
    type: PowerLawSpectralModel
    parameters:
    - {name: index, value: 2.4}
    - {name: amplitude, value: 1.0e-10, unit: cm-2 s-1 TeV-1}
    - {name: reference, value: 1.0, unit: TeV, frozen: true}
"""


@dataclass(frozen=True)
class Numbers:
    """Counts, off counts and exposure of all runs, and the fitted amplitude."""

    runs: int
    counts: Any
    counts_off: Any
    exposure: Any
    amplitude: float


def metadata(script: Path) -> dict[str, Any]:
    """Return what the first lines of a script say, see PEP 723."""
    found = _METADATA.search(script.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{script} does not begin with '# /// script': expected its packages there.")
    return tomllib.loads("".join(line[2:] + "\n" for line in found["text"].splitlines()))


def numbers(release: Path, store: Path, kind: str) -> Numbers:
    """Return the numbers of a release, to the fit of a power law."""
    full = kind == "full"
    text = CONFIG.format(
        store=store,
        release=release,
        irfs="[aeff, edisp, psf, bkg]" if full else "[aeff, edisp]",
        corrected="true" if full else "false",
    )
    analysis = Analysis(AnalysisConfig.from_yaml(text))
    analysis.get_observations()
    analysis.get_datasets()
    reduced = analysis.open_spectra().load().sortby("obs_id")
    analysis.set_models(Models.from_yaml(MODEL))
    analysis.run_fit()
    arrays = (reduced[name].values for name in ("counts", "counts_off", "exposure"))
    return Numbers(reduced.sizes["dataset"], *arrays, float(analysis.models["crab"].spectral_model.amplitude.value))


def interpreter(packages: list[str], folder: Path) -> Path:
    """Return the Python of an environment with these packages, made where it is not there yet."""
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        subprocess.run(install, check=True)
        (folder / "complete").touch()
    return python


def deviation(found: Any, right: Any) -> float:
    """Return the largest relative deviation where the right value is not zero."""
    used = right != 0
    return float(np.max(np.abs(found[used] / right[used] - 1.0)))


def row(script: Path, folder: Path, envs: Path) -> tuple[list[str], bool]:
    """Make and analyse the release of one script; return its row of the table, and whether its numbers are right."""
    about = metadata(script)
    own = about["tool"]["xgamma"]
    release, plain = folder / script.stem, folder / own["plain"]
    begin = [own["writer"], own["made"]]
    try:
        python = interpreter(about["dependencies"], envs / script.stem)
        subprocess.run([str(python), "-W", "ignore", str(script), str(plain), str(release)], check=True, timeout=600)
        right = numbers(plain, folder / "stores" / f"{script.stem}-plain", own["plain"])
        found = numbers(release, folder / "stores" / script.stem, own["plain"])
    except (subprocess.SubprocessError, XgammaError) as error:
        return [*begin, f"{type(error).__name__}: {error}", "", "", "", ""], False
    same = [np.array_equal(getattr(found, name), getattr(right, name)) for name in ("counts", "counts_off")]
    exposure = deviation(found.exposure, right.exposure)
    flux = found.amplitude / right.amplitude - 1.0
    counts = [
        f"{np.abs(found.counts - right.counts).sum():g}",
        f"{np.abs(found.counts_off - right.counts_off).sum():g}",
    ]
    good = all(same) and max(exposure, abs(flux)) <= own["exposure"]
    return [*begin, f"{found.runs} of {right.runs}", *counts, f"{exposure:.1e}", f"{flux:+.1e}"], good


def main() -> int:
    """Print the table."""
    scripts = sorted(path for path in HERE.glob("*.py") if _METADATA.search(path.read_text(encoding="utf-8")))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[script.stem for script in scripts], help="which scripts; all")
    parser.add_argument("--envs", type=Path, help="keep the environments in this folder")
    arguments = parser.parse_args()
    titles = ["writer", "made", "runs", "counts", "off", "exposure", "flux"]
    print("| " + " | ".join(titles) + " |", "|" + "---|" * len(titles), sep="\n", flush=True)
    right = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for plan in PLANS.values():
            simulate(plan, folder / plan.name)
        for script in (script for script in scripts if script.stem in arguments.names):
            cells, good = row(script, folder, arguments.envs or folder / "envs")
            print("| " + " | ".join(cells) + " |", flush=True)
            right.append(good)
    return 0 if right and all(right) else 1


if __name__ == "__main__":
    sys.exit(main())
