"""A run that fails is named with stage, kind and message, stops no other, and can be tried again alone."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import faults
from releases import config_of, until_datasets
from xgamma.analysis import Analysis
from xgamma.analysis.failures import failed_runs, retry
from xgamma.analysis.plan import plan
from xgamma.analysis.run import run
from xgamma.errors import ConfigError, DataError, InputError, StoreError, UnknownNameError
from xgamma.outcome import Outcome, UnusedRun
from xgamma.reduce import reduce_block
from xgamma.store import Store, dataset_digest
from xgamma.upkeep.parts import compact, tag


def config(release, folder, *texts):
    return config_of(release, folder / "store", "datasets: {stack: false}", *texts)


def rows_of(analysis):
    """Return what each row holds, but for how far its off regions are padded."""
    names = ["counts", "counts_off", "acceptance_off", "exposure", "edisp", "mask_safe", "ledger"]
    return {view.name: dataset_digest(view.data[names].drop_attrs(deep=False)) for view in analysis.datasets}


@pytest.fixture
def damaged(own_release):
    """A release of three runs, the second of which is cut off; and the way to mend it."""
    path = faults.run_file(own_release, 2)
    whole = path.read_bytes()
    faults.truncate_file(own_release, 2)
    return own_release, lambda: path.write_bytes(whole)


def failing(names):
    """Return a reduction that fails whenever one of some runs is in its block."""

    def block(part, rows, recipe):
        if set(rows.names) & set(names):
            raise StoreError("its events cannot be read")
        return reduce_block(part, rows, recipe)

    return block


# --- named


def test_a_run_that_cannot_be_read_is_named_by_stage_kind_and_message(damaged, tmp_path):
    analysis = until_datasets(config(damaged[0], tmp_path))
    [unused] = analysis.unused_runs
    assert (unused.name, unused.stage, unused.kind) == ("2", "ingest", "unreadable_file")
    assert "run_000002" in unused.message
    table = analysis.datasets.info_table(all_rows=True)
    assert dict(zip(table["name"], table["outcome"], strict=True)) == {"1": "used", "2": "unreadable_file", "3": "used"}


def test_a_run_that_the_request_rules_out_is_named_too(own_release, tmp_path):
    faults.point_away(own_release, 2)
    [unused] = until_datasets(config(own_release, tmp_path)).unused_runs
    assert (unused.name, unused.stage, unused.kind) == ("2", "reduce", "outside_field_of_view")


@pytest.mark.some_long(2)
@pytest.mark.parametrize("names", [["2"], ["1", "3"]])
def test_a_failed_reduction_does_not_stop_other_runs_of_its_block(tiny_release, tmp_path, monkeypatch, names):
    wanted = rows_of(until_datasets(config(tiny_release, tmp_path / "sound")))
    monkeypatch.setattr("xgamma.reduce.spectra.reduce_block", failing(names))
    analysis = until_datasets(config(tiny_release, tmp_path))
    assert rows_of(analysis) == {name: digest for name, digest in wanted.items() if name not in names}
    assert analysis.unused_runs == [
        UnusedRun(int(name), name, "reduce", Outcome.NOT_FINISHED, "its events cannot be read") for name in names
    ]
    assert [view.name for view in analysis.datasets.unused] == names
    [record] = analysis.store.ls("rows")
    assert len(record.texts["rows"]) == 3 - len(names)


def test_a_run_that_failed_for_a_passing_reason_is_reduced_by_the_next_command(tiny_release, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("xgamma.reduce.spectra.reduce_block", failing(["2"]))
        first = until_datasets(config(tiny_release, tmp_path))
    assert [each.run.kind for each in failed_runs(first.store)] == ["not_finished"]
    again = until_datasets(config(tiny_release, tmp_path))
    assert (again.unused_runs, failed_runs(again.store)) == ([], [])
    assert sorted(len(record.texts["rows"]) for record in again.store.ls("rows")) == [1, 2]
    assert rows_of(again) == rows_of(until_datasets(config(tiny_release, tmp_path / "at once")))


def test_an_analysis_whose_reductions_all_fail_raises(tiny_release, tmp_path, monkeypatch):
    monkeypatch.setattr("xgamma.reduce.spectra.reduce_block", failing(["1", "2", "3"]))
    with pytest.raises(DataError, match=r"^No run can be used\. Run 1 and 2 more: its events cannot be read\.\n"):
        until_datasets(config(tiny_release, tmp_path))


def test_a_wrong_request_is_not_recorded_as_a_failure_of_its_runs(tiny_release, tmp_path, monkeypatch):
    def refused(*_):
        raise ConfigError("datasets.on_region.radius: expected another one")

    monkeypatch.setattr("xgamma.reduce.spectra.reduce_block", refused)
    with pytest.raises(ConfigError, match="expected another one"):
        until_datasets(config(tiny_release, tmp_path))


# --- stopped


def test_with_fail_fast_the_first_run_that_fails_ends_the_work(damaged, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"Run 2 cannot be read: .*fail_fast is set"):
        until_datasets(config(damaged[0], tmp_path, "general: {fail_fast: true}"))
    damaged[1]()
    monkeypatch.setattr("xgamma.reduce.spectra.reduce_block", failing(["2"]))
    with pytest.raises(DataError, match=r"Run 2 is not used: its events cannot be read\. .*fail_fast is set"):
        until_datasets(config(damaged[0], tmp_path, "general: {fail_fast: true}"))
    [record] = Store(tmp_path / "store").ls("rows")
    assert len(record.texts["rows"]) == 2


# --- tried again


def test_a_run_that_failed_is_remembered_until_it_succeeds(damaged, tmp_path):
    release, mend = damaged
    store = until_datasets(config(release, tmp_path)).store
    [failed] = failed_runs(store)
    assert (failed.release, failed.datastore, failed.obs_id) == ("tiny", str(release), 2)
    tried, still = retry(store)
    assert [each.obs_id for each in tried] == [each.obs_id for each in still] == [2]
    mend()
    assert retry(store)[1] == failed_runs(store) == []
    assert sum(len(record.texts["runs"]) for record in store.ls("dl3")) == 3
    assert retry(store) == ([], [])


def test_retry_reads_failed_runs_and_no_new_ones(damaged, tmp_path):
    release, mend = damaged
    part = config(release, tmp_path, "observations: {obs_ids: [1, 2]}")
    until_datasets(part)
    mend()
    analysis = Analysis(config(release, tmp_path))
    analysis.get_observations(retry_failed=True)
    assert analysis.observations.ids == ["1", "2"]
    assert analysis.observations.holdings.ingested == [2]
    report = run(config(release, tmp_path), until="datasets", retry_failed=True)
    assert report.analysis.datasets.names == ["1", "2"]
    assert until_datasets(config(release, tmp_path)).datasets.names == ["1", "2", "3"]


def test_retrying_a_run_missing_from_its_release_fails_with_a_reason(damaged, tmp_path):
    release, _ = damaged
    store = until_datasets(config(release, tmp_path)).store
    faults.drop_run(release, 2)
    _, [failed] = retry(store)
    assert failed.run.message == f"{release} does not have it any more"


def test_failures_that_cannot_be_recorded_do_not_stop_the_analysis(damaged, tmp_path, monkeypatch, caplog):
    def full(*_):
        raise StoreError("The store cannot be written: the disk is full.")

    monkeypatch.setattr(Store, "set_failure", full)
    assert until_datasets(config(damaged[0], tmp_path)).datasets.names == ["1", "3"]
    assert "Which runs failed could not be written down: The store cannot be written" in caplog.text


@pytest.mark.parametrize(("name", "obs_id"), [("23523", 23523), ("23523-2", 23523), ("-5", -5), ("-5-1", -5)])
def test_a_record_of_a_failed_run_from_before_ids_were_in_it_is_read(name, obs_id):
    old = {"name": name, "stage": "reduce", "kind": "not_finished", "message": "its events cannot be read"}
    run = UnusedRun.from_document(old)
    assert run == UnusedRun(obs_id, name, "reduce", Outcome.NOT_FINISHED, "its events cannot be read")
    assert run.document() == {"obs_id": obs_id, **old}
    assert UnusedRun.from_document(run.document()) == run


# --- opened at a tag


def test_a_store_is_opened_at_a_tag(own_release, tmp_path):
    first = until_datasets(config(own_release, tmp_path))
    store = first.store
    tag(store, "first-light")
    faults.halve_events(own_release, 2)
    second = until_datasets(config(own_release, tmp_path))
    assert rows_of(second)["2"] != rows_of(first)["2"]
    again = {"datastore": str(tmp_path / "store"), "required_irf": ["aeff"]}
    for name, wanted in (("first-light", first), (None, second)):
        given = config(own_release, tmp_path).update({"observations": {**again, "tag": name}})
        assert rows_of(until_datasets(given)) == rows_of(wanted)
    with pytest.raises(UnknownNameError, match=r"has no tag 'first-ligth'\. Did you mean 'first-light'"):
        until_datasets(config(own_release, tmp_path).update({"observations": {**again, "tag": "first-ligth"}}))


def test_a_fits_release_has_no_tags(tiny_release, tmp_path):
    given = config(tiny_release, tmp_path, "observations: {tag: first-light}")
    with pytest.raises(ConfigError, match="is no xgamma store, and only stores have tags"):
        until_datasets(given)


def test_runs_of_a_tag_are_those_of_that_time(nights_release, tmp_path):
    until_datasets(config(nights_release, tmp_path, "observations: {obs_ids: [1, 2, 3, 4]}"))
    tag(Store(tmp_path / "store"), "night-1")
    until_datasets(config(nights_release, tmp_path))
    shutil.rmtree(tmp_path / "elsewhere", ignore_errors=True)
    given = config(tmp_path / "store", tmp_path / "elsewhere", "observations: {tag: night-1}")
    analysis = until_datasets(given)
    assert analysis.datasets.names == ["1", "2", "3", "4"]
    assert np.isfinite(analysis.datasets[0].data["counts"].values).all()


# --- more cases


def test_a_run_that_stopped_the_analysis_is_also_retried(damaged, tmp_path):
    with pytest.raises(InputError, match="fail_fast is set"):
        until_datasets(config(damaged[0], tmp_path, "general: {fail_fast: true}"))
    store = Store(tmp_path / "store")
    assert [each.obs_id for each in failed_runs(store)] == [2]
    damaged[1]()
    assert retry(store)[1] == []


def test_a_release_is_remembered_by_its_whole_path(damaged, tmp_path, monkeypatch):
    release, mend = damaged
    monkeypatch.chdir(release.parent)
    store = until_datasets(config(release.name, tmp_path)).store
    monkeypatch.chdir("/")
    mend()
    assert retry(store)[1] == []


def test_a_missing_release_does_not_stop_retries_of_another(damaged, nights_release, tmp_path):
    release, _ = damaged
    nights = shutil.copytree(nights_release, tmp_path / "nights")
    path = faults.run_file(nights, 5)
    whole = path.read_bytes()
    faults.truncate_file(nights, 5)
    for each in (release, nights):
        until_datasets(config(each, tmp_path))
    path.write_bytes(whole)
    shutil.rmtree(release)
    tried, still = retry(Store(tmp_path / "store"))
    assert [each.obs_id for each in tried] == [2, 5]
    assert [(each.release, each.obs_id) for each in still] == [("tiny", 2)]
    assert "Datastore not found" in still[0].run.message


@pytest.mark.parametrize("error", [ValueError("a defect"), DataError("The ledger of row 0 does not add up.")])
def test_a_programming_error_is_not_recorded_as_a_failure_of_a_run(tiny_release, tmp_path, monkeypatch, error):
    def broken(*_):
        raise error

    monkeypatch.setattr("xgamma.reduce.spectra.reduce_block", broken)
    with pytest.raises(type(error), match=str(error)):
        until_datasets(config(tiny_release, tmp_path))
    assert failed_runs(Store(tmp_path / "store")) == []


def test_an_analysis_goes_on_while_its_store_is_compacted(nights_release, tmp_path):
    for obs_ids in ([1, 2, 3], [4, 5, 6, 7]):
        until_datasets(config(nights_release, tmp_path, f"observations: {{obs_ids: {obs_ids}}}"))
    analysis = Analysis(config(nights_release, tmp_path, "datasets: {geom: {axes: {energy: {nbins: 4}}}}"))
    analysis.get_observations()
    compact(analysis.store)
    analysis.get_datasets()
    assert analysis.datasets.names == [str(number) for number in range(1, 8)]


def test_an_expression_that_drops_all_runs_is_named(tiny_release, tmp_path):
    given = config(tiny_release, tmp_path, 'observations: {expression: "events > 1e9"}')
    with pytest.raises(ConfigError, match="The expression alone drops 3; change it"):
        until_datasets(given)
    with pytest.raises(ConfigError, match="The expression alone drops 3; change it"):
        plan(given)
