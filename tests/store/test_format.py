"""The published format: every product conforms, an independent reader reads it, and violations are found."""

from __future__ import annotations

import dataclasses
import functools
import http.server
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import plain_reader
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from command_line import CommandLine
from releases import TINY, config_of, part_in_memory, release_of, until_datasets, whole
from xgamma.analysis.run import run
from xgamma.datasets import Datasets
from xgamma.datasets.files import write_zarr
from xgamma.engine import XgammaBackend
from xgamma.errors import ConfigTypeError, DataError, InputError, MissingInputError, StoreError, UnknownNameError
from xgamma.events import IRF_ROLES
from xgamma.schema import PRODUCTS, Kind, documents, product_violations
from xgamma.schema.dl3 import ROLES
from xgamma.schema.tables import group_named
from xgamma.store import Record, Store
from xgamma.store.conformance import validate
from xgamma.upkeep.parts import compact, tag

KINDS = sorted(PRODUCTS)


@pytest.fixture(scope="module")
def store(tiny_release, tmp_path_factory):
    """A store with every kind of product, a name, a tag and digests of files; it is not to be changed."""
    store = Store(tmp_path_factory.mktemp("format") / "a store")
    run(config_of(tiny_release, store.url))
    (record,) = store.ls("stack")
    store.set_name("crab", "stack", record.key)
    tag(store, "first-light")
    for number in range(3):
        store.remember(f"/data/{number}.fits", number, 1, f"{number:064x}")
    return store


@pytest.fixture
def own(store, tmp_path):
    """A copy of it that a test may change."""
    return Store(shutil.copytree(store.url, tmp_path / "own"))


@pytest.fixture(scope="module")
def spare(store, tmp_path_factory):
    """A copy of it whose records a test changes and puts back."""
    return Store(shutil.copytree(store.url, tmp_path_factory.mktemp("format") / "spare"))


@pytest.fixture(scope="module")
def groups(store):
    """The groups of each product by kind, in memory; of the pictures those of one."""
    return {
        record.kind: {group: store.get(record.kind, record.key, group) for group in record.digests}
        for record in store.ls()
    }


@pytest.fixture
def xgamma(capsys):
    return CommandLine(capsys)


def only(store, kind):
    (record,) = store.ls(kind)
    return record


def every_group(store):
    return [(record, group) for record in store.ls() for group in record.digests]


def texts(found):
    return [str(violation) for violation in found.violations]


def edited(store, path, change):
    """Change a JSON document of a store."""
    place = Path(store.url, path)
    document = json.loads(place.read_text())
    change(document)
    place.write_text(json.dumps(document))


# --- what xgamma writes is as the format says


def test_every_product_of_a_finished_store_is_as_the_format_says(store):
    found = validate(store.url)
    assert (texts(found), found.skipped, found.products) == ([], [], 8)
    assert found.documents == 1 + 2 + 3


def test_merged_products_and_what_they_superseded_are_as_the_format_says(tiny_release, tmp_path):
    place = tmp_path / "store"
    for runs in ("[1, 2]", "[3]"):
        run(config_of(tiny_release, place, f"observations: {{obs_ids: {runs}}}"), until="datasets")
    compact(Store(place))
    assert list(place.glob("*/*/retired.json"))
    found = validate(place)
    assert (texts(found), found.skipped) == ([], [])


@pytest.mark.parametrize("psf", ["psf_3gauss", "psf_king", "psf_table"])
def test_each_kind_of_response_is_as_the_format_says(psf, tmp_path):
    plan = dataclasses.replace(TINY, name=psf, runs=1, response=dataclasses.replace(TINY.response, psf=psf))
    part = part_in_memory(release_of(plan, tmp_path))
    assert [str(violation) for violation in product_violations(part.groups, PRODUCTS["dl3"])] == []


def test_stacks_by_group_of_rows_in_several_good_times_are_as_the_format_says(nights_release, tmp_path):
    runs = "observations: {obs_ids: [1, 5]}"
    config = config_of(nights_release, tmp_path / "store", runs)
    run(config, until="datasets")
    assert Store(tmp_path / "store").get("stack", only(Store(tmp_path / "store"), "stack").key).sizes["gti"] == 4
    run(config_of(nights_release, tmp_path / "store", runs, "datasets: {stack_by: night}"), until="datasets")
    assert sorted(len(record.texts["stacks"]) for record in Store(tmp_path / "store").ls("stack")) == [1, 2]
    assert texts(validate(tmp_path / "store")) == []


