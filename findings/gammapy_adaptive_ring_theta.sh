#!/usr/bin/env bash
# Surprise: theta of AdaptiveRingBackgroundMaker in Gammapy 2.1, the radius over which the acceptance is summed, is
# multiplied by the size of a pixel where it should be divided by it: from 0.01 to 5 deg the sum is one pixel. Where no ring
# is large enough for the threshold, off counts and acceptances are NaN in pixels that stay safe, and one such part of a
# field makes the whole excess map NaN.
# Source: gammapy/makers/background/ring.py, AdaptiveRingBackgroundMaker.make_cubes and run. Seen November 2026.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check "gammapy==2.1" "regions==0.11"
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from gammapy.datasets import MapDataset
from gammapy.estimators import ExcessMapEstimator
from gammapy.makers import AdaptiveRingBackgroundMaker
from gammapy.maps import Map, MapAxis, WcsGeom

axis = MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=1)
geom = WcsGeom.create(width=4, binsz=0.1, axes=[axis])
one = Map.from_geom(geom, data=1.0)
given = MapDataset(counts=one, background=one, mask_safe=Map.from_geom(geom, data=True, dtype=bool))


def made(theta, threshold):
    ring = {"r_in": "0.5 deg", "r_out_max": "1 deg", "width": "0.2 deg", "stepsize": "0.1 deg"}
    return AdaptiveRingBackgroundMaker(**ring, theta=theta, threshold_alpha=threshold).run(given)


sums = [float(made(theta, 1.0).acceptance.data[0, 20, 20]) for theta in ("0.01 deg", "0.5 deg", "5 deg")]
y, x = np.mgrid[-20:20, -20:20]
within = int((np.hypot(x, y) <= 5).sum())
tight = made("0.22 deg", 0.012)
missing = np.isnan(tight.acceptance_off.data)
safe = bool(tight.mask_safe.data[missing].all())
excess = ExcessMapEstimator("0.2 deg", selection_optional=None).run(tight).npred_excess.data
print(f"Gammapy {version('gammapy')}")
print(f"  acceptance of 1 a pixel of 0.1 deg, summed within 0.01, 0.5 and 5 deg: {sums}")
print(f"  pixels within 0.5 deg: {within}")
print(f"  a tight threshold: {missing.sum()} of {missing.size} pixels have no acceptance, all of them safe: {safe}")
print(f"  pixels of the excess map that are NaN: {np.isnan(excess).sum()}")
part = 0 < missing.sum() < missing.size
sys.exit(0 if np.allclose(sums, 1) and part and safe and np.isnan(excess).all() else 1)
PYTHON
