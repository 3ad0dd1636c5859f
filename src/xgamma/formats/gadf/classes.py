"""What an HDU is for: its role in a run, and its GADF class, which selects its reader.

An index says it as HDU_TYPE and HDU_CLASS. Where there is none, HDUCLAS1 to HDUCLAS4 of the HDU say it, and where a
writer left those out, its columns do.
"""

from __future__ import annotations

from collections.abc import Iterable

from xgamma.formats.fits_tables import FitsTable
from xgamma.formats.gadf.responses import CLASSES

REQUIRED_ROLES = ("events", "gti")
ROLES = (*REQUIRED_ROLES, "aeff", "edisp", "psf", "bkg", "rad_max")
_KNOWN = frozenset({*REQUIRED_ROLES, *CLASSES})
# The columns that make out a class, the first that fits counts.
_MARKS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"START", "STOP"}), "gti"),
    (frozenset({"RA", "DEC", "ENERGY", "TIME"}), "events"),
    (frozenset({"EFFAREA"}), "aeff_2d"),
    (frozenset({"MATRIX", "MIGRA_LO"}), "edisp_2d"),
    (frozenset({"RPSF", "RAD_LO"}), "psf_table"),
    (frozenset({"SCALE", "SIGMA_1"}), "psf_3gauss"),
    (frozenset({"GAMMA", "SIGMA"}), "psf_king"),
    (frozenset({"BKG", "DETX_LO"}), "bkg_3d"),
    (frozenset({"BGD", "DETX_LO"}), "bkg_3d"),
    (frozenset({"BKG", "THETA_LO"}), "bkg_2d"),
    (frozenset({"BGD", "THETA_LO"}), "bkg_2d"),
    (frozenset({"RAD_MAX"}), "rad_max_2d"),
)


def is_known(kind: str) -> bool:
    """Whether HDUs of a class can be read."""
    return kind in _KNOWN


def role_of(kind: str) -> str:
    """Return the role of a class.

    >>> role_of("rad_max_2d"), role_of("psf_3gauss"), role_of("events")
    ('rad_max', 'psf', 'events')
    """
    return "rad_max" if kind.startswith("rad_max") else kind.split("_")[0]


def class_of(table: FitsTable) -> str:
    """Return the class of an HDU in lower case, by its header or its columns; empty where it is none that is known."""
    said = (str(table.header.get(key, "")).strip().lower() for key in ("HDUCLAS4", "HDUCLAS1"))
    by_header = next((kind for kind in said if is_known(kind)), "")
    columns = set(table.columns) if table.is_binary else set()
    by_columns = next((kind for mark, kind in _MARKS if mark <= columns), "")
    by_name = table.name.lower() if table.name in ("EVENTS", "GTI") else ""
    return by_header or by_name or by_columns


def table_of_role(tables: Iterable[FitsTable], role: str) -> FitsTable | None:
    """Return the first HDU for a role."""
    return next((table for table in tables if role_of(class_of(table)) == role), None)
