"""Damaged and contradictory files and indices: a run has its row, the others keep every bit, exit code 4."""

import dataclasses
import shutil

import numpy as np
import pytest

import faults
from command_line import CommandLine
from releases import TINY, config_of, release_of, until_datasets
from xgamma.errors import XgammaError
from xgamma.formats.fits.tables import read_tables, validate_datasum
from xgamma.formats.gadf.index import read_index
from xgamma.formats.gadf.run import read_run
from xgamma.ingest import open_release
from xgamma.outcome import Outcome
from xgamma.store import Store, dataset_digest

DAMAGED = 2
FLIPS = 100
JOINT = "datasets: {stack: false}"
SPECTRA = ("counts", "counts_off", "acceptance", "acceptance_off", "exposure", "exposure_edisp", "edisp", "mask_safe")

# What costs the run its place, with its outcome and words of the reason.
LOST = {
    "empty file": (faults.empty_file, Outcome.UNREADABLE_FILE, "is not a FITS file"),
    "truncated file": (faults.truncate_file, Outcome.UNREADABLE_FILE, "truncated"),
    "index names no file": (faults.misname_file, Outcome.UNREADABLE_FILE, "There is no file"),
    "index names no HDU": (faults.misname_hdu, Outcome.MISSING_HDU, "has no HDU 'ABSENT'"),
    "index names another HDU": (faults.name_another_hdu, Outcome.UNREADABLE_FILE, "RA"),
    "no row in the HDU index": (faults.forget_hdus, Outcome.MISSING_IRF, "it has no"),
}
# What costs nothing, with words of the warning.
HARMLESS = {
    "rows of the HDU index twice": (faults.repeat_hdu_rows, "Run 2 has several events HDUs in the index"),
    "row of the observation index twice": (
        faults.repeat_observation,
        "Run 2 has several rows in the observation index",
    ),
    "wrong sizes and offsets in the index": (faults.misstate_sizes, None),
}


@pytest.fixture(scope="module", params=[True, False], ids=["gz", "plain"])
def release(request, tmp_path_factory):
    plan = dataclasses.replace(TINY, compress=request.param)
    return release_of(plan, tmp_path_factory.mktemp("released"))


@pytest.fixture(scope="module")
def sound(release):
    """The spectra of the runs that nobody damages."""
    return spectra(until_datasets(config_of(release, "memory://", JOINT)))


@pytest.fixture
def own(release, tmp_path):
    return shutil.copytree(release, tmp_path / "tiny")


def spectra(analysis):
    return {view.name: [view.data[name].values.tobytes() for name in SPECTRA] for view in analysis.datasets}


@pytest.mark.some_long(3)
@pytest.mark.parametrize("fault", LOST)
def test_a_lost_run_has_a_row_and_changes_no_bit_of_others(fault, own, sound, release, tmp_path, capsys, survival):
    damage, outcome, reason = LOST[fault]
    damage(own, DAMAGED)
    packing = "gz" if faults.run_file(release, 1).suffix == ".gz" else "plain"
    with survival(f"inputs, {packing}: {fault}") as tally, tally.trial():
        config = config_of(own, tmp_path / "store", JOINT)
        analysis = until_datasets(config)
        assert spectra(analysis) == {name: sound[name] for name in ("1", "3")}
        (row,) = [row for row in analysis.datasets.info_table(all_rows=True) if row["name"] == str(DAMAGED)]
        assert row["outcome"] == outcome.name.lower()
        assert reason in row["outcome_detail"]
        config.write(tmp_path / "config.yaml")
        ran = CommandLine(capsys)("run", tmp_path / "config.yaml", "--until", "datasets")
        assert ran.code == 4
        assert f"Run {DAMAGED} was not used: " in ran.err
        assert "Traceback" not in ran.err


@pytest.mark.some_long(3)
@pytest.mark.parametrize("lie", HARMLESS)
def test_a_harmless_contradiction_is_noted_and_changes_no_bit(lie, own, sound, caplog, survival):
    change, warning = HARMLESS[lie]
    change(own, DAMAGED)
    with survival(f"inputs: {lie}") as tally, tally.trial():
        analysis = until_datasets(config_of(own, "memory://", JOINT))
        assert analysis.unused == []
        assert spectra(analysis) == sound
        assert warning is None or warning in caplog.text


