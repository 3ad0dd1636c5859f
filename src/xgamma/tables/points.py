"""Flux points and light curves as tables: fluxes with their errors in the digits that mean something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from xgamma.axes import FloatArray
from xgamma.digits import NOTHING, decimals, number_text, value_and_error
from xgamma.formats.sed.kinds import LIKELIHOOD, QUANTITIES
from xgamma.formats.sed.table import confidence, reference_flux, validate_sed_type
from xgamma.schema.arrays import NamedArrays
from xgamma.tables.table import SECONDS_PER_DAY, Table, bounds_text, date_text, finite, first_of, hours_text

POINTS_SHOWN = 40
SHAPE = "norm"
"""What ``likelihood`` shows: multiples of the reference."""
SPARE = ("counts", "left out", "used")


def points_table(ds: NamedArrays, sed_type: str = "dnde", name: str = "") -> Table:
    """Return a row for each flux point.

    Parameters
    ----------
    ds
        Flux points (DL5).
    sed_type
        The kind of flux: ``dnde``, ``flux``, ``eflux``, ``e2dnde``, or ``likelihood`` for norms.
    name
        Of the datasets that they are of, where there are others.

    Raises
    ------
    ConfigError, DataError
        For another kind, and where the points do not have it.
    """
    rows = [_row(ds, at, sed_type, energy) for at, energy in _places(ds)]
    title = f"Flux points of {_source(ds)}{f' for {name}' if name else ''}: {_units(ds, sed_type)}"
    return Table(title, rows, spare=SPARE)


def group_points_table(ds: NamedArrays, sed_type: str = "dnde") -> Table:
    """Return a row for each flux point of each group."""
    groups = [str(name) for name in ds["group"].values]
    rows = [{"group": groups[at[0]], **_row(ds, at, sed_type, energy)} for at, energy in _places(ds)]
    more = first_of(ds["norm"].size, POINTS_SHOWN)
    title = f"Flux points of {_source(ds)} of each {ds.attrs['by']}{more}: {_units(ds, sed_type)}"
    return Table(title, rows[:POINTS_SHOWN], spare=SPARE)


def light_curve_table(ds: NamedArrays, sed_type: str = "flux") -> Table:
    """Return a row for each bin of time and energy."""
    starts, lengths = _times(ds)
    live = ds["livetime"].values if "livetime" in ds else np.full(len(starts), np.nan)
    rows = [
        {
            "start (TT)": date_text(starts[at[0]]),
            "hours": hours_text(lengths[at[0]] * SECONDS_PER_DAY),
            "live": hours_text(live[at[0]]),
            **_row(ds, at, sed_type, energy),
        }
        for at, energy in _places(ds)
    ]
    more = first_of(ds["norm"].size, POINTS_SHOWN)
    title = f"Light curve of {_source(ds)}{more}: {_units(ds, sed_type)}, times in h"
    return Table(title, rows[:POINTS_SHOWN], spare=("hours", *SPARE))


def points_document(ds: NamedArrays, sed_type: str) -> list[dict[str, Any]]:
    """Return flux points as JSON holds them: of each point its energies, flux, errors, limit and statistics."""
    groups = [str(name) for name in ds["group"].values] if "group" in ds.coords else []
    starts, lengths = _times(ds) if "time" in ds.sizes else (np.zeros(0), np.zeros(0))
    found = []
    for at, energy in _places(ds):
        point: dict[str, Any] = {"group": groups[at[0]]} if groups else {}
        if len(starts):
            point |= {"mjd_min": float(starts[at[0]]), "mjd_max": float(starts[at[0]] + lengths[at[0]])}
        low, high = ds["energy_bounds"].values[energy]
        point |= {"e_min": float(low), "e_max": float(high), "e_ref": float(ds["energy"].values[energy])}
        names = {part: f"norm{part}" for part in ("", "_err", "_errn", "_errp", "_ul") if f"norm{part}" in ds}
        label = SHAPE if sed_type == LIKELIHOOD else sed_type
        point |= {f"{label}{part}": finite(_flux(ds, own, at, sed_type, energy)) for part, own in names.items()}
        point |= {each: finite(ds[each].values[at]) for each in ("sqrt_ts", "ts") if each in ds}
        found.append(point | {each: bool(ds[each].values[at]) for each in ("is_ul", "success")})
    return found


def _source(ds: NamedArrays) -> str:
    return str(ds.attrs.get("source") or "a source")


def _units(ds: NamedArrays, sed_type: str) -> str:
    """Return what the columns are; raises ``ConfigError`` for a kind of flux that there is not."""
    validate_sed_type(sed_type)
    what = "norms of the reference" if sed_type == LIKELIHOOD else f"{sed_type} in {QUANTITIES[sed_type]}"
    limits = f", limits at {100 * confidence(ds):.4g} %" if "norm_ul" in ds else ""
    sigmas = float(ds.attrs.get("n_sigma", 1))
    return f"energies in TeV, {what}{f', errors of {sigmas:g} sigma' if sigmas != 1 else ''}{limits}"


def _places(ds: NamedArrays) -> Iterator[tuple[tuple[int, ...], int]]:
    """Yield the place of each point in the arrays, and the number of its energy."""
    for place in np.ndindex(ds["norm"].shape):
        yield place, place[-1]


def _flux(ds: NamedArrays, name: str, at: tuple[int, ...], sed_type: str, energy: int) -> float:
    reference = 1.0 if sed_type == LIKELIHOOD else float(reference_flux(ds, sed_type)[energy])
    return float(ds[name].values[at]) * reference


def _row(ds: NamedArrays, at: tuple[int, ...], sed_type: str, energy: int) -> Mapping[str, str]:
    low, high = ds["energy_bounds"].values[energy].tolist()
    value, error = (_flux(ds, name, at, sed_type, energy) for name in ("norm", "norm_err"))
    limit = _flux(ds, "norm_ul", at, sed_type, energy) if "norm_ul" in ds else np.nan
    return {
        "energy": bounds_text(low, high),
        "used": _used(ds, at, (low, high)),
        "left out": _left_out(ds, at),
        SHAPE if sed_type == LIKELIHOOD else sed_type: value_and_error(value, error),
        "limit": number_text(limit, 3),
        "sqrt_ts": decimals(ds["sqrt_ts"].values[at], 1),
        "counts": _counts(ds, at),
    }


def _used(ds: NamedArrays, at: tuple[int, ...], edges: tuple[float, float]) -> str:
    """Return which energies were used where these are not all that were asked for."""
    if "e_min_fit" not in ds:
        return NOTHING
    names = ("e_min_fit", "e_max_fit")
    # Of several datasets each has bins of its own.
    lows, highs = (np.atleast_1d(ds[name].values[at]) for name in names)
    if np.isnan(lows).all():
        return "nothing"
    low, high = float(np.nanmin(lows)), float(np.nanmax(highs))
    return NOTHING if np.allclose((low, high), edges, rtol=1e-6) else bounds_text(low, high)


def _left_out(ds: NamedArrays, at: tuple[int, ...]) -> str:
    left_out = float(np.sum(ds["counts_left_out"].values[at])) if "counts_left_out" in ds else 0.0
    return f"{left_out:.0f}" if left_out else NOTHING


def _counts(ds: NamedArrays, at: tuple[int, ...]) -> str:
    return f"{float(np.sum(ds['counts'].values[at])):.0f}" if "counts" in ds else NOTHING


def _times(ds: NamedArrays) -> tuple[FloatArray, FloatArray]:
    """Return the start of each bin of time as MJD, and its length in days."""
    bounds = float(ds.attrs["mjdref"]) + ds["time_bounds"].values / SECONDS_PER_DAY
    return bounds[:, 0], bounds[:, 1] - bounds[:, 0]
