"""``MapAxis``: bins as a user of Gammapy asks for them, with their unit; what computes takes the plain axis in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import astropy
import numpy as np
from astropy import units as u

from xgamma.axes import Axis, FloatArray, IntArray, Scale
from xgamma.description import Described, Description
from xgamma.dialects import fits_unit
from xgamma.errors import ConfigError
from xgamma.gammapy_methods import SaysInstead
from xgamma.plot import figures as plot_figures
from xgamma.plot import labels as plot_labels
from xgamma.units import canonical

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class MapAxis(SaysInstead, Described):
    """Contiguous ascending bins, whose numbers are quantities.

    Energies are kept in TeV, whatever unit they are given in.

    Parameters
    ----------
    nodes
        Edges or centres of the bins, numbers or a quantity.
    interp
        The scale in which bins are centred and interpolated, ``lin`` or ``log``.
    name
        The dim of arrays.
    node_type
        What the nodes are: ``edges`` or ``center``.
    unit
        Of plain numbers.

    Raises
    ------
    ConfigError
        Unless the nodes ascend.

    Examples
    --------
    >>> axis = MapAxis.from_energy_bounds("1 TeV", "100 TeV", nbin=2)
    >>> axis.edges.to("GeV").round(6)
    <Quantity [  1000.,  10000., 100000.] GeV>
    """

    def __init__(
        self, nodes: Any, interp: Scale = "lin", name: str = "", node_type: str = "edges", unit: Any = ""
    ) -> None:
        if node_type not in ("edges", "center"):
            raise ConfigError(f"MapAxis: expected a node_type of edges or center, got {node_type!r}.")
        given = nodes.unit if isinstance(nodes, u.Quantity) else fits_unit(str(unit))
        own = "TeV" if given.physical_type == "energy" else given.to_string("fits")
        values = _values(nodes, str(given), own)
        about = node_type == "center"
        self._plain = Axis.from_nodes(name, values, own, interp) if about else Axis(name, values, own, interp)

    @classmethod
    def of(cls, given: Any) -> Self:
        """Return a plain ``Axis`` as one of these, or one of these itself; raises ``ConfigError`` for anything else."""
        if isinstance(given, cls):
            return given
        if not isinstance(given, Axis):
            raise ConfigError(f"Expected axes such as those that MapAxis makes, got a {type(given).__name__}.")
        made = cls.__new__(cls)
        made._plain = given
        return made

    @classmethod
    def from_energy_bounds(
        cls, energy_min: Any, energy_max: Any, nbin: int, unit: str | None = None, name: str = "energy",
        per_decade: bool = False,
    ) -> Self:  # fmt: skip
        """Return bins of equal width in the logarithm of the energy, ``nbin`` of them or so many a decade.

        Raises ``ConfigError`` for bounds that do not ascend.
        """
        low, high = _values([energy_min, energy_max], unit or "TeV", "TeV")
        count = int(np.ceil(np.log10(high / low) * nbin)) if per_decade and 0 < low < high else nbin
        return cls.of(Axis.from_bounds(name, float(low), float(high), count))

    @classmethod
    def from_energy_edges(cls, energy_edges: Any, unit: str | None = None, name: str = "energy") -> Self:
        """Return the bins between energies; raises ``ConfigError`` unless these ascend."""
        return cls.of(Axis(name, _values(energy_edges, unit or "TeV", "TeV")))

    @classmethod
    def from_bounds(
        cls, lo_bnd: float, hi_bnd: float, nbin: int, interp: Scale = "lin", unit: Any = "", name: str = "",
        node_type: str = "edges",
    ) -> Self:  # fmt: skip
        """Return ``nbin`` bins of equal width from one number to another, or bins about so many numbers.

        Raises ``ConfigError`` for bounds that do not ascend.
        """
        low, high, own = float(lo_bnd), float(hi_bnd), str(unit)
        if node_type == "center":
            nodes = np.geomspace(low, high, nbin) if interp == "log" else np.linspace(low, high, nbin)
            return cls(nodes, interp, name, node_type, own)
        return cls(Axis.from_bounds(name, low, high, nbin, own, interp).edges, interp, name, unit=own)

    @classmethod
    def from_edges(cls, edges: Any, interp: Scale = "lin", unit: Any = "", name: str = "") -> Self:
        """Return the bins between numbers or quantities; raises ``ConfigError`` unless these ascend."""
        return cls(edges, interp, name, unit=unit)

    @classmethod
    def from_nodes(cls, nodes: Any, interp: Scale = "lin", unit: Any = "", name: str = "") -> Self:
        """Return bins about numbers or quantities, edges half-way; raises ``ConfigError`` unless these ascend."""
        return cls(nodes, interp, name, "center", unit)

    @classmethod
    def from_stack(cls, axes: Iterable[MapAxis]) -> Self:
        """Return the bins of axes one after the other, each of which begins where the one before ends.

        Raises ``ConfigError`` for those that do not.
        """
        first, *others = (cls.of(axis).plain for axis in axes)
        edges = first.edges
        for axis in others:
            if not np.isclose(edges[-1], axis.edges[0], rtol=1e-9, atol=0) or axis.unit != first.unit:
                raise ConfigError(
                    f"Axis {first.name!r}: expected axes that follow each other, got one to {edges[-1]:g} {first.unit} "
                    f"and one from {axis.edges[0]:g} {axis.unit}."
                )
            edges = np.concatenate([edges, axis.edges[1:]])
        return cls.of(replace(first, edges=edges, nodes=None))

    # --- what it is

    @property
    def plain(self) -> Axis:
        """The same bins as plain numbers, as functions of arrays take them."""
        return self._plain

    @property
    def name(self) -> str:
        """The dim of arrays."""
        return self._plain.name

    @property
    def unit(self) -> u.UnitBase:
        """The unit."""
        return fits_unit(self._plain.unit)

    @property
    def interp(self) -> Scale:
        """The scale in which bins are centred and interpolated, ``lin`` or ``log``."""
        return self._plain.scale

    @property
    def node_type(self) -> str:
        """``center`` where the bins were given by their centres, else ``edges``."""
        return "edges" if self._plain.nodes is None else "center"

    @property
    def nbin(self) -> int:
        """The number of bins."""
        return self._plain.nbin

    @property
    def nbin_per_decade(self) -> float:
        """The number of bins in a factor of ten."""
        return float(self.nbin / np.log10(self._plain.edges[-1] / self._plain.edges[0]))

    @property
    def is_energy_axis(self) -> bool:
        """Whether it is one of energies, by its name."""
        return self.name in ("energy", "energy_true")

    def _with_unit(self, values: FloatArray) -> u.Quantity:
        return u.Quantity(values, self.unit)

    @property
    def edges(self) -> u.Quantity:
        """The edges, shape (nbin + 1,)."""
        return self._with_unit(self._plain.edges)

    @property
    def edges_min(self) -> u.Quantity:
        """The lower edge of each bin."""
        return self._with_unit(self._plain.edges[:-1])

    @property
    def edges_max(self) -> u.Quantity:
        """The upper edge of each bin."""
        return self._with_unit(self._plain.edges[1:])

    @property
    def bounds(self) -> u.Quantity:
        """The first and the last edge."""
        return self._with_unit(self._plain.edges[[0, -1]])

    @property
    def center(self) -> u.Quantity:
        """The centres in the scale of the axis, shape (nbin,)."""
        return self._with_unit(self._plain.center)

    @property
    def bin_width(self) -> u.Quantity:
        """The widths, shape (nbin,)."""
        return self._with_unit(self._plain.width)

    @property
    def iter_by_edges(self) -> Iterator[tuple[u.Quantity, u.Quantity]]:
        """The lower and the upper edge, bin by bin."""
        return zip(self.edges_min, self.edges_max, strict=True)

    def __repr__(self) -> str:
        return f"<MapAxis {self.name}: {self._plain.words}>"

    def _description(self) -> Description:
        return replace(self._plain._description(), title=type(self).__name__)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MapAxis) and self._plain == other._plain

    def __hash__(self) -> int:
        return hash(self._plain)

    def is_allclose(self, other: MapAxis) -> bool:
        """Whether two axes are the same to 1e-9."""
        return isinstance(other, MapAxis) and self._plain.is_close(other._plain)

    # --- values and bins

    def _numbers(self, values: Any) -> FloatArray:
        return np.atleast_1d(plain_values(values, self._plain))

    def coord_to_idx(self, coord: Any, clip: bool = False) -> IntArray:
        """Return the bins that values lie in, -1 outside, or with ``clip`` the nearest; the last edge is outside."""
        return self._plain.index(self._numbers(coord), clip)

    def coord_to_pix(self, coord: Any) -> FloatArray:
        """Return fractional bin numbers of values: 0 at the centre of the first bin, its edges at -0.5 and 0.5."""
        return self._plain.place_of(self._numbers(coord))

    def pix_to_coord(self, pix: Any) -> u.Quantity:
        """Return the values at fractional bin numbers, NaN beyond the axis; the inverse of ``coord_to_pix``."""
        return self._with_unit(self._plain.value_at(pix))

    def round(self, coord: Any) -> u.Quantity:
        """Return the edges that are nearest to values in the scale of the axis; the first and last beyond them."""
        inside = np.clip(self._numbers(coord), *self._plain.edges[[0, -1]])
        # What lies half-way belongs to the even edge, whatever the last digits say.
        nearest = np.rint(np.round(self._plain.place_of(inside) + 0.5, 9)).astype(int)
        return self._with_unit(self._plain.edges[nearest])

    def group_table(self, edges: Any) -> Table:
        """Return the bins between edges moved to the nearest ones, a row for each group.

        What lies below and above is a row with the ``bin_type`` underflow or overflow.

        Raises
        ------
        ConfigError
            Where no bin lies between the edges.
        """
        found = np.unique(np.rint(self._plain.place_of(self._numbers(self.round(edges))) + 0.5).astype(int))
        if len(found) < 2:
            raise ConfigError(f"Axis {self.name!r}: there is no bin between {edges}; it has {self._plain.words}.")
        types = ["normal   "] * (len(found) - 1)
        if found[0] > 0:
            found, types = np.insert(found, 0, 0), ["underflow", *types]
        if found[-1] < self.nbin:
            found, types = np.append(found, self.nbin), [*types, " overflow"]
        table = astropy.table.Table({"group_idx": np.arange(len(types))})
        table[f"{self.name}_min"], table[f"{self.name}_max"] = self.edges[found[:-1]], self.edges[found[1:]]
        table["idx_min"], table["idx_max"], table["bin_type"] = found[:-1], found[1:] - 1, types
        return table

    # --- other axes

    def copy(self, **changed: Any) -> Self:
        """Return the axis with another ``name``, ``interp``, ``unit`` of the same numbers, or other ``nodes``."""
        nodes = self._plain.edges if self._plain.nodes is None else self._plain.nodes
        own = {"nodes": nodes, "interp": self.interp, "name": self.name, "node_type": self.node_type}
        return type(self)(**{**own, "unit": self.unit, **changed})

    def rename(self, name: str) -> Self:
        """Return the axis under another name."""
        return self.of(self._plain.rename(name))

    def squash(self) -> Self:
        """Return one bin from the first edge to the last."""
        return self.of(self._plain.squash())

    def slice(self, idx: int | slice) -> Self:
        """Return one bin, or some neighbouring ones; raises ``ConfigError`` for none of them, or for every second."""
        one = idx if isinstance(idx, slice) else slice(idx, idx + 1 or None)
        return self.of(self._plain.part(one))

    def downsample(self, factor: int) -> Self:
        """Return the axis with so many bins in one; raises ``ConfigError`` unless they are whole groups."""
        return self.of(self._plain.grouped(factor))

    def upsample(self, factor: int) -> Self:
        """Return the axis with each bin cut into so many of equal width in its scale."""
        return self.of(self._plain.split(factor))

    def concatenate(self, other: MapAxis) -> Self:
        """Return the bins of both, the other one after this; see ``from_stack``."""
        return self.from_stack([self, other])

    # --- pictures

    @property
    def as_plot_edges(self) -> u.Quantity:
        """The edges."""
        return self.edges

    @property
    def as_plot_center(self) -> u.Quantity:
        """The centres."""
        return self.center

    @property
    def as_plot_xerr(self) -> tuple[u.Quantity, u.Quantity]:
        """How far each bin reaches below and above its centre, as ``errorbar`` takes it."""
        ends, center = self._plain.bounds, self._plain.center
        return self._with_unit(center - ends[:, 0]), self._with_unit(ends[:, 1] - center)

    @property
    def as_plot_labels(self) -> list[str]:
        """A text for each bin."""
        return [f"{low:.2e} - {high:.2e}" for low, high in self.iter_by_edges]

    @property
    def as_plot_scale(self) -> str:
        """The scale of matplotlib."""
        return "log" if self.interp == "log" else "linear"

    def format_plot_xaxis(self, ax: Axes) -> Axes:
        """Give Axes the scale, the unit and the label of this axis along x, and return them."""
        return plot_labels.name_axis(ax, self._plain, "x")

    def format_plot_yaxis(self, ax: Axes) -> Axes:
        """Give Axes the scale, the unit and the label of this axis along y, and return them."""
        return plot_labels.name_axis(ax, self._plain, "y")

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw the edges and the centres of the bins, on the current Axes by default; ``style`` is that of lines."""
        return plot_labels.plot_bins(self._plain, ax, **style)

    def peek(self, figsize: tuple[float, float] = (8, 2)) -> Figure:
        """Draw the bins in a new figure, and return it."""
        figure, [ax] = plot_figures.panels(1, figsize)
        plot_figures.show_title(self.plot(ax), self._plain.words)
        return figure


