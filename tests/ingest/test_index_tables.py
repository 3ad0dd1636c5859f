"""Index tables of different writers give the runs of the plain release."""

from __future__ import annotations

import dataclasses
import logging
import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import vstack
from hypothesis import given
from hypothesis import strategies as st

import faults
from command_line import CommandLine
from indices import HDU, OBS, index_table, rewrite_index, table_hdu, with_column, without
from releases import config_of, part_in_memory, until_datasets
from xgamma.errors import ConfigError, InputError, MissingHduError
from xgamma.formats.gadf.index import IndexNames, read_index
from xgamma.formats.gadf.index_tables import obs_id_of
from xgamma.ingest import open_release
from xgamma.ingest.part import read_runs, run_document
from xgamma.store import Store, dataset_digest


def facts(release, **options):
    """Return all that the index says, NaN as text."""
    return {obs_id: str(run) for obs_id, run in open_release(release, **options).facts().items()}


def numbers(release):
    """Return the digest of each group of a release but its table, and the table without what names it."""
    part = part_in_memory(release)
    return {name: dataset_digest(group) for name, group in part.groups.items() if name}, part.obs[
        "ra_pnt"
    ].values.tolist()


# --- which table is the index


@pytest.mark.some_long(5)
@pytest.mark.parametrize("hdu_name", ["HDU_INDEX", "OBS_INDEX", "HDU INDEX", "hdu_index", "ANYTHING", None])
@pytest.mark.parametrize("obs_name", ["OBS_INDEX", "HDU_INDEX", "OBS INDEX", None])
def test_a_table_is_an_index_by_its_columns_and_not_by_its_name(own_release, tiny_release, hdu_name, obs_name):
    rewrite_index(own_release, HDU, name=hdu_name)
    rewrite_index(own_release, OBS, name=obs_name)
    assert facts(own_release) == facts(tiny_release)


@pytest.mark.parametrize("order", [(HDU, OBS), (OBS, HDU)])
@pytest.mark.parametrize("name", [None, "TABLE"])
def test_one_file_holds_both_tables_in_any_order_and_without_names(own_release, tiny_release, order, name):
    tables = [table_hdu(index_table(own_release, stem), name) for stem in order]
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((2, 2))), *tables]).writeto(own_release / "both.fits")
    for stem in (HDU, OBS):
        (own_release / f"{stem}.fits.gz").unlink()
    assert facts(own_release / "both.fits") == facts(tiny_release)
    (own_release / "both.fits").rename(own_release / "hdu-index.fits")
    assert facts(own_release) == facts(tiny_release)


def test_a_table_with_the_name_of_an_index_and_other_columns_is_skipped(own_release, tiny_release):
    wrong = fits.BinTableHDU.from_columns([fits.Column("A", "J", array=[1])], name="HDU_INDEX")
    right = table_hdu(index_table(own_release, HDU), "OTHER")
    fits.HDUList([fits.PrimaryHDU(), wrong, right]).writeto(own_release / "hdu-index.fits.gz", overwrite=True)
    assert facts(own_release) == facts(tiny_release)


def test_raises_for_a_file_without_an_index_table_and_lists_its_columns(own_release):
    rewrite_index(own_release, HDU, without("FILE_NAME"))
    with pytest.raises(
        MissingHduError, match=r"has no table with the columns OBS_ID, HDU_TYPE, FILE_NAME, as an index"
    ):
        read_index(own_release)


def test_index_files_may_have_other_names(own_release, tiny_release, tmp_path):
    rewrite_index(own_release, HDU, file="hdu-index-other.fits.gz")
    rewrite_index(own_release, OBS, file="obs-index-other.fits.gz")
    names = IndexNames("hdu-index-other.fits.gz", "obs-index-other.fits.gz")
    assert facts(own_release, names=names) == facts(tiny_release)
    assert open_release(own_release, names=names).name == "tiny:hdu-index-other"
    (tmp_path / "elsewhere.fits.gz").write_bytes((own_release / "obs-index-other.fits.gz").read_bytes())
    assert facts(own_release, names=dataclasses.replace(names, obs_index="../elsewhere.fits.gz")) == facts(tiny_release)
    with pytest.raises(InputError, match="There is no file"):
        read_index(own_release, IndexNames("absent.fits"))


