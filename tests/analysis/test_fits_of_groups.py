"""`fit.each` and `flux_points.each`: what is fitted by itself, found a second time, shown and refused."""

import json
import logging

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from astropy.table import Table

from builders import dl4_dataset
from releases import MODEL, config_of, until_datasets, whole
from xgamma.analysis import Analysis
from xgamma.analysis.plan import plan
from xgamma.analysis.run import run
from xgamma.analysis.steps import each as steps
from xgamma.datasets import Datasets, FluxPoints, GroupFits, GroupPoints
from xgamma.errors import ConfigError, OutputExistsError, UnknownNameError
from xgamma.estimate import fit_groups, flux_points, flux_points_groups
from xgamma.fit import FitInput, fit
from xgamma.models import Models
from xgamma.reduce import select_rows
from xgamma.schema import PRODUCTS, Kind, product_violations
from xgamma.store.conformance import validate

pytestmark = pytest.mark.draws

EACH = "{fit: {each: night}, flux_points: {each: night}}"
STACKS = "datasets: {stack_by: night}"
ROWS = "datasets: {stack: false}"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("each") / "store"


@pytest.fixture(scope="module")
def ran(nights_release, store):
    """An analysis with a fit and flux points of each night, from the stacks of nights."""
    return run(config_of(nights_release, store, STACKS, EACH))


@pytest.fixture
def fits(ran):
    return ran.analysis.fit_each


@pytest.fixture
def points(ran):
    return ran.analysis.flux_points_each


# --- the numbers


def test_each_night_is_fitted_as_if_alone(ran, fits):
    assert fits.groups == ran.analysis.datasets.names
    together = Models([model.copy() for model in ran.analysis.models])
    for number, one in enumerate(_rows_of(ran.analysis.datasets)):
        alone = together.copy()
        result = fit([one], alone)
        np.testing.assert_array_equal(fits.data["value"].values[number], alone.parameters.value)
        assert fits.data["total_stat"].values[number] == result.total_stat
    np.testing.assert_array_equal(fits.data["start"].values, together.parameters.value)
    assert fits.success.all()


def _rows_of(datasets):
    [given] = datasets.fit_inputs()
    return [FitInput(select_rows(given.data, [row]), given.mask[row : row + 1]) for row in range(len(given.names))]


def test_flux_points_of_each_night_are_those_of_the_night(ran, points):
    assert isinstance(points[points.groups[0]], FluxPoints)
    for group, one in zip(points.groups, _rows_of(ran.analysis.datasets), strict=True):
        edges = [0.5, *ran.analysis.flux_points.data.energy_max.value]
        alone = flux_points([one], ran.analysis.models, "crab", np.array(edges), {"selection_optional": "all"})
        for name in ("norm", "norm_err", "norm_ul", "ts", "stat_scan", "ref_flux", "counts"):
            np.testing.assert_array_equal(points[group].data[name].values, alone[name].values)
    with pytest.raises(UnknownNameError, match="no group"):
        points["2004-01-01"]


def test_rows_of_a_night_are_fitted_together(nights_release, store, fits):
    config = config_of(nights_release, store, ROWS, "{fit: {each: night}}")
    analysis = whole(config)
    together = analysis.fit_each
    assert together.groups == fits.groups
    assert together.data["group_of_dataset"].values.tolist() == [0, 0, 0, 0, 1, 1, 1]
    rows = analysis.datasets.fit_inputs()[0]
    alone = Models([model.copy() for model in analysis.models])
    fit([FitInput(select_rows(rows.data, range(4)), rows.mask[:4])], alone)
    np.testing.assert_array_equal(together.data["value"].values[0], alone.parameters.value)


def test_each_dataset_is_a_group_of_its_own(nights_release, store):
    analysis = whole(config_of(nights_release, store, ROWS, "{fit: {each: dataset}}"))
    assert analysis.fit_each.groups == analysis.datasets.names
    assert len(analysis.fit_each.groups) == 7


@pytest.mark.parametrize("groups", [1, 2, 16])
def test_blocks_do_not_matter(monkeypatch, groups):
    monkeypatch.setattr("xgamma.estimate.group_fits.GROUPS", groups)
    rows, models, labels = [dl4_dataset(5)], Models.from_dict(MODEL), ["a", "b", "a", "c", "c"]
    found = fit_groups(rows, labels, models)
    monkeypatch.setattr("xgamma.estimate.group_fits.GROUPS", 16)
    xr.testing.assert_identical(found, fit_groups(rows, labels, models))
    assert found["group"].values.tolist() == ["a", "b", "c"]
    assert found["livetime"].values.tolist() == [3200.0, 1600.0, 3200.0]


