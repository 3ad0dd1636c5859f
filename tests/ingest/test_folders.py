"""A folder without an index: a bad file is left out alone, and responses are found by $CALDB."""

from __future__ import annotations

import logging
import shutil

import numpy as np
import pytest
from astropy.io import fits

import faults
from releases import config_of, part_in_memory, until_datasets
from xgamma.errors import MissingInputError
from xgamma.formats.gadf.folders import folder_of_index
from xgamma.formats.gadf.index import read_index
from xgamma.ingest import open_release
from xgamma.store import Store, dataset_digest


@pytest.fixture
def folder(own_release):
    """The run files of a release without its index."""
    for index in own_release.glob("*-index.fits.gz"):
        index.unlink()
    return own_release


def truncated(folder):
    whole = (folder / "data/run_000001.fits").read_bytes()
    (folder / "data/more.fits").write_bytes(whole[: len(whole) // 2])


def cut_in_the_header(folder):
    (folder / "data/more.fits").write_bytes((folder / "data/run_000001.fits").read_bytes()[:1000])


def empty(folder):
    (folder / "data/more.fits").write_bytes(b"")


def text(folder):
    (folder / "data/more.fits").write_text("404 Not Found")


def half_gzip(folder):
    (folder / "data/more.fits.gz").write_bytes(b"\x1f\x8b\x08\x00half")


def without_an_id(folder):
    change_copy(folder, lambda hdus: hdus["EVENTS"].header.remove("OBS_ID"))


def with_a_fraction_as_id(folder):
    change_copy(folder, lambda hdus: hdus["EVENTS"].header.set("OBS_ID", 1.5))


def of_another_telescope(folder):
    columns = [fits.Column("ENERGY", "E", unit="MeV", array=[1.0, 2.0])]
    table = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    table.header["HDUCLAS1"] = "EVENTS"
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(folder / "data/more.fits")


def broken_table_header(folder):
    content = bytearray((folder / "data/run_000001.fits").read_bytes())
    at = content.index(b"TTYPE1  ")
    content[at : at + 8] = b"TTYPO1  "
    (folder / "data/more.fits").write_bytes(content)


def absent_target_of_a_link(folder):
    (folder / "data/more.fits").symlink_to("nowhere.fits")


def change_copy(folder, change):
    with fits.open(folder / "data/run_000001.fits", memmap=False) as hdus:
        change(hdus)
        hdus.writeto(folder / "data/more.fits")


BAD = [
    *(truncated, cut_in_the_header, empty, text, half_gzip, without_an_id, with_a_fraction_as_id),
    *(of_another_telescope, broken_table_header, absent_target_of_a_link),
]


@pytest.mark.some_long(3)
@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_warns_that_a_bad_file_is_left_out_and_reads_the_others(folder, tiny_release, caplog, bad):
    bad(folder)
    part, wanted = part_in_memory(folder), part_in_memory(tiny_release)
    assert part.obs["obs_id"].values.tolist() == [1, 2, 3]
    assert dataset_digest(part.events) == dataset_digest(wanted.events)
    [warning] = {record.getMessage() for record in caplog.records if record.levelno == logging.WARNING}
    assert warning.startswith(f"The file {folder}/data/more.fits")


def image(folder):
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(folder / "data/more.fits")


def index_of_other_files(folder):
    table = fits.BinTableHDU.from_columns([fits.Column("OBS_ID", "J", array=[5])], name="OBS_INDEX")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(folder / "obs-index.fits")


@pytest.mark.parametrize("other", [image, index_of_other_files], ids=lambda other: other.__name__)
def test_files_without_events_are_skipped_without_a_warning(folder, caplog, other):
    other(folder)
    assert list(read_index(folder).runs) == [1, 2, 3]
    assert not [record for record in caplog.records if record.levelno == logging.WARNING]


def test_raises_when_no_file_can_be_used_with_their_number_and_the_first_reason(folder):
    for run in (folder / "data").glob("*.fits"):
        run.write_bytes(b"")
    with pytest.raises(MissingInputError) as error:
        read_index(folder)
    assert str(error.value) == (
        f"{folder} holds neither hdu-index.fits[.gz] nor FITS files with an EVENTS HDU; of 3 files 3 cannot be used: "
        f"{folder}/data/run_000001.fits is not a FITS file: it does not begin with SIMPLE."
    )


def test_hdus_of_other_classes_are_skipped(folder, tiny_release):
    for file in (folder / "data").glob("*.fits"):
        with fits.open(file, memmap=False) as hdus:
            cuts = fits.BinTableHDU.from_columns([fits.Column("CUT", "D", array=[0.5])], name="GH_CUTS")
            cuts.header.update(HDUCLAS1="RESPONSE", HDUCLAS2="GH_CUTS", HDUCLAS4="GH_CUTS_2D")
            hdus.append(cuts)
            hdus.append(fits.BinTableHDU.from_columns([fits.Column("TIME", "D", array=[0.5])], name="POINTING"))
            hdus.writeto(file, overwrite=True)
    part, wanted = part_in_memory(folder), part_in_memory(tiny_release)
    assert {n: dataset_digest(g) for n, g in part.groups.items() if n} == {
        n: dataset_digest(g) for n, g in wanted.groups.items() if n
    }


@pytest.mark.parametrize("keys", [["HDUCLAS4"], ["HDUCLASS", "HDUCLAS1", "HDUCLAS2", "HDUCLAS3", "HDUCLAS4"]])
def test_hdus_without_classes_are_known_by_their_columns(folder, tiny_release, keys):
    for file in (folder / "data").glob("*.fits"):
        with fits.open(file, memmap=False) as hdus:
            for hdu in hdus:
                for key in keys:
                    hdu.header.remove(key, ignore_missing=True)
            hdus.writeto(file, overwrite=True)
    part, wanted = part_in_memory(folder), part_in_memory(tiny_release)
    assert {kind_of(name) for name in part.groups} >= {kind_of(name) for name in wanted.groups} - {"irf/bkg_3d"}


def kind_of(group):
    return group.partition("-")[0]


def test_without_an_observation_index_a_missing_file_leaves_its_run_out(own_release):
    (own_release / "obs-index.fits.gz").unlink()
    faults.remove_file(own_release, 2)
    analysis = until_datasets(config_of(own_release, "memory://", "datasets: {stack: false}"))
    assert analysis.datasets.names == ["1", "3"]
    [(name, said)] = analysis.unused
    assert name == "2"
    assert said.startswith("There is no file ")


# --- responses of a calibration database

RESPONSES = ("aeff", "edisp", "psf", "bkg")


@pytest.fixture
def caldb(folder, tmp_path):
    """Move the responses of a folder into a database, as CTA's first data challenge has them."""
    file = tmp_path / "caldb/data/cta/one/bcf/North_50h/irf_file.fits"
    file.parent.mkdir(parents=True)
    for number, run in enumerate(sorted((folder / "data").glob("*.fits"))):
        with fits.open(run, memmap=False) as hdus:
            names = [hdu.name for hdu in hdus if hdu.name.lower() in RESPONSES]
            assert len(names) == 4
            moved = [hdus.pop(hdus.index_of(name)) for name in names]
            hdus["EVENTS"].header.update(TELESCOP="CTA", CALDB="one", IRF="North_50h")
            hdus.writeto(run, overwrite=True)
            if number == 0:
                fits.HDUList([fits.PrimaryHDU(), *moved]).writeto(file)
    return tmp_path / "caldb"


def test_responses_are_found_by_caldb_and_irf(folder, caldb, tiny_release, monkeypatch):
    monkeypatch.setenv("CALDB", str(caldb))
    part, wanted = part_in_memory(folder), part_in_memory(tiny_release)
    assert {n: dataset_digest(g) for n, g in part.groups.items() if n} == {
        n: dataset_digest(g) for n, g in wanted.groups.items() if n
    }


def test_an_index_that_names_no_responses_has_those_of_caldb(own_release, tmp_path, tiny_release, monkeypatch, request):
    index = (own_release / "hdu-index.fits.gz").read_bytes(), (own_release / "obs-index.fits.gz").read_bytes()
    monkeypatch.setenv("CALDB", str(request.getfixturevalue("caldb")))
    for name, content in zip(("hdu-index", "obs-index"), index, strict=True):
        (own_release / f"{name}.fits.gz").write_bytes(content)
    for run in (1, 2, 3):
        for role in RESPONSES:
            faults.remove_index_row(own_release, run, role)
    assert set(part_in_memory(own_release).groups) == set(part_in_memory(tiny_release).groups)


def test_notes_that_caldb_is_not_set_and_reads_the_run_again_once_it_is(folder, caldb, tmp_path, monkeypatch):
    monkeypatch.delenv("CALDB", raising=False)
    store = Store(tmp_path / "store")
    with pytest.raises(Exception, match=r"CALDB = 'one', IRF = 'North_50h', and \$CALDB is not set\. Set it: export"):
        until_datasets(config_of(folder, tmp_path / "store"))
    release = open_release(folder)
    release.load([1, 2, 3], store)
    monkeypatch.setenv("CALDB", str(caldb))
    assert open_release(folder).pending([1, 2, 3], store) == [1, 2, 3]
    assert len(until_datasets(config_of(folder, tmp_path / "store")).observations) == 3


@pytest.mark.parametrize("word", ["../../secret", "/etc", "..", "a/b", "NoSuchFolder"])
def test_notes_caldb_names_that_lead_outside_or_nowhere(folder, caldb, monkeypatch, word):
    monkeypatch.setenv("CALDB", str(caldb))
    for file in (folder / "data").glob("*.fits"):
        with fits.open(file, memmap=False) as hdus:
            hdus["EVENTS"].header["IRF"] = word
            hdus.writeto(file, overwrite=True)
    [entry, *_] = read_index(folder).runs.values()
    assert set(entry.hdus) == {"events", "gti"}
    [note] = entry.notes
    assert note.topic == "CALDB"
    assert "no names of folders" in note.text or "there is no " in note.text


def test_a_folder_of_links_is_a_release(folder, tmp_path, tiny_release):
    links = tmp_path / "links"
    links.mkdir()
    for file in (folder / "data").glob("*.fits"):
        shutil.move(file, tmp_path / file.name)
        (links / file.name).symlink_to(tmp_path / file.name)
    assert dataset_digest(part_in_memory(links).events) == dataset_digest(part_in_memory(tiny_release).events)


@pytest.mark.parametrize(("folders", "there"), [(["index/gps"], "there is one in index/gps"),
                                                (["a", "b"], "there are some in a, b")])  # fmt: skip
def test_folders_below_that_have_an_index_are_named(tiny_release, tmp_path, folders, there):
    for folder in folders:
        shutil.copytree(tiny_release, tmp_path / "survey" / folder)
    with pytest.raises(MissingInputError, match=rf"survey has no index of runs; {there}\. Give .*/{folders[0]}"):
        open_release(tmp_path / "survey").facts()
    only = f"{tmp_path / 'survey'}/{folders[0]}" if len(folders) == 1 else str(tmp_path / "survey")
    assert folder_of_index(str(tmp_path / "survey")) == only
    # Beside files of its own, folders below may be anything.
    shutil.copytree(tiny_release / "data", tmp_path / "survey", dirs_exist_ok=True)
    assert len(open_release(tmp_path / "survey").facts()) == 3
