"""JSON documents are read strictly, only regular files are read, and windows equal selections of numpy."""

import json
import os

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from xgamma.storage.disk import read_regular_file
from xgamma.store import Store
from xgamma.store.documents import MAX_DEPTH, parsed_mapping

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), PLAIN, max_size=4))
def test_a_written_document_is_read_back(document):
    try:
        content = json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    assert parsed_mapping(content) == document
    assert parsed_mapping(json.dumps(document).encode()) == document


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "breaks off or is no JSON"),
        (b'{"a": 1', "breaks off or is no JSON"),
        (b'{"a": "\xff"}', "no JSON in UTF-8"),
        (b"\xef\xbb\xbf{}", "no JSON in UTF-8"),
        ("{}".encode("utf-16"), "no JSON in UTF-8"),
        (b"[]", "no JSON of a mapping"),
        (b"1", "no JSON of a mapping"),
        (b"null", "no JSON of a mapping"),
        (b'{"a": NaN}', "holds NaN"),
        (b'{"a": [-Infinity]}', "holds -Infinity"),
        (b'{"a": {"b": 1, "b": 1}}', "has the name 'b' twice"),
        (b'{"a": "\\ud800"}', "half a character"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "no JSON"),
        (b"[" * 1_000_000, "levels deep"),
        (b'{"a": ' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", "levels deep"),
    ],
)
def test_an_invalid_document_raises_with_the_reason(content, words):
    with pytest.raises(ValueError, match=words):
        parsed_mapping(content)


def test_brackets_in_texts_do_not_count_as_nesting():
    document = {"a": "[{" * 1000, "b": [1, "]}" * 100]}
    assert parsed_mapping(json.dumps(document).encode()) == document


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_only_regular_files_are_read(make, tmp_path):
    make(tmp_path / "x")
    with pytest.raises(OSError, match=r"is no file but a (pipe|folder|device)"):
        read_regular_file(tmp_path / "x", 100)


def test_a_file_above_the_limit_is_not_read(tmp_path):
    (tmp_path / "x").write_bytes(b"12345")
    assert read_regular_file(tmp_path / "x", 5) == b"12345"
    with pytest.raises(OSError, match="has 5 bytes, more than the 4 that are read"):
        read_regular_file(tmp_path / "x", 4)
    assert read_regular_file(tmp_path / "nothing", 4) is read_regular_file(tmp_path / "x" / "below", 4) is None


SHAPE = (7, 5, 4)
ALONG = [
    st.integers(-size, size - 1)
    | st.slices(size).filter(lambda places: (places.step or 1) > 0)
    | st.lists(st.integers(-size, size - 1), min_size=1, max_size=4).map(np.array)
    for size in SHAPE
]


@pytest.fixture(scope="module")
def cut():
    store = Store("memory://")
    values = np.random.default_rng(1).random(SHAPE)
    store.put("dl4", "k", {"": xr.Dataset({"a": (("x", "y", "z"), values)})}, {}, encoding={"a": {"chunks": (3, 2, 4)}})
    return store, values


@given(st.tuples(*ALONG))
@settings(max_examples=150)
def test_any_window_equals_the_selection_of_numpy(cut, key):
    store, values = cut
    expected = xr.DataArray(values, dims=("x", "y", "z")).isel(dict(zip("xyz", key, strict=True)))
    found = store.open("dl4", "k")["a"].isel(dict(zip("xyz", key, strict=True)))
    np.testing.assert_array_equal(found.values, expected.values)
