"""Writing GADF FITS: events, good time, responses and index tables, encoded from plain arrays.

Source: "Data formats for gamma-ray astronomy", version 0.3.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xgamma.axes import Axis, FloatArray
from xgamma.errors import DataError
from xgamma.formats.fits.encoding import PRIMARY, Column, Hdu, HeaderValue, hdu_bytes, header_bytes, text_values
from xgamma.formats.gadf.layouts import AXES, EVENT_COLUMNS, LAYOUTS, Layout
from xgamma.formats.local_files import write_inside

GZIP_LEVEL = 4
INDEX_FILES = ("obs-index.fits.gz", "hdu-index.fits.gz")
_DOCUMENT = {
    "HDUCLASS": "GADF",
    "HDUDOC": "https://github.com/open-gamma-ray-astro/gamma-astro-data-formats",
    "HDUVERS": "0.3",
}


def events_hdu(columns: Mapping[str, npt.NDArray[Any]], header: Mapping[str, HeaderValue]) -> Hdu:
    """Return the EVENTS table; columns are in the units of ``EVENT_COLUMNS``, times since MJDREF, others as given."""
    table = [Column(name, values, EVENT_COLUMNS.get(name, "")) for name, values in columns.items()]
    return Hdu("EVENTS", table, {**_DOCUMENT, "HDUCLAS1": "EVENTS", **header})


def gti_hdu(gti: FloatArray, header: Mapping[str, HeaderValue]) -> Hdu:
    """Return the GTI table of good time of shape (n, 2), in s since the MJDREF of ``header``."""
    table = [Column("START", gti[:, 0], "s"), Column("STOP", gti[:, 1], "s")]
    return Hdu("GTI", table, {**_DOCUMENT, "HDUCLAS1": "GTI", **header})


def irf_hdu(
    kind: str, axes: Sequence[Axis], values: Mapping[str, FloatArray], header: Mapping[str, HeaderValue] | None = None
) -> Hdu:
    """Return the table of one response, in single precision as instruments publish it.

    Parameters
    ----------
    kind
        An HDU class of ``LAYOUTS``.
    axes
        The axes in the order of ``LAYOUTS[kind].orders[0]``; an axis given by its nodes is written with LO = HI.
    values
        The arrays by variable name, each of the shape of the axes, in ``LAYOUTS[kind].file_units``.
    header
        More keywords, for example LO_THRES or HDUCLAS3; full enclosure unless it says otherwise.

    Raises
    ------
    DataError
        When axes or shapes are not those of the layout.
    """
    layout = LAYOUTS[kind]
    _validate_response(layout, axes, values)
    columns = []
    for axis in axes:
        low, high = (axis.edges[:-1], axis.edges[1:]) if axis.nodes is None else (axis.center, axis.center)
        name = AXES[axis.name].prefixes[0]
        columns += [Column(f"{name}_{end}", _one_row(side), axis.unit) for end, side in (("LO", low), ("HI", high))]
    for variable, unit in layout.file_units.items():
        columns.append(Column(layout.columns[variable].names[0], _one_row(values[variable].T), unit))
    classes = {"HDUCLAS1": "RESPONSE", "HDUCLAS2": layout.hduclas2, "HDUCLAS3": "FULL-ENCLOSURE"}
    return Hdu(layout.role.upper(), columns, {**_DOCUMENT, **classes, "HDUCLAS4": kind.upper(), **(header or {})})


def _validate_response(layout: Layout, axes: Sequence[Axis], values: Mapping[str, FloatArray]) -> None:
    names, shape = tuple(axis.name for axis in axes), tuple(axis.nbin for axis in axes)
    if names != layout.orders[0]:
        raise DataError(f"{layout.kind} has the axes {', '.join(layout.orders[0])}; got {', '.join(names)}.")
    for variable in layout.columns:
        if variable not in values or values[variable].shape != shape:
            got = f"shape {values[variable].shape}" if variable in values else "nothing"
            raise DataError(f"{layout.kind}: expected {variable!r} of shape {shape}, got {got}.")


def _one_row(values: FloatArray) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(values, dtype=np.float32)[None]


def obs_index_hdu(columns: Sequence[Column], header: Mapping[str, HeaderValue]) -> Hdu:
    """Return the observation index: one row a run, at least OBS_ID, RA_PNT, DEC_PNT, TSTART and TSTOP."""
    return Hdu("OBS_INDEX", columns, {**_DOCUMENT, "HDUCLAS1": "INDEX", "HDUCLAS2": "OBS", **header})


@dataclass(frozen=True)
class IndexedHdu:
    """One row of the HDU index: where one HDU of a run is."""

    obs_id: int
    hdu_type: str
    hdu_class: str
    file_dir: str
    file_name: str
    hdu_name: str
    size: int


def hdu_index_hdu(rows: Sequence[IndexedHdu]) -> Hdu:
    """Return the HDU index, which says in which file and HDU each product of each run is."""
    texts = ("hdu_type", "hdu_class", "file_dir", "file_name", "hdu_name")
    columns = [
        Column("OBS_ID", np.array([row.obs_id for row in rows], dtype=np.int64)),
        *(Column(name.upper(), text_values([getattr(row, name) for row in rows])) for name in texts),
        Column("SIZE", np.array([row.size for row in rows], dtype=np.int64)),
    ]
    return Hdu("HDU_INDEX", columns, {**_DOCUMENT, "HDUCLAS1": "INDEX", "HDUCLAS2": "HDU"})


def write_fits(path: Path, encoded: Iterable[bytes]) -> int:
    """Write encoded HDUs behind an empty primary HDU into a ``new_folder`` and return the size of the file.

    A name that ends in ``.gz`` is compressed, as one gzip member without a date: the same HDUs are the same bytes.
    """
    content = b"".join([header_bytes(PRIMARY), *encoded])
    if path.suffix == ".gz":
        deflater = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)
        content = deflater.compress(content) + deflater.flush()
    return write_inside(path, content)


def write_index(folder: Path, obs_index: Hdu, hdu_index: Hdu) -> None:
    """Write the two index files that make a ``new_folder`` a release."""
    for name, index in zip(INDEX_FILES, (obs_index, hdu_index), strict=True):
        write_fits(folder / name, [hdu_bytes(index)])
