"""Regions as people write them: DS9 text, files of DS9 (`.reg`) and CASA (`.crtf`), read by the package `regions`.

What that package leaves out with a warning, such as a region without a frame, is an error here: a region that nobody
sees is not excluded, or not measured. Sources: the DS9 reference manual, "Region Files"; CASA, "CRTF".
"""

from __future__ import annotations

import re
import warnings
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from xgamma.errors import ConfigError, InputError, MissingInputError, XgammaError
from xgamma.formats import region_objects
from xgamma.formats.fits import hdus
from xgamma.formats.fits import regions as fits_regions
from xgamma.formats.fits.tables import read_raw
from xgamma.formats.local_files import read_text
from xgamma.shapes import Circle, Shape
from xgamma.shapes.objects import KNOWN, normalize_shape

DS9, CRTF, FITS = (".reg", ".ds9"), (".crtf", ".crf"), (".fits", ".fit", ".fits.gz", ".fit.gz")
# The columns of positions in tables of sources, and their frame.
_POSITIONS = (
    ("RA", "DEC", "icrs"),
    ("RAJ2000", "DEJ2000", "icrs"),
    ("GLON", "GLAT", "galactic"),
    ("LON", "LAT", "icrs"),
)
FRAME_EXAMPLE = "icrs; circle(83.633, 22.014, 0.11)"
_WORDS = "circle|ellipse|box|rotbox|annulus|polygon|point|panda|epanda|bpanda|vector|line|ruler|text|composite"
_IS_DS9 = re.compile(rf"\n|\b({_WORDS})\s*\(", re.IGNORECASE)
_NO_FRAME = re.compile(r'A coordinate frame was not found for region: "(?P<region>.*)", skipping')
_NOT_READ = re.compile(r'"(?P<word>[^"]*)" frame or shape')


class NamedShape(NamedTuple):
    """A shape and its name, empty where it has none."""

    shape: Shape
    name: str = ""


@cache
def shape_of_words(words: str) -> Shape:
    """Return the shape that a row says in words, as DS9 writes it (``region_shape``)."""
    [(shape, _)] = shapes_of_text(words, "region_shape")
    return shape


def is_ds9(text: str) -> bool:
    """Whether a text is regions as DS9 writes them, and not the path of a file.

    >>> is_ds9("icrs; circle(83.633, 22.014, 0.11)"), is_ds9("$DATA/regions (1)/crab.reg")
    (True, False)
    """
    return _IS_DS9.search(text) is not None


def shapes_of_text(text: str, where: str = "DS9 text", form: str = "ds9") -> list[NamedShape]:
    """Return the regions of a text.

    Parameters
    ----------
    text
        Regions as DS9 or CASA write them.
    where
        What the sentences about the text begin with.
    form
        ``ds9`` or ``crtf``.

    Raises
    ------
    ConfigError
        For a region without a frame, one of another kind, one that is marked as excluded, and for text that holds none.
    """
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            found = region_objects.regions_of_text(text, form)
        # What it raises of a text depends on where in it the text is wrong.
        except Exception as error:
            reason = str(error).rstrip(".").split("\n")[0]
            raise ConfigError(f"{where}: it cannot be read ({reason}); write for example {FRAME_EXAMPLE}.") from None
    for warning in said:
        _refuse(str(warning.message), where)
    if not found:
        raise ConfigError(f"{where}: it holds no region; write for example {FRAME_EXAMPLE}.")
    return [_named(region, f"{where}, region {number}" if len(found) > 1 else where) for number, region in
            enumerate(found, 1)]  # fmt: skip


def _refuse(warning: str, where: str) -> None:
    """Raise ``ConfigError`` for a warning that tells of something that was left out."""
    frameless = _NO_FRAME.search(warning)
    if frameless is not None:
        raise _no_frame(where, frameless["region"])
    unread = _NOT_READ.search(warning)
    if unread is not None:
        raise ConfigError(f"{where}: expected {KNOWN} in icrs, fk5 or galactic coordinates, got {unread['word']!r}.")


def _no_frame(where: str, region: str) -> ConfigError:
    return ConfigError(
        f"{where}: {region} has no frame on the sky; write icrs, fk5 or galactic before it, as in {FRAME_EXAMPLE}."
    )


