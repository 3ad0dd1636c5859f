"""Lazy equals eager: the same bytes, and everything but the bytes is known before."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from releases import recipe, rows_in
from xgamma.reduce import lazy_spectra, reduce_spectra, spectra


@pytest.mark.parametrize("rows_per_block", [1, 3, 200])
def test_a_lazy_reduction_computes_to_the_eager_one(nights_part, monkeypatch, rows_per_block):
    monkeypatch.setattr(spectra, "MAX_ROWS", rows_per_block)
    rows = rows_in(nights_part)
    eager, lazy = reduce_spectra(nights_part, rows, recipe()), lazy_spectra(nights_part, rows, recipe())
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
    lazy = lazy_spectra(nights_part, rows_in(nights_part), recipe())

    def refuse(*_):
        raise AssertionError("a block was reduced")

    monkeypatch.setattr("xgamma.reduce.lazy._arrays", refuse)
    again = lazy_spectra(nights_part, rows_in(nights_part), recipe())
    assert again["counts"].chunks == lazy["counts"].chunks
    assert isinstance(again.isel(dataset=slice(0, 2)), xr.Dataset)
    assert again["exposure"].attrs["units"] == "m2 s"
