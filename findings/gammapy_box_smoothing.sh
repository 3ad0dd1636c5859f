#!/usr/bin/env bash
# Surprise: Map.smooth of Gammapy 2.1 with a box truncates its width in pixels, so that 0.3 deg on pixels of 0.1 deg is a
# box of 2 pixels (0.3 / 0.1 is 2.9999999999999996 in double precision), and boxes of an even number of pixels move the
# image by half a pixel. One NaN makes all pixels NaN that come after it in both directions, a quarter of the map from its
# centre, where a disk of the same width loses 13.
# Source: gammapy/maps/wcs/ndmap.py, smooth; scipy.ndimage.uniform_filter. Seen November 2026.
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

point = Map.from_geom(WcsGeom.create(width=4, binsz=0.1))
point.data[20, 20] = 1
widths, shifts = {}, {}
for width in (0.3, 0.4, 0.5, 0.6):
    profile = point.smooth(width * u.deg, kernel="box").data.sum(axis=0)
    widths[width] = int((profile > 0).sum())
    shifts[width] = round(float(profile @ np.arange(40)) - 20, 6)
hole = point.copy(data=np.ones((40, 40)))
hole.data[20, 20] = np.nan
lost = {kernel: int(np.isnan(hole.smooth(0.2 * u.deg, kernel=kernel).data).sum()) for kernel in ("disk", "box")}
print(f"Gammapy {version('gammapy')}")
for width, number in widths.items():
    print(f"  a box of {width} deg on pixels of 0.1 deg: {number} pixels, the centre {shifts[width]} pixels off")
print(f"  pixels that one NaN makes NaN within 0.2 deg: {lost}")
truncated = widths == {0.3: 2, 0.4: 4, 0.5: 5, 0.6: 5}
sys.exit(0 if truncated and abs(shifts[0.3]) == abs(shifts[0.4]) == 0.5 and lost == {"disk": 13, "box": 400} else 1)
PYTHON
