"""Binary tables of a FITS file as numpy views of its inflated bytes.

The rows are one structured view, which is several times faster than a table object.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xgamma.errors import InputError, MissingInputError
from xgamma.formats.fits_header import CARD, Header, parsed_header

BLOCK = 2880
_FORMATS = {"L": "i1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}
_TFORM = re.compile(r"\s*(\d*)([LXBIJKAEDCMPQ])")


@dataclass(frozen=True)
class FitsTable:
    """One HDU: its header and, for a binary table, its rows as a structured view."""

    header: Header
    _data: memoryview

    @property
    def name(self) -> str:
        """The EXTNAME in upper case, empty where there is none."""
        return str(self.header.get("EXTNAME", "")).strip().upper()

    @cached_property
    def columns(self) -> dict[str, str]:
        """The unit string of each column, by upper-case name."""
        count = int(self.header.get("TFIELDS", 0))
        numbers = range(1, count + 1)
        return {str(self.header[f"TTYPE{n}"]).strip().upper(): str(self.header.get(f"TUNIT{n}", "")) for n in numbers}

    @cached_property
    def rows(self) -> npt.NDArray[Any]:
        """All rows as one structured array, column names in upper case."""
        dtype = _row_dtype(self.header)
        count, width = int(self.header["NAXIS2"]), int(self.header["NAXIS1"])
        if dtype.itemsize != width:
            raise InputError(
                f"HDU {self.name!r}: its columns add up to {dtype.itemsize} bytes a row, NAXIS1 says {width}."
            )
        return np.frombuffer(self._data, dtype=dtype, count=count)

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return one column in native byte order, scaled by TSCAL and TZERO; text is stripped.

        Raises
        ------
        InputError
            When the table has no such column.
        """
        if name not in self.columns:
            raise InputError(f"HDU {self.name!r} has no column {name!r}; it has {', '.join(self.columns)}.")
        values = self.rows[name]
        if values.dtype.kind == "S":
            return np.char.strip(np.char.decode(values, "ascii", "replace"))
        number = list(self.columns).index(name) + 1
        native = values.astype(values.dtype.newbyteorder("="), copy=False)
        scale, zero = self.header.get(f"TSCAL{number}", 1), self.header.get(f"TZERO{number}", 0)
        if (scale, zero) == (1, 0):
            return native
        if native.dtype.kind in "iu" and scale == 1 and float(zero).is_integer():
            return np.asarray(native.astype(np.int64) + int(zero))
        return np.asarray(native * scale + zero)


def _row_dtype(header: Header) -> np.dtype[Any]:
    fields: list[tuple[Any, ...]] = []
    for number in range(1, int(header["TFIELDS"]) + 1):
        name, form = str(header[f"TTYPE{number}"]).strip().upper(), str(header[f"TFORM{number}"])
        match = _TFORM.match(form)
        if match is None or match[2] not in {*_FORMATS, "A"}:
            raise InputError(f"Column {name!r} has the format {form!r}; scalars and fixed arrays are read.")
        repeat = int(match[1] or 1)
        if match[2] == "A":
            fields.append((name, f"S{repeat}") if repeat else (name, "S1", (0,)))
            continue
        shape = _shape(str(header.get(f"TDIM{number}", "")), repeat)
        fields.append((name, _FORMATS[match[2]], shape) if shape else (name, _FORMATS[match[2]]))
    return np.dtype(fields)


def _shape(tdim: str, repeat: int) -> tuple[int, ...]:
    if tdim:
        return tuple(int(size) for size in reversed(tdim.strip("() ").split(",")))
    return () if repeat == 1 else (repeat,)


def read_raw(path: Path) -> bytes:
    """Return the bytes of a file as they are; raises ``MissingInputError`` where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise MissingInputError(
            f"There is no file {path}. Check the index of the release, or fetch the file."
        ) from None


def inflated(raw: bytes, path: Path) -> bytes:
    """Return the bytes of a FITS file, inflated when they are gzip; the ending of the name does not matter."""
    if raw[:2] != b"\x1f\x8b":
        return raw
    members, rest = list[bytes](), raw
    while rest[:2] == b"\x1f\x8b":
        inflater = zlib.decompressobj(wbits=31)
        try:
            members.append(inflater.decompress(rest))
        except zlib.error as error:
            raise InputError(f"{path} is not readable gzip ({error}). Fetch or copy it again.") from None
        if not inflater.eof:
            raise InputError(f"{path} is a truncated gzip file. Fetch or copy it again.")
        rest = inflater.unused_data
    return members[0] if len(members) == 1 else b"".join(members)


def read_tables(path: Path, *, raw: bytes | None = None) -> list[FitsTable]:
    """Return the HDUs of a FITS file in their order; ``raw`` are its bytes where they were read already."""
    content = inflated(read_raw(path) if raw is None else raw, path)
    if not content.startswith(b"SIMPLE"):
        raise InputError(f"{path} is not a FITS file: it does not begin with SIMPLE.")
    return list(_hdus(content, path))


def _hdus(content: bytes, path: Path) -> Iterator[FitsTable]:
    view, position = memoryview(content), 0
    while position < len(content):
        end = _header_end(content, position, path)
        header = parsed_header(content[position:end])
        size = _data_size(header)
        if end + size > len(content):
            raise InputError(f"{path} is truncated: HDU {header.get('EXTNAME', 'PRIMARY')!r} ends after the file does.")
        yield FitsTable(header, view[end : end + size])
        position = end + -(-size // BLOCK) * BLOCK


def _header_end(content: bytes, start: int, path: Path) -> int:
    position = start
    while position < len(content):
        block = content[position : position + BLOCK]
        position += BLOCK
        if any(block[card : card + 8] == b"END     " for card in range(0, len(block), CARD)):
            return position
    raise InputError(f"{path} is truncated inside a header.")


def _data_size(header: Header) -> int:
    axes = [int(header[f"NAXIS{n}"]) for n in range(1, int(header["NAXIS"]) + 1)]
    cells = int(np.prod(axes)) if axes else 0
    return abs(int(header["BITPIX"])) // 8 * int(header.get("GCOUNT", 1)) * (int(header.get("PCOUNT", 0)) + cells)


def table_named(tables: list[FitsTable], name: str, path: Path) -> FitsTable:
    """Return the HDU of that EXTNAME, compared without case."""
    for table in tables:
        if table.name == name.strip().upper():
            return table
    raise InputError(f"{path} has no HDU {name!r}; it has {', '.join(t.name or 'PRIMARY' for t in tables)}.")
