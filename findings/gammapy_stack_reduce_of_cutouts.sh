#!/usr/bin/env bash
# Surprise: Datasets.stack_reduce of Gammapy 2.1 stacks onto the field of the first dataset. Where the datasets are cutouts
# of one map at different places, which it takes as aligned, what lies outside of the first one is lost without a word, and
# the counts that are kept depend on the order. Stacking onto a dataset of the whole map keeps all.
# Source: gammapy/datasets/core.py, Datasets.stack_reduce. Seen November 2026.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check "gammapy==2.1" "regions==0.11"
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import logging
import sys
from importlib.metadata import version

import astropy.units as u
from astropy.coordinates import SkyCoord
from gammapy.datasets import Datasets, MapDataset
from gammapy.maps import Map, MapAxis, WcsGeom

said = []
logging.getLogger("gammapy").addFilter(lambda record: said.append(record) or True)
axis = MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=1)
geom = WcsGeom.create(width=4, binsz=0.1, frame="galactic", axes=[axis])


def whole(value, safe):
    return MapDataset(counts=Map.from_geom(geom, data=value), mask_safe=Map.from_geom(geom, data=safe, dtype=bool))


def runs():
    places = ((-0.5, 2), (0.5, 3))
    centres = [(SkyCoord(lon, 0, unit="deg", frame="galactic"), width * u.deg) for lon, width in places]
    return [whole(1.0, True).cutout(centre, width, name=f"run {width}") for centre, width in centres]


total = sum(run.counts.data.sum() for run in runs())
kept = [Datasets(order).stack_reduce().counts.data.sum() for order in (runs(), runs()[::-1])]
field = whole(0.0, False)
for run in runs():
    field.stack(run)
print(f"Gammapy {version('gammapy')}")
print(f"  counts of two cutouts of one map:          {total:.0f}")
print(f"  after stack_reduce, and in the other order: {kept[0]:.0f}, {kept[1]:.0f}")
print(f"  stacked onto a dataset of the whole map:   {field.counts.data.sum():.0f}")
sys.exit(0 if kept[0] < kept[1] <= total == field.counts.data.sum() and kept[0] < 0.7 * total and not said else 1)
PYTHON
