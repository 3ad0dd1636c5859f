"""What an analysis does not need may be unreadable: it is skipped with a note of its run."""

from __future__ import annotations

import json
import logging
import os
import shutil

import numpy as np
import pytest
from astropy.io import fits

import faults
from command_line import CommandLine
from indices import HDU, rewrite_index, with_column
from releases import config_of, until_datasets
from xgamma.errors import DataError, InputError
from xgamma.formats.gadf import files
from xgamma.formats.gadf import run as run_files
from xgamma.formats.gadf.index import read_index
from xgamma.ingest import open_release, part
from xgamma.ingest.part import read_runs
from xgamma.outcome import Outcome, UnusedRun
from xgamma.store import Store

VICTIM = 2
JOINT = "datasets: {stack: false}"
WITHOUT_PSF = "datasets: {stack: false, containment_correction: false}"
SPECTRA = ("counts", "counts_off", "acceptance", "acceptance_off", "exposure", "exposure_edisp", "edisp", "mask_safe")


def spectra(analysis):
    return {view.name: [view.data[name].values.tobytes() for name in SPECTRA] for view in analysis.datasets}


@pytest.fixture(scope="module")
def sound(tiny_release):
    """The spectra of the release as it is, without a containment correction and with one."""
    return {text: spectra(until_datasets(config_of(tiny_release, "memory://", text))) for text in (JOINT, WITHOUT_PSF)}


# --- what may be wrong with a response


def in_a_file_of_its_own(release, role):
    """Let the index name a file of its own for a response of the victim; return it."""
    own = release / f"{role}_of_run_2.fits"
    shutil.copy(faults.run_file(release, VICTIM), own)

    def change(table):
        chosen = (table["OBS_ID"] == VICTIM) & (table["HDU_TYPE"] == role)
        table["FILE_DIR"][chosen], table["FILE_NAME"][chosen] = "", own.name

    rewrite_index(release, HDU, change)
    return own


def file_not_there(release, role):
    in_a_file_of_its_own(release, role).unlink()


def file_that_is_no_fits(release, role):
    in_a_file_of_its_own(release, role).write_text("404 Not Found")


def file_cut_off(release, role):
    own = in_a_file_of_its_own(release, role)
    own.write_bytes(own.read_bytes()[:4000])


def pipe(release, role):
    in_a_file_of_its_own(release, role).unlink()
    os.mkfifo(release / f"{role}_of_run_2.fits")


def change_hdu(release, role, change):
    path = faults.run_file(release, VICTIM)
    with fits.open(path, memmap=False) as hdus:
        change(hdus, hdus[role.upper()])
        hdus.writeto(path, overwrite=True)


def hdu_not_there(release, role):
    change_hdu(release, role, lambda hdus, hdu: hdus.pop(hdus.index_of(role.upper())))


def class_of_tomorrow(release, role):
    def change(table):
        table["HDU_CLASS"][(table["OBS_ID"] == VICTIM) & (table["HDU_TYPE"] == role)] = f"{role}_of_tomorrow"

    rewrite_index(release, HDU, change)


def values_of(hdu):
    return next(n for n, name in enumerate(hdu.columns.names, 1) if not name.endswith(("_LO", "_HI")))


def unit_that_nobody_knows(release, role):
    change_hdu(release, role, lambda hdus, hdu: hdu.header.set(f"TUNIT{values_of(hdu)}", "furlong"))


def column_under_another_name(release, role):
    change_hdu(release, role, lambda hdus, hdu: hdu.header.set(f"TTYPE{values_of(hdu)}", "OTHER"))


def axis_not_there(release, role):
    change_hdu(release, role, lambda hdus, hdu: hdu.header.set("TTYPE1", "OTHER_LO"))


def sum_that_is_wrong(release, role):
    change_hdu(release, role, lambda hdus, hdu: hdu.header.set("DATASUM", "12345"))


