# /// script
# dependencies = ["magic-cta-pipe==0.6.2", "lstchain==0.12.3"]
# [tool.xgamma]
# writer = "magic-cta-pipe 0.6.2"
# made = "events, gti, pointing, cuts, both indexes; aeff, edisp of its pyirf 0.12"
# plain = "point-like"
# exposure = 5e-2
# ///
"""A release of MAGIC with LST. Good time is that of the events; Unix seconds make all times 29 s early."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable
from magicctapipe.io.gadf import create_event_hdu, create_gh_cuts_hdu, create_gti_hdu, create_pointing_hdu
from magicctapipe.scripts.lst1_magic.create_dl3_index_files import create_dl3_index_files

from irfs import area_and_migration
from plain import ONE_BIN, Hdus, edges, runs, times


def dl2_table(obs_id: int, hdus: Hdus) -> QTable:
    """Return the reconstructed events as magic-cta-pipe's DL2 has them; directions in the sky alone are used."""
    events, header = hdus["EVENTS"].data, hdus["EVENTS"].header
    one = np.ones(len(events))
    return QTable(
        {
            "obs_id": np.full(len(events), obs_id),
            "event_id": np.asarray(events["EVENT_ID"], np.int64),
            "timestamp": times(hdus).utc.unix * u.s,
            "reco_ra": np.asarray(events["RA"], float) * u.deg,
            "reco_dec": np.asarray(events["DEC"], float) * u.deg,
            "reco_energy": np.asarray(events["ENERGY"], float) * u.TeV,
            "gammaness": 0.9 * one,
            "multiplicity": np.full(len(events), 3),
            "combo_type": np.full(len(events), 1),
            "reco_alt": 45.0 * one * u.deg,
            "reco_az": 100.0 * one * u.deg,
            "pointing_ra": header["RA_PNT"] * one * u.deg,
            "pointing_dec": header["DEC_PNT"] * one * u.deg,
            "pointing_alt": 45.0 * one * u.deg,
            "pointing_az": 100.0 * one * u.deg,
        }
    )


def main(release: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    for obs_id, hdus in runs(release):
        header, table = hdus["EVENTS"].header, dl2_table(obs_id, hdus)
        # A name that no server knows: the position given beside it counts.
        place = {"source_ra": f"{header['RA_OBJ']} deg", "source_dec": f"{header['DEC_OBJ']} deg"}
        events = create_event_hdu(table, header["ONTIME"] * u.s, header["DEADC"], "simulated", **place)
        area = area_and_migration(hdus, True, "ENERGY DISPERSION", RAD_MAX=(0.11, "deg"), TELESCOP="CTA-N")[0]
        migration = area_and_migration(hdus, True, "ENERGY DISPERSION")[1]
        energies = edges(hdus["AEFF"], "ENERG", u.TeV)
        cuts = create_gh_cuts_hdu(np.full((len(energies) - 1, 1), 0.7), energies, ONE_BIN)
        tables = [events, create_gti_hdu(table), create_pointing_hdu(table), area, migration, cuts]
        path = folder / f"dl3_LST-1_MAGIC.Run{obs_id:08d}.fits.gz"
        fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(path)
    create_dl3_index_files(str(folder))


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
