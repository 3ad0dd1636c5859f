"""Warnings are collected where something is made: by its threads and blocks, and by nobody else."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from xgamma.execute import run_blocks
from xgamma.warned import collected_warnings, for_threads, taken_warnings

LOG = logging.getLogger("xgamma.estimate")


@pytest.fixture(autouse=True)
def _listens(caplog):
    caplog.set_level(logging.WARNING, "xgamma")


def warn(text):
    LOG.warning("%s", text)
    return text


def test_two_threads_that_make_something_at_once_keep_their_own():
    barrier, taken = threading.Barrier(2, timeout=30), {}

    def make(name):
        with collected_warnings():
            barrier.wait()
            warn(f"of {name}")
            barrier.wait()
            taken[name] = taken_warnings()

    threads = [threading.Thread(target=make, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken == {"one": ["of one"], "two": ["of two"]}


def test_nothing_is_collected_for_those_who_do_not_collect():
    warn("before")
    assert taken_warnings() == []
    with collected_warnings():
        assert taken_warnings() == []


@pytest.mark.parametrize("count", [1, 5])
def test_blocks_on_threads_give_back_what_they_log_in_their_order(count, caplog):
    texts = [f"block {number}" for number in range(count)]
    with collected_warnings():
        warn("before")
        assert run_blocks(warn, [(text,) for text in texts], "x") == texts
        assert taken_warnings() == ["before", *texts]
        assert taken_warnings() == []
    assert [record.getMessage() for record in caplog.records][:1] == ["before"]
    assert len(caplog.records) == 1 + count


def test_what_a_product_of_a_block_took_is_not_given_to_the_next_one():
    def block(number):
        warn(f"first {number}")
        taken = taken_warnings()
        warn(f"second {number}")
        return taken

    with collected_warnings() as collected:
        warn("before")
        assert run_blocks(block, [(0,), (1,)], "x") == [["first 0"], ["first 1"]]
        assert taken_warnings() == ["before", "second 0", "second 1"]
    every = ["before", "first 0", "second 0", "first 1", "second 1"]
    assert [warned.text for warned in collected.everything] == every


def test_threads_of_an_executor_may_collect_for_whoever_made_it():
    with collected_warnings():
        with ThreadPoolExecutor(2, **for_threads()) as pool:
            list(pool.map(warn, ["one", "two"]))
        with ThreadPoolExecutor(2) as pool:
            pool.submit(warn, "of others").result()
        assert sorted(taken_warnings()) == ["one", "two"]


def test_the_library_has_no_handler_when_all_have_ended():
    logger = logging.getLogger("xgamma")
    before = list(logger.handlers)
    with collected_warnings():
        with collected_warnings():
            warn("inside")
        assert len(logger.handlers) == len(before) + 1
        assert taken_warnings() == []
    assert logger.handlers == before


def test_an_answer_without_anybody_who_collects_is_its_result():
    with collected_warnings():
        pass
    assert run_blocks(warn, [("alone",)], "x") == ["alone"]
