"""Regions of the sky in FITS: shapes as the region tables of spectrum files, and masks as images.

A region table has SHAPE, X, Y, R and ROTANG in pixels of a TAN plane, as the package `regions` reads and writes them
(ASC-FITS-REGION-1.2; of an ELLIPTANNULUS that package has whole axes, inner and outer width before both heights). In a
mask a pixel that is not zero may be used for the background.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, InputError, MissingInputError
from xgamma.formats.fits.encoding import Column, Hdu, text_values
from xgamma.formats.fits.hdus import HduTable, read_hdu_tables
from xgamma.formats.fits.images import HduImage, celestial_wcs, read_images
from xgamma.formats.local_files import state_of
from xgamma.geometry import Plane, from_tangent_plane, local_north, tangent_plane, to_frame
from xgamma.masks import MASK, SkyMask
from xgamma.shapes import Annulus, Circle, Ellipse, Polygon, Rectangle, Shape

log = logging.getLogger(__name__)

Shapes: TypeAlias = tuple[Shape, ...]

_PREFIXES = {"icrs": ("RA---TAN", "DEC--TAN"), "galactic": ("GLON-TAN", "GLAT-TAN")}
# How many sizes the shapes of a region table have.
_SIZES = {"circle": 1, "ellipse": 2, "rotbox": 2, "box": 2, "annulus": 2, "elliptannulus": 4, "point": 0}
CLOSE = 1e-6
"""As far as two regions that are the same may be apart, in degrees."""


def are_close(some: Shapes, others: Shapes) -> bool:
    """Whether both are the same shapes to 1e-6 deg."""
    return len(some) == len(others) and all(_is_close(one, other) for one, other in zip(some, others, strict=True))


def _is_close(one: Shape, other: Shape) -> bool:
    if (one.kind, one.frame) != (other.kind, other.frame):
        return False
    mine, others = (np.concatenate([np.concatenate(edge) for edge in shape.edges()]) for shape in (one, other))
    apart = [one.lon - other.lon, one.lat - other.lat]
    return mine.shape == others.shape and bool(np.allclose([*apart, *(mine - others)], 0.0, rtol=0, atol=CLOSE))


class _OnPlane(NamedTuple):
    """A row of a region table: all in pixels but the angle in degrees."""

    shape: str
    x: Sequence[float]
    y: Sequence[float]
    r: Sequence[float] = ()
    angle: float = 0.0


def region_hdu(name: str, shapes: Shapes, about: Shape, pixel: float = 0.1) -> Hdu:
    """Return a region table on a plane tangent at the centre of a shape, with square pixels of ``pixel`` degrees.

    X and Y are counted from 0 at the centre of the first pixel, and a size is measured on the plane at its shape.
    """
    frame = shapes[0].frame
    center = _plain(*to_frame(about.lon, about.lat, about.frame, frame))
    held = [_on_plane(shape, center) for shape in shapes]
    reach = max(max(np.abs([*one.x, *one.y])) + max(one.r, default=0.0) for one in held)
    size = 2 * max(int(np.ceil(reach / pixel)), 1)
    middle = (size - 1) / 2
    rows = [
        one._replace(
            x=[middle + x / pixel for x in one.x], y=[middle + y / pixel for y in one.y], r=[r / pixel for r in one.r]
        )
        for one in held
    ]
    columns = [
        Column("SHAPE", text_values([one.shape for one in rows])),
        *(_column(name.upper(), [getattr(one, name) for one in rows]) for name in ("x", "y", "r")),
        Column("ROTANG", np.array([one.angle for one in rows], float), "deg"),
    ]
    return Hdu(name, columns, _wcs_header(frame, center, size, pixel))


def _plain(lon: FloatArray, lat: FloatArray) -> tuple[float, float]:
    return float(lon), float(lat)


def _column(name: str, values: Sequence[Sequence[float]]) -> Column:
    """Return a column of vectors, filled up with their last value: a corner that stands twice changes no polygon."""
    width = max(1, *(len(own) for own in values))
    array = np.array([[*own, *[own[-1] if own else 0.0] * (width - len(own))] for own in values], float)
    return Column(name, array.squeeze(1) if width == 1 else array, "pix")


def _on_plane(shape: Shape, center: tuple[float, float]) -> _OnPlane:
    """Return a shape on a tangent plane in degrees, in the local northward scale."""
    if isinstance(shape, Polygon):
        plane = tangent_plane(np.array(shape.lons), np.array(shape.lats), *center)
        return _OnPlane("polygon", plane.x.tolist(), plane.y.tolist())
    if isinstance(shape, Annulus) and isinstance(shape.outer, Rectangle):
        return _on_plane(_keyhole(shape), center)
    at = tangent_plane(shape.lon, shape.lat, *center)
    scale, tilt = (float(value) for value in local_north(shape.lon, shape.lat, *center))
    kind, sizes, angle = _words(shape)
    turned = angle + float(np.rad2deg(tilt)) if kind not in ("circle", "point", "annulus") else 0.0
    return _OnPlane(kind, [float(at.x)], [float(at.y)], [size / scale for size in sizes], turned)


def _words(shape: Shape) -> tuple[str, Sequence[float], float]:
    """Return what the table calls a shape, its sizes in degrees and its angle."""
    match shape:
        case Circle():
            return ("circle", [shape.radius], 0.0) if shape.radius > 0 else ("point", [], 0.0)
        case Ellipse():
            return "ellipse", shape.half_sizes, shape.angle
        case Rectangle():
            return "rotbox", [shape.width, shape.height], shape.angle
        case Annulus(outer=Circle() as outer, inner=Circle() as inner):
            return "annulus", [inner.radius, outer.radius], 0.0
        case Annulus(outer=Ellipse() as outer, inner=Ellipse() as inner):
            return "elliptannulus", [inner.width, outer.width, inner.height, outer.height], outer.angle
    raise ConfigError(f"There is no row of a region table for a {shape.kind}.")


def _keyhole(shape: Annulus) -> Polygon:
    """Return the polygon that goes around the outer edge of an annulus, and back around the inner one."""
    lon, lat = (np.concatenate(values) for values in zip(*shape.outlines(), strict=True))
    return Polygon(tuple(lon.tolist()), tuple(lat.tolist()), shape.frame)


def shapes_of_table(table: HduTable) -> Shapes:
    """Return the shapes of a region table, a point as a circle of radius 0.

    Raises
    ------
    InputError
        When the plane of the table is not tangent (TAN) in equatorial or Galactic coordinates, for another shape, and
        for one that is marked as excluded.
    """
    words = [str(shape).strip().lower() for shape in table.column("SHAPE")]
    if not words:
        return ()
    frame = _frame(table)
    scale = float(table.header["CDELT2"])
    if not np.isclose(-float(table.header["CDELT1"]), scale, rtol=1e-9):
        raise InputError(f"{table.path}: the pixels of {table.name} are not square with longitude to the left.")
    center = float(table.header["CRVAL1"]), float(table.header["CRVAL2"])
    x, y = (
        _vectors(table, "X") + 1 - float(table.header["CRPIX1"]),
        _vectors(table, "Y") + 1 - float(table.header["CRPIX2"]),
    )
    sizes, angles = _vectors(table, "R") * scale, _vectors(table, "ROTANG")[:, 0]
    found = []
    for number, word in enumerate(words):
        row = _OnPlane(
            word,
            (x[number] * scale).tolist(),
            (y[number] * scale).tolist(),
            sizes[number].tolist(),
            float(angles[number]),
        )
        try:
            found.append(_from_plane(row, center, frame))
        except ConfigError as error:
            raise InputError(f"{table.path}: {table.name}, row {number + 1}: {error}") from None
    return tuple(found)


def _vectors(table: HduTable, name: str) -> FloatArray:
    """Return a column of vectors, shape (row, n), 0 where there is none."""
    rows = len(table.column("SHAPE"))
    return table.numbers(name).reshape(rows, -1) if name in table else np.zeros((rows, 1))


def _from_plane(row: _OnPlane, center: tuple[float, float], frame: str) -> Shape:
    if row.shape == "polygon":
        corners = from_tangent_plane(Plane(np.array(row.x), np.array(row.y)), *center)
        return Polygon(*_without_repeated(*(values.tolist() for values in corners)), frame)
    x, y = row.x[0], row.y[0]
    # The centre itself comes back to the last bit, and with it the radius of the on-region.
    lon, lat = center if x == y == 0 else _plain(*from_tangent_plane(Plane(np.array(x), np.array(y)), *center))
    scale, tilt = (float(value) for value in local_north(lon, lat, *center))
    angle = row.angle - float(np.rad2deg(tilt))
    needed, sizes = _SIZES.get(row.shape), [scale * size for size in row.r]
    if needed is None or len(sizes) < needed:
        what = "a sign that excludes it" if row.shape.startswith("!") else f"{row.shape!r} with {len(sizes)} sizes"
        raise ConfigError(f"expected circle, ellipse, box, annulus, elliptannulus, polygon or point, got {what}.")
    match row.shape:
        case "point":
            return Circle(lon, lat, 0.0, frame)
        case "circle":
            return Circle(lon, lat, sizes[0], frame)
        case "ellipse":
            return Ellipse(lon, lat, 2 * sizes[0], 2 * sizes[1], angle, frame)
        case "annulus":
            return Annulus(Circle(lon, lat, sizes[1], frame), Circle(lon, lat, sizes[0], frame))
        case "elliptannulus":
            inner, outer = (Ellipse(lon, lat, sizes[at], sizes[at + 2], angle, frame) for at in (0, 1))
            return Annulus(outer, inner)
    return Rectangle(lon, lat, sizes[0], sizes[1], angle if row.shape == "rotbox" else -float(np.rad2deg(tilt)), frame)


def _without_repeated(lons: Sequence[float], lats: Sequence[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return corners without those at the end that a table is filled up with."""
    end = len(lons)
    while end > 1 and (lons[end - 1], lats[end - 1]) == (lons[end - 2], lats[end - 2]):
        end -= 1
    return tuple(lons[:end]), tuple(lats[:end])


