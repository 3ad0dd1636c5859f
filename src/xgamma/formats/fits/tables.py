"""Headers and binary tables of a FITS file as plain mappings and numpy views of its inflated bytes.

The rows are one structured view, which is several times faster than a table object. Files come from others: what they
claim about sizes is compared with their bytes before memory is spent on it.

Source: FITS standard 4.0, section 4.
"""

from __future__ import annotations

import math
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from xgamma.errors import InputError, MissingHduError, MissingInputError, XgammaError

CARD = 80
_COMMENTARY = ("COMMENT", "HISTORY", "")
Value: TypeAlias = str | bool | int | float | None
Header: TypeAlias = dict[str, Any]
BLOCK = 2880
# Far above what releases hold: the largest known file of one run inflates to some 100 MB, 20 times its size.
LARGEST_FILE = 4 << 30
INFLATED_AT_LEAST, INFLATED_RATIO = 256 << 20, 50
GZIP_MEMBERS, HDUS, HEADER_BLOCKS = 1000, 10_000, 300
_GZIP = b"\x1f\x8b"
_FORMATS = {"L": "i1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}
# Bytes of a value by BITPIX.
_BYTES: dict[Any, int] = {8: 1, 16: 2, 32: 4, 64: 8, -32: 4, -64: 8}
_TFORM = re.compile(r"\s*(\d*)([LXBIJKAEDCMPQ])")
# Formats that are passed over: bytes of one element, and bits of one.
_OPAQUE_BYTES = {"C": 8, "M": 16, "P": 8, "Q": 16}


def parsed_header(content: bytes) -> Header:
    """Return the values of a header by keyword; the first of repeated keywords counts, comments are passed over.

    Parameters
    ----------
    content
        The cards, with or without the END card and what follows it.

    Raises
    ------
    InputError
        For a value that is no text, number or truth.

    Examples
    --------
    >>> parsed_header(b"NAXIS   =                    2 / number of axes".ljust(80) + b"END".ljust(80))
    {'NAXIS': 2}
    """
    header: Header = {}
    last = ""
    for keyword, field in _cards(content.decode("ascii", "replace")):
        if keyword == "CONTINUE" and isinstance(header.get(last), str):
            header[last] = str(header[last]).removesuffix("&") + str(_value(field, last))
        elif field and keyword != "CONTINUE":
            last = keyword
            header.setdefault(keyword, _value(field, keyword))
    return header


def _cards(text: str) -> Iterator[tuple[str, str]]:
    """Yield keyword and value field; the field of a commentary card is empty."""
    for start in range(0, len(text), CARD):
        keyword = text[start : start + 8].rstrip()
        if keyword == "END":
            return
        is_continued = keyword == "CONTINUE"
        has_value = is_continued or (text[start + 8 : start + 10] == "= " and keyword not in _COMMENTARY)
        yield keyword, text[start + (8 if is_continued else 10) : start + CARD] if has_value else ""


def _value(field: str, keyword: str) -> Value:
    word = field.lstrip()
    if word.startswith("'"):
        return _text(word)
    word = word.split("/", 1)[0].strip()
    if word in ("T", "F"):
        return word == "T"
    if not word:
        return None
    try:
        return int(word) if word.lstrip("+-").isdigit() else float(word.upper().replace("D", "E"))
    except ValueError:
        raise InputError(f"The header has {keyword} = {word!r}, which is no text, number or truth.") from None


def whole_number(header: Header, keyword: str, default: int | None = None) -> int:
    """Return a value that counts something; raises ``InputError`` unless it is a whole number from 0."""
    value = header.get(keyword, default)
    if type(value) is not int or value < 0:
        raise InputError(f"The header has {keyword} = {value!r}; expected a whole number from 0.")
    return value


def _text(word: str) -> str:
    """Return a quoted text: two quotes stand for one, trailing blanks do not count."""
    end = word.find("'", 1)
    while end >= 0 and word[end + 1 : end + 2] == "'":
        end = word.find("'", end + 2)
    return word[1 : end if end >= 0 else len(word)].replace("''", "'").rstrip()


@contextmanager
def as_input_error(what: str) -> Iterator[None]:
    """Say in one sentence what numbers and texts of the wrong kind raise in the code that reads them."""
    try:
        yield
    except XgammaError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{what} is not what the format asks for ({reason}). Write or fetch it again.") from error


@dataclass(frozen=True)
class FitsTable:
    """One HDU: its header and, for a binary table, its rows as a structured view."""

    header: Header
    _data: memoryview
    _fill: memoryview

    @property
    def has_more(self) -> bool:
        """Whether something stands behind its last row, where the standard has zeros up to the end of the block."""
        return bool(bytes(self._fill).strip(b"\0"))

    @property
    def name(self) -> str:
        """The EXTNAME in upper case, empty where there is none."""
        return str(self.header.get("EXTNAME", "")).strip().upper()

    @property
    def is_binary(self) -> bool:
        """Whether it is a binary table."""
        return str(self.header.get("XTENSION", "")).strip().upper() == "BINTABLE"

    @cached_property
    def columns(self) -> dict[str, str]:
        """The unit string of each column, by upper-case name."""
        with as_input_error(f"The header of HDU {self.name!r}"):
            numbers = range(1, whole_number(self.header, "TFIELDS", 0) + 1)
            names = {n: str(self.header[f"TTYPE{n}"]).strip().upper() for n in numbers}
        return {name: str(self.header.get(f"TUNIT{n}") or "") for n, name in names.items()}

    @cached_property
    def rows(self) -> npt.NDArray[Any]:
        """All rows as one structured array, column names in upper case."""
        with as_input_error(f"The header of HDU {self.name!r}"):
            dtype = _row_dtype(self.header)
        count, width = whole_number(self.header, "NAXIS2"), whole_number(self.header, "NAXIS1")
        if dtype.itemsize != width:
            raise InputError(
                f"HDU {self.name!r}: its columns add up to {dtype.itemsize} bytes a row, NAXIS1 says {width}."
            )
        if width == 0 or count * width > len(self._data):
            raise InputError(
                f"HDU {self.name!r}: {count} rows of {width} bytes are not in its {len(self._data)} bytes."
            )
        return np.frombuffer(self._data, dtype=dtype, count=count)

    @property
    def readable(self) -> list[str]:
        """The names of the columns that ``column`` returns: not bits, complex numbers and arrays of varying size."""
        return [name for name in self.columns if self.rows.dtype[name].base.kind != "V"]

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return one column in native byte order, scaled by TSCAL and TZERO; text is stripped.

        Raises
        ------
        InputError
            When the table has no such column.
        """
        if name not in self.columns:
            raise InputError(f"HDU {self.name!r} has no column {name!r}; it has {', '.join(self.columns)}.")
        with as_input_error(f"Column {name!r} of HDU {self.name!r}"):
            return self._scaled(name, self.rows[name])

    def _scaled(self, name: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if values.dtype.kind == "V":
            raise InputError(f"Column {name!r} of HDU {self.name!r} holds no numbers or texts of fixed size.")
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


def validate_datasum(table: FitsTable, path: object) -> None:
    """Raise ``InputError`` where an HDU says what its data add up to, in DATASUM, and they do not.

    Source: FITS standard 4.0, section 4.4.2.7.
    """
    said = str(table.header.get("DATASUM", "")).strip()
    if said.isdigit() and int(said) != _datasum(table._data):
        raise InputError(
            f"{path} is damaged: the data of HDU {table.name!r} do not add up to its DATASUM. Fetch it again."
        )


def _datasum(data: memoryview) -> int:
    """Return the ones' complement sum of big-endian 32-bit words; zeros fill up the last."""
    end = len(data) - len(data) % 4
    total = int(np.frombuffer(data[:end], ">u4").sum(dtype=np.uint64))
    total += int.from_bytes(bytes(data[end:]).ljust(4, b"\0"), "big")
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def _row_dtype(header: Header) -> np.dtype[Any]:
    fields: list[tuple[Any, ...]] = []
    for number in range(1, whole_number(header, "TFIELDS") + 1):
        name, form = str(header[f"TTYPE{number}"]).strip().upper(), str(header[f"TFORM{number}"])
        match = _TFORM.match(form)
        if match is None:
            raise InputError(f"Column {name!r} has the format {form!r}, which is none of a FITS table.")
        repeat = int(match[1] or 1)
        if match[2] not in {*_FORMATS, "A"}:
            size = -(-repeat // 8) if match[2] == "X" else repeat * _OPAQUE_BYTES[match[2]]
            fields.append((name, f"V{size}"))
            continue
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
    """Return the bytes of a file as they are.

    Raises
    ------
    MissingInputError
        Where there is none.
    InputError
        When it is a folder or a device, larger than ``LARGEST_FILE``, or may not be read.
    """
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST_FILE:
            return path.read_bytes()
    except FileNotFoundError:
        raise MissingInputError(
            f"There is no file {path}. Check the index of the release, or fetch the file."
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    raise InputError(f"{path} is not read: expected a regular file of at most {LARGEST_FILE >> 20} MB.")


def inflated(raw: bytes, path: object) -> bytes:
    """Return the bytes of a FITS file, inflated when they are gzip; the ending of the name does not matter.

    Raises ``InputError`` for damaged gzip, and for gzip that inflates to more than ``largest_content``.
    """
    if raw[:2] != _GZIP:
        return raw
    members, rest, left = list[bytes](), raw, largest_content(len(raw))
    while rest[:2] == _GZIP:
        inflater = zlib.decompressobj(wbits=31)
        try:
            members.append(inflater.decompress(rest, left + 1))
        except zlib.error as error:
            raise InputError(f"{path} is not readable gzip ({error}). Fetch or copy it again.") from None
        left -= len(members[-1])
        if left < 0 or len(members) > GZIP_MEMBERS:
            raise InputError(
                f"{path} is not inflated: its {len(raw)} bytes hold more than {largest_content(len(raw)) >> 20} MB or "
                f"{GZIP_MEMBERS} members. Where that is meant, inflate it with gunzip."
            )
        if not inflater.eof:
            raise InputError(f"{path} is a truncated gzip file. Fetch or copy it again.")
        rest = inflater.unused_data
    return members[0] if len(members) == 1 else b"".join(members)


def largest_content(size: int) -> int:
    """Return how many bytes a compressed file of ``size`` bytes may stand for."""
    return min(LARGEST_FILE, max(INFLATED_AT_LEAST, INFLATED_RATIO * size))


def read_tables(path: Path, *, raw: bytes | None = None) -> list[FitsTable]:
    """Return the HDUs of a FITS file in their order; ``raw`` are its bytes where they were read already."""
    return tables_of(read_raw(path) if raw is None else raw, path)


def tables_of(raw: bytes, path: object) -> list[FitsTable]:
    """Return the HDUs in the bytes of a FITS file; ``path`` is what sentences call it, a path or a url.

    Raises ``InputError`` for what is no FITS file, or breaks off.
    """
    content = inflated(raw, path)
    if not content.startswith(b"SIMPLE"):
        raise InputError(f"{path} is not a FITS file: it does not begin with SIMPLE.")
    return list(_hdus(content, path))


def _hdus(content: bytes, path: object) -> Iterator[FitsTable]:
    view, position, number = memoryview(content), 0, 0
    while position < len(content):
        number += 1
        if number > HDUS:
            raise InputError(f"{path} has more than {HDUS} HDUs. Split it into several files.")
        end = _header_end(content, position, path)
        header = parsed_header(content[position:end])
        size = _data_size(header)
        if end + size > len(content):
            raise InputError(f"{path} is truncated: HDU {header.get('EXTNAME', 'PRIMARY')!r} ends after the file does.")
        position = end + -(-size // BLOCK) * BLOCK
        yield FitsTable(header, view[end : end + size], view[end + size : position])


def _header_end(content: bytes, start: int, path: object) -> int:
    position = start
    while position < min(len(content), start + HEADER_BLOCKS * BLOCK):
        block = content[position : position + BLOCK]
        position += BLOCK
        if any(block[card : card + 8] == b"END     " for card in range(0, len(block), CARD)):
            return position
    if position < len(content):
        raise InputError(f"{path} has a header that does not end within {HEADER_BLOCKS * BLOCK // CARD} cards.")
    raise InputError(f"{path} is truncated inside a header.")


def _data_size(header: Header) -> int:
    axes = [whole_number(header, f"NAXIS{n}") for n in range(1, whole_number(header, "NAXIS") + 1)]
    cells = math.prod(axes) if axes else 0
    width = _BYTES.get(header.get("BITPIX"))
    if width is None:
        raise InputError(f"The header has BITPIX = {header.get('BITPIX')!r}; expected one of {list(_BYTES)}.")
    return width * whole_number(header, "GCOUNT", 1) * (whole_number(header, "PCOUNT", 0) + cells)


def table_named(tables: list[FitsTable], name: str, path: object) -> FitsTable:
    """Return the HDU of that EXTNAME, compared without case; raises ``MissingHduError`` where there is none."""
    for table in tables:
        if table.name == name.strip().upper():
            return table
    raise MissingHduError(f"{path} has no HDU {name!r}; it has {', '.join(t.name or 'PRIMARY' for t in tables)}.")
