"""Writing GADF FITS: events, good time, responses and index tables, encoded from plain arrays.

Source: "Data formats for gamma-ray astronomy", version 0.3. A file is encoded in one pass, without table objects: the
headers are cards and the rows one structured array, so that ten thousand small files cost seconds.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xgamma.axes import Axis, FloatArray
from xgamma.errors import DataError
from xgamma.formats.fits.tables import BLOCK, CARD
from xgamma.formats.gadf.layouts import AXES, EVENT_COLUMNS, LAYOUTS, Layout
from xgamma.formats.local_files import write_inside

GZIP_LEVEL = 4
INDEX_FILES = ("obs-index.fits.gz", "hdu-index.fits.gz")
HeaderValue = str | int | float | bool
_FORMATS = {"i2": "I", "i4": "J", "i8": "K", "f4": "E", "f8": "D"}
_DOCUMENT = {
    "HDUCLASS": "GADF",
    "HDUDOC": "https://github.com/open-gamma-ray-astro/gamma-astro-data-formats",
    "HDUVERS": "0.3",
}


@dataclass(frozen=True)
class Column:
    """One column: ``values`` of shape (row, ...), in the number type that the file gets."""

    name: str
    values: npt.NDArray[Any]
    unit: str = ""


@dataclass(frozen=True)
class Hdu:
    """A binary table that is not encoded yet."""

    name: str
    columns: Sequence[Column]
    header: Mapping[str, HeaderValue] = field(default_factory=dict)


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


def text_values(texts: Sequence[str]) -> npt.NDArray[np.bytes_]:
    """Return texts as a column of the width of the longest; raises ``DataError`` where one is not ASCII."""
    for text in texts:
        if not text.isascii():
            raise DataError(f"FITS holds ASCII text only, got {text!r}.")
    return np.array([text.encode("ascii") for text in texts], dtype=f"S{max([1, *map(len, texts)])}")


def hdu_bytes(hdu: Hdu) -> bytes:
    """Return the encoded HDU: header and rows, each padded to whole FITS blocks."""
    dtypes = [_row_type(column.values) for column in hdu.columns]
    record = np.dtype([(column.name, *kind) for column, kind in zip(hdu.columns, dtypes, strict=True)])
    rows = np.empty(len(hdu.columns[0].values), record)
    for column in hdu.columns:
        rows[column.name] = column.values
    cards: dict[str, HeaderValue] = {
        "XTENSION": "BINTABLE",
        "BITPIX": 8,
        "NAXIS": 2,
        "NAXIS1": record.itemsize,
        "NAXIS2": len(rows),
        "PCOUNT": 0,
        "GCOUNT": 1,
        "TFIELDS": len(hdu.columns),
    }
    for number, column in enumerate(hdu.columns, start=1):
        cards |= _column_cards(number, column)
    content = rows.tobytes()
    return header_bytes({**cards, "EXTNAME": hdu.name, **hdu.header}) + content + b"\0" * (-len(content) % BLOCK)


def _row_type(values: npt.NDArray[Any]) -> tuple[str, tuple[int, ...]]:
    return (values.dtype.newbyteorder(">").str, values.shape[1:])


def _column_cards(number: int, column: Column) -> dict[str, HeaderValue]:
    values = column.values
    size = int(np.prod(values.shape[1:], dtype=int))
    text = values.dtype.kind == "S"
    form = f"{values.dtype.itemsize}A" if text else f"{size}{_FORMATS[values.dtype.str[1:]]}"
    cards: dict[str, HeaderValue] = {f"TTYPE{number}": column.name, f"TFORM{number}": form}
    if column.unit:
        cards[f"TUNIT{number}"] = column.unit
    if values.ndim > 2:
        cards[f"TDIM{number}"] = f"({','.join(str(size) for size in reversed(values.shape[1:]))})"
    return cards


def header_bytes(cards: Mapping[str, HeaderValue]) -> bytes:
    """Return header cards, closed by END and padded to whole FITS blocks."""
    text = "".join(_card(key, value) for key, value in cards.items()) + "END".ljust(CARD)
    return text.encode("ascii").ljust(-(-len(text) // BLOCK) * BLOCK)


def _card(key: str, value: HeaderValue) -> str:
    if isinstance(value, str):
        quoted = value.replace("'", "''")
        shown = f"'{quoted:<8}'"
    elif isinstance(value, bool):
        shown = f"{'T' if value else 'F':>20}"
    else:
        shown = f"{value!s:>20}".upper() if np.isfinite(value) else ""
    if not shown or not shown.isascii() or len(shown) > CARD - 10:
        raise DataError(f"Keyword {key} holds a finite number or at most 68 ASCII characters, got {value!r}.")
    return f"{key:<8}= {shown}".ljust(CARD)


PRIMARY = header_bytes({"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True})


def write_fits(path: Path, encoded: Iterable[bytes]) -> int:
    """Write encoded HDUs behind an empty primary HDU into a ``new_folder`` and return the size of the file.

    A name that ends in ``.gz`` is compressed, as one gzip member without a date: the same HDUs are the same bytes.
    """
    content = b"".join([PRIMARY, *encoded])
    if path.suffix == ".gz":
        deflater = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)
        content = deflater.compress(content) + deflater.flush()
    return write_inside(path, content)


def write_index(folder: Path, obs_index: Hdu, hdu_index: Hdu) -> None:
    """Write the two index files that make a ``new_folder`` a release."""
    for name, index in zip(INDEX_FILES, (obs_index, hdu_index), strict=True):
        write_fits(folder / name, [hdu_bytes(index)])