def test_rows_that_cannot_be_used_are_as_the_format_says(tiny_release, tmp_path):
    config = config_of(tiny_release, tmp_path / "store", "datasets: {geom: {selection: {offset_max: 0.1 deg}}}")
    with pytest.raises(DataError, match="No run can be used"):
        until_datasets(config)
    assert [record.kind for record in Store(tmp_path / "store").ls()] == ["dl3", "rows"]
    assert texts(validate(tmp_path / "store")) == []


def test_runs_of_a_real_telescope_are_as_the_format_says(gammapy_data, tmp_path):
    config = config_of(gammapy_data / "hess-dl3-dr1", tmp_path / "store", "observations: {obs_ids: [23523, 23526]}")
    run(config, until="datasets")
    assert texts(validate(tmp_path / "store")) == []


def test_the_specification_names_everything_that_the_code_writes():
    assert set(Kind) == set(PRODUCTS)
    assert set(documents.RECORD) == {field.name for field in dataclasses.fields(Record)}
    assert ROLES == IRF_ROLES


# --- a stranger reads it


def test_a_reader_made_from_the_page_alone_reads_every_product(store):
    records = plain_reader.products(store.url)
    assert sorted((record["kind"], record["key"]) for record in records) == [(r.kind, r.key) for r in store.ls()]
    for record in records:
        for group in record["digests"]:
            attrs, variables = plain_reader.read_group(store.url, record, group)
            ours = store.get(record["kind"], record["key"], group)
            assert attrs == ours.attrs
            assert set(variables) == set(ours.variables)
            for name, (dims, values, own, is_coordinate) in variables.items():
                assert (tuple(dims), own, is_coordinate) == (ours[name].dims, ours[name].attrs, name in ours.coords)
                np.testing.assert_array_equal(values, ours[name].values)


def test_an_independent_reader_computes_the_digests_of_the_records(store):
    for record in plain_reader.products(store.url):
        found = {
            group: plain_reader.content_digest(*plain_reader.read_group(store.url, record, group))
            for group in record["digests"]
        }
        assert found == record["digests"]


def test_an_independent_reader_reads_counts_edges_names_and_good_times(store, tiny_release, tmp_path):
    analysis = whole(config_of(tiny_release, tmp_path / "store"))
    stacked = analysis.datasets[0]
    (record,) = (r for r in plain_reader.products(store.url) if r["kind"] == "stack")
    _, variables = plain_reader.read_group(store.url, record)
    assert variables["dataset"][1].tolist() == [stacked.name]
    np.testing.assert_array_equal(variables["counts"][1][0], stacked.counts)
    np.testing.assert_array_equal(variables["energy_bounds"][1], stacked.data["energy_bounds"])
    np.testing.assert_array_equal(variables["gti"][1][0], stacked.gti.data)


def test_any_group_opens_with_plain_xarray(store):
    for record, group in every_group(store):
        opened = xr.open_zarr(store.zarr(record.kind, record.key), group=group or None)
        ours = store.get(record.kind, record.key, group)
        assert set(opened.variables) == set(ours.variables)
        for name, variable in opened.variables.items():
            if "names_in" in variable.attrs:
                found = np.array(opened.attrs[variable.attrs["names_in"]])[variable.values]
            else:
                found = variable.values
            np.testing.assert_array_equal(found, ours[name].values)


def test_named_arrays_are_those_of_the_dataset(store):
    for record in store.ls():
        if "" in record.digests:
            found, ds = store.get_arrays(record.kind, record.key), store.get(record.kind, record.key)
            assert (set(found.coords), found.sizes, found.attrs) == (set(ds.coords), dict(ds.sizes), ds.attrs)
            assert set(found.variables) == set(ds.variables)
            for name, variable in ds.variables.items():
                assert (found[name].dims, found[name].attrs) == (variable.dims, variable.attrs)
                np.testing.assert_array_equal(found[name].values, variable.values, strict=True)


# --- what breaks it is found


def _wrong_type(values):
    if values.dtype.kind in "fUT":
        return np.zeros(values.shape, np.int16)
    return values.astype(float)


