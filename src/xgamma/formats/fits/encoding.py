"""Binary tables as FITS, encoded from plain arrays: headers are cards, and the rows one structured array.

No table objects are made: they take most of the time of a small file, and ten thousand of them are seconds this way.

Source: FITS standard 4.0, sections 4 and 7.3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from xgamma.errors import DataError
from xgamma.formats.fits.tables import BLOCK, CARD

HeaderValue: TypeAlias = str | int | float | bool
Cards: TypeAlias = Mapping[str, HeaderValue | tuple[HeaderValue, str]]
WITHOUT_VALUE = ("", "COMMENT", "HISTORY", "CONTINUE", "HIERARCH", "END")
"""Keywords whose cards mean something else than a value."""
_FORMATS = {"u1": "B", "i2": "I", "i4": "J", "i8": "K", "f4": "E", "f8": "D"}


@dataclass(frozen=True)
class Column:
    """One column: ``values`` of shape (row, ...), in the number type that the file gets; texts are bytes.

    Objects are arrays of varying length, one a row.
    """

    name: str
    values: npt.NDArray[Any]
    unit: str = ""


@dataclass(frozen=True)
class Hdu:
    """A binary table that is not encoded yet; a value of its header may have a comment."""

    name: str
    columns: Sequence[Column]
    header: Cards = field(default_factory=dict)


def text_values(texts: Sequence[str]) -> npt.NDArray[np.bytes_]:
    """Return texts as a column of the width of the longest; raises ``DataError`` where one is not ASCII."""
    for text in texts:
        if not text.isascii():
            raise DataError(f"FITS holds ASCII text only, got {text!r}.")
    return np.array([text.encode("ascii") for text in texts], dtype=f"S{max([1, *map(len, texts)])}")


def hdu_bytes(hdu: Hdu) -> bytes:
    """Return the encoded HDU: header and rows, each padded to whole FITS blocks."""
    heap = bytearray()
    stored = [_in_heap(each.values, heap) if each.values.dtype.kind == "O" else _stored(each) for each in hdu.columns]
    record = np.dtype(
        [(each.name, values.dtype, values.shape[1:]) for each, values in zip(hdu.columns, stored, strict=True)]
    )
    rows = np.empty(len(stored[0]), record)
    for column, values in zip(hdu.columns, stored, strict=True):
        rows[column.name] = values
    cards: dict[str, HeaderValue | tuple[HeaderValue, str]] = {
        "XTENSION": "BINTABLE",
        "BITPIX": 8,
        "NAXIS": 2,
        "NAXIS1": record.itemsize,
        "NAXIS2": len(rows),
        "PCOUNT": len(heap),
        "GCOUNT": 1,
        "TFIELDS": len(hdu.columns),
    }
    for number, column in enumerate(hdu.columns, start=1):
        cards |= _column_cards(number, column)
    content = rows.tobytes() + heap
    named: Cards = {"EXTNAME": hdu.name} if hdu.name else {}
    return header_bytes({**cards, **named, **hdu.header}) + content + b"\0" * (-len(content) % BLOCK)


def _stored(column: Column) -> npt.NDArray[Any]:
    """Return values as they stand in the file: truths are letters, numbers big-endian."""
    if column.values.dtype.kind == "b":
        return np.where(column.values, np.uint8(ord("T")), np.uint8(ord("F")))
    return column.values.astype(column.values.dtype.newbyteorder(">"), copy=False)


def _in_heap(values: npt.NDArray[Any], heap: bytearray) -> npt.NDArray[Any]:
    """Append arrays to what stands behind the rows; return how many numbers each has, and where."""
    places = np.empty((len(values), 2), ">i4")
    for place, each in zip(places, values, strict=True):
        place[:] = len(each), len(heap)
        heap += each.astype(each.dtype.newbyteorder(">")).tobytes()
    return places


def _column_cards(number: int, column: Column) -> dict[str, HeaderValue]:
    values = column.values
    cards: dict[str, HeaderValue] = {f"TTYPE{number}": column.name, f"TFORM{number}": _format(values)}
    if column.unit:
        cards[f"TUNIT{number}"] = column.unit
    # An array of one number in each row would otherwise come back as that number.
    if values.ndim > 2 or values.shape[1:] == (1,):
        cards[f"TDIM{number}"] = f"({','.join(str(size) for size in reversed(values.shape[1:]))})"
    return cards


def _format(values: npt.NDArray[Any]) -> str:
    match values.dtype.kind:
        case "O":
            return f"1P{_FORMATS[values[0].dtype.str[1:]]}({max(len(each) for each in values)})"
        case "S":
            return f"{values.dtype.itemsize}A"
        case kind:
            return f"{math.prod(values.shape[1:])}{'L' if kind == 'b' else _FORMATS[values.dtype.str[1:]]}"


def header_bytes(cards: Cards) -> bytes:
    """Return header cards, closed by END and padded to whole FITS blocks.

    Raises ``DataError`` for what no card can hold.
    """
    text = "".join(_card(key.upper(), value) for key, value in cards.items()) + "END".ljust(CARD)
    return text.encode("ascii").ljust(-(-len(text) // BLOCK) * BLOCK)


def _card(key: str, given: HeaderValue | tuple[HeaderValue, str]) -> str:
    if key in WITHOUT_VALUE:
        raise DataError(f"A value of a FITS header has a name of its own, got {key!r}. Give it another one.")
    value, comment = given if isinstance(given, tuple) else (given, "")
    shown = _shown(value)
    if not shown or not (shown.isascii() and shown.isprintable()):
        raise DataError(f"Keyword {key} holds a finite number or printable ASCII, got {value!r}.")
    # Longer keywords are a convention that all readers know.
    start = f"{key:<8}= " if len(key) <= 8 else f"HIERARCH {key} = "
    if len(start) + len(shown) > CARD and isinstance(value, str):
        return _long_card(start, shown[1:-1])
    return f"{start}{shown:<20}{comment and f' / {comment}'}"[:CARD].ljust(CARD)


def _shown(value: HeaderValue) -> str:
    if isinstance(value, str):
        quoted = value.replace("'", "''")
        return f"'{quoted:<8}'"
    if isinstance(value, bool | np.bool_):
        return f"{'T' if value else 'F':>20}"
    return f"{value!s:>20}".upper() if np.isfinite(value) else ""


def _long_card(start: str, quoted: str) -> str:
    """Return the cards of a quoted text that is too long for one; two quotes that stand for one stay together."""
    cards = []
    while quoted:
        width = CARD - len(start) - 3 if len(quoted) > CARD - len(start) - 2 else len(quoted)
        part = quoted[:width]
        if (len(part) - len(part.rstrip("'"))) % 2:
            part = part[:-1]
        quoted = quoted[len(part) :]
        cards.append(f"{start}'{part}{'&' if quoted else ''}'".ljust(CARD))
        start = "CONTINUE  "
    return "".join(cards)


PRIMARY: Cards = {"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True}
"""The header of a file that begins with no pixels."""
