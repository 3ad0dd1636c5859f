import itertools

import numpy as np
import pytest
from astropy import units as u

from builders import cash_dataset, dl4_dataset, on_off_dataset
from xgamma import predict, stats
from xgamma.datasets import Datasets, SpectrumDataset, SpectrumDatasetOnOff
from xgamma.errors import ConfigError, ConfigTypeError, DataError, UnknownNameError
from xgamma.models.models import Models
from xgamma.models.skymodel import SkyModel
from xgamma.models.spectral.powerlaws import PowerLawSpectralModel


def power_law(name="crab", **options):
    return SkyModel(PowerLawSpectralModel(index=2.5, amplitude="4e-11 cm-2 s-1 TeV-1"), name=name, **options)


@pytest.fixture
def dataset():
    return SpectrumDatasetOnOff(on_off_dataset(seed=3))


def test_a_squeezed_variable_is_the_energy_vector(dataset):
    for name, size in (("counts", 6), ("counts_off", 6), ("acceptance", 6), ("acceptance_off", 6), ("exposure", 10)):
        array = getattr(dataset, name)
        assert array.dims[0] == "region"
        assert np.squeeze(np.asarray(array.data)).shape == (size,)
    assert dataset.edisp.dims == ("region", "energy_true", "energy")
    assert dataset.counts.attrs["units"] == ""
    assert dataset.exposure.attrs["units"] == "m2 s"


def test_the_class_follows_the_statistic():
    assert type(Datasets.from_xarray(on_off_dataset())[0]) is SpectrumDatasetOnOff
    assert type(Datasets.from_xarray(cash_dataset())[0]) is SpectrumDataset
    with pytest.raises(DataError, match="statistic 'cash' and the Dataset has counts_off"):
        SpectrumDataset(on_off_dataset())
    with pytest.raises(DataError, match="statistic 'wstat' and the Dataset has no counts_off"):
        SpectrumDatasetOnOff(cash_dataset())


def test_a_view_holds_one_row():
    with pytest.raises(DataError, match=r"one row and one region, got 2 rows and 1 regions; use Datasets.from_xarray"):
        SpectrumDatasetOnOff(on_off_dataset(2))


def test_background_is_alpha_times_off_counts_and_the_rest_is_excess(dataset):
    number = float(dataset.data["off_number"].values[0, 0])
    np.testing.assert_allclose(dataset.alpha.values, 1 / number, rtol=1e-15)
    np.testing.assert_allclose(dataset.background.values, dataset.counts_off.values / number, rtol=1e-15)
    np.testing.assert_allclose(dataset.excess.values, (dataset.counts - dataset.background).values, rtol=1e-15)


def test_alpha_is_zero_without_off_acceptance():
    ds = on_off_dataset()
    ds["acceptance_off"][..., 2] = 0.0
    dataset = SpectrumDatasetOnOff(ds)
    assert dataset.alpha.values[0, 2] == 0.0
    assert dataset.npred_background().values[0, 2] == 0.0
    assert dataset.stat_array().values[0, 2] == 0.0


def test_without_models_the_statistic_is_that_of_no_signal(dataset):
    n_on, n_off, alpha = (getattr(dataset, name).values[0, 1:] for name in ("counts", "counts_off", "alpha"))
    assert dataset.stat_sum() == pytest.approx(stats.wstat(n_on, n_off, alpha, 0.0).sum(), rel=1e-14)
    assert dataset.stat_array().values[0, 0] == 0.0
    assert not dataset.npred_signal().any()
    np.testing.assert_array_equal(dataset.npred().values, dataset.npred_background().values)


def test_a_prediction_is_that_of_the_folded_models(dataset):
    dataset.models = power_law()
    np.testing.assert_array_equal(dataset.npred_signal(), predict.npred_signal(dataset.data, dataset.models)[0])
    total = dataset.npred_signal() + dataset.npred_background()
    np.testing.assert_allclose(dataset.npred(), total, rtol=1e-15)
    np.testing.assert_allclose(dataset.npred(), predict.npred(dataset.data, dataset.models)[0], rtol=1e-14)


