"""Spectra to objects of Gammapy and back; skipped where Gammapy is not installed, ``make test-peer`` runs them."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from format_samples import spectra
from hypothesis import given, settings
from hypothesis import strategies as st
from regions import Regions

from releases import config_of, whole
from xgamma import bridges
from xgamma.datasets import Datasets, SpectrumDataset, SpectrumDatasetOnOff
from xgamma.errors import ConfigTypeError, DataError, LaterError
from xgamma.models import PowerLawSpectralModel, SkyModel

peer = pytest.importorskip("gammapy.datasets", reason="gammapy is not installed")
maps = pytest.importorskip("gammapy.maps")
Fit = pytest.importorskip("gammapy.modeling").Fit

# Gammapy has no attribute for these.
LEFT_BEHIND = {"ledger", "offset", "fate", "interval"}
TEXTS = {"outcome_details", "release", "schema", "schema_version", "time_scale"}


@pytest.fixture(scope="session")
def analysis(tiny_release, tmp_path_factory):
    """Three runs, not stacked, fitted between 0.5 and 20 TeV."""
    store = tmp_path_factory.mktemp("bridged") / "store"
    return whole(config_of(tiny_release, store, "datasets: {stack: false}"))


def validate_alike(back, ds):
    """Check that every number that Gammapy holds is the same to the last bit."""
    assert set(ds.variables) - set(back.variables) <= LEFT_BEHIND
    for name in set(map(str, ds.variables)) - LEFT_BEHIND:
        np.testing.assert_array_equal(back[name].values, ds[name].values, err_msg=name)
        assert back[name].attrs.get("units", "") == ds[name].attrs.get("units", ""), name
    assert back.attrs["mjdref"] == ds.attrs["mjdref"]
    assert back.attrs["telescope"] == ds.attrs["telescope"]


@pytest.mark.parametrize("options", [{}, {"n_rows": 1}, {"on_off": False}, {"frame": "galactic"}], ids=str)
def test_spectra_survive_the_round_trip_unchanged(options):
    datasets = Datasets.from_xarray(spectra(**options))
    (back,) = Datasets.from_gammapy(datasets.to_gammapy()).to_xarray()
    validate_alike(back, datasets.to_xarray()[0])
    assert back["region_lon"].attrs["frame"] == options.get("frame", "icrs")


@settings(max_examples=10)
@given(
    shape=st.fixed_dictionaries({name: st.integers(1, 4) for name in ("n_rows", "n_energy", "n_true", "n_off")}),
    seed=st.integers(0, 99),
    on_off=st.booleans(),
)
def test_spectra_of_any_shape_survive_the_round_trip_unchanged(shape, seed, on_off):
    datasets = Datasets.from_xarray(spectra(seed=seed, on_off=on_off, **shape))
    (back,) = Datasets.from_gammapy(datasets.to_gammapy()).to_xarray()
    validate_alike(back, datasets.to_xarray()[0])


def test_each_region_of_a_row_is_a_dataset_of_its_own():
    datasets = Datasets.from_xarray(spectra(n_region=2))
    back = Datasets.from_gammapy(datasets.to_gammapy())
    assert back.names == datasets.names
    for one, other in zip(back, datasets, strict=True):
        np.testing.assert_array_equal(one.counts, other.counts)
        assert one.data["region_lon"].values == other.data["region_lon"].values


def test_a_model_of_some_datasets_is_not_lost_on_rows_of_several_regions():
    model = SkyModel(PowerLawSpectralModel(), name="crab", datasets_names=["run-23523"])
    with pytest.raises(LaterError, match="belongs to rows of several regions"):
        Datasets.from_xarray(spectra(n_region=2), models=model).to_gammapy()


def test_a_pattern_of_names_becomes_the_names_it_stands_for():
    rows = spectra(n_rows=3).assign_coords(dataset=["hess-1", "magic", "hess-2"])
    names = {"hess": ["hess-*"], "all": None, "magic": ["magic"]}
    models = [SkyModel(PowerLawSpectralModel(), name=name, datasets_names=own) for name, own in names.items()]
    theirs = Datasets.from_xarray(rows, models=models).to_gammapy()
    found = {model.name: model.datasets_names for model in theirs.models}
    assert found == {"hess": ["hess-1", "hess-2"], "all": None, "magic": ["magic"]}
    assert [len(dataset.models) for dataset in theirs] == [2, 2, 2]


def test_rows_keep_their_order_where_axes_alternate():
    fine, coarse = spectra(n_rows=2), spectra(n_rows=2, n_energy=3)
    coarse = coarse.assign_coords(dataset=["a", "b"])
    views = [*Datasets.from_xarray(fine), *Datasets.from_xarray(coarse)]
    mixed = Datasets([views[0], views[2], views[1], views[3]])
    assert Datasets.from_gammapy(mixed.to_gammapy()).names == mixed.names


def test_fit_masks_are_converted():
    datasets = Datasets.from_xarray(spectra())
    datasets[0].mask_fit = np.array([True, False, True, True, False])
    theirs = datasets.to_gammapy()
    np.testing.assert_array_equal(theirs[0].mask_fit.data[:, 0, 0], datasets[0].mask_fit.values[0])
    back = Datasets.from_gammapy(theirs)
    np.testing.assert_array_equal(back[0].mask_fit, datasets[0].mask_fit)
    assert back[1].mask_fit.all()


def test_one_row_is_converted(analysis):
    row = analysis.datasets[1]
    theirs = row.to_gammapy()
    assert isinstance(theirs, peer.SpectrumDatasetOnOff)
    back = SpectrumDatasetOnOff.from_gammapy(theirs)
    assert (back.name, back.models.names) == (row.name, ["crab"])
    assert back.stat_sum() == pytest.approx(row.stat_sum(), rel=1e-14)


def test_gammapy_finds_the_same_statistic_prediction_and_table(analysis):
    ours = analysis.datasets
    theirs = ours.to_gammapy()
    assert theirs.stat_sum() == pytest.approx(ours.stat_sum(), rel=1e-12)
    for row, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(other.npred().data[:, 0, 0], row.npred().values[0], rtol=1e-13)
    # Where there is no off count, Gammapy divides 0 by 0.
    measured = [pair for pair in zip(ours, theirs, strict=True) if pair[0].counts_off.where(pair[0].mask_safe).sum()]
    assert measured
    for row, other in measured:
        table, here = other.info_dict(), row.info_dict()
        assert set(table) <= set(here)
        for name, value in table.items():
            if isinstance(value, str):
                assert value == here[name]
                continue
            unit = getattr(here[name], "unit", u.one)
            found, expected = (u.Quantity(one).to_value(unit) for one in (value, here[name]))
            assert found == pytest.approx(expected, rel=1e-11, nan_ok=True), name


def test_gammapy_predicts_the_same_with_a_known_background():
    ours = Datasets.from_xarray(spectra(on_off=False), models=SkyModel(PowerLawSpectralModel(), name="crab"))
    theirs = ours.to_gammapy()
    assert theirs.stat_sum() == pytest.approx(ours.stat_sum(), rel=1e-12)
    assert isinstance(SpectrumDataset.from_gammapy(theirs[0]), SpectrumDataset)


def test_the_fit_of_gammapy_gives_our_parameters(analysis):
    theirs = analysis.datasets.to_gammapy()
    # From the same start MIGRAD takes the same steps.
    for parameter, start in zip(theirs.parameters, (2.4, 4e-10, 1.0), strict=True):
        parameter.value = start
    assert Fit().run(theirs).success
    for ours, other in zip(analysis.models.parameters, theirs.parameters, strict=True):
        assert abs(other.value - ours.value) <= 1e-4 * ours.error
        assert other.error == pytest.approx(ours.error, rel=1e-3)


def test_models_are_shared_in_gammapy_and_their_covariance_is_converted(analysis):
    theirs = analysis.datasets.to_gammapy()
    assert len({id(dataset.models[0]) for dataset in theirs}) == 1
    np.testing.assert_allclose(theirs.models.covariance.data, analysis.models.covariance.data, rtol=1e-15)
    back = Datasets.from_gammapy(theirs)
    np.testing.assert_allclose(back.models.covariance.data, analysis.models.covariance.data, rtol=1e-15)


def test_each_dataset_keeps_the_models_that_were_set_on_it():
    ours = Datasets.from_xarray(spectra())
    ours[0].models = SkyModel(PowerLawSpectralModel(index=2.1), name="first")
    ours[1].models = SkyModel(PowerLawSpectralModel(index=3.1), name="second")
    back = Datasets.from_gammapy(ours.to_gammapy())
    assert [view.models.names for view in back] == [["first"], ["second"]]


def test_a_stack_of_gammapy_equals_our_stack(analysis):
    theirs = analysis.datasets.to_gammapy()
    stacked = SpectrumDatasetOnOff.from_gammapy(theirs.stack_reduce(name="stacked"))
    ours = analysis.datasets.stack_reduce()
    for name in ("counts", "counts_off", "background", "exposure", "mask_safe"):
        np.testing.assert_allclose(getattr(stacked, name), getattr(ours, name), rtol=1e-6, err_msg=name)
    np.testing.assert_allclose(stacked.livetime.value, ours.livetime.value, rtol=1e-13)


def test_rows_that_were_not_used_give_a_warning(caplog):
    ds = spectra()
    ds["outcome"][1] = 1
    with caplog.at_level("WARNING", logger="xgamma"):
        assert len(Datasets.from_xarray(ds).to_gammapy()) == 1
    assert "1 rows that were not used stay here" in caplog.text


def theirs_alone():
    return Datasets.from_xarray(spectra(n_rows=1)).to_gammapy()[0]


def test_another_type_than_a_spectrum_raises():
    with pytest.raises(ConfigTypeError, match="got a MapDataset; extract spectra"):
        Datasets.from_gammapy([peer.MapDataset(name="map")])
    with pytest.raises(ConfigTypeError, match="got a int"):
        Datasets.from_gammapy([3])


@pytest.mark.parametrize("name", ["counts", "exposure", "edisp", "counts_off"])
def test_a_spectrum_that_lacks_a_part_raises(name):
    dataset = theirs_alone()
    setattr(dataset, name, None)
    with pytest.raises(DataError, match=f"has no {name}"):
        Datasets.from_gammapy(dataset)


def of_region(region):
    dataset = theirs_alone()
    geom = maps.RegionGeom.create(region, axes=dataset.counts.geom.axes)
    dataset.counts = maps.RegionNDMap(geom, data=dataset.counts.data)
    return dataset


def test_a_spectrum_from_another_shape_keeps_it():
    (back,) = Datasets.from_gammapy(of_region("icrs;ellipse(83.63, 22.01, 0.1, 0.2, 0)")).to_xarray()
    assert "ellipse" in str(back["region_shape"].values[0])


def test_a_line_is_no_region_of_a_spectrum():
    [line] = Regions.parse("icrs; line(83.63, 22.01, 83.73, 22.01)", format="ds9")
    with pytest.raises(LaterError, match=r"crab: .*LineSkyRegion"):
        bridges.spectra.shapes_of(line, "crab")


def test_a_spectrum_without_masks_and_times_is_accepted():
    dataset = theirs_alone()
    dataset.mask_safe = dataset.gti = dataset.meta_table = None
    (back,) = Datasets.from_gammapy(dataset).to_xarray()
    assert back["mask_safe"].all()
    assert np.isnan(back["ontime"]).all()
    assert back["obs_id"].values.tolist() == [-1]
