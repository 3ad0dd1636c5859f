"""Images of FITS files, compressed ones included, beside the tables of the same file, and where on the sky they lie."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import astropy
import numpy.typing as npt
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from xgamma.errors import InputError
from xgamma.formats.fits.hdus import HduTable, as_table, by_name, cards_of, name_of, native, read_hdus
from xgamma.formats.fits.tables import as_input_error
from xgamma.sky_wcs import frame_of_wcs

if TYPE_CHECKING:
    from astropy.wcs import WCS


_OF_AXES = re.compile(r"(?:CTYPE|CNAME|CUNIT|CRPIX|CRVAL|CDELT|CROTA|NAXIS|PC|CD)(\d+)(?:_(\d+))?")


@dataclass(frozen=True, eq=False)
class HduImage:
    """One image: where it came from, its header, its values in numpy order (first axis slowest), its place.

    Whole numbers that are BLANK, which stands for nothing, are NaN.
    """

    path: Path
    name: str
    header: Mapping[str, Any]
    cards: fits.Header
    values: npt.NDArray[Any]
    number: int

    @property
    def where(self) -> str:
        """What sentences about the image begin with."""
        return f"{self.path}: HDU {self.name!r}"


class FitsFile(NamedTuple):
    """The images and the tables of a file, each by upper-case EXTNAME in their order; see `read_hdu_tables`."""

    images: dict[str, HduImage]
    tables: dict[str, HduTable]


def read_fits(path: Path) -> FitsFile:
    """Return the images and the tables of a FITS file; gzip or not.

    Raises
    ------
    MissingInputError
        When there is no such file.
    InputError
        When it is a folder, a device or a pipe, not FITS, truncated, or a compressed image of it is larger than a file
        of its size can mean.
    """

    def made(hdu: Any, number: int, largest: int) -> HduImage | HduTable | None:
        return as_image(hdu, path, number, largest) or as_table(hdu, path, number)

    hdus = read_hdus(path, made)
    return FitsFile(
        by_name(hdu for hdu in hdus if isinstance(hdu, HduImage)),
        by_name(hdu for hdu in hdus if isinstance(hdu, HduTable)),
    )


def read_images(path: Path) -> list[HduImage]:
    """Return the images of a FITS file in their order; raises as `read_fits`."""
    return read_hdus(path, lambda hdu, number, largest: as_image(hdu, path, number, largest))


def as_image(hdu: Any, path: Path, number: int, largest: int) -> HduImage | None:
    """Return an HDU of astropy as an image, ``None`` where it is none or has no pixels.

    Raises ``InputError`` for one of more than ``largest`` values.
    """
    if not hdu.is_image or not hdu.shape or 0 in hdu.shape:
        return None
    if math.prod(hdu.shape) > largest:
        raise InputError(f"{path}: its image of {hdu.shape} pixels is too large for the file. Fetch or copy it again.")
    return HduImage(path, name_of(hdu, number), cards_of(hdu), hdu.header, native(hdu.data), number)


def celestial_wcs(cards: fits.Header, where: str) -> tuple[WCS, str]:
    """Return the WCS of the two celestial axes, the first two of the image, and its frame, ``icrs`` or ``galactic``.

    What the header says of further axes is passed over: cubes of the Fermi tools call the third linear, in MeV, and it
    is neither.

    Raises
    ------
    InputError
        When there are no such axes, or in another frame.
    """
    with as_input_error(f"{where}: its WCS"), warnings.catch_warnings():
        # It mends dates and units that are no part of the place on the sky, and says so.
        warnings.simplefilter("ignore", AstropyWarning)
        wcs = astropy.wcs.WCS(_of_two_axes(cards)).celestial
    if wcs.naxis != 2:
        raise InputError(f"{where} has no axes on the sky; expected RA/DEC or GLON/GLAT.")
    return wcs, frame_of_wcs(wcs, where)


def _of_two_axes(cards: fits.Header) -> fits.Header:
    """Return a header that says nothing of axes from the third on."""
    kept = fits.Header([card for card in cards.cards if not _is_of_others(card.keyword)])
    if "NAXIS" in kept:
        kept["NAXIS"] = 2
    return kept


def _is_of_others(keyword: str) -> bool:
    match = _OF_AXES.fullmatch(keyword)
    return keyword == "WCSAXES" or (match is not None and any(index and int(index) > 2 for index in match.groups()))


def celestial_header(wcs: WCS) -> dict[str, Any]:
    """Return the cards of a celestial WCS."""
    header = wcs.to_header()
    return {
        keyword: header[keyword] for keyword in header if keyword not in ("DATEREF", "MJDREF", "MJDREFI", "MJDREFF")
    }
