"""``MapAxes``: the axes of a map beyond the sky, by name and by number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, overload

import numpy as np

from xgamma.axes import Axis
from xgamma.description import Described, Description, facts
from xgamma.errors import ConfigError, UnknownNameError, did_you_mean


class MapAxes(Described, Sequence[Axis]):
    """Axes in the order of FITS: the first one changes fastest, and is the last dim of an array before the image.

    Parameters
    ----------
    axes
        Axes with names of their own, or another ``MapAxes``.

    Raises
    ------
    ConfigError
        For two axes of one name, and for what is no axis.
    """

    def __init__(self, axes: Iterable[Axis] = ()) -> None:
        self._axes = tuple(axes)
        for axis in self._axes:
            if not isinstance(axis, Axis):
                raise ConfigError(f"Expected axes such as those that MapAxis makes, got a {type(axis).__name__}.")
        if len(set(self.names)) < len(self._axes):
            raise ConfigError(f"Expected axes with names of their own, got {', '.join(self.names)}.")

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
        """The number of bins of each dim of an array, the last axis first."""
        return tuple(axis.nbin for axis in reversed(self._axes))

    def index(self, name: Any, start: int = 0, stop: int | None = None) -> int:
        """Return the number of the axis with a name."""
        self[name]
        return self.names.index(name) if isinstance(name, str) else self._axes.index(name)

    @overload
    def __getitem__(self, key: int | str) -> Axis: ...
    @overload
    def __getitem__(self, key: slice) -> MapAxes: ...
    def __getitem__(self, key: int | str | slice) -> Axis | MapAxes:
        """Return an axis by its name or number."""
        if isinstance(key, slice):
            return MapAxes(self._axes[key])
        if isinstance(key, str):
            if key not in self.names:
                raise UnknownNameError(f"There is no axis {key!r} of the map.{did_you_mean(key, self.names)}")
            return self._axes[self.names.index(key)]
        return self._axes[key] if not isinstance(key, Axis) else self[key.name]

    def __len__(self) -> int:
        return len(self._axes)

    def __iter__(self) -> Iterator[Axis]:
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
        return Description(type(self).__name__, facts(axes_facts(self._axes) or [("Axes", "none")]))

    def changed(self, name: str, change: Callable[[Axis], Axis]) -> MapAxes:
        """Return the axes with that of a name changed."""
        self[name]
        return MapAxes(change(axis) if axis.name == name else axis for axis in self._axes)

    def without(self, name: str) -> MapAxes:
        """Return the axes but one."""
        self[name]
        return MapAxes(axis for axis in self._axes if axis.name != name)

    def squash(self, name: str) -> MapAxes:
        """Return the axes with that of a name in one bin."""
        return self.changed(name, Axis.squash)


def axes_facts(axes: Iterable[Axis]) -> list[tuple[str, str]]:
    """Return what there is to say of each axis, under its name."""
    return [(axis.name, axis.words) for axis in axes]


def sliced(axis: Axis, bins: slice) -> Axis:
    """Return some neighbouring bins of an axis; raises ``ConfigError`` for none of them, or for every second."""
    first, last, step = bins.indices(axis.nbin)
    if step != 1 or first >= last:
        raise ConfigError(f"Axis {axis.name!r}: expected neighbouring bins of {axis.nbin}, got {bins}.")
    nodes = None if axis.nodes is None else axis.nodes[first:last]
    return replace(axis, edges=axis.edges[first : last + 1], nodes=nodes)


def grouped(axis: Axis, factor: int) -> Axis:
    """Return an axis with so many bins in one; raises ``ConfigError`` unless they are whole groups."""
    if factor < 1 or axis.nbin % factor:
        raise ConfigError(f"Axis {axis.name!r}: expected a factor of {axis.nbin} bins, got {factor}.")
    return replace(axis, edges=axis.edges[::factor], nodes=None)


def split(axis: Axis, factor: int) -> Axis:
    """Return an axis with each bin cut into so many of equal width in its scale."""
    scaled = np.log(axis.edges) if axis.scale == "log" else axis.edges
    fine = np.interp(np.arange(axis.nbin * factor + 1) / factor, np.arange(axis.nbin + 1), scaled)
    return replace(axis, edges=np.exp(fine) if axis.scale == "log" else fine, nodes=None)
