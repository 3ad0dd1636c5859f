"""Units as the writers of FITS files spell them: one grammar, and a table of words that the standard does not have.

Source: FITS standard 4.0, section 4.3. The grammar also accepts a leading 1 and several slashes. What readers
interpret differently, such as a product after a slash without parentheses, raises an error.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from astropy import units as u

from xgamma.errors import InputError


def as_number(value: Any) -> float:
    """Return a number, or a text that is one, as a float; NaN for everything else.

    >>> [as_number(value) for value in (0.94, "0.94", " 9.4D-1", True, "high", None)]
    [0.94, 0.94, 0.94, nan, nan, nan]
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value.upper().replace("D", "E") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return math.nan


def card_number(header: Mapping[str, Any], keyword: str) -> float | None:
    """Return the number of a card, ``None`` where the header does not have it or leaves it blank.

    Raises
    ------
    InputError
        When it is not a finite number.
    """
    value = header.get(keyword)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = as_number(value)
    if not math.isfinite(number):
        raise InputError(
            f"The header has {keyword} = {value!r}; expected a finite number. Correct or leave out the file."
        )
    return number


class Dialect(NamedTuple):
    """A way to spell units that is not in the FITS standard.

    Parameters
    ----------
    words
        Names of units as they are spelled in files; upper and lower case differ.
    meaning
        Their meaning in units of the FITS standard; empty for a plain number.
    writer
        The program that writes it, and its version; "none known" for words with only one possible meaning.
    """

    words: tuple[str, ...]
    meaning: str
    writer: str


DIALECTS = (
    Dialect(("ph", "photon"), "", "Fermi tools 2 (catalogues, light curves); GADF 0.3 (its example flux points)"),
    Dialect(
        ("photons", "Photons", "PHOTONS"), "", "XSPEC 12 (MODLUNIT of table models); Fermi LAT light curves, version 1"
    ),
    Dialect(("ct", "count"), "", "OGIP 92-007 (RATE of spectra); XSPEC 12"),
    Dialect(("counts", "Counts", "COUNTS", "cts"), "", "ctools 2 and Sherpa 4.17 (COUNTS of spectra)"),
    Dialect(
        ("none", "None", "NONE", "dimensionless", "unitless", "-", "--"), "", "tables written by hand, no writer known"
    ),
    Dialect(("sec", "secs", "Sec", "SEC", "second", "seconds"), "s", "HEASOFT 6 (good time of RXTE and ASCA)"),
    Dialect(("minute", "minutes"), "min", "none known"),
    Dialect(("hour", "hours", "hr"), "h", "none known"),
    Dialect(("day", "days"), "d", "HEASOFT 6 (light curves)"),
    Dialect(("degree", "degrees", "Deg", "DEG", "Degrees", "DEGREES"), "deg", "Fermi tools 2 (pointing history)"),
    Dialect(("radian", "radians"), "rad", "none known"),
    Dialect(("TEV", "Tev", "tev"), "TeV", "none known"),
    Dialect(("GEV", "Gev", "gev"), "GeV", "none known"),
    Dialect(("MEV", "Mev"), "MeV", "none known; mev could be milli"),
    Dialect(("KEV", "Kev", "kev"), "keV", "HEASOFT 5 (responses before OGIP 92-002)"),
    Dialect(("PEV", "Pev"), "PeV", "none known; pev could be pico"),
    Dialect(("eV", "ev"), "eV", "none known; EV is the exavolt"),
    Dialect(("ergs", "Erg", "ERG", "ERGS"), "erg", "XSPEC 12 (MODLUNIT of table models)"),
    Dialect(("CM",), "cm", "none known"),
    Dialect(("M",), "m", "none known"),
    Dialect(("KM",), "km", "none known"),
    Dialect(("SR", "Sr", "steradian", "steradians"), "sr", "none known"),
)
"""The words; ``docs/units.md`` has them as a table."""

FORMS = (
    ("1/s/MeV/sr", "s-1 MeV-1 sr-1", "ctools csroot2caldb 1 (background of CTA-1DC); Eventdisplay 4"),
    ("1/(cm2 s TeV)", "cm-2 s-1 TeV-1", "astropy 8 (tables, ECSV)"),
    ("sr^(-1)", "sr-1", "CTA caldb prod2 (SCALE of the PSF)"),
    ("m**2", "m2", "CTA caldb prod2 (EFFAREA)"),
    ("s^-1 MeV^-1 sr^-1", "s-1 MeV-1 sr-1", "CTA caldb prod2, H.E.S.S. DL3 DR1"),
    ("10^-12 erg/cm2/s", "10**-12 erg cm-2 s-1", "FITS standard 4.0"),
    ("1e-12 erg/(cm2 s)", "10**-12 erg cm-2 s-1", "astropy 8 (tables, ECSV)"),
    ("cm^{-2} s^{-1}", "cm-2 s-1", "LaTeX, no writer known"),
)
"""Examples of forms: as written, in the form of the FITS standard, and the program that writes it."""

