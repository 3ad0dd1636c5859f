"""A set in memory equals the release of its seed, and is reduced as the files of a release are."""

import dataclasses

import numpy as np
import pytest

from releases import COARSE, NIGHTS, TINY, until_datasets
from xgamma.analysis import AnalysisConfig
from xgamma.closure import estimated_sets, reduced_sets, runs_of_set, simulator_of, trial_of
from xgamma.closure.estimates import START, default_document
from xgamma.errors import ConfigError
from xgamma.formats.gadf.index import read_index
from xgamma.formats.gadf.run import read_run
from xgamma.predict import npred_signal
from xgamma.reduce import select_rows
from xgamma.simulate import Plan, Source, power_law, simulate

SEEDS = [11, 12, 13]
EXACT = {"rtol": 1e-12, "atol": 0}


@pytest.fixture(scope="module")
def simulator():
    return simulator_of(TINY)


@pytest.fixture(scope="module")
def trial():
    return trial_of(TINY)


@pytest.fixture(scope="module")
def stacks(simulator, trial):
    return reduced_sets(simulator, SEEDS, trial.recipe)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return simulate(dataclasses.replace(TINY, seed=12), tmp_path_factory.mktemp("closure") / "release").path


@pytest.mark.parametrize("plan", [TINY, NIGHTS], ids=lambda plan: plan.name)
def test_a_set_is_bit_for_bit_the_release_of_its_seed(plan, tmp_path):
    release = simulate(dataclasses.replace(plan, seed=5), tmp_path / "release")
    read = [read_run(entry) for entry in read_index(release.path).runs.values()]
    drawn = runs_of_set(simulator_of(plan), 5)
    assert len(drawn) == plan.runs
    for one, other in zip(drawn, read, strict=True):
        assert list(one.events) == list(other.events)
        for name, values in one.events.items():
            assert values.dtype == other.events[name].dtype
            np.testing.assert_array_equal(values, other.events[name])
        np.testing.assert_array_equal(one.gti, other.gti)
        assert {role: table.digest for role, table in one.responses.items()} == {
            role: table.digest for role, table in other.responses.items()
        }


def test_sets_reduced_together_are_sets_reduced_alone(simulator, trial, stacks):
    for row, seed in enumerate(SEEDS):
        alone = reduced_sets(simulator, [seed], trial.recipe)
        assert alone.identical(select_rows(stacks, [row]).assign_attrs(alone.attrs))
    assert len({stacks["counts"].values[row].tobytes() for row in range(len(SEEDS))}) == len(SEEDS)


def test_a_set_gives_what_an_analysis_of_its_files_gives(release, trial, stacks, tmp_path):
    document = default_document(TINY)
    document["general"] = {"store": str(tmp_path / "store"), "outdir": str(tmp_path)}
    document["observations"] = {"datastore": str(release)}
    analysis = until_datasets(AnalysisConfig(**document))
    stored = analysis.datasets[0].group
    row = select_rows(stacks, [SEEDS.index(12)])
    for name in ("counts", "counts_off", "acceptance_off", "exposure", "edisp", "mask_safe", "livetime"):
        np.testing.assert_array_equal(row[name].values, stored[name].values, err_msg=name)
    models = trial.models()
    for parameter in models.parameters.free_parameters:
        parameter.value *= START
    analysis.set_models(models)
    analysis.run_fit()
    analysis.get_flux_points()
    estimated = estimated_sets(trial, row)
    fitted = analysis.models.parameters.free_parameters
    assert estimated["value"].values[0].tolist() == [parameter.value for parameter in fitted]
    assert estimated["error"].values[0].tolist() == [parameter.error for parameter in fitted]
    points = analysis.flux_points.data.data
    for name in ("norm", "norm_err", "norm_errn", "norm_errp", "norm_ul"):
        np.testing.assert_array_equal(estimated[name].values[0], points[name].values, err_msg=name)


def test_a_set_without_noise_gives_the_truth_exactly(trial, stacks):
    signal = npred_signal(stacks, trial.models())
    background = stacks["acceptance"] / stacks["acceptance_off"]
    exact = stacks.assign(counts=stacks["counts"].copy(data=(signal + background).values))
    exact = exact.assign(counts_off=stacks["counts_off"].copy(data=np.ones_like(signal.values)))
    estimated = estimated_sets(trial, exact)
    truth = estimated["truth"].values
    np.testing.assert_allclose(estimated["value"].values, np.tile(truth, (len(SEEDS), 1)), rtol=2e-3)
    np.testing.assert_allclose(estimated["norm"].values, estimated["norm_true"].values, rtol=1e-3)


def test_the_true_norm_is_that_of_the_true_counts(trial, stacks):
    estimated = estimated_sets(trial, stacks)
    fitted = trial.models()
    for row in range(len(SEEDS)):
        for name, value in zip(estimated["parameter"].values.tolist(), estimated["value"].values[row], strict=True):
            fitted.parameters[name].value = float(value)
        # Eight points of three bins each, all of which are safe.
        true, reference = (
            npred_signal(select_rows(stacks, [row]), models).values[0, 0].reshape(8, 3).sum(axis=1)
            for models in (trial.models(), fitted)
        )
        np.testing.assert_allclose(estimated["norm_true"].values[row], true / reference, **EXACT)
        np.testing.assert_allclose(estimated["signal"].values[row], true, **EXACT)


@pytest.mark.parametrize(
    ("plan", "document", "sentence"),
    [
        (Plan(source=Source(sigma=0.1)), None, r"source\.sigma: expected 0 deg, got 0\.1 deg"),
        (Plan(source=Source(spectral=power_law(amplitude=0.0))), None, r"the amplitude is 0"),
        (Plan(response=COARSE), {}, r"datasets\.background\.method: expected reflected"),
        (Plan(), {"datasets": {"background": {"method": "reflected"}}}, r"flux_points\.energy: no energies"),
    ],
)
def test_a_trial_that_cannot_close_raises_before_any_draw(plan, document, sentence):
    with pytest.raises(ConfigError, match=sentence):
        trial_of(plan, None if document is None else AnalysisConfig(**document))
