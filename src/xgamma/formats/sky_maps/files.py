"""One map of the sky, or several, in a FITS file: an image, and a table of bands that has its other axes.

Sources: gamma-astro-data-formats, "Sky maps"; cubes of the Fermi tools (gtbin, gtexpcube2), and diffuse models.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from xgamma.axes import Axis
from xgamma.errors import InputError, LaterError, MissingHduError
from xgamma.formats.fits.bands import axes_of_bands, band_columns, band_header
from xgamma.formats.fits.encoding import Hdu
from xgamma.formats.fits.hdus import HduTable, fits_content, fits_text
from xgamma.formats.fits.images import FitsFile, HduImage, celestial_header, celestial_wcs, read_fits
from xgamma.formats.fits.tables import as_input_error
from xgamma.formats.local_files import local_path, validate_ending, validate_output, write_files
from xgamma.formats.sky_maps.sky_map import SkyMap

log = logging.getLogger(__name__)

ENDINGS = (".fits", ".fits.gz", ".fit", ".fit.gz")
BANDS = "_BANDS"
PRIMARY = "PRIMARY"
# Tables that the Fermi tools name the same in every file.
_SHARED_BANDS = ("EBOUNDS", "ENERGIES")
TRUTHS = ("MASK", "IS_UL", "SUCCESS")
# The names of axes in the FITS standard, paper III; a distance from the source has none there.
_CTYPES = {"energy": "ENER", "energy_true": "ENER", "rad": "RAD"}


def read_map(path: str | os.PathLike[str], hdu: str | None = None) -> SkyMap:
    """Read one map of a FITS file.

    Parameters
    ----------
    path
        The file; ``~`` and environment variables are filled in.
    hdu
        The name of its HDU; ``None`` is the first image.

    Raises
    ------
    MissingInputError
        When there is no such file.
    MissingHduError
        When it has no such image, or none at all.
    InputError
        When it is not FITS, truncated, or its axes do not fit its values.
    LaterError
        For HEALPix, for values in a table, and for maps whose planes have pixels of their own.
    """
    source = local_path(path)
    file = read_fits(source)
    return sky_map(file, _image(file, hdu, source))


def read_maps(path: str | os.PathLike[str]) -> dict[str, SkyMap]:
    """Read all maps of a FITS file, by the name of their HDU; raises as `read_map`."""
    return maps_of_file(read_fits(local_path(path)))


def maps_of_file(file: FitsFile) -> dict[str, SkyMap]:
    """Return all maps of a file by the name of their HDU."""
    return {name: sky_map(file, image) for name, image in file.images.items()}


def sky_map(file: FitsFile, image: HduImage) -> SkyMap:
    """Return the map of an image of a file; raises as `read_map`."""
    with as_input_error(image.where):
        return _sky_map(file, image)


def _sky_map(file: FitsFile, image: HduImage) -> SkyMap:
    values = image.values
    if values.ndim < 2:
        raise InputError(f"{image.where} has {values.ndim} axis; expected an image of the sky.")
    wcs, frame = celestial_wcs(image.cards, image.where)
    inner = values.shape[:-2]
    axes: tuple[Axis, ...] = ()
    if inner:
        bands = _bands(file, image)
        # Gammapy leaves out the table of a map whose axes have one bin; a plane has no axis to name then.
        if bands is None and set(inner) == {1}:
            values = values.reshape(values.shape[-2:])
        elif bands is None:
            raise InputError(
                f"{image.where} is {inner} planes, and no table says what their axes are; expected "
                f"{image.name}{BANDS}, EBOUNDS or ENERGIES."
            )
        else:
            axes = axes_of_bands(bands, image.header, inner)
    name = "" if image.number == 0 else image.name
    return SkyMap(_truths(values, image.name), axes, wcs, frame, _unit(image), name, _meta(image))


def _image(file: FitsFile, hdu: str | None, path: Path) -> HduImage:
    if hdu is not None:
        found = file.images.get(hdu.strip().upper())
        if found is None and hdu.strip().upper() in file.tables:
            raise _no_image(file.tables[hdu.strip().upper()])
        if found is None:
            raise MissingHduError(f"{path} has no image {hdu!r}; it has {', '.join(file.images) or 'none'}.")
        return found
    if file.images:
        return next(iter(file.images.values()))
    for table in file.tables.values():
        if str(table.header.get("PIXTYPE", "")).strip().upper() == "HEALPIX" or "PIX" in table:
            raise _no_image(table)
    raise MissingHduError(f"{path} has no image; it has the tables {', '.join(file.tables)}.")


def _no_image(table: HduTable) -> LaterError | MissingHduError:
    if str(table.header.get("PIXTYPE", "")).strip().upper() == "HEALPIX":
        return LaterError(
            f"{table.where} is in HEALPix, which is not read yet. Reproject it to an image, with its missing pixels "
            "(-1.6375e30) as NaN, for example with the package reproject."
        )
    if "PIX" in table:
        return LaterError(f"{table.where} is a map in sparse form, which is not read yet. Write it as an image.")
    return MissingHduError(f"{table.where} is a table; expected an image.")


def _bands(file: FitsFile, image: HduImage) -> HduTable | None:
    """Return the table of the axes of an image: the one it names, or one with a name of the format."""
    named = str(image.header.get("BANDSHDU", "")).strip().upper()
    for name in (named, f"{image.name}{BANDS}", *_SHARED_BANDS):
        if name and name in file.tables:
            table = file.tables[name]
            if "NPIX" in table or "CDELT" in table:
                raise LaterError(f"{image.where} has pixels of another size in each plane, which is not read yet.")
            return table
    return None


def _truths(values: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Return whole numbers as truths where the name of the HDU says so, whatever numbers they are."""
    is_mask = values.dtype.kind in "iu" and any(word in name.upper() for word in TRUTHS)
    return values != 0 if is_mask else values


