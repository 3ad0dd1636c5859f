#!/usr/bin/env bash
# Surprise: one empty bin of a background cube, in which no event fell, makes Gammapy 2.1 predict 1e147 events in the bin of
# energy above it, where 100 are right: rates are integrated over energy as power laws between nodes, and the one that
# rises from an empty node is continued. Cubes made from events have such bins. baccmod 0.4.1, whose 3D backgrounds do, then
# cannot fit the norm of a run, and returns a background of 0 with a line in its log.
# Source: gammapy/irf/core.py, integrate_log_log; baccmod, _normalise_model_per_run. Seen November 2026.
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
from astropy.time import Time
from gammapy.irf import Background3D
from gammapy.makers.utils import make_map_background_irf
from gammapy.maps import MapAxis, WcsGeom

centre, start = SkyCoord(83.6, 22.0, unit="deg"), Time("2024-12-10T22:00:00")
energy = MapAxis.from_energy_bounds("0.3 TeV", "30 TeV", nbin=5)
lon, lat = (MapAxis.from_edges(np.linspace(-2, 2, 9), unit="deg", name=name) for name in ("fov_lon", "fov_lat"))
geom = WcsGeom.create(skydir=centre, npix=(30, 30), binsz=0.1, proj="TAN", axes=[energy])


def predicted(rate):
    background = Background3D([energy, lon, lat], data=rate, unit="s-1 MeV-1 sr-1")
    return make_map_background_irf(centre, 300 * u.s, background, geom, time_start=start).data.sum(axis=(1, 2))


rate = np.array([2e-2, 4e-3, 3e-4, 3e-5, 7e-6])[:, None, None] * np.ones((5, 8, 8))
full = predicted(rate)
rate[3, 4, 4] = 0.0
one_empty = predicted(rate)
print(f"Gammapy {version('gammapy')}: background events in five bins of energy")
print(f"  no bin empty:               {np.array2string(full, precision=3)}")
print(f"  one of 64 of the 4th empty: {np.array2string(one_empty, precision=3)}")
sys.exit(0 if full[4] < 1e3 and one_empty[4] > 1e100 else 1)
PYTHON
