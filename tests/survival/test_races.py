"""Writers at once: one product for each key, nothing lost, nothing left over; on a disk and on object storage."""

import pytest

from releases import config_of, recipe, whole
from store.written import key
from survival.actor import analyse, crowd, keys, race
from survival.stage import Actor, abandoned, attempts_in, digests
from xgamma.store import Store, digest

WRITERS, KEYS, TOGETHER = 4, 60, 30
CROWD = 32


@pytest.fixture
def more_writers(request):
    """Processes; after the place that they write to, whose environment they need."""
    found = []
    yield lambda number: found.extend(Actor() for _ in range(number)) or found
    for writer in found:
        writer.close()


def assert_one_product_each(store, numbers, witness):
    records = store.ls()
    assert {record.key for record in records} == {key(number) for number in numbers}
    assert attempts_in(store) == {record.folder for record in records}
    if not store._backend.is_remote:
        witness.assert_whole(store)


@pytest.mark.some_long(2)
@pytest.mark.parametrize("kind", ["disk", "s3"])
def test_four_processes_that_race_for_sixty_keys_end_with_one_product_each(
    kind, new_place, request, actors, witness, survival
):
    place = new_place(kind)
    known = actors if kind == "disk" else []
    writers = [*known, *request.getfixturevalue("more_writers")(WRITERS - len(known))]
    with survival(f"{WRITERS} processes race for {KEYS} keys, {kind}") as tally:
        for number, writer in enumerate(writers):
            writer.enter(race.__name__, place, TOGETHER, KEYS, number)
        for writer in writers:
            writer.go()
        answers = [writer.end() for writer in writers]
        store = Store(place)
        for number in range(KEYS):
            with tally.trial(f"key {number}"):
                standing = store.record("dl4", key(number)).attempt
                assert [answer[1][number] for answer in answers] == [standing] * WRITERS
        assert_one_product_each(store, range(KEYS), witness)


@pytest.mark.long
def test_many_processes_on_one_folder_lose_no_product(tmp_path, actors, witness, survival):
    with survival(f"{CROWD} processes on one folder") as tally:
        failed = actors[0].act(crowd.__name__, tmp_path, CROWD)[1]
        for member in range(CROWD):
            with tally.trial(f"process {member}"):
                assert Store(tmp_path).has("dl4", key(100 + member))
        assert failed == ["0"]
        assert_one_product_each(Store(tmp_path), [*range(10), *range(100, 100 + CROWD)], witness)


def test_the_same_request_has_the_same_key_in_every_process(actors):
    assert {tuple(actor.act(keys.__name__)[1]) for actor in actors} == {keys()}
    reordered = recipe(safe_masks=tuple(reversed(recipe().safe_masks)))
    assert digest(reordered.document()) == keys()[0]


@pytest.mark.long
def test_two_processes_with_the_same_configuration_at_once_both_succeed(
    tiny_release, quick_folder, actors, witness, survival
):
    whole(config_of(tiny_release, quick_folder / "undisturbed"))
    undisturbed = digests(Store(quick_folder / "undisturbed"))
    with survival("2 processes run the same configuration") as tally:
        for number in range(3):
            place = quick_folder / f"shared{number}"
            with tally.trial():
                for actor in actors:
                    actor.enter(analyse.__name__, tiny_release, place)
                for actor in actors:
                    actor.go()
                assert all(actor.end() for actor in actors)
                store = Store(place)
                witness.assert_whole(store)
                assert digests(store) == undisturbed
                assert abandoned(place) == {}