def test_a_model_of_other_datasets_is_ignored(dataset):
    dataset.models = [power_law(), power_law("other", datasets_names=["elsewhere"])]
    alone = SpectrumDatasetOnOff(dataset.data, power_law())
    assert dataset.stat_sum() == alone.stat_sum()
    assert "Number of models                : 1\n" in str(dataset)


def test_cash_has_a_known_background():
    dataset = SpectrumDataset(cash_dataset(), power_law())
    np.testing.assert_array_equal(dataset.npred_background(), dataset.data["background"][0])
    n, mu = dataset.counts.values[0, 1:], dataset.npred().values[0, 1:]
    assert dataset.stat_sum() == pytest.approx(stats.cash(n, mu).sum(), rel=1e-14)


def test_the_fit_mask_is_broadcast_and_stays_out_of_the_data(dataset):
    assert dataset.mask_fit is None
    dataset.mask_fit = [False, True, True, False, False, False]
    assert dataset.mask_fit.dims == ("region", "energy")
    assert dataset.mask.values.tolist() == [[False, True, True, False, False, False]]
    assert "mask_fit" not in dataset.data
    [given] = dataset.fit_inputs()
    assert given.data is dataset.data
    assert given.mask.shape == (1, 1, 6)


def test_a_fit_mask_of_another_shape_or_type_raises(dataset):
    with pytest.raises(ConfigError, match=r"expected the shape \(1, 6\), got \(3,\)"):
        dataset.mask_fit = [True, False, True]
    with pytest.raises(ConfigTypeError, match="array of bool, got int64"):
        dataset.mask_fit = [1, 0, 1, 0, 1, 0]


def test_an_energy_mask_keeps_bins_that_lie_wholly_inside(dataset):
    edges = dataset.energy_axis.edges
    mask = dataset.energy_mask("1 TeV", 20e3 * u.GeV)
    assert mask.values[0].tolist() == [bool(a >= 1 and b <= 20) for a, b in itertools.pairwise(edges)]
    assert dataset.energy_mask().values.all()
    with pytest.raises(ConfigError, match="energy_min"):
        dataset.energy_mask("1 deg")


def test_residuals_are_in_the_scale_of_the_method_and_nan_outside_the_mask(dataset):
    dataset.models = power_law()
    difference, model = (dataset.counts - dataset.npred()).values[0], dataset.npred().values[0]
    for method, scale in (("diff", 1.0), ("diff/model", model), ("diff/sqrt(model)", np.sqrt(model))):
        residuals = dataset.residuals(method).values[0]
        assert np.isnan(residuals[0])
        np.testing.assert_allclose(residuals[1:], (difference / scale)[1:], rtol=1e-14)
    with pytest.raises(UnknownNameError, match="Did you mean 'diff/model'"):
        dataset.residuals("diff/mode")


def test_the_print_adds_up_the_safe_range(dataset):
    dataset.mask_fit = dataset.energy_mask("2 TeV")
    text = str(dataset)
    safe = dataset.mask_safe.values
    assert text.startswith(
        "SpectrumDatasetOnOff\n--------------------\n\n  Name                            : 23523\n\n"
    )
    assert f"  Total counts                    : {dataset.counts.values[safe].sum():.0f}\n" in text
    assert f"  Total background counts         : {dataset.background.values[safe].sum():.2f}\n" in text
    assert "  Predicted excess counts         : -\n" in text
    assert f"  Number of fit bins              : {int(dataset.mask.sum())}\n" in text
    assert f"  Fit statistic value (-2 log(L)) : {dataset.stat_sum():.2f}\n" in text
    assert f"  Total counts_off                : {dataset.counts_off.values[safe].sum():.0f}\n" in text
    assert "  Acceptance                      : 6\n" in text
    assert f"  Acceptance off                  : {dataset.acceptance_off.values.sum():.0f}\n" in text


def test_the_print_shows_the_models(dataset):
    dataset.models = power_law()
    text = str(dataset)
    assert "  Number of free parameters       : 2\n" in text
    assert "\n  Component 0: SkyModel\n\n    Name                      : crab\n" in text
    assert not any(line.endswith(" ") for line in text.splitlines())
    assert "Predicted excess counts</th>" in dataset._repr_html_()
    assert repr(dataset) == "<SpectrumDatasetOnOff '23523': 6 bins, wstat>"