def shapes_of_fits(path: Path) -> Shapes:
    """Return the shapes of the first region table of a file.

    Raises
    ------
    MissingInputError, InputError
        When there is no such file, it is not FITS, or has no table with SHAPE and a TAN plane.
    """
    for table in read_hdu_tables(path).values():
        if "SHAPE" in table:
            return shapes_of_table(table)
    raise InputError(f"The region file {path} holds no table with SHAPE; expected one as FITS spectra have.")


def known_shapes(tables: Mapping[str, HduTable], name: str) -> Shapes:
    """Return the shapes of a region table beside a spectrum, none where there is no table of this name.

    What a spectrum does not need to be read, such as a shape that nobody knows here, is left out with a warning.
    """
    if name not in tables:
        return ()
    try:
        return shapes_of_table(tables[name])
    except InputError as error:
        log.warning("The region is left out: %s", error)
        return ()


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


def _frame(table: HduTable) -> str:
    ctype = str(table.header.get("CTYPE1", "")).strip().upper()
    frames = [frame for frame, names in _PREFIXES.items() if names[0] == ctype]
    if not frames:
        raise InputError(f"{table.path}: {table.name} has CTYPE1 = {ctype!r}; expected RA---TAN or GLON-TAN.")
    return frames[0]


def read_mask(path: Path) -> SkyMask:
    """Read the first celestial image of a FITS file as a mask, nonzero = usable.

    Raises
    ------
    MissingInputError
        When there is no such file.
    InputError
        When it is not FITS or holds no celestial image.
    """
    # Looked at before it is read: a file that is replaced meanwhile is then seen as changed.
    file = state_of(path, MASK)
    if file is None:
        raise MissingInputError(f"There is no exclusion mask {path}. Give the path of a FITS image, or leave it out.")
    try:
        image = next((image for image in read_images(path) if image.values.ndim >= 2), None)
    except InputError as error:
        raise InputError(f"The exclusion mask {path} cannot be read as FITS: {error}") from None
    if image is not None:
        return replace(_mask(image), file=file)
    raise InputError(f"The exclusion mask {path} holds no image; expected a FITS image with a celestial WCS.")


def _mask(image: HduImage) -> SkyMask:
    pixels, where = image.values, f"The exclusion mask {image.path}"
    if pixels.size != pixels.shape[-1] * pixels.shape[-2]:
        raise InputError(f"{where} has the shape {pixels.shape}; expected one image plane.")
    wcs, frame = celestial_wcs(image.cards, where)
    # A pixel that is not a number says nothing, least of all that the sky is free there.
    return SkyMask(np.nan_to_num(pixels.reshape(pixels.shape[-2:])) != 0, wcs, frame)
