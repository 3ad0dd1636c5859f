"""What the store reads of its arrays without zarr is what zarr reads."""

from __future__ import annotations

import numpy as np
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from xgamma.store import Store

TYPES = ["bool", "int8", "int64", "uint16", "float32", "float64"]


@st.composite
def cut_arrays(draw):
    """Draw an array, how it is cut into chunks, and a window of it."""
    shape = draw(st.lists(st.integers(0, 7), max_size=3))
    values = draw(st.integers(0, 2**32)) + np.arange(np.prod(shape, dtype=int)).reshape(shape)
    chunks = tuple(draw(st.integers(1, 8)) for _ in shape)
    window = tuple(slice(*sorted((draw(st.integers(0, size)), draw(st.integers(0, size))))) for size in shape)
    return values.astype(draw(st.sampled_from(TYPES))), chunks, window


@given(cut_arrays())
def test_zarr_reads_the_same_array_and_the_same_window(case):
    values, chunks, window = case
    store = Store("memory://")
    dims = tuple("abc"[: values.ndim])
    store.put("other", "k1", {"": xr.Dataset({"x": (dims, values)})}, {}, encoding={"x": {"chunks": chunks}})
    by_zarr = xr.open_zarr(store.zarr("other", "k1"), chunks=None)["x"]
    np.testing.assert_array_equal(store.get("other", "k1")["x"].values, values)
    np.testing.assert_array_equal(by_zarr.values, values)
    part = dict(zip(dims, window, strict=True))
    np.testing.assert_array_equal(store.open("other", "k1")["x"].isel(part).values, by_zarr.isel(part).values)
    assert store.get("other", "k1")["x"].dtype == by_zarr.dtype == values.dtype
