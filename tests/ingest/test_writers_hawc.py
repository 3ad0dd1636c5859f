"""HAWC's public event lists: an index under other names opens, and each run says what a spectrum of it lacks."""

from __future__ import annotations

import numpy as np
import pytest
from layouts import PSF_TABLE, moved, plain_hdus, plain_release, relaid, write_file, write_hdu_index, write_obs_index

from releases import config_of
from xgamma.analysis import Analysis
from xgamma.errors import XgammaError
from xgamma.formats.gadf.index import IndexNames
from xgamma.ingest import open_release
from xgamma.store import Store

NAMES = ("hdu-index-table-NN-Crab.fits.gz", "obs-index-table-NN-Crab.fits.gz")
# 1980-01-01 in TAI, as MJD in TT.
EPOCH = 44244.0 + 32.184 / 86400.0


def hawc_tables(hdus):
    """Return events and good time of HAWC: TAI, no pointing, rows of good time that overlap and have no unit."""
    events, good = hdus["EVENTS"], hdus["GTI"]
    epoch = {"MJDREFI": 44244, "MJDREFF": 0.0, "TIMESYS": "TAI", "TIMEUNIT": "s", "TIMEREF": "LOCAL"}
    cards = {"TELESCOP": "HAWC", "OBS_ID": "chunks 103 - 133", "HDUCLAS1": "EVENTS", "DEADC": 1.0, **epoch}
    columns = [
        ("EVENT_ID", "K", ""),
        ("RA", "D", "deg"),
        ("DEC", "D", "deg"),
        ("ENERGY", "D", "TeV"),
        ("TIME", "D", "s", moved(events.data["TIME"], EPOCH)),
        ("CORE_X", "D", "m", None),
    ]
    start, stop = (float(moved(good.data[name], EPOCH)[0]) for name in ("START", "STOP"))
    # The second half begins before the first one ends.
    rows = {"START": np.array([start, start + 50.0]), "STOP": np.array([start + 60.0, stop])}
    return [
        ("events", "events", relaid(events, "EVENTS", columns, cards)),
        ("gti", "gti", relaid(good, "GTI", [(name, "D", "", values) for name, values in rows.items()], epoch)),
    ]


@pytest.fixture(scope="module")
def hawc(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hawc")
    rows, events = [], {}
    for obs_id, hdus in plain_hdus(plain_release(PSF_TABLE, tmp_path_factory)[0]).items():
        tables = hawc_tables(hdus)
        maps = [("psf", "psf_map_reco", hdus["PSF"]), ("edisp", "edisp_kernel_map", hdus["EDISP"])]
        rows += write_file(folder / f"events_{obs_id}.fits.gz", obs_id, [*tables, *maps])
        events[obs_id] = hdus["EVENTS"]
    write_hdu_index(folder / NAMES[0], rows)
    write_obs_index(folder / NAMES[1], events, "OBS_ID TSTART TSTOP ONTIME")
    return folder


def test_an_index_under_other_names_opens(hawc):
    assert list(open_release(hawc, names=IndexNames(*NAMES)).facts()) == [1, 2]


def test_a_run_without_a_pointing_is_left_out_with_that_reason(hawc):
    opened = open_release(hawc, names=IndexNames(*NAMES))
    held = opened.load(list(opened.facts()), Store("memory://"))
    assert [failure.obs_id for failure in held.failures] == [1, 2]
    assert all("pointing" in failure.message for failure in held.failures)


def test_raises_for_a_spectrum_of_hawc(hawc, tmp_path):
    config = config_of(hawc, tmp_path / "store", "observations: {required_irf: []}")
    config.observations.datastore = {"path": str(hawc), "hdu_index": NAMES[0], "obs_index": NAMES[1]}
    analysis = Analysis(config)
    with pytest.raises(XgammaError, match="has no pointing"):
        analysis.get_observations()
        analysis.get_datasets()
