"""Events over the square of the angle to a position, on and off, with excess and significance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from xgamma.axes import Axis, BoolArray, FloatArray
from xgamma.errors import ConfigError, DataError
from xgamma.events import DEFAULT_RULE, Part, Rows, read_events
from xgamma.geometry import from_tangent_plane, separation, tangent_plane
from xgamma.reduce import MAX_EVENTS
from xgamma.shapes import rotated
from xgamma.stats import counts_errn, counts_errp, on_off_counts, wstat_sqrt_ts

Position = tuple[float, float]


def theta2(
    pieces: Sequence[tuple[Part, Rows]],
    axis: Axis,
    position: Position,
    off: Position | None = None,
    energy: tuple[float, float] | None = None,
    off_regions: int = 1,
    good_time: str = DEFAULT_RULE,
) -> xr.Dataset:
    """Return how many events lie at which squared angle from a position, and from positions that stand for it.

    Parameters
    ----------
    pieces
        Parts, in memory or in a store, and the rows of each.
    axis
        Squared angles in deg2.
    position, off
        ICRS longitude and latitude of the source and of the background, deg.
    off_regions
        In how many places on the circle about each pointing the background lies where ``off`` is not given.
    energy, good_time
        Only events from the first to below the second energy, TeV; in time by one of ``GOOD_TIME_RULES``.

    Returns
    -------
    xarray.Dataset
        Dim ``theta2``: ``counts``, ``counts_off``, ``acceptance``, ``acceptance_off``, ``alpha``, ``excess``, its
        errors ``excess_errn`` and ``excess_errp``, and ``sqrt_ts``.

    Raises
    ------
    ConfigError, DataError
        Where circles as wide as the axis overlap, ``off`` is given with several regions; without a row.
    """
    if not any(len(rows) for _, rows in pieces):
        raise DataError("theta2: expected at least one run, got none.")
    if off_regions < 1 or (off is not None and off_regions > 1):
        raise ConfigError(f"theta2: expected one off region at a given position, or at least one, got {off_regions}.")
    counts = np.zeros((2, axis.nbin))
    for part, rows in pieces:
        places = _off_positions(part, rows, position, off, off_regions)
        _validate_apart(rows, position, places, float(np.sqrt(axis.edges[-1])))
        for events in read_events(part, rows, MAX_EVENTS, good_time):
            chosen = events.select(events.valid & events.in_time & _in_range(events.energy, energy))
            counts[0] += _histogram(separation(chosen.lon, chosen.lat, *position), axis)
            for lon, lat in np.moveaxis(places, -1, 0):
                counts[1] += _histogram(separation(chosen.lon, chosen.lat, lon[chosen.row], lat[chosen.row]), axis)
    return _dataset(axis, counts[0], counts[1], float(sum(len(rows) for _, rows in pieces)), off_regions)


def _in_range(values: FloatArray, bounds: tuple[float, float] | None) -> BoolArray:
    return np.ones(values.shape, dtype=bool) if bounds is None else (values >= bounds[0]) & (values < bounds[1])


def _histogram(angle: FloatArray, axis: Axis) -> FloatArray:
    return np.histogram(angle**2, axis.edges)[0].astype(float)


def _off_positions(part: Part, rows: Rows, position: Position, off: Position | None, number: int) -> FloatArray:
    """Return ICRS longitudes and latitudes of each row, shape (2, row, number)."""
    if off is not None:
        return np.broadcast_to(np.array(off)[:, np.newaxis, np.newaxis], (2, len(rows), 1))
    pointing = [part.column(name, rows.obs)[:, np.newaxis] for name in ("ra_pnt", "dec_pnt")]
    turns = 2 * np.pi * np.arange(1, number + 1) / (number + 1)
    return np.stack(from_tangent_plane(rotated(tangent_plane(*position, *pointing), turns), *pointing))


def _validate_apart(rows: Rows, position: Position, places: FloatArray, radius: float) -> None:
    """Raise ``ConfigError`` where two circles of a row overlap."""
    count = places.shape[-1]
    lon, lat = (
        np.concatenate([np.full((len(rows), 1), own), at], axis=1) for own, at in zip(position, places, strict=True)
    )
    one, other = np.triu_indices(count + 1, 1)
    apart = separation(lon[:, one], lat[:, one], lon[:, other], lat[:, other]).min(axis=1)
    # Those that touch, to rounding, do not overlap.
    near = np.flatnonzero(apart < 2 * radius * (1 - 1e-9))
    if len(near):
        raise ConfigError(
            f"theta2: circles of {radius:.3g} deg (the square root of the last edge) overlap in run "
            f"{rows.names[near[0]]}, where their centres are {apart[near[0]]:.3g} deg apart; end the axis at "
            f"{(apart.min() / 2) ** 2:.3g} deg2, or take fewer off regions."
        )


def _dataset(axis: Axis, counts: FloatArray, counts_off: FloatArray, runs: float, number: int) -> xr.Dataset:
    alpha = np.full(axis.nbin, 1.0 / number)
    measured = on_off_counts(counts, counts_off, alpha)
    values = {
        "counts": (counts, "Counts"),
        "counts_off": (counts_off, "Counts about the off positions"),
        "acceptance": (np.full(axis.nbin, runs), "Number of rows"),
        "acceptance_off": (np.full(axis.nbin, runs * number), "Number of off positions of all rows"),
        "alpha": (alpha, "Ratio of the acceptances"),
        "excess": (measured.best_signal, "Excess counts"),
        "excess_errn": (counts_errn(measured), "Error of the excess downwards"),
        "excess_errp": (counts_errp(measured), "Error of the excess upwards"),
        "sqrt_ts": (wstat_sqrt_ts(counts, counts_off, alpha), "Significance"),
    }
    variables = {name: (("theta2",), array, {"units": "", "long_name": text}) for name, (array, text) in values.items()}
    center = (("theta2",), axis.center, {"units": "deg2", "bounds": "theta2_bounds", "long_name": "Squared angle"})
    bounds = (("theta2", "bound"), axis.bounds, {"units": "deg2"})
    return xr.Dataset(variables, {"theta2": center, "theta2_bounds": bounds})