WRONG = [
    *(file_not_there, file_that_is_no_fits, file_cut_off, pipe, hdu_not_there, class_of_tomorrow),
    *(unit_that_nobody_knows, column_under_another_name, axis_not_there, sum_that_is_wrong),
]


@pytest.mark.some_long(3)
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_a_missing_background_response_does_not_matter_for_reflected_regions(own_release, sound, caplog, wrong):
    wrong(own_release, "bkg")
    with caplog.at_level(logging.INFO):
        analysis = until_datasets(config_of(own_release, "memory://", JOINT))
    assert (analysis.unused, spectra(analysis)) == ([], sound[JOINT])
    [said] = [record for record in caplog.records if record.getMessage().startswith(f"bkg of run {VICTIM}: ")]
    assert said.levelno == logging.INFO
    assert analysis.observations.table["notes"].tolist() == ["", said.getMessage().partition(": ")[2], ""]


@pytest.mark.some_long(3)
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_a_missing_psf_leaves_a_run_out_only_with_a_containment_correction(own_release, sound, caplog, wrong):
    wrong(own_release, "psf")
    store = Store("memory://")
    analysis = until_datasets(config_of(own_release, store.url, WITHOUT_PSF))
    assert (analysis.unused, spectra(analysis)) == ([], sound[WITHOUT_PSF])
    caplog.clear()
    analysis = until_datasets(config_of(own_release, store.url, JOINT))
    assert spectra(analysis) == {name: sound[JOINT][name] for name in ("1", "3")}
    [run] = analysis.unused_runs
    [note] = [record for record in caplog.records if record.getMessage().startswith(f"psf of run {VICTIM}: ")]
    assert note.levelno == logging.WARNING
    why = note.getMessage().partition(": ")[2].rstrip(".")
    assert (run.name, run.kind) == ("2", "missing_irf")
    assert run.message == f"a required instrument response is missing; psf: {why}"


NEEDED = [
    (role, wrong) for role in ("aeff", "edisp") for wrong in WRONG if (role, wrong) != ("edisp", unit_that_nobody_knows)
]


@pytest.mark.some_long(3)
@pytest.mark.parametrize(("role", "wrong"), NEEDED, ids=lambda value: getattr(value, "__name__", value))
def test_a_missing_required_hdu_leaves_its_run_out_and_changes_no_other(own_release, sound, role, wrong):
    wrong(own_release, role)
    analysis = until_datasets(config_of(own_release, "memory://", JOINT))
    assert spectra(analysis) == {name: sound[JOINT][name] for name in ("1", "3")}
    [run] = analysis.unused_runs
    assert (run.name, run.kind) == ("2", "missing_irf")
    assert run.message.startswith(f"a required instrument response is missing; {role}: ")


@pytest.mark.parametrize("wrong", [file_not_there, hdu_not_there], ids=lambda wrong: wrong.__name__)
@pytest.mark.parametrize("role", ["events", "gti"])
def test_missing_events_or_good_time_are_failures_of_the_run(own_release, role, wrong):
    wrong(own_release, role)
    held = open_release(own_release).load([1, 2, 3], Store("memory://"))
    assert (list(held.places), [failure.obs_id for failure in held.failures]) == ([1, 3], [VICTIM])


# --- a run is read anew when what was missing is there


@pytest.mark.some_long(2)
@pytest.mark.parametrize("role", ["psf", "aeff"])
def test_a_run_is_read_again_when_its_missing_file_appears(own_release, tmp_path, sound, role):
    own = in_a_file_of_its_own(own_release, role)
    content = own.read_bytes()
    own.unlink()
    config = config_of(own_release, tmp_path / "store", JOINT)
    assert [run.name for run in until_datasets(config).unused_runs] == ["2"]
    store = Store(tmp_path / "store")
    assert open_release(own_release).pending([1, 2, 3], store) == []
    own.write_bytes(content)
    assert open_release(own_release).pending([1, 2, 3], store) == [VICTIM]
    analysis = until_datasets(config)
    assert (analysis.observations.holdings.ingested, spectra(analysis)) == ([VICTIM], sound[JOINT])


