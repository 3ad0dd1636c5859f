"""A run that cannot be used is listed with its reason; it stops no other run and changes none of their numbers."""

import dataclasses
import shutil
import time

import numpy as np
import pytest

import faults
from releases import TINY, config_of, part_in_memory, recipe, release_of, rows_in, until_datasets, warnings_of
from xgamma.analysis import Analysis
from xgamma.errors import ConfigError, DataError, InputError
from xgamma.outcome import Outcome
from xgamma.reduce import reduce_spectra
from xgamma.store import Store

DAMAGED, GOOD = 2, ["1", "3"]


# Each fault: the outcome, and words of the reason.
CASES = {
    "truncated file": (faults.truncate_file, Outcome.UNREADABLE_FILE, "is a truncated gzip file. Fetch or copy it"),
    "file is gone": (faults.remove_file, Outcome.UNREADABLE_FILE, "There is no file"),
    "no GTI in the file": (faults.remove_hdu, Outcome.MISSING_HDU, "has no HDU 'GTI'; it has PRIMARY, EVENTS, AEFF,"),
    "no effective area": (faults.remove_index_row, Outcome.MISSING_IRF, "it has no aeff, which observations.required"),
    "NaN and negative energies": (
        faults.spoil_energies,
        Outcome.INVALID_EVENTS,
        "energies or coordinates that are not",
    ),
    "all energies NaN": (faults.make_all_energies_nan, Outcome.INVALID_EVENTS, "that are not finite and positive"),
    "no events": (faults.remove_events, Outcome.NO_EVENTS, "the event list is empty"),
    "events far south": (faults.move_events_away, Outcome.EVENTS_OUTSIDE, "no event lies in the field of view"),
    "events far east": (faults.swing_events_away, Outcome.EVENTS_OUTSIDE, "no event lies in the field of view"),
    "pointing 22 deg away": (faults.point_away, Outcome.OUTSIDE_FIELD_OF_VIEW, "the on-region lies outside the field"),
}
# Found in the index or while a file is read; the others while events are counted.
BEFORE_REDUCTION = ("truncated file", "file is gone", "no GTI in the file", "no effective area")
JOINT = "datasets: {stack: false}"


@pytest.fixture(scope="module")
def gz_release(tmp_path_factory):
    """Three runs, compressed as real releases are."""
    return release_of(dataclasses.replace(TINY, compress=True), tmp_path_factory.mktemp("faulty"))


@pytest.fixture(scope="module")
def good(gz_release):
    """The joint and the stacked analysis of the runs that are not damaged."""
    selected = "observations: {obs_ids: [1, 3]}"
    return tuple(until_datasets(config_of(gz_release, "memory://", selected, *more)) for more in ([JOINT], []))


@pytest.fixture(params=CASES)
def case(request):
    return request.param


@pytest.fixture
def damaged(case, gz_release, tmp_path):
    release = shutil.copytree(gz_release, tmp_path / "tiny")
    CASES[case][0](release, DAMAGED)
    return release


def same_spectra(first, second):
    """Whether all numbers of two rows are the same, to the bit."""
    names = ["counts", "counts_off", "acceptance", "acceptance_off", "exposure", "exposure_edisp", "edisp", "mask_safe"]
    return all(np.array_equal(first.data[name], second.data[name]) for name in [*names, "livetime", "outcome"])


@pytest.mark.some_long(3)
def test_a_faulty_run_is_named_and_the_others_keep_every_bit(case, damaged, good, tmp_path, caplog):
    _, outcome, reason = CASES[case]
    store = tmp_path / "store"
    joint = until_datasets(config_of(damaged, store, JOINT))
    warnings = warnings_of(caplog)
    assert len(warnings) == 1
    assert warnings[0].startswith(("Run 2 is left out: ", "Run 2 is not used: "))
    [(name, said)] = joint.unused
    assert name == "2"
    assert reason in said
    assert said.rstrip(".") in warnings[0]

    assert joint.datasets.names == GOOD
    assert all(same_spectra(joint.datasets[run], good[0].datasets[run]) for run in GOOD)
    stacked = until_datasets(config_of(damaged, store))
    assert same_spectra(stacked.datasets["stacked"], good[1].datasets["stacked"])
    assert stacked.datasets.names == ["stacked"]
    for analysis in (joint, stacked):
        table = analysis.datasets.info_table(all_rows=True)
        [row] = [row for row in table if row["name"] == "2"]
        assert row["outcome"] == outcome.name.lower()
        assert row["outcome_detail"] == said
        assert "2" not in analysis.datasets.info_table()["name"]
        assert len(table) == len(analysis.datasets) + 1