def test_groups_may_have_rows_of_several_datasets():
    rows, models = [dl4_dataset(2, names=["1", "2"]), dl4_dataset(2, names=["3", "4"], seed=1)], Models.from_dict(MODEL)
    found = fit_groups(rows, ["a", "b", "b", "a"], models)
    alone = models.copy()
    fit([select_rows(rows[0], [0]), select_rows(rows[1], [1])], alone)
    np.testing.assert_array_equal(found["value"].values[0], alone.parameters.value)
    assert found["group_of_dataset"].values.tolist() == [0, 1, 1, 0]


def test_a_group_that_cannot_be_fitted_says_why():
    rows, models = dl4_dataset(3), Models.from_dict(MODEL)
    mask = np.ones(rows["counts"].shape, bool)
    mask[1] = False
    found = fit_groups([FitInput(rows, mask)], ["a", "b", "c"], models)
    assert found["success"].values.tolist() == [True, False, True]
    assert np.isnan(found["value"].values[1]).all()
    assert "No bin is left" in found.attrs["messages"][1]
    assert not product_violations({"": found}, PRODUCTS[Kind.FIT_EACH])


def test_groups_have_one_reference_and_moved_edges_are_said_once(caplog):
    rows, models = dl4_dataset(3), Models.from_dict(MODEL)
    # So little that the source predicts nothing, and its norms are multiples of something else.
    rows["exposure"][1] *= 1e-9
    found = flux_points_groups([rows], ["a", "b", "c"], models, "crab", [1, 3, 10], {"selection_optional": ["scan"]})
    assert caplog.text.count("moved to the edges") == 1
    alone = flux_points([select_rows(rows, [1])], models, "crab", [1, 3, 10])
    flux = alone["norm"].values * alone["ref_flux"].values
    np.testing.assert_allclose(found["norm"].values[1] * found["ref_flux"].values, flux, rtol=1e-9)
    assert np.isnan(found["stat_scan"].values[1]).all()
    assert np.isfinite(found["stat_scan"].values[[0, 2]]).all()


def test_spectra_without_times_have_fits_too():
    rows = dl4_dataset(2).drop_vars("gti")
    found = fit_groups([rows], ["a", "b"], Models.from_dict(MODEL))
    assert np.isnan(found["time_exposed"].values).all()
    points = flux_points_groups([rows], ["a", "b"], Models.from_dict(MODEL), "crab", [1, 3, 10])
    assert not product_violations({"": points}, PRODUCTS[Kind.POINTS_EACH])


# --- the store


def test_the_second_time_all_is_found(ran, nights_release, store, monkeypatch):
    monkeypatch.setattr("xgamma.estimate.fit_groups", None)
    monkeypatch.setattr("xgamma.estimate.flux_points_groups", None)
    config = config_of(nights_release, store, STACKS, EACH)
    assert {step.step: step.state for step in plan(config)}["fit each"] == "found"
    again = run(config).analysis
    assert again.computed == set()
    xr.testing.assert_identical(again.fit_each.data, ran.analysis.fit_each.data)
    xr.testing.assert_identical(again.flux_points_each.data, ran.analysis.flux_points_each.data)


def test_other_groups_and_other_fits_are_other_products(ran, nights_release, store):
    other = config_of(nights_release, store, STACKS, EACH, "{fit: {fit_range: {max: 10 TeV}}}")
    assert {step.step: step.state for step in plan(other)}["fit each"] == "compute"
    dataset = config_of(nights_release, store, STACKS, "{fit: {each: dataset}}")
    # The stack of a night is the dataset: the same fits.
    assert {step.step: step.state for step in plan(dataset)}["fit each"] == "found"


def test_the_products_are_as_the_format_says(ran, store):
    kinds = {record.kind for record in ran.analysis.store.ls()}
    assert {Kind.FIT_EACH, Kind.POINTS_EACH} <= kinds
    assert [str(violation) for violation in validate(store).violations] == []


# --- what is shown


def test_tables_have_a_row_for_each_group(fits, points, tmp_path):
    table = fits.to_table()
    assert table.colnames == [
        *("group", "time_min", "time_max", "livetime", "crab.spectral.index", "crab.spectral.index_err"),
        *("crab.spectral.amplitude", "crab.spectral.amplitude_err", "total_stat", "success"),
    ]
    assert table.meta["TIMESYS"] == "tt"
    np.testing.assert_array_equal(table["crab.spectral.index"], fits.data["value"].values[:, 0])
    flat = points.to_table("flux")
    assert flat["flux"].shape == (2, 4)
    for view, name in ((fits, "fits.ecsv"), (points, "points.ecsv")):
        view.write(tmp_path / name)
        assert Table.read(tmp_path / name)["group"].tolist() == fits.groups
        with pytest.raises(OutputExistsError):
            view.write(tmp_path / name)
        with pytest.raises(ConfigError, match=r"\.ecsv"):
            view.write(tmp_path / "table.txt")