# --- what the columns hold


def each(name, change):
    """Return a change of each value of a column."""
    return lambda table: with_column(name, [change(value) for value in table[name].tolist()])(table)


def folder_in_the_name(table):
    each("FILE_NAME", lambda name: f"data/{name}")(table)
    table["FILE_DIR"] = ""


def no_folder(table):
    folder_in_the_name(table)
    del table["FILE_DIR"]


def small_letters(table):
    table.rename_columns(table.colnames, [name.lower() for name in table.colnames])


def in_radians(table):
    for name in ("RA_PNT", "DEC_PNT"):
        table[name] = np.deg2rad(np.asarray(table[name]))
        table[name].unit = "rad"


OTHER_WAYS = {
    "no folder": (HDU, no_folder),
    "an empty folder": (HDU, folder_in_the_name),
    "a folder with a dot": (HDU, with_column("FILE_DIR", "./data/")),
    "types in capitals, with blanks": (HDU, each("HDU_TYPE", lambda text: f" {text.upper()} ")),
    "classes in capitals, with blanks": (HDU, each("HDU_CLASS", lambda text: f" {text.upper()} ")),
    "columns in small letters": (HDU, small_letters),
    "columns of the other in small letters": (OBS, small_letters),
    "sizes that are wrong": (HDU, with_column("SIZE", -1)),
    "columns that nobody knows": (OBS, with_column("MOON", "full")),
    "ids as text": (HDU, each("OBS_ID", lambda number: f" 00{number}")),
    "ids as text in the other": (OBS, each("OBS_ID", str)),
    "ids as floats": (OBS, each("OBS_ID", float)),
    "ids as short integers": (HDU, lambda table: with_column("OBS_ID", table["OBS_ID"].astype("i2"))(table)),
    "angles in radians": (OBS, in_radians),
}


@pytest.mark.some_long(3)
@pytest.mark.parametrize("way", OTHER_WAYS)
def test_columns_are_read_in_each_way_that_writers_fill_them(own_release, tiny_release, way):
    rewrite_index(own_release, *OTHER_WAYS[way])
    assert numbers(own_release) == numbers(tiny_release)
    own, wanted = open_release(own_release).facts(), open_release(tiny_release).facts()
    assert list(own) == list(wanted)
    for run, right in zip(own.values(), wanted.values(), strict=True):
        assert (run.ra, run.dec) == pytest.approx((right.ra, right.dec), rel=1e-12)


@pytest.mark.parametrize("names", [["RA_PNT"], ["DEC_PNT"], ["RA_PNT", "DEC_PNT", "OBJECT", "ZEN_PNT", "ALT_PNT"]])
def test_a_pointing_that_the_index_leaves_out_is_that_of_the_events(own_release, tiny_release, names):
    rewrite_index(own_release, OBS, without(*names))
    own, wanted = open_release(own_release).facts(), open_release(tiny_release).facts()
    assert {i: (run.ra, run.dec, run.target) for i, run in own.items()} == {
        i: (pytest.approx(run.ra), pytest.approx(run.dec), run.target) for i, run in wanted.items()
    }


def test_a_pointing_that_one_row_leaves_out_is_that_of_its_events(own_release, tiny_release):
    rewrite_index(own_release, OBS, with_column("RA_PNT", [83.633, np.nan, 83.633]))
    assert open_release(own_release).facts()[2].ra == pytest.approx(open_release(tiny_release).facts()[2].ra)


