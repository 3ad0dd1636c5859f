"""Changed FITS files: what a header says, how a table is laid out, or single values, each changed in one place.

A change is a *defect* that a reader of the format can see: it breaks the format, contradicts what else stands in the
file or in the index, or is not finite or out of its domain. Files that are sound and say something else, such as an
effective area twice as large, are other files and are not made here.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from xgamma.formats.fits.tables import BLOCK, FitsTable, tables_of

CARD = 80
TABLES = ("EVENTS", "GTI", "AEFF", "EDISP", "PSF", "BKG")
# Cards that decide numbers, by HDU.
CARDS = {
    "EVENTS": ("OBS_ID", "MJDREFI", "MJDREFF", "TIMESYS", "TIMEUNIT", "DEADC", "RA_PNT", "DEC_PNT", "RADECSYS"),
    "GTI": ("MJDREFI", "MJDREFF", "TIMESYS", "TIMEUNIT"),
    "AEFF": ("HDUCLAS2", "HDUCLAS3", "HDUCLAS4", "LO_THRES", "HI_THRES"),
    "EDISP": ("HDUCLAS2", "HDUCLAS3", "HDUCLAS4"),
    "PSF": ("HDUCLAS2", "HDUCLAS3", "HDUCLAS4"),
    "BKG": ("HDUCLAS2", "HDUCLAS4", "FOVALIGN"),
}
LAYOUT = ("XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "TFIELDS", "EXTNAME")
VALUES = {"EVENTS": ("TIME", "RA", "DEC", "ENERGY"), "GTI": ("START", "STOP")} | {
    "AEFF": ("ENERG_LO", "ENERG_HI", "THETA_LO", "THETA_HI", "EFFAREA"),
    "EDISP": ("ENERG_LO", "MIGRA_HI", "THETA_LO", "MATRIX"),
    "PSF": ("ENERG_HI", "RAD_LO", "RAD_HI", "RPSF"),
    "BKG": ("DETX_LO", "ENERG_LO", "BKG"),
}
# As a header writes them: texts are quoted.
ODD_VALUES = ("'abc'", "''", "NAN", "INF", "-1", "0", "1.0E30", "T", "")
ODD_UNITS = ("'xyz'", "'kg'", "'TEV'", "'m'", "'1/s/MeV/sr'", "'deg.'", "''", "'log(TeV)'")


@dataclass(frozen=True)
class Change:
    """One change of a file: what was done, and the bytes."""

    what: str
    content: bytes


@dataclass(frozen=True)
class Place:
    """Where one HDU lies in the bytes of a file: its header, its data, and its end on a block."""

    table: FitsTable
    header: int
    data: int
    end: int


def places(content: bytes) -> dict[str, Place]:
    """Return the place of each HDU by name."""
    found, position = {}, 0
    for table in tables_of(content, "a file"):
        end = next(
            start + CARD for start in range(position, len(content), CARD) if content[start : start + 8] == b"END     "
        )
        data = -(-end // BLOCK) * BLOCK
        size = -(-len(table._data) // BLOCK) * BLOCK
        found[table.name or "PRIMARY"] = Place(table, position, data, data + size)
        position = data + size
    return found


def changes(content: bytes, count: int, chance: random.Random) -> Iterator[Change]:
    """Yield changed copies of a plain file, of each kind in turn."""
    kinds = (odd_card, lost_card, odd_unit, odd_layout, odd_form, renamed_column, odd_value, moved_hdu, cut_or_longer)
    for number in range(count):
        yield kinds[number % len(kinds)](content, chance)


def odd_card(content: bytes, chance: random.Random) -> Change:
    """Change a card that decides numbers to a value that it cannot have."""
    name = chance.choice(TABLES)
    card, value = chance.choice(CARDS[name]), chance.choice(ODD_VALUES)
    return Change(f"{card} = {value or 'nothing'} in {name}", with_card(content, name, card, value))


def lost_card(content: bytes, chance: random.Random) -> Change:
    """Take away a card that decides numbers, or one of the layout."""
    name = chance.choice(TABLES)
    card = chance.choice((*CARDS[name], *LAYOUT))
    return Change(f"no {card} in {name}", with_card(content, name, card, None))


def odd_unit(content: bytes, chance: random.Random) -> Change:
    """Change the unit of a column to another text, or take it away."""
    name = chance.choice(TABLES)
    column = chance.choice(VALUES[name])
    number = list(places(content)[name].table.columns).index(column) + 1
    value = chance.choice((*ODD_UNITS, None))
    return Change(f"TUNIT of {column} is {value} in {name}", with_card(content, name, f"TUNIT{number}", value))


def odd_layout(content: bytes, chance: random.Random) -> Change:
    """Change a number that says how large a table is."""
    name = chance.choice(TABLES)
    card = chance.choice(("BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "TFIELDS"))
    given = places(content)[name].table.header[card]
    value = chance.choice((str(given + 1), str(given - 1), str(given * 2), "0", "-1", "99999999999", "'abc'"))
    return Change(f"{card} = {value} in {name}", with_card(content, name, card, value))


def odd_form(content: bytes, chance: random.Random) -> Change:
    """Change the format or the shape of a column; shapes are reversed, rotated, shortened, flat or away."""
    name = chance.choice(TABLES)
    table = places(content)[name].table
    number = chance.randrange(1, len(table.columns) + 1)
    tdim = table.header.get(f"TDIM{number}")
    if tdim and chance.random() < 0.8:
        sizes = tdim.strip("()").split(",")
        texts = [sizes[::-1], [*sizes[1:], sizes[0]], sizes[:-1], [str(math.prod(map(int, sizes)))]]
        value = chance.choice((*(f"'({','.join(text)})'" for text in texts), None))
        return Change(f"TDIM{number} = {value} in {name}", with_card(content, name, f"TDIM{number}", value))
    value = chance.choice(("'1D'", "'1E'", "'1J'", "'8A'", "'PE(9)'", "'0E'", "'Z'", "''", "'-1E'"))
    return Change(f"TFORM{number} = {value} in {name}", with_card(content, name, f"TFORM{number}", value))


def renamed_column(content: bytes, chance: random.Random) -> Change:
    """Change the name of a column: another one, small letters, or two of them exchanged."""
    name = chance.choice(TABLES)
    columns = list(places(content)[name].table.columns)
    first, second = chance.sample(range(len(columns)), 2)
    kind = chance.choice(("away", "small", "exchanged"))
    if kind == "away":
        return Change(f"no column {columns[first]} in {name}", with_card(content, name, f"TTYPE{first + 1}", "'X'"))
    if kind == "small":
        value = f"'{columns[first].lower()}'"
        return Change(f"column {value} in {name}", with_card(content, name, f"TTYPE{first + 1}", value))
    changed = with_card(content, name, f"TTYPE{first + 1}", f"'{columns[second]}'")
    changed = with_card(changed, name, f"TTYPE{second + 1}", f"'{columns[first]}'")
    return Change(f"columns {columns[first]} and {columns[second]} exchanged in {name}", changed)


def odd_value(content: bytes, chance: random.Random) -> Change:
    """Make some or all values of a column what they cannot be."""
    name = chance.choice(TABLES)
    column = chance.choice(VALUES[name])
    place = places(content)[name]
    changed = bytearray(content)
    rows = np.frombuffer(changed, place.table.rows.dtype, len(place.table.rows), place.data)
    values = np.array(rows[column], rows[column].dtype.newbyteorder("="))
    flat = values.ravel()
    kind = chance.choice(_odd_kinds(name, column))
    some, where = _some(flat, values.shape, chance)
    if kind == "zero" and where == "one" and values.ndim > 2:
        # A density may vanish in one place.
        some, where = np.arange(flat.size), "all"
    if kind == "reversed":
        some, where = np.arange(flat.size), "all"
    flat[some] = {
        "nan": np.nan,
        "inf": np.inf,
        "-inf": -np.inf,
        "negative": -np.abs(flat[some]) - 1,
        "zero": 0.0,
        "reversed": flat[some][::-1],
    }[kind]
    rows[column] = flat.reshape(values.shape)
    return Change(f"{kind} {where} of {column} in {name}", bytes(changed))


def _odd_kinds(name: str, column: str) -> list[str]:
    """Return what the values of a column cannot be: a coordinate may be negative, an area may vanish."""
    kinds = ["nan", "inf", "-inf"]
    if column not in ("RA", "DEC", "DETX_LO", "EFFAREA", "BKG"):
        kinds.append("zero")
    if column not in ("RA", "DEC", "DETX_LO"):
        kinds.append("negative")
    if column.endswith(("_LO", "_HI")) or name == "GTI":
        kinds.append("reversed")
    return kinds


def _some(flat: np.ndarray, shape: tuple[int, ...], chance: random.Random) -> tuple[np.ndarray, str]:
    """Return one value that is not 0, all, or one energy at all offsets: energies lie fastest in the responses."""
    kind = chance.choice(("one", "all", "a slice"))
    if kind == "one":
        return np.array([chance.choice(np.flatnonzero(flat).tolist() or [0])]), kind
    if kind == "all" or len(shape) < 3:
        return np.arange(flat.size), "all"
    return np.arange(chance.randrange(shape[-1]), flat.size, shape[-1]), kind


def moved_hdu(content: bytes, chance: random.Random) -> Change:
    """Take an HDU away, write it twice, or put it at the end."""
    name = chance.choice(TABLES)
    place = places(content)[name]
    before, own, after = content[: place.header], content[place.header : place.end], content[place.end :]
    kind = chance.choice(("away", "twice", "last", "another name"))
    if kind == "another name":
        return Change(f"{name} has another name", with_card(content, name, "EXTNAME", "'X'"))
    written = {"away": before + after, "twice": before + own + own + after, "last": before + after + own}
    return Change(f"{name} is {kind}", written[kind])


def cut_or_longer(content: bytes, chance: random.Random) -> Change:
    """Cut the end off, or write something behind it."""
    where = chance.randrange(len(content))
    kind: Callable[[], Change] = chance.choice(
        (
            lambda: Change(f"cut at byte {where}", content[:where]),
            lambda: Change("a block of zeros behind", content + bytes(BLOCK)),
            lambda: Change("a word behind", content + b"behind"),
        )
    )
    return kind()


def with_card(content: bytes, name: str, card: str, value: str | None) -> bytes:
    """Return the bytes with another value of a card, or without it; the others stay where they are."""
    place = places(content)[name]
    changed = bytearray(content)
    for start in range(place.header, place.data, CARD):
        if content[start : start + 8].decode("ascii").strip() == card:
            text = "COMMENT" if value is None else f"{card:8}= {value}"
            changed[start : start + CARD] = text.encode("ascii").ljust(CARD)
            return bytes(changed)
    return bytes(changed)