def _named(region: Any, where: str) -> NamedShape:
    if type(region).__name__.endswith("PixelRegion"):
        raise _no_frame(where, type(region).__name__.removesuffix("PixelRegion").lower())
    if not region.meta.get("include", True):
        raise ConfigError(f"{where}: it is marked as excluded (-), which has no meaning here; leave the sign out.")
    try:
        shape = normalize_shape(region)
    except XgammaError as error:
        raise ConfigError(f"{where}: {error}") from None
    name = region.meta.get("text") or region.meta.get("label") or ""
    return NamedShape(shape, str(name).strip())


def normalize_regions(regions: Any) -> list[Shape]:
    """Return the shapes of one region or several, of the package `regions`, as shapes, or in DS9 text.

    Raises ``ConfigError`` for what is no region, and for none.
    """
    if isinstance(regions, str):
        return [named.shape for named in shapes_of_text(regions)]
    if isinstance(regions, list | tuple) or type(regions).__name__ == "Regions":
        found = [shape for region in regions for shape in normalize_regions(region)]
        if not found:
            raise ConfigError("Expected at least one region, got an empty list.")
        return found
    return [normalize_shape(regions)]


def read_regions(path: Path) -> list[NamedShape]:
    """Return the regions of a file; what it is says its ending: `.reg` and `.ds9`, `.crtf`, `.fits` and `.fits.gz`.

    Raises
    ------
    MissingInputError
        When there is no such file.
    InputError
        When it has another ending, or cannot be read, or a region of it has no frame.
    """
    name, where = path.name.lower(), f"The region file {path}"
    if name.endswith(FITS):
        return [NamedShape(shape) for shape in fits_regions.shapes_of_fits(path)]
    if not name.endswith((*DS9, *CRTF)):
        raise InputError(f"{where} has an unknown ending; expected {', '.join((*DS9, *CRTF, *FITS))}.")
    text = read_text(path, "region file")
    try:
        return shapes_of_text(text, where, "ds9" if name.endswith(DS9) else "crtf")
    except ConfigError as error:
        raise InputError(str(error)) from None


def read_sources(path: Path, radius: float | None = None) -> list[NamedShape]:
    """Return a circle for each source of a table in ECSV or FITS.

    The columns of positions are RA and DEC, or RAJ2000 and DEJ2000, or GLON and GLAT, or LON and LAT (ICRS); that of
    circles is RADIUS, and names are in NAME or SOURCE_NAME. Upper and lower case are alike; without a unit it is deg.

    Parameters
    ----------
    path
        The file; of FITS its first table with positions.
    radius
        In degrees, of sources without one.

    Raises
    ------
    MissingInputError
        When there is no such file.
    InputError
        When it is no table with positions, or one of them is not on the sky or has no radius above 0.
    """
    if not path.exists():
        raise MissingInputError(f"There is no file {path}. Check the name and the folder.")
    is_text = path.name.lower().endswith(".ecsv")
    found = [hdus.ecsv_table(read_raw(path), path)] if is_text else list(hdus.read_hdu_tables(path).values())
    for table in found:
        for columns in _POSITIONS:
            if all(column in table for column in columns[:2]):
                return _circles(table, *columns, radius)
    listed = ", or ".join(" and ".join(columns[:2]) for columns in _POSITIONS)
    raise InputError(f"{path}: expected a table of sources with the columns {listed}; it has none.")


def _circles(table: hdus.HduTable, lon: str, lat: str, frame: str, radius: float | None) -> list[NamedShape]:
    size = table.numbers("RADIUS", "deg", "deg") if "RADIUS" in table else np.full(len(table.column(lon)), np.nan)
    if radius is not None:
        size = np.where(np.isfinite(size) & (size > 0), size, radius)
    places = np.stack([table.numbers(lon, "deg", "deg"), table.numbers(lat, "deg", "deg"), size], axis=1)
    for number, (_, latitude, own) in enumerate(places.tolist(), 1):
        if not (np.isfinite(places[number - 1, :2]).all() and abs(latitude) <= 90):
            raise InputError(f"{table.path}: row {number}: expected a position on the sky.")
        if not 0 < own < 180:
            raise InputError(
                f"{table.path}: row {number}: expected a RADIUS above 0 deg, got {own:g}; give the radius of sources "
                "without one."
            )
    names = next((table.column(name) for name in ("NAME", "SOURCE_NAME") if name in table), None)
    said = [""] * len(places) if names is None else [str(name).strip() for name in names.tolist()]
    return [NamedShape(Circle(x, y, own, frame), name) for (x, y, own), name in zip(places.tolist(), said, strict=True)]