def _specified(groups, kind):
    """Yield every group with each of its variables that the format names."""
    for group, ds in groups[kind].items():
        for name, spec in group_named(PRODUCTS[kind], group).variables.items():
            if name in ds.variables:
                yield group, name, spec


def mutations(groups):
    """Return what can be broken: kind, group, what, and which variable, dim or attribute."""
    found = []
    for kind in sorted(groups):
        for group, name, spec in _specified(groups, kind):
            ds = groups[kind][group]
            found.append((kind, group, "type", name))
            found += [(kind, group, "units", name)] if spec.units is not None else []
            is_needed = spec.required or spec.needed_with in ds.variables
            found += [(kind, group, "drop", name)] if is_needed else []
            found += [(kind, group, "dim", str(dim)) for dim in spec.dims]
        for group in groups[kind]:
            attrs = group_named(PRODUCTS[kind], group).attrs
            found += [(kind, group, "attr", name) for name, spec in attrs.items() if spec.required]
            found += [(kind, group, "version", name) for name in attrs if name == "schema_version"]
    return sorted(set(found))


def broken(ds, what, name):
    if what == "drop":
        return ds.drop_vars(name)
    if what == "dim":
        return ds.rename_dims({name: "strange"})
    if what == "attr":
        return ds.assign_attrs({name: object()})
    if what == "version":
        return ds.assign_attrs({name: 2})
    if what == "units":
        changed = ds[name].variable.copy()
        changed.attrs["units"] = "erg"
    else:
        changed = ds[name].variable.copy(data=_wrong_type(ds[name].values))
    return (
        ds.drop_vars(name).assign({name: changed})
        if name not in ds.coords
        else ds.drop_vars(name).assign_coords({name: changed})
    )


@given(st.data())
@settings(max_examples=200)
def test_random_damage_is_found(groups, data):
    kind, group, what, name = data.draw(st.sampled_from(mutations(groups)))
    changed = {**groups[kind], group: broken(groups[kind][group], what, name)}
    found = product_violations(changed, PRODUCTS[kind])
    assert found
    if what != "dim":
        assert any(name in violation.where.split() for violation in found)
    assert all(violation.where.startswith(group) for violation in found)


def _value(name, place, value):
    def change(ds):
        ds[name].values[place] = value

    return change


