"""Records of many products: read in turn, at a glance where all is well; what is wrong is always named."""

import dataclasses
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xgamma.store import Store, listing, records
from xgamma.store.records import Record

KEYS = [f"k{number}" for number in range(5)]
DOCUMENT = json.loads(Record("fit", "k0", "a1", "2026", {"": "d", "irf/aeff": "e"}, 3, {}, ("i",)).to_bytes())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=3), each, max_size=3),
    max_leaves=5,
)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store of five products whose records are read two at a time."""
    monkeypatch.setattr(listing, "_AT_ONCE", 2)
    store = Store(tmp_path)
    for key in KEYS:
        store.put("dl4", key, {}, {})
    return store


def test_records_in_turn_are_those_of_the_listing(store):
    in_turn = store.records_in_turn("dl4")
    assert [record.key for record in in_turn] == KEYS
    assert (list(in_turn), in_turn.damaged) == (store.listing().records, {})


@pytest.mark.parametrize("number", range(5))
def test_a_damaged_record_is_named_and_the_others_are_read(store, tmp_path, number):
    (tmp_path / "dl4" / KEYS[number] / "record.json").write_text("{")
    in_turn = store.records_in_turn()
    assert [record.key for record in in_turn] == [key for key in KEYS if key != KEYS[number]]
    assert list(in_turn.damaged) == [f"dl4/{KEYS[number]}"]


def test_a_record_that_is_no_file_is_named_and_the_others_are_read(store, tmp_path):
    path = tmp_path / "dl4" / "k3" / "record.json"
    path.unlink()
    path.mkdir()
    found = store.listing()
    assert [record.key for record in found.records] == ["k0", "k1", "k2", "k4"]
    assert "is no file but a folder" in str(found.damaged["dl4/k3"])


@given(st.sampled_from(sorted(DOCUMENT)), VALUES)
@example("inputs", ["i", 1])
@example("supersedes", ["a/b"])
@example("digests", {"a": "d", "..": "e"})
@example("attempt", "a b")
@example("texts", {"models": 1})
@example("nbytes", -1)
def test_what_passes_at_a_glance_has_no_violation(name, value):
    document = {**DOCUMENT, name: value}
    if records._is_usual(document, "fit", "k0"):
        assert not list(records._violations(document, "fit", "k0"))


def test_a_record_as_it_is_written_passes_at_a_glance():
    assert records._is_usual(DOCUMENT, "fit", "k0")


def test_fields_of_a_later_version_are_passed_over():
    document = {name: value for name, value in DOCUMENT.items() if name != "metadata"} | {"later": 1}
    read = Record.from_bytes(json.dumps(document).encode(), "fit/k0/record.json", "url")
    assert read == Record.from_bytes(json.dumps({**DOCUMENT, "metadata": ""}).encode(), "fit/k0/record.json", "url")
    assert vars(read).keys() == DOCUMENT.keys()


@pytest.mark.parametrize("lacking", [(), ("texts",), ("schema", "metadata"), ("texts", "schema", "metadata")])
def test_a_record_that_is_read_equals_the_one_that_was_written(lacking):
    document = {name: value for name, value in DOCUMENT.items() if name not in lacking}
    read = Record.from_bytes(json.dumps(document).encode(), "fit/k0/record.json", "url")
    given = {**document, "inputs": tuple(document["inputs"]), "supersedes": tuple(document["supersedes"])}
    assert read == Record(**given)
    assert dataclasses.replace(read, key="k1").key == "k1"
