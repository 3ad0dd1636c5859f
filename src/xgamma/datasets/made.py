"""Rows that no observation made: empty ones, simulated counts, one kind of background in place of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from astropy.time import Time

from xgamma import schema
from xgamma.axes import BoolArray, FloatArray
from xgamma.datasets import info
from xgamma.errors import ConfigError
from xgamma.grid import REGION_SHAPE
from xgamma.outcome import Outcome
from xgamma.reduce import rows as reduced_rows
from xgamma.reduce.background.names import OFF_CIRCLES, OFF_COUNTS

if TYPE_CHECKING:
    from xgamma.grid import Grid

# What the events of a reduction became is not known of drawn counts.
_OF_EVENTS = ("ledger", "fate")
_OF_REGIONS = ("region_lon", "region_lat", "region_radius", REGION_SHAPE)


def empty_row(
    grid_and_place: tuple[Grid, bool], name: str, background: Sequence[str], reference_time: Any = "2000-01-01"
) -> xr.Dataset:
    """Return one DL4 row that adds nothing to a stack.

    Parameters
    ----------
    grid_and_place
        Its axes and region, and whether the region means anything.
    name
        Of the row.
    background
        The variables that hold one.
    reference_time
        The epoch of its times.
    """
    grid, has_place = grid_and_place
    coords = reduced_rows.row_coords(grid, [name], np.zeros(1, np.int64), np.zeros((1, 2)), None)
    unknown = {"obs_id", "interval", *(() if has_place else _OF_REGIONS)}
    attrs = {
        "mjdref": float(Time(reference_time).tt.mjd),
        "time_scale": "tt",
        "telescope": "",
        "release": "",
        "outcome_details": [Outcome.USED.sentence],
    }
    kept = {key: value for key, value in coords.items() if key not in unknown}
    return schema.dataset(
        reduced_rows.neutral_values(grid, 1, background), kept, attrs, grid.space.dims, grid.space.shape
    )


def with_counts(ds: xr.Dataset, **counts: npt.ArrayLike) -> xr.Dataset:
    """Return one row with other counts, shape (region, energy), by variable name; it has no ledger of events."""
    drawn = {name: ds[name].copy(data=np.asarray(values, dtype=float)[np.newaxis]) for name, values in counts.items()}
    return ds.drop_vars(_OF_EVENTS, errors="ignore").assign(drawn)


def on_off_row(ds: xr.Dataset, acceptance: Any, acceptance_off: Any, counts_off: Any) -> xr.Dataset:
    """Return a row with a known background as one with off counts; without any those that are to be expected."""
    shape = ds["counts"].shape
    on, off = (
        _broadcast(values, shape, name)
        for values, name in ((acceptance, "acceptance"), (acceptance_off, "acceptance_off"))
    )
    known = info.background(ds).values
    expected = np.divide(known * off, on, out=np.zeros(shape), where=on > 0)
    counts = expected if counts_off is None else _broadcast(counts_off, shape, "counts_off")
    values = dict(zip(OFF_COUNTS, (counts, on, off), strict=True))
    held = {name: (schema.bin_dims(ds), array, schema.DL4[name].attrs()) for name, array in values.items()}
    return ds.drop_vars("background", errors="ignore").assign(held)


def known_background_row(ds: xr.Dataset) -> xr.Dataset:
    """Return a row with off counts as one that has alpha times these as its known background."""
    background = info.background(ds).assign_attrs(schema.DL4["background"].attrs())
    return ds.drop_vars([*OFF_COUNTS, *OFF_CIRCLES], errors="ignore").assign(background=background)


def any_mask(masks: Sequence[BoolArray | None]) -> BoolArray | None:
    """Return the bins that are in any of some fit masks; ``None``, which is a mask of all bins, where one is that."""
    given = [mask for mask in masks if mask is not None]
    return None if len(given) < len(masks) else np.any(given, axis=0)


def normalize_random(random_state: Any) -> Any:
    """Return a generator of random numbers: of a seed, a new one for ``"random-seed"``, or the one that is given.

    Raises ``ConfigError`` for anything else.
    """
    if isinstance(random_state, np.random.Generator | np.random.RandomState):
        return random_state
    is_number = isinstance(random_state, int | np.integer) and not isinstance(random_state, bool)
    if not is_number and random_state != "random-seed":
        raise ConfigError(
            f"fake: expected a seed, a generator of numpy or 'random-seed' as random_state, got {random_state!r}."
        )
    # Not a new generator: its seeds give the counts of Gammapy.
    return np.random.RandomState(random_state if is_number else None)


def normalize_background(npred_background: Any, shape: tuple[int, ...]) -> FloatArray:
    """Return expected counts as an array of ``shape``; raises ``ConfigError`` unless they are finite and at least 0."""
    expected = _broadcast(npred_background, shape, "npred_background")
    if not (np.isfinite(expected).all() and (expected >= 0).all()):
        raise ConfigError("fake: expected an npred_background of finite numbers of at least 0, got others.")
    return expected


def _broadcast(values: Any, shape: tuple[int, ...], name: str) -> FloatArray:
    array = np.asarray(getattr(values, "values", values), dtype=float)
    try:
        return np.broadcast_to(array, shape).copy()
    except ValueError:
        raise ConfigError(f"{name}: expected numbers that fit the shape {shape}, got {array.shape}.") from None
