import copy
import pickle

import numpy as np
import pytest
import xarray as xr
from astropy import units as u

from builders import flux_points_product
from xgamma import estimators
from xgamma.datasets import FluxPoints, FluxPointsDataset
from xgamma.errors import ConfigError, ConfigTypeError, DataError, OutputExistsError, UnknownNameError
from xgamma.models.skymodel import SkyModel
from xgamma.models.spectral.powerlaws import PowerLawSpectralModel

# As Gammapy 2.1 has them.
STATISTICS = ["ts", "sqrt_ts", "npred", "npred_excess", "stat", "stat_null", "stat_scan", "is_ul", "counts", "success"]
OURS = ["e_min_fit", "e_max_fit", "counts_left_out"]
UNITS = {"dnde": "cm-2 s-1 TeV-1", "flux": "cm-2 s-1", "eflux": "TeV cm-2 s-1", "e2dnde": "TeV cm-2 s-1"}


def power_law(amplitude="4e-11 cm-2 s-1 TeV-1", name="crab", **options):
    return SkyModel(PowerLawSpectralModel(index=2.5, amplitude=amplitude), name=name, **options)


@pytest.fixture
def points():
    return FluxPoints(flux_points_product())


def test_the_import_path_of_gammapy_gives_the_same_class():
    assert estimators.FluxPoints is FluxPoints


@pytest.mark.parametrize("kind", UNITS)
@pytest.mark.parametrize("error", ["", "_err", "_errn", "_errp", "_ul"])
def test_every_flux_is_the_norm_times_its_reference(points, kind, error):
    value = getattr(points, f"{kind}{error}")
    assert value.unit == u.Unit(UNITS[kind])
    np.testing.assert_allclose(
        value.value, points.data[f"norm{error}"].values * points.data[f"ref_{kind}"].values, rtol=1e-15
    )


def test_the_meta_are_those_of_the_table(points):
    assert points.meta == dict(points.to_table().meta)
    assert points.meta["SED_TYPE"] == "likelihood"


def test_energies_and_statistics_are_attributes(points):
    np.testing.assert_allclose(points.energy_ref**2, points.energy_min * points.energy_max, rtol=1e-12)
    assert points.norm.unit == ""
    assert points.is_ul.tolist() == [False, False, False, False, True]
    assert points.success.all()
    assert points.counts.shape == (5, 1)
    assert points.norm_scan.shape == points.stat_scan.shape == (5, 11)
    assert points.e_min_fit.unit == u.TeV
    assert "dnde_ul" in points.available_quantities
    assert "dnde_ul" in dir(points)


def test_a_missing_attribute_raises_an_attribute_error(points):
    with pytest.raises(AttributeError, match=r"no 'dnde_up' here. Did you mean 'dnde_ul'"):
        _ = points.dnde_up
    without = FluxPoints(points.data.drop_vars(["norm_ul", "stat_scan"]))
    assert not hasattr(without, "flux_ul")
    assert not without.has_stat_profiles


@pytest.mark.parametrize("sed_type", ["dnde", "flux", "eflux", "e2dnde"])
def test_a_table_of_fluxes_is_read_as_multiples_of_a_model(tmp_path, points, sed_type):
    path = tmp_path / "points.ecsv"
    points.write(path, sed_type=sed_type)
    for model in (power_law(), power_law().spectral_model):
        found = FluxPoints.read(path, reference_model=model)
        np.testing.assert_allclose(found.norm, points.norm, rtol=1e-6)
        for kind in UNITS:
            np.testing.assert_allclose(getattr(found, kind), getattr(points, kind), rtol=1e-6)
    plain, other = (
        FluxPoints.read(path),
        FluxPoints.read(path, sed_type, reference_model=power_law("1e-12 cm-2 s-1 TeV-1")),
    )
    np.testing.assert_allclose(other.norm, 40 * points.norm, rtol=1e-6)
    for name in ("", "_errn", "_ul"):
        values = [getattr(one, f"{sed_type}{name}") for one in (plain, other)]
        np.testing.assert_allclose(*values, rtol=1e-12)
    table = points.to_table(sed_type)
    assert FluxPoints.from_table(table, reference_model=power_law()).data["norm"].values == pytest.approx(
        points.data["norm"].values, rel=1e-6
    )


