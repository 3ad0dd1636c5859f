"""``MapAxes``: the axes of a map beyond the sky, by name and by number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, overload

from xgamma.axes import Axis, BoolArray
from xgamma.datasets.maps.axis import MapAxis
from xgamma.description import Described, Description, facts
from xgamma.errors import ConfigError, UnknownNameError, did_you_mean
from xgamma.gammapy_methods import SaysInstead
from xgamma.plot import figures as plot_figures
from xgamma.units import canonical

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class MapAxes(SaysInstead, Described, Sequence[MapAxis]):
    """Axes in the order of FITS: the first one changes fastest, and is the last dim of an array before the image.

    Parameters
    ----------
    axes
        Axes with names of their own, plain ones too, or another ``MapAxes``.

    Raises
    ------
    ConfigError
        For two axes of one name, and for what is no axis.
    """

    def __init__(self, axes: Iterable[MapAxis | Axis] = ()) -> None:
        self._axes = tuple(MapAxis.of(axis) for axis in axes)
        if len(set(self.names)) < len(self._axes):
            raise ConfigError(f"Expected axes with names of their own, got {', '.join(self.names)}.")

    @property
    def plain(self) -> tuple[Axis, ...]:
        """The axes as plain numbers, as functions of arrays take them."""
        return tuple(axis.plain for axis in self._axes)

    @property
    def names(self) -> list[str]:
        """The names in their order."""
        return [axis.name for axis in self._axes]

    @property
    def dims(self) -> tuple[str, ...]:
        """The dims of an array, the last axis first."""
        return tuple(reversed(self.names))

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of bins of each axis."""
        return tuple(axis.nbin for axis in self._axes)

    @property
    def array_shape(self) -> tuple[int, ...]:
        """The number of bins of each dim of an array, the last axis first."""
        return self.shape[::-1]

    @property
    def is_flat(self) -> bool:
        """Whether each axis has one bin."""
        return all(axis.nbin == 1 for axis in self._axes)

    @property
    def primary_axis(self) -> MapAxis:
        """The only axis; raises ``ConfigError`` where there are others."""
        if len(self._axes) != 1:
            raise ConfigError(f"primary_axis: expected one axis, got {', '.join(self.names) or 'none'}.")
        return self._axes[0]

    def index(self, name: Any, start: int = 0, stop: int | None = None) -> int:
        """Return the number of the axis with a name."""
        self[name]
        return self.names.index(name) if isinstance(name, str) else self._axes.index(name)

    @overload
    def __getitem__(self, key: int | str) -> MapAxis: ...
    @overload
    def __getitem__(self, key: slice) -> MapAxes: ...
    def __getitem__(self, key: int | str | slice) -> MapAxis | MapAxes:
        """Return an axis by its name or number."""
        if isinstance(key, slice):
            return MapAxes(self._axes[key])
        if isinstance(key, str):
            if key not in self.names:
                raise UnknownNameError(f"There is no axis {key!r} of the map.{did_you_mean(key, self.names)}")
            return self._axes[self.names.index(key)]
        return self._axes[key] if not isinstance(key, MapAxis) else self[key.name]

    def __len__(self) -> int:
        return len(self._axes)

    def __iter__(self) -> Iterator[MapAxis]:
        return iter(self._axes)

    def __contains__(self, key: object) -> bool:
        return key in (self.names if isinstance(key, str) else self._axes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MapAxes) and self._axes == other._axes

    def __hash__(self) -> int:
        return hash(self._axes)

    def __repr__(self) -> str:
        return f"MapAxes({', '.join(f'{axis.name}: {axis.nbin}' for axis in self._axes)})"

    def _description(self) -> Description:
        return Description(type(self).__name__, facts(axes_facts(self.plain) or [("Axes", "none")]))

    def peek(self, figsize: tuple[float, float] | None = None) -> Figure:
        """Draw the bins of each axis in a new figure, and return it."""
        figure, panels = plot_figures.panels(len(self._axes), figsize or (8.0, 2.0 * max(len(self._axes), 1)), 1)
        for axis, ax in zip(self._axes, panels, strict=True):
            plot_figures.show_title(axis.plot(ax), axis.plain.words)
        return figure

    def inside(self, energy_min: Any, energy_max: Any, round_to_edge: bool) -> BoolArray:
        """Return which bins lie wholly between two energies, over the dims of arrays; one bin of axes of others.

        With ``round_to_edge`` the energies are moved to the nearest edges before.
        """
        name = "energy" if "energy" in self else "energy_true"
        axis = self[name].plain
        given = (("energy_min", energy_min), ("energy_max", energy_max))
        low, high = (None if value is None else canonical(value, axis.unit, what) for what, value in given)
        if round_to_edge:
            low, high = (None if end is None else float(axis.edges[axis.nearest_edges(end)]) for end in (low, high))
        return axis.mask_inside(low, high).reshape([axis.nbin if dim == name else 1 for dim in self.dims])

    def changed(self, name: str, change: Callable[[Axis], Axis | MapAxis]) -> MapAxes:
        """Return the axes with that of a name changed."""
        self[name]
        return MapAxes(change(axis) if axis.name == name else axis for axis in self.plain)

    def drop(self, axis_name: str) -> MapAxes:
        """Return the axes but one."""
        self[axis_name]
        return MapAxes(axis for axis in self._axes if axis.name != axis_name)

    def replace(self, axis: MapAxis | Axis) -> MapAxes:
        """Return the axes with another one in the place of that of its name."""
        return self.changed(axis.name, lambda _: axis)

    def rename_axes(self, names: str | Sequence[str], new_names: str | Sequence[str]) -> MapAxes:
        """Return the axes with one or some of them under other names."""
        old, new = ([given] if isinstance(given, str) else list(given) for given in (names, new_names))
        for name in old:
            self[name]
        names_by = dict(zip(old, new, strict=True))
        return MapAxes(axis.rename(names_by.get(axis.name, axis.name)) for axis in self._axes)

    def squash(self, axis_name: str) -> MapAxes:
        """Return the axes with that of a name in one bin."""
        return self.changed(axis_name, Axis.squash)

    def downsample(self, factor: int, axis_name: str) -> MapAxes:
        """Return the axes with so many bins of that of a name in one; raises as ``MapAxis.downsample``."""
        return self.changed(axis_name, lambda axis: axis.grouped(factor))

    def upsample(self, factor: int, axis_name: str) -> MapAxes:
        """Return the axes with each bin of that of a name cut into so many."""
        return self.changed(axis_name, lambda axis: axis.split(factor))

    def slice_by_idx(self, slices: Mapping[str, int | slice]) -> MapAxes:
        """Return some bins of axes; an axis of which one bin is asked for by its number is dropped."""
        parts = ((axis, slices.get(axis.name, slice(None))) for axis in self.plain)
        return MapAxes(axis.part(bins) for axis, bins in parts if isinstance(bins, slice))


