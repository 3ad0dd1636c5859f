"""Positions and morphologies of the catalogues of Fermi-LAT.

The size of a Gaussian is the radius that holds 68 % of it, 1.51 sigma; that of a disk is its radius. Position angles
are counted from north to east. Source: Abdollahi et al. 2020 (ApJS 247, 33), table of extended sources.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from xgamma.errors import InputError, MissingInputError, did_you_mean
from xgamma.models import DiskSpatialModel, GaussianSpatialModel, PointSpatialModel, SpatialModel, TemplateSpatialModel
from xgamma.sources.fitted import (
    SIGMAS_OF_68,
    SIGMAS_OF_95,
    Value,
    ellipse,
    fitted_place,
    longitude_error,
)
from xgamma.sources.table import TableRow

_DISK, _GAUSS, _MAP = "disk", "gauss", "map"
# How the catalogues call morphologies.
FORMS = {
    "Disk": _DISK, "Elliptical Disk": _DISK, "RadialDisk": _DISK,
    "2D Gaussian": _GAUSS, "Elliptical 2D Gaussian": _GAUSS, "RadialGauss": _GAUSS, "RadialGaussian": _GAUSS,
    "Map": _MAP, "Ring": _MAP, "2D Gaussian x2": _MAP, "SpatialMap": _MAP,
}  # fmt: skip


def place_of(row: TableRow, extended: TableRow | None, form: str, folders: Sequence[Path]) -> SpatialModel:
    """Return where a source is and what it looks like.

    Parameters
    ----------
    row
        Its row.
    extended
        Its row in the table of extended sources; ``None`` for a point.
    form
        The column of that table which names the morphology.
    folders
        Where the maps of morphologies may be.

    Raises
    ------
    InputError
        For a morphology that is not known.
    MissingInputError
        When its map is in none of the folders.
    """
    lon, lat = row.number("RAJ2000", "deg"), row.number("DEJ2000", "deg")
    values = {"lon_0": (lon, "deg"), "lat_0": (lat, "deg")}
    errors = position_errors(row, lat)
    if extended is None:
        return fitted_place(PointSpatialModel, "icrs", values, errors)
    word = extended.text(form)
    if word not in FORMS:
        raise InputError(
            f"{row.text('Source_Name')} is of the form {word!r} in its catalogue.{did_you_mean(word, FORMS)}"
        )
    if FORMS[word] == _MAP:
        return TemplateSpatialModel.read(_found(row, extended.text("Spatial_Filename"), folders))
    major, minor = (extended.number(f"Model_{axis}", "deg") for axis in ("SemiMajor", "SemiMinor"))
    angle = extended.number("Model_PosAng", "deg")
    values |= {"e": (ellipse(major, minor), ""), "phi": (0.0 if math.isnan(angle) else angle, "deg")}
    if FORMS[word] == _DISK:
        return fitted_place(DiskSpatialModel, "icrs", values | _size("r_0", major), errors)
    return fitted_place(GaussianSpatialModel, "icrs", values | _size("sigma", major / SIGMAS_OF_68), errors)


def _size(name: str, value: float) -> dict[str, Value]:
    return {name: (value, "deg")}


def position_errors(row: TableRow, lat: float) -> dict[str, float]:
    """Return the standard errors of longitude and latitude: those of the ellipse of confidence along each of them."""
    if "Pos_err_68" in row:
        major = minor = row.number("Pos_err_68", "deg") / SIGMAS_OF_68
        angle = 0.0
    else:
        major, minor = (row.number(f"Conf_95_{axis}", "deg") / SIGMAS_OF_95 for axis in ("SemiMajor", "SemiMinor"))
        angle = math.radians(row.number("Conf_95_PosAng", "deg"))
    if math.isnan(angle):
        angle = 0.0
    north = math.hypot(major * math.cos(angle), minor * math.sin(angle))
    east = math.hypot(major * math.sin(angle), minor * math.cos(angle))
    return {"lon_0": longitude_error(east, lat), "lat_0": north}


def _found(row: TableRow, name: str, folders: Sequence[Path]) -> Path:
    """Return the file of a map, gzipped or not."""
    for folder in folders:
        for ending in ("", ".gz"):
            path = folder / f"{name}{ending}"
            if path.is_file():
                return path
    raise MissingInputError(
        f"{name}, the map of {row.text('Source_Name')}, is not in {' or '.join(map(str, folders))}. Fetch the archive "
        "of extended sources of the catalogue and give the folder of its maps as templates."
    )
