"""Documents of maps of counts, written here and read by Gammapy, and the other way round."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from xgamma.maps import Map, MapAxis, WcsGeom
from xgamma.models import Models, PowerLawNormSpectralModel, TemplateNPredModel

PEER = os.environ.get("PEER_PYTHON", "")
pytestmark = pytest.mark.skipif(not PEER, reason="PEER_PYTHON names no python that has Gammapy")


def test_documents_of_maps_of_counts_are_those_of_gammapy(tmp_path):
    axis = MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=3)
    geom = WcsGeom.create(skydir=(10, 0), binsz=0.5, npix=(9, 7), frame="galactic", axes=[axis])
    counts = Map.from_geom(geom, np.random.default_rng(1).uniform(1.0, 3.0, geom.data_shape))
    spectrum = PowerLawNormSpectralModel(norm=0.8, tilt=-0.2)
    model = TemplateNPredModel(counts, spectrum, "ours", tmp_path / "ours.fits", ["data"])
    model.parameters["norm"].error = 0.1
    model.write()
    Models([model]).write(tmp_path / "ours.yaml")
    command = [PEER, str(Path(__file__).with_name("peer_counts_of_maps.py")), str(tmp_path)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(command, check=True, env=environment, capture_output=True)
    with np.load(tmp_path / "result.npz") as found:
        assert model.evaluate().data == pytest.approx(found["ours"], rel=1e-6)
        assert (found["names"].tolist(), float(found["error"])) == (["data"], 0.1)
        [theirs] = Models.read(tmp_path / "theirs.yaml")
        assert theirs.evaluate().data == pytest.approx(found["theirs"], rel=1e-6)
    assert (theirs.name, theirs.datasets_names, theirs.parameters["norm"].error) == ("theirs", ["data"], 0.25)
