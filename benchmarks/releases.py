"""Public releases as they lie in ``$GAMMAPY_DATA``, run by run beside Gammapy: the numbers of docs/releases.md.

Printed for each release: runs that open, counts and off counts of xgamma, by how many they differ from those of
Gammapy, the largest relative deviation of exposure and livetime, and that of the energy dispersion in units of its
largest value. Releases that are not there are named. Without ``--peer`` only what opens is printed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from report import REPOSITORY, environment, options

from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.errors import XgammaError

PEER_SCRIPT = REPOSITORY / "tests" / "parity" / "peer_spectra.py"
CRAB = (83.633, 22.014)
NAMES = ("counts", "counts_off", "exposure", "edisp", "livetime")
CONFIG = """
observations: {{datastore: {release}, obs_ids: [{obs_id}], required_irf: [{irfs}]}}
datasets:
  type: 1d
  stack: false
  geom:
    axes:
      energy: {{min: 0.7 TeV, max: 40 TeV, nbins: 12}}
      energy_true: {{min: 0.3 TeV, max: 100 TeV, nbins: 40}}
  on_region: {{frame: icrs, lon: {lon} deg, lat: {lat} deg, radius: {radius} deg}}
  containment_correction: {containment}
  safe_mask: {{methods: []}}
  background: {{method: reflected}}
"""


@dataclass(frozen=True)
class Release:
    """Where a release lies, and the circle (deg) looked at in some of its runs: one for all, or one for each."""

    path: str
    radius: float
    containment: bool
    runs: tuple[int, ...]
    places: tuple[tuple[float, float], ...] = (CRAB,)

    def regions(self) -> dict[str, list[float]]:
        """Return centre and radius by obs id."""
        places = self.places * (len(self.runs) if len(self.places) == 1 else 1)
        return {str(run): [*place, self.radius] for run, place in zip(self.runs, places, strict=True)}


RELEASES = {
    "CTA-1DC (ctobssim 1.4)": Release(
        "cta-1dc/index/gps",
        0.1,
        True,
        (110380, 111140, 111159, 111630),
        ((267.68, -28.9), (264.23, -28.8), (267.0, -26.98), (130.89, -45.5)),
    ),
    "H.E.S.S. DL3 DR1": Release("hess-dl3-dr1", 0.11, True, (23523, 23526, 23559, 23592)),
    "H.E.S.S. minimal datastore": Release("tests/minimal_datastore", 0.11, True, (23523, 23526)),
    "MAGIC (joint Crab)": Release("joint-crab-paper/magic", 0.1414213, False, (5029747, 5029748)),
    "VERITAS (pyV2DL3 0.5)": Release(
        "veritas/crab-point-like-ED", 0.08944271909999159, False, (64080, 64081, 64082, 64083)
    ),
    "VERITAS (joint Crab)": Release("joint-crab-paper/veritas", 0.1, False, (54809, 57993)),
    "FACT open data": Release(
        "joint-crab-paper/fact",
        0.1732050807568877,
        False,
        (20131103093, 20131103103, 20131103110, 20131104189, 20131105152),
    ),
}


def ours(release: Path, wanted: Release) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the numbers of each run that opens, by ``<obs id>/<name>``, and the reasons of the others."""
    found: dict[str, Any] = {}
    reasons = {}
    for obs_id, (lon, lat, radius) in wanted.regions().items():
        text = CONFIG.format(
            release=release,
            obs_id=obs_id,
            irfs="aeff, edisp, psf" if wanted.containment else "aeff, edisp",
            lon=lon,
            lat=lat,
            radius=radius,
            containment=str(wanted.containment).lower(),
        )
        analysis = Analysis(AnalysisConfig.from_yaml(text))
        try:
            analysis.get_observations()
            analysis.get_datasets()
        except XgammaError as error:
            reasons[obs_id] = str(error)
            continue
        [view] = analysis.datasets
        found |= {f"{obs_id}/{name}": view.data[name].values.squeeze() for name in NAMES}
    return found, reasons


def theirs(peer: str, release: Path, wanted: Release, opened: set[str]) -> dict[str, Any]:
    """Return the numbers of Gammapy for the runs that opened."""
    request = {
        "datastore": str(release),
        "regions": {obs_id: region for obs_id, region in wanted.regions().items() if obs_id in opened},
        "containment": wanted.containment,
        "energy": np.geomspace(0.7, 40.0, 13).tolist(),
        "energy_true": np.geomspace(0.3, 100.0, 41).tolist(),
    }
    with tempfile.TemporaryDirectory() as folder:
        ask, answer = Path(folder) / "request.json", Path(folder) / "result.npz"
        ask.write_text(json.dumps(request))
        done = subprocess.run(
            [peer, str(PEER_SCRIPT), str(ask), str(answer)],
            capture_output=True,
            text=True,
            env=environment(),
            check=False,
        )
        if done.returncode:
            return {}
        with np.load(answer) as result:
            return {name: result[name] for name in result.files}


def compared(found: dict[str, Any], right: dict[str, Any]) -> list[str]:
    """Return the columns of the table that need Gammapy."""
    if not right:
        return ["does not open", "", "", "", ""]
    deviations: dict[str, float] = dict.fromkeys(NAMES, 0.0)
    for name, values in right.items():
        kind = name.partition("/")[2]
        difference = np.abs(found[name] - values)
        if kind in ("counts", "counts_off"):
            deviations[kind] += float(difference.sum())
        else:
            scale = np.abs(values).max() if kind == "edisp" else np.where(values == 0, 1.0, np.abs(values))
            deviations[kind] = max(deviations[kind], float((difference / scale).max()))
    return [f"{deviations[name]:g}" for name in NAMES[:2]] + [f"{deviations[name]:.1e}" for name in NAMES[2:]]


def main() -> None:
    """Print the table."""
    peer = options("Public releases, beside Gammapy.").peer
    titles = ["release", "runs", "counts", "off", "counts differ", "off differ", "exposure", "edisp", "livetime"]
    print("| " + " | ".join(titles) + " |", "|" + "---|" * len(titles), sep="\n", flush=True)
    missing, said = [], []
    for name, wanted in RELEASES.items():
        release = Path(environment()["GAMMAPY_DATA"]) / wanted.path
        if not release.is_dir():
            missing.append(name)
            continue
        found, reasons = ours(release, wanted)
        said += [f"{name}, run {obs_id}: {reason}" for obs_id, reason in reasons.items()]
        totals = [sum(found[key].sum() for key in found if key.endswith(f"/{kind}")) for kind in NAMES[:2]]
        opened = {key.partition("/")[0] for key in found}
        cells = [name, f"{len(opened)} of {len(wanted.runs)}", *(f"{total:g}" for total in totals)]
        cells += compared(found, theirs(peer, release, wanted, opened)) if peer and opened else [""] * 5
        print("| " + " | ".join(cells) + " |", flush=True)
    for line in [*said, *(f"not there: {name}" for name in missing)]:
        print(line)


if __name__ == "__main__":
    sys.exit(main())
