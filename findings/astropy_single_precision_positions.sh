#!/usr/bin/env bash
# Surprise: astropy 8.0.2 keeps positions in single precision where an event list holds them so, and turns their degrees into
# radians in single precision before it changes the frame; the result calls itself double precision. The same stored
# numbers have galactic coordinates up to 0.05 arcsec off, as much again as storing them rounds, and some events are in the
# neighbouring pixel of a galactic map. Whoever converts the columns to double precision first has other counts there.
# Source: astropy/coordinates, the unit of SkyCoord's angles in transform_to. Seen November 2026.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check "astropy==8.0.2" "numpy==2.4.6"
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from astropy.coordinates import SkyCoord

draw = np.random.default_rng(1)
lon = (266.4 + draw.uniform(-2, 2, 500_000)).astype(np.float32)
lat = (-29.0 + draw.uniform(-2, 2, 500_000)).astype(np.float32)
plain = lon.astype(float), lat.astype(float)


def galactic(frame, lon, lat):
    place = SkyCoord(lon, lat, unit="deg", frame=frame).galactic
    return place.l.wrap_at("180d").deg, place.b.deg


single, double = galactic("icrs", lon, lat), galactic("icrs", *plain)
off = np.hypot((single[0] - double[0]) * np.cos(np.radians(double[1])), single[1] - double[1]).max()
moved = int(np.any([np.floor(a / 0.02) != np.floor(b / 0.02) for a, b in zip(single, double)], axis=0).sum())

# By hand: the galactic latitude of positions in FK5, which define the galactic pole.
pole_lon, pole_lat = np.radians([192.8594812065348, 27.12825118085622])
a, d = np.radians(plain)
sine = np.sin(d) * np.sin(pole_lat) + np.cos(d) * np.cos(pole_lat) * np.cos(a - pole_lon)
by_hand = np.degrees(np.arcsin(sine))
errors = [float(np.abs(galactic("fk5", *given)[1] - by_hand).max()) for given in ((lon, lat), plain)]
print(f"astropy {version('astropy')}, numpy {version('numpy')}")
print(f"  single precision goes in, {single[0].dtype} comes out, up to {off:.1e} deg off")
print(f"  events of {lon.size} that are in another pixel of 0.02 deg: {moved}")
print(f"  against spherical trigonometry, latitudes: single {errors[0]:.1e} deg, double {errors[1]:.1e} deg")
held = single[0].dtype == np.float64 and off > 1e-5 and errors[0] > 5e-6 > 1e-11 > errors[1]
sys.exit(0 if held and moved > 0 else 1)
PYTHON
