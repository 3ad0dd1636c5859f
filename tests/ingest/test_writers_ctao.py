"""Releases of CTAO as their writers made them: the first data challenge (ctobssim) and the prod5 responses."""

from __future__ import annotations

import dataclasses

import pytest
from layouts import (
    FULL,
    classes,
    irf,
    irf_columns,
    moved,
    numbers,
    plain_hdus,
    plain_release,
    relaid,
    write_file,
    write_hdu_index,
    write_obs_index,
)

from xgamma.ingest import open_release
from xgamma.store import Store

J2000 = 51544.5
PSF = {"SCALE": "", "SIGMA_1": "deg", "AMPL_2": "", "SIGMA_2": "deg", "AMPL_3": "", "SIGMA_3": "deg"}
OBS_COLUMNS = "OBS_ID RA_PNT DEC_PNT ALT_PNT ONTIME LIVETIME DEADC TSTART TSTOP N_TELS OBJECT CALDB IRF"


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return plain_release(FULL, tmp_path_factory)


def ctobssim_events(hdus):
    """Return events and good time of ctobssim 1.4: single precision, no HDUCLASS, good time without units."""
    events, good = hdus["EVENTS"], hdus["GTI"]
    kept = ["OBS_ID", "ONTIME", "LIVETIME", "DEADC", "OBJECT", "RA_PNT", "DEC_PNT", "ALT_PNT", "AZ_PNT", "N_TELS"]
    epoch = {"MJDREFI": 51544, "MJDREFF": 0.5, "TIMEUNIT": "s", "TIMESYS": "TT", "TIMEREF": "LOCAL"}
    cards = {
        "CREATOR": "ctobssim (1.4.0)",
        "TELESCOP": "CTA",
        "DATE_OBS": "2021-01-21",
        "RADECSYS": "FK5",
        "EQUINOX": 2000.0,
        "CALDB": "1dc",
        "IRF": "South_z20_50h",
        **epoch,
        **{key: events.header[key] for key in kept},
        **{key: float(moved([events.header[key]], J2000)[0]) for key in ("TSTART", "TSTOP")},
    }
    columns = [
        ("EVENT_ID", "J", ""),
        ("TIME", "D", "s", moved(events.data["TIME"], J2000)),
        ("RA", "E", "deg"),
        ("DEC", "E", "deg"),
        ("ENERGY", "E", "TeV"),
        ("DETX", "E", "deg", None),
        ("DETY", "E", "deg", None),
        ("MC_ID", "J", ""),
    ]
    good_time = [(name, "D", "", moved(good.data[name], J2000)) for name in ("START", "STOP")]
    return relaid(events, "EVENTS", columns, cards), relaid(good, "GTI", good_time, epoch)


def data_challenge_irfs(hdus):
    """Return the responses of the first data challenge: OGIP classes, ETRUE, BGD in ``1/s/MeV/sr``."""
    ogip = {"HDUCLASS": "OGIP", "HDUDOC": "???", "TELESCOP": "CTA", "INSTRUME": "1DC", "ORIGIN": "IRAP"}
    edisp = irf_columns("edisp_2d", energy="ETRUE", MATRIX="")
    background = [*irf_columns("bkg_3d"), ("BGD", "E", "1/s/MeV/sr", "BKG")]
    named = [
        ("aeff", "aeff_2d", "EFFECTIVE AREA", "AEFF", irf_columns("aeff_2d", EFFAREA="m2"), "2D", "EFF_AREA"),
        ("psf", "psf_3gauss", "POINT SPREAD FUNCTION", "PSF", irf_columns("psf_3gauss", **PSF), "3GAUSS", "RPSF"),
        ("edisp", "edisp_2d", "ENERGY DISPERSION", "EDISP", edisp, "2D", "EDISP"),
        ("bkg", "bkg_3d", "BACKGROUND", "BKG", background, "3D", "BKG"),
    ]
    return [
        (
            role,
            kind,
            relaid(hdus[plain], name, columns, {**classes(kind), **ogip, "HDUCLAS2": second, "HDUCLAS4": last}),
        )
        for role, kind, name, plain, columns, last, second in named
    ]


