"""Lazy equals eager: the same bytes, and everything but the bytes is known before."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from releases import recipe, rows_in
from xgamma.events import Part
from xgamma.reduce import joined_rows, lazy_spectra, reduce_block, reduce_spectra, spectra


@pytest.mark.some_long(3)
@pytest.mark.parametrize("rows_per_block", [1, 3, 200])
def test_a_lazy_reduction_computes_to_the_eager_one(nights_part, monkeypatch, rows_per_block):
    monkeypatch.setattr(spectra, "MAX_ROWS", rows_per_block)
    rows = rows_in(nights_part)
    eager, lazy = reduce_spectra(nights_part, rows, recipe()), lazy_spectra([(nights_part, rows)], recipe())
    assert set(lazy.variables) == set(eager.variables)
    for name, variable in eager.variables.items():
        assert lazy[name].dims == variable.dims
        assert lazy[name].dtype == variable.dtype
        assert lazy[name].attrs == variable.attrs
        found, wanted = lazy[name].values, variable.values
        if "off" in variable.dims:  # padded to what the largest number of off regions may be
            assert np.isnan(found[..., wanted.shape[-1] :]).all()
            found = found[..., : wanted.shape[-1]]
        np.testing.assert_array_equal(found, wanted, err_msg=str(name))


def test_nothing_is_computed_before_it_is_used(nights_part, monkeypatch):
    rows = rows_in(nights_part)
    wanted = reduce_spectra(nights_part, rows, recipe())
    monkeypatch.setattr(spectra, "MAX_ROWS", 3)

    def refuse(*_):
        raise AssertionError("a block was reduced")

    monkeypatch.setattr("xgamma.reduce.lazy.reduce_block", refuse)
    lazy = lazy_spectra([(nights_part, rows)], recipe())
    assert lazy["counts"].chunks == ((3, 3, 1), (1,), (8,))
    assert lazy.nbytes >= wanted.nbytes
    assert lazy.sizes.keys() == wanted.sizes.keys()
    assert lazy["exposure"].attrs["units"] == "m2 s"
    for name in ("dataset", "obs_id", "interval", "energy", "energy_true_bounds", "region_lon", "fate"):
        xr.testing.assert_identical(lazy.coords[name].variable, wanted.coords[name].variable)
    assert isinstance(lazy.isel(dataset=slice(0, 2)), xr.Dataset)
    with pytest.raises(AssertionError, match="a block was reduced"):
        lazy["counts"].compute()


def test_a_slice_of_a_lazy_reduction_computes_its_own_blocks(nights_part, monkeypatch):
    monkeypatch.setattr(spectra, "MAX_ROWS", 3)
    reduced = []

    def counted(part, rows, recipe):
        reduced.extend(rows.names)
        return reduce_block(part, rows, recipe)

    monkeypatch.setattr("xgamma.reduce.lazy.reduce_block", counted)
    lazy = lazy_spectra([(nights_part, rows_in(nights_part))], recipe())
    lazy.sel(dataset="row-6")["counts"].compute()
    assert reduced == ["row-6"]
    kept = lazy.isel(dataset=slice(0, 3)).persist()
    kept.compute(), kept["exposure"].sum().compute()
    assert sorted(reduced) == ["row-0", "row-1", "row-2", "row-6"]


def test_a_lazy_reduction_is_grouped_as_any_dataset(nights_part, monkeypatch):
    monkeypatch.setattr(spectra, "MAX_ROWS", 2)
    rows = rows_in(nights_part)
    labels = ["first"] * 4 + ["second"] * 3
    lazy = lazy_spectra([(nights_part, rows)], recipe()).assign_coords(night=("dataset", labels))
    eager = reduce_spectra(nights_part, rows, recipe()).assign_coords(night=("dataset", labels))
    for name in ("counts", "livetime", "ledger"):
        found = lazy[name].groupby("night").sum()
        assert found.chunks is not None
        xr.testing.assert_allclose(found.compute(), eager[name].groupby("night").sum(), rtol=1e-12)


def test_rows_of_several_parts_are_one_lazy_dataset(nights_part):
    rows = rows_in(nights_part)
    days = 1.0
    later = Part(
        {
            name: table.assign_attrs(mjdref=table.attrs.get("mjdref", 0) + days)
            for name, table in nights_part.groups.items()
        }
    )
    pieces = [(nights_part, rows[:3]), (later, rows[3:])]
    lazy = lazy_spectra(pieces, recipe()).compute()
    eager = joined_rows([reduce_spectra(part, own, recipe()) for part, own in pieces])
    for name in ("dataset", "counts", "gti", "interval", "edisp", "off_number"):
        np.testing.assert_array_equal(lazy[name].values, eager[name].values, err_msg=name)
