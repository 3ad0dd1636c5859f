"""Work on each row by itself gives what each row alone gives, wherever it runs."""

import numpy as np
import pytest
import xarray as xr

from releases import MODEL, config_of, until_datasets
from xgamma.errors import ConfigError
from xgamma.estimate import fit_each, flux_points, flux_points_each
from xgamma.execute import Workers
from xgamma.fit import FitInput, fit
from xgamma.models.models import Models
from xgamma.reduce import select_rows

EDGES = np.geomspace(0.5, 30, 5)


@pytest.fixture(scope="module")
def rows(nights_release, tmp_path_factory):
    """The spectra of seven runs."""
    store = tmp_path_factory.mktemp("each") / "store"
    [rows] = until_datasets(config_of(nights_release, store, "datasets: {stack: false}")).datasets.to_xarray()
    return rows


@pytest.fixture
def models():
    return Models.from_dict(MODEL)


@pytest.mark.parametrize("rows_per_block", [1, 3, 16])
def test_each_row_is_fitted_as_if_alone(rows, models, monkeypatch, rows_per_block):
    monkeypatch.setattr("xgamma.estimate.each.ROWS", rows_per_block)
    start = models.parameters.value.tolist()
    found = fit_each(rows, models)
    assert models.parameters.value.tolist() == start
    assert found["success"].values.all()
    for row in range(7):
        alone = models.copy()
        result = fit([select_rows(rows, [row])], alone)
        np.testing.assert_array_equal(found["value"].values[row], alone.parameters.value)
        assert found["total_stat"].values[row] == result.total_stat
    assert found["dataset"].values.tolist() == rows["dataset"].values.tolist()


@pytest.mark.long
def test_processes_give_the_results_of_threads(rows, models, monkeypatch):
    monkeypatch.setattr("xgamma.estimate.each.ROWS", 4)
    xr.testing.assert_identical(fit_each(rows, models, workers=Workers(2)), fit_each(rows, models))


def test_a_row_that_cannot_be_fitted_does_not_stop_the_others(rows, models):
    mask = np.ones(rows["counts"].shape, dtype=bool)
    mask[2] = False
    found = fit_each(FitInput(rows, mask), models)
    assert found["success"].values.tolist() == [True, True, False, True, True, True, True]
    assert np.isnan(found["value"].values[2]).all()
    assert found.attrs["messages"][2]


def test_flux_points_of_each_row_are_those_of_the_row(rows, models):
    found = flux_points_each(rows, models, "crab", EDGES)
    assert list(found) == rows["dataset"].values.tolist()
    xr.testing.assert_identical(found["3"], flux_points([select_rows(rows, [2])], models, "crab", EDGES))


def test_a_wrong_request_raises(rows, models):
    with pytest.raises(ConfigError, match="no model is called 'vela'"):
        flux_points_each(rows, models, "vela", EDGES)
