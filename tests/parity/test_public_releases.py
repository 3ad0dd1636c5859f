"""Public releases whose index is not beside their files or has no names: the numbers of Gammapy, run by run."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from releases import config_of, until_datasets
from xgamma.formats.gadf.index import read_index
from xgamma.ingest import open_release
from xgamma.store import Store

PEER = os.environ.get("PEER_PYTHON", "")
DATA = Path(os.environ.get("GAMMAPY_DATA", "/nowhere"))
# Regions offset from the pointing of each run, in ICRS degrees.
CTA = {
    "datastore": "cta-1dc/index/gps",
    "regions": {
        "110380": [267.68, -28.9, 0.1],
        "111140": [264.23, -28.8, 0.1],
        "111159": [267.0, -26.98, 0.15],
        "111630": [130.89, -45.5, 0.2],
    },
    "containment": True,
    "energy": np.geomspace(0.1, 40.0, 13).tolist(),
    "energy_true": np.geomspace(0.05, 100.0, 41).tolist(),
}
MINIMAL = CTA | {
    "datastore": "tests/minimal_datastore",
    "regions": {"23523": [83.633, 22.014, 0.11], "23526": [83.633, 22.014, 0.11]},
    "energy": np.geomspace(0.7, 40.0, 13).tolist(),
}
RELEASES = {"CTA's first data challenge": CTA, "minimal datastore": MINIMAL}


@pytest.fixture(params=RELEASES)
def request_of(request):
    release = RELEASES[request.param]
    place = DATA / release["datastore"]
    if not (place / "hdu-index.fits.gz").exists():
        pytest.skip(f"$GAMMAPY_DATA has no {release['datastore']}")
    return {**release, "datastore": str(place)}


def our_spectra(wanted):
    """Return the spectra of each run as an analysis of it makes them."""
    names = ("counts", "counts_off", "exposure", "edisp", "livetime")
    found = {}
    for obs_id, region in wanted["regions"].items():
        config = config_of(wanted["datastore"], "memory://", "datasets: {stack: false, safe_mask: {methods: []}}")
        config.observations.obs_ids = [int(obs_id)]
        config.observations.required_irf = ["aeff", "edisp", "psf"]
        config.datasets.containment_correction = wanted["containment"]
        degrees = {name: f"{value} deg" for name, value in zip(("lon", "lat", "radius"), region, strict=True)}
        config.datasets.on_region = {"frame": "icrs", **degrees}
        for name in ("energy", "energy_true"):
            axis, edges = getattr(config.datasets.geom.axes, name), wanted[name]
            axis.nbins, axis.min, axis.max = len(edges) - 1, f"{edges[0]} TeV", f"{edges[-1]} TeV"
        analysis = until_datasets(config)
        assert analysis.unused == []
        [view] = analysis.datasets
        found |= {f"{obs_id}/{name}": view.data[name].values.squeeze() for name in names}
    return found


@pytest.mark.skipif(not PEER, reason="PEER_PYTHON names no python that has Gammapy")
def test_spectra_of_each_run_are_those_of_gammapy(request_of, tmp_path):
    ask, answer = tmp_path / "request.json", tmp_path / "result.npz"
    ask.write_text(json.dumps(request_of))
    subprocess.run([PEER, str(Path(__file__).with_name("peer_spectra.py")), str(ask), str(answer)], check=True)
    ours, theirs = our_spectra(request_of), np.load(answer)
    assert set(ours) == set(theirs.files)
    for name in theirs.files:
        limit = {"exposure": 1e-12, "livetime": 1e-12, "edisp": 1e-8}.get(name.partition("/")[2], 0.0)
        scale = np.max(np.abs(theirs[name])) if name.endswith("edisp") else np.abs(theirs[name])
        assert np.all(np.abs(ours[name] - theirs[name]) <= limit * scale), name


def test_all_runs_open_and_shared_responses_are_stored_once(request_of):
    release = open_release(request_of["datastore"])
    ids = [int(obs_id) for obs_id in request_of["regions"]]
    held = release.load(ids, Store("memory://"))
    assert (held.failures, list(held.places), list(release.facts())) == ([], ids, ids)
    [part] = held.parts.values()
    assert all((part.obs[f"{role}_table"] >= 0).all() for role in ("aeff", "edisp", "psf"))
    if "cta" in request_of["datastore"]:
        hdus = [at for entry in read_index(request_of["datastore"]).runs.values() for at in entry.hdus.values()]
        assert len({at.path for at in hdus}) == 5
        assert {table.sizes["irf"] for name, table in part.groups.items() if name.startswith("irf/")} == {1}
