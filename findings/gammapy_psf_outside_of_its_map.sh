#!/usr/bin/env bash
# Surprise: the containment radius of a map of point spread functions in Gammapy 2.1 is 0.00025 deg outside of the map, the
# first radius that it tries, and not NaN: a source beside the field has a resolution of 1 arcsecond, without a word.
# Source: gammapy/irf/psf/map.py, PSFMap.containment_radius. Seen November 2026.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check "gammapy==2.1" "regions==0.11"
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from astropy.coordinates import SkyCoord
from gammapy.irf import PSFMap
from gammapy.maps import MapAxis, WcsGeom

axis = MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=2, name="energy_true")
psf = PSFMap.from_gauss(axis, sigma="0.1 deg", geom=WcsGeom.create(width=2, binsz=0.5))
exact = 0.1 * np.sqrt(-2 * np.log(1 - 0.68))
radii = {}
print(f"Gammapy {version('gammapy')}, a Gaussian of 0.1 deg, 68 % within {exact:.4f} deg, on a map of 2 x 2 deg")
for lon in (0.0, 0.9, 1.1, 20.0):
    radii[lon] = float(psf.containment_radius(0.68, axis.center[:1], SkyCoord(lon, 0, unit="deg")).to_value("deg")[0])
    print(f"  {lon:4.1f} deg from its centre: {radii[lon]:.5f} deg")
sys.exit(0 if abs(radii[0.9] - exact) < 1e-3 and 0 < radii[1.1] == radii[20.0] < 1e-3 else 1)
PYTHON
