"""Releases of LST (lstchain 0.12) and of MAGIC with LST (magic-cta-pipe 0.6), with the responses of pyirf."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time
from layouts import (
    POINT_LIKE,
    POINTLIKE_IRFS,
    PSF_TABLE,
    classes,
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

from xgamma.errors import XgammaError
from xgamma.ingest import open_release
from xgamma.simulate import AnalyticResponse
from xgamma.simulate.plan import MJDREFF, MJDREFI
from xgamma.store import Store

LST_EPOCH = 58392
UNIX_EPOCH = 40587.0
OBS_COLUMNS = (
    "OBS_ID RA_PNT DEC_PNT ALT_PNT AZ_PNT RA_OBJ DEC_OBJ TSTART TSTOP ONTIME TELAPSE LIVETIME DEADC OBJECT OBS_MODE "
    "N_TELS TELLIST INSTRUME"
)
RUN_CARDS = "OBS_ID ONTIME TELAPSE DEADC LIVETIME OBJECT OBS_MODE N_TELS RA_PNT DEC_PNT ALT_PNT AZ_PNT RA_OBJ DEC_OBJ"
GADF = {"HDUCLASS": "GADF", "HDUVERS": "0.3", "ORIGIN": "CTA", "TELESCOP": "CTA-N", "CREATOR": "lstchain v0.12.3"}
UNITS = {
    "aeff_2d": {"EFFAREA": "m2"},
    "edisp_2d": {"MATRIX": ""},
    "psf_table": {"RPSF": "sr-1"},
    "bkg_2d": {"BKG": "MeV-1 s-1 sr-1"},
}
NAMES = {
    "aeff_2d": "EFFECTIVE AREA",
    "edisp_2d": "ENERGY DISPERSION",
    "psf_table": "PSF",
    "bkg_2d": "BACKGROUND",
}


def in_utc(values, mjdrefi):
    """Return elapsed seconds since an epoch in UTC, as lstchain counts them."""
    return moved(values, float(Time(mjdrefi, format="mjd", scale="utc").tt.mjd))


def in_unix_seconds(values, mjdrefi):
    """Return Unix seconds, which leave the leap seconds since 1970 out, as magic-cta-pipe writes them."""
    return Time(MJDREFI + MJDREFF, np.asarray(values) / 86400.0, format="mjd", scale="tt").utc.unix


def dl3_tables(hdus, mjdrefi, clock, cards):
    """Return EVENTS, GTI and POINTING as both pipelines write them, from times that ``clock`` gives."""
    events, good = hdus["EVENTS"], hdus["GTI"]
    epoch = {"MJDREFI": mjdrefi, "MJDREFF": 0.0, "TIMEUNIT": "s", "TIMESYS": "UTC", "TIMEREF": "TOPOCENTER"}
    start, stop = (float(clock([events.header[key]], mjdrefi)[0]) for key in ("TSTART", "TSTOP"))
    kept = {key: events.header[key] for key in RUN_CARDS.split()}
    instrument = {"TELLIST": "LST-1", "INSTRUME": "LST-1", "FOVALIGN": "RADEC"}
    columns = [
        ("EVENT_ID", "K", ""),
        ("TIME", "D", "s", clock(events.data["TIME"], mjdrefi)),
        ("RA", "D", "deg"),
        ("DEC", "D", "deg"),
        ("ENERGY", "D", "TeV"),
        ("GAMMANESS", "D", "", None),
        ("MULTIP", "K", "", "EVENT_ID"),
        *((name, "D", "deg", None) for name in ("GLON", "GLAT", "ALT", "AZ")),
    ]
    header = {**cards, "HDUCLAS1": "EVENTS", **kept, **instrument, **epoch, "TSTART": start, "TSTOP": stop}
    good_time = [(name, "D", "s", clock(good.data[name], mjdrefi)) for name in ("START", "STOP")]
    pointing = [
        (name, "D", unit, np.array([value])) for name, unit, value in (("TIME", "s", start), ("RA_PNT", "deg", 83.6))
    ]
    return [
        ("events", "events", relaid(events, "EVENTS", columns, header)),
        ("gti", "gti", relaid(good, "GTI", good_time, {**cards, "HDUCLAS1": "GTI", "OBS_ID": kept["OBS_ID"], **epoch})),
        ("pointing", "pointing", relaid(good, "POINTING", pointing, {**cards, "HDUCLAS1": "POINTING", **epoch})),
    ]


def pyirf_table(hdus, kind, enclosure, **cards):
    """Return a response as pyirf writes it: double precision, ENERG in all of them, a CREF for the value column."""
    columns = irf_columns(kind, "D", **UNITS[kind])
    axes = ",".join(f"{name}:{name[:-3]}_HI" for name, *_ in columns if name.endswith("_LO"))
    cref = {f"CREF{len(columns)}": f"({axes})"}
    made = {"CREATOR": "pyirf v0.12.0", "DATE": "2026-01-01 00:00:00.000"}
    plain = hdus[kind.split("_")[0].upper()]
    return (
        kind.split("_")[0],
        kind,
        relaid(plain, NAMES[kind], columns, classes(kind, enclosure, **made, **cref, **cards)),
    )


def gh_cuts():
    """Return the table of gamma-hadron cuts, which is no response of GADF."""
    columns = [fits.Column(name, "1D", "TeV", array=[0.1]) for name in ("low", "center", "high")]
    return fits.BinTableHDU.from_columns([*columns, fits.Column("cut", "1D", array=[0.7])], name="GH_CUTS")


def write_release(folder, runs):
    """Write files of (HDU_TYPE, HDU_CLASS, table) by run, and the index of both pipelines, which lists no GH_CUTS."""
    rows = []
    for obs_id, tables in runs.items():
        written = write_file(folder / f"dl3_LST-1.Run{obs_id:05d}.fits.gz", obs_id, tables)
        rows += [row for row in written if row.name != "GH_CUTS"]
    write_hdu_index(folder / "hdu-index.fits.gz", rows, "HDU INDEX")
    events = {obs_id: tables[0][2] for obs_id, tables in runs.items()}
    write_obs_index(folder / "obs-index.fits.gz", events, OBS_COLUMNS, "OBS INDEX")
    return folder


def lst_release(release, folder, kinds, enclosure, **cards):
    """Lay a release out as lstchain does."""
    runs = {}
    for obs_id, hdus in plain_hdus(release).items():
        irfs = [pyirf_table(hdus, kind, enclosure, TELESCOP="CTA-N", **cards) for kind in kinds]
        runs[obs_id] = [*dl3_tables(hdus, LST_EPOCH, in_utc, GADF), *irfs, ("gh_cuts", "gh_cuts", gh_cuts())]
    return write_release(folder, runs)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return plain_release(PSF_TABLE, tmp_path_factory)


@pytest.fixture(scope="module")
def point_like(tmp_path_factory):
    return plain_release(POINT_LIKE, tmp_path_factory)


def test_a_point_like_release_of_lst_gives_the_numbers_of_the_plain_release(point_like, tmp_path):
    folder = lst_release(point_like[0], tmp_path / "lst", ["aeff_2d", "edisp_2d"], "POINT-LIKE", RAD_MAX=0.11)
    numbers(folder, tmp_path, POINTLIKE_IRFS).assert_equal(point_like[1](POINTLIKE_IRFS))


def test_a_full_enclosure_release_of_lst_gives_the_numbers_of_the_plain_release(full, tmp_path):
    folder = lst_release(full[0], tmp_path / "lst", list(UNITS), "FULL-ENCLOSURE")
    bkg_peak = "datasets: {safe_mask: {methods: [aeff-max, bkg-peak]}}"
    numbers(folder, tmp_path, bkg_peak).assert_equal(full[1](bkg_peak))


def test_files_of_lst_without_an_index_give_the_numbers_of_the_plain_release(full, tmp_path):
    folder = lst_release(full[0], tmp_path / "lst", list(UNITS), "FULL-ENCLOSURE")
    for index in folder.glob("*-index.fits.gz"):
        index.unlink()
    numbers(folder, tmp_path).assert_equal(full[1]())


def one_offset_bin(hdus, kind):
    """Return a response of which only the node at 0.5 deg is left, in one bin."""
    role = kind.split("_")[0]
    plain = hdus[role.upper()]
    node = int(np.flatnonzero(np.isclose(plain.data["THETA_LO"][0], 0.5))[0])
    edges = {"THETA_LO": np.zeros((1, 1)), "THETA_HI": np.ones((1, 1))}
    columns = [
        (name, letter, unit, edges.get(name, name))
        if name.endswith(("_LO", "_HI"))
        else (name, letter, unit, plain.data[name][:, node : node + 1])
        for name, letter, unit, *_ in irf_columns(kind, "D", **UNITS[kind])
    ]
    return role, kind, relaid(plain, NAMES[kind], columns, classes(kind, "POINT-LIKE", RAD_MAX=0.11))


def test_responses_of_pyirf_with_one_offset_bin_hold_at_every_offset(point_like, tmp_path):
    """All runs point 0.5 deg off, where both tables have a node: its values in one bin are the same responses."""
    runs = {}
    for obs_id, hdus in plain_hdus(point_like[0]).items():
        irfs = [one_offset_bin(hdus, kind) for kind in ("aeff_2d", "edisp_2d")]
        runs[obs_id] = [*dl3_tables(hdus, LST_EPOCH, in_utc, GADF), *irfs]
    folder = write_release(tmp_path / "one", runs)
    numbers(folder, tmp_path, POINTLIKE_IRFS).assert_equal(point_like[1](POINTLIKE_IRFS))


def test_raises_for_point_like_responses_of_pyirf_without_rad_max(point_like, tmp_path):
    folder = lst_release(point_like[0], tmp_path / "lst", ["aeff_2d", "edisp_2d"], "POINT-LIKE")
    with pytest.raises(XgammaError, match="RAD_MAX"):
        numbers(folder, tmp_path, POINTLIKE_IRFS)


def test_a_release_of_magic_and_lst_gives_the_numbers_of_the_plain_release(point_like, tmp_path):
    """Unix seconds on an epoch of 1970, no HDUCLASS, the energy dispersion point-like without RAD_MAX."""
    folder = magic_lst_release(point_like[0], tmp_path / "magic-lst")
    numbers(folder, tmp_path, POINTLIKE_IRFS).assert_equal(point_like[1](POINTLIKE_IRFS))


def magic_lst_release(release, folder):
    runs = {}
    for obs_id, hdus in plain_hdus(release).items():
        area = pyirf_table(hdus, "aeff_2d", "POINT-LIKE", RAD_MAX=0.11)
        migration = pyirf_table(hdus, "edisp_2d", "POINT-LIKE")
        tables = dl3_tables(hdus, UNIX_EPOCH, in_unix_seconds, {"CREATED": "2026-01-01 00:00:00.000"})
        runs[obs_id] = [*tables, area, migration, ("gh_cuts", "gh_cuts", gh_cuts())]
    return write_release(folder, runs)


def test_times_of_magic_and_lst_are_early_by_the_leap_seconds_that_their_writer_leaves_out(point_like, tmp_path):
    folder = magic_lst_release(point_like[0], tmp_path / "magic-lst")
    early, right = (first_times(release) for release in (folder, point_like[0]))
    np.testing.assert_allclose((early - right).sec, -29.0, atol=1e-3)


def first_times(release):
    opened = open_release(release)
    held = opened.load(list(opened.facts()), Store("memory://"))
    [part] = held.parts.values()
    return Time(part.obs.attrs["mjdref"], part.obs["tstart"].values / 86400.0, format="mjd", scale="tt")


def test_the_last_event_which_is_the_stop_of_good_time_is_counted(point_like, tmp_path):
    """Both pipelines write the times of the first and the last event as good time."""
    runs, expected = {}, {}
    for obs_id, hdus in plain_hdus(point_like[0]).items():
        events, good = hdus["EVENTS"].data, hdus["GTI"].data
        for name, value in (("RA", 83.633), ("DEC", 22.014), ("ENERGY", 2.0)):
            events[name][[0, -1]] = value
        good["START"], good["STOP"] = events["TIME"][0], events["TIME"][-1]
        irfs = [pyirf_table(hdus, kind, "POINT-LIKE", RAD_MAX=0.11) for kind in ("aeff_2d", "edisp_2d")]
        runs[obs_id] = [*dl3_tables(hdus, LST_EPOCH, in_utc, GADF), *irfs]
        inside = (events["ENERGY"] >= 0.5) & (events["ENERGY"] < 30.0)
        distance = np.hypot((events["RA"] - 83.633) * np.cos(np.deg2rad(22.014)), events["DEC"] - 22.014)
        expected[obs_id] = int((inside & (distance < 0.11)).sum())
    found = numbers(write_release(tmp_path / "lst", runs), tmp_path, POINTLIKE_IRFS)
    assert dict(zip(found.obs_ids, found.counts.sum(axis=(1, 2)).astype(int).tolist(), strict=True)) == expected


def test_ids_and_texts_of_an_index_of_lst_are_those_of_its_runs(point_like, tmp_path):
    folder = lst_release(point_like[0], tmp_path / "lst", ["aeff_2d", "edisp_2d"], "POINT-LIKE", RAD_MAX=0.11)
    table = Table.read(folder / "hdu-index.fits.gz", hdu=1)
    assert set(table["HDU_TYPE"]) == {"events", "gti", "pointing", "aeff", "edisp"}
    opened = open_release(folder)
    assert list(opened.facts()) == [1, 2]


def rad_max_table(hdus, values):
    """Return a table of radii as pyirf writes it, of shape (1, offset, energy)."""
    columns = [*irf_columns("rad_max_2d", "D"), ("RAD_MAX", "D", "deg", values)]
    return relaid(hdus["RAD_MAX"], "RAD_MAX", columns, classes("rad_max_2d", "POINT-LIKE", TH_CONT=0.7))


def with_rad_max_table(folder, tmp_path_factory, constant):
    plan = dataclasses.replace(
        POINT_LIKE, name="rad-max", response=AnalyticResponse(energy_bins=16, enclosure="point-like", rad_max_2d=True)
    )
    runs = {}
    for obs_id, hdus in plain_hdus(plain_release(plan, tmp_path_factory)[0]).items():
        irfs = [pyirf_table(hdus, kind, "POINT-LIKE") for kind in ("aeff_2d", "edisp_2d")]
        values = hdus["RAD_MAX"].data["RAD_MAX"]
        table = rad_max_table(hdus, np.full(values.shape, 0.11) if constant else values)
        runs[obs_id] = [*dl3_tables(hdus, LST_EPOCH, in_utc, GADF), *irfs, ("rad_max", "rad_max_2d", table)]
    return write_release(folder, runs)


def test_a_rad_max_table_of_one_value_is_that_radius(tmp_path, tmp_path_factory):
    found = numbers(with_rad_max_table(tmp_path / "lst", tmp_path_factory, constant=True), tmp_path, POINTLIKE_IRFS)
    assert found.obs_ids == [1, 2]


def test_raises_for_radii_that_depend_on_energy_and_names_the_run(tmp_path, tmp_path_factory):
    folder = with_rad_max_table(tmp_path / "lst", tmp_path_factory, constant=False)
    with pytest.raises(XgammaError, match="RAD_MAX"):
        numbers(folder, tmp_path, POINTLIKE_IRFS)


def test_raises_for_a_point_like_label_beside_a_psf_without_rad_max(full, tmp_path):
    """magic-cta-pipe labels area and dispersion of all its DL3 files point-like, those of full enclosure too."""
    runs = {}
    for obs_id, hdus in plain_hdus(full[0]).items():
        labels = {kind: "POINT-LIKE" if kind in ("aeff_2d", "edisp_2d") else "FULL-ENCLOSURE" for kind in UNITS}
        irfs = [pyirf_table(hdus, kind, label) for kind, label in labels.items()]
        runs[obs_id] = [*dl3_tables(hdus, UNIX_EPOCH, in_unix_seconds, {}), *irfs]
    folder = write_release(tmp_path / "magic-lst", runs)
    for corrected in ("true", "false"):
        with pytest.raises(XgammaError, match=r"RAD_MAX|point-like"):
            numbers(folder, tmp_path / corrected, f"datasets: {{containment_correction: {corrected}}}")
