"""Arrays with names: what a Dataset of xarray has in common with a group of a store that is read without xarray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias, TypeVar

import xarray as xr

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Given = tuple[tuple[str, ...], npt.NDArray[Any], Mapping[Any, Any]]
    """Dims, values and attrs of an array."""


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


class ChangedArrays(NamedArrays, Protocol):
    """Named arrays of which others are made; plain ones are made of plain ones."""

    def isel(self, indexers: Mapping[str, Any], /) -> Self:
        """Return the places of some dims, each a slice, a list, or a number, which takes its dim away."""

    def assign(self, variables: Mapping[str, Any], /) -> Self:
        """Return these with other values, or more of them, each given as dims, values and attrs."""

    def assign_coords(self, coords: Mapping[str, Any], /) -> Self:
        """Return these with other coordinates."""

    def assign_attrs(self, attrs: Mapping[str, Any], /) -> Self:
        """Return these with other attrs, or more of them."""

    def drop_vars(self, names: Sequence[str], /) -> Self:
        """Return these without some."""


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
        """All arrays by name, in the order of a Dataset."""
        return {**self.data, **self.coords}

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

    @cached_property
    def dataset(self) -> xr.Dataset:
        """The same as a Dataset, which shares the values."""
        coords, data = (
            {name: xr.Variable(array.dims, array.values, array.attrs) for name, array in some.items()}
            for some in (self.coords, self.data)
        )
        # Made at once: each change of a Dataset looks at all of its variables again.
        return xr.Dataset(data, coords, self.attrs)

    # --- what Datasets do too

    def isel(self, indexers: Mapping[str, Any]) -> PlainArrays:
        """Return the places of some dims; see ``ChangedArrays``."""
        return PlainArrays(
            {name: _at(array, indexers) for name, array in self.coords.items()},
            {name: _at(array, indexers) for name, array in self.data.items()},
            self.attrs,
        )

    def assign(self, variables: Mapping[str, Given]) -> PlainArrays:
        """Return these with other values, or more of them."""
        given = {name: PlainArray(*each) for name, each in variables.items()}
        coords = {name: each for name, each in given.items() if name in self.coords or each.dims == (name,)}
        data = {name: each for name, each in given.items() if name not in coords}
        return PlainArrays({**self.coords, **coords}, {**self.data, **data}, self.attrs)

    def assign_coords(self, coords: Mapping[str, Given]) -> PlainArrays:
        """Return these with other coordinates."""
        given = {name: PlainArray(*each) for name, each in coords.items()}
        return PlainArrays({**self.coords, **given}, self.data, self.attrs)

    def assign_attrs(self, attrs: Mapping[str, Any]) -> PlainArrays:
        """Return these with other attrs, or more of them."""
        return PlainArrays(self.coords, self.data, {**self.attrs, **attrs})

    def drop_vars(self, names: Sequence[str]) -> PlainArrays:
        """Return these without some."""
        coords, data = ({n: each for n, each in some.items() if n not in names} for some in (self.coords, self.data))
        return PlainArrays(coords, data, self.attrs)

    def __getitem__(self, name: str, /) -> PlainArray:
        """Return one of them."""
        return self.data[name] if name in self.data else self.coords[name]

    def __contains__(self, name: object, /) -> bool:
        """Whether there is one of that name."""
        return name in self.data or name in self.coords


def _at(array: PlainArray, indexers: Mapping[str, Any]) -> PlainArray:
    values = array.values
    # From the last: a number takes away a dim, and those before it keep their places.
    for place in reversed([place for place, dim in enumerate(array.dims) if dim in indexers]):
        values = values[(slice(None),) * place + (indexers[array.dims[place]],)]
    return PlainArray(
        tuple(dim for dim in array.dims if not isinstance(indexers.get(dim), Integral)), values, array.attrs
    )


Arrays: TypeAlias = "xr.Dataset | PlainArrays"
"""What is a Dataset, or becomes one when more is asked than values, names and places."""
SomeArrays = TypeVar("SomeArrays", bound="ChangedArrays")


def in_memory(arrays: Arrays) -> Arrays:
    """Return named arrays with their values, which those of a Dataset may be lazy."""
    return arrays if isinstance(arrays, PlainArrays) else arrays.compute()


def dataset_of(arrays: Arrays) -> xr.Dataset:
    """Return named arrays as a Dataset; of plain ones it is made once."""
    return arrays.dataset if isinstance(arrays, PlainArrays) else arrays