TRANSIT = u.def_unit("transit")
"""The passage of a source over HAWC or SWGO, which backgrounds and exposures are for; no other unit converts to it."""
_OWN = {"transit": TRANSIT, "transits": TRANSIT}
_MEANINGS = {word: dialect.meaning for dialect in DIALECTS for word in dialect.words}
_TOKEN = re.compile(
    r"(?P<power>10\^\(?(?P<up>[-+]?\d+)\)?|10(?P<bare>[-+]\d+)|1(?:\.0*)?[eE](?P<e>[-+]?\d+)|(?P<digits>10*|0\.0*1)(?![\d.^+-]))"
    r"|(?P<name>[A-Za-z]+)(?P<exponent>\^?[-+]?\d+|\^?\([-+]?\d+(?:/\d+)?\))?"
    r"|\)(?P<outer>\^?[-+]?\d+|\^?\([-+]?\d+(?:/\d+)?\))?"
    r"|(?P<open>\()|\s*(?P<slash>/)\s*|\s*[*.]\s*|\s+"
)


class _UnreadableError(Exception):
    """A text that is not a unit, or is ambiguous."""


def fits_unit(text: str, where: str = "A column") -> u.UnitBase:
    """Return the unit that a FITS file names; photons and counts are plain numbers.

    Parameters
    ----------
    text
        As in TUNIT; empty is dimensionless.
    where
        What has the unit, for error messages.

    Raises
    ------
    InputError
        For a text that is neither in the FITS standard nor in the table of dialects, or that can be read in two ways.

    Examples
    --------
    >>> fits_unit("1/s/MeV/sr") == fits_unit("s-1 MeV-1 sr-1")
    True
    """
    try:
        return _parsed(text)
    except _UnreadableError as error:
        raise InputError(
            f"{where} has the unit {text!r}, which is not one of the FITS standard or of the known dialects ({error}). "
            "Correct the unit in the file, for example to 'cm-2 s-1 TeV-1'."
        ) from None


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> u.UnitBase:
    plain = text.strip().removesuffix(".").replace("**", "^").replace("{", "(").replace("}", ")")
    if not plain or plain in _MEANINGS:
        return u.Unit(_MEANINGS.get(plain, ""), format="fits")
    tokens = _tokens(re.sub(r"\s*\^\s*", "^", plain))
    unit = _expression(tokens)
    if tokens:
        raise _UnreadableError("a parenthesis is closed that was not opened")
    return unit


def _tokens(text: str) -> list[re.Match[str]]:
    """Return the tokens of a text in reverse order, so that the next one is popped."""
    found, position = list[re.Match[str]](), 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _UnreadableError(f"at {text[position:]!r}")
        found.append(match)
        position = match.end()
    return found[::-1]


def _expression(tokens: list[re.Match[str]]) -> u.UnitBase:
    """Return the product of factors up to the end or a closing parenthesis; each slash divides by one factor."""
    unit: u.UnitBase = u.dimensionless_unscaled
    divided, is_empty = False, True
    while tokens and not tokens[-1][0].startswith(")"):
        token = tokens.pop()
        if token["slash"]:
            divided, is_empty = True, False
            unit = unit / _factor(tokens)
        elif token["name"] or token["power"] or token["open"]:
            if divided:
                raise _UnreadableError("a product after a slash needs parentheses")
            tokens.append(token)
            is_empty = False
            unit = unit * _factor(tokens)
    if is_empty:
        raise _UnreadableError("a unit is missing")
    return unit


def _factor(tokens: list[re.Match[str]]) -> u.UnitBase:
    if not tokens:
        raise _UnreadableError("nothing follows a slash")
    token = tokens.pop()
    if token["open"]:
        inner = _expression(tokens)
        if not tokens:
            raise _UnreadableError("a parenthesis is not closed")
        return inner ** _exponent(tokens.pop()["outer"])
    if token["power"]:
        ten = token["up"] or token["bare"] or token["e"]
        return u.Unit(float(f"1e{int(ten)}") if ten else float(token["digits"]))
    if not token["name"]:
        raise _UnreadableError(f"at {token[0]!r}")
    return _named(token["name"]) ** _exponent(token["exponent"])


def _exponent(text: str | None) -> Fraction:
    return Fraction(text.strip("^()")) if text else Fraction(1)


def _named(name: str) -> u.UnitBase:
    if name in _OWN:
        return _OWN[name]
    try:
        return u.Unit(_MEANINGS.get(name, name), format="fits")
    except ValueError:
        raise _UnreadableError(f"{name!r} is unknown") from None
