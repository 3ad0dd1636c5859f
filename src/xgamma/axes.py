"""``Axis``: all bin axes are made here, so that two axes of the same edges are equal to the last bit."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from xgamma.description import Described, Description, ends, facts
from xgamma.digits import some
from xgamma.errors import ConfigError, DataError, did_you_mean

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
Scale = Literal["log", "lin"]

RELATIVE_EQUALITY = 1e-9
EDGES = 12
"""How many edges are shown."""
INSTEAD = {
    "bin_width": "width",
    "coord_to_idx": "index(values)",
    "coord_to_pix": "place_of(values)",
    "edges_max": "bounds[:, 1]",
    "edges_min": "bounds[:, 0]",
    "energy_mask": "mask_inside(minimum, maximum)",
    "interp": "scale",
    "pix_to_coord": "value_at(place)",
}
"""Names of an axis in Gammapy, and what is here."""


@dataclass(frozen=True, eq=False)
class Axis(Described):
    """A named axis of contiguous ascending bins.

    Parameters
    ----------
    name
        The dim: ``energy``, ``energy_true``, ``migra``, ``offset``, ``rad``, ...
    edges
        Bin edges, shape (nbin + 1,), ascending.
    unit
        The canonical unit of the edges, FITS style.
    scale
        The scale in which bins are centred and interpolated.
    nodes
        The centres of an axis given by its nodes, shape (nbin,); ``None`` where the centres follow from the edges.

    Examples
    --------
    >>> axis = Axis.from_bounds("energy", 1.0, 100.0, 2)
    >>> axis.edges.round(9).tolist(), axis.center.round(9).tolist()
    ([1.0, 10.0, 100.0], [3.16227766, 31.6227766])
    """

    name: str
    edges: FloatArray
    unit: str = "TeV"
    scale: Scale = "log"
    nodes: FloatArray | None = None

    def __post_init__(self) -> None:
        edges = np.array(self.edges, dtype=float)
        if edges.ndim != 1 or edges.size < 2 or not np.all(np.diff(edges) > 0):
            raise ConfigError(f"Axis {self.name!r}: expected at least two ascending edges, got {edges.tolist()}.")
        if self.scale == "log" and self.nodes is None and edges[0] <= 0:
            raise ConfigError(f"Axis {self.name!r}: a logarithmic axis starts above 0 {self.unit}, got {edges[0]}.")
        edges.flags.writeable = False
        object.__setattr__(self, "edges", edges)

    @classmethod
    def from_bounds(
        cls, name: str, minimum: float, maximum: float, nbin: int, unit: str = "TeV", scale: Scale = "log"
    ) -> Axis:
        """Return ``nbin`` bins of equal width in ``scale`` between two bounds in ``unit``.

        Raises ``ConfigError`` for bounds that do not ascend or begin at 0 in a logarithmic scale, and for less than one
        bin.
        """
        if not (np.isfinite(minimum) and np.isfinite(maximum) and minimum < maximum):
            raise ConfigError(
                f"Axis {name!r}: expected min < max, got min = {minimum} {unit} and max = {maximum} {unit}."
            )
        if nbin < 1:
            raise ConfigError(f"Axis {name!r}: expected nbins of at least 1, got {nbin}.")
        if scale == "lin":
            return cls(name, np.asarray(minimum + np.arange(nbin + 1) * ((maximum - minimum) / nbin)), unit, scale)
        if minimum <= 0:
            raise ConfigError(f"Axis {name!r}: a logarithmic axis starts above 0 {unit}, got min = {minimum} {unit}.")
        # linspace, as in Gammapy: the last edge decides whether a fit range that ends there holds the last bin.
        return cls(name, np.exp(np.linspace(np.log(minimum), np.log(maximum), nbin + 1)), unit, scale)

    @classmethod
    def from_nodes(cls, name: str, nodes: npt.ArrayLike, unit: str, scale: Scale) -> Axis:
        """Return an axis whose centres are ``nodes``; edges lie half-way, extrapolated by half a bin at both ends."""
        centers = np.array(nodes, dtype=float)
        centers.flags.writeable = False
        if centers.size == 1:
            half = 0.5 * abs(centers[0]) or 0.5
            return cls(name, np.array([centers[0] - half, centers[0] + half]), unit, scale, centers)
        scaled = np.log(centers) if scale == "log" else centers
        middle = 0.5 * (scaled[1:] + scaled[:-1])
        first, last = 1.5 * scaled[0] - 0.5 * scaled[1], 1.5 * scaled[-1] - 0.5 * scaled[-2]
        edges = np.concatenate([[first], middle, [last]])
        return cls(name, np.exp(edges) if scale == "log" else edges, unit, scale, centers)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Raise ``AttributeError`` that says what to use; numbers of an axis are plain, in its ``unit``."""
            if name.startswith("_"):
                raise AttributeError(name)
            known = {*dir(type(self)), *type(self).__dataclass_fields__}
            own = [each for each in known if not each.startswith("_")]
            hint = f" Use {INSTEAD[name]}." if name in INSTEAD else did_you_mean(name, own)
            raise AttributeError(f"An axis has no {name!r} here.{hint}")

    def rename(self, name: str) -> Axis:
        """Return the axis under another name."""
        return replace(self, name=name)

    @property
    def words(self) -> str:
        """Bins and ends, for people."""
        return (
            f"{some(self.nbin, 'bin')} ({self.scale}), {self.edges[0]:.4g} to {self.edges[-1]:.4g} {self.unit}".rstrip()
        )

    def __repr__(self) -> str:
        return f"<Axis {self.name}: {self.words}>"

    def _description(self) -> Description:
        edges, shown = self.edges, ends(len(self.edges), EDGES)
        texts = [f"{edges[number]:.4g}" for number in shown[0]]
        if shown[1]:
            texts.insert(EDGES // 2, "...")
        rows = [("Name", self.name), ("Bins", self.words), ("Edges", ", ".join(texts))]
        return Description(type(self).__name__, facts(rows))

    @property
    def nbin(self) -> int:
        """The number of bins."""
        return len(self.edges) - 1

    @cached_property
    def center(self) -> FloatArray:
        """Bin centres in the scale of the axis, shape (nbin,)."""
        if self.nodes is not None:
            return self.nodes
        if self.scale == "log":
            return np.exp(0.5 * (np.log(self.edges[1:]) + np.log(self.edges[:-1])))
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    @property
    def width(self) -> FloatArray:
        """Bin widths, shape (nbin,)."""
        return np.diff(self.edges)

    @property
    def bounds(self) -> FloatArray:
        """CF bounds, shape (nbin, 2)."""
        return np.stack([self.edges[:-1], self.edges[1:]], axis=1)

    def pixel(self, values: npt.ArrayLike) -> FloatArray:
        """Return fractional bin numbers of evenly spaced bins: 0 at the centre of the first, edges at -0.5, 0.5, ..."""
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.log(np.asarray(values, dtype=float)) if self.scale == "log" else np.asarray(values, dtype=float)
        first, last = (np.log(self.edges[[0, -1]]) if self.scale == "log" else self.edges[[0, -1]]).tolist()
        return np.asarray(self.nbin * (scaled - first) / (last - first) - 0.5)

    @cached_property
    def is_even(self) -> bool:
        """Whether the bins are equally wide in the scale of the axis (to 1e-9)."""
        scaled = np.log(self.edges) if self.scale == "log" else self.edges
        steps = np.diff(scaled)
        return bool(np.allclose(steps, steps.mean(), rtol=RELATIVE_EQUALITY, atol=0))

    def index(self, values: npt.ArrayLike, clip: bool = False) -> IntArray:
        """Return the bin of each value, -1 outside; a lower edge belongs to its bin, the last edge to no bin.

        With ``clip`` it is the nearest bin outside, the first of what is not finite.
        """
        if self.is_even:
            pixel = self.pixel(values)
            with np.errstate(invalid="ignore"):
                number = np.where(np.isfinite(pixel), np.rint(pixel), -1)
        else:
            array = np.asarray(values, dtype=float)
            number = np.where(np.isfinite(array), np.searchsorted(self.edges, array, side="right") - 1.0, -1)
        found = np.where((number >= 0) & (number < self.nbin), number, -1).astype(np.int64)
        if clip:
            return np.where((found < 0) & (np.asarray(values) > self.center[0]), self.nbin - 1, found.clip(0))
        return found

    def squash(self) -> Axis:
        """Return one bin from the first edge to the last."""
        return replace(self, edges=self.edges[[0, -1]], nodes=None)

    def part(self, bins: slice) -> Axis:
        """Return some neighbouring bins; raises ``ConfigError`` for none of them, or for every second."""
        first, last, step = bins.indices(self.nbin)
        if step != 1 or first >= last:
            raise ConfigError(f"Axis {self.name!r}: expected neighbouring bins of {self.nbin}, got {bins}.")
        nodes = None if self.nodes is None else self.nodes[first:last]
        return replace(self, edges=self.edges[first : last + 1], nodes=nodes)

    def grouped(self, factor: int) -> Axis:
        """Return so many bins in one; raises ``ConfigError`` unless they are whole groups."""
        if factor < 1 or self.nbin % factor:
            raise ConfigError(f"Axis {self.name!r}: expected a factor of {self.nbin} bins, got {factor}.")
        return replace(self, edges=self.edges[::factor], nodes=None)

    def split(self, factor: int) -> Axis:
        """Return each bin cut into so many of equal width in the scale of the axis."""
        fine = np.interp(np.arange(self.nbin * factor + 1) / factor, np.arange(self.nbin + 1), self._scaled(self.edges))
        return replace(self, edges=np.exp(fine) if self.scale == "log" else fine, nodes=None)

    def place_of(self, values: npt.ArrayLike) -> FloatArray:
        """Return fractional bin numbers as ``pixel`` does, also of uneven bins; NaN beyond uneven ones."""
        if self.is_even and self.nodes is None:
            return self.pixel(values)
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = self._scaled(np.asarray(values, dtype=float))
        return np.asarray(np.interp(scaled, self._scaled(self._marks[1]), self._marks[0], np.nan, np.nan))

    def value_at(self, place: npt.ArrayLike) -> FloatArray:
        """Return the values of fractional bin numbers, NaN beyond the axis; the inverse of ``place_of``."""
        scaled = np.interp(np.asarray(place, float), self._marks[0], self._scaled(self._marks[1]), np.nan, np.nan)
        return np.asarray(np.exp(scaled) if self.scale == "log" else scaled)

    @property
    def _marks(self) -> tuple[FloatArray, FloatArray]:
        """Bin numbers and the values there: of the edges, and of the nodes where there are any."""
        places: FloatArray = np.arange(self.nbin + 1.0) - 0.5
        if self.nodes is None:
            return places, self.edges
        places = np.concatenate([places[:1], np.arange(self.nbin), places[-1:]])
        values: FloatArray = np.concatenate([self.edges[:1], self.nodes, self.edges[-1:]])
        return places, values

    def _scaled(self, values: FloatArray) -> FloatArray:
        return np.asarray(np.log(values) if self.scale == "log" else values)

    def mask_inside(self, minimum: float | None, maximum: float | None) -> BoolArray:
        """Return the bins that lie wholly inside [minimum, maximum]; ``None`` is the end of the axis."""
        low = self.edges[0] if minimum is None else minimum
        high = self.edges[-1] if maximum is None else maximum
        return np.asarray((self.edges[:-1] >= low) & (self.edges[1:] <= high))

    def nearest_edges(self, values: npt.ArrayLike) -> IntArray:
        """Return the number of the edge that is nearest to each value in the logarithm; the first and last beyond them.

        >>> Axis("energy", np.array([1.0, 10.0, 100.0])).nearest_edges([0.1, 2.0, 40.0]).tolist()
        [0, 0, 2]
        """
        position = np.interp(np.log(values), np.log(self.edges), np.arange(self.nbin + 1.0))
        # An edge half-way between two goes to the even one, whatever the last digits of the logarithms say.
        return np.asarray(np.rint(np.round(position, 9)), dtype=np.int64)

    def coords(self) -> dict[Hashable, Any]:
        """Return the xarray coordinates: centre as index, edges as CF bounds."""
        return bin_coords(self.name, np.array(self.center), self.bounds, self.unit, self.scale)

    @classmethod
    def from_coords(cls, coords: Mapping[Any, Any], name: str) -> Axis:
        """Read the axis back from the coordinates of an xarray object."""
        center, bounds = coords[name], np.asarray(coords[f"{name}_bounds"].values, dtype=float)
        edges, nodes = np.append(bounds[:, 0], bounds[-1, 1]), np.asarray(center.values, dtype=float)
        axis = cls(name, edges, center.attrs.get("units", ""), center.attrs.get("scale", "log"))
        return axis if np.array_equal(axis.center, nodes) else replace(axis, nodes=nodes)

    @property
    def digest(self) -> str:
        """A short digest of name, edges, unit, scale and nodes."""
        parts = [self.name, self.unit, self.scale, self.edges.tobytes().hex(), self.center.tobytes().hex()]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Axis) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def is_close(self, other: Axis) -> bool:
        """Whether two axes are the same to 1e-9."""
        return (
            self.name == other.name
            and self.nbin == other.nbin
            and np.allclose(self.edges, other.edges, rtol=RELATIVE_EQUALITY, atol=0)
        )


