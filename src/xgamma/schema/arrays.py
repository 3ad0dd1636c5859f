"""Arrays with names: what a Dataset of xarray has in common with a group of a store that is read without xarray."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class NamedArray(Protocol):
    """An array whose dims have names."""

    @property
    def dims(self) -> tuple[Any, ...]:
        """The names of its dims."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of its dims."""

    @property
    def size(self) -> int:
        """How many values it holds."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its values."""

    @property
    def values(self) -> npt.NDArray[Any]:
        """Its values."""

    @property
    def attrs(self) -> Mapping[Any, Any]:
        """What is said of it."""


class NamedArrays(Protocol):
    """Named arrays that share dims; who only looks at values takes these, and needs no xarray."""

    @property
    def variables(self) -> Mapping[Any, NamedArray]:
        """All arrays by name."""

    @property
    def coords(self) -> Mapping[Any, NamedArray]:
        """Those that say where others are."""

    @property
    def sizes(self) -> Mapping[Any, int]:
        """The size of every dim."""

    @property
    def attrs(self) -> Mapping[Any, Any]:
        """What is said of all."""

    def __getitem__(self, name: str, /) -> NamedArray:
        """Return one of them."""

    def __contains__(self, name: object, /) -> bool:
        """Whether there is one of that name."""


@dataclass(frozen=True)
class PlainArray:
    """An array of numpy with names for its dims."""

    dims: tuple[str, ...]
    values: npt.NDArray[Any]
    attrs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of its dims."""
        return self.values.shape

    @property
    def size(self) -> int:
        """How many values it holds."""
        return self.values.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its values."""
        return self.values.dtype


@dataclass(frozen=True)
class PlainArrays:
    """One group as arrays of numpy.

    Parameters
    ----------
    coords, data
        The arrays that say where others are, and the others; ``xarray.Dataset`` makes the same difference.
    attrs
        What is said of all.
    """

    coords: Mapping[str, PlainArray]
    data: Mapping[str, PlainArray]
    attrs: Mapping[str, Any]

    @cached_property
    def variables(self) -> Mapping[str, PlainArray]:
        """All arrays by name."""
        return {**self.coords, **self.data}

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """The size of every dim."""
        return {
            dim: size for array in self.variables.values() for dim, size in zip(array.dims, array.shape, strict=True)
        }

    @property
    def nbytes(self) -> int:
        """How many bytes its values take."""
        return sum(array.values.nbytes for array in self.variables.values())

    def __getitem__(self, name: str, /) -> PlainArray:
        """Return one of them."""
        return self.data[name] if name in self.data else self.coords[name]

    def __contains__(self, name: object, /) -> bool:
        """Whether there is one of that name."""
        return name in self.data or name in self.coords