VALUES = {
    "counts below 0": ("stack", _value("counts", (0, 0, 0), -1.0), "counts: expected finite numbers"),
    "counts without a number": ("rows", _value("counts_off", (1, 0, 0), np.nan), "counts_off: expected finite"),
    "a ledger below 0": ("rows", _value("ledger", (0, 0, 1), -2), "ledger: expected numbers of at least 0, got -2"),
    "bins that overlap": ("stack", _value("energy_bounds", (1, 0), 0.51), "energy_bounds: expected"),
    "good time backwards": ("rows", _value("gti", (0, 0, 1), 0.0), "gti: expected sorted intervals"),
    "half a good time": ("rows", _value("gti", (0, 0, 1), np.nan), "gti: expected intervals, then NaN"),
    "an unknown outcome": ("rows", _value("outcome", 0, 99), "mask_safe: expected no safe bin"),
    "another number of off regions": ("rows", _value("off_number", (0, 0), 1), "off_lon: expected as many numbers"),
    "events beyond the end": ("dl3", _value("event_size", 2, 10**7), "event_start: expected ranges inside"),
    "a response that is not there": ("dl3", _value("aeff_row", 0, 9), "aeff_table: expected a table and a row"),
    "half a response": ("dl3", _value("rad_max_row", 0, 0), "rad_max_table: expected a table and a row"),
    "a covariance that is none": ("fit", _value("covariance", (0, 1), 7.0), "covariance: expected a symmetric"),
    "a point without an error": ("flux-points", _value("norm_err", 0, np.nan), "success: expected false where"),
    "a name twice": (
        "rows",
        lambda ds: ds.coords.__setitem__("dataset", ["1", "1", "2"]),
        "dataset: expected a unique",
    ),
    "a list of another length": ("rows", lambda ds: ds.attrs["outcome_details"].append("?"), "attrs outcome_details"),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_that_violate_a_law_are_found(groups, name):
    kind, change, sentence = VALUES[name]
    changed = {group: ds.copy(deep=True) for group, ds in groups[kind].items()}
    changed[""].attrs = json.loads(json.dumps(changed[""].attrs))
    change(changed[""])
    found = [str(violation) for violation in product_violations(changed, PRODUCTS[kind])]
    assert any(sentence in text for text in found), found


def test_a_missing_group_is_found(groups):
    without = {group: ds for group, ds in groups["dl3"].items() if group != "events"}
    assert [str(v) for v in product_violations(without, PRODUCTS["dl3"])] == ["events: expected a group, got none."]


def _node(name, **changes):
    def change(document):
        document["consolidated_metadata"]["metadata"][name].update(changes)

    return change


def _attribute(name, key, value):
    def change(document):
        document["consolidated_metadata"]["metadata"][name]["attributes"][key] = value

    return change


LAYOUT = {
    "not consolidated": (lambda d: d.pop("consolidated_metadata"), "zarr.json: expected consolidated_metadata"),
    "version 2 of Zarr": (_node("counts", zarr_format=2), "counts: expected a node of zarr_format 3"),
    "another codec": (
        _node("counts", codecs=[{"name": "bytes"}, {"name": "zstd"}]),
        'the codecs bytes, blosc, got ["b',
    ),
    "big-endian": (
        _node("counts", codecs=[{"name": "bytes", "configuration": {"endian": "big"}}, {"name": "blosc"}]),
        "counts: expected little-endian bytes",
    ),
    "slashes in chunk keys": (
        _node("counts", chunk_key_encoding={"name": "default", "configuration": {"separator": "/"}}),
        "counts: expected the default chunk keys with '.'",
    ),
    "another type": (_node("counts", data_type="complex128"), "counts: expected data_type one of bool"),
    "dims without names": (
        _node("counts", dimension_names=None),
        "counts: expected dimension_names, 3 texts, got null",
    ),
    "too few dims": (_node("counts", dimension_names=["energy"]), "counts: expected dimension_names, 3 texts"),
    "no shape": (_node("counts", shape="big"), "counts: expected shape"),
    "no chunks": (_node("counts", chunk_grid={"name": "strange"}), "counts: expected a regular chunk_grid of 3 sizes"),
    "a dim of two sizes": (_node("livetime", shape=[9]), "got 9"),
    "names that are nowhere": (_attribute("dataset", "names_in", "nowhere"), "dataset: expected names_in"),
    "a fill value": (
        _attribute("counts", "_FillValue", 0),
        "counts: expected plain numbers, got attributes['_FillValue']",
    ),
    "lost coordinates": (_attribute("counts", "coordinates", "region_lon moon"), "coordinates, names of arrays"),
    "a node of another kind": (_node("counts", node_type="table"), "counts: expected node_type group or array"),
    "no attributes": (_node("counts", attributes=[]), "counts: expected attributes, a mapping"),
    "too few names": (lambda d: d["attributes"].update(dataset_names=[]), "dataset: expected numbers below 0"),
}


@pytest.mark.some_long(3)
@pytest.mark.parametrize("name", LAYOUT)
def test_a_group_with_another_layout_is_found(own, name):
    change, sentence = LAYOUT[name]
    record = only(own, "stack")
    edited(own, f"{record.folder}/zarr.json", change)
    (found,) = {text for text in texts(validate(f"{own.url}/stack/{record.key}")) if sentence in text}
    assert found.startswith(f"stack/{record.key} ")


def test_a_chunk_that_cannot_be_decoded_is_found(own):
    record = only(own, "stack")
    Path(own.url, record.folder, "counts", "c.0.0.0").write_bytes(b"no blosc at all")
    Path(own.url, only(own, "fit").folder, "covariance", "c.0.0").unlink()
    Path(own.url, only(own, "rows").folder, "zarr.json").write_text("{")
    Path(own.url, only(own, "flux-points").folder, "zarr.json").unlink()
    found = texts(validate(own.url))
    assert len(found) == 4
    assert f"rows/{only(own, 'rows').key} zarr.json: expected JSON, got something else." in found
    assert f"flux-points/{only(own, 'flux-points').key} zarr.json: expected an object, got none." in found
    assert any("is missing" in text for text in found)


@given(st.data())
def test_a_record_with_a_missing_or_wrong_field_is_found(spare, data):
    record = data.draw(st.sampled_from(spare.ls()))
    field = data.draw(st.sampled_from(sorted(documents.RECORD)))
    path = Path(spare.url, record.kind, record.key, "record.json")
    sound = path.read_bytes()
    document = json.loads(sound)
    if documents.RECORD[field].required and data.draw(st.booleans()):
        del document[field]
    else:
        document[field] = data.draw(st.sampled_from([None, True, 1.5, [7]]))
    path.write_text(json.dumps(document))
    try:
        found = texts(validate(path.parent))
    finally:
        path.write_bytes(sound)
    assert any(text.startswith(f"{record.kind}/{record.key} record.json {field}") for text in found), found


def _places(document, path=()):
    """Yield the path of everything in a document."""
    children = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in children:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from _places(value, (*path, key))


@given(st.data())
def test_a_group_with_any_replaced_value_gives_violations_and_no_exception(spare, data):
    record = data.draw(st.sampled_from(spare.ls()))
    path = Path(spare.url, record.folder, "zarr.json")
    sound = path.read_bytes()
    document = json.loads(sound)
    *above, last = data.draw(st.sampled_from(list(_places(document))))
    place = functools.reduce(lambda inside, key: inside[key], above, document)
    place[last] = data.draw(st.sampled_from([None, True, -1, 1.5, "x", [], [7], {}, {"a": [1]}]))
    path.write_text(json.dumps(document))
    try:
        found = validate(Path(spare.url, record.kind, record.key))
    finally:
        path.write_bytes(sound)
    assert found.products == 1
    assert all(text.startswith(f"{record.kind}/{record.key} ") for text in texts(found))


def test_validate_reads_no_events(own):
    record = only(own, "dl3")
    for name in ("ra", "time", "energy"):
        for chunk in Path(own.url, record.folder, "events", name).glob("c.*"):
            chunk.unlink()
    assert texts(validate(own.url)) == []


def test_an_index_beyond_the_names_raises(own):
    record = only(own, "stack")
    edited(own, f"{record.folder}/zarr.json", lambda document: document["attributes"].update(dataset_names=[]))
    # As in a store of xgamma 0.1.0, whose records say nothing of the metadata.
    edited(own, f"stack/{record.key}/record.json", lambda document: document.pop("metadata"))
    for read in (functools.partial(own.get, "stack"), functools.partial(own.open, "stack")):
        with pytest.raises(StoreError, match="dataset: expected numbers below 0 of its names"):
            read(record.key)


def test_the_texts_of_a_record_are_compared_with_its_product(own):
    record = only(own, "rows")

    def change(document):
        document["nbytes"] += 1
        document["texts"]["rows"].pop()
        document["digests"]["extra"] = "0" * 32

    edited(own, f"rows/{record.key}/record.json", change)
    found = " ".join(texts(validate(own.url)))
    assert "record.json nbytes: expected" in found
    assert "record.json digests: expected the groups ['']" in found
    edited(own, f"rows/{record.key}/record.json", lambda d: d.update(nbytes=record.nbytes, digests={"": "0" * 32}))
    (found,) = texts(validate(own.url))
    assert found.endswith("record.json texts rows: expected 3, one for each dataset, got 2.")


def test_documents_beside_the_products_are_compared(own):
    for path, field in (
        ("_names/crab.json", "kind"),
        ("_tags/first-light.json", "runs"),
        (next(Path(own.url, "_files").iterdir()).relative_to(own.url), "size"),
    ):
        edited(own, path, lambda document, field=field: document.pop(field))
    Path(own.url, "_names", "other.json").write_text("[]")
    found = sorted(texts(validate(own.url)))
    assert len(found) == 4
    assert "_names/crab.json kind: expected text, got nothing." in found
    assert "_names/other.json: expected JSON of a mapping, got something else." in found
    assert "_tags/first-light.json runs: expected mapping of mapping of text, got nothing." in found


def test_products_of_a_version_without_schema_are_found(own, groups):
    record = only(own, "fit")
    ds = groups["fit"][""].copy()
    ds.attrs = {name: value for name, value in ds.attrs.items() if not name.startswith("schema")}
    Path(own.url, "fit", record.key, "record.json").unlink()
    own.put("fit", record.key, {"": ds}, record.provenance, inputs=record.inputs, texts=record.texts)
    assert texts(validate(own.url))[0].endswith("attrs schema: expected 'xgamma DL5 fit', got nothing.")


# --- what a reader passes over, and what it refuses


def test_products_of_unspecified_kinds_are_skipped(own, groups):
    extra = groups["stack"][""].assign(colour=("dataset", [1.0], {"units": ""})).assign_attrs(mood="good")
    own.put("weather", "0" * 32, {"": xr.Dataset({"a": ("x", [1.0])})}, {})
    record = only(own, "stack")
    Path(own.url, "stack", record.key, "record.json").unlink()
    own.put("stack", record.key, {"": extra, "more": extra}, {}, inputs=record.inputs, texts=record.texts)
    edited(own, f"stack/{record.key}/record.json", lambda document: document.update(weather="rain"))
    Path(own.url, "_caches").mkdir()
    Path(own.url, "_caches", "a.json").write_text("{}")
    found = validate(own.url)
    assert texts(found) == []
    assert found.skipped == [
        f"weather/{'0' * 32}: products of the kind 'weather' are not part of this version of the format"
    ]


def test_attempts_without_a_record_are_skipped(own):
    record = only(own, "fit")
    Path(own.url, "fit", record.key, "record.json").unlink()
    found = validate(own.url)
    assert (texts(found), found.skipped) == ([], [f"fit/{record.key}: no record, so it is no product"])


def test_newer_versions_raise(own):
    record = only(own, "fit")
    edited(own, f"fit/{record.key}/record.json", lambda document: document.update(schema=2))
    assert texts(validate(own.url)) == [f"fit/{record.key} record.json schema: expected 1, got 2."]
    for read in (functools.partial(own.get, "fit"), functools.partial(own.open, "fit")):
        with pytest.raises(StoreError, match=r"has schema 2, this xgamma reads up to 1\. Install a newer xgamma"):
            read(record.key)
    with pytest.raises(StoreError, match="has schema 2"):
        xr.open_dataset(f"{own.url}/fit/{record.key}", engine=XgammaBackend)
    edited(own, "store.json", lambda document: document.update(schema=2))
    assert texts(validate(own.url)) == ["store.json schema: expected 1, got 2."]


def test_spectra_of_a_newer_version_raise(groups):
    newer = groups["stack"][""].assign_attrs(schema_version=2)
    with pytest.raises(DataError, match="Expected spectra of schema_version 1, got 2; install a newer xgamma"):
        Datasets.from_xarray(newer)


def test_arrays_of_other_codecs_raise(own):
    record = only(own, "stack")
    edited(own, f"{record.folder}/zarr.json", _node("counts", codecs=[{"name": "bytes"}]))
    with pytest.raises(StoreError, match="counts: expected the codecs bytes, blosc, got"):
        own.get("stack", record.key)


# --- places


def test_a_product_is_found_by_its_place_with_or_without_the_attempt(store):
    record = only(store, "stack")
    for url in (
        store.path("stack", record.key),
        f"{store.url}/stack/{record.key}/",
        f"file://{store.url}/stack/{record.key}",
    ):
        found = validate(url)
        assert (texts(found), found.products) == ([], 1)
    with pytest.raises(MissingInputError, match="no store, no product and no Zarr group"):
        validate(f"{store.url}/stack")
    with pytest.raises(MissingInputError, match="There is no folder"):
        validate(f"{store.url}/stack/{record.key[:8]}")


def test_an_attempt_that_is_not_published_raises(own):
    record = only(own, "stack")
    other = Path(shutil.copytree(Path(own.url, record.folder), Path(own.url, "stack", record.key, "0123456789ab")))
    for use in (validate, functools.partial(xr.open_dataset, engine=XgammaBackend)):
        with pytest.raises(StoreError, match=f"is not published: the product stack/{record.key} is the attempt"):
            use(str(other))


def test_spectra_in_a_file_are_checked(tiny_release, tmp_path, xgamma):
    analysis = whole(config_of(tiny_release, tmp_path / "store", "datasets: {stack: false}"))
    for name in ("datasets.zarr", "datasets.fits.gz", "datasets.yaml"):
        analysis.datasets.write(tmp_path / name)
        done = xgamma("validate", tmp_path / name)
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith(f"{tmp_path / name} is as the format says: ")
    edited(
        Store(tmp_path / "store"), tmp_path / "datasets.zarr" / "zarr.json", _attribute("exposure", "units", "cm2 s")
    )
    done = xgamma("validate", tmp_path / "datasets.zarr", "--json")
    assert done.code == 6
    assert done.document["violations"] == [
        {"where": "exposure", "expected": "attrs['units'] = 'm2 s'", "found": "'cm2 s'", "remedy": ""}
    ]


def test_spectra_with_several_binnings_in_one_file_are_checked(groups, tmp_path):
    ds = groups["stack"][""]
    write_zarr([ds, ds], tmp_path / "two.zarr", False)
    assert validate(tmp_path / "two.zarr").products == 2
    opened = xr.open_dataset(tmp_path / "two.zarr", engine=XgammaBackend, group="spectra-1")
    xr.testing.assert_identical(opened.load(), ds)
    write_zarr([groups["flux-points"][""]], tmp_path / "points.zarr", False)
    assert texts(validate(tmp_path / "points.zarr")) == []
    write_zarr([xr.Dataset({"a": ("x", [1.0])})], tmp_path / "what.zarr", False)
    with pytest.raises(DataError, match="no attribute 'schema'"):
        validate(tmp_path / "what.zarr")


def test_a_product_without_its_record_is_recognised_by_its_attributes(store, tmp_path):
    for record in store.ls():
        alone = Path(shutil.copytree(Path(store.url, record.folder), tmp_path / record.kind / record.key))
        found = validate(alone)
        assert (texts(found), found.products) == ([], 1)
    alone = tmp_path / "dl3" / only(store, "dl3").key
    edited(store, alone / "zarr.json", _attribute("events/ra", "units", "rad"))
    assert texts(validate(alone)) == ["events ra: expected attrs['units'] = 'deg', got 'rad'."]


def test_validate_prints_violations_with_their_paths(own, store, xgamma):
    assert xgamma("validate", store.url).out == f"{store.url} is as the format says: 8 products and 6 documents.\n"
    record = only(own, "stack")
    edited(own, f"{record.folder}/zarr.json", _attribute("livetime", "units", "h"))
    own.put("weather", "0" * 32, {"": xr.Dataset({"a": ("x", [1.0])})}, {})
    done = xgamma("validate", own.url)
    assert done.code == 6
    title, violation = done.out.splitlines()
    assert title == f"1 violation of the format in {own.url}, of 8 products and 6 documents:"
    assert violation == f"  stack/{record.key} livetime: expected attrs['units'] = 's', got 'h'."
    assert done.err.startswith("Passed over: weather/000")
    assert xgamma("validate", own.url, "--json").document["valid"] is False
    assert xgamma("validate", Path(own.url).parent).code == 3
    assert xgamma("validate", Path(own.url) / "nowhere").code == 3
    assert xgamma("validate").code == 2


def test_a_product_in_a_bucket_is_checked_and_opened(request, groups, store):
    url = request.getfixturevalue("s3").new_url()
    bucket = Store(url)
    record = only(store, "stack")
    bucket.put("stack", record.key, groups["stack"], {}, inputs=record.inputs, texts=record.texts)
    assert texts(validate(url)) == []
    assert texts(validate(bucket.path("stack", record.key))) == []
    opened = xr.open_dataset(f"{url}/stack/{record.key}", engine=XgammaBackend, chunks={})
    xr.testing.assert_identical(opened.compute(), groups["stack"][""])


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_given):
        pass


