"""Damaged and hostile stores: every reader raises one error of xgamma, and ``verify`` names the fault."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
from pathlib import Path

import hostile
import pytest
import xarray as xr

from command_line import CommandLine
from releases import config_of
from xgamma.analysis.run import run
from xgamma.engine import XgammaBackend
from xgamma.errors import DamagedError, StoreError, XgammaError
from xgamma.store import Store, dataset_digest
from xgamma.upkeep.parts import tag
from xgamma.upkeep.verify import verify

SECONDS = 20
FUZZ_SECONDS = float(os.environ.get("XGAMMA_FUZZ_SECONDS", "1"))
CODES = {0, 2, 3, 4, 6}


@pytest.fixture(scope="module")
def whole(tiny_release, tmp_path_factory):
    """A store with a product of each kind, a name, a tag and a file that was read; it is not to be changed."""
    store = Store(tmp_path_factory.mktemp("hostile") / "store")
    run(config_of(tiny_release, store.url))
    (record,) = store.ls("stack")
    store.set_name("crab", "stack", record.key)
    tag(store, "first")
    store.remember("/data/1.fits", 1, 1, "0" * 64)
    return store


@pytest.fixture
def own(whole, tmp_path):
    return Path(shutil.copytree(whole.url, tmp_path / "store"))


@pytest.fixture(autouse=True)
def bounded():
    """End a reader that waits for ever."""

    def end(number, frame):
        raise AssertionError(f"a reader took more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(3 * SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def one_sentence(done):
    """Whether a command ended as one of ours: a code of ours, at most one error, no traceback."""
    assert done.code in CODES, done.err
    assert "Traceback" not in done.err
    assert "defect" not in done.err
    assert done.err.count("Error: ") == (done.code in (2, 3))
    return done


def numbers(store):
    """The digests of what a store gives by the engine of xarray, product by product; ``None`` where it is refused."""
    found = {}
    for kind, key in [(record.kind, record.key) for record in store.ls()]:
        found[kind] = engine_digest(store.url, kind, key)
    return found


def engine_digest(url, kind, key):
    try:
        return dataset_digest(xr.open_dataset(f"{url}/{kind}/{key}", engine=XgammaBackend).load())
    except XgammaError:
        return None


@pytest.mark.some_long(8)
@pytest.mark.parametrize("name", hostile.MUTATIONS)
def test_every_reader_raises_one_error_and_verify_names_the_fault(name, whole, own, tmp_path, capsys):
    xgamma = CommandLine(capsys)
    keys = {record.kind: record.key for record in whole.ls()}
    hostile.MUTATIONS[name](own)
    verified = one_sentence(xgamma("verify", own))
    if name in hostile.HARMLESS:
        assert verified.code == 0
    elif verified.code == 6:
        assert "is sound" not in verified.out
    else:
        # The mark of the store and its listing come before all products.
        assert (verified.code, name.startswith(("a mark", "a newer store", "a kind that leads back"))) == (3, True)
    # What was shown to be wrong is refused, or it has the numbers that it had.
    sound = numbers(whole)
    for kind, key in keys.items():
        found = engine_digest(own, kind, key)
        assert found in (None, sound[kind]) or f"{kind}/{key}" in verified.out
    commands = [
        *(["show", own, f"{kind}/{keys[kind]}"] for kind in ("stack", "dl3")),
        ["ls", own],
        ["ls", own, "--runs"],
        ["tag", own],
        ["validate", own],
        ["export", own, f"stack/{keys['stack']}", tmp_path / "stack.fits"],
        ["export", own, f"flux-points/{keys['flux-points']}", tmp_path / "points.fits"],
        ["retry", own],
        ["gc", own],
        ["compact", own],
    ]
    # Some of them for each, others for the next; with XGAMMA_ALL_READERS=1 all for each.
    number, count = list(hostile.MUTATIONS).index(name), len(commands)
    some = [commands[(3 * number + more) % count] for more in range(3)]
    for words in commands if "XGAMMA_ALL_READERS" in os.environ else some:
        one_sentence(xgamma(*words))


@pytest.mark.some_long(3)
@pytest.mark.parametrize("name", sorted(hostile.MUTATIONS)[::24])
def test_plan_and_run_print_one_error_or_give_the_numbers_of_a_sound_store(
    name, whole, own, tiny_release, tmp_path, capsys
):
    xgamma = CommandLine(capsys)
    config_of(tiny_release, own).write(tmp_path / "my.yaml")
    hostile.MUTATIONS[name](own)
    one_sentence(xgamma("plan", tmp_path / "my.yaml"))
    done = one_sentence(xgamma("run", tmp_path / "my.yaml", "--until", "datasets"))
    if done.code == 0:
        (record,) = whole.ls("stack")
        with contextlib.suppress(StoreError):
            assert Store(own).get("stack", record.key).identical(whole.get("stack", record.key))


# --- one changed attribute, which gives another number


CHANGED = {
    "scale_factor": ("counts", {"attributes": {"units": "", "scale_factor": 2.0}}),
    "add_offset": ("counts", {"attributes": {"units": "", "add_offset": 1.0}}),
    "_FillValue": ("counts", {"attributes": {"units": "", "_FillValue": 0.0}}),
    "units": ("exposure", {"attributes": {"units": "cm2 s"}}),
    "long_name": ("exposure", {"attributes": {"units": "m2 s", "long_name": "x"}}),
    "data_type": ("counts", {"data_type": "int64"}),
    "fill_value": ("counts", {"fill_value": 1.0}),
    "dimension_names": ("acceptance", {"dimension_names": ["dataset", "region", "energy_true"]}),
    "codecs": ("counts", {"codecs": [{"name": "bytes", "configuration": {"endian": "big"}}, {"name": "blosc"}]}),
    "the level of the codec": (
        "counts",
        {
            "codecs": [
                {"name": "bytes", "configuration": {"endian": "little"}},
                {"name": "blosc", "configuration": {"clevel": 9}},
            ]
        },
    ),
}


@pytest.mark.some_long(3)
@pytest.mark.parametrize("what", CHANGED)
def test_a_chunk_that_decodes_but_differs_from_its_record_is_refused_by_every_reader(what, own):
    (record,) = Store(own).ls("stack")
    assert len(record.metadata) == 64
    name, changes = CHANGED[what]
    hostile.node("stack", name, **changes)(own)
    store = Store(own)
    for read in (
        lambda: store.get("stack", record.key),
        lambda: store.open("stack", record.key),
        lambda: store.read_columns("stack", record.key, "", ["counts"], 0, 1),
        lambda: xr.open_dataset(f"{own}/stack/{record.key}", engine=XgammaBackend),
    ):
        with pytest.raises(DamagedError, match=r"zarr\.json is not (what its record says|of the format)"):
            read()
    assert next(fault.what for fault in verify(store).faults) == "metadata"


def test_products_of_an_older_version_are_read_and_verify_lists_what_it_did_not_compare(own, whole, capsys):
    for kind in ("dl3", "rows", "stack", "fit", "flux-points"):
        hostile.record(kind, metadata=...)(own)
    assert numbers(Store(own)) == numbers(whole)
    report = verify(Store(own))
    # The three pictures know theirs.
    assert (report.faults, report.metadata, sum(report.metadata_unknown.values())) == ([], 3, 5)
    done = CommandLine(capsys)("verify", own)
    assert done.code == 0
    assert "not compared 5: their records are of xgamma 0.1.0" in done.out


# --- any change at all


def _flipped(content, dice):
    place = dice.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << dice.randrange(8))]) + content[place + 1 :]


def _cut(content, dice):
    return content[: dice.randrange(len(content))]


def _doubled(content, dice):
    start = dice.randrange(len(content))
    return content[:start] + content[start : start + dice.randrange(1, 200)] + content[start:]


def _spliced(content, dice):
    words = [b"null", b"-1", b"[]", b"{}", b"1e999", b"NaN", b'"x"', b"true", b'"../.."', b"99999999999999999999"]
    tokens = list(hostile.TOKEN.finditer(content))
    if not tokens:
        return _flipped(content, dice)
    token = dice.choice(tokens)
    return content[: token.start()] + dice.choice(words) + content[token.end() :]


def test_any_change_in_a_store_raises_one_error_or_leaves_all_numbers_as_they_are(whole, own, tmp_path):
    dice = random.Random(7)
    sound = numbers(whole)
    files = sorted(path for path in own.rglob("*") if path.is_file() and path.name != "store.json")
    documents = [path for path in files if path.suffix == ".json"]
    keys = {record.kind: record.key for record in whole.ls()}
    began, tried = time.monotonic(), 0
    while time.monotonic() - began < FUZZ_SECONDS or tried < 20:
        path = dice.choice(documents if dice.random() < 0.6 else files)
        content = path.read_bytes()
        change = dice.choice([_flipped, _cut, _doubled, *([_spliced] * 3 if path in documents else [])])
        path.write_bytes(change(content, dice))
        signal.alarm(SECONDS)
        try:
            store = Store(own)
            found = {kind: engine_digest(own, kind, key) for kind, key in keys.items()}
            faults = verify(store).faults
            with contextlib.suppress(XgammaError):
                store.ls()
            changed = [kind for kind in keys if found[kind] not in (None, sound[kind])]
            refused = [kind for kind in keys if found[kind] is None]
            assert faults or not (changed or refused), (path, change.__name__, tried)
        finally:
            path.write_bytes(content)
        tried += 1
    assert numbers(Store(own)) == sound


# --- links


def test_gc_deletes_nothing_behind_a_link(own, tmp_path):
    mine = tmp_path / "mine" / "photos" / "holidays"
    mine.mkdir(parents=True)
    (mine / "beach.jpg").write_bytes(b"x")
    os.utime(mine / "beach.jpg", (0, 0))
    (own / "strange").symlink_to(tmp_path / "mine")
    (own / "stack" / "linked").symlink_to(tmp_path / "mine" / "photos")
    attempt = own / "stack" / "torn" / "0123456789ab"
    attempt.mkdir(parents=True)
    (attempt / "zarr.json").write_text("{}")
    (attempt / "counts").symlink_to(mine)
    os.utime(attempt / "zarr.json", (0, 0))
    assert Store(own).gc() == ["stack/torn/0123456789ab"]
    assert (mine / "beach.jpg").read_bytes() == b"x"
    assert not attempt.exists()


def test_a_kind_that_lies_on_another_disk_is_read(own, whole, tmp_path):
    shutil.move(own / "dl3", tmp_path / "elsewhere")
    (own / "dl3").symlink_to(tmp_path / "elsewhere")
    assert numbers(Store(own)) == numbers(whole)
    assert verify(Store(own)).faults == []
