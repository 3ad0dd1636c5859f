"""Plain arrays are changed as Datasets are, and are the same Dataset when somebody asks for it."""

from __future__ import annotations

import numpy as np
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from xgamma.schema.arrays import PlainArray, PlainArrays, dataset_of, in_memory

SIZES = {"row": 4, "bin": 3, "end": 2}
NAMED = PlainArray(("row",), np.array(["a", "b", "c", "d"]), {"long_name": "Name"})


def plain():
    values = np.arange(24.0)
    return PlainArrays(
        {"row": NAMED, "edges": PlainArray(("bin", "end"), values[:6].reshape(3, 2), {"units": "TeV"})},
        {
            "counts": PlainArray(("row", "bin"), values[:12].reshape(4, 3)),
            "cube": PlainArray(("bin", "row", "end"), values.reshape(3, 4, 2)),
            "total": PlainArray((), np.array(3.0), {"units": ""}),
        },
        {"telescope": "T"},
    )


def places(size: int) -> st.SearchStrategy[object]:
    some = st.lists(st.integers(0, size - 1), max_size=5)
    return st.integers(0, size - 1) | some | st.builds(slice, st.integers(0, size), st.integers(0, size))


@given(st.fixed_dictionaries({}, optional={dim: places(size) for dim, size in SIZES.items()}))
def test_the_same_places_are_taken(indexers):
    found = plain().isel(indexers)
    assert found.dataset.identical(plain().dataset.isel(indexers))
    assert {dim: found.sizes[dim] for dim in found.sizes} == dict(found.dataset.sizes)


def test_the_same_is_assigned_and_dropped():
    ours, theirs = plain(), plain().dataset
    given = {"counts": (("row", "bin"), np.ones((4, 3)), {"units": ""}), "edges": (("bin",), np.zeros(3), {})}
    new = {"end": (("end",), np.array([0, 1]), {}), "mask": (("bin",), np.ones(3, dtype=bool), {"units": ""})}
    names = {"row": (("row",), np.array(["e", "f", "g", "h"]), NAMED.attrs)}
    pairs = [
        (ours.assign(given | new), theirs.assign(given | new)),
        (ours.assign_coords(names), theirs.assign_coords(names)),
        (ours.assign_attrs({"telescope": "U", "more": 1}), theirs.assign_attrs({"telescope": "U", "more": 1})),
        (ours.drop_vars(["counts", "edges"]), theirs.drop_vars(["counts", "edges"])),
    ]
    for own, other in pairs:
        assert own.dataset.identical(other)
        assert sorted(own.coords) == sorted(other.coords)
    # What they were made of is as it was.
    assert ours.dataset.identical(plain().dataset)


def test_the_dataset_is_made_once_and_shares_the_values():
    ours = plain()
    assert dataset_of(ours) is dataset_of(ours)
    assert np.shares_memory(ours.dataset["cube"].values, ours["cube"].values)
    assert in_memory(ours) is ours
    theirs = xr.Dataset({"x": ("row", [1.0])})
    assert dataset_of(theirs) is theirs
    assert ("counts" in ours, "cube" in ours, "row" in ours, "other" in ours) == (True, True, True, False)
