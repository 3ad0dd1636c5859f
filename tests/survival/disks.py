"""Disks of a test: small ones, and ones that can only be read."""

import contextlib
import shutil
import subprocess

import pytest


def _done(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


@contextlib.contextmanager
def mounted(folder, size="64m"):
    """Mount a disk in memory on a folder; a test is skipped where that is not allowed."""
    folder.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("no disk of its own: there is no mount")
    done = _done("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    if done.returncode:
        pytest.skip(f"no disk of its own: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        _done("umount", "-l", str(folder))


def set_read_only(folder):
    done = _done("mount", "-o", "remount,ro", str(folder))
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def filled(folder, free):
    """Leave so many bytes of a disk, rounded up to its blocks."""
    ballast = folder / "ballast"
    block = bytes(4096)
    left = shutil.disk_usage(folder).free - free
    with ballast.open("wb") as file:
        for _ in range(left // len(block)):
            file.write(block)
    try:
        yield
    finally:
        ballast.unlink()
