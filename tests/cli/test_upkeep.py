"""Upkeep of a store by verbs: verify finds wrong values, gc and compact lose no product, tags stay valid."""

import json
import shutil

import numpy as np
import pytest

from releases import config_of, map_config_of
from xgamma.analysis.run import run
from xgamma.reduce import Recipe, recipe
from xgamma.store import Store, digest
from xgamma.upkeep import verify as verification
from xgamma.upkeep.recompute import DAMAGED_RUN, EXCLUSION, NO_RUN, OTHER_VERSION, UNKNOWN_METHOD

ONE_NIGHT, OTHER_NIGHT = "observations: {obs_ids: [1, 2]}", "observations: {obs_ids: [3]}"


@pytest.fixture(scope="module")
def finished(tiny_release, tmp_path_factory):
    """A store with all of one configuration: a part of three runs, rows, their stack, fit, points and pictures."""
    folder = tmp_path_factory.mktemp("finished")
    run(config_of(tiny_release, folder / "store"))
    return folder / "store"


@pytest.fixture
def store(finished, tmp_path):
    """A copy of it that a test may change."""
    return Store(shutil.copytree(finished, tmp_path / "store"))


@pytest.fixture(scope="module")
def two_nights(tiny_release, tmp_path_factory):
    """A store of which two nights were ingested and reduced one after the other."""
    folder = tmp_path_factory.mktemp("nights")
    for night in (ONE_NIGHT, OTHER_NIGHT):
        run(config_of(tiny_release, folder / "store", night), until="datasets")
    return folder / "store"


@pytest.fixture
def nights(two_nights, tmp_path):
    """A copy of it that a test may change."""
    return Store(shutil.copytree(two_nights, tmp_path / "nights"))


def record_path(store, kind):
    (record,) = store.ls(kind)
    return store._backend.folder / kind / record.key / "record.json"


def republish(store, kind, change):
    """Put a changed product in the place of a right one, as a defect or a forger would: all digests hold."""
    (record,) = store.ls(kind)
    groups = {group: store.get(kind, record.key, group) for group in record.digests}
    groups[""] = change(groups[""].copy(deep=True))
    record_path(store, kind).unlink()
    store.put(kind, record.key, groups, record.provenance, inputs=record.inputs, texts=record.texts)


def edit_record(store, kind, change):
    path = record_path(store, kind)
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def faults(xgamma, store, *words, code=6):
    done = xgamma("verify", store.url, "--json", *words)
    assert done.code == code
    return [(fault["where"].partition("/")[0], fault["what"], fault["message"]) for fault in done.document["faults"]]


# --- verify


def test_verify_reports_a_sound_store(xgamma, finished):
    done = xgamma("verify", finished, "--sample", 5)
    assert (done.code, done.err) == (0, "")
    title, products, ledgers, rows = done.out.splitlines()
    assert title == f"{finished} is sound:"
    assert products.startswith("  products  8, ")
    assert ledgers == "  ledgers   4 compared with the events read"
    assert rows == "  rows      3 reduced again, of 3"


def test_verify_as_json(xgamma, finished):
    document = xgamma("verify", finished, "--sample", 2, "--json").document
    assert document["sound"]
    assert document["faults"] == document["attempts_without_record"] == []
    assert document["recomputed"] == {"compared": 2, "not_possible": {}}
    assert document["ledgers"] == {"compared": 4, "not_compared": {}}


def test_verify_names_what_is_wrong_and_what_to_do(xgamma, store):
    (record,) = store.ls("fit")
    next((store._backend.folder / record.folder / "covariance").glob("c.*")).unlink()
    done = xgamma("verify", store.url)
    assert done.code == 6
    assert done.out.startswith(f"1 fault in {store.url}\n")
    assert f"\nfit/{record.key}  unreadable\n  the root group cannot be read: " in done.out
    assert f"Delete {store.url}/fit/{record.key}/record.json and the next run computes it again" in done.out


