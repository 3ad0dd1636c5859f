"""The views against the numbers of Gammapy 1.0.1, from its reduced spectra: only what a view adds up is compared."""

import json

import numpy as np
import pytest

from xgamma import schema
from xgamma.axes import Axis
from xgamma.datasets import Datasets
from xgamma.models.models import Models
from xgamma.outcome import Fate

MJDREF = 51910.00074287037
FLOAT32 = 3e-7


def numbers(values):
    return np.array(values, dtype=object).astype(float)


@pytest.fixture(scope="module")
def reference(reference_numbers):
    return json.loads((reference_numbers / "crab_1d_stages.json").read_text())


def dl4(entries, names, livetime, ontime):
    axis, axis_true = Axis.from_bounds("energy", 0.5, 30, 20), Axis.from_bounds("energy_true", 0.1, 50, 40)
    count = len(entries)
    variables = {
        "counts": "counts",
        "counts_off": "counts_off",
        "acceptance": "acceptance",
        "acceptance_off": "acceptance_off",
        "exposure": "exposure_m2_s",
        "edisp": "edisp_kernel_true_by_reco",
        "mask_safe": "mask_safe",
    }
    values = {name: np.stack([numbers(entry[key]) for entry in entries])[:, None] for name, key in variables.items()}
    weights = [entry.get("edisp_exposure_map_m2_s", entry["exposure_m2_s"]) for entry in entries]
    values |= {"exposure_edisp": np.stack([numbers(weight) for weight in weights])[:, None]}
    values |= {"livetime": livetime, "ontime": ontime, "gti": np.stack([np.zeros(count), ontime], axis=1)[:, None]}
    values |= {"ledger": np.zeros((count, 1, len(Fate))), "outcome": np.zeros(count)}
    coords = {"dataset": np.array(names), **axis.coords(), **axis_true.coords()}
    attrs = {"mjdref": MJDREF, "telescope": "HESS", "release": "", "outcome_details": ["used"] * count}
    return schema.dataset(values, coords, attrs, ("region",), (1,))


@pytest.fixture
def stacked(reference):
    entry = reference["datasets"][0]
    livetime, ontime = [entry["exposure_meta_livetime_s"]], [entry["gti_sum_s"]]
    return Datasets.from_xarray(dl4([entry], ["stacked"], livetime, ontime))


@pytest.fixture
def runs(reference):
    entries = reference["runs"]
    times = [entry["livetime_s"] for entry in entries], [entry["gti"]["sum_s"] for entry in entries]
    return Datasets.from_xarray(dl4(entries, [str(entry["obs_id"]) for entry in entries], *times))


def validate_table(table, expected):
    assert table.colnames == list(expected)
    for name, column in expected.items():
        assert str(table[name].unit or "") == column["unit"]
        if name in ("name", "stat_type"):
            assert table[name].tolist() == column["value"]
        else:
            np.testing.assert_allclose(table[name], numbers(column["value"]), rtol=FLOAT32)


def test_the_info_table_of_the_stack(stacked, reference):
    validate_table(stacked.info_table(), reference["info_table"])


def test_the_cumulative_info_table_of_the_runs(runs, reference):
    validate_table(runs.info_table(cumulative=True), reference["info_table_cumulative_runs"])


def test_the_printed_stack(stacked, reference):
    entry = reference["datasets"][0]
    info = entry["info_dict"]
    lines = {
        "Total counts": f"{info['counts']}",
        "Total background counts": f"{info['background']:.2f}",
        "Total excess counts": f"{info['excess']:.2f}",
        "Predicted counts": f"{info['npred']:.2f}",
        "Exposure min": f"{info['exposure_min']['value']:.2e} m2 s",
        "Exposure max": f"{info['exposure_max']['value']:.2e} m2 s",
        "Number of fit bins": f"{info['n_fit_bins']}",
        "Fit statistic value (-2 log(L))": f"{info['stat_sum']:.2f}",
        "Total counts_off": f"{info['counts_off']}",
        "Acceptance": f"{sum(entry['acceptance']):.0f}",
        "Acceptance off": f"{sum(entry['acceptance_off']):.0f}",
    }
    text = str(stacked["stacked"])
    for label, value in lines.items():
        assert f"  {label:<31} : {value}\n" in text


def test_the_statistic_before_and_after_the_fit(stacked, reference):
    models = Models.from_yaml(reference["meta"]["model"])
    stacked.models = models
    [dataset] = stacked
    start, fit = reference["start"], reference["fit"]
    assert dataset.stat_sum() == pytest.approx(start["stat_sum_at_start"], rel=1e-7)
    np.testing.assert_allclose(dataset.npred()[0], numbers(start["npred_at_start"]["stacked"]), rtol=FLOAT32)
    dataset.mask_fit = dataset.energy_mask("1 TeV", "20 TeV")
    for parameter in fit["parameters"]:
        models.parameters[parameter["name"]].value = parameter["value"]
    assert dataset.stat_sum() == pytest.approx(fit["total_stat"], rel=1e-7)
    assert int(dataset.mask.sum()) == fit["n_fit_bins"]["stacked"]
    background = numbers(fit["npred_background"]["stacked"])
    np.testing.assert_allclose(dataset.npred_background()[0], background, rtol=FLOAT32)