def plain_values(value: Any, axis: Axis) -> FloatArray:
    """Return coordinates, an array of numbers, one quantity or a text such as ``3 TeV``, in the unit of an axis.

    Raises ``ConfigError`` for values with another unit.
    """
    if isinstance(value, str):
        return np.asarray(canonical(value, axis.unit, axis.name))
    try:
        return np.asarray(u.Quantity(value, None if isinstance(value, u.Quantity) else axis.unit).to_value(axis.unit))
    except (TypeError, ValueError, u.UnitConversionError):
        raise ConfigError(f"{axis.name}: expected values in {axis.unit or 'no unit'}, got {value!r}.") from None


def _values(given: Any, unit: str, to: str) -> FloatArray:
    """Return the few nodes of an axis, each a number, a quantity or a text of its own unit, in the unit ``to``."""
    try:
        parts = given if isinstance(given, u.Quantity) else [u.Quantity(value) for value in given]
        plain = not isinstance(parts, u.Quantity) and all(part.unit == u.dimensionless_unscaled for part in parts)
        quantity = u.Quantity([part.value for part in parts], unit) if plain else u.Quantity(parts)
        return np.asarray(quantity.to_value(to), dtype=float)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"MapAxis: expected values in {to or 'no unit'}, got {given!r}.") from error
