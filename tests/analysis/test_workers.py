"""Ingest, reduction and stacks by several processes end with the products of one."""

from __future__ import annotations

import logging
import shutil

import pytest

import faults
from releases import config_of, until_datasets
from xgamma.execute import Workers, run_blocks, shared_workers
from xgamma.store import Store
from xgamma.store.said import warnings_of

BY_NIGHT = "datasets: {stack_by: night}"
MAPS = """
datasets:
    type: 3d
    on_region: {frame: null, lon: null, lat: null, radius: null}
    background: {method: fov_background}
    safe_mask: {methods: [offset-max], parameters: {offset_max: 1 deg}}
    geom:
        wcs:
            skydir: {frame: icrs, lon: 83.633 deg, lat: 22.014 deg}
            binsize: 0.1 deg
            width: {width: 3 deg, height: 2 deg}
        selection: {offset_max: 1 deg}
models: null
"""


def digests(url):
    return {(record.kind, record.key): dict(record.digests) for record in Store(url).ls()}


def warnings(url):
    return {(record.kind, record.key): warnings_of(record) for record in Store(url).ls()}


@pytest.fixture
def many_small_blocks(monkeypatch):
    """Seven runs are four parts, seven blocks of a reduction and four blocks of a stack."""
    monkeypatch.setattr("xgamma.ingest.release.RUNS_PER_PART", 2)
    monkeypatch.setattr("xgamma.reduce.spectra.MAX_ROWS", 1)
    monkeypatch.setattr("xgamma.analysis.steps.stack.BLOCK_ROWS", 2)
    monkeypatch.setattr("xgamma.reduce.sums.LEAF", 2)


@pytest.fixture
def submitted(monkeypatch):
    """What was given to workers: the text of the progress bar, and how many blocks."""
    calls = []

    def recorded(function, arguments, text, workers, *names):
        if workers.n_jobs > 1:
            calls.append((text, len(arguments)))
        return run_blocks(function, arguments, text, workers, *names)

    for module in ("xgamma.ingest.release", "xgamma.reduce.spectra", "xgamma.analysis.steps.stack"):
        monkeypatch.setattr(f"{module}.run_blocks", recorded)
    return calls


def test_two_processes_make_the_products_of_one_with_its_warnings(
    nights_release, tmp_path, many_small_blocks, submitted, caplog
):
    caplog.set_level(logging.WARNING, "xgamma")
    release = shutil.copytree(nights_release, tmp_path / "nights")
    faults.truncate_file(release, 2)
    alone = config_of(release, tmp_path / "one", BY_NIGHT)
    until_datasets(alone)
    assert caplog.text.count("Run 2 is left out") == 1
    together = config_of(release, tmp_path / "two", BY_NIGHT, "general: {n_jobs: 2}")
    with shared_workers(Workers(2)):
        until_datasets(together)
    assert ("Reading runs", 4) in submitted
    assert ("Reducing", 2) in submitted
    assert ("Stacking", 3) in submitted
    assert digests(tmp_path / "two") == digests(tmp_path / "one")
    assert caplog.text.count("Run 2 is left out") == 2
    assert warnings(tmp_path / "two") == warnings(tmp_path / "one")
    [of_part] = [said for (kind, _), said in warnings(tmp_path / "one").items() if kind == "dl3" and said]
    assert of_part[0].startswith("Run 2 is left out: ")


@pytest.mark.long
def test_two_processes_make_the_maps_of_one(nights_release, tmp_path, many_small_blocks, submitted, monkeypatch):
    # Each product holds one or two windows.
    monkeypatch.setattr("xgamma.analysis.steps.rows.PRODUCT_BYTES", 150_000)
    alone = config_of(nights_release, tmp_path / "one", MAPS)
    until_datasets(alone)
    together = config_of(nights_release, tmp_path / "two", MAPS, "general: {n_jobs: 2}")
    until_datasets(together)
    assert ("Reducing", 2) in submitted
    # Threads of this process add the images, which are not sent.
    assert {count for text, count in submitted if text == "Stacking"} == {1}
    assert digests(tmp_path / "two") == digests(tmp_path / "one")
