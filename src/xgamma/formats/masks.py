"""Exclusion masks: FITS images in which a pixel that is not zero may be used for the background."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from xgamma.errors import InputError, MissingInputError
from xgamma.masks import SkyMask

_FRAMES = {"RA": "icrs", "GLON": "galactic"}


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
        with fits.open(path, memmap=False) as hdus:
            for hdu in hdus:
                if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2:
                    return _mask(hdu, path)
    except (OSError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"The exclusion mask {path} cannot be read as FITS: {error}") from None
    raise InputError(f"The exclusion mask {path} holds no image; expected a FITS image with a celestial WCS.")


def _mask(hdu: fits.ImageHDU, path: Path) -> SkyMask:
    pixels = np.asarray(hdu.data)
    if pixels.size != pixels.shape[-1] * pixels.shape[-2]:
        raise InputError(f"The exclusion mask {path} has the shape {pixels.shape}; expected one image plane.")
    wcs = WCS(hdu.header).celestial
    axis = str(wcs.wcs.ctype[0]).split("-")[0]
    if axis not in _FRAMES:
        raise InputError(f"The exclusion mask {path} has the axis {axis!r}; expected RA/DEC or GLON/GLAT.")
    return SkyMask(pixels.reshape(pixels.shape[-2:]) != 0, wcs, _FRAMES[axis])
