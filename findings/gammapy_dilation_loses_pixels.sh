#!/usr/bin/env bash
# Surprise: binary_dilate of masks in Gammapy 2.1 takes by default only pixels that two or more pixels of the mask reach: a
# mask of one pixel becomes an empty one, and corners are missing. Margins are rounded up to odd numbers of pixels and are
# radii of disks but full sides of boxes: 0.2 deg on pixels of 0.1 deg are 0.3 deg or 0.1 deg, in erosions too.
# Source: gammapy/maps/wcs/ndmap.py, binary_dilate; gammapy/maps/wcs/geom.py, binary_structure. Seen November 2026.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check "gammapy==2.1" "regions==0.11"
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import astropy.units as u
import numpy as np
from gammapy.maps import Map, WcsGeom

empty = Map.from_geom(WcsGeom.create(width=4, binsz=0.1), dtype=bool)
y, x = np.mgrid[-20:20, -20:20]
single, disk, square = empty.copy(data=(x == 0) & (y == 0)), empty.copy(data=np.hypot(x, y) < 10), empty.copy()
square.data[10:30, 10:30] = True


def pixels(mask, **options):
    return int(mask.binary_dilate(0.2 * u.deg, **options).data.sum())


by_default = [pixels(mask) for mask in (single, disk)]
without = [pixels(mask, use_fft=False) for mask in (single, disk)]
distance = np.hypot(x[..., None] - x[disk.data], y[..., None] - y[disk.data]).min(axis=-1)
exact = [int((np.hypot(x, y) <= 2).sum()), int((distance <= 2).sum())]
box = pixels(single, kernel="box", use_fft=False)
eroded = int(square.binary_erode(0.2 * u.deg).data.sum())
print(f"Gammapy {version('gammapy')}")
print(f"  one pixel and a disk, and a margin of 2 pixels: {by_default}; without FFT {without}; by distance {exact}")
print(f"  one pixel, a margin of 2 pixels of a box without FFT: {box} pixels, not 25")
print(f"  a square of 20 x 20, less a margin of 2 pixels: {eroded} pixels, not 256")
lost = by_default[0] == 0 and exact[1] < by_default[1] < without[1]
sys.exit(0 if lost and without[0] == 29 and box == 9 and eroded == 14**2 else 1)
PYTHON