def test_info_dict_gives_quantities_where_there_is_a_unit(dataset):
    info = dataset.info_dict()
    assert info["livetime"] == 1600 * u.s
    assert info["exposure_max"].unit == u.Unit("m2 s")
    assert info["counts"] == dataset.counts.values[dataset.mask_safe.values].sum()
    assert info["stat_type"] == "wstat"
    assert dataset.info_dict(in_safe_data_range=False)["counts"] == dataset.counts.values.sum()


def test_significance_is_that_of_the_summed_counts(dataset):
    info = dataset.info_dict()
    assert info["alpha"] == pytest.approx(info["background"] / info["counts_off"], rel=1e-14)
    assert info["acceptance_off"] == pytest.approx(info["acceptance"] / info["alpha"], rel=1e-14)
    expected = stats.wstat_sqrt_ts(info["counts"], info["counts_off"], info["alpha"])
    assert info["sqrt_ts"] == pytest.approx(float(expected), rel=1e-14)


def test_a_row_without_any_safe_bin_sums_to_zero_without_a_warning():
    ds = on_off_dataset()
    ds["mask_safe"][:] = False
    info = SpectrumDatasetOnOff(ds).info_dict()
    assert (info["counts"], info["excess"], info["sqrt_ts"], info["stat_sum"], info["n_fit_bins"]) == (0, 0, 0, 0, 0)


def test_a_row_without_off_counts_takes_the_ratio_of_the_acceptances():
    ds = on_off_dataset()
    ds["counts_off"][:] = 0.0
    info = SpectrumDatasetOnOff(ds).info_dict()
    assert info["alpha"] == pytest.approx(1 / float(ds["off_number"].values[0, 0]))
    assert np.isfinite(info["sqrt_ts"])


def test_a_copy_is_independent_and_may_have_a_new_name(dataset):
    dataset.models = power_law()
    other = dataset.copy(name="again")
    other.data["counts"][:] = 0.0
    assert (dataset.name, other.name) == ("23523", "again")
    assert dataset.counts.sum() > 0
    assert other.models is dataset.models


def test_regions_are_rows_of_their_own():
    datasets = Datasets.from_xarray(on_off_dataset(2, n_region=2))
    assert datasets.names == ["23523.0", "23523.1", "23524.0", "23524.1"]
    np.testing.assert_array_equal(datasets["23524.1"].counts, datasets[0].group["counts"][1, 1:2])


def test_good_time_leaves_out_the_padding():
    ds = on_off_dataset().pad(gti=(0, 2))
    assert SpectrumDatasetOnOff(ds).gti.data.shape == (1, 2)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda ds: ds.drop_vars("exposure"), "no variable 'exposure'"),
        (lambda ds: ds.transpose("region", ...), "expected the dims"),
        (
            lambda ds: ds.assign(exposure=ds["exposure"].assign_attrs(units="cm2 s")),
            r"\['units'\] = 'm2 s', got 'cm2 s'",
        ),
        (lambda ds: ds.assign(mask_safe=ds["mask_safe"].astype(int)), "mask_safe: expected the type bool"),
        (lambda ds: ds.assign(counts=ds["counts"].copy(data=-ds["counts"].values)), "at least 0"),
        (lambda ds: ds.drop_vars("energy_bounds"), "no coordinate 'energy_bounds'"),
    ],
)
def test_a_dataset_made_by_hand_is_checked(change, sentence):
    with pytest.raises(DataError, match=sentence):
        SpectrumDatasetOnOff(change(on_off_dataset()))


def test_rows_with_one_name_raise():
    with pytest.raises(DataError, match="unique name"):
        Datasets.from_xarray(dl4_dataset(2, names=["a", "a"]))


def test_another_type_than_a_dataset_raises():
    with pytest.raises(ConfigTypeError, match=r"xarray\.Dataset, got a dict"):
        SpectrumDatasetOnOff({})


def test_models_are_taken_as_one_a_list_or_models(dataset):
    models = Models([power_law()])
    dataset.models = models
    assert dataset.models is models
    dataset.models = power_law("one")
    assert dataset.models.names == ["one"]
    dataset.models = None
    assert len(dataset.models) == 0
