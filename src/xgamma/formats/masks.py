"""Exclusion masks: FITS images in which a pixel that is not zero may be used for the background."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from xgamma.errors import InputError, MissingInputError
from xgamma.formats.fits.hdus import UNREADABLE
from xgamma.formats.fits.tables import inflated, largest_content, read_raw, read_tables
from xgamma.masks import SkyMask

_FRAMES = {"RA": "icrs", "GLON": "galactic"}
# FK5 at J2000 is the ICRS to 0.03 arcsec.
_EQUATORIAL = ("", "ICRS", "FK5")
J2000 = 2000.0


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