def axes_facts(axes: Iterable[Axis]) -> list[tuple[str, str]]:
    """Return what there is to say of each axis, under its name."""
    return [(axis.name, axis.words) for axis in axes]


class WithAxes(SaysInstead):
    """A geometry with axes beyond the sky, of an image or of a region."""

    axes: MapAxes

    def with_axes(self, axes: Iterable[MapAxis | Axis]) -> Self:
        """Return it with other axes."""
        raise NotImplementedError

    @property
    def is_image(self) -> bool:
        """Whether it has no axes beyond the sky."""
        return len(self.axes) == 0

    @property
    def has_energy_axis(self) -> bool:
        """Whether it has an axis of energy, reconstructed or true."""
        return any(axis.is_energy_axis for axis in self.axes)

    @property
    def as_energy_true(self) -> Self:
        """It with the axis of energy called ``energy_true``."""
        return self.rename_axes("energy", "energy_true")

    def copy(self) -> Self:
        """Return an equal one; nothing changes in place."""
        return self.with_axes(self.axes)

    def to_image(self) -> Self:
        """Return it without axes."""
        return self.with_axes(())

    def to_cube(self, axes: Iterable[MapAxis]) -> Self:
        """Return it with more axes after its own."""
        return self.with_axes([*self.axes, *axes])

    def squash(self, axis_name: str) -> Self:
        """Return it with an axis in one bin."""
        return self.with_axes(self.axes.squash(axis_name))

    def drop(self, axis_name: str) -> Self:
        """Return it without an axis."""
        return self.with_axes(self.axes.drop(axis_name))

    def rename_axes(self, names: str | Sequence[str], new_names: str | Sequence[str]) -> Self:
        """Return it with one or some of the axes under other names."""
        return self.with_axes(self.axes.rename_axes(names, new_names))

    def replace_axis(self, axis: MapAxis) -> Self:
        """Return it with another axis in the place of that of its name."""
        return self.with_axes(self.axes.replace(axis))

    def slice_by_idx(self, slices: Mapping[str, int | slice]) -> Self:
        """Return some bins of axes; an axis of which one bin is asked for by its number is dropped."""
        return self.with_axes(self.axes.slice_by_idx(slices))