def test_the_remedy_that_verify_names_repairs_the_store(xgamma, store, tiny_release):
    republish(store, "rows", lambda ds: ds.assign(ledger=ds["ledger"] + 1))
    assert faults(xgamma, store)
    record_path(store, "rows").unlink()
    assert faults(xgamma, store, code=0) == []
    run(config_of(tiny_release, store.url))
    assert faults(xgamma, store, "--sample", "3", code=0) == []


def test_a_ledger_that_contradicts_the_events_is_found(xgamma, store):
    def change(ds):
        ds["ledger"].values[1, 0, 2] += 7
        return ds

    total = int(store.get("rows", store.ls("rows")[0].key)["ledger"].values[1].sum())
    republish(store, "rows", change)
    assert faults(xgamma, store) == [
        ("rows", "ledger", f"The ledger of row '2' adds up to {total + 7} events, its run has {total}."),
        ("stack", "ledger", faults(xgamma, store)[1][2]),
    ]


def test_a_row_that_differs_from_its_reduced_run_is_found(xgamma, store):
    def change(ds):
        ds["exposure"].values[2, 0, 5] *= 1 + 2e-3
        return ds

    republish(store, "rows", change)
    assert faults(xgamma, store, code=0) == []
    assert faults(xgamma, store, "--sample", "3") == [
        (
            "rows",
            "recomputed",
            "Row '3' differs from what its run gives now, in exposure (relative difference 2.0e-03).",
        )
    ]


def test_one_flipped_bit_of_a_row_is_found(xgamma, store):
    def change(ds):
        ds["exposure"].values[2, 0, 5] = np.nextafter(ds["exposure"].values[2, 0, 5], np.inf)
        return ds

    republish(store, "rows", change)
    assert [what for _, what, _ in faults(xgamma, store, "--sample", "3")] == ["recomputed"]


def test_a_row_that_cannot_be_reduced_any_more_is_named(xgamma, store, monkeypatch):
    def refuse(*_):
        raise ValueError("no such luck")

    monkeypatch.setattr("xgamma.upkeep.recompute.reduce_block", refuse)
    assert len(faults(xgamma, store, "--sample", "2")) == 2


def test_spectra_that_break_the_schema_are_found(xgamma, store):
    republish(store, "stack", lambda ds: ds.assign(exposure=ds["exposure"].assign_attrs(units="cm2 s")))
    assert faults(xgamma, store) == [("stack", "schema", "exposure: expected attrs['units'] = 'm2 s', got 'cm2 s'.")]


@pytest.mark.some_long(3)
@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("rows", lambda d: d["texts"]["rows"].reverse(), "The rows that the record names are not those of its key."),
        ("rows", lambda d: d["texts"].update(recipe="0" * 32), "The recipe in the record is not the one"),
        ("rows", lambda d: d["provenance"]["recipe"].update(offset_max=9.0), "The recipe in the record is not the one"),
        ("rows", lambda d: d["texts"].pop("rows"), "The record does not fit what the product holds: KeyError: 'rows'."),
        ("dl3", lambda d: d["texts"]["runs"].reverse(), "The runs that the record names are not those of the table"),
        ("dl3", lambda d: d["texts"]["runs"][0].update(run_key="0" * 32), "The key is not that of the runs"),
    ],
)
def test_an_edited_record_is_found(xgamma, store, kind, change, message):
    edit_record(store, kind, change)
    (found, *_) = faults(xgamma, store)
    assert found[:2] == (kind, "record")
    assert found[2].startswith(message)


def test_rows_without_their_runs_are_counted_as_not_compared(xgamma, store):
    record_path(store, "dl3").unlink()
    done = xgamma("verify", store.url, "--sample", 2, "--json")
    assert done.code == 0
    assert done.document["recomputed"] == {"compared": 0, "not_possible": {NO_RUN: 3}}
    assert done.document["ledgers"] == {"compared": 1, "not_compared": {NO_RUN: 3}}
    assert len(done.document["attempts_without_record"]) == 1
    done = xgamma("verify", store.url)
    assert "  left over  1 attempt without a record\n" in done.out
    assert f"xgamma gc {store.url} deletes it after a day" in done.err


