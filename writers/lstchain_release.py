# /// script
# dependencies = ["lstchain==0.12.3"]
# [tool.xgamma]
# writer = "lstchain 0.12.3"
# made = "events, gti, pointing, both indexes; aeff, edisp of its pyirf 0.12"
# plain = "point-like"
# exposure = 5e-2
# ///
"""A release of lstchain. Good time is from its first to its last event: the exposure is a bit less."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import AltAz, SkyCoord
from astropy.io import fits
from astropy.table import QTable
from astropy.utils import iers
from ctapipe_io_lst.constants import LST1_LOCATION
from lstchain.high_level import create_event_list, create_hdu_index_hdu, create_obs_index_hdu

from irfs import area_and_migration
from plain import Hdus, runs, times

iers.conf.auto_download = False


def dl2_table(hdus: Hdus) -> QTable:
    """Return the reconstructed events as lstchain's DL2 has them."""
    events, header = hdus["EVENTS"].data, hdus["EVENTS"].header
    at = times(hdus).utc
    frame = AltAz(obstime=at, location=LST1_LOCATION)
    icrs = SkyCoord(np.asarray(events["RA"], float), np.asarray(events["DEC"], float), unit="deg")
    reconstructed = icrs.transform_to(frame)
    pointing = SkyCoord(header["RA_PNT"], header["DEC_PNT"], unit="deg").transform_to(frame)
    return QTable(
        {
            "event_id": np.asarray(events["EVENT_ID"], np.int64),
            "dragon_time": at.unix,
            "RA": icrs.ra,
            "Dec": icrs.dec,
            "reco_energy": np.asarray(events["ENERGY"], float) * u.TeV,
            "gh_score": np.full(len(events), 0.9),
            "reco_alt": reconstructed.alt,
            "reco_az": reconstructed.az,
            "pointing_alt": pointing.alt,
            "pointing_az": pointing.az,
            "tel_id": np.ones(len(events), np.int64),
        }
    )


def main(release: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    files = []
    for obs_id, hdus in runs(release):
        header = hdus["EVENTS"].header
        source = SkyCoord(header["RA_OBJ"], header["DEC_OBJ"], unit="deg")
        parameters = {"ZEN_PNT": 45.0 * u.deg, "AZ_PNT": 100.0 * u.deg, "B_DELTA": 50.0 * u.deg}
        tables = create_event_list(
            dl2_table(hdus), obs_id, header["OBJECT"], source, header["LIVETIME"], header["ONTIME"], parameters
        )
        irfs = area_and_migration(hdus, True, "ENERGY DISPERSION", RAD_MAX=(0.11, "deg"), TELESCOP="CTA-N")
        files.append(folder / f"dl3_LST-1.Run{obs_id:05d}.fits.gz")
        fits.HDUList([fits.PrimaryHDU(), *tables, *irfs]).writeto(files[-1])
    create_hdu_index_hdu(files, folder / "hdu-index.fits.gz", overwrite=True)
    create_obs_index_hdu(files, folder / "obs-index.fits.gz", overwrite=True)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
