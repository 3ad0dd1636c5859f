"""Axes that take quantities: they carry a unit, and what is drawn on them is converted to it."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy import units as u
from matplotlib.axis import Axis
from matplotlib.units import ConversionInterface

from xgamma.errors import ConfigError


class QuantityConverter(ConversionInterface):
    """Converts quantities to the unit of an axis; plain numbers are taken to be in it."""

    @staticmethod
    def convert(value: Any, unit: Any, axis: Any) -> Any:
        """Return numbers in the unit of the axis."""
        if isinstance(value, u.Quantity):
            return value.to_value(unit)
        if isinstance(value, list | tuple):
            return [QuantityConverter.convert(one, unit, axis) for one in value]
        if isinstance(value, np.ndarray) and value.dtype == object:
            return np.array([QuantityConverter.convert(one, unit, axis) for one in value.flat]).reshape(value.shape)
        return value

    @staticmethod
    def default_units(x: Any, axis: Any) -> Any:
        """Return the unit of a quantity, for an axis that has none."""
        return getattr(x, "unit", None)


_CONVERTER = QuantityConverter()


def scale_of(axis: Axis, unit: str | u.UnitBase, wanted: Any = None, name: str = "unit") -> float:
    """Let an axis carry a unit; return the number of its units in one ``unit``.

    Parameters
    ----------
    axis
        One that carries a unit keeps it, also one that ``axis.set_units`` gave it.
    unit
        That of what is drawn.
    wanted
        Another unit for an axis that has none.
    name
        The argument that says ``wanted``, for error messages.

    Raises
    ------
    ConfigError
        For a unit of another dimension.
    """
    own, drawn = axis.get_units(), u.Unit(unit)
    shown = own if isinstance(own, u.UnitBase) else drawn if wanted is None else _unit(wanted, name)
    try:
        scale = float(drawn.to(shown))
    except u.UnitConversionError:
        of = "of these axes is" if isinstance(own, u.UnitBase) else "is"
        raise ConfigError(
            f"{name}: expected a unit that {drawn.to_string() or 'a plain number'} converts to, the unit {of} "
            f"{shown.to_string() or 'none'}."
        ) from None
    if not isinstance(own, u.UnitBase):
        _carry(axis, shown)
    return scale


def _unit(wanted: Any, name: str) -> u.UnitBase:
    try:
        return u.Unit(wanted)
    except (ValueError, TypeError):
        raise ConfigError(f"{name}: expected a unit, got {wanted!r}.") from None


def _carry(axis: Axis, unit: u.UnitBase) -> None:
    """Give an axis a unit, and a converter where it has none."""
    if hasattr(axis, "set_converter"):
        if axis.get_converter() is None:
            axis.set_converter(_CONVERTER)
    elif axis.converter is None:
        # Matplotlib before 3.10.
        axis.converter = _CONVERTER
    axis.set_units(unit)
