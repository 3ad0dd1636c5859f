#!/usr/bin/env bash
# Surprise: in Gammapy 2.1 a background with FOVALIGN = RADEC has its positive DETX at smaller right ascension, and one with
# FOVALIGN = ALTAZ at smaller azimuth: axes as on a picture of the sky, mirrored against the coordinate that names them.
# The alignment called REVERSE_LON_RADEC is the one in which DETX grows with right ascension. Who fills DETX with offsets
# in right ascension, or in azimuth, makes a mirrored background; baccmod 0.4.1 turns the sign for this reason.
# Source: gammapy/makers/utils.py, gammapy/utils/coordinates/fov.py. Seen November 2026.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check "gammapy==2.1" "regions==0.11"
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import astropy.units as u
import numpy as np
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, SkyOffsetFrame
from astropy.time import Time
from astropy.utils import iers
from gammapy.data import FixedPointingInfo
from gammapy.irf import Background3D
from gammapy.makers.utils import make_map_background_irf
from gammapy.maps import MapAxis, WcsGeom

iers.conf.auto_download = False
time, site = Time("2024-12-10T23:00:00"), EarthLocation(lon=16.5 * u.deg, lat=-23.27 * u.deg, height=1800 * u.m)
centre = SkyCoord(83.6, 22.0, unit="deg")
energy = MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=2)
lon, lat = (MapAxis.from_edges([-2, 0, 2], unit="deg", name=name) for name in ("fov_lon", "fov_lat"))
geom = WcsGeom.create(skydir=centre, npix=(30, 30), binsz=0.1, proj="TAN", axes=[energy])
positive = np.zeros((2, 2, 2))
positive[:, 1, :] = 1.0  # events at fov_lon > 0 alone
means = {}
for alignment in ("RADEC", "REVERSE_LON_RADEC", "ALTAZ"):
    background = Background3D([energy, lon, lat], data=positive, unit="s-1 TeV-1 sr-1", fov_alignment=alignment)
    pointing = FixedPointingInfo(fixed_icrs=centre)
    predicted = make_map_background_irf(pointing, 1 * u.s, background, geom, time_start=time, location=site)
    frame = AltAz(obstime=time, location=site) if alignment == "ALTAZ" else centre.frame
    offsets = SkyOffsetFrame(origin=centre.transform_to(frame))
    seen = geom.to_image().get_coord().skycoord.transform_to(frame).transform_to(offsets).lon.wrap_at(180 * u.deg)
    means[alignment] = float(np.average(seen.deg, weights=predicted.data[0]))
print(f"Gammapy {version('gammapy')}: where a background at DETX > 0 is predicted")
for alignment, mean in means.items():
    print(f"  {alignment}: {mean:+.2f} deg in {'azimuth' if alignment == 'ALTAZ' else 'right ascension'}")
sys.exit(0 if means["RADEC"] < 0 and means["ALTAZ"] < 0 and means["REVERSE_LON_RADEC"] > 0 else 1)
PYTHON
