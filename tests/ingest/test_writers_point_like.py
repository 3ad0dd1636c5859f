"""Point-like releases as MAGIC, VERITAS and FACT published them: UTC, no PSF, no background, RAD_MAX as a keyword."""

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
    write_table,
)

from xgamma.simulate import AnalyticResponse

RUN_CARDS = "ONTIME LIVETIME DEADC OBJECT RA_OBJ DEC_OBJ RA_PNT DEC_PNT ALT_PNT AZ_PNT N_TELS TELLIST"
OBS_COLUMNS = "OBS_ID RA_PNT DEC_PNT ALT_PNT AZ_PNT ONTIME LIVETIME DEADC TSTART TSTOP N_TELS TELLIST"
LA_PALMA = {"GEOLON": -17.8907013888889, "GEOLAT": 28.761795, "ALTITUDE": 2199.4}
RAD_MAX = POINT_LIKE.response.rad_max


@dataclasses.dataclass(frozen=True)
class Instrument:
    """What one instrument writes: its reference epoch (MJD in UTC), columns of events, cards, and the number type."""

    mjdrefi: float
    columns: tuple[tuple[str, str, str, str | None], ...]
    cards: dict[str, object]
    timeref: str = "local"
    irf_letter: str = "E"
    every_tdim: bool = False

    @property
    def epoch(self):
        times = {"TIMEUNIT": "s", "TIMESYS": "utc", "TIMEREF": self.timeref}
        return {"MJDREFI": self.mjdrefi, "MJDREFF": 0.0, **times}

    def moved(self, values):
        return moved(values, float(Time(self.mjdrefi, format="mjd", scale="utc").tt.mjd))

    def events_and_gti(self, hdus, obs_id):
        events, good = hdus["EVENTS"], hdus["GTI"]
        bounds = self.moved([events.header["TSTART"], events.header["TSTOP"]])
        cards = {
            "HDUCLASS": "GADF",
            "HDUCLAS1": "EVENTS",
            "OBS_ID": obs_id,
            **{key: events.header[key] for key in RUN_CARDS.split()},
            **self.epoch,
            "TSTART": float(bounds[0]),
            "TSTOP": float(bounds[1]),
            **self.cards,
        }
        columns = [
            ("TIME", "D", "s", self.moved(events.data["TIME"])) if column[0] == "TIME" else column
            for column in self.columns
        ]
        gti = [(name, "D", "s", self.moved(good.data[name])) for name in ("START", "STOP")]
        good_time = relaid(good, "GTI", gti, {"HDUCLASS": "GADF", "HDUCLAS1": "GTI", **self.epoch})
        return relaid(events, "EVENTS", columns, cards), good_time

    def irfs(self, hdus, enclosure="POINT-LIKE", **cards):
        named = {"aeff": "EFFECTIVE AREA", "edisp": "ENERGY DISPERSION"}
        units = {"aeff": {"EFFAREA": "m2"}, "edisp": {"MATRIX": ""}}
        cards |= {"RAD_MAX": RAD_MAX} if enclosure == "POINT-LIKE" else {}
        return [
            (
                role,
                f"{role}_2d",
                relaid(
                    hdus[role.upper()],
                    name,
                    irf_columns(f"{role}_2d", self.irf_letter, **units[role]),
                    classes(f"{role}_2d", enclosure, **cards),
                    self.every_tdim,
                ),
            )
            for role, name in named.items()
        ]


def column(name, letter, unit, origin="same"):
    return (name, letter, unit, name if origin == "same" else origin)


