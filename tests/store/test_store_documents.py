"""JSON documents are read strictly, only regular files are read, and windows equal selections of numpy."""

import json
import os

import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given, settings
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


ALIKE = ("provenance", "software", "recipe")
TEXT = json.dumps(
    {
        "provenance": {
            "software": {"xgamma": "1", "numpy": "2"},
            "time": "t",
            "recipe": {"a": [1.5, {"b": 2}], "c": {}},
        },
        "texts": {"recipe": "r"},
    },
    indent=1,
)
PIECES = [
    *(
        "-Infinity",
        "NaN",
        "[" * 70 + "]" * 70,
        ", ",
        '"a": 1,',
        "{",
        "}",
        "[",
        "]",
        '"',
        ":",
        "0",
        "\\ud800",
        "\\u0061",
    ),
    *(
        '\n  "software": {\n',
        '\n  "software": {\n   "a": 1\n  },',
        '\n  "recipe": {\n',
        "\n  }",
        "\n  },",
        '"software": 0,',
    ),
    *('\n "provenance": {\n', "\n }", '"texts": {', "\n"),
]


def outcome(content, *alike):
    """Return what a document holds, or why it is refused."""
    try:
        return json.dumps(parsed_mapping(content, *alike))
    except ValueError as error:
        return str(error)


@given(st.lists(st.tuples(st.integers(0, len(TEXT)), st.integers(0, 30), st.sampled_from(PIECES)), max_size=3))
@example([(TEXT.index('"xgamma"'), 0, '"numpy": 1,')])
@example([(TEXT.index('"time"'), 0, '"software": {},')])
@example([(TEXT.index('"t"'), 3, "-Infinity")])
@example([(TEXT.index("1.5"), 3, "[" * 61 + "]" * 61)])
@example([(TEXT.index("1.5"), 3, "[" * 60 + "]" * 60)])
@example([(TEXT.index('"t"') + 1, 1, '\n  "recipe": {\n')])
@example([(TEXT.index('"numpy"') - 1, 1, "}], [{")])
@settings(max_examples=300)
def test_what_many_documents_hold_alike_is_read_as_all_else_is(changes):
    text = TEXT
    for place, length, piece in changes:
        text = text[:place] + piece + text[place + length :]
    assert outcome(text.encode(), *ALIKE) == outcome(text.encode())


def test_what_many_documents_hold_alike_is_one_object():
    first, second = (parsed_mapping(TEXT.replace('"t"', f'"{time}"').encode(), *ALIKE)["provenance"] for time in (1, 2))
    assert first["time"] != second["time"]
    assert all(first[name] is second[name] for name in ALIKE[1:])
    # One that another writer laid out in another way is parsed by itself.
    assert parsed_mapping(json.dumps(json.loads(TEXT)).encode(), *ALIKE) == json.loads(TEXT)


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
