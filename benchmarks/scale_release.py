"""A large FITS release for ``scale.py``: a few simulated runs, linked under many names, each with an id of its own.

``make_release(folder, runs, distinct)``. All packages can read it; files with one content are read as often as they
are named.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table, vstack

from xgamma.simulate import AnalyticResponse, Plan, simulate


def make_release(folder: Path, runs: int, distinct: int, rate: float | None = None) -> Path:
    """Return the folder of a release of gzipped runs, numbered from 1; ``rate`` is events of background per second."""
    response = AnalyticResponse() if rate is None else AnalyticResponse(background_rate=rate)
    angles = tuple(np.linspace(0, 360, distinct, endpoint=False))
    release = simulate(Plan(runs=distinct, wobble_angles=angles, response=response), folder)
    hdus, obs = (Table.read(release.path / f"{name}-index.fits.gz") for name in ("hdu", "obs"))
    copies = [range(first + 1, min(first + distinct, runs) + 1) for first in range(0, runs, distinct)]
    tables: dict[str, list[Table]] = {"HDU_INDEX": [], "OBS_INDEX": []}
    for numbers in copies:
        shift = numbers[0] - 1
        for name, table in (("HDU_INDEX", hdus), ("OBS_INDEX", obs)):
            moved = table[table["OBS_ID"] <= len(numbers)].copy()
            moved["OBS_ID"] = moved["OBS_ID"] + shift
            tables[name].append(moved)
        if shift:
            moved = tables["HDU_INDEX"][-1]
            names = [_linked(release.path, row, shift) for row in moved]
            moved["FILE_NAME"] = np.array(names)
    for name, parts in tables.items():
        whole = vstack(parts, metadata_conflicts="silent")
        hdu = fits.BinTableHDU(whole, name=name)
        hdu.writeto(release.path / f"{name.split('_')[0].lower()}-index.fits.gz", overwrite=True)
    return release.path


def _linked(folder: Path, row: Table.Row, shift: int) -> str:
    """Return the name of a link to the file of a row."""
    place, name = folder / str(row["FILE_DIR"]).strip(), str(row["FILE_NAME"]).strip()
    linked = f"copy-{shift}-{name}"
    if not (place / linked).exists():
        os.link(place / name, place / linked)
    return linked
