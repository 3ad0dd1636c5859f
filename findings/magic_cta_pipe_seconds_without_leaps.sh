#!/usr/bin/env bash
# Surprise: magic-cta-pipe 0.6.2 writes Unix seconds, which do not count leap seconds, as TIME since MJDREFI 40587 in UTC,
# from where FITS counts elapsed seconds. Read by the rules, every time is 29 s before DATE-OBS and TIME-OBS of the same
# header: two event lists of one night, by lstchain and by magic-cta-pipe, are 29 s apart.
# Source: magicctapipe/io/gadf.py, create_event_hdu; FITS standard 4.0, section 9. Seen November 2026.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check magic-cta-pipe==0.6.2 lstchain==0.12.3
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from astropy import units as u
from astropy.table import QTable
from astropy.time import Time, TimeDelta
from magicctapipe.io.gadf import create_event_hdu

one = np.ones(2)
start = Time("2025-01-01T22:00:00", scale="utc")
table = QTable({
    "obs_id": np.array([1, 1]), "event_id": np.array([1, 2]), "timestamp": (start.unix + np.array([0.0, 1200.0])) * u.s,
    "reco_ra": 83.6 * one * u.deg, "reco_dec": 22.0 * one * u.deg, "reco_energy": one * u.TeV, "gammaness": one,
    "multiplicity": np.array([3, 3]), "combo_type": np.array([1, 1]), "reco_alt": 70 * one * u.deg,
    "reco_az": 100 * one * u.deg, "pointing_ra": 83.6 * one * u.deg, "pointing_dec": 22.4 * one * u.deg,
    "pointing_alt": 70 * one * u.deg, "pointing_az": 100 * one * u.deg,
})
header = create_event_hdu(table, 1200 * u.s, 0.95, "no such source", "83.63 deg", "22.01 deg").header
epoch = Time(header["MJDREFI"], header["MJDREFF"], format="mjd", scale=header["TIMESYS"].lower())
read = epoch + TimeDelta(header["TSTART"], format="sec")
written = Time(f"{header['DATE-OBS']}T{header['TIME-OBS']}", scale="utc")
early = (written - read).sec
print(f"magic-cta-pipe {version('magic-cta-pipe')}: TSTART {header['TSTART']} since MJD {header['MJDREFI']} {header['TIMESYS']}")
print(f"which is {early:.3f} s before the {written.isot} of its header")
sys.exit(0 if abs(early - 29.0) < 1e-3 else 1)
PYTHON