def _unit(image: HduImage) -> str:
    return str(image.header.get("BUNIT") or image.header.get("UNIT") or "").strip()


def _meta(image: HduImage) -> dict[str, Any]:
    try:
        found = json.loads(str(image.header.get("META") or "{}"))
    except ValueError:
        log.warning("%s: META is no JSON and is left out.", image.where)
        return {}
    return found if isinstance(found, dict) else {}


def write_maps(maps: Sequence[SkyMap], path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write maps to one ``.fits`` or ``.fits.gz`` file and return its path; each has its own image and table of bands.

    Gammapy reads each with ``Map.read``. Truths are written as bytes, under names that hold ``mask``, ``is_ul`` or
    ``success``: other names are read back as numbers.

    Raises
    ------
    ConfigError
        For another ending.
    OutputExistsError, OutputError
        When the file exists, or the folder cannot be written. Nothing half-written is left.
    """
    target = local_path(path)
    validate_ending(target, ENDINGS, "Maps in FITS")
    validate_output(target, overwrite)
    content = maps_content(maps, compress=target.name.lower().endswith(".gz"))
    write_files({target: content}, overwrite=overwrite)
    return target


def write_map(each: SkyMap, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write one map; see `write_maps`."""
    return write_maps([each], path, overwrite=overwrite)


def maps_content(
    maps: Sequence[SkyMap],
    tables: Sequence[Any] = (),
    primary: Mapping[str, Any] | None = None,
    *,
    compress: bool = False,
) -> bytes:
    """Return the bytes of a file of maps, with further HDUs and cards of the primary one."""
    first = next((each for each in maps if not each.name), None)
    hdus: list[Any] = [] if first is None else list(bands_hdus(first))
    hdus += [hdu for each in maps if each is not first for hdu in (image_hdu(each), *bands_hdus(each))]
    cards = {**({} if first is None else map_header(first)), **(primary or {})}
    pixels = None if first is None else stored(first.values)
    return fits_content([*hdus, *tables], cards, pixels=pixels, compress=compress)


def image_hdu(each: SkyMap) -> fits.ImageHDU:
    """Return the image of a map."""
    hdu = fits.ImageHDU(stored(each.values), name=each.name)
    hdu.header.update(map_header(each))
    return hdu


def bands_hdus(each: SkyMap) -> list[Hdu]:
    """Return the table of the axes of a map, none for one image."""
    axes = each.axes[::-1]
    return [Hdu(_bands_name(each), band_columns(axes), band_header(axes))] if axes else []


def _bands_name(each: SkyMap) -> str:
    return f"{each.name or PRIMARY}{BANDS}"


def stored(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return values in a type that FITS images hold without an offset: truths as bytes, whole numbers with a sign."""
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    return values.astype(np.int64) if values.dtype.kind == "u" and values.dtype.itemsize > 1 else values


def map_header(each: SkyMap) -> dict[str, Any]:
    """Return the cards of the image of a map."""
    axes, (nx, ny) = each.axes[::-1], each.npix
    shape = ",".join(str(n) for n in (nx, ny, *(axis.nbin for axis in axes)))
    bands = {**band_header(axes), "BANDSHDU": _bands_name(each)} if axes else {}
    return {
        **celestial_header(each.wcs),
        **_described(axes),
        **bands,
        "WCSSHAPE": f"({shape})",
        "META": json.dumps(dict(each.meta)),
        "BUNIT": fits_text(each.unit),
    }


def _described(axes: Sequence[Axis]) -> dict[str, Any]:
    """Return the cards that tell viewers, such as DS9, of axes of even bins; none where any is not even."""
    if not axes or not all(axis.is_even and axis.name in _CTYPES for axis in axes):
        return {}
    cards: dict[str, Any] = {"WCSAXES": 2 + len(axes)}
    for number, axis in enumerate(axes, start=3):
        logarithmic = axis.scale == "log"
        first, (low, high) = float(axis.center[0]), axis.edges[:2].tolist()
        step = first * float(np.log(high / low)) if logarithmic else high - low
        ctype = _CTYPES[axis.name] + ("-LOG" if logarithmic else "")
        values = {"CTYPE": ctype, "CNAME": axis.name, "CUNIT": axis.unit, "CRPIX": 1.0, "CRVAL": first, "CDELT": step}
        cards |= {f"{keyword}{number}": value for keyword, value in values.items()}
    return cards
