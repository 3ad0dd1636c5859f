"""Which folders hold the index of a release."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

HDU_INDICES = ("hdu-index.fits.gz", "hdu-index.fits")
FOLDERS_SHOWN = 5
# A folder that is named by mistake may hold all files of a machine.
_DEPTHS = ("", "*/", "*/*/")


def index_folders(folder: Path) -> list[str]:
    """Return the folders that hold an index, relative to a folder: ``.`` for itself, and others up to two below."""
    found = {file.parent for depth in _DEPTHS for name in HDU_INDICES for file in folder.glob(f"{depth}{name}")}
    return sorted(each.relative_to(folder).as_posix() for each in found)


def folder_of_index(folder: str) -> str:
    """Return the only folder below that has an index, where the folder itself has none; else the folder."""
    found = index_folders(Path(folder))
    return f"{folder}/{found[0]}" if len(found) == 1 and found != ["."] else folder


def index_is_below(folder: object, below: Sequence[str]) -> str:
    """Return what is said of a folder that has no index where folders below have one.

    >>> index_is_below("cta", ["index/gps"])
    'cta has no index of runs; there is one in index/gps. Give cta/index/gps.'
    """
    shown = below[:FOLDERS_SHOWN]
    more = f" and {len(below) - len(shown)} more" if len(below) > len(shown) else ""
    there, others = ("there is one in", "") if len(below) == 1 else ("there are some in", " or another of them")
    return f"{folder} has no index of runs; {there} {', '.join(shown)}{more}. Give {folder}/{shown[0]}{others}."
