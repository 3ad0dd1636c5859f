"""Instrument responses evaluated for a block of runs at once.

Source of the formats and formulas: GADF 0.3 (https://gamma-astro-data-formats.readthedocs.io), instrument responses.

A *table* is an ``xarray.Dataset`` of all responses that share kind and axes: dims (irf, offset, ...), node axes with
their own bounds. Evaluation interpolates linearly between nodes in the scale of each axis, extrapolates between the
last node and the last edge, clips at zero and is zero outside the edges. A result that depends on values that are not
finite, or on none at all, such as an energy dispersion without an entry, is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.gammapy_names import later_names

# The tables of public releases have up to 1.002, and extrapolate to a little more.
LARGEST_CONTAINMENT = 1.5
__getattr__ = later_names(__name__)


class Weights(NamedTuple):
    """Linear interpolation: value = (1 - upper) * nodes[lower] + upper * nodes[lower + 1]; ``inside`` the edges."""

    lower: IntArray
    upper: FloatArray
    inside: BoolArray


def interpolation_weights(axis: Axis, values: npt.ArrayLike) -> Weights:
    """Return the weights of ``values`` (any shape) between the nodes of ``axis``, in its scale."""
    target = np.asarray(values, dtype=float)
    inside = (target >= axis.edges[0]) & (target <= axis.edges[-1])
    nodes, scaled = axis.center, target
    if axis.nbin == 1:
        return Weights(np.zeros(target.shape, np.int64), np.zeros(target.shape), inside)
    if axis.scale == "log":
        nodes, scaled = np.log(nodes), np.log(np.maximum(target, np.finfo(float).tiny))
    index = np.clip(np.searchsorted(nodes, scaled, side="right") - 1, 0, axis.nbin - 2)
    upper = (scaled - nodes[index]) / (nodes[index + 1] - nodes[index])
    return Weights(index.astype(np.int64), upper, inside)


def _take(values: FloatArray, weights: Weights, axis: int) -> FloatArray:
    """Interpolate along one dimension at targets that are the same for all rows; shape of targets is (n,)."""
    upper_index = np.minimum(weights.lower + 1, values.shape[axis] - 1)
    shape = [1] * values.ndim
    shape[axis] = -1
    upper = weights.upper.reshape(shape)
    below, above = np.take(values, weights.lower, axis), np.take(values, upper_index, axis)
    return _without_unused_nodes(np.asarray(below * (1 - upper) + above * upper), below, above, upper)


def _without_unused_nodes(between: FloatArray, below: FloatArray, above: FloatArray, upper: FloatArray) -> FloatArray:
    """Return interpolated values in which nodes without weight are ignored, although 0 times NaN is NaN."""
    if np.isfinite(between.sum()):
        return between
    return np.asarray(np.where(upper == 0, below, np.where(upper == 1, above, between)))


@dataclass(frozen=True)
class IrfTable:
    """The part of a table that a block needs: two offset nodes of each (row, cell).

    Parameters
    ----------
    axes
        The axes by name.
    values
        Shape (row, cell, ...), interpolated in offset; the remaining dims in the table's order.
    inside
        Whether the offset lies inside the edges, shape (row, cell).
    """

    axes: dict[str, Axis]
    values: dict[str, FloatArray]
    inside: BoolArray


def read_table(table: xr.Dataset, rows: IntArray, offset: FloatArray) -> IrfTable:
    """Read the responses of ``rows`` from a table and interpolate them in offset.

    Parameters
    ----------
    table
        Dims (irf, offset, ...).
    rows
        The ``irf`` number of each row, shape (row,).
    offset
        Offsets from the pointing in degrees, shape (row, cell).

    Returns
    -------
    IrfTable
        In float64.
    """
    names = [str(dim) for dim in table.sizes if dim not in ("irf", "bound")]
    axes = {name: Axis.from_coords(table.coords, name) for name in names}
    weights = interpolation_weights(axes["offset"], offset)
    unique, inverse = np.unique(rows, return_inverse=True)
    first, last = int(weights.lower.min()), int(min(weights.lower.max() + 1, axes["offset"].nbin - 1))
    runs = _contiguous(unique)
    window = table.isel(irf=runs, offset=slice(first, last + 1))
    position = unique[inverse] - unique[0] if isinstance(runs, slice) else inverse
    lower = weights.lower - first
    upper = np.minimum(lower + 1, last - first)
    values = {
        str(name): _between(_finite(window[name].values), position, lower, upper, weights.upper)
        for name in table.data_vars
    }
    return IrfTable({name: axis for name, axis in axes.items() if name != "offset"}, values, weights.inside)


def _contiguous(unique: IntArray) -> slice | IntArray:
    """Return a slice where the wanted responses are dense enough to be read in one piece."""
    span = int(unique[-1] - unique[0]) + 1
    return slice(int(unique[0]), int(unique[-1]) + 1) if span <= 2 * len(unique) else unique


def _finite(stored: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the values with NaN for all that are not finite, as infinity minus infinity gives a warning."""
    is_finite = np.isfinite(stored)
    return stored if is_finite.all() else np.where(is_finite, stored, np.float32(np.nan))


