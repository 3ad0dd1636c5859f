"""What is logged as a warning while a product is made stands in its record, and decides nothing."""

import logging

import pytest
import xarray as xr

from xgamma.store import Store
from xgamma.store.said import warnings_of
from xgamma.warned import collected_warnings

CONTENT = {"": xr.Dataset({"value": ("n", [1.0])})}


@pytest.fixture(autouse=True)
def _listens():
    logger = logging.getLogger("xgamma")
    before = logger.level
    logger.setLevel(logging.WARNING)
    yield
    logger.setLevel(before)


def test_a_record_has_the_warnings_since_the_product_before(tmp_path):
    store, log = Store(tmp_path), logging.getLogger("xgamma.estimate")
    log.warning("Before.")
    with collected_warnings():
        log.warning("The %s.", "first")
        log.warning("The %s.", "first")
        log.info("No warning.")
        logging.getLogger("other").warning("Of others.")
        first = store.put("dl4", "0" * 32, CONTENT, {"made": "by hand"})
        second = store.put("dl4", "1" * 32, CONTENT, {})
        log.warning("The third.")
        third = store.put("dl4", "2" * 32, CONTENT, {})
    assert [warnings_of(store.record(each.kind, each.key)) for each in (first, second, third)] == [
        ["The first."], [], ["The third."],
    ]  # fmt: skip
    assert first.provenance["made"] == "by hand"
    assert "warnings" not in second.provenance
    assert first.digests == second.digests


def test_collecting_ends_with_an_error_and_is_heard_where_nobody_listens(monkeypatch):
    logger, heard = logging.getLogger("xgamma"), []
    last = logging.Handler()
    last.emit = heard.append
    monkeypatch.setattr(logging, "lastResort", last)
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "handlers", [])
    try:
        with collected_warnings():
            logger.warning("Heard.")
            raise KeyError
    except KeyError:
        pass
    assert ([record.getMessage() for record in heard], logger.handlers) == (["Heard."], [])
