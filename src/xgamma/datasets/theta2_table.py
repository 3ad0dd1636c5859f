"""``make_theta_squared_table``: events by their squared angle from a position, as Gammapy asks for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import astropy
import numpy as np
from astropy import units as u

from xgamma.axes import Axis
from xgamma.datasets.geom import normalize_edges
from xgamma.datasets.maps import MapAxis
from xgamma.datasets.observations import Observation, Observations
from xgamma.errors import ConfigError, ConfigTypeError
from xgamma.estimate import theta2
from xgamma.events import Part, Rows

if TYPE_CHECKING:
    from astropy.table import Table


def make_theta_squared_table(
    observations: Any,
    theta_squared_axis: Any,
    position: Any,
    position_off: Any = None,
    energy_edges: Any = None,
    off_regions_number: int = 1,
) -> Table:
    """Return how many events lie at which squared angle from a position, on and off, as ``estimate.theta2`` does.

    Parameters
    ----------
    observations
        Runs of an analysis.
    theta_squared_axis
        An axis or edges in deg2.
    position, position_off
        ``SkyCoord``; without the second the positions of the background lie about the pointing of each run.
    energy_edges
        Two energies that the events lie between.
    off_regions_number
        How many positions of the background there are.

    Returns
    -------
    astropy.table.Table
        ``theta2_min``, ``theta2_max``, ``counts``, ``counts_off``, ``acceptance``, ``acceptance_off``, ``alpha``,
        ``excess``, ``sqrt_ts``, ``excess_errn``, ``excess_errp``.

    Raises
    ------
    ConfigError, ConfigTypeError
        As ``estimate.theta2``; for energies that are not two, and for other types.
    """
    axis, lon_lat = _axis(theta_squared_axis), _lon_lat(position)
    energies = None if energy_edges is None else normalize_edges(energy_edges)
    if energies is not None and len(energies) != 2:
        raise ConfigError(f"energy_edges: expected two energies, got {len(energies)}.")
    between = None if energies is None else (float(energies[0]), float(energies[1]))
    off = None if position_off is None else _lon_lat(position_off)
    found = theta2(_pieces(observations), axis, lon_lat, off, between, off_regions_number)
    ends = {"theta2_min": axis.edges[:-1], "theta2_max": axis.edges[1:]}
    table = astropy.table.Table([astropy.table.Column(values, name=name, unit="deg2") for name, values in ends.items()])
    order = ("counts", "counts_off", "acceptance", "acceptance_off", "alpha", "excess", "sqrt_ts")
    for name in (*order, "excess_errn", "excess_errp"):
        table[name] = found[name].values
    table.meta |= {"ON_RA": u.Quantity(lon_lat[0], "deg"), "ON_DEC": u.Quantity(lon_lat[1], "deg")}
    return table


def _axis(given: Any) -> Axis:
    own = given.plain if isinstance(given, MapAxis) else given
    edges, unit = (own.edges, own.unit) if isinstance(own, Axis) else (own, "deg2")
    values = u.Quantity(edges, None if isinstance(edges, u.Quantity) else unit or "deg2")
    try:
        return Axis("theta2", np.asarray(values.to_value("deg2"), dtype=float), "deg2", "lin")
    except u.UnitConversionError:
        raise ConfigError(f"theta_squared_axis: expected squared angles, got {values.unit}.") from None


def _lon_lat(position: Any) -> tuple[float, float]:
    if not hasattr(position, "icrs"):
        raise ConfigTypeError(f"position: expected a SkyCoord, got a {type(position).__name__}.")
    return float(position.icrs.ra.deg), float(position.icrs.dec.deg)


def _pieces(observations: Any) -> list[tuple[Part, Rows]]:
    if isinstance(observations, Observations):
        return observations.pieces
    given = [observations] if isinstance(observations, Observation) else observations
    if not isinstance(given, Iterable) or not all(isinstance(each, Observation) for each in given):
        raise ConfigTypeError(f"observations: expected runs of an analysis, got a {type(observations).__name__}.")
    return [(each.part, each.rows) for each in given]