def _between(
    stored: npt.NDArray[np.float32], position: IntArray, lower: IntArray, upper: IntArray, weight: FloatArray
) -> FloatArray:
    row = position[:, None]
    shape = weight.shape + (1,) * (stored.ndim - 2)
    below = stored[row, lower].astype(float)
    above = stored[row, upper].astype(float)
    share = weight.reshape(shape)
    return _without_unused_nodes(np.asarray(below + (above - below) * share), below, above, share)


def effective_area(table: IrfTable, energy_true: FloatArray) -> FloatArray:
    """Return the effective area in m2, NaN where it is unknown, shape (row, cell, energy_true)."""
    weights = interpolation_weights(table.axes["energy_true"], energy_true)
    area = np.maximum(_take(table.values["aeff"], weights, 2), 0.0)
    return np.where(table.inside[..., None] & weights.inside, area, 0.0)


def edisp_kernel(table: IrfTable, energy_true: FloatArray, energy_edges: FloatArray) -> FloatArray:
    """Return the energy dispersion kernel, shape (row, cell, energy_true, energy); rows of the kernel sum to at most 1.

    The density in migra is summed to a normalised cumulative, which is linear between the migra edges, and differenced
    at the reconstructed edges over the true energy. A row without any density is NaN, as it cannot be normalised, and
    so is an offset outside of the table.
    """
    cumulative = _cumulative_density(table, energy_true)
    total = cumulative.max(axis=2, keepdims=True)
    normalised = np.divide(cumulative, total, out=np.zeros_like(cumulative), where=total > 0)
    kernel = _between_edges(normalised, table.axes["migra"], energy_true, energy_edges)
    is_unknown = ~(total[:, :, 0] > 0)
    if is_unknown.any():
        kernel[is_unknown] = np.nan
    return np.asarray(kernel)