def test_rows_of_a_damaged_part_are_not_reduced_again(xgamma, store):
    (record,) = store.ls("dl3")
    (store._backend.folder / record.folder / "events" / "energy" / "c.0").unlink()
    done = xgamma("verify", store.url, "--sample", 2, "--json")
    assert [fault["where"] for fault in done.document["faults"]] == [f"dl3/{record.key}"]
    assert done.document["recomputed"] == {"compared": 0, "not_possible": {DAMAGED_RUN: 3}}


def test_a_stack_without_its_rows_is_counted(xgamma, store):
    record_path(store, "rows").unlink()
    done = xgamma("verify", store.url, "--json")
    assert done.document["ledgers"]["not_compared"] == {verification.NO_ROWS: 1}


@pytest.mark.some_long(3)
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda recipe: recipe.update(exclusion="0" * 32), EXCLUSION),
        (lambda recipe: recipe.update(version=99), OTHER_VERSION),
        (lambda recipe: recipe["safe_masks"].update({"own-method": [1, {}]}), UNKNOWN_METHOD),
        (lambda recipe: recipe.pop("energy"), OTHER_VERSION),
    ],
)
def test_a_recipe_that_cannot_be_rebuilt_is_counted_with_the_reason(xgamma, store, change, reason):
    (record,) = store.ls("rows")
    (run_keys,) = [[run["run_key"] for run in part.texts["runs"]] for part in store.ls("dl3")]
    rows = store.get("rows", record.key)
    recipe = json.loads(json.dumps(record.provenance["recipe"]))
    change(recipe)
    bounds = rows["interval"].values.tolist()
    keys = [digest([digest(recipe), key, *map(repr, bound)]) for key, bound in zip(run_keys, bounds, strict=True)]
    texts = {"recipe": digest(recipe), "rows": keys}
    store.put("rows", digest(keys), {"": rows}, {"recipe": recipe}, texts=texts)
    done = xgamma("verify", store.url, "--sample", 9, "--json")
    assert done.code == 0
    assert done.document["recomputed"] == {"compared": 3, "not_possible": {reason: 3}}


def test_a_recipe_equals_the_one_read_from_its_document(finished):
    (record,) = Store(finished).ls("rows")
    document = record.provenance["recipe"]
    assert Recipe.from_document(document).key == record.texts["recipe"]
    assert document["version"] == recipe.STEP_VERSION


@pytest.mark.parametrize("verb", ["verify", "gc", "compact", "tag"])
def test_a_store_that_is_not_there_is_not_made(xgamma, tmp_path, verb):
    done = xgamma(verb, tmp_path / "no")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"Error: There is no store at {tmp_path / 'no'}.")
    assert not (tmp_path / "no").exists()


# --- gc and compact


def test_gc_names_what_it_deletes_and_leaves_products(xgamma, store):
    folder = store.ls("fit")[0].folder
    record_path(store, "fit").unlink()
    assert xgamma("gc", store.url) == (0, "", "0 attempts deleted.\n")
    assert xgamma("gc", store.url, "--older-than", 0) == (0, f"{folder}\n", "1 attempt deleted.\n")
    assert xgamma("gc", store.url, "--json").document == []
    assert faults(xgamma, store, "--sample", "3", code=0) == []


def test_compact_merges_nights_and_what_it_merged_is_sound(xgamma, nights):
    url = nights.url
    done = xgamma("compact", url)
    assert done.code == 0
    assert [line.split("/")[0] for line in done.out.splitlines()] == ["dl3", "rows"]
    assert "2 parts merged" in done.out
    assert done.err == f"Next: xgamma gc {url}, a day later\n"
    assert faults(xgamma, nights, "--sample", "3", code=0) == []
    document = xgamma("verify", url, "--sample", 3, "--json").document
    assert document["recomputed"] == {"compared": 3, "not_possible": {}}
    assert document["attempts_without_record"] == []
    assert xgamma("compact", url) == (0, "", "There is nothing to merge.\n")
    assert len(xgamma("gc", url, "--older-than", 0, "--json").document) == 4
    assert faults(xgamma, nights, "--sample", "3", code=0) == []


