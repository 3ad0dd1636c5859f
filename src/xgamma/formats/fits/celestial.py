"""The celestial WCS of an image and its frame, read from a header and written into one."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS

from xgamma.errors import InputError
from xgamma.formats.fits.tables import as_input_error

FRAMES = {"RA": "icrs", "GLON": "galactic"}
# FK5 at J2000 and ICRS agree to 0.02 arcsec.
_EQUATORIAL = ("", "ICRS", "FK5")
_J2000 = 2000.0
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
        names = [str(name).split("-")[0] for name in wcs.wcs.ctype]
        system, equinox = str(wcs.wcs.radesys).strip().upper(), float(wcs.wcs.equinox)
    axis = names[0] if names else ""
    if axis not in FRAMES:
        raise InputError(f"{where} has the axis {axis!r}; expected RA/DEC or GLON/GLAT.")
    if axis == "RA" and (system not in _EQUATORIAL or (np.isfinite(equinox) and equinox != _J2000)):
        raise InputError(f"{where} is in {system} {equinox:g}; expected ICRS or FK5 at J2000.")
    return wcs, FRAMES[axis]


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
