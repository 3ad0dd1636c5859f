"""Binary tables of small files, read through ``astropy.io.fits``, variable-length columns included; files of tables.

Tables in ECSV are read as the same.
"""

from __future__ import annotations

import gzip
import io
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import astropy
import numpy as np
import numpy.typing as npt
from astropy.io import fits
from astropy.time import Time
from astropy.utils.exceptions import AstropyWarning

from xgamma.axes import Axis, FloatArray
from xgamma.errors import InputError, MissingInputError, XgammaError
from xgamma.formats.fits.encoding import PRIMARY, Cards, Column, Hdu, hdu_bytes, header_bytes
from xgamma.formats.fits.tables import BLOCK, inflated, largest_content, read_raw, read_tables
from xgamma.times import DEFAULT_MJDREF, mjdref_from_header
from xgamma.units import unit_factor

if TYPE_CHECKING:
    from astropy import table as tables


# What astropy raises for headers and data that are not what they say, beside an error of its own.
UNREADABLE = (
    OSError, ValueError, TypeError, LookupError, EOFError, ArithmeticError, AssertionError, AttributeError,
    AstropyWarning,
)  # fmt: skip
ECSV = b"# %ECS"
"""What a file with a table in ECSV begins with."""


class _Hdu(Protocol):
    """What has a name and a number in a file."""

    @property
    def name(self) -> str: ...

    @property
    def number(self) -> int: ...


Made = TypeVar("Made")
Named = TypeVar("Named", bound=_Hdu)


@dataclass(frozen=True)
class HduTable:
    """One binary table: where it came from, its header, its columns by upper-case name, their units, its place."""

    path: Path
    name: str
    header: Mapping[str, Any]
    columns: Mapping[str, npt.NDArray[Any]]
    units: Mapping[str, str]
    number: int = 0

    @property
    def where(self) -> str:
        """What sentences about the table begin with."""
        return f"{self.path}: HDU {self.name!r}"

    def __contains__(self, column: str) -> bool:
        return column.upper() in self.columns

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return one column as stored, rows first; raises ``InputError`` when it is not there."""
        if name.upper() not in self.columns:
            raise InputError(f"{self.where} has no column {name!r}; it has {', '.join(self.columns)}.")
        return self.columns[name.upper()]

    def numbers(self, name: str, unit: str | None = None, without: str = "") -> FloatArray:
        """Return one column as float64.

        Parameters
        ----------
        name
            The column.
        unit
            What to convert to; ``None`` leaves the numbers as they are.
        without
            The unit of a column that has none: by default ``unit``.

        Raises
        ------
        InputError
            When there is no such column, it holds no numbers, or its unit is of another dimension.
        """
        where = f"{self.path}: column {name!r}"
        try:
            values = np.asarray(self.column(name), dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError(f"{where} holds no plain numbers. Write it as a column of numbers.") from None
        return (
            values if unit is None else values * unit_factor(self.units[name.upper()].strip() or without, unit, where)
        )


def table_of_columns(table: tables.Table, path: Path, name: str) -> HduTable:
    """Return a table of astropy as plain arrays: what is masked is NaN, false or an empty text, times are MJD (TT)."""
    plain = astropy.table.Table(table, copy=False)
    times = {column.upper(): plain[column] for column in plain.colnames if isinstance(plain[column], Time)}
    columns = {column.upper(): _filled(plain[column]) for column in plain.colnames if column.upper() not in times}
    units = {column.upper(): str(getattr(plain[column], "unit", None) or "") for column in plain.colnames}
    said = {"MJDREFI": 0, "MJDREFF": 0.0, "TIMESYS": "tt", "TIMEUNIT": "d"} if times else {}
    columns |= {column: np.asarray(values.tt.mjd) for column, values in times.items()}
    return HduTable(path, name, {**table.meta, **said}, columns, units | dict.fromkeys(times, "d"))


def _filled(column: Any) -> npt.NDArray[Any]:
    values: Any = np.ma.asarray(column)
    if values.dtype.kind in "iu" and np.ma.is_masked(values):
        values = values.astype(np.float64)
    empty: Any = {"f": np.nan, "b": False, "U": "", "S": b""}.get(values.dtype.kind)
    return np.asarray(values.filled(empty))


def ecsv_table(raw: bytes, path: Path) -> HduTable:
    """Return the table of the bytes of an ECSV file as one of FITS; raises ``InputError`` for what is none."""
    return table_of_columns(ecsv_rows(raw, path), path, "ECSV")


def ecsv_rows(raw: bytes, path: Path) -> tables.Table:
    """Return the bytes of an ECSV file as a table of astropy; raises ``InputError`` for what is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            table: tables.Table = astropy.table.Table.read(raw.decode(), format="ascii.ecsv")
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is not an ECSV table ({error}). Write it again, or name it after its format."
        ) from error
    return table


