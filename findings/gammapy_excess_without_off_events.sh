#!/usr/bin/env bash
# Surprise: the excess map of an on-off map in Gammapy 2.1 takes alpha as background / off counts, both summed within the
# correlation radius. Where there is no off event the excess and its significance are NaN, though the acceptances are known:
# 4 events on, none off, alpha 0.1 are an excess of 4 and 4.38 sigma, and Gammapy's own statistic says so. At high energies
# these are the pixels with the best signal.
# Source: gammapy/estimators/map/excess.py, convolve_map_dataset_off. Seen November 2026.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check "gammapy==2.1" "regions==0.11"
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from gammapy.datasets import MapDatasetOnOff
from gammapy.estimators import ExcessMapEstimator
from gammapy.maps import Map, MapAxis, WcsGeom
from gammapy.stats import WStatCountsStatistic

axis = MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=1)
geom = WcsGeom.create(width=1, binsz=0.1, axes=[axis])
counts = Map.from_geom(geom, data=0.0)
counts.data[0, 5, 5] = 4


def at_centre(off):
    levels = {"counts_off": off, "acceptance": 1.0, "acceptance_off": 10.0}
    maps = {name: Map.from_geom(geom, data=value) for name, value in levels.items()}
    safe = Map.from_geom(geom, data=True, dtype=bool)
    dataset = MapDatasetOnOff(counts=counts, mask_safe=safe, **maps)
    found = ExcessMapEstimator("0.01 deg", selection_optional=None).run(dataset)
    return [float(found[name].data[0, 5, 5]) for name in ("npred_excess", "sqrt_ts")]


none, few = at_centre(0.0), at_centre(1e-6)
exact = WStatCountsStatistic(4, 0, 0.1)
by_hand = float(np.sqrt(2 * 4 * np.log(1.1 / 0.1)))
print(f"Gammapy {version('gammapy')}")
print(f"  no off event:            excess {none[0]:.2f}, {none[1]:.2f} sigma")
print(f"  a millionth of one:      excess {few[0]:.2f}, {few[1]:.2f} sigma")
print(f"  its statistic, by hand:  excess {float(exact.n_sig):.2f}, {float(exact.sqrt_ts):.2f} and {by_hand:.2f} sigma")
known = np.allclose([exact.n_sig, exact.sqrt_ts], few, rtol=1e-3) and abs(by_hand - few[1]) < 1e-2
sys.exit(0 if np.isnan(none).all() and known else 1)
PYTHON