def edisp_sums(table: IrfTable, energy_true: FloatArray, energy_edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the energy dispersion before it is normalised, and what it is to be divided by; both are linear in offset.

    Shapes (row, cell, energy_true, energy) and (row, cell, energy_true); see ``edisp_kernel``. The divisor is 0 where
    there is no density.
    """
    cumulative = _cumulative_density(table, energy_true)
    return _between_edges(cumulative, table.axes["migra"], energy_true, energy_edges), cumulative.max(axis=2)


def _cumulative_density(table: IrfTable, energy_true: FloatArray) -> FloatArray:
    """Return the density in migra summed up to each migra edge, shape (row, cell, edge, energy_true)."""
    axis, migra = table.axes["energy_true"], table.axes["migra"]
    weights = interpolation_weights(axis, energy_true)
    density = np.maximum(_take(table.values["edisp"], weights, 3), 0.0)
    # As in Gammapy all axes are checked; migra centres are always inside, so only the offset can be outside.
    density = np.where(table.inside[..., None, None], density, 0.0)
    cumulative = np.zeros((*density.shape[:2], migra.nbin + 1, density.shape[3]))
    np.cumsum(density * migra.width[:, None], axis=2, out=cumulative[:, :, 1:])
    return cumulative


def _between_edges(
    cumulative: FloatArray, migra: Axis, energy_true: FloatArray, energy_edges: FloatArray
) -> FloatArray:
    """Return a cumulative density between reconstructed edges, shape (row, cell, energy_true, energy)."""
    target = energy_edges[None, :] / energy_true[:, None]
    index = np.clip(np.searchsorted(migra.edges, target, side="right") - 1, 0, migra.nbin - 1)
    upper = np.clip((target - migra.edges[index]) / migra.width[index], 0.0, 1.0)
    column = np.arange(len(energy_true))[:, None]
    below, above = cumulative[:, :, index, column], cumulative[:, :, index + 1, column]
    return np.asarray(np.maximum(np.diff(below + (above - below) * upper, axis=-1), 0.0))


def psf_table_containment(table: IrfTable, energy_true: FloatArray, radius: FloatArray) -> FloatArray:
    """Return the fraction of a tabulated PSF inside ``radius`` (deg, shape (cell,)), shape (row, cell, energy_true).

    NaN where the table is empty or is not a probability density, and outside of it.
    The cumulative is not normalised, is tabulated at the upper rad edges and does not pass through zero at rad 0.
    """
    rad = table.axes["rad"]
    nodes = Axis.from_nodes("rad", rad.edges[1:], "deg", "lin")
    # Beyond the table the cumulative is constant.
    where = interpolation_weights(nodes, np.minimum(radius, rad.edges[-1]))
    number = np.arange(rad.nbin)
    share = np.where(number <= where.lower[:, None], 1.0, 0.0) + np.where(
        number == where.lower[:, None] + 1, where.upper[:, None], 0.0
    )
    ring = 2 * np.pi * np.deg2rad(rad.center) * np.deg2rad(rad.width)
    density = table.values["psf"]
    if not np.isfinite(density.sum()):
        density = np.where(share[None, :, :, None] == 0, 0.0, density)
    cumulative = np.einsum("rcke,ck->rce", density, share * ring)
    weights = interpolation_weights(table.axes["energy_true"], energy_true)
    fraction = np.maximum(_take(cumulative, weights, 2), 0.0)
    # 0 is a point spread function that was never filled in; far above 1 its unit is wrong.
    is_known = table.inside[..., None] & weights.inside & (fraction > 0) & (fraction < LARGEST_CONTAINMENT)
    return np.where(is_known, fraction, np.nan)


def psf_3gauss_containment(table: IrfTable, energy_true: FloatArray, radius: FloatArray) -> FloatArray:
    """Return the fraction of a sum of three Gaussians inside ``radius``, shape (row, cell, energy_true)."""
    at = {name: np.maximum(value, 0.0) for name, value in _parameters(table, energy_true).items()}
    rho = radius[:, None]
    amplitudes = (np.ones_like(at["scale"]), at["ampl_2"], at["ampl_3"])
    sigmas = (at["sigma_1"], at["sigma_2"], at["sigma_3"])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        norms = [2 * at["scale"] * a * s**2 for a, s in zip(amplitudes, sigmas, strict=True)]
        total = sum(norms[1:], norms[0])
        parts = [
            np.nan_to_num(norm / total) * -np.expm1(-(rho**2) / (2 * s**2))
            for norm, s in zip(norms, sigmas, strict=True)
        ]
    return np.where(total > 0, np.nan_to_num(sum(parts[1:], parts[0])), np.nan)


def psf_king_containment(table: IrfTable, energy_true: FloatArray, radius: FloatArray) -> FloatArray:
    """Return the fraction of a King profile inside ``radius``, shape (row, cell, energy_true)."""
    at = {name: np.maximum(value, 0.0) for name, value in _parameters(table, energy_true).items()}
    gamma, sigma = at["gamma"], at["sigma"]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        fraction = 1 - (1 + radius[:, None] ** 2 / (2 * gamma * sigma**2)) ** (1 - gamma)
    return np.where(np.isfinite(fraction), fraction, np.nan)


def psf_table_density(table: IrfTable, energy_true: FloatArray, rad: FloatArray) -> FloatArray:
    """Return a tabulated point spread function in sr-1 at distances (deg), 0 beyond the table.

    Shape (row, cell, energy_true, distance); ``rad`` has shape (distance,). It is not normalised.
    """
    at_energy = interpolation_weights(table.axes["energy_true"], energy_true)
    at_rad = interpolation_weights(table.axes["rad"], rad)
    density = np.maximum(_take(_take(table.values["psf"], at_energy, 3), at_rad, 2), 0.0).swapaxes(2, 3)
    is_known = table.inside[..., None, None] & at_energy.inside[:, None] & at_rad.inside
    return np.where(is_known, np.nan_to_num(density), 0.0)


def psf_3gauss_density(table: IrfTable, energy_true: FloatArray, rad: FloatArray) -> FloatArray:
    """Return a sum of three Gaussians at distances (deg), up to a factor, shape (row, cell, energy_true, distance)."""
    at = {name: np.maximum(value, 0.0)[..., None] for name, value in _parameters(table, energy_true).items()}
    amplitudes = (np.ones_like(at["scale"]), at["ampl_2"], at["ampl_3"])
    sigmas = (at["sigma_1"], at["sigma_2"], at["sigma_3"])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        parts = [a * np.exp(-(rad**2) / (2 * s**2)) for a, s in zip(amplitudes, sigmas, strict=True)]
        total = at["scale"] * sum(parts[1:], parts[0])
    return np.asarray(np.nan_to_num(np.where(table.inside[..., None, None], total, 0.0)))


def psf_king_density(table: IrfTable, energy_true: FloatArray, rad: FloatArray) -> FloatArray:
    """Return a King profile at distances (deg), up to a factor, shape (row, cell, energy_true, distance)."""
    at = {name: np.maximum(value, 0.0)[..., None] for name, value in _parameters(table, energy_true).items()}
    gamma, sigma = at["gamma"], at["sigma"]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        norm = (1 - 1 / gamma) / (2 * np.pi * np.deg2rad(sigma) ** 2)
        profile = norm * (1 + rad**2 / (2 * gamma * sigma**2)) ** -gamma
    is_known = np.isfinite(profile) & table.inside[..., None, None]
    return np.asarray(np.where(is_known, profile, 0.0))


PSF_DENSITY = {
    "psf_table": psf_table_density,
    "psf_3gauss": psf_3gauss_density,
    "psf_king": psf_king_density,
}


def _parameters(table: IrfTable, energy_true: FloatArray) -> dict[str, FloatArray]:
    """Return the parameters of an analytic PSF, interpolated and extrapolated, each (row, cell, energy_true)."""
    weights = interpolation_weights(table.axes["energy_true"], energy_true)
    return {name: _take(value, weights, 2) for name, value in table.values.items()}


CONTAINMENT = {
    "psf_table": psf_table_containment, "psf_3gauss": psf_3gauss_containment, "psf_king": psf_king_containment,
}  # fmt: skip
FOV_ALIGNMENTS = ("RADEC", "ALTAZ", "REVERSE_LON_RADEC")
"""How the field of view of a background lies on the sky, in the words of the key FOVALIGN."""
# Files have rates in MeV-1: there the smallest number of single precision stands for none, and less is none.
_NO_RATE = 2e6 * float(np.finfo(np.float32).tiny)
LOG_OF_NO_RATE = float(np.log(_NO_RATE))


def background_rate(
    table: xr.Dataset, rows: IntArray, places: Mapping[str, FloatArray], energy: FloatArray
) -> FloatArray:
    """Return the rate of background events in s-1 TeV-1 sr-1, shape (row, place, energy).

    Parameters
    ----------
    table
        Dims (irf, energy, fov_lon, fov_lat) or (irf, energy, offset).
    rows
        The ``irf`` number of each row, shape (row,).
    places
        Coordinates in degrees by dim, each of shape (row, place).
    energy
        Reconstructed energies in TeV, shape (energy,).

    Notes
    -----
    As in Gammapy, logarithms are interpolated, entries without a rate between others of the same place are filled in,
    and beyond the innermost and the outermost node of an offset the rate stays as it is, up to one bin beyond the edge.
    """
    axes = {name: Axis.from_coords(table.coords, name) for name in (*places, "energy")}
    inside, weights = np.ones((), dtype=bool), list[Weights]()
    for name, values in places.items():
        own = field_weights(axes[name], values)
        inside, weights = inside & own.inside, [*weights, own]
    stored, numbers = stored_rates(table, rows, (*places, "energy"))
    position = numbers[:, None]
    logs = _Logs()
    last = [axes[name].nbin - 1 for name in places]
    for corner in product((0, 1), repeat=len(places)):
        index = [np.minimum(own.lower + up, end) for up, own, end in zip(corner, weights, last, strict=True)]
        shares = [own.upper if up else 1 - own.upper for up, own in zip(corner, weights, strict=True)]
        columns = stored[(position, *index)].astype(float)
        logs.add(_filled_logs(columns), np.prod(shares, axis=0)[..., None])
    at = interpolation_weights(axes["energy"], energy)
    nodes, between = logs.total, _Logs()
    between.add(nodes[..., at.lower], 1 - at.upper)
    between.add(nodes[..., np.minimum(at.lower + 1, axes["energy"].nbin - 1)], at.upper)
    rate = np.exp(between.total)
    return np.asarray(np.where((rate > _NO_RATE) & inside[..., None] & at.inside, rate, 0.0))


def stored_rates(table: xr.Dataset, rows: IntArray, order: Sequence[str]) -> tuple[npt.NDArray[np.float32], IntArray]:
    """Read the rates of responses, and return them with the number of each of ``rows`` among them, shape (row,).

    ``order`` are the dims behind the first one.
    """
    unique, inverse = np.unique(rows, return_inverse=True)
    numbers = _contiguous(unique)
    stored = table["bkg"].isel(irf=numbers).transpose("irf", *order).values
    return stored, unique[inverse] - unique[0] if isinstance(numbers, slice) else inverse


def log_rates(axis: Axis, values: npt.NDArray[np.floating], energy: FloatArray) -> FloatArray:
    """Return the natural logarithms of the rate of one response at its nodes, shape (energy, node, ...).

    They are those that ``background_rate`` interpolates between the nodes of the field: between nodes nothing is
    extrapolated, and the order of both interpolations does not matter.

    Parameters
    ----------
    axis
        The reconstructed energies of the response.
    values
        Its rate, shape (node of the axis, node, ...).
    energy
        Reconstructed energies in TeV, shape (energy,).
    """
    at = interpolation_weights(axis, energy)
    upper = np.minimum(at.lower + 1, axis.nbin - 1)
    shape = values.shape[1:]
    first, last = int(at.lower.min()), int(upper.max())
    values = values.reshape(len(values), -1)
    some = values[first : last + 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(some.astype(float))
        lacking = np.flatnonzero(~((some > 0) & (some < np.inf)).all(axis=0))
    if len(lacking):
        logs[:, lacking] = _filled_logs(values[:, lacking].T.astype(float)).T[first : last + 1]
    total, above = logs[at.lower - first], logs[upper - first]
    ends = total[:, lacking], above[:, lacking]
    total += (above - total) * at.upper[:, None]
    if len(lacking):
        total[:, lacking] = _not_away(total[:, lacking], np.minimum(*ends), np.maximum(*ends))
    total[~at.inside] = LOG_OF_NO_RATE - 1.0
    return np.asarray(total.reshape(len(energy), *shape))


def _not_away(total: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Return interpolated logarithms that are not extrapolated away from where there is no rate."""
    return np.asarray(np.where(low <= LOG_OF_NO_RATE, np.minimum(total, high), total))


class _Logs:
    """A weighted sum of logarithms that is not extrapolated away from where there is no rate."""

    def __init__(self) -> None:
        self._sum = np.zeros(())
        self._low, self._high = np.full((), np.inf), np.full((), -np.inf)

    def add(self, logs: FloatArray, share: FloatArray) -> None:
        self._sum = self._sum + logs * share
        self._low, self._high = np.minimum(self._low, logs), np.maximum(self._high, logs)

    @property
    def total(self) -> FloatArray:
        return _not_away(self._sum, self._low, self._high)


def field_weights(axis: Axis, values: FloatArray) -> Weights:
    """Return weights between the nodes of an axis of the field; offsets reach up to one bin beyond the edges."""
    if axis.name != "offset":
        return interpolation_weights(axis, values)
    return _padded_weights(axis, values)


def _padded_weights(axis: Axis, offset: FloatArray) -> Weights:
    """Return weights between the nodes, of offsets up to one bin beyond the edges."""
    inside = (offset >= axis.edges[0] - axis.width[0]) & (offset <= axis.edges[-1] + axis.width[-1])
    return interpolation_weights(axis, np.clip(offset, axis.center[0], axis.center[-1]))._replace(inside=inside)


def _filled_logs(values: FloatArray) -> FloatArray:
    """Return logarithms in which entries without a rate between others are filled in, along the last axis."""
    with np.errstate(invalid="ignore"):
        known = np.isfinite(values) & (values > 0)
    logs = np.log(np.where(known, values, 0.5 * _NO_RATE))
    if known.all():
        return np.asarray(logs)
    number = np.arange(values.shape[-1])
    below = np.maximum.accumulate(np.where(known, number, -1), axis=-1)
    above = np.minimum.accumulate(np.where(known, number, len(number))[..., ::-1], axis=-1)[..., ::-1]
    between = ~known & (below >= 0) & (above < len(number))
    low, high = np.maximum(below, 0), np.minimum(above, len(number) - 1)
    share = (number - low) / np.maximum(high - low, 1)
    filled = np.take_along_axis(logs, low, -1) * (1 - share) + np.take_along_axis(logs, high, -1) * share
    return np.asarray(np.where(between, filled, logs))
