"""put then get is the identity, in memory, on disk and in a bucket."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xgamma.errors import DataError
from xgamma.store import Store, dataset_digest, digest

DTYPES = ["bool", "int8", "uint16", "int32", "int64", "uint64", "float16", "float32", "float64"]
WORDS = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,6}", fullmatch=True)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3))
RESERVED = {"dtype", "coordinates", "names_in", "missing_value", "scale_factor", "add_offset"}
ATTRS = st.dictionaries(st.text(max_size=8).filter(lambda name: name not in RESERVED), JSON, max_size=3)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)


@st.composite
def datasets(draw):
    sizes = draw(st.dictionaries(st.sampled_from(["dataset", "energy", "bound"]), st.integers(0, 4), max_size=3))
    variables = {}
    for name in draw(
        st.lists(WORDS, unique_by=str.lower, max_size=5).filter(lambda names: not set(names) & set(sizes))
    ):
        dims = draw(st.lists(st.sampled_from(sorted(sizes)), unique=True)) if sizes else []
        shape = tuple(sizes[dim] for dim in dims)
        variables[name] = (dims, draw(hnp.arrays(draw(st.sampled_from(DTYPES)), shape)), draw(ATTRS))
    if "dataset" in sizes and draw(st.booleans()):
        size = sizes["dataset"]
        names = draw(st.lists(NAMES, min_size=size, max_size=size, unique=True))
        variables["dataset"] = ("dataset", np.array(names, dtype=str), draw(ATTRS))
    if "energy" in sizes and draw(st.booleans()):
        variables["energy"] = ("energy", np.linspace(1, 2, sizes["energy"]), {"units": "TeV"})
    coords = draw(st.lists(st.sampled_from(sorted(variables)), unique=True)) if variables else []
    attrs = {f"a {name}": value for name, value in draw(ATTRS).items()}
    return xr.Dataset(variables, attrs=attrs).set_coords(coords)


def assert_same_bits(result, expected):
    xr.testing.assert_identical(result, expected)
    assert set(result.coords) == set(expected.coords)
    for name, variable in expected.variables.items():
        values = result.variables[name].values
        if values.dtype.kind != "U":
            assert values.dtype == variable.dtype
            assert values.tobytes() == variable.values.tobytes()


@pytest.fixture(scope="module", params=["memory", "disk", "s3"])
def store(request, new_place):
    return Store(new_place(request.param))


@given(root=datasets(), sub=datasets())
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_put_then_get_is_the_identity(store, root, sub):
    key = digest([dataset_digest(root), dataset_digest(sub)])
    record = store.put("any", key, {"": root, "irf/sub-1": sub}, {})
    for group, expected in {"": root, "irf/sub-1": sub}.items():
        result = store.get("any", key, group)
        assert_same_bits(result, expected)
        assert record.digests[group] == dataset_digest(result) == dataset_digest(expected)
        assert_same_bits(store.open("any", key, group).load(), expected)


def test_values_that_compare_equal_keep_their_bits(store):
    bits = np.array([0x7FF8000000000001, 0xFFF8000000000123, 0x8000000000000000, 0, 1], dtype="u8").view("f8")
    dataset = xr.Dataset({"x": ("n", bits), "all_nan": ("n", np.full(5, np.nan)), "none": ("n", np.zeros(5, "i1"))})
    store.put("any", "bits", {"": dataset}, {})
    assert_same_bits(store.get("any", "bits"), dataset)


def test_an_array_of_many_chunks_is_the_same(store):
    dataset = xr.Dataset({"x": (("n", "m"), np.arange(35.0).reshape(7, 5)), "y": ("n", np.arange(7))})
    record = store.put("any", "chunks", {"": dataset}, {}, encoding={"x": {"chunks": (3, 2)}})
    assert_same_bits(store.get("any", "chunks"), dataset)
    assert store.open("any", "chunks").x.encoding == {}
    window = store.read_columns("any", "chunks", "", ["x", "y"], 2, 4)
    np.testing.assert_array_equal(window["x"], dataset.x.values[2:4])
    assert record.nbytes == 35 * 8 + 7 * 8


def test_other_byte_orders_and_memory_layouts_are_the_same_numbers(store):
    values = np.asfortranarray(np.arange(6.0).reshape(2, 3).astype(">f8"))
    dataset = xr.Dataset({"x": (("n", "m"), values)})
    store.put("any", "order", {"": dataset}, {})
    xr.testing.assert_identical(store.get("any", "order"), dataset)
    assert store.get("any", "order").x.dtype == np.dtype("<f8")
    native = xr.Dataset({"x": (("n", "m"), np.arange(6.0).reshape(2, 3))})
    assert dataset_digest(dataset) == dataset_digest(native)


def test_names_of_rows_are_read_back_as_an_index(store):
    dataset = xr.Dataset(
        {"counts": ("dataset", [1.0, 2.0, 3.0])},
        coords={"dataset": ["23523", "23526", "é x"], "release": ("dataset", ["dr1", "dr1", "dr 2"])},
    )
    store.put("any", "names", {"": dataset}, {})
    result = store.get("any", "names")
    assert result.counts.sel(dataset="23526").item() == 2.0
    assert result.release.values.tolist() == ["dr1", "dr1", "dr 2"]


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        (
            xr.Dataset({"x": ("n", np.array([{}, 1], dtype=object))}),
            "x of the root group: expected an array of numbers",
        ),
        (xr.Dataset({"x": ("n", np.array([b"a"]))}), "expected an array of numbers, bools or names"),
        (xr.Dataset({"x": ("n", np.array(["2020-01-01"], dtype="M8[ns]"))}), "Times are float64 seconds since mjdref"),
        (xr.Dataset({"x": ("n", np.array([1j]))}), "got complex128"),
        (xr.Dataset(attrs={"a": np.nan}), "attrs of the root group.a: expected a finite number"),
        (xr.Dataset(attrs={"a": {1, 2}}), "expected what JSON holds"),
        (xr.Dataset(attrs={"a": {1: 2}}), "expected names as keys, got 1"),
        (xr.Dataset({"x": ("n", [1.0], {"_FillValue": 0.0})}), "'_FillValue' changes what readers see"),
        (xr.Dataset({"x y": ("n", [1.0])}), "expected names of letters"),
        (xr.Dataset(coords={"dataset": ["a", "b\udc41"]}), r"dataset of the root group\[1\]: expected text in UTF-8"),
        (xr.Dataset(attrs={"file": "b\udc41"}), r"attrs of the root group\.file: expected text in UTF-8"),
        (xr.Dataset(attrs={"b\udc41": 1}), "attrs of the root group: expected text in UTF-8"),
        (xr.Dataset({"x": ("dataset", [1.0])}, {"dataset": ["a"]}, {"dataset_names": 1}), "Rename the attribute"),
    ],
)
def test_a_dataset_that_cannot_be_read_back_raises(store, dataset, sentence):
    with pytest.raises(DataError, match=sentence):
        store.put("any", "refused", {"": dataset}, {})
    assert not store.has("any", "refused")


def test_a_group_and_a_variable_of_one_name_raise(store):
    dataset = xr.Dataset({"events": ("n", [1.0])})
    with pytest.raises(DataError, match="a group and a variable called 'events'"):
        store.put("any", "refused", {"": dataset, "events": dataset}, {})