def test_views_print_what_they_are(fits, points):
    assert repr(fits) == "<GroupFits by night: 2 groups>"
    assert repr(points) == "<GroupPoints by night: 2 groups, 4 energies>"
    assert fits.unit("crab.spectral.amplitude") == "cm-2 s-1 TeV-1"
    with pytest.raises(UnknownNameError, match="Did you mean"):
        fits.unit("crab.spectral.indx")
    assert "<table" in fits._repr_html_()
    assert "<table" in points._repr_html_()


def test_a_run_writes_tables_and_pictures_and_the_terminal_shows_a_row_for_each(ran):
    names = {path.name for path in ran.files.values()}
    assert {"fit-each.ecsv", "fit-each.png", "flux-points-each.ecsv", "flux-points-each.png"} <= names
    [table] = steps.FitEachStep().tables(ran.analysis.results)
    assert table.title == "Fit of each night: all converged"
    assert [row["group"] for row in table.rows] == ran.analysis.fit_each.groups
    assert list(table.rows[0]) == ["group", "index", "amplitude (cm-2 s-1 TeV-1)", "statistic"]
    [points] = steps.FluxPointsEachStep().tables(ran.analysis.results)
    assert len(points.rows) == 8
    document = steps.FitEachStep().document(ran.analysis.results)
    assert set(json.loads(json.dumps(document))["fit_each"]) == set(ran.analysis.fit_each.groups)


def test_parameters_are_drawn_against_time_with_the_fit_of_all(fits):
    figure = plt.figure()
    axes = fits.plot(figure)
    assert [ax.get_ylabel() for ax in axes] == ["index", "amplitude [10$^{-10}$ cm$^{-2}$ s$^{-1}$ TeV$^{-1}$]"]
    drawn = axes[0].containers[0].lines[0]
    np.testing.assert_array_equal(drawn.get_ydata(), fits.data["value"].values[:, 0])
    np.testing.assert_allclose(drawn.get_xdata() + 40587, fits.mjd_exposed.mean(axis=1))
    assert axes[0].get_ylim()[0] > 0
    plt.close(figure)


def test_groups_that_overlap_in_time_stand_side_by_side():
    rows = [dl4_dataset(4)]
    fits = GroupFits(fit_groups(rows, ["near", "far", "near", "far"], Models.from_dict(MODEL)))
    figure = plt.figure()
    axes = fits.plot(figure)
    assert [text.get_text() for text in axes[-1].get_xticklabels()] == ["near", "far"]
    plt.close(figure)


def test_many_spectra_have_no_picture():
    rows, labels = [dl4_dataset(13)], [str(number) for number in range(13)]
    points = GroupPoints(flux_points_groups(rows, labels, Models.from_dict(MODEL), "crab", [1, 3, 10]))
    with pytest.raises(ConfigError, match="13 spectra are more than a picture can tell apart"):
        points.plot()


# --- what is refused


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{fit: {each: night}}", r"fit.each: night, and datasets are stacked into one; write datasets.stack_by: night"),
        (
            "{datasets: {stack_by: month}, flux_points: {each: night}}",
            "flux_points.each: night, and datasets are stacked by month",
        ),
        ("{fit: {each: nights}}", "fit.each"),
        ("{fit: {each: zenith}}", "zenith has a value for each run"),
        ("{fit: {each: 3}}", "fit.each"),
    ],
)
def test_groups_that_are_not_there_are_refused_before_any_work(nights_release, tmp_path, text, sentence):
    with pytest.raises(ConfigError, match=sentence):
        plan(config_of(nights_release, tmp_path / "store", text))


def test_datasets_from_elsewhere_are_of_no_night(nights_release, store, caplog):
    analysis = until_datasets(config_of(nights_release, store, STACKS, EACH))
    analysis.datasets = Datasets.from_xarray([dl4_dataset(2)])
    analysis.set_models(Models.from_dict(MODEL))
    with caplog.at_level(logging.CRITICAL), pytest.raises(ConfigError, match="'23523' it is not known which that is"):
        analysis.run_fit()
    assert isinstance(analysis, Analysis)