def test_target_and_zenith_that_the_index_leaves_out_are_those_of_the_files(own_release, tiny_release):
    rewrite_index(own_release, OBS, without("OBJECT", "ZEN_PNT", "ALT_PNT"))
    own, wanted = part_in_memory(own_release), part_in_memory(tiny_release)
    assert own.obs.attrs["target"] == wanted.obs.attrs["target"]
    np.testing.assert_allclose(own.obs["zenith"], wanted.obs["zenith"])
    analysis = until_datasets(
        config_of(own_release, "memory://", "observations: {expression: 'zenith < 89 and target == \"crab\"'}")
    )
    assert len(analysis.observations) == 3


def test_the_zenith_angle_may_be_an_altitude(own_release):
    rewrite_index(own_release, OBS, lambda t: (without("ZEN_PNT")(t), with_column("ALT_PNT", 70.0)(t))[1])
    assert {run.zenith for run in open_release(own_release).facts().values()} == {20.0}


# --- ids


def test_notes_a_file_of_another_run(own_release):
    """The index names the file of run 3 for run 2, as a slip of a name does."""
    shutil.copy(faults.run_file(own_release, 3), faults.run_file(own_release, 2))
    held = open_release(own_release).load([1, 2, 3], Store("memory://"))
    [part] = held.parts.values()
    texts = [[note.text for note in part.notes(number) if note.topic == "OBS_ID"] for number in range(3)]
    assert texts == [[], ["The header has OBS_ID = 3; that of the index is used."], []]


def test_a_text_id_gets_a_number_with_a_note(own_release, caplog):
    for stem in (HDU, OBS):
        rewrite_index(own_release, stem, each("OBS_ID", lambda number: f"chunks {number} - 133"))
    ids = [obs_id_of(f"chunks {number} - 133")[0] for number in (1, 2, 3)]
    assert len({*ids}) == 3
    held = open_release(own_release).load(ids, Store("memory://"))
    assert list(held.places) == ids
    [part] = held.parts.values()
    assert [note.text for note in part.notes(0)] == [
        f"OBS_ID is the text 'chunks 1 - 133', which the number {ids[0]} stands for."
    ]
    with caplog.at_level(logging.INFO):
        until_datasets(config_of(own_release, "memory://"))
    assert f"OBS_ID of run {ids[0]}: OBS_ID is the text 'chunks 1 - 133'" in caplog.text


def test_negative_ids_are_ids(own_release):
    for stem in (HDU, OBS):
        rewrite_index(own_release, stem, each("OBS_ID", lambda number: -number))
    analysis = until_datasets(config_of(own_release, "memory://", "datasets: {stack: false}"))
    assert analysis.datasets.names == ["-1", "-2", "-3"]


def test_a_failed_run_with_a_negative_id_is_tried_again(own_release, tmp_path, capsys):
    xgamma = CommandLine(capsys)
    for stem in (HDU, OBS):
        rewrite_index(own_release, stem, each("OBS_ID", lambda number: -number))
    whole = (own_release / "data/run_000002.fits").read_bytes()
    (own_release / "data/run_000002.fits").write_bytes(whole[:5000])
    assert xgamma("ingest", own_release, tmp_path / "store").code == 4
    (own_release / "data/run_000002.fits").write_bytes(whole)
    assert xgamma("retry", tmp_path / "store").out == "1 run tried again, 0 failed again.\n"


def test_warns_that_rows_without_an_id_are_skipped(own_release, caplog):
    rewrite_index(own_release, OBS, with_column("OBS_ID", ["1", "", "nan"]))
    assert list(read_index(own_release).runs) == [1]
    assert "2 rows of the table '' have no OBS_ID and are passed over." in caplog.text


@pytest.mark.parametrize("value", [1.5, None, True, "", "  ", "nan", float("nan"), float("inf"), 1e300, [1, 2], 10**19])
def test_what_is_no_whole_number_is_no_id(value):
    assert obs_id_of(value) == (None, "")


@pytest.mark.parametrize(
    ("value", "number"), [(np.int32(7), 7), ("-3", -3), ("7.0", 7), ("1e3", 1000), (2**53 + 1, 2**53 + 1)]
)
def test_whole_numbers_are_ids_however_they_are_written(value, number):
    assert obs_id_of(value) == (number, "")


