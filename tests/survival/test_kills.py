"""``kill -9`` at random moments of what writes to a store: every product whole or absent, and the next run mends all.

``XGAMMA_KILLS`` is the number of kills of each operation. The length of an operation is measured first, and one half of
the moments are spread over all of it; the other half fall into the write of a product that is drawn. How many kills
left something half done is counted, and enough of them must have.
"""

import dataclasses
import os
import shutil
import statistics

import pytest

from releases import NIGHTS, release_of
from survival import actor
from survival.stage import abandoned, attempt_names, attempts, digests
from xgamma.ingest.stored import stored_runs
from xgamma.store import Store

# Processor time in s of the write of a small product.
WRITE = 0.006
# `make test-all` asks for more.
KILLS = int(os.environ.get("XGAMMA_KILLS", "8"))
RUNS = {obs_id for night in actor.NIGHTS for obs_id in night}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Three runs of three nights, short, because each is read hundreds of times."""
    plan = dataclasses.replace(NIGHTS, runs=len(RUNS), duration=40.0, intervals=1, runs_per_night=1)
    return release_of(plan, tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="module")
def states(release, tmp_path_factory):
    """The store before and after each operation, undisturbed, and the command that calls it."""
    folder = tmp_path_factory.mktemp("states")
    steps = {
        "ingest": (actor.ingest, release),
        "reduce": (actor.reduce, release),
        "compact": (actor.merge,),
        "gc": (actor.clean,),
    }
    found, before = {}, folder / "nothing"
    before.mkdir()
    for name, (verb, *given) in steps.items():
        after = shutil.copytree(before, folder / name)
        verb(*given, after)
        found[name] = before, after, [verb, *given]
        before = after
    whole = folder / "run"
    actor.analyse(release, whole)
    charted = shutil.copytree(folder / "ingest", folder / "maps")
    actor.chart(release, charted)
    return {
        **found,
        "run": (folder / "nothing", whole, [actor.analyse, release]),
        "maps": (folder / "ingest", charted, [actor.chart, release]),
    }


def trials(actors, number, template, folder, words):
    """Yield the places of trials, each with an actor that is ready; the next gets ready while one is looked at."""
    places = [shutil.copytree(template, folder / "0")]
    actors[0].enter(*words, places[0])
    for trial in range(number):
        following = actors[(trial + 1) % 2]
        if trial + 1 < number:
            places.append(shutil.copytree(template, folder / str(trial + 1)))
            following.call(*words, places[-1])
        yield actors[trial % 2], places[trial], following.wait_ready if trial + 1 < number else lambda: None
        shutil.rmtree(places[trial])


def window_of(actors, template, folder, words):
    """Return how long an operation takes that is not killed."""
    seconds = []
    for number in range(3):
        place = shutil.copytree(template, folder / f"window{number}")
        seconds.append(actors[0].act(*words, place)[0])
    return statistics.median(seconds)


def torn(name, place, template):
    """The attempts that a kill left half written or half deleted."""
    before, now = attempts(template), attempts(place)
    if name == "gc":
        return [path for path, count in now.items() if count < before[path]]
    return [path for path in abandoned(place) if path not in before]


class Begun:
    """Whether a new attempt has appeared in a folder, after as many others."""

    def __init__(self, folder, others):
        self._folder, self._others, self._before = folder, others, attempt_names(folder)

    def __call__(self):
        return len(attempt_names(self._folder) - self._before) > self._others


@pytest.mark.some_long(6)
@pytest.mark.parametrize("name", ["ingest", "maps", "compact", "reduce", "gc", "run"])
def test_a_kill_leaves_products_whole_or_absent_and_the_next_run_gives_the_same_results(
    name, actors, states, quick_folder, witness, moments, survival
):
    template, after, (verb, *given) = states[name]
    words = [verb.__name__, *given]
    first, last = digests(Store(template)), digests(Store(after))
    written = len(attempt_names(after) - attempt_names(template))
    window = window_of(actors, template, quick_folder, words)
    too_late = tears = 0
    with survival(f"`kill -9` during {name}") as tally:
        for number, (doomed, place, is_next_ready) in enumerate(trials(actors, KILLS, template, quick_folder, words)):
            moment, has_begun = moments.random() * window, lambda: True
            if number % 2 and written:
                # A write is short beside what is computed for it.
                moment, has_begun = moments.random() ** 2 * WRITE, Begun(place, moments.randrange(written))
            with tally.trial(f"kill {number}"):
                too_late += doomed.kill_after(moment, has_begun)
                is_next_ready()
                tears += bool(torn(name, place, template))
                store = Store(place)
                witness.assert_whole(store)
                assert digests(store).items() <= {**first, **last}.items()
                assert not first or set(stored_runs(store)) == RUNS

                verb(*given, place)
                assert digests(store) == last
                actor.clean(place)
                assert abandoned(place) == {}
                assert digests(store) == last
                witness.assert_whole(store)
        tally.remark = f"{KILLS - too_late} before the end, {tears} left an attempt half done"
    # Of a few kills more may come too late by chance.
    assert KILLS - too_late >= (KILLS * 2 // 3 if KILLS >= 25 else KILLS // 3), "most kills came too late"
    assert tears >= KILLS // 10, "too few kills hit a write, so little was tested"
