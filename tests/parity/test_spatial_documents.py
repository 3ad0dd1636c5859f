"""Documents of morphologies and their maps, written here and read by Gammapy, and the other way round."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u

from xgamma.geometry import to_frame
from xgamma.maps import Map, MapAxis, WcsGeom
from xgamma.models import (
    DiskSpatialModel,
    FoVBackgroundModel,
    Models,
    PiecewiseNormSpatialModel,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SkyModel,
    TemplateNDSpatialModel,
    TemplateSpatialModel,
)

PEER = os.environ.get("PEER_PYTHON", "")
pytestmark = pytest.mark.skipif(not PEER, reason="PEER_PYTHON names no python that has Gammapy")
THEIRS = ("image", "plain", "cube", "diffuse", "nd", "data-bkg", "gauss")
OURS = ("image", "diffuse", "nd", "data-bkg", "disk")
LON, LAT, ENERGY = np.linspace(8.2, 11.9, 9), np.linspace(-1.8, 1.7, 9), np.geomspace(1.0, 99.0, 9)


def ours(folder):
    """Return models, whose maps are in files of a folder."""
    energy = MapAxis.from_energy_bounds("1 TeV", "100 TeV", nbin=3, name="energy_true")
    width = MapAxis.from_bounds(0.0, 4.0, 2, "lin", "deg", "width")
    image = WcsGeom.create(skydir=(10, 0), binsz=0.5, npix=(9, 9), frame="galactic")
    rng = np.random.default_rng(1)

    def made(axes, unit):
        geom = image.to_cube(axes)
        return Map.from_geom(geom, rng.uniform(1.0, 3.0, geom.data_shape), unit)

    lon, lat = [8, 12, 12, 8, 10] * u.deg, [-2, -2, 2, 2, 0] * u.deg
    norms = PiecewiseNormSpatialModel((lon, lat), [1.0, 2.0, 3.0, 2.0, 1.5], frame="galactic")
    parts = {
        "image": TemplateSpatialModel(made([], "sr-1"), interp="log", filename=folder / "a.fits"),
        "diffuse": TemplateSpatialModel(
            made([energy], "cm-2 s-1 TeV-1 sr-1"), False, "log", filename=folder / "b.fits"
        ),
        "nd": TemplateNDSpatialModel(made([width], "sr-1"), "log", filename=folder / "c.fits", width="2.5 deg"),
        "disk": DiskSpatialModel("galactic", lon_0="10 deg", r_0="2 deg", e=0.5, phi="20 deg"),
    }
    for part in parts.values():
        if hasattr(part, "write"):
            part.write()
    norm, density = PowerLawNormSpectralModel(), PowerLawSpectralModel()
    models = [SkyModel(norm if name == "diffuse" else density.copy(), part, name=name) for name, part in parts.items()]
    return Models([*models, FoVBackgroundModel(norm.copy(), "data", spatial_model=norms)])


@pytest.fixture(scope="module")
def exchanged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("templates")
    models = ours(folder)
    models.write(folder / "ours.yaml", write_covariance=False)
    subprocess.run([PEER, str(Path(__file__).with_name("peer_templates.py")), str(folder)], check=True)
    with np.load(folder / "result.npz") as found:
        return {"ours": models, "theirs": Models.read(folder / "theirs.yaml")}, dict(found)


@pytest.mark.parametrize("key", [*(f"theirs/{name}" for name in THEIRS), *(f"ours/{name}" for name in OURS)])
def test_documents_and_maps_have_the_values_that_they_have_in_gammapy(key, exchanged):
    models, found = exchanged
    side, name = key.split("/")
    model = models[side][name].spatial_model
    if hasattr(model, "interp"):
        # Gammapy does not say it in a document, and draws lines of logarithms.
        model.rest["interp"] = "log"
    energy = ENERGY if model.is_energy_dependent else None
    # Gammapy takes the frame of such a map for icrs, and its positions for those of the map.
    lon, lat = to_frame(LON, LAT, "galactic", "icrs") if key == "theirs/nd" else (LON, LAT)
    # In Gammapy a map of densities is normalised as if its pixels had one area; here they differ by 3e-4.
    off = 3e-4 if name in ("image", "cube") else 1e-9
    assert model.density(lon, lat, None, energy) == pytest.approx(found[key], rel=off)


def test_documents_of_gammapy_are_written_back(exchanged):
    models = exchanged[0]["theirs"]
    again = Models.from_yaml(models.to_yaml())
    assert again.to_dict() == models.to_dict()
