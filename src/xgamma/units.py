"""Units in attrs: plain numbers in canonical units inside, ``Quantity`` on input and in the results of views.

Canonical units are TeV, deg, s, m2, m2 s; model amplitudes are cm-2 s-1 TeV-1 and areas 1e4 cm2 to the m2.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
from astropy import units as u

from xgamma.dialects import fits_unit
from xgamma.errors import ConfigError, InputError

CM2_PER_M2 = 1.0e4
_NUMBER_UNIT = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*")

_SEXAGESIMAL = re.compile(
    r"\s*(?P<sign>[-+]?)(?P<first>\d+)\s*(?P<mark>[hd])\s*(?:(?P<minutes>\d+)\s*m\s*)?(?:(?P<seconds>\d+\.?\d*)\s*s\s*)?"
)


def unit_string(unit: u.UnitBase | str) -> str:
    """Write a unit as in FITS, in the usual order: ``cm-2 s-1 TeV-1``; dimensionless is the empty string."""
    return unit if isinstance(unit, str) else _written(unit)


# To find that a unit is not dimensionless, astropy writes a sentence about it.
@lru_cache(maxsize=1024)
def _written(unit: u.UnitBase) -> str:
    if unit == u.dimensionless_unscaled:
        return ""
    if unit.scale != 1:
        return str(unit.to_string())
    factors = sorted(zip(unit.bases, unit.powers, strict=True), key=lambda factor: (factor[1] < 0, _rank(factor[0])))
    return " ".join(f"{base.to_string('generic')}{_power(power)}" for base, power in factors)


def _rank(base: u.UnitBase) -> int:
    order = ["length", "time", "energy"]
    kinds = [kind for kind in order if kind in base.physical_type]
    return order.index(kinds[0]) if kinds else len(order)


def _power(power: Any) -> str:
    return "" if power == 1 else f"{power:g}" if float(power).is_integer() else f"({power})"


def unit_label(unit: str) -> str:
    """Write a unit in plain text for the eye.

    >>> unit_label("erg cm-2 s-1"), unit_label("TeV"), unit_label("cm-2 s-1 TeV-1")
    ('erg / (cm2 s)', 'TeV', '1 / (cm2 s TeV)')
    """
    parsed = u.Unit(unit)
    bases, powers = parsed.bases, parsed.powers
    factors = list(zip(bases, powers, strict=True))
    above = unit_string(_product([(base, power) for base, power in factors if power > 0]))
    below = unit_string(_product([(base, -power) for base, power in factors if power < 0]))
    if not below:
        return above
    return f"{above or '1'} / ({below})" if " " in below else f"{above or '1'} / {below}"


def _product(factors: list[tuple[Any, Any]]) -> u.UnitBase:
    result = u.dimensionless_unscaled
    for base, power in factors:
        result = result * base**power
    return result


def conversion(unit: u.UnitBase | str, to: u.UnitBase | str) -> float:
    """Return the factor from ``unit`` to ``to``; texts are read as those of FITS files.

    Raises ``astropy.units.UnitConversionError``, and ``InputError`` for a text that is not a unit.
    """
    given, target = (fits_unit(one) if isinstance(one, str) else one for one in (unit, to))
    return float(given.to(target))


def unit_factor(given: str, unit: str, where: str) -> float:
    """Return the factor from the unit of a column to ``unit``; a column without a unit is taken to be in ``unit``.

    Parameters
    ----------
    given
        As written in the file.
    unit
        The canonical unit.
    where
        The column and its HDU, for error messages.

    Raises
    ------
    InputError
        For a text that is not a unit, or a unit of another dimension.
    """
    if not given.strip() or given == unit:
        return 1.0
    try:
        return float(fits_unit(given, where).to(fits_unit(unit)))
    except u.UnitConversionError:
        raise InputError(
            f"{where} has the unit {given!r}; expected one that converts to {unit or 'a plain number'!r}."
        ) from None


def normalize_quantity(value: Any, unit: str, name: str) -> u.Quantity:
    """Read a string, ``Quantity`` or (for a dimensionless unit) a number; the unit given is preserved.

    Parameters
    ----------
    value
        For example ``"1 TeV"``, ``0.5 * u.deg`` or ``"83.633 deg"``.
    unit
        The unit that the value must be convertible to.
    name
        The name of the value in error messages.

    Raises
    ------
    ConfigError
        When the value has no unit, an unknown one, or one of another dimension.
    """
    quantity = _parse_quantity(value, unit, name)
    if not quantity.unit.is_equivalent(u.Unit(unit)):
        got = unit_string(quantity.unit) or "no unit"
        raise ConfigError(f"{name}: expected a value in {unit or 'no unit'}, got {value!r} ({got}).")
    if not np.all(np.isfinite(quantity.value)):
        raise ConfigError(f"{name}: expected a finite value in {unit}, got {value!r}.")
    return quantity


def _parse_quantity(value: Any, unit: str, name: str) -> u.Quantity:
    if isinstance(value, u.Quantity):
        return u.Quantity(value)
    if isinstance(value, str):
        sexagesimal = _SEXAGESIMAL.fullmatch(value)
        if sexagesimal is not None and u.Unit(unit).is_equivalent(u.deg):
            return _angle(sexagesimal)
        match = _NUMBER_UNIT.fullmatch(value)
        if match is not None:
            try:
                return u.Quantity(float(match[1]), match[2] or "")
            except ValueError:
                raise ConfigError(f"{name}: {match[2]!r} is not a unit; write for example '1 {unit}'.") from None
        raise ConfigError(f"{name}: expected a number and a unit such as '1 {unit}', got {value!r}.")
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise ConfigError(f"{name}: expected a number and a unit such as '1 {unit}', got {value!r}.")
    return u.Quantity(value, "")


def _angle(match: re.Match[str]) -> u.Quantity:
    degrees = float(match["first"]) + float(match["minutes"] or 0) / 60 + float(match["seconds"] or 0) / 3600
    sign = -1.0 if match["sign"] == "-" else 1.0
    return u.Quantity(sign * degrees * (15.0 if match["mark"] == "h" else 1.0), "deg")


def canonical(value: Any, unit: str, name: str) -> float:
    """Return the plain number of ``value`` in ``unit``.

    >>> canonical("500 GeV", "TeV", "energy")
    0.5
    """
    return float(normalize_quantity(value, unit, name).to_value(unit))


def quantity_string(value: u.Quantity) -> str:
    """Write a scalar quantity as in the YAML of configurations: ``"30.0 TeV"``."""
    return f"{float(value.value)!r} {unit_string(value.unit)}".strip()
