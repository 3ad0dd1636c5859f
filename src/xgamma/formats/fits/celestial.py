"""The celestial WCS of an image and its frame, read from a header and written into one."""

from __future__ import annotations

import re
import warnings
from typing import Any

from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS

from xgamma.errors import InputError
from xgamma.formats.fits.tables import as_input_error
from xgamma.sky_wcs import frame_of_wcs

_OF_AXES = re.compile(r"(?:CTYPE|CNAME|CUNIT|CRPIX|CRVAL|CDELT|CROTA|NAXIS|PC|CD)(\d+)(?:_(\d+))?")


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
        wcs = WCS(_of_two_axes(cards)).celestial
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