@pytest.mark.parametrize("ending", [".ecsv", ".fits"])
def test_norms_are_multiples_of_their_own_model_alone(tmp_path, points, ending):
    path = tmp_path / f"points{ending}"
    points.write(path, sed_type="likelihood")
    assert FluxPoints.read(path, reference_model=power_law()).data.equals(FluxPoints.read(path).data)
    with pytest.raises(
        ConfigError, match=r"multiples of a spectrum of .* from which the model deviates by 75\.0%; give"
    ):
        FluxPoints.read(path, reference_model=power_law("1e-11 cm-2 s-1 TeV-1"))
    with pytest.raises(ConfigTypeError, match="reference_model: expected a SkyModel or a spectral model, got a str"):
        FluxPoints.read(path, reference_model="pl")


def test_points_are_copied_and_pickled(points):
    assert copy.deepcopy(points).data.identical(points.data)
    assert pickle.loads(pickle.dumps(points)).data.identical(points.data)


@pytest.mark.parametrize("kind", UNITS)
def test_the_columns_of_a_flux_table_are_in_order(points, kind):
    table = points.to_table(kind)
    errors = [f"{kind}{error}" for error in ("", "_err", "_errp", "_errn", "_ul")]
    assert table.colnames == ["e_ref", "e_min", "e_max", *errors, *STATISTICS, "norm_scan", *OURS]
    assert table[f"{kind}_err"].unit == u.Unit(UNITS[kind])
    assert table.meta == {"SED_TYPE": kind, "UL_CONF": 0.9544997}


def test_the_columns_of_the_likelihood_table_are_in_order(points):
    table = points.to_table()
    errors = [f"norm{error}" for error in ("", "_err", "_errn", "_errp", "_ul")]
    references = ["ref_dnde", "ref_flux", "ref_eflux"]
    behind = ["norm_scan", *OURS, "ref_e2dnde"]
    assert table.colnames == ["e_ref", "e_min", "e_max", *references, *errors, *STATISTICS, *behind]
    assert table["norm_scan"].shape == (5, 11)
    assert table["norm"].unit is None


def test_a_table_of_few_results_has_few_columns(points):
    few = FluxPoints(points.data.drop_vars(["norm_ul", "norm_errn", "norm_errp", "stat_scan", "norm_scan", *OURS]))
    statistics = [name for name in STATISTICS if name != "stat_scan"]
    assert few.to_table("dnde").colnames == ["e_ref", "e_min", "e_max", "dnde", "dnde_err", *statistics]


def test_a_formatted_table_prints_three_digits_and_keeps_the_numbers(points):
    table = points.to_table("dnde", formatted=True)
    assert table["e_ref"].format == ".3f"
    assert table["dnde"].format == ".3e"
    assert str(table["e_ref"][0]) != table["e_ref"].pformat(show_name=False, show_unit=False)[0]
    np.testing.assert_array_equal(table["dnde"], points.to_table("dnde")["dnde"])


def test_an_unknown_kind_of_table_raises(points):
    with pytest.raises(ConfigError, match="Did you mean 'dnde'"):
        points.to_table("dnd")
    with pytest.raises(UnknownNameError, match="Known: gadf-sed"):
        points.to_table(format="lightcurve")
    with pytest.raises(ConfigError, match="to draw"):
        points.plot(sed_type="likelihood")


@pytest.mark.parametrize("kind", ["likelihood", *UNITS])
def test_a_table_gives_the_points_back(points, kind):
    again = FluxPoints.from_table(points.to_table(kind))
    np.testing.assert_allclose(again.energy_min, points.energy_min, rtol=1e-12)
    for name in ("err", "errn", "errp", "ul"):
        mine, theirs = (
            getattr(points, f"dnde_{name}"),
            getattr(again, f"{'dnde' if kind == 'likelihood' else kind}_{name}"),
        )
        expected = mine if kind == "likelihood" else getattr(points, f"{kind}_{name}")
        np.testing.assert_allclose(theirs.to_value(expected.unit), expected.value, rtol=1e-12)
    np.testing.assert_allclose(again.ts, points.ts)


def test_a_data_frame_has_one_row_a_point_and_a_column_for_each_dataset():
    points = FluxPoints(flux_points_product(n_dataset=2))
    frame = points.to_dataframe()
    assert len(frame) == 5
    np.testing.assert_array_equal(frame["dnde_ul"], points.dnde_ul.value)
    np.testing.assert_array_equal(frame["counts_run-1"], points.counts[:, 1])
    assert frame["is_ul"].dtype == bool
    assert frame.attrs["units"]["e2dnde"] == points.e2dnde.unit.to_string("fits")
    assert "counts" in FluxPoints(flux_points_product()).to_dataframe()