def bin_coords(
    name: str, center: FloatArray, bounds: FloatArray, unit: str = "TeV", scale: Scale = "log"
) -> dict[Hashable, Any]:
    """Return the xarray coordinates of bins, between which there may be gaps.

    Parameters
    ----------
    name
        The dim.
    center
        The index, shape (bin,).
    bounds
        Lower and upper edge of each bin, which become CF bounds, shape (bin, 2).
    unit, scale
        Of both, and the scale in which bins are interpolated.
    """
    attrs = {"units": unit, "bounds": f"{name}_bounds", "scale": scale, **LABELS.get(name, {})}
    return {name: ((name,), center, attrs), f"{name}_bounds": ((name, "bound"), bounds, {"units": unit})}


LABELS: dict[str, dict[str, str]] = {
    "energy": {"long_name": "Energy", "standard_name": "reconstructed_energy"},
    "energy_true": {"long_name": "True energy", "standard_name": "true_energy"},
    "offset": {"long_name": "Offset from the pointing"},
    "rad": {"long_name": "Offset from the source"},
    "migra": {"long_name": "Energy migration"},
}


def unify_axis(axes: list[Axis]) -> Axis:
    """Return the first axis if all others equal it to 1e-9; raises ``DataError`` when they do not."""
    first = axes[0]
    for axis in axes[1:]:
        if not axis.is_close(first):
            raise DataError(
                f"The {first.name!r} axes are not aligned: {first.nbin} bins from {first.edges[0]:g} to "
                f"{first.edges[-1]:g} {first.unit} and {axis.nbin} bins from {axis.edges[0]:g} to {axis.edges[-1]:g} "
                f"{axis.unit}. Reduce both with the same axis."
            )
    return first
