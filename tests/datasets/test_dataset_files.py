import numpy as np
import pytest
import xarray as xr

from builders import cash_dataset, on_off_dataset, with_outcome
from xgamma.datasets import Datasets, SpectrumDatasetOnOff
from xgamma.datasets.files import write_zarr
from xgamma.errors import (
    ConfigError,
    DataError,
    InputError,
    MissingInputError,
    OutputError,
    OutputExistsError,
)
from xgamma.outcome import Outcome

IDENTICAL = ["data.zarr", "data.fits", "data.fits.gz"]


@pytest.mark.parametrize("name", IDENTICAL)
def test_a_file_reads_back_to_the_identical_dataset(tmp_path, name):
    ds = with_outcome(on_off_dataset(3), 1, Outcome.NO_OFF_REGION)
    Datasets.from_xarray(ds).write(tmp_path / name)
    again = Datasets.read(tmp_path / name)
    assert again.names == ["23523", "23525"]
    assert [view.name for view in again.unused] == ["23524"]
    xr.testing.assert_identical(again[0].group, ds)


@pytest.mark.parametrize("name", IDENTICAL)
def test_a_fit_mask_survives_writing_and_reading(tmp_path, name):
    datasets = Datasets.from_xarray(on_off_dataset(2))
    datasets[1].mask_fit = datasets[1].energy_mask("2 TeV")
    datasets.write(tmp_path / name)
    again = Datasets.read(tmp_path / name)
    np.testing.assert_array_equal(again[1].mask_fit, datasets[1].mask_fit)
    assert again[0].mask_fit.values.all()
    assert "mask_fit" not in again[0].group


@pytest.mark.parametrize("name", IDENTICAL)
def test_a_single_row_is_written_and_read(tmp_path, name):
    dataset = SpectrumDatasetOnOff(on_off_dataset(), mask_fit=[False, True, True, True, True, False])
    dataset.write(tmp_path / name)
    again = SpectrumDatasetOnOff.read(tmp_path / name)
    xr.testing.assert_identical(again.data, dataset.data)
    np.testing.assert_array_equal(again.mask, dataset.mask)
    assert SpectrumDatasetOnOff.read(tmp_path / name, name="new").name == "new"


def test_a_yaml_index_with_ogip_files_keeps_what_ogip_holds(tmp_path):
    datasets = Datasets.from_xarray(on_off_dataset(2))
    datasets.write(tmp_path / "index.yaml")
    again = Datasets.read(tmp_path / "index.yaml")
    assert again.names == datasets.names
    for new, old in zip(again, datasets, strict=True):
        for name in ("counts", "counts_off", "mask_safe", "acceptance_off"):
            np.testing.assert_array_equal(getattr(new, name), getattr(old, name))
        np.testing.assert_allclose(new.exposure, old.exposure, rtol=1e-14)
    np.testing.assert_array_equal(again.stack_reduce().counts, datasets.stack_reduce().counts)
    [pha, _] = sorted(path for path in tmp_path.glob("pha_obs*.fits") if path.stem[7:].isdigit())
    np.testing.assert_array_equal(SpectrumDatasetOnOff.read(pha).counts, datasets[0].counts)


def test_several_binnings_go_into_one_zarr_folder(tmp_path):
    reduced = [on_off_dataset(2), cash_dataset(n_energy=4, names=["x"])]
    Datasets.from_xarray(reduced).write(tmp_path / "all.zarr")
    again = Datasets.read(tmp_path / "all.zarr").to_xarray()
    for new, old in zip(again, reduced, strict=True):
        xr.testing.assert_identical(new, old)
    with pytest.raises(ConfigError, match="one energy binning, got 2 Datasets"):
        Datasets.from_xarray(reduced).write(tmp_path / "all.fits")
    with pytest.raises(DataError, match="holds 2 Datasets"):
        SpectrumDatasetOnOff.read(tmp_path / "all.zarr")


def test_a_zarr_file_opens_in_xarray_with_labels_and_units(tmp_path):
    Datasets.from_xarray(on_off_dataset(2)).write(tmp_path / "data.zarr")
    with xr.open_zarr(tmp_path / "data.zarr") as ds:
        assert ds["counts"].dims == ("dataset", "region", "energy")
        assert ds["exposure"].attrs["units"] == "m2 s"
        assert "energy_bounds" in ds.coords


def test_an_unknown_file_extension_raises_before_anything_is_written(tmp_path):
    datasets = Datasets.from_xarray(on_off_dataset())
    with pytest.raises(ConfigError, match=r"data.hdf5: expected a name that ends in .zarr, .fits, .fits.gz, .yaml"):
        datasets.write(tmp_path / "data.hdf5")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [*IDENTICAL, "index.yaml"])
def test_existing_files_are_overwritten_only_on_request(tmp_path, name):
    Datasets.from_xarray(on_off_dataset()).write(tmp_path / name)
    other = Datasets.from_xarray(on_off_dataset(seed=9))
    with pytest.raises(OutputExistsError, match="exists already"):
        other.write(tmp_path / name)
    other.write(tmp_path / name, overwrite=True)
    np.testing.assert_array_equal(Datasets.read(tmp_path / name)[0].counts, other[0].counts)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name", [*IDENTICAL, "index.yaml"])
def test_a_missing_folder_raises_with_its_name(tmp_path, name):
    with pytest.raises(OutputError, match="folder"):
        Datasets.from_xarray(on_off_dataset()).write(tmp_path / "nowhere" / name)


@pytest.mark.parametrize("name", [*IDENTICAL, "index.yaml"])
def test_a_missing_input_raises_with_its_name(tmp_path, name):
    with pytest.raises(MissingInputError, match="There is no"):
        Datasets.read(tmp_path / name)


def test_a_folder_that_is_not_a_zarr_group_is_never_replaced(tmp_path):
    folder = tmp_path / "precious.zarr"
    folder.mkdir()
    (folder / "letter.txt").write_text("do not lose")
    with pytest.raises(OutputError, match="not a Zarr group"):
        Datasets.from_xarray(on_off_dataset()).write(folder, overwrite=True)
    assert (folder / "letter.txt").read_text() == "do not lose"


def test_a_zarr_write_that_fails_leaves_the_old_folder(tmp_path, monkeypatch):
    path = tmp_path / "data.zarr"
    write_zarr([on_off_dataset()], path, overwrite=False)
    before = Datasets.read(path)[0].counts

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("xgamma.store.encoding.write_groups", fail)
    with pytest.raises(OutputError, match="disk full"):
        write_zarr([on_off_dataset(seed=4)], path, overwrite=True)
    np.testing.assert_array_equal(Datasets.read(path)[0].counts, before)
    assert [entry.name for entry in tmp_path.iterdir()] == ["data.zarr"]


def test_a_zarr_folder_of_another_program_raises(tmp_path):
    path = tmp_path / "data.zarr"
    path.mkdir()
    (path / "zarr.json").write_text("{}")
    with pytest.raises(InputError, match="was not written by xgamma"):
        Datasets.read(path)