def test_a_run_missing_from_the_observation_index_is_noted(own, sound, caplog):
    faults.forget_observation(own, DAMAGED)
    analysis = until_datasets(config_of(own, "memory://", JOINT))
    assert spectra(analysis) == {name: sound[name] for name in ("1", "3")}
    assert "Runs that have HDUs and no row in the observation index are left out: 2." in caplog.text


def content_of(run):
    """All that a run gives: its header, events, good time and responses."""
    arrays = [*run.events.values(), run.gti, *(v for r in run.responses.values() for v in r.values.values())]
    return [np.asarray(values).tobytes() for values in arrays], {**run.header}


@pytest.mark.long
def test_flipped_bits_raise_or_change_single_values_only(own, moments, survival):
    """In gz data the sum at the end of the file finds each; in plain data only what breaks the format is found."""
    path = faults.run_file(own, DAMAGED)
    whole, entry = path.read_bytes(), read_index(own).runs[DAMAGED]
    expected = content_of(read_run(entry))
    is_gz = path.suffix == ".gz"
    refused = silent = 0
    with survival(f"inputs, {'gz' if is_gz else 'plain'}: a flipped bit") as tally:
        for _ in range(FLIPS):
            place, bit = moments.random(), moments.randrange(8)
            path.write_bytes(whole)
            faults.flip_bit(path, place, bit)
            with tally.trial(f"{place} {bit}"):
                held = open_release(own).load([1, DAMAGED], Store("memory://"))
                assert 1 in held.places
                if held.failures:
                    refused += 1
                    assert [failure.obs_id for failure in held.failures] == [DAMAGED]
                    assert held.failures[0].message
                else:
                    silent += content_of(read_run(entry)) != expected
        tally.remark = f"{refused} refused, {silent} changed a value in silence"
    assert not is_gz or silent == 0


@pytest.mark.some_long(2)
def test_flipped_bits_never_end_an_analysis(own, sound, moments, survival):
    path = faults.run_file(own, DAMAGED)
    whole = path.read_bytes()
    with survival("inputs: a flipped bit, the whole reduction") as tally:
        for _ in range(FLIPS // 10):
            place, bit = moments.random(), moments.randrange(8)
            path.write_bytes(whole)
            faults.flip_bit(path, place, bit)
            with tally.trial(f"{place} {bit}"):
                analysis = until_datasets(config_of(own, "memory://", JOINT))
                found = spectra(analysis)
                assert {name: found[name] for name in ("1", "3")} == {name: sound[name] for name in ("1", "3")}
                assert set(found) | {name for name, _ in analysis.unused} == {"1", "2", "3"}


def complaint(entry):
    """Return what is wrong with a run, or the note of a response that was skipped."""
    try:
        return " ".join(note.text for note in read_run(entry).notes)
    except XgammaError as error:
        return str(error)


def test_files_with_checksums_refuse_every_flipped_bit_of_the_data(tiny_release, tmp_path, moments, survival):
    own = shutil.copytree(tiny_release, tmp_path / "tiny")
    faults.write_datasums(own, DAMAGED)
    path, entry = faults.run_file(own, DAMAGED), read_index(own).runs[DAMAGED]
    read_run(entry)
    whole = path.read_bytes()
    header = [position for position in range(0, len(whole), 80) if whole[position : position + 8] == b"DATASUM "]
    assert len(header) > 4
    with survival("inputs with DATASUM: a flipped bit of the data") as tally:
        for _ in range(FLIPS // 2):
            tables = [table for table in read_tables(path, raw=whole) if len(table._data) > 0]
            table = moments.choice(tables)
            place = whole.index(bytes(table._data[:4000])) + moments.randrange(min(4000, len(table._data)))
            damaged = bytearray(whole)
            damaged[place] ^= 1 << moments.randrange(8)
            path.write_bytes(damaged)
            with tally.trial(str(place)):
                assert "do not add up to its DATASUM" in complaint(entry)
    path.write_bytes(whole)
    assert [validate_datasum(table, path) for table in read_tables(path)].count(None) == len(read_tables(path))


def test_a_release_that_was_read_is_the_same_in_the_store_when_its_file_is_damaged_later(own, tmp_path):
    store = Store(tmp_path / "store")
    open_release(own).load([1, 2, 3], store)
    before = {record.key: dataset_digest(store.get("dl3", record.key)) for record in store.ls()}
    faults.truncate_file(own, DAMAGED)
    held = open_release(own).load([1, 2, 3], store)
    assert [failure.obs_id for failure in held.failures] == [DAMAGED]
    assert {record.key: dataset_digest(store.get("dl3", record.key)) for record in store.ls()} == before