@given(st.text(min_size=1).filter(lambda text: obs_id_of(text)[1] != ""))
def test_a_text_has_one_number_whatever_its_blanks(text):
    number, said = obs_id_of(text)
    assert 0 <= number < 10**9
    assert obs_id_of(f"  {said} ") == (number, said)


# --- rows that nobody asked for


@pytest.mark.parametrize("kind", ["pointing", "gh_cuts", "al_cuts", "event_list_of_another_kind"])
def test_rows_of_unused_types_are_skipped(own_release, tiny_release, caplog, kind):
    def more(table):
        others = table[table["HDU_TYPE"] == "gti"].copy()
        for name in ("HDU_TYPE", "HDU_CLASS", "HDU_NAME"):
            others[name] = kind
        return vstack([others, table])

    rewrite_index(own_release, HDU, more)
    with caplog.at_level(logging.INFO):
        assert facts(own_release) == facts(tiny_release)
    assert f"HDUs that nobody asks for are passed over: 3 of type {kind!r}." in caplog.text
    assert identities(own_release) == identities(tiny_release)


def identities(release):
    runs, failures = read_runs(read_index(release).runs.values(), lambda: None)
    assert failures == []
    return [run_document(run.entry, run.file_digests) for run in runs]


def test_of_two_responses_of_a_role_the_one_of_a_known_class_is_used(own_release, tiny_release, caplog):
    def more(table):
        others = table[table["HDU_TYPE"] == "psf"].copy()
        others["HDU_CLASS"] = "psf_of_tomorrow"
        return vstack([others, table])

    rewrite_index(own_release, HDU, more)
    assert identities(own_release) == identities(tiny_release)
    assert "several" not in caplog.text


@pytest.mark.parametrize("classes", ["", "the type"])
def test_a_class_missing_in_the_index_is_that_of_the_hdu(own_release, tiny_release, classes):
    rewrite_index(own_release, HDU, lambda t: with_column("HDU_CLASS", t["HDU_TYPE"] if classes else "")(t))
    assert numbers(own_release) == numbers(tiny_release)


def test_a_name_missing_in_the_index_is_found_by_the_role(own_release, tiny_release):
    rewrite_index(own_release, HDU, with_column("HDU_NAME", ""))
    assert numbers(own_release) == numbers(tiny_release)


# --- a release whose index files have other names, through the whole program


def test_names_of_index_files_are_remembered(own_release, tmp_path, capsys):
    xgamma = CommandLine(capsys)
    rewrite_index(own_release, HDU, file="hdu-index-b.fits.gz")
    rewrite_index(own_release, OBS, file="obs-index-b.fits.gz")
    names = ["--hdu-index", "hdu-index-b.fits.gz", "--obs-index", "obs-index-b.fits.gz"]
    run = own_release / "data/run_000002.fits"
    whole = run.read_bytes()
    run.write_bytes(whole[:5000])
    assert xgamma("ingest", own_release, tmp_path / "store", *names).code == 4
    run.write_bytes(whole)
    assert xgamma("retry", tmp_path / "store").out == "1 run tried again, 0 failed again.\n"
    config = config_of(own_release, tmp_path / "store")
    config.observations.datastore = {
        "path": str(own_release), "hdu_index": "hdu-index-b.fits.gz", "obs_index": "obs-index-b.fits.gz"
    }  # fmt: skip
    analysis = until_datasets(config)
    assert (analysis.observations.holdings.ingested, len(analysis.observations)) == ([], 3)
    assert {record.texts["release"] for record in Store(tmp_path / "store").ls("dl3")} == {"tiny:hdu-index-b"}


def test_a_store_has_no_index_files(own_release, tmp_path):
    open_release(own_release).load([1], Store(tmp_path / "store"))
    with pytest.raises(ConfigError, match="is an xgamma store, which has no index files; leave their names out"):
        open_release(tmp_path / "store", names=IndexNames("hdu-index-b.fits.gz"))
