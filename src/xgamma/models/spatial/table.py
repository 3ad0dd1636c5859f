"""``SkyTable``: the values of a map, as a model of the sky: cleaned, normalised, and interpolated at positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from astropy import units as u

from xgamma.axes import Axis, FloatArray
from xgamma.dialects import fits_unit
from xgamma.errors import ConfigError, ConfigTypeError
from xgamma.formats.sky_maps.files import read_map
from xgamma.formats.sky_maps.sky_map import SkyMap
from xgamma.sky import SkySpace

ENERGIES = ("energy_true", "energy")
PER_SR = u.Unit("sr-1")
FLUX_PER_SR = u.Unit("cm-2 s-1 TeV-1 sr-1")


@dataclass(frozen=True, eq=False)
class SkyTable:
    """Values on an image of the sky and axes.

    Parameters
    ----------
    values
        At least 0, shape (one for each axis, y, x).
    axes
        In the order of the values; an axis of energy is the last of them.
    space
        The image.
    unit
        Of the values.
    remark
        What was left out of the map, as a sentence; empty for nothing.
    """

    values: FloatArray
    axes: tuple[Axis, ...]
    space: SkySpace
    unit: u.UnitBase
    remark: str = ""

    def __deepcopy__(self, memo: dict[int, Any]) -> SkyTable:
        return self

    @classmethod
    def read(cls, filename: Any, owner: str) -> SkyTable:
        """Read the first map of a FITS file; raises as `xgamma.formats.sky_maps.files.read_map`, and as ``of_map``."""
        return cls.of_map(read_map(filename), f"{owner}: {filename}")

    @classmethod
    def of_map(cls, given: Any, owner: str) -> SkyTable:
        """Return the table of a ``Map`` or a ``SkyMap``.

        Raises ``ConfigError`` for a map in which nothing is above 0, ``ConfigTypeError`` for what is no map.
        """
        if isinstance(given, SkyMap):
            values, axes, space, unit = given.values, given.axes, given.space, given.unit
        elif hasattr(getattr(given, "geom", None), "space"):
            values, axes, space = given.data, given.geom.axes.plain[::-1], given.geom.space
            unit = str(given.unit)
        else:
            raise ConfigTypeError(f"{owner}: expected a Map of an image of the sky, got a {type(given).__name__}.")
        plain, order = (
            np.asarray(values, dtype=float),
            sorted(range(len(axes)), key=lambda at: axes[at].name in ENERGIES),
        )
        plain = np.transpose(plain, (*order, len(axes), len(axes) + 1))
        cleaned, remark = _cleaned(plain, np.isfinite(space.positions()[0]).reshape(space.shape), owner)
        return cls(cleaned, tuple(axes[at] for at in order), space, fits_unit(unit), remark)

    def normalised(self, owner: str) -> SkyTable:
        """Return it divided by the sum over the sphere, each plane by its own, in sr-1.

        A map whose unit is one per solid angle is a density; any other one holds amounts, pixel by pixel.

        Raises ``ConfigError`` for a plane whose sum is not above 0.
        """
        area = self.space.solid_angles().reshape(self.space.shape)
        amounts = self.values * area if _is_per_solid_angle(self.unit) else self.values
        sums = amounts.sum(axis=(-2, -1), keepdims=True)
        empty = int((sums <= 0).sum())
        if empty:
            raise ConfigError(
                f"{owner}: {empty} of its {sums.size} planes hold nothing above 0 and cannot be normalised; leave them "
                "out, or say normalize=False."
            )
        values = np.divide(amounts / sums, area, out=np.zeros_like(amounts), where=area > 0)
        return replace(self, values=values, unit=PER_SR)

    def in_unit(self, owner: str) -> SkyTable:
        """Return it in sr-1 or in cm-2 s-1 TeV-1 sr-1; raises ``ConfigError`` for another unit."""
        unit = PER_SR if self.unit == u.dimensionless_unscaled else self.unit
        for known in (PER_SR, FLUX_PER_SR):
            if unit.is_equivalent(known):
                return replace(self, values=self.values * float(unit.to(known)), unit=known)
        raise ConfigError(
            f"{owner}: expected a map in sr-1 or cm-2 s-1 TeV-1 sr-1 where it is not normalised, got {self.unit}."
        )

    @property
    def energy(self) -> Axis | None:
        """The axis of energy, ``None`` without one."""
        return self.axes[-1] if self.axes and self.axes[-1].name in ENERGIES else None

    @property
    def parameter_axes(self) -> tuple[Axis, ...]:
        """The other axes."""
        return self.axes if self.energy is None else self.axes[:-1]

    @cached_property
    def _logs(self) -> FloatArray:
        return np.log(self.values)

    def at_parameters(self, places: Sequence[float], logarithmic: bool) -> FloatArray:
        """Return the planes, or their logarithms, between those of the other axes, shape (energy or none, y, x)."""
        found = self._logs if logarithmic else self.values
        for axis, value in zip(self.parameter_axes, places, strict=True):
            below, above, share = _between(axis, np.asarray(value), beyond=False)
            found = (1.0 - share) * found[int(below)] + share * found[int(above)]
        return found

    def at(self, lon: FloatArray, lat: FloatArray, planes: FloatArray, logarithmic: bool) -> FloatArray:
        """Return planes (..., y, x) between the pixels about ICRS positions; 0 beside the map.

        Of logarithms they are powers between the centres of pixels and beyond the last ones, of values they are lines,
        and the last ones hold to the edge.
        """
        (x, y), (nx, ny) = self.space.pixels_of(lon, lat), self.space.npix
        with np.errstate(invalid="ignore"):
            inside = (np.abs(x - 0.5 * (nx - 1)) <= 0.5 * nx) & (np.abs(y - 0.5 * (ny - 1)) <= 0.5 * ny)
        (left, right, across), (low, high, up) = (
            _pixels(np.where(inside, place, 0.0), size, logarithmic) for place, size in ((x, nx), (y, ny))
        )
        found = (1 - up) * ((1 - across) * planes[..., low, left] + across * planes[..., low, right])
        found += up * ((1 - across) * planes[..., high, left] + across * planes[..., high, right])
        return np.asarray(np.where(inside, np.exp(found) if logarithmic else found, 0.0))

    def at_energies(self, planes: FloatArray, energy: FloatArray) -> FloatArray:
        """Return planes (energy of the map, ...) at energies in TeV, which broadcast with the rest of their shape.

        A power law between the centres of the bins and to their edges, a line where a plane is 0; beyond the edges 0.
        """
        axis = self.energy
        assert axis is not None
        given = energy * u.TeV.to(axis.unit)
        below, above, share = _between(axis, given, beyond=True)
        shape = np.broadcast_shapes(given.shape, planes.shape[1:])
        pixel = np.broadcast_to(np.arange(planes[0].size).reshape(planes.shape[1:]), shape)
        flat = planes.reshape(len(planes), -1)
        one, two = (flat[np.broadcast_to(number, shape), pixel] for number in (below, above))
        share = np.broadcast_to(share, shape)
        both = (one > 0) & (two > 0)
        ratio = np.divide(two, one, out=np.ones(shape), where=both)
        line = np.maximum((1.0 - share) * one + share * two, 0.0)
        outside = (given < axis.edges[0] * (1 - 1e-9)) | (given > axis.edges[-1] * (1 + 1e-9))
        return np.asarray(np.where(outside, 0.0, np.where(both, one * ratio**share, line)))


def _is_per_solid_angle(unit: u.UnitBase) -> bool:
    plain = unit.decompose()
    return any(base == u.rad and power == -2 for base, power in zip(plain.bases, plain.powers, strict=True))


def _cleaned(values: FloatArray, on_sky: Any, owner: str) -> tuple[FloatArray, str]:
    """Return values of which what is no number or below 0 is 0, and a sentence that counts them."""
    known = np.isfinite(values)
    lacking, negative = int((~known & on_sky).sum()), int((values < 0).sum())
    total = int(np.broadcast_to(on_sky, values.shape).sum())
    cleaned = np.where(known & (values > 0), values, 0.0)
    if not cleaned.any():
        raise ConfigError(f"{owner}: expected a map with values above 0, got none among {total} pixels.")
    counts = [f"{lacking} are no numbers"] * bool(lacking) + [f"{negative} are below 0"] * bool(negative)
    return cleaned, f"of the {total} pixels of the map {' and '.join(counts)}; they count as 0" if counts else ""


def _pixels(place: FloatArray, size: int, beyond: bool) -> tuple[Any, Any, FloatArray]:
    """Return the two pixels about places, and how far from the first to the second they are."""
    first = np.clip(np.floor(place), 0, max(size - 2, 0)).astype(np.int64)
    share = place - first
    return first, np.minimum(first + 1, size - 1), share if beyond else np.clip(share, 0.0, 1.0)


def _between(axis: Axis, values: FloatArray, beyond: bool) -> tuple[Any, Any, FloatArray]:
    """Return the two bins about values in the unit of an axis, and how far between their centres they are."""
    nodes, at = axis.center, values
    if axis.scale == "log" or axis.name in ENERGIES:
        with np.errstate(divide="ignore", invalid="ignore"):
            nodes, at = np.log(nodes), np.log(values)
    first = np.clip(np.searchsorted(nodes, at, side="right") - 1, 0, max(len(nodes) - 2, 0))
    second = np.minimum(first + 1, len(nodes) - 1)
    width = np.where(second > first, nodes[second] - nodes[first], 1.0)
    share = np.where(second > first, (at - nodes[first]) / width, 0.0)
    return first, second, share if beyond else np.clip(share, 0.0, 1.0)
