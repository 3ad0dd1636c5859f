"""Flux points to objects of Gammapy and back; skipped without Gammapy, ``make test-peer`` runs them."""

from __future__ import annotations

import numpy as np
import pytest
from format_samples import points

from releases import config_of, whole
from xgamma.datasets import FluxPoints, FluxPointsDataset
from xgamma.errors import ConfigError, ConfigTypeError, LaterError
from xgamma.formats.sed.kinds import SED_TYPES
from xgamma.models import PowerLawSpectralModel, SkyModel

peer = pytest.importorskip("gammapy.estimators", reason="gammapy is not installed")

# Gammapy has no attribute for these.
LEFT_BEHIND = {"e_min_fit", "e_max_fit", "counts_left_out"}


@pytest.fixture(scope="session")
def analysis(tiny_release, tmp_path_factory):
    """Three runs, not stacked, with all of the optional numbers of flux points."""
    store = tmp_path_factory.mktemp("bridged") / "store"
    text = "flux_points: {parameters: {selection_optional: all}}"
    return whole(config_of(tiny_release, store, "datasets: {stack: false}", text))


@pytest.fixture
def found(analysis):
    """Our points, and the model whose multiples they are."""
    return analysis.flux_points.data, analysis.models["crab"]


def test_the_tables_are_equal(found):
    ours, model = found
    theirs = ours.to_gammapy(model)
    for sed_type in SED_TYPES:
        table, other = ours.to_table(sed_type), theirs.to_table(sed_type)
        assert [name for name in table.colnames if name in other.colnames] == other.colnames
        assert set(table.colnames) - set(other.colnames) <= {*LEFT_BEHIND, "is_ul", "stat_null", "ref_e2dnde"}
        for name in other.colnames:
            expected, unit = table[name], table[name].unit
            value = other[name].quantity.to_value(unit) if unit else np.asarray(other[name])
            np.testing.assert_allclose(np.asarray(value, float), np.asarray(expected, float), rtol=2e-15, err_msg=name)


def test_points_survive_the_round_trip_unchanged(found):
    ours, model = found
    back = FluxPoints.from_gammapy(ours.to_gammapy(model)).data
    assert set(ours.data.variables) - set(back.variables) == LEFT_BEHIND
    for name in set(map(str, back.variables)):
        expected = ours.data[name].values
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(back[name].values, expected, rtol=1e-15, err_msg=name)
        else:
            np.testing.assert_array_equal(back[name].values, expected, err_msg=name)
    assert [back.attrs[name] for name in ("n_sigma", "n_sigma_ul")] == [1.0, 2.0]


def test_a_power_law_needs_no_model(found, caplog):
    theirs = found[0].to_gammapy()
    assert caplog.text == ""
    np.testing.assert_allclose(theirs.flux.quantity.to_value("cm-2 s-1")[:, 0, 0], found[0].flux.value, rtol=1e-6)


def test_another_model_raises(found):
    with pytest.raises(ConfigError, match="reference_model is not the one that these points are multiples of"):
        found[0].to_gammapy(SkyModel(PowerLawSpectralModel(index=2), name="other"))


def test_points_with_gaps_raise(found):
    ours = FluxPoints(found[0].data.isel(energy=[0, 2]))
    with pytest.raises(LaterError, match="no gaps between them"):
        ours.to_gammapy(found[1])


def test_one_point_needs_its_model(found):
    ours = FluxPoints(found[0].data.isel(energy=[1]))
    with pytest.raises(ConfigError, match="give the model as reference_model"):
        ours.to_gammapy()
    assert len(ours.to_gammapy(found[1]).norm.data) == 1


def test_without_their_model_a_warning_says_by_how_much_integrals_deviate(caplog):
    ours = FluxPoints(points())
    with caplog.at_level("WARNING", logger="xgamma"):
        back = FluxPoints.from_gammapy(ours.to_gammapy())
    np.testing.assert_array_equal(back.data["counts"], ours.data["counts"])
    np.testing.assert_array_equal(back.data["dataset"], ours.data["dataset"])
    np.testing.assert_array_equal(back.is_ul, ours.is_ul)
    np.testing.assert_allclose(back.dnde.value, ours.dnde.value, rtol=1e-12)
    assert "Without reference_model Gammapy interpolates the reference spectrum: ref_flux deviates" in caplog.text


def test_points_of_the_estimator_of_gammapy_are_converted(analysis):
    theirs = analysis.datasets.to_gammapy()
    edges = np.append(analysis.flux_points.data.energy_min, analysis.flux_points.data.energy_max[-1])
    estimator = peer.FluxPointsEstimator(energy_edges=edges, source="crab", selection_optional="all")
    with np.errstate(all="ignore"):
        found = estimator.run(theirs)
    back, ours = FluxPoints.from_gammapy(found), analysis.flux_points.data
    measured = ours.success & back.success.astype(bool)
    assert measured.any()
    np.testing.assert_allclose(back.dnde.value[measured], ours.dnde.value[measured], rtol=1e-2)
    np.testing.assert_array_equal(back.data["counts"].sum("dataset"), ours.data["counts"].sum("dataset"))


def test_a_dataset_of_points_is_converted_with_its_models(analysis):
    ours = analysis.flux_points
    theirs = ours.to_gammapy()
    assert (theirs.name, theirs.models.names) == (ours.name, ["crab"])
    assert FluxPointsDataset.from_gammapy(theirs).models.names == ["crab"]


def test_another_type_than_points_raises():
    with pytest.raises(ConfigTypeError, match="Expected FluxPoints of Gammapy, got a int"):
        FluxPoints.from_gammapy(3)