SINGLE = (
    column("EVENT_ID", "K", ""),
    column("TIME", "D", "s"),
    column("RA", "E", "deg"),
    column("DEC", "E", "deg"),
    column("ENERGY", "E", "TeV"),
)
MAGIC = Instrument(
    52706,
    SINGLE,
    {"EQUINOX": "", "RADECSYS": "FK5", "TELESCOP": "MAGIC", "CREATOR": "magic_dl3", **LA_PALMA},
)
VERITAS = Instrument(
    53402.0,
    (*SINGLE, *(column(name, "E", "deg", None) for name in ("ALT", "AZ", "Xoff", "Yoff"))),
    {"RADECSYS": "FK5", "EQUINOX": 2000.0, "CREATOR": "pyV2DL3 v0.5::EventDisplay", "TELESCOP": "VERITAS"},
    "topocenter",
    every_tdim=True,
)
FACT = Instrument(
    55835,
    tuple(column(name, letter, unit) for name, letter, unit in (
        ("EVENT_ID", "K", ""),
        ("ENERGY", "D", "TeV"),
        ("DEC", "D", "deg"),
        ("RA", "D", "deg"),
        ("TIME", "D", "s"),
    )),
    {"RADECSYS": "ICRS", "EQUINOX": "2000.0", "TELESCOP": "FACT", "CREATOR": "FACT IRF", **LA_PALMA},
    irf_letter="D",
)  # fmt: skip


@pytest.fixture(scope="module")
def point_like(tmp_path_factory):
    return plain_release(POINT_LIKE, tmp_path_factory)


def single_precision(path):
    """Write the numbers of an observation index in single precision, times too, as MAGIC and VERITAS do."""
    table = Table.read(path)
    for name in table.colnames:
        if table[name].dtype.kind == "f":
            table[name] = table[name].astype(np.float32)
    path.unlink()
    write_table(path, table, "OBS_INDEX")


def magic_release(release, folder, index_names=("HDU_INDEX", "OBS_INDEX")):
    """Lay a release out as MAGIC's public one: OBS_ID of the area as a float, ``m^2``, no EQUINOX."""
    rows, events = [], {}
    for obs_id, hdus in plain_hdus(release).items():
        table, gti = MAGIC.events_and_gti(hdus, 5029746 + obs_id)
        irfs = MAGIC.irfs(hdus, HDUDOC="See comment")
        area = irfs[0][2]
        area.header.update(OBS_ID=float(5029746 + obs_id), LO_THRES=0.07702737, HI_THRES=50.0)
        area.columns["EFFAREA"].unit = "m^2"
        tables = [("events", "events", table), ("gti", "gti", gti), *irfs]
        rows += write_file(folder / f"run_{5029746 + obs_id:08d}_DL3.fits", 5029746 + obs_id, tables)
        events[5029746 + obs_id] = table
    write_hdu_index(folder / "hdu-index.fits.gz", rows, index_names[0])
    write_obs_index(folder / "obs-index.fits.gz", events, OBS_COLUMNS)
    single_precision(folder / "obs-index.fits.gz")
    if index_names[1] != "OBS_INDEX":
        fits.setval(folder / "obs-index.fits.gz", "EXTNAME", value=index_names[1], ext=1)
    return folder


@pytest.mark.some_long(3)
@pytest.mark.parametrize("names", [("HDU_INDEX", "OBS_INDEX"), ("OBS_INDEX", "OBS_INDEX"), ("INDEX", "TABLE")])
def test_the_public_release_of_magic_gives_the_numbers_of_the_plain_release(point_like, tmp_path, names):
    folder = magic_release(point_like[0], tmp_path / "magic", names)
    found = numbers(folder, tmp_path, POINTLIKE_IRFS)
    found.assert_equal(point_like[1](POINTLIKE_IRFS), [5029747, 5029748])


