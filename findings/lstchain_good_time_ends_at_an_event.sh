#!/usr/bin/env bash
# Surprise: lstchain 0.12.3 writes the time of the last event as STOP of the only good time interval. Gammapy (1.3 here,
# 2.1 does the same) selects events with start <= time < stop: a run that is cut to its own good time loses its last event.
# A reader that takes good time as half-open loses one event in every LST run; magic-cta-pipe 0.6.2 writes the same.
# Source: lstchain/high_level/hdu_table.py, create_event_list; gammapy/data, EventList.select_time. Seen November 2026.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check lstchain==0.12.3
"$folder/env/bin/python" -W ignore - "$folder" <<'PYTHON'
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable
from astropy.time import Time
from astropy.utils import iers
from gammapy.data import GTI, EventList
from lstchain.high_level import create_event_list

iers.conf.auto_download = False
count = 50
seconds = Time("2025-01-01T22:00:00").unix + np.sort(np.random.default_rng(1).uniform(0, 1200, count))
one = np.ones(count)
table = QTable({
    "event_id": np.arange(count), "dragon_time": seconds, "RA": 83.6 * one * u.deg, "Dec": 22.0 * one * u.deg,
    "reco_energy": one * u.TeV, "gh_score": one, "reco_alt": 70 * one * u.deg, "reco_az": 100 * one * u.deg,
    "pointing_alt": 70 * one * u.deg, "pointing_az": 100 * one * u.deg, "tel_id": np.ones(count, int),
})
parameters = {"ZEN_PNT": 20 * u.deg, "AZ_PNT": 100 * u.deg, "B_DELTA": 50 * u.deg}
place = SkyCoord(83.63, 22.01, unit="deg")
tables = create_event_list(table, 1, "Crab", place, 1140.0, 1200.0, parameters)
path = Path(sys.argv[1]) / "run.fits"
fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(path)

events, gti = EventList.read(path), GTI.read(path)
kept = len(events.select_time(gti.time_intervals[0]).table)
last = float(fits.getdata(path, "EVENTS")["TIME"][-1] - fits.getdata(path, "GTI")["STOP"][-1])
print(f"lstchain {version('lstchain')}: last event minus STOP: {last} s")
print(f"Gammapy {version('gammapy')}: {kept} of {count} events lie in the run's own good time")
sys.exit(0 if last == 0 and kept == count - 1 else 1)
PYTHON
