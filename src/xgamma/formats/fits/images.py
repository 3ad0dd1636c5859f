"""Images of FITS files through ``astropy.io.fits``, compressed ones included, beside the tables of the same file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy.typing as npt
from astropy.io import fits

from xgamma.errors import InputError
from xgamma.formats.fits.hdus import HduTable, as_table, by_name, cards_of, name_of, native, read_hdus


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
