"""Analyses one after the other in one process leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from releases import config_of, until_datasets
from xgamma.analysis.preview import preview
from xgamma.store import Store


def threads() -> set[str]:
    return {task.name for task in Path("/proc/self/task").iterdir()}


def files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def memory() -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the threads of a process are listed by Linux only")
def test_threads_open_files_and_memory_do_not_grow_with_the_number_of_analyses(tiny_release, tmp_path):
    for number in range(24):
        config = config_of(tiny_release, tmp_path / str(number) / "store")
        preview(config)
        until_datasets(config)
        if number == 3:
            before, opened, used = threads(), files(), memory()
    assert len(threads() - before) <= 2
    assert files() <= opened
    assert memory() - used < 10


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the threads of a process are listed by Linux only")
def test_a_store_in_memory_needs_no_thread_for_an_object(nights_part):
    before = threads()
    for key in ("a", "b", "c", "d"):
        Store(f"memory://{key}").put("dl3", key * 64, nights_part.groups, {})
    assert len(threads() - before) <= 4
