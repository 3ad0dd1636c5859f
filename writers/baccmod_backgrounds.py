# /// script
# dependencies = ["baccmod==0.4.1", "gammapy==2.1", "regions==0.11"]
# [tool.xgamma]
# writer = "baccmod 0.4.1"
# made = "bkg 2d and bkg 3d of each run, from the runs themselves"
# plain = "full"
# exposure = 1e-6
# ///
"""Backgrounds that baccmod makes from the runs, in files of their own: of odd runs in 2D, of even runs in 3D."""

from __future__ import annotations

import sys
from pathlib import Path

import astropy.units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.utils import iers
from baccmod import Grid3DAcceptanceMapCreator, RadialAcceptanceMapCreator
from gammapy.data import DataStore
from gammapy.maps import MapAxis
from regions import CircleSkyRegion

from plain import runs, write_file, write_index

iers.conf.auto_download = False
ROLES = [("events", "events"), ("gti", "gti"), ("aeff", "aeff_2d"), ("edisp", "edisp_2d"), ("psf", "psf_table")]


def backgrounds(release: Path) -> dict[int, fits.BinTableHDU]:
    """Return the background of each run as baccmod and Gammapy write it."""
    observations = DataStore.from_dir(release).get_observations(required_irf="full-enclosure")
    header = fits.getheader(next((release / "data").glob("run_*.fits")), "EVENTS")
    source = CircleSkyRegion(SkyCoord(header["RA_OBJ"], header["DEC_OBJ"], unit="deg"), 0.3 * u.deg)
    energy = MapAxis.from_energy_bounds(0.3 * u.TeV, 30 * u.TeV, nbin=5, name="energy")
    offset = MapAxis.from_bounds(0.0, 2.0, nbin=4, unit="deg", name="offset")
    made = {}
    for number, creator in ((1, RadialAcceptanceMapCreator), (0, Grid3DAcceptanceMapCreator)):
        maker = creator(energy, offset, exclude_regions=[source], oversample_map=4)
        # Fitted to runs this short, the 3D norm ends at 0, and baccmod goes on with a background of 0.
        each = maker.create_acceptance_map_per_observation(observations, runwise_normalisation=False)
        for obs_id, background in each.items():
            if int(obs_id) % 2 == number:
                made[int(obs_id)] = background.to_table_hdu(format="gadf-dl3")
    return made


def main(release: Path, folder: Path) -> None:
    rows, events = [], {}
    made = backgrounds(release)
    for obs_id, hdus in runs(release):
        tables = [hdus[name] for name in ("EVENTS", "GTI", "AEFF", "EDISP", "PSF")]
        rows += write_file(folder / f"data/run_{obs_id}.fits.gz", obs_id, tables, ROLES)
        kind = made[obs_id].header["HDUCLAS4"].lower()
        rows += write_file(folder / f"background/run_{obs_id}.fits", obs_id, [made[obs_id]], [("bkg", kind)])
        events[obs_id] = hdus["EVENTS"].header
    write_index(folder, rows, events)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
