"""Analyses one after the other in one process leave nothing behind."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from memory import held, resident
from releases import config_of, map_config_of, until_datasets, whole
from xgamma.analysis import Analysis
from xgamma.analysis.preview import preview
from xgamma.analysis.reported import report_of
from xgamma.analysis.run import run
from xgamma.store import Store

CREATED = "2026-11-30T00:00:00"
MAPS = "datasets: {background: {method: fov_background}}\nexcess_map: {correlation_radius: 0.4 deg}"


def threads() -> set[str]:
    return {task.name for task in Path("/proc/self/task").iterdir()}


def files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the threads of a process are listed by Linux only")
def test_threads_open_files_and_memory_do_not_grow_with_the_number_of_analyses(tiny_release, tmp_path):
    for number in range(24):
        config = config_of(tiny_release, tmp_path / str(number) / "store")
        preview(config)
        until_datasets(config)
        if number == 3:
            before, opened, used = threads(), files(), resident()
    assert len(threads() - before) <= 2
    assert files() <= opened
    assert resident() - used < 10


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the threads of a process are listed by Linux only")
def test_a_store_in_memory_needs_no_thread_for_an_object(nights_part):
    before = threads()
    for key in ("a", "b", "c", "d"):
        Store(f"memory://{key}").put("dl3", key * 64, nights_part.groups, {})
    assert len(threads() - before) <= 4


def analysed(release: Path, folder: Path) -> None:
    """Make spectra and maps with their pictures and a report."""
    run(config_of(release, folder / "spectra"))
    analysis = whole(config_of(release, "memory://"))
    assert "<html" in report_of(analysis.config, analysis.results, (), CREATED)
    maps: Analysis = until_datasets(map_config_of(release, folder / "maps", MAPS))
    maps.get_excess_map()
    assert "<html" in report_of(maps.config, maps.results, (), CREATED)


@pytest.mark.long
@pytest.mark.skipif(held() is None, reason="malloc does not say what it holds")
def test_maps_pictures_and_reports_leave_no_array_and_no_figure(tiny_release, tmp_path):
    found = []
    for number in range(5):
        analysed(tiny_release, tmp_path / str(number))
        gc.collect()
        found.append(held())
    # What is imported and compiled once is in the first two.
    assert found[-1] - found[1] < 1.0, found
    assert [each for each in gc.get_objects() if isinstance(each, Figure)] == []