def test_a_run_is_read_again_when_one_of_its_files_disappears(own_release, tmp_path):
    own = in_a_file_of_its_own(own_release, "psf")
    store = Store(tmp_path / "store")
    before = open_release(own_release).load([1, 2, 3], store)
    own.unlink()
    after = open_release(own_release).load([1, 2, 3], store)
    assert (before.ingested, after.ingested, after.failures) == ([1, 2, 3], [VICTIM], [])


def unreadable(monkeypatch, name):
    """Make reading a file fail, as a missing right or a failing disk does."""
    read = files.read_raw

    def refused(path):
        if path.name == name:
            raise InputError(f"{path} cannot be read: Permission denied.")
        return read(path)

    monkeypatch.setattr(files, "read_raw", refused)
    monkeypatch.setattr("xgamma.ingest.release.file_digest", nobody_may)


def nobody_may(path):
    raise PermissionError(13, "Permission denied", str(path))


@pytest.mark.some_long(3)
@pytest.mark.parametrize(("role", "fails"), [("bkg", False), ("psf", False), ("aeff", True), ("edisp", True)])
def test_a_file_that_could_not_be_read_is_tried_again(own_release, tmp_path, role, fails):
    own = in_a_file_of_its_own(own_release, role)
    store = Store(tmp_path / "store")
    with pytest.MonkeyPatch.context() as monkeypatch:
        unreadable(monkeypatch, own.name)
        held = open_release(own_release).load([1, 2, 3], store)
        assert [failure.obs_id for failure in held.failures] == ([VICTIM] if fails else [])
        assert open_release(own_release).pending([1, 2, 3], store) == ([VICTIM] if fails else [])
    assert open_release(own_release).pending([1, 2, 3], store) == [VICTIM]
    held = open_release(own_release).load([1, 2, 3], store)
    assert (held.failures, held.ingested) == ([], [VICTIM])
    assert held.parts[held.places[VICTIM][0]].notes(held.places[VICTIM][1]) == ()


# --- notes are shown


def test_notes_are_in_the_list_of_runs(own_release, tmp_path, capsys):
    class_of_tomorrow(own_release, "psf")
    xgamma = CommandLine(capsys)
    assert xgamma("ingest", own_release, tmp_path / "store").code == 0
    runs = json.loads(xgamma("ls", tmp_path / "store", "--runs", "--json").out)
    said = {"topic": "psf", "text": "Its class 'psf_of_tomorrow' is none that is known."}
    assert [run["notes"] for run in runs] == [[], [said], []]
    assert [run["has"] for run in runs] == [
        ["aeff", "bkg", "edisp", "events", "gti", *more] for more in (["psf"], [], ["psf"])
    ]
    assert "psf: Its class 'psf_of_tomorrow' is none" in " ".join(
        xgamma("ls", tmp_path / "store", "--runs").out.split()
    )


def test_show_prints_the_notes_of_the_runs_of_a_part(own_release, tmp_path, capsys):
    class_of_tomorrow(own_release, "psf")
    open_release(own_release).load([1, 2, 3], Store(tmp_path / "store"))
    [record] = Store(tmp_path / "store").ls("dl3")
    shown = CommandLine(capsys)("show", tmp_path / "store", f"dl3/{record.key[:8]}").out
    assert "psf of run 2: Its class 'psf_of_tomorrow' is none that is known.\n" in shown


def test_equal_notes_are_printed_once_with_their_runs(own_release, caplog):
    rewrite_index(
        own_release, HDU, lambda t: with_column("HDU_CLASS", np.where(t["HDU_TYPE"] == "bkg", "x", t["HDU_CLASS"]))(t)
    )
    with caplog.at_level(logging.INFO):
        until_datasets(config_of(own_release, "memory://", JOINT))
    said = [record.getMessage() for record in caplog.records if "none that is known" in record.getMessage()]
    assert said == ["bkg of 3 runs (1, 2, 3): Its class 'x' is none that is known."]


