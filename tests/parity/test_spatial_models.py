"""Morphologies beside those of Gammapy, in numbers: every model, in both frames, on images of both."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import xgamma.models
from xgamma.geometry import to_frame
from xgamma.maps import WcsGeom

PEER = os.environ.get("PEER_PYTHON", "")
pytestmark = pytest.mark.skipif(not PEER, reason="PEER_PYTHON names no python that has Gammapy")

PLACES = {"icrs": (83.63, 22.01), "galactic": (320.3, -1.2)}
IMAGES = {"icrs": "CAR", "galactic": "TAN"}
ELONGATED = {"e": 0.8, "phi": "30 deg"}
MODELS = {
    "point": ("PointSpatialModel", {}),
    "gauss": ("GaussianSpatialModel", {"sigma": "0.3 deg"}),
    "gauss-long": ("GaussianSpatialModel", {"sigma": "0.3 deg", **ELONGATED}),
    "gauss-small": ("GaussianSpatialModel", {"sigma": "0.01 deg"}),
    "general": ("GeneralizedGaussianSpatialModel", {"r_0": "0.3 deg", "eta": 0.7}),
    "general-long": ("GeneralizedGaussianSpatialModel", {"r_0": "0.3 deg", "eta": 0.3, **ELONGATED}),
    "disk": ("DiskSpatialModel", {"r_0": "0.5 deg", "edge_width": 0.1}),
    "disk-long": ("DiskSpatialModel", {"r_0": "0.5 deg", **ELONGATED}),
    "shell": ("ShellSpatialModel", {"radius": "0.4 deg", "width": "0.1 deg"}),
    "shell2": ("Shell2SpatialModel", {"r_0": "0.5 deg", "eta": 0.05}),
    "const": ("ConstantSpatialModel", {"value": "0.5 sr-1"}),
}
COVARIANCE = {"along": [[4e-4, 0.0], [0.0, 1e-4]], "across": [[4e-4, 1e-4], [1e-4, 1e-4]]}
SHIFT = 0.02


def cases():
    """Return the models on images of both frames, by name."""
    found = {}
    for frame, (lon, lat) in PLACES.items():
        for image, proj in IMAGES.items():
            center = [float(value) for value in to_frame(lon, lat, frame, image)]
            for name, (kind, values) in MODELS.items():
                place = {} if name == "const" else {"lon_0": f"{lon + SHIFT} deg", "lat_0": f"{lat} deg"}
                found[f"{name}-{frame}-{image}"] = {
                    "type": kind, "values": values | place, "frame": frame, "image": image, "proj": proj,
                    "center": center, "covariance": COVARIANCE["along" if image == "icrs" else "across"],
                }  # fmt: skip
    return found


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peer")
    (folder / "cases.json").write_text(json.dumps(cases()))
    command = [PEER, str(Path(__file__).with_name("peer_spatial.py"))]
    subprocess.run([*command, str(folder / "cases.json"), str(folder / "result.npz")], check=True)
    with np.load(folder / "result.npz") as found:
        return dict(found)


@pytest.mark.parametrize("key", cases())
def test_densities_integrals_and_regions_are_those_of_gammapy(key, theirs):
    case = cases()[key]
    model = getattr(xgamma.models, case["type"])(frame=case["frame"], **case["values"])
    geom = WcsGeom.create(skydir=case["center"], frame=case["image"], proj=case["proj"], binsz=0.05, width=4)
    density, integral = theirs[f"{key}/density"], theirs[f"{key}/integral"]
    assert np.abs(np.subtract(model.evaluate_geom(geom).value, density)).max() < 2e-6 * density.max()
    # The areas of pixels there are good to 1e-6.
    assert np.abs(model.integrate_geom(geom).data - integral).max() < 1e-6 * integral.max()
    assert [model.reach(), model.resolution()] == pytest.approx(theirs[f"{key}/limits"].tolist())
    region = model.to_region()
    sizes = ("width", "height", "angle", "inner_radius", "outer_radius")
    mine = [getattr(region, one).to_value("deg") for one in sizes if hasattr(region, one)]
    assert mine == pytest.approx(theirs[f"{key}/region"].tolist())


@pytest.mark.parametrize("key", [key for key in cases() if not key.startswith("const")])
def test_the_error_of_a_position_is_the_same_ellipse_mirrored_where_it_is_turned(key, theirs):
    case = cases()[key]
    model = getattr(xgamma.models, case["type"])(frame=case["frame"], **case["values"])
    covariance = np.zeros((len(model.parameters),) * 2)
    covariance[:2, :2] = case["covariance"]
    model.covariance = covariance
    error, (width, height, angle) = model.position_error, theirs[f"{key}/error"]
    assert error.width.to_value("deg") == pytest.approx(width)
    assert error.height.to_value("deg") == pytest.approx(height)
    # An error that grows with longitude and latitude points to the north-east here, and to the north-west in Gammapy.
    assert np.cos(np.deg2rad(2 * (error.angle.to_value("deg") + angle))) == pytest.approx(1.0)
