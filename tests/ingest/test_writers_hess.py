"""Releases of H.E.S.S. with few index columns and no names, and backgrounds that baccmod adds to a release."""

from __future__ import annotations

import numpy as np
import pytest
from layouts import (
    FULL,
    PSF_TABLE,
    Written,
    classes,
    irf_columns,
    numbers,
    plain_hdus,
    plain_release,
    relaid,
    write_file,
    write_hdu_index,
    write_obs_index,
)

BKG_PEAK = "datasets: {safe_mask: {methods: [aeff-max, bkg-peak]}}"
BACCMOD_UNIT = "s-1 MeV-1 sr-1"


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return plain_release(PSF_TABLE, tmp_path_factory)


@pytest.fixture(scope="module")
def release_3d(tmp_path_factory):
    return plain_release(FULL, tmp_path_factory)


def hess_tables(hdus):
    """Return the HDUs of H.E.S.S. DR1: EQUINOX as a number, MJDREFF with a last digit of its own, no FOVALIGN."""
    for name in ("EVENTS", "GTI"):
        hdus[name].header["MJDREFF"] = 0.000742870370370241
    hdus["EVENTS"].header.update(EQUINOX=2000, RADECSYS="FK5", OBS_MODE="WOBBLE", CREATOR="SASH FITS::EventListWriter")
    kinds = {"AEFF": "aeff_2d", "EDISP": "edisp_2d", "PSF": "psf_table", "BKG": "bkg_2d"}
    irfs = [(name.lower(), kind, hdus[name]) for name, kind in kinds.items()]
    return [("events", "events", hdus["EVENTS"]), ("gti", "gti", hdus["GTI"]), *irfs]


def test_the_minimal_datastore_gives_the_numbers_of_the_plain_release(release, tmp_path):
    """Index tables without EXTNAME, five columns, rows in any order, names of HDUs in small letters."""
    folder, rows, events = tmp_path / "minimal", [], {}
    for obs_id, hdus in plain_hdus(release[0]).items():
        path = folder / f"data/hess_dl3_dr1_obs_id_{obs_id:06d}.fits.gz"
        written = write_file(path, obs_id, hess_tables(hdus))
        rows += [Written(obs_id, row.hdu_type, row.hdu_class, path, row.name.lower()) for row in written]
        events[obs_id] = hdus["EVENTS"]
    shuffled = [rows[number] for number in np.random.default_rng(3).permutation(len(rows))]
    write_hdu_index(folder / "hdu-index.fits.gz", shuffled, "")
    write_obs_index(folder / "obs-index.fits.gz", events, "OBS_ID RA_PNT DEC_PNT TSTART TSTOP", "")
    numbers(folder, tmp_path).assert_equal(release[1]())


def baccmod_table(hdus, kind):
    """Return a background as baccmod writes it (through Gammapy): energy first, double precision, TDIM everywhere."""
    cards = classes(kind, **({"FOVALIGN": "ALTAZ"} if kind == "bkg_3d" else {}))
    axes = irf_columns(kind, "D")
    values = hdus["BKG"].data["BKG"]
    if kind == "bkg_3d":
        axes, values = [*axes[4:], *axes[:4]], values.transpose(0, 2, 3, 1)
    return relaid(hdus["BKG"], "BACKGROUND", [*axes, ("BKG", "D", BACCMOD_UNIT, values)], cards, every_tdim=True)


@pytest.mark.some_long(2)
@pytest.mark.parametrize("kind", ["bkg_2d", "bkg_3d"])
def test_backgrounds_of_baccmod_beside_the_runs_give_the_numbers_of_the_plain_release(request, tmp_path, kind):
    plain, right = request.getfixturevalue("release" if kind == "bkg_2d" else "release_3d")
    folder, rows, events = tmp_path / "hess", [], {}
    psf = "psf_table" if kind == "bkg_2d" else "psf_3gauss"
    for obs_id, hdus in plain_hdus(plain).items():
        tables = [("events", "events", hdus["EVENTS"]), ("gti", "gti", hdus["GTI"]), ("psf", psf, hdus["PSF"])]
        tables += [(role, f"{role}_2d", hdus[role.upper()]) for role in ("aeff", "edisp")]
        rows += write_file(folder / f"data/run_{obs_id}.fits.gz", obs_id, tables)
        path = folder / f"background/acceptance_obs-{obs_id}.fits"
        rows += write_file(path, obs_id, [("bkg", kind, baccmod_table(hdus, kind))])
        events[obs_id] = hdus["EVENTS"]
    write_hdu_index(folder / "hdu-index.fits.gz", rows)
    write_obs_index(folder / "obs-index.fits.gz", events, "OBS_ID RA_PNT DEC_PNT TSTART TSTOP")
    numbers(folder, tmp_path, BKG_PEAK).assert_equal(right(BKG_PEAK))
