"""Regions of the sky in FITS: circles as the region tables of spectrum files, and masks as images.

A region table has SHAPE, X, Y and R in pixels of a TAN plane. In a mask a pixel that is not zero may be used for the
background.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from xgamma.axes import FloatArray
from xgamma.errors import InputError, MissingInputError
from xgamma.formats.fits.hdus import UNREADABLE, HduTable, table_hdu
from xgamma.formats.fits.tables import inflated, largest_content, read_raw, read_tables
from xgamma.geometry import Plane, from_tangent_plane, northward_scale, tangent_plane
from xgamma.masks import SkyMask

_PREFIXES = {"icrs": ("RA---TAN", "DEC--TAN"), "galactic": ("GLON-TAN", "GLAT-TAN")}
_FRAMES = {"RA": "icrs", "GLON": "galactic"}
# FK5 at J2000 is the ICRS to 0.03 arcsec.
_EQUATORIAL = ("", "ICRS", "FK5")
J2000 = 2000.0


@dataclass(frozen=True)
class Circles:
    """Circles in degrees, each array of shape (n,), in one frame (``icrs`` or ``galactic``)."""

    lon: FloatArray
    lat: FloatArray
    radius: FloatArray
    frame: str = "icrs"

    def __len__(self) -> int:
        return len(self.lon)

    @classmethod
    def from_padded(cls, lon: FloatArray, lat: FloatArray, radius: FloatArray, frame: str) -> Circles:
        """Return the circles of NaN-padded arrays."""
        held = np.isfinite(lon)
        return cls(lon[held], lat[held], radius[held], frame)

    @classmethod
    def none(cls) -> Circles:
        """Return no circle."""
        return cls(np.empty(0), np.empty(0), np.empty(0))

    def is_close(self, other: Circles) -> bool:
        """Whether both are the same circles to 1e-6 deg."""
        if len(self) != len(other) or (len(self) and self.frame != other.frame):
            return False
        mine, others = np.stack([self.lon, self.lat, self.radius]), np.stack([other.lon, other.lat, other.radius])
        return bool(np.allclose(mine, others, rtol=0, atol=1e-6, equal_nan=True))


def region_hdu(name: str, circles: Circles, center: tuple[float, float], pixel: float = 0.1) -> fits.BinTableHDU:
    """Return a region table on a plane tangent at ``center`` (deg) with square pixels of ``pixel`` degrees.

    A circle of radius 0 is a point. X and Y are counted from 0 at the centre of the first pixel, and a radius is
    measured on the plane at its circle.
    """
    plane = tangent_plane(circles.lon, circles.lat, *center)
    on_plane = circles.radius / northward_scale(circles.lon, circles.lat, *center)
    reach = np.max(np.maximum(np.abs(plane.x), np.abs(plane.y)) + on_plane, initial=0.0)
    size = 2 * max(int(np.ceil(reach / pixel)), 1)
    middle = (size - 1) / 2
    columns = [
        fits.Column("SHAPE", format="6A", array=np.where(circles.radius == 0, "point", "circle")),
        fits.Column("X", format="D", unit="pix", array=middle + plane.x / pixel),
        fits.Column("Y", format="D", unit="pix", array=middle + plane.y / pixel),
        fits.Column("R", format="D", unit="pix", array=on_plane / pixel),
        fits.Column("ROTANG", format="D", unit="deg", array=np.zeros(len(circles))),
    ]
    return table_hdu(name, columns, _wcs_header(circles.frame, center, size, pixel))


def _wcs_header(frame: str, center: tuple[float, float], size: int, pixel: float) -> dict[str, Any]:
    ctype1, ctype2 = _PREFIXES[frame]
    header: dict[str, Any] = {
        "WCSAXES": 2,
        "CRPIX1": (size + 1) / 2,
        "CRPIX2": (size + 1) / 2,
        "CDELT1": -pixel,
        "CDELT2": pixel,
        "CUNIT1": "deg",
        "CUNIT2": "deg",
        "CTYPE1": ctype1,
        "CTYPE2": ctype2,
        "CRVAL1": center[0],
        "CRVAL2": center[1],
        "LONPOLE": 180.0,
        "LATPOLE": center[1],
        "WCSSHAPE": f"({size},{size})",
    }
    return {**header, "RADESYS": "ICRS"} if frame == "icrs" else header


def circles_from_table(table: HduTable) -> Circles:
    """Return the circles and points of a region table; a point has radius 0, any other shape the radius NaN.

    Raises
    ------
    InputError
        When the plane of the table is not tangent (TAN) in equatorial or Galactic coordinates.
    """
    if not len(table.column("SHAPE")):
        return Circles.none()
    frame = _frame(table)
    scale = float(table.header["CDELT2"])
    if not np.isclose(-float(table.header["CDELT1"]), scale, rtol=1e-9):
        raise InputError(f"{table.path}: the pixels of {table.name} are not square with longitude to the left.")
    center = float(table.header["CRVAL1"]), float(table.header["CRVAL2"])
    x, y = table.numbers("X").reshape(-1), table.numbers("Y").reshape(-1)
    offset_x, offset_y = x + 1 - float(table.header["CRPIX1"]), y + 1 - float(table.header["CRPIX2"])
    lon, lat = from_tangent_plane(Plane(offset_x * scale, offset_y * scale), *center)
    # The centre itself comes back to the last bit, and with it the radius of the on-region.
    is_center = (offset_x == 0) & (offset_y == 0)
    lon, lat = np.where(is_center, center[0], lon), np.where(is_center, center[1], lat)
    return Circles(lon, lat, _radii(table) * scale * northward_scale(lon, lat, *center), frame)


def _frame(table: HduTable) -> str:
    ctype = str(table.header.get("CTYPE1", "")).strip().upper()
    frames = [frame for frame, names in _PREFIXES.items() if names[0] == ctype]
    if not frames:
        raise InputError(f"{table.path}: {table.name} has CTYPE1 = {ctype!r}; expected RA---TAN or GLON-TAN.")
    return frames[0]


def _radii(table: HduTable) -> FloatArray:
    shapes = np.array([str(shape).strip().lower() for shape in table.column("SHAPE")])
    radius = np.zeros(len(shapes))
    if "R" in table:
        stored = table.numbers("R")
        radius = stored if stored.ndim == 1 else stored[:, 0]
    return np.where(shapes == "point", 0.0, np.where(shapes == "circle", radius, np.nan))


def read_mask(path: Path) -> SkyMask:
    """Read the first celestial image of a FITS file as a mask, nonzero = usable.

    Raises
    ------
    MissingInputError
        When there is no such file.
    InputError
        When it is not FITS or holds no celestial image.
    """
    if not path.exists():
        raise MissingInputError(f"There is no exclusion mask {path}. Give the path of a FITS image, or leave it out.")
    try:
        content = inflated(read_raw(path), path)
        # Refuses sizes that are not in the file, for which astropy makes room.
        read_tables(path, raw=content)
        for hdu in fits.HDUList.fromstring(content):
            if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2:
                return _mask(hdu, path, largest_content(len(content)))
    except UNREADABLE as error:
        raise InputError(f"The exclusion mask {path} cannot be read as FITS: {error}") from None
    raise InputError(f"The exclusion mask {path} holds no image; expected a FITS image with a celestial WCS.")


def _mask(hdu: fits.ImageHDU, path: Path, largest: int) -> SkyMask:
    if math.prod(hdu.shape) > largest:
        raise InputError(f"its image of {hdu.shape} pixels is too large for the file.")
    pixels = np.asarray(hdu.data)
    if pixels.size != pixels.shape[-1] * pixels.shape[-2]:
        raise InputError(f"The exclusion mask {path} has the shape {pixels.shape}; expected one image plane.")
    wcs = WCS(hdu.header).celestial
    axis = str(wcs.wcs.ctype[0]).split("-")[0]
    if axis not in _FRAMES:
        raise InputError(f"The exclusion mask {path} has the axis {axis!r}; expected RA/DEC or GLON/GLAT.")
    system, equinox = str(wcs.wcs.radesys).strip().upper(), float(wcs.wcs.equinox)
    if axis == "RA" and (system not in _EQUATORIAL or (np.isfinite(equinox) and equinox != J2000)):
        raise InputError(f"The exclusion mask {path} is in {system} {equinox:g}; expected ICRS or FK5 at J2000.")
    # A pixel that is not a number says nothing, least of all that the sky is free there.
    return SkyMask(np.nan_to_num(pixels.reshape(pixels.shape[-2:])) != 0, wcs, _FRAMES[axis])