@pytest.mark.some_long(3)
def test_an_analysis_without_any_usable_run_raises(case, damaged, caplog):
    _, _, reason = CASES[case]
    analysis = Analysis(config_of(damaged, "memory://", "observations: {obs_ids: [2]}"))
    analysis.get_observations()
    with pytest.raises(InputError if case in BEFORE_REDUCTION else DataError) as error:
        analysis.get_datasets()
    assert str(error.value).startswith("No run can be used. Run 2: ")
    assert reason.rstrip(".") in str(error.value)
    assert error.value.exit_code == 3
    assert analysis.datasets is None


def test_runs_with_different_faults_are_all_named(own_release):
    faults.remove_hdu(own_release, 1)
    faults.remove_events(own_release, 2)
    analysis = until_datasets(config_of(own_release, "memory://", JOINT))
    assert analysis.datasets.names == ["3"]
    assert dict(analysis.unused).keys() == {"1", "2"}
    faults.point_away(own_release, 3)
    with pytest.raises(DataError) as error:
        until_datasets(config_of(own_release, "memory://"))
    assert str(error.value).startswith(
        "No run can be used. Run 2: the event list is empty; run 3: the on-region lies ou"
    )
    assert "; run 1: " in str(error.value)


def test_the_error_lists_the_first_of_many_reasons(nights_release, tmp_path):
    release = shutil.copytree(nights_release, tmp_path / "nights")
    for obs_id in range(1, 8):
        faults.remove_file(release, obs_id)
    with pytest.raises(InputError, match=r"Run 1: .*; run 2: .*; run 3: .*; and 4 more, see the log\.\n") as error:
        until_datasets(config_of(release, "memory://"))
    assert "run 4" not in str(error.value)


def test_a_run_without_a_response_is_not_reported_as_an_empty_selection(own_release):
    for obs_id in (1, 2, 3):
        faults.remove_index_row(own_release, obs_id, "psf")
    with pytest.raises(
        InputError, match=r"Run 1 and 2 more: it has no psf, which observations.required_irf asks for\."
    ):
        until_datasets(config_of(own_release, "memory://"))
    lenient = "{observations: {required_irf: [aeff, edisp]}, datasets: {containment_correction: false}}"
    assert until_datasets(config_of(own_release, "memory://", lenient)).unused == []


def test_a_run_that_was_mended_is_used_the_next_time(own_release, tmp_path, tiny_release):
    path = faults.run_file(own_release, DAMAGED)
    whole = path.read_bytes()
    faults.truncate_file(own_release, DAMAGED)
    config = config_of(own_release, tmp_path / "store", JOINT)
    assert until_datasets(config).datasets.names == GOOD
    path.write_bytes(whole)
    again = until_datasets(config)
    assert again.datasets.names == ["1", "2", "3"]
    assert again.unused == []
    assert len(Store(tmp_path / "store").ls("rows")) == 2


def test_a_truncated_uncompressed_file_is_detected(own_release):
    faults.truncate_file(own_release, DAMAGED)
    analysis = until_datasets(config_of(own_release, "memory://", JOINT))
    assert analysis.datasets.names == GOOD
    assert "run_000002.fits" in dict(analysis.unused)["2"]


def test_events_below_the_axis_are_no_fault(own_release):
    faults.lower_energies(own_release, DAMAGED)
    analysis = until_datasets(config_of(own_release, "memory://", JOINT))
    assert analysis.unused == []
    assert analysis.datasets["2"].counts.sum() == 0


def test_a_stray_pointing_costs_milliseconds(own_release):
    faults.point_away(own_release, DAMAGED)
    part, wanted = part_in_memory(own_release), recipe()

    def seconds():
        begin = time.perf_counter()
        found = reduce_spectra(part, rows_in(part, [DAMAGED - 1]), wanted)
        assert found["outcome"].values.tolist() == [Outcome.OUTSIDE_FIELD_OF_VIEW]
        return time.perf_counter() - begin

    # 2.3 ms where this was written; Gammapy 2.1 takes a minute and 7 GB.
    assert min(seconds() for _ in range(5)) < 0.1


def test_a_faulty_run_is_logged_before_and_after_its_events_are_read(own_release, caplog):
    faults.remove_hdu(own_release, 1)
    faults.remove_events(own_release, DAMAGED)
    analysis = Analysis(config_of(own_release, "memory://", JOINT))
    assert analysis.unused == []
    analysis.get_observations()
    assert [text[:20] for text in warnings_of(caplog)] == ["Run 1 is left out: /"]
    analysis.get_datasets()
    assert warnings_of(caplog)[1:] == ["Run 2 is not used: the event list is empty."]


def test_an_empty_selection_raises_with_what_to_change(tiny_release):
    elsewhere = "observations: {obs_cone: {frame: icrs, lon: 10 deg, lat: 10 deg, radius: 1 deg}}"
    with pytest.raises(ConfigError) as error:
        until_datasets(config_of(tiny_release, "memory://", elsewhere))
    assert str(error.value) == (
        "observations: the selection holds no run; widen obs_cone or obs_time, or give other obs_ids."
    )