def test_notes_from_the_store_equal_those_from_the_files(own_release, tmp_path):
    class_of_tomorrow(own_release, "psf")
    open_release(own_release).load([1, 2, 3], Store(tmp_path / "store"))
    assert open_release(tmp_path / "store").facts() == open_release(own_release).facts()
    config = config_of(tmp_path / "store", tmp_path / "products", JOINT)
    assert [run.kind for run in until_datasets(config).unused_runs] == ["missing_irf"]


def test_raises_once_when_all_runs_lack_what_is_needed(own_release):
    rewrite_index(
        own_release, HDU, lambda t: with_column("HDU_CLASS", np.where(t["HDU_TYPE"] == "psf", "x", t["HDU_CLASS"]))(t)
    )
    with pytest.raises(
        DataError, match=r"Run 1 and 2 more: a required instrument response is missing; psf: Its class 'x' is none"
    ):
        until_datasets(config_of(own_release, "memory://", JOINT))


# --- whatever is wrong with a run


def test_any_error_in_reading_a_run_leaves_that_run_out_alone(own_release, monkeypatch, caplog):
    def read(entry):
        if entry.obs_id == VICTIM:
            raise RuntimeError("nobody expected this")
        return original(entry)

    original = run_files.read_run
    monkeypatch.setattr(run_files, "read_run", read)
    with caplog.at_level(logging.DEBUG, "xgamma"):
        runs, failures = read_runs(read_index(own_release).runs.values(), lambda: None)
    assert [run.entry.obs_id for run in runs] == [1, 3]
    said = "It cannot be read (RuntimeError: nobody expected this). Fetch or write its files again."
    assert failures == [UnusedRun.unread(VICTIM, Outcome.UNREADABLE_FILE, said)]
    assert any(record.exc_info for record in caplog.records if record.levelno == logging.DEBUG)


@pytest.mark.parametrize("victims", [{1}, {2}, {3}, {1, 3}, {1, 2, 3}], ids=str)
def test_a_run_that_fits_into_no_part_is_left_out(own_release, monkeypatch, victims):
    def obs_table(runs, *args):
        if victims & {run.entry.obs_id for run in runs}:
            raise ZeroDivisionError("nobody expected this")
        return original(runs, *args)

    original = part._obs_table
    monkeypatch.setattr(part, "_obs_table", obs_table)
    held = open_release(own_release).load([1, 2, 3], Store("memory://"))
    assert {failure.obs_id for failure in held.failures} == victims
    assert set(held.places) == {1, 2, 3} - victims


def test_runs_that_do_not_fit_the_first_are_left_out(own_release, monkeypatch):
    def part_of(runs, release):
        if len({run.entry.obs_id for run in runs} & {1, VICTIM}) == 2:
            raise ValueError("they do not fit")
        return original(runs, release)

    original = part.part_of
    monkeypatch.setattr(part, "part_of", part_of)
    held = open_release(own_release).load([1, 2, 3], Store("memory://"))
    assert ([failure.obs_id for failure in held.failures], list(held.places)) == ([VICTIM], [1, 3])


HEADERS = [
    *(("TIMESYS", value) for value in ("GPS", "", "LOCAL")),
    *((key, value) for key in ("MJDREFI", "RA_PNT") for value in ("GPS", True)),
]


@pytest.mark.some_long(3)
@pytest.mark.parametrize("where", ["EVENTS", "GTI"])
@pytest.mark.parametrize(("key", "value"), HEADERS)
def test_any_header_leaves_out_no_other_run(own_release, where, key, value):
    path = faults.run_file(own_release, VICTIM)
    with fits.open(path, memmap=False) as hdus:
        hdus[where].header[key] = value
        hdus.writeto(path, overwrite=True)
    held = open_release(own_release).load([1, 2, 3], Store("memory://"))
    assert {1, 3} <= set(held.places)
    assert all(failure.obs_id == VICTIM and failure.message for failure in held.failures)