# --- tags


BROKEN = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:40]),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "of a newer layout": lambda path: path.write_text('{"schema": 2}'),
}


@pytest.mark.some_long(3)
@pytest.mark.parametrize("how", BROKEN)
def test_a_damaged_record_is_named_and_the_others_are_listed_and_merged(xgamma, nights, how, caplog):
    broken = nights.ls("stack")[0]
    path = nights._backend.folder / "stack" / broken.key / "record.json"
    BROKEN[how](path)
    listed = xgamma("ls", nights.url)
    assert listed.code == 6
    assert listed.out.count("\n") == len(nights.listing().records) + 4
    assert f"stack/{broken.key}/record.json" in listed.err
    merged = xgamma("compact", nights.url)
    assert merged.code == 6
    assert merged.out.count("2 parts merged") == 2
    deleted = xgamma("gc", nights.url, "--older-than", "0")
    assert deleted.code == 6
    assert broken.attempt not in deleted.out
    assert (nights._backend.folder / broken.folder / "zarr.json").exists()
    assert f"Nothing of stack/{broken.key} was touched." in caplog.text


def test_a_tag_is_made_listed_and_replaced_only_on_request(xgamma, store):
    assert xgamma("tag", store.url).err == f"There is no tag. Next: xgamma tag {store.url} NAME\n"
    done = xgamma("tag", store.url, "paper")
    assert done.code == 0
    assert "3 runs" in done.out
    assert "3 products" in done.out
    content = xgamma("tag", store.url, "--json").document["paper"]
    assert list(content["runs"]["tiny"]) == ["1", "2", "3"]
    assert sorted(content["products"]) == ["fit", "flux-points", "stack"]
    done = xgamma("tag", store.url, "paper")
    assert done.code == 2
    assert "There is a tag 'paper' already." in done.err
    assert xgamma("tag", store.url, "paper", "--overwrite").code == 0
    wrong = xgamma("tag", store.url, "a/b")
    assert wrong.code == 2
    assert (
        "Expected a name of letters, digits, '.', '_' and '-' that starts with a letter or digit, got 'a/b'"
        in wrong.err
    )


def test_verify_names_what_a_tag_points_to_and_the_store_lacks(xgamma, store):
    xgamma("tag", store.url, "paper")
    assert faults(xgamma, store, code=0) == []
    key = store.ls("fit")[0].key
    record_path(store, "fit").unlink()
    record_path(store, "dl3").unlink()
    assert faults(xgamma, store) == [
        ("_tags", "label", f"It points to fit/{key}, which the store does not hold."),
        ("_tags", "label", "Of 3 runs the store does not hold the version that was tagged: 1, 2, 3."),
    ]


def test_a_tag_stays_valid_when_parts_are_merged(xgamma, nights):
    xgamma("tag", nights.url, "paper")
    xgamma("compact", nights.url)
    xgamma("gc", nights.url, "--older-than", 0)
    assert faults(xgamma, nights, code=0) == []


def test_rows_of_maps_are_reduced_again_bit_for_bit(xgamma, tiny_release, tmp_path):
    fov = "datasets: {background: {method: fov_background}}"
    map_config_of(tiny_release, tmp_path / "store", fov).write(tmp_path / "maps.yaml")
    assert xgamma("run", tmp_path / "maps.yaml").code == 0
    verified = xgamma("verify", "--sample", "3", tmp_path / "store")
    assert (verified.code, verified.err) == (0, "")
    assert "3 reduced again, of 3" in verified.out
    for place in ("store", "datasets.zarr", "excess-map.fits.gz"):
        assert xgamma("validate", tmp_path / place).code == 0