def veritas_release(release, folder):
    """Lay a release out as pyV2DL3 does: no FILE_DIR, empty TUNIT, a CREF of columns that are not there."""
    rows, events = [], {}
    for obs_id, hdus in plain_hdus(release).items():
        table, gti = VERITAS.events_and_gti(hdus, 64079 + obs_id)
        irfs = VERITAS.irfs(hdus, TELESCOP="VERITAS", OBS_ID=64079 + obs_id)
        area, migration = (irf[2] for irf in irfs)
        area.header.update(LO_THRES=0.01, HI_THRES=10000.0, CREF5="(ENERG_LO:ENERG_HI,THETA_LO:THETA_HI)")
        migration.header.update(TUNIT3="", TUNIT4="", CREF7="(ETRUE_LO:ETRUE_HI,MIGRA_LO:MIGRA_HI,THETA_LO:THETA_HI)")
        tables = [("events", "events", table), ("gti", "gti", gti), *irfs]
        rows += write_file(folder / f"{64079 + obs_id}.fits.gz", 64079 + obs_id, tables)
        events[64079 + obs_id] = table
    write_hdu_index(folder / "hdu-index.fits.gz", rows, **{folder.name: ""})
    write_obs_index(folder / "obs-index.fits.gz", events, f"{OBS_COLUMNS} OBJECT RA_OBJ DEC_OBJ")
    single_precision(folder / "obs-index.fits.gz")
    return folder


def test_a_release_of_veritas_gives_the_numbers_of_the_plain_release(point_like, tmp_path):
    folder = veritas_release(point_like[0], tmp_path / "veritas")
    numbers(folder, tmp_path, POINTLIKE_IRFS).assert_equal(point_like[1](POINTLIKE_IRFS), [64080, 64081])


def test_the_king_profile_of_v2dl3_is_read_although_its_cref_lists_values_as_an_axis(tmp_path, tmp_path_factory):
    plan = dataclasses.replace(POINT_LIKE, name="king", response=AnalyticResponse(energy_bins=16, psf="psf_king"))
    release, right = plain_release(plan, tmp_path_factory)
    folder, rows, events = tmp_path / "veritas", [], {}
    psf = irf_columns("psf_king", GAMMA="", SIGMA="deg")
    cards = {"TELESCOP": "VERITAS", "CREF6": "(ENERG_LO:ENERG_HI,THETA_LO:THETA_HI,GAMMA:SIGMA)", "TUNIT5": ""}
    for obs_id, hdus in plain_hdus(release).items():
        table, gti = VERITAS.events_and_gti(hdus, obs_id)
        irfs = VERITAS.irfs(hdus, "FULL-ENCLOSURE")
        king = relaid(hdus["PSF"], "PSF", psf, classes("psf_king", **cards), every_tdim=True)
        tables = [("events", "events", table), ("gti", "gti", gti), *irfs, ("psf", "psf_king", king)]
        rows += write_file(folder / f"{obs_id}.fits.gz", obs_id, tables)
        events[obs_id] = table
    write_hdu_index(folder / "hdu-index.fits.gz", rows)
    write_obs_index(folder / "obs-index.fits.gz", events, OBS_COLUMNS)
    irfs_of_veritas = "observations: {required_irf: [aeff, edisp, psf]}"
    numbers(folder, tmp_path, irfs_of_veritas).assert_equal(right(irfs_of_veritas))


def test_the_open_data_of_fact_give_the_numbers_of_the_plain_release(point_like, tmp_path):
    """Ids of eleven digits, one file of responses beside the runs, columns in another order, EQUINOX as text."""
    folder, rows, events = tmp_path / "fact", [], {}
    runs = {20131103109 + obs_id: hdus for obs_id, hdus in plain_hdus(point_like[0]).items()}
    irfs = write_file(folder / "fact_irf.fits", 0, FACT.irfs(next(iter(runs.values())), TELESCOP="FACT"))
    for obs_id, hdus in runs.items():
        table, gti = FACT.events_and_gti(hdus, obs_id)
        rows += write_file(folder / f"{obs_id}_dl3.fits", obs_id, [("events", "events", table), ("gti", "gti", gti)])
        rows += [dataclasses.replace(row, obs_id=obs_id) for row in irfs]
        events[obs_id] = table
    write_hdu_index(folder / "hdu-index.fits.gz", sorted(rows, key=lambda row: row.hdu_type))
    write_obs_index(folder / "obs-index.fits.gz", events, OBS_COLUMNS)
    numbers(folder, tmp_path, POINTLIKE_IRFS).assert_equal(point_like[1](POINTLIKE_IRFS), sorted(runs))