def read_hdu_tables(path: Path) -> dict[str, HduTable]:
    """Return the binary tables of a FITS file by upper-case EXTNAME, in their order; gzip or not.

    A table without a name gets ``HDU1``, ``HDU2``, ...; one whose name is taken gets the number of its HDU after it.
    The primary header is under ``PRIMARY``, without columns.

    Raises
    ------
    MissingInputError
        When there is no such file.
    InputError
        When it is a folder, a device or a pipe, not FITS, or truncated.
    """
    return by_name(read_hdus(path, lambda hdu, number, _: as_table(hdu, path, number)))


def read_hdus(path: Path, made: Callable[[Any, int, int], Made | None]) -> list[Made]:
    """Return what ``made`` makes of the HDUs of a FITS file, of astropy, without those that it makes ``None`` of.

    Parameters
    ----------
    path
        The file, gzip or not.
    made
        Is called with the HDU, its number, and how many values a compressed image of the file may hold.

    Raises
    ------
    MissingInputError, InputError
        As `read_hdu_tables`.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected a FITS file.")
    if not path.exists():
        raise MissingInputError(f"There is no file {path}. Check the name and the folder.")
    content = inflated(read_raw(path), path)
    # astropy leaves out a last HDU that was cut off, without an error, and makes room for what is not in the file.
    read_tables(path, raw=content)
    largest = largest_content(len(content))
    try:
        with warnings.catch_warnings():
            # A file that is shorter than its headers say is only warned of by astropy.
            warnings.filterwarnings("error", message=".*truncated.*", category=AstropyWarning)
            warnings.filterwarnings("ignore", category=AstropyWarning, message="(?!.*truncated).*")
            found = [made(hdu, number, largest) for number, hdu in enumerate(fits.HDUList.fromstring(content))]
    except XgammaError:
        raise
    except (*UNREADABLE, fits.VerifyError) as error:
        raise InputError(f"{path} is a broken or truncated FITS file ({error}). Write or fetch it again.") from error
    return [each for each in found if each is not None]


def by_name(hdus: Iterable[Named]) -> dict[str, Named]:
    """Return HDUs by their names; one whose name is taken gets its number after it."""
    found: dict[str, Named] = {}
    for hdu in hdus:
        found[f"{hdu.name} {hdu.number}" if hdu.name in found else hdu.name] = hdu
    return found


def as_table(hdu: Any, path: Path, number: int) -> HduTable | None:
    """Return an HDU of astropy as a table, the first as one without columns, ``None`` for another that is none."""
    return _table(hdu, path, number) if number == 0 or isinstance(hdu, fits.BinTableHDU) else None


def _table(hdu: Any, path: Path, number: int) -> HduTable:
    header, name = cards_of(hdu), name_of(hdu, number)
    if number == 0:
        return HduTable(path, name, header, {}, {})
    columns = {column.name.upper(): without_null(native(hdu.data[column.name]), column.null) for column in hdu.columns}
    units = {column.name.upper(): str(column.unit or "") for column in hdu.columns}
    return HduTable(path, name, header, columns, units, number)


def cards_of(hdu: Any) -> dict[str, Any]:
    """Return the header of an HDU of astropy without its comments."""
    return {keyword: hdu.header[keyword] for keyword in hdu.header if keyword not in ("", "COMMENT", "HISTORY")}


def name_of(hdu: Any, number: int) -> str:
    """Return EXTNAME in upper case, HDU1, HDU2, ... without."""
    return hdu.name.upper() or f"HDU{number}"


def native(values: Any) -> npt.NDArray[Any]:
    """Return values of an HDU in the byte order of this machine, as an array that owns them."""
    if values.dtype.kind == "O":
        return np.array(values, dtype=object)
    array = np.array(values)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def without_null(values: npt.NDArray[Any], null: int | None) -> npt.NDArray[Any]:
    """Return whole numbers as numbers with NaN where they are TNULL, which stands for nothing."""
    missing = np.equal(values, null) if null is not None and values.dtype.kind in "iu" else np.False_
    return np.where(missing, np.nan, values) if np.any(missing) else values


def table_named(tables: Mapping[str, HduTable], names: Sequence[str], path: Path) -> HduTable:
    """Return the first table that has one of ``names``; raises ``InputError`` that lists what there is."""
    for name in names:
        if name in tables:
            return tables[name]
    raise InputError(f"{path} has no HDU {' or '.join(names)}; it has {', '.join(tables)}.")


def axis_of_table(table: HduTable, name: str, low: str, high: str, without: str = "TeV") -> Axis:
    """Return the energy axis (TeV) of two columns of edges, which are in ``without`` where they say no unit.

    Raises ``InputError`` when its bins leave gaps or do not begin above 0.
    """
    below, above = table.numbers(low, "TeV", without), table.numbers(high, "TeV", without)
    if not len(below) or not below[0] > 0:
        raise InputError(f"{table.path}: {low} of {table.name} does not begin above 0. Leave the first bin out.")
    if not np.allclose(below[1:], above[:-1], rtol=1e-6, atol=0) or np.any(above <= below):
        raise InputError(f"{table.path}: the bins {low}, {high} of {table.name} are not contiguous and ascending.")
    return Axis(name, np.append(below, above[-1]))


def fits_text(text: str) -> str:
    r"""Return a text as a header can hold it: what is not printable ASCII as an escape.

    >>> fits_text("Krebs-ä")
    'Krebs-\\xe4'
    """
    return text if text.isascii() and text.isprintable() else text.encode("unicode_escape").decode()


def fits_content(
    hdus: Sequence[Any],
    primary: Cards | None = None,
    *,
    pixels: npt.NDArray[Any] | None = None,
    compress: bool = False,
) -> bytes:
    """Return the bytes of a FITS file: a primary HDU with cards and pixels, then ``hdus``; gzip has no time stamp.

    An HDU is a table of ours, or one of astropy.
    """
    if pixels is None:
        first = header_bytes({**PRIMARY, **(primary or {})})
    else:
        image = fits.PrimaryHDU(pixels)
        image.header.update(primary or {})
        first = _astropy_bytes(image)
    # Before an HDU that is not the first, astropy writes an empty one of a block.
    others = [hdu_bytes(hdu) if isinstance(hdu, Hdu) else _astropy_bytes(hdu)[BLOCK:] for hdu in hdus]
    content = b"".join([first, *others])
    return gzip.compress(content, compresslevel=6, mtime=0) if compress else content


def _astropy_bytes(hdu: Any) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        hdu.writeto(buffer)
    return buffer.getvalue()


def gti_hdu(gti: FloatArray, mjdref: float) -> Hdu:
    """Return the GTI table of good time of shape (n, 2), in TT seconds since ``mjdref``."""
    day = np.floor(mjdref)
    header: Cards = {"MJDREFI": int(day), "MJDREFF": float(mjdref - day), "TIMESYS": "tt"}
    return Hdu("GTI", [Column(name, gti[:, n], "s") for n, name in enumerate(("START", "STOP"))], header)


def gti_of_table(table: HduTable | None) -> tuple[FloatArray, float]:
    """Return good time, shape (n, 2), and its reference epoch (MJD, TT); no rows where there is no table."""
    if table is None:
        return np.empty((0, 2)), DEFAULT_MJDREF
    return np.stack([table.numbers(name, "s") for name in ("START", "STOP")], axis=1), mjdref_from_header(table.header)
