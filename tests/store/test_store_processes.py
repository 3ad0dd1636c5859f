"""Races and failed writes in one process; those of several processes are in ``tests/survival``."""

import pytest

from store.written import key, product
from survival.stage import attempts, attempts_in
from xgamma.store import Store


@pytest.mark.parametrize("kind", ["disk", "s3"])
def test_the_loser_of_a_race_deletes_its_attempt_and_returns_the_published_record(kind, new_place):
    winner = Store(new_place(kind))

    class Late(Store):
        def _find(self, kind, key_):
            """Not see the winner before writing, and let it publish meanwhile."""
            if not winner.has(kind, key_):
                winner.put(kind, key_, product(1), {})
                return None
            return super()._find(kind, key_)

    record = Late(winner.url).put("dl4", key(1), product(1), {})
    assert record == winner.record("dl4", key(1))
    assert attempts_in(winner) == {record.folder}


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    store = Store(tmp_path)
    monkeypatch.setattr("xgamma.store.chunks._encoded", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store.put("dl4", key(1), product(1), {})
    assert not store.has("dl4", key(1))
    assert attempts(tmp_path) == {}
