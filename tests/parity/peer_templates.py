"""Maps as models in Gammapy, run by a python that has it: ``peer_templates.py FOLDER``.

Reads ``ours.yaml`` of the folder, and writes ``theirs.yaml`` with its files, and what both are at some positions.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
from astropy import units as u
from gammapy.maps import Map, MapAxis, MapCoord, WcsGeom
from gammapy.modeling.models import (
    FoVBackgroundModel,
    GaussianSpatialModel,
    Models,
    PiecewiseNormSpatialModel,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SkyModel,
    TemplateNDSpatialModel,
    TemplateSpatialModel,
)

LON, LAT = np.linspace(8.2, 11.9, 9), np.linspace(-1.8, 1.7, 9)
ENERGY = np.geomspace(1.0, 99.0, 9)


def main(folder):
    """Write models, files and values."""
    folder = Path(folder)
    axis = MapAxis.from_energy_bounds("1 TeV", "100 TeV", nbin=3, name="energy_true")
    width = MapAxis.from_nodes([1.0, 2.0, 4.0], name="width", unit="deg")
    image = WcsGeom.create(skydir=(10, 0), binsz=0.5, npix=(9, 9), frame="galactic")
    rng = np.random.default_rng(2)
    cube, nd = image.to_cube([axis]), image.to_cube([width])
    given = {
        "image": Map.from_geom(image, data=rng.uniform(1, 3, image.data_shape), unit="sr-1"),
        "cube": Map.from_geom(cube, data=rng.uniform(1, 3, cube.data_shape), unit="cm-2 s-1 MeV-1 sr-1"),
        "nd": Map.from_geom(nd, data=rng.uniform(1, 3, nd.data_shape), unit="sr-1"),
    }
    for name, each in given.items():
        each.write(folder / f"{name}.fits", overwrite=True)
    files = {name: str(folder / f"{name}.fits") for name in given}
    coords = MapCoord.create((u.Quantity([8, 12, 12, 8, 10], "deg"), u.Quantity([-2, -2, 2, 2, 0], "deg")))
    norms = PiecewiseNormSpatialModel(coords, norms=[1.0, 2.0, 3.0, 2.0, 1.5], frame="galactic")
    spatial = {
        "image": TemplateSpatialModel.read(files["image"]),
        "plain": TemplateSpatialModel.read(files["image"], normalize=False),
        "cube": TemplateSpatialModel.read(files["cube"]),
        "diffuse": TemplateSpatialModel.read(files["cube"], normalize=False),
        "nd": TemplateNDSpatialModel(Map.read(files["nd"]), filename=files["nd"]),
        "gauss": GaussianSpatialModel(
            lon_0="10 deg", lat_0="1 deg", sigma="2 deg", e=0.5, phi="20 deg", frame="galactic"
        ),
    }
    spatial["nd"].width.value = 3.0
    norm, density = PowerLawNormSpectralModel(), PowerLawSpectralModel()
    models = [
        SkyModel(norm if name == "diffuse" else density.copy(), each, name=name) for name, each in spatial.items()
    ]
    # A factor is one of a background.
    models.append(FoVBackgroundModel(spectral_model=norm.copy(), dataset_name="data", spatial_model=norms))
    Models(models).write(folder / "theirs.yaml", overwrite=True, write_covariance=False)
    found = {f"theirs/{model.name}": values(model.spatial_model) for model in models}
    for model in Models.read(folder / "ours.yaml"):
        found[f"ours/{model.name}"] = values(model.spatial_model)
    np.savez(folder / "result.npz", **found)


def values(model):
    """Return the values at some positions, and energies where the model depends on them, in canonical units."""
    at = {"energy": ENERGY * u.TeV} if model.is_energy_dependent else {}
    more = {p.name: p.quantity for p in model.parameters} if isinstance(model, TemplateNDSpatialModel) else {}
    lon, lat = LON * u.deg, LAT * u.deg
    found = model.evaluate(lon, lat, **at, **more) if more else model(lon, lat, **at)
    found = u.Quantity(found)
    wanted = next(unit for unit in ("sr-1", "cm-2 s-1 TeV-1 sr-1", "") if found.unit.is_equivalent(unit))
    return np.broadcast_to(found.to_value(wanted), LON.shape)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1])
