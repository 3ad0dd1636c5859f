"""Whole analyses in processes that run at once or are killed; every process here is a real one."""

import collections
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import xgamma
from releases import config_of, recipe, whole
from xgamma.store import Store, dataset_digest, digest

ANALYST = Path(__file__).with_name("analyst.py")
TESTS = ANALYST.parents[1]
SOURCE = Path(xgamma.__file__).parents[1]


def environment(**more):
    # One thread, because the analysts are forked.
    paths = os.pathsep.join([str(SOURCE), str(TESTS)])
    return {**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **more}


@pytest.fixture(scope="module")
def started():
    """Two processes that fork an analyst for each line that they are told, and the key that each of them computes."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [
        subprocess.Popen([sys.executable, ANALYST], env=environment(PYTHONHASHSEED=str(seed)), **pipes)
        for seed in (1, 2)
    ]
    keys = [heard(process) for process in processes]
    yield processes, keys
    for process in processes:
        process.communicate(timeout=30)
        assert process.returncode == 0


@pytest.fixture
def analysts(started):
    return started[0]


@pytest.fixture
def analyst_keys(started):
    return [key for _, key in started[1]]


def tell(process, *words):
    print(*words, file=process.stdin, flush=True)


def heard(process):
    return process.stdout.readline().split()


def ready(process, release, store):
    """Start an analyst and return its process id when it is about to work."""
    tell(process, release, store)
    word, number = heard(process)
    assert word == "ready"
    return int(number)


def finished(process):
    """Return whether the last analyst of a process came to its end, when it is gone, and how long that took."""
    words = heard(process)
    if words == ["ended"]:
        return None
    assert heard(process) == ["ended"]
    assert words[0] == "done"
    return float(words[1])


def digests(store):
    return {(record.kind, record.key): dict(record.digests) for record in store.ls()}


def digests_of_content(store):
    return {
        (record.kind, record.key): {
            group: dataset_digest(store.get(record.kind, record.key, group)) for group in record.digests
        }
        for record in store.ls()
    }


def attempts(store):
    kinds = [path for path in Path(store.url).iterdir() if path.is_dir() and not path.name.startswith("_")]
    return {path.relative_to(store.url).as_posix() for kind in kinds for path in kind.glob("*/*") if path.is_dir()}


@pytest.fixture
def undisturbed(tiny_release, tmp_path):
    """The digests of all products of an analysis that nobody disturbed."""
    whole(config_of(tiny_release, tmp_path / "undisturbed"))
    return digests(Store(tmp_path / "undisturbed"))


def test_kill_at_twenty_random_moments_leaves_products_whole_or_absent(tiny_release, tmp_path, analysts, undisturbed):
    ready(analysts[0], tiny_release, tmp_path / "window")
    tell(analysts[0], "go")
    window = finished(analysts[0])
    assert digests(Store(tmp_path / "window")) == undisturbed

    moments = random.Random(20)
    seen = collections.Counter()
    torn = 0
    # Two by turns, so that one gets ready while the products of the other are looked at.
    killed = [(analysts[number % 2], tmp_path / str(number)) for number in range(20)]
    numbers = [ready(process, tiny_release, store) for process, store in killed[:2]]
    for number, (process, place) in enumerate(killed):
        tell(process, "go")
        time.sleep(moments.uniform(0.0, 0.95) * window)
        os.kill(numbers[number], signal.SIGKILL)
        finished(process)
        if number + 2 < len(killed):
            tell(process, tiny_release, killed[number + 2][1])

        store = Store(place)
        left = digests(store)
        assert digests_of_content(store) == left
        assert left.items() <= undisturbed.items()
        seen[len(left)] += 1
        torn += len(attempts(store)) > len(left)
        whole(config_of(tiny_release, place))
        assert digests_of_content(store) == digests(store) == undisturbed
        if number + 2 < len(killed):
            numbers.append(int(heard(process)[1]))
    print(f"killed with so many of 5 products: {dict(sorted(seen.items()))}, {torn} in the middle of one")
    assert sum(seen[number] for number in range(5)) >= 5, "most kills came too late to test anything"


def test_two_processes_with_the_same_config_at_once_both_end_well(tiny_release, tmp_path, analysts, undisturbed):
    for attempt in range(3):
        store = tmp_path / f"shared{attempt}"
        for process in analysts:
            tell(process, tiny_release, store)
        for process in analysts:
            assert heard(process)[0] == "ready"
        for process in analysts:
            tell(process, "go")
        assert all(finished(process) for process in analysts)
        assert digests_of_content(Store(store)) == digests(Store(store)) == undisturbed
        assert attempts(Store(store)) == {record.folder for record in Store(store).ls()}


def test_a_recipe_has_the_same_key_in_a_new_process(analyst_keys):
    reordered = recipe(safe_masks=tuple(reversed(recipe().safe_masks)))
    assert analyst_keys == [digest(recipe().document())] * 2
    assert digest(reordered.document()) == analyst_keys[0]