def data_challenge(release, folder):
    """Lay a release out as the first data challenge: an index beside data and caldb, one file of responses for all."""
    runs = plain_hdus(release)
    caldb = folder / "caldb/data/cta/1dc/bcf/South_z20_50h/irf_file.fits"
    irfs = write_file(caldb, 0, data_challenge_irfs(next(iter(runs.values()))))
    rows, events = [], {}
    for obs_id, hdus in runs.items():
        table, gti = ctobssim_events(hdus)
        path = folder / f"data/baseline/gps/gps_baseline_{obs_id:06d}.fits"
        rows += write_file(path, obs_id, [("events", "events", table), ("gti", "gti", gti)])
        rows += [dataclasses.replace(row, obs_id=obs_id) for row in irfs]
        events[obs_id] = table
    index = folder / "index/gps"
    write_hdu_index(index / "hdu-index.fits.gz", rows)
    write_obs_index(index / "obs-index.fits.gz", events, OBS_COLUMNS)
    return folder


@pytest.fixture(scope="module")
def challenge(full, tmp_path_factory):
    return data_challenge(full[0], tmp_path_factory.mktemp("1dc"))


def test_the_first_data_challenge_gives_the_numbers_of_the_plain_release(full, challenge, tmp_path):
    numbers(challenge / "index/gps", tmp_path).assert_equal(full[1]())


def test_the_shared_responses_of_the_data_challenge_are_stored_once(challenge):
    opened = open_release(challenge / "index/gps")
    held = opened.load(list(opened.facts()), Store("memory://"))
    assert held.failures == []
    [part] = held.parts.values()
    assert {
        part.table_of(int(part.obs[f"{role}_table"][0])).sizes["irf"] for role in ("aeff", "edisp", "psf", "bkg")
    } == {1}


def test_responses_of_prod5_give_the_numbers_of_the_plain_release(full, tmp_path):
    """``m**2``, ``sr^(-1)``, ``s^-1 MeV^-1 sr^-1``, energy before the field of view, sigmas before amplitudes."""
    units = {"SCALE": "sr^(-1)", "SIGMA_1": "deg", "SIGMA_2": "deg", "SIGMA_3": "deg", "AMPL_2": "", "AMPL_3": ""}
    cards = {"TELESCOP": "CTA", "INSTRUME": "Southern Array", "ORIGIN": "CTAO"}
    rows, events = [], {}
    for obs_id, hdus in plain_hdus(full[0]).items():
        # Energy varies fastest in the file.
        field, axes = hdus["BKG"].data["BKG"].transpose(0, 2, 3, 1), irf_columns("bkg_3d")
        columns = [*axes[4:], *axes[:4], ("BKG", "E", "s^-1 MeV^-1 sr^-1", field)]
        background = relaid(hdus["BKG"], "BACKGROUND", columns, classes("bkg_3d", FOVALIGN="RADEC", **cards))
        tables = [
            ("events", "events", hdus["EVENTS"]),
            ("gti", "gti", hdus["GTI"]),
            ("aeff", "aeff_2d", irf(hdus["AEFF"], "EFFECTIVE AREA", "aeff_2d", cards, EFFAREA="m**2")),
            ("psf", "psf_3gauss", irf(hdus["PSF"], "POINT SPREAD FUNCTION", "psf_3gauss", cards, **units)),
            ("edisp", "edisp_2d", irf(hdus["EDISP"], "ENERGY DISPERSION", "edisp_2d", cards, MATRIX="")),
            ("bkg", "bkg_3d", background),
        ]
        rows += write_file(tmp_path / f"prod5/run_{obs_id}.fits", obs_id, tables)
        events[obs_id] = hdus["EVENTS"]
    write_hdu_index(tmp_path / "prod5/hdu-index.fits.gz", rows)
    write_obs_index(tmp_path / "prod5/obs-index.fits.gz", events, "OBS_ID RA_PNT DEC_PNT TSTART TSTOP")
    bkg_peak = "datasets: {safe_mask: {methods: [aeff-max, bkg-peak]}}"
    numbers(tmp_path / "prod5", tmp_path, bkg_peak).assert_equal(full[1](bkg_peak))
