"""Verbs that only read leave every byte and every time of change of a store as it was."""

import hashlib
import importlib.util
import os
import shutil
from pathlib import Path

import pytest

from releases import config_of
from xgamma.analysis.run import run
from xgamma.cli.main import VERBS
from xgamma.store import Store
from xgamma.upkeep.parts import tag

READERS = ["plan", "check", "ls", "show", "explain", "diff", "validate", "verify", "doctor"]


def contents(folder):
    """Return the digest of the bytes and the time of change of every file below a folder, and of every folder."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            path.stat().st_mtime_ns,
        )
        for path in [folder, *sorted(folder.rglob("*"))]
    }


def calls(verb, store, config, product, key):
    """Return the ways in which a verb is called on a store, without and with JSON."""
    against = [["verify", store, "--against", "gammapy"]] if importlib.util.find_spec("gammapy") else []
    runs = ["ls", store, "--runs"]
    ways = {
        "check": [["check", config]],
        "plan": [["plan", config]],
        "ls": [["ls", store], ["ls", store, "--kind", "rows"], runs, [*runs, "--tag", key]],
        "show": [["show", store, product], ["show", store, f"dl3/{Store(store).ls('dl3')[0].key}"]],
        "explain": [["explain", store, product], ["explain", store, f"dl3/{Store(store).ls('dl3')[0].key}"]],
        "diff": [["diff", store, store], ["diff", store, store, product], ["diff", config, config]],
        "doctor": [["doctor", store]],
        "validate": [["validate", store], ["validate", store / product]],
        "verify": [["verify", store], ["verify", store, "--sample", "2"], *against],
    }
    return [words + more for words in ways[verb] for more in ([], ["--json"])]


@pytest.fixture(scope="module")
def made(tiny_release, tmp_path_factory):
    """A release of which one file is broken and all are newer than the store of two nights, a failed run and a tag."""
    folder = tmp_path_factory.mktemp("made")
    release, store = folder / "tiny", folder / "out" / "store"
    shutil.copytree(tiny_release, release)
    run(config_of(release, store, "observations: {obs_ids: [1]}"), until="datasets")
    (release / "data" / "run_000003.fits").write_bytes(b"no event list")
    run(config_of(release, store))
    tag(Store(store), "first")
    for path in release.rglob("*.fits"):
        os.utime(path)
    return folder


@pytest.fixture
def stage(made, tmp_path):
    """The store, which a test may change; its release stays where it was."""
    return Path(shutil.copytree(made / "out", tmp_path / "out")) / "store"


def test_every_verb_that_claims_to_write_nothing_is_tested():
    assert {verb for verb, (_, text) in VERBS.items() if "writes nothing" in text} == set(READERS)


@pytest.mark.some_long(2)
@pytest.mark.parametrize("verb", READERS)
def test_a_verb_that_only_reads_leaves_the_store_as_it_was(stage, made, tmp_path, xgamma, verb):
    release = made / "tiny"
    log = f"general: {{memory_limit: 8 GB, log: {{level: debug, filename: '{stage.parent / 'xgamma.log'}'}}}}"
    configs = {
        "plain": config_of(release, stage),
        "with a limit": config_of(release, stage, "general: {memory_limit: 8 GB}"),
        "found": config_of(release, stage, log, "observations: {obs_ids: [1, 2]}"),
        "of the store": config_of(stage, stage, "general: {memory_limit: 8 GB}"),
        "of a store that is not there": config_of(release, stage.parent / "new", "general: {memory_limit: 8 GB}"),
    }
    path = tmp_path / "config.yaml"
    record = Store(stage).ls("stack")[0]
    before = contents(stage.parent)
    for name, config in configs.items() if verb in ("check", "plan") else [("plain", configs["plain"])]:
        config.write(path, overwrite=True)
        for words in calls(verb, stage, path, f"stack/{record.key}", "first"):
            ran = xgamma(*words)
            assert ran.code == 0, (name, words, ran.err)
            assert contents(stage.parent) == before, (name, words)
