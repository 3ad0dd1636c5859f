#!/usr/bin/env bash
# Surprise: the observation index that lstchain 0.12.3 writes has MJDREFI and MJDREFF, and no TIMESYS, although its event
# lists, from which TSTART is copied, say UTC. Gammapy (1.3 here, 2.1 does the same) then takes TT: by its index every run
# starts 69.184 s before the DATE-OBS and TIME-OBS of the same row, and a selection of runs by time is off by as much.
# Source: lstchain/high_level/hdu_table.py, create_obs_index_hdu; gammapy/data, ObservationTable. Seen November 2026.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check lstchain==0.12.3
"$folder/env/bin/python" -W ignore - "$folder" <<'PYTHON'
import sys
from importlib.metadata import version
from pathlib import Path

from astropy.io import fits
from astropy.time import Time
from gammapy.data import ObservationTable
from lstchain.high_level import create_obs_index_hdu

folder = Path(sys.argv[1])
epoch, start = Time("2018-10-01T00:00:00", scale="utc"), Time("2025-01-01T22:00:00", scale="utc")
cards = {
    "OBS_ID": 1, "DATE-OBS": "2025-01-01", "TIME-OBS": "22:00:00.000", "DATE-END": "2025-01-01", "TIME-END": "22:20:00.000",
    "RA_PNT": 83.6, "DEC_PNT": 22.4, "ALT_PNT": 70.0, "AZ_PNT": 100.0, "RA_OBJ": 83.63, "DEC_OBJ": 22.01,
    "TSTART": (start - epoch).sec, "TSTOP": (start - epoch).sec + 1200.0, "ONTIME": 1200.0, "TELAPSE": 1200.0,
    "LIVETIME": 1140.0, "DEADC": 0.95, "OBJECT": "Crab", "OBS_MODE": "POINTING", "N_TELS": 1, "TELLIST": "LST-1",
    "INSTRUME": "LST-1", "MJDREFI": int(epoch.mjd), "MJDREFF": 0.0, "TIMESYS": "UTC", "TIMEUNIT": "s",
}
events = fits.BinTableHDU.from_columns([fits.Column("TIME", "D", "s", array=[0.0])], name="EVENTS")
events.header.update(cards)
fits.HDUList([fits.PrimaryHDU(), events]).writeto(folder / "run.fits")
create_obs_index_hdu([folder / "run.fits"], folder / "obs-index.fits.gz", overwrite=True)

header = fits.getheader(folder / "obs-index.fits.gz", 1)
early = (start - ObservationTable.read(folder / "obs-index.fits.gz").time_start[0]).sec
print(f"lstchain {version('lstchain')}: TIMESYS in the index: {header.get('TIMESYS')}")
print(f"Gammapy {version('gammapy')}: the run starts {early:.3f} s early")
sys.exit(0 if "TIMESYS" not in header and abs(early - 69.184) < 1e-3 else 1)
PYTHON