@pytest.fixture
def web(store):
    """The url at which a web server shows the store."""
    folder = Path(store.url)
    handler = functools.partial(_Silent, directory=str(folder.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{folder.name.replace(' ', '%20')}"
        server.shutdown()
        thread.join()


def test_a_product_on_the_web_is_checked_and_opened_by_its_key(web, groups, store):
    record = only(store, "rows")
    found = validate(f"{web}/rows/{record.key}")
    assert (texts(found), found.products) == ([], 1)
    opened = xr.open_dataset(f"{web}/rows/{record.key}", engine=XgammaBackend)
    xr.testing.assert_identical(opened.load(), groups["rows"][""])
    with pytest.raises(StoreError, match=r"cannot be listed.*Give one product: "):
        validate(web)


# --- the engine of xarray


def test_the_engine_opens_every_group_as_the_store_does(store):
    for record, group in every_group(store):
        opened = xr.open_dataset(store.path(record.kind, record.key), engine=XgammaBackend, group=group)
        xr.testing.assert_identical(opened.load(), store.get(record.kind, record.key, group))


def test_the_engine_reads_arrays_when_they_are_used(own):
    record = only(own, "dl3")
    opened = xr.open_dataset(f"{own.url}/dl3/{record.key}", engine=XgammaBackend, group="events", cache=False)
    shutil.rmtree(Path(own.url, record.folder, "events", "ra"))
    assert opened["dec"].values.size == opened.sizes["event"]
    with pytest.raises(StoreError, match="is missing"):
        opened["ra"].load()


def test_the_engine_gives_the_chunks_of_the_store(store, groups):
    record = only(store, "dl3")
    table = next(group for group in record.digests if group.startswith("irf/aeff"))
    opened = xr.open_dataset(store.path("dl3", record.key), engine=XgammaBackend, group=table, chunks={})
    assert opened["aeff"].chunksizes["offset"] == (1,) * opened.sizes["offset"]
    assert opened["aeff"].encoding["chunks"][1] == 1
    xr.testing.assert_identical(opened.compute(), groups["dl3"][table])
    xr.testing.assert_identical(pickle.loads(pickle.dumps(opened)).compute(), groups["dl3"][table])


def test_the_engine_opens_all_groups_as_a_tree(store, groups):
    record = only(store, "dl3")
    tree = xr.open_datatree(store.path("dl3", record.key), engine=XgammaBackend)
    for group, ds in groups["dl3"].items():
        xr.testing.assert_identical(tree[f"/{group}"].to_dataset(inherit=False).load(), ds)


def test_the_engine_leaves_variables_out(store):
    record = only(store, "stack")
    opened = xr.open_dataset(store.path("stack", record.key), engine=XgammaBackend, drop_variables=["edisp", "gti"])
    assert {"edisp", "gti"}.isdisjoint(opened.variables)


@pytest.mark.parametrize(
    ("place", "group", "error", "sentence"),
    [
        ("", "", InputError, "is a whole store: give one product of it"),
        ("stack/KEY", "evnts", UnknownNameError, "has no group 'evnts'"),
        ("dl3/KEY", "evnts", UnknownNameError, "Did you mean 'events'"),
        ("nowhere", "", MissingInputError, "There is no folder"),
        (7, "", ConfigTypeError, "expected the path or url of a product, got a int"),
    ],
)
def test_the_engine_raises_for_what_it_cannot_open(store, place, group, error, sentence):
    if isinstance(place, str):
        kind = place.partition("/")[0]
        place = f"{store.url}/{place.replace('KEY', only(store, kind).key if kind in KINDS else '')}"
    with pytest.raises(error, match=sentence):
        XgammaBackend().open_dataset(place, group=group)


def test_the_engine_guesses_products_on_a_disk_only(store, tmp_path):
    backend, record = XgammaBackend(), only(store, "stack")
    path = store.path("stack", record.key)
    assert all(backend.guess_can_open(place) for place in (path, Path(path).parent))
    others = (store.url, tmp_path, f"s3://bucket/stack/{record.key}", f"https://host/stack/{record.key}", 7, b"x")
    assert not any(backend.guess_can_open(place) for place in others)


OPEN = """
import sys
import xarray as xr
print(xr.backends.list_engines()["xgamma"].description)
by_name = xr.open_dataset(sys.argv[1], engine="xgamma")
assert by_name.identical(xr.open_dataset(sys.argv[1]))
print(by_name["dataset"].values.tolist())
"""


def test_an_installed_wheel_registers_the_engine(store, repository, tmp_path):
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=repository, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    path = store.path("stack", only(store, "stack").key)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", OPEN, path], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [XgammaBackend.description, "['stacked']"]


def test_the_entry_point_is_the_engine(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (engine,) = project["entry-points"]["xarray.backends"].values()
    assert engine == f"{XgammaBackend.__module__}:{XgammaBackend.__name__}"