def test_a_file_gives_the_identical_points_and_exists_once(points, tmp_path):
    path = tmp_path / "points.fits"
    points.write(path)
    xr.testing.assert_identical(FluxPoints.read(path).data, points.data)
    with pytest.raises(OutputExistsError):
        points.write(path)
    FluxPointsDataset(points).write(path, overwrite=True)
    assert FluxPointsDataset.read(path, power_law()).models.names == ["crab"]


def test_a_dataset_without_flux_points_raises(points):
    with pytest.raises(DataError, match="need the variable 'ref_dnde'"):
        FluxPoints(points.data.drop_vars("ref_dnde"))
    with pytest.raises(DataError, match="the dim 'energy'"):
        FluxPoints(xr.Dataset())


def test_points_print_what_they_are(points):
    assert "  Number of upper limits          : 1\n" in str(points)
    assert "nan" not in str(points)
    assert repr(points) == "<FluxPoints: 5 points>"
    assert "<table" in points._repr_html_()


def test_points_on_their_reference_have_no_chi2():
    product = flux_points_product()
    product["norm"][:] = 1.0
    product["is_ul"][:] = False
    dataset = FluxPointsDataset(FluxPoints(product), power_law())
    assert dataset.stat_sum() == pytest.approx(0.0, abs=1e-20)
    np.testing.assert_allclose(dataset.residuals(), 0.0, atol=1e-12)


def test_chi2_leaves_out_limits_and_points_that_the_mask_leaves_out(points):
    dataset = FluxPointsDataset(points, power_law(), mask_fit=[True, True, True, False, True])
    norm, error = points.data["norm"].values, points.data["norm_err"].values
    expected = (((norm - 1) / error) ** 2)[:3]
    np.testing.assert_allclose(dataset.stat_array(), [*expected, 0, 0], rtol=1e-10)
    assert dataset.stat_sum() == pytest.approx(expected.sum(), rel=1e-10)
    np.testing.assert_allclose(dataset.residuals()[:3], norm[:3] - 1, rtol=1e-10)
    assert np.isnan(dataset.residuals()[3:]).all()
    assert "  Number of fit bins              : 3\n" in str(dataset)


def test_published_points_have_asymmetric_errors_and_no_statistics(points):
    held = ["norm", "norm_errn", "norm_errp", "is_ul", "success", "ref_dnde"]
    few = points.data.drop_vars([name for name in points.data.data_vars if name not in held])
    dataset = FluxPointsDataset(FluxPoints(few), power_law())
    norm, error = few["norm"].values, 0.5 * (few["norm_errn"] + few["norm_errp"]).values
    np.testing.assert_allclose(dataset.stat_array()[:4], (((norm - 1) / error) ** 2)[:4], rtol=1e-10)
    assert dataset.data.to_table("dnde").colnames[:6] == ["e_ref", "e_min", "e_max", "dnde", "dnde_errp", "dnde_errn"]
    assert dataset.data.plot(sed_type="dnde").lines


def test_models_add_up_and_those_of_other_datasets_are_ignored(points):
    half = power_law("2e-11 cm-2 s-1 TeV-1")
    models = [half, power_law("2e-11 cm-2 s-1 TeV-1", "two"), power_law(name="far", datasets_names=["else"])]
    dataset = FluxPointsDataset(points, models)
    np.testing.assert_allclose(dataset.flux_pred().to_value("cm-2 s-1 TeV-1"), points.ref_dnde.value, rtol=1e-12)
    assert "  Number of models                : 2\n" in str(dataset)


def test_the_statistic_without_models_raises(points):
    dataset = FluxPointsDataset(points)
    with pytest.raises(DataError, match="no models to compare with"):
        dataset.stat_sum()
    assert "  Fit statistic value (-2 log(L)) : -\n" in str(dataset)
    assert "<table" in dataset._repr_html_()
    assert repr(dataset) == "<FluxPointsDataset 'flux-points': 5 points>"


def test_a_mask_of_points_has_their_number(points):
    with pytest.raises(ConfigError, match=r"\(5,\)"):
        FluxPointsDataset(points, mask_fit=[True, False])
    with pytest.raises(ConfigTypeError):
        FluxPointsDataset(points, mask_fit=[1, 1, 1, 1, 1])
