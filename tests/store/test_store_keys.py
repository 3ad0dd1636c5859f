"""Keys: equal values have one canonical text."""

import hashlib

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from xgamma.errors import DataError, MissingInputError
from xgamma.store import canonical_json, dataset_digest, digest, file_digest


def test_canonical_json_is_unique():
    assert canonical_json({"b": 0.1 + 0.2, "a": [1, None, True]}) == '{"a":[1,null,true],"b":0.30000000000000004}'
    assert canonical_json("é") == '"\\u00e9"'


@given(st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False) | st.integers()))
def test_the_order_of_a_mapping_and_the_kind_of_its_numbers_do_not_matter(mapping):
    turned = {name: mapping[name] for name in reversed(mapping)}
    wrapped = {name: np.float64(value) if isinstance(value, float) else value for name, value in turned.items()}
    assert digest(mapping) == digest(turned) == digest(wrapped)


def test_lists_tuples_and_arrays_have_the_same_text():
    assert digest([1.0, 2.0]) == digest((1.0, 2.0)) == digest(np.array([1.0, 2.0]))


def test_different_values_have_different_digests():
    values = [1, 1.0, "1", True, None, [1], {"1": 1}, 0.0, -0.0]
    assert len({digest(value) for value in values}) == len(values)


@pytest.mark.parametrize("value", [np.nan, np.float32(np.inf), {"a": [np.nan]}, {1: 2}, {1, 2}, b"a", object()])
def test_a_value_without_canonical_text_raises(value):
    with pytest.raises(DataError, match=r"^key"):
        digest(value)


def test_file_digest_is_what_sha256sum_prints(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert file_digest(path) == hashlib.sha256(b"abc").hexdigest()
    with pytest.raises(MissingInputError, match="There is no file"):
        file_digest(tmp_path / "nowhere")


def changed(dataset):
    yield dataset.assign(x=dataset.x + 1)
    yield dataset.assign(x=dataset.x.astype("f4"))
    yield dataset.rename(x="y")
    yield dataset.rename(m2="m")
    yield dataset.transpose("m2", "n")
    yield dataset.assign_attrs(a=2)
    yield dataset.assign(x=dataset.x.assign_attrs(units="s"))
    yield dataset.set_coords("x")
    yield dataset.assign_coords(n=["a", "c"])


def test_dataset_digest_depends_on_every_value_and_not_on_order():
    first = xr.Dataset({"x": (("n", "m2"), np.zeros((2, 2))), "z": ("n", [1, 2])}, {"n": ["a", "b"]}, {"a": 1, "b": 2})
    same = xr.Dataset({"z": ("n", [1, 2]), "x": (("n", "m2"), np.zeros((2, 2)))}, {"n": ["a", "b"]}, {"b": 2, "a": 1})
    assert dataset_digest(first) == dataset_digest(same)
    digests = [dataset_digest(dataset) for dataset in [first, *changed(first)]]
    assert len(set(digests)) == len(digests)
