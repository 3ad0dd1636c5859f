"""Small catalogues in the columns of the published ones, with invented sources."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import Table

DNDE = "1 / (cm2 s TeV)"
NAN = float("nan")


def write_hwc(path: Path, rows: list[dict], names: dict[str, str]) -> Path:
    """Write rows as an ECSV table; ``names`` are the columns and their units."""
    table = Table()
    for name, unit in names.items():
        values = [row.get(name, NAN) for row in rows]
        table[name] = np.array(values)
        if unit:
            table[name].unit = unit
    table.write(path, format="ascii.ecsv")
    return path


_HWC = {"source_name": "", **dict.fromkeys(("ra", "dec", "glon", "glat", "pos_err", "search_radius"), "deg"), "ts": ""}
_2HWC = _HWC | {
    f"spec{number}_{name}": unit
    for number in (0, 1)
    for name, unit in (("dnde", DNDE), ("dnde_err", DNDE), ("index", ""), ("index_err", ""), ("radius", "deg"))
}
_3HWC = _HWC | {
    f"spec0_{name}{part}": unit
    for name, unit in (("dnde", DNDE), ("index", ""))
    for part in ("", "_errn", "_errp", "_sys_errn", "_sys_errp")
} | {"spec0_radius": "deg"}  # fmt: skip


def write_3hwc(path: Path) -> Path:
    """Write a point, a disk and a source without any number."""
    place = {"ra": 95.317, "dec": 38.206, "glon": 175.444, "glat": 10.966, "pos_err": 0.3, "search_radius": 0.5}
    point = {"ra": 83.6, "dec": 22.0, "glon": 184.5, "glat": -5.8, "pos_err": 0.06, "search_radius": 0.0}
    spectrum = {
        "spec0_dnde": 9e-15, "spec0_dnde_errn": -1.5e-15, "spec0_dnde_errp": 1.4e-15,
        "spec0_index": -2.41, "spec0_index_errn": -0.13, "spec0_index_errp": 0.12,
    }  # fmt: skip
    rows = [
        {"source_name": "3HWC J0534+220", **point, "ts": 35000.0, **spectrum, "spec0_radius": 0.0},
        {"source_name": "3HWC J0621+382", **place, "ts": 28.0, **spectrum, "spec0_radius": 0.5},
        {"source_name": "3HWC J0659+147", **place, "ts": 28.8},
    ]
    return write_hwc(path, rows, _3HWC)


def write_2hwc(path: Path) -> Path:
    """Write a source that was measured as a point, and one that was measured as a disk of 2 deg too."""
    place = {"ra": 98.0, "dec": 17.0, "glon": 195.6, "glat": 3.5, "pos_err": 0.1, "search_radius": 0.0, "ts": 29.6}
    point = {
        "spec0_dnde": 6.7e-15, "spec0_dnde_err": 1.5e-15, "spec0_index": -2.57, "spec0_index_err": 0.15,
        "spec0_radius": 0.0,
    }  # fmt: skip
    disk = {
        "spec1_dnde": 4.9e-14, "spec1_dnde_err": 6.9e-15, "spec1_index": -2.23, "spec1_index_err": 0.08,
        "spec1_radius": 2.0,
    }  # fmt: skip
    rows = [
        {"source_name": "2HWC J0534+220", **place, **point},
        {"source_name": "2HWC J0631+169", **place, **point, **disk},
    ]
    return write_hwc(path, rows, _2HWC)
