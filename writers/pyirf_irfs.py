# /// script
# dependencies = ["pyirf==0.13.0"]
# [tool.xgamma]
# writer = "pyirf 0.13.0"
# made = "aeff, edisp, psf table, bkg 2d"
# plain = "full"
# exposure = 1e-6
# ///
"""Responses of pyirf beside simulated events: one offset bin, double precision, background in MeV-1 s-1 sr-1."""

from __future__ import annotations

import sys
from pathlib import Path

from irfs import area_and_migration, psf_and_background
from plain import runs, write_file, write_index

ROLES = [
    ("events", "events"),
    ("gti", "gti"),
    ("aeff", "aeff_2d"),
    ("edisp", "edisp_2d"),
    ("psf", "psf_table"),
    ("bkg", "bkg_2d"),
]


def main(release: Path, folder: Path) -> None:
    rows, events = [], {}
    for obs_id, hdus in runs(release):
        tables = [*area_and_migration(hdus, False, "EDISP"), *psf_and_background(hdus)]
        path = folder / f"run_{obs_id}.fits.gz"
        rows += write_file(path, obs_id, [hdus["EVENTS"], hdus["GTI"], *tables], ROLES)
        events[obs_id] = hdus["EVENTS"].header
    write_index(folder, rows, events)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
