#!/usr/bin/env bash
# Surprise: in Gammapy 2.1 a model with a position predicts no counts in a region of up to 0.0707 deg that it lies in the middle of,
# in silence; without its spatial part it predicts them. 0.0707 deg is a usual cut on theta squared, 0.005 deg2. Whether a
# model reaches into a region is asked of pixels of 0.1 deg, of which none has its centre in the region, and a fit then ends at
# any flux.
# Source: gammapy/modeling/models/cube.py, SkyModel.contributes; binsz_wcs of RegionGeom. Seen November 2026.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check "gammapy==2.1" "regions==0.11"
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from gammapy.datasets import SpectrumDataset
from gammapy.maps import MapAxis, RegionGeom
from gammapy.modeling.models import GaussianSpatialModel, PointSpatialModel, PowerLawSpectralModel, SkyModel
from regions import CircleSkyRegion

crab = SkyCoord(83.633, 22.014, unit="deg")
energy = MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=4)
energy_true = MapAxis.from_energy_bounds("0.5 TeV", "20 TeV", nbin=10, name="energy_true")
place = {"lon_0": crab.ra, "lat_0": crab.dec, "frame": "icrs"}
spatial = [None, PointSpatialModel(**place), GaussianSpatialModel(sigma="0.01 deg", **place)]


def predicted(radius):
    geom = RegionGeom.create(CircleSkyRegion(crab, radius * u.deg), axes=[energy])
    dataset = SpectrumDataset.create(geom, energy_axis_true=energy_true)
    dataset.exposure.quantity = np.full(dataset.exposure.data.shape, 1e10) * u.Unit("m2 s")
    dataset.mask_safe.data[...] = True
    dataset.edisp = None
    counts = []
    for one in spatial:
        dataset.models = [SkyModel(PowerLawSpectralModel(), one, name="crab")]
        counts.append(dataset.npred_signal().data.sum())
    return counts


found = {radius: predicted(radius) for radius in (0.05, 0.0707, 0.0708)}
print(f"Gammapy {version('gammapy')}: counts predicted in a region about the source, without a spatial part, of a point, a Gaussian")
for radius, counts in found.items():
    print(f"  {radius:6.4f} deg: " + ", ".join(f"{one:.1f}" for one in counts))
small = found[0.05], found[0.0707]
sys.exit(0 if all(one[0] > 90 and one[1:] == [0, 0] for one in small) and min(found[0.0708]) > 90 else 1)
PYTHON
