"""``MapValues``: the array of a map, its unit, and what is computed bin by bin or along its axes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import xarray as xr
from astropy import units as u

from xgamma.axes import Axis
from xgamma.datasets.maps.axes import MapAxes
from xgamma.datasets.maps.axis import MapAxis
from xgamma.datasets.maps.geom import WcsGeom
from xgamma.description import Described, Description, facts
from xgamma.dialects import fits_unit
from xgamma.errors import ConfigError, DataError
from xgamma.gammapy_methods import SaysInstead
from xgamma.sky import IMAGE, SkySpace
from xgamma.units import conversion, unit_string

Array = npt.NDArray[Any]

_ENDS = ((np.min, np.inf), (np.max, -np.inf))


class MapValues(SaysInstead, Described):
    """An array over the pixels and axes of a geometry; ``Map`` says what it is made of."""

    # Arrays and quantities leave what they do not know, such as units, to the map.
    __array_ufunc__: ClassVar[None] = None

    def __init__(
        self,
        geom: WcsGeom,
        data: npt.ArrayLike | None = None,
        unit: u.UnitBase | str = "",
        meta: Mapping[str, Any] | None = None,
        dtype: npt.DTypeLike = float,
        name: str = "",
    ) -> None:
        self._geom, self.meta, self.name = geom, dict(meta or {}), name
        self._unit = unit_string(unit)
        self.data = np.zeros(geom.data_shape, dtype) if data is None else data  # type: ignore[assignment]

    @classmethod
    def create(
        cls,
        npix: Any = None,
        binsz: Any = 0.5,
        proj: str = "CAR",
        frame: str = "icrs",
        axes: Sequence[MapAxis] | None = None,
        skydir: Any = None,
        width: Any = None,
        unit: u.UnitBase | str = "",
        meta: Mapping[str, Any] | None = None,
        dtype: npt.DTypeLike = float,
        map_type: str = "wcs",
    ) -> Self:
        """Return a map of zeros; the arguments are those of ``WcsGeom.create``."""
        if map_type not in ("wcs", "auto"):
            raise ConfigError(f"Map.create: expected the map_type wcs, got {map_type!r}.")
        return cls(WcsGeom.create(npix, binsz, proj, frame, axes, skydir, width), None, unit, meta, dtype)

    @classmethod
    def from_geom(
        cls,
        geom: Any,
        data: npt.ArrayLike | None = None,
        unit: u.UnitBase | str = "",
        meta: Mapping[str, Any] | None = None,
        dtype: npt.DTypeLike = float,
        name: str = "",
    ) -> Self:
        """Return a map of a geometry, of a region a ``RegionNDMap``."""
        if geom.is_region:
            of_region: Any = geom.map_type
            return of_region(geom, data, unit, meta, dtype, name)  # type: ignore[no-any-return]
        return cls(geom, data, unit, meta, dtype, name)

    @classmethod
    def from_array(cls, array: xr.DataArray) -> Self:
        """Return the map that ``array`` shows; raises ``DataError`` for an array that is none of a map."""
        if IMAGE not in array.coords or array.dims[-2:] != ("y", "x"):
            raise DataError(
                f"Expected an array over y, x with the coordinate {IMAGE!r}, such as the array of a map, got one over "
                f"{', '.join(map(str, array.dims))}."
            )
        space = SkySpace.from_coords(array.coords, array.shape[-2:])
        geom = WcsGeom(space, MapAxes(_axis(array, str(dim)) for dim in reversed(array.dims[:-2])))
        return cls(
            geom, array.values, array.attrs.get("units", ""), array.attrs.get("meta"), name=str(array.name or "")
        )

    # --- what it holds

    @property
    def geom(self) -> WcsGeom:
        """The pixels and axes."""
        return self._geom

    @property
    def data(self) -> Array:
        """The values, shape (..., y, x)."""
        return self._data

    @data.setter
    def data(self, values: npt.ArrayLike) -> None:
        given, shape = np.asarray(values), self._geom.data_shape
        if given.shape != shape:
            try:
                given = given.reshape(shape) if given.size == np.prod(shape) else np.broadcast_to(given, shape).copy()
            except ValueError:
                raise DataError(f"Expected values of the shape {shape}, got {given.shape}.") from None
        self._data = given

    @property
    def unit(self) -> u.UnitBase:
        """The unit of the values."""
        return fits_unit(self._unit)

    @property
    def quantity(self) -> u.Quantity:
        """The values with their unit."""
        return u.Quantity(self._data, self.unit, copy=False)

    @quantity.setter
    def quantity(self, values: u.Quantity) -> None:
        given = u.Quantity(values)
        self.data, self._unit = given.value, unit_string(given.unit)

    @property
    def is_mask(self) -> bool:
        """Whether the values say yes or no."""
        return bool(self._data.dtype == np.bool_)

    @property
    def array(self) -> xr.DataArray:
        """The map as an array with labels: axes with edges, ICRS longitude and latitude of pixels, and its image."""
        space = self._geom.space
        coords: dict[Any, Any] = {**space.sky_coords(), IMAGE: space.coords()[IMAGE]}
        for axis in self._geom.axes.plain:
            dims, center, attrs = axis.coords()[axis.name]
            coords[axis.name] = dims, center, {name: value for name, value in attrs.items() if name != "bounds"}
            for end, values in (("min", axis.edges[:-1]), ("max", axis.edges[1:])):
                coords[f"{axis.name}_{end}"] = (axis.name,), values, {"units": axis.unit}
        attrs = {"units": self._unit, **({"meta": self.meta} if self.meta else {})}
        return xr.DataArray(self._data, coords, self._geom.dims, self.name or None, attrs)

    def copy(self, **changes: Any) -> Self:
        """Return an independent copy, with another ``data``, ``geom``, ``unit``, ``meta`` or ``name`` if given."""
        values = {"geom": self._geom, "data": self._data, "unit": self._unit, "meta": self.meta, "name": self.name}
        found = {**values, **changes}
        return type(self)(**{**found, "data": np.array(found["data"])})

    def _like(self, data: npt.ArrayLike, geom: WcsGeom | None = None, unit: str | None = None) -> Self:
        return type(self)(
            self._geom if geom is None else geom, data, self._unit if unit is None else unit, self.meta, name=self.name
        )

    def to_unit(self, unit: u.UnitBase | str) -> Self:
        """Return the map in another unit; raises ``astropy.units.UnitConversionError`` where there is no way."""
        return self._like(self._data * conversion(self._unit, unit), unit=unit_string(unit))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self._data, dtype=dtype, copy=copy)

    def _paragraphs(self) -> list[list[tuple[str, str]]]:
        own = [("Name", self.name)] if self.name else []
        values = [("Unit", self._unit or "none"), ("Type", str(self._data.dtype)), ("Values", self._values_text())]
        return [own, *self._geom.paragraphs(), values]

    def _values_text(self) -> str:
        """Return the range of the values, and how many are none."""
        if self._data.dtype == bool:
            return f"{int(self._data.sum()):,} of {self._data.size:,} true"
        known = np.isfinite(self._data)
        count = int(known.sum())
        if not count:
            return "none"
        low, high = (float(end(self._data, where=known, initial=start)) for end, start in _ENDS)
        left = f", {self._data.size - count:,} of {self._data.size:,} not finite" if count < self._data.size else ""
        return f"{low + 0.0:.4g} to {high + 0.0:.4g}{left}"

    def _description(self) -> Description:
        return Description(type(self).__name__, facts(*self._paragraphs()))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {' x '.join(map(str, self._data.shape))} {self._unit or self._data.dtype}>"

    # --- bin by bin

    def _with(
        self, other: Any, compute: Callable[[Any, Any], Any], unit_of: Callable[[u.UnitBase], str] | None
    ) -> Self:
        """Return ``compute`` of both; without ``unit_of`` the other is converted to the unit of this map."""
        geom, mine = self._geom, self._data
        if isinstance(other, MapValues):
            geom, mine, values = _aligned(self, other)
            unit: u.UnitBase = other.unit
        elif isinstance(other, u.Quantity | str | u.UnitBase):
            quantity = u.Quantity(1.0, other) if isinstance(other, u.UnitBase) else u.Quantity(other)
            values, unit = quantity.value, quantity.unit
        else:
            # A bare number has the unit of the map where it is added, none where it multiplies.
            values = np.asarray(other)
            unit = u.dimensionless_unscaled if unit_of else self.unit
        mine, values = _signed(mine), _signed(np.asarray(values))
        if unit_of:
            return self._like(compute(mine, values), geom, unit_of(unit))
        if unit != self.unit:
            values = values * conversion(unit, self.unit)
        return self._like(compute(mine, values), geom)

    def _compared(self, other: Any, compute: Callable[[Any, Any], Any]) -> Self:
        result = self._with(other, compute, None)
        result._unit = ""
        return result

    def _logical(self, other: Any, compute: Callable[[Any, Any], Any]) -> Self:
        kind = np.asarray(other.data if isinstance(other, MapValues) else other).dtype
        if not self.is_mask or kind != np.bool_:
            raise DataError(
                f"Expected masks, which are boolean, got {self._data.dtype} and {kind}; compare them first."
            )
        return self._compared(other, compute)

    def __add__(self, other: Any) -> Self:
        return self._with(other, operator.add, None)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Self:
        return self._with(other, operator.sub, None)

    def __rsub__(self, other: Any) -> Self:
        return self._with(other, lambda mine, others: others - mine, None)

    def __mul__(self, other: Any) -> Self:
        return self._with(other, operator.mul, lambda unit: unit_string(self.unit * unit))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Self:
        return self._with(other, _ratio, lambda unit: unit_string(self.unit / unit))

    def __rtruediv__(self, other: Any) -> Self:
        return self._with(other, lambda mine, others: _ratio(others, mine), lambda unit: unit_string(unit / self.unit))

    def __pow__(self, power: float) -> Self:
        return self._like(self._data**power, unit=unit_string(self.unit**power))

    def __neg__(self) -> Self:
        return self._like(-_signed(self._data))

    def __abs__(self) -> Self:
        return self._like(np.abs(self._data))

    def __lt__(self, other: Any) -> Self:
        return self._compared(other, operator.lt)

    def __le__(self, other: Any) -> Self:
        return self._compared(other, operator.le)

    def __gt__(self, other: Any) -> Self:
        return self._compared(other, operator.gt)

    def __ge__(self, other: Any) -> Self:
        return self._compared(other, operator.ge)

    def __eq__(self, other: object) -> Self:  # type: ignore[override]
        return self._compared(other, operator.eq)

    def __ne__(self, other: object) -> Self:  # type: ignore[override]
        return self._compared(other, operator.ne)

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise DataError("A map is neither true nor false; write map.data.any(), map.data.all() or is_allclose().")

    def __and__(self, other: Any) -> Self:
        return self._logical(other, np.logical_and)

    __rand__ = __and__

    def __or__(self, other: Any) -> Self:
        return self._logical(other, np.logical_or)

    __ror__ = __or__

    def __xor__(self, other: Any) -> Self:
        return self._logical(other, np.logical_xor)

    def __invert__(self) -> Self:
        return self._logical(np.True_, np.logical_xor)

    # --- along axes

    def reduce_over_axes(
        self,
        func: Callable[..., Any] = np.add,
        keepdims: bool = False,
        axes_names: Sequence[str] | None = None,
        weights: MapValues | None = None,
    ) -> Self:
        """Return the map reduced over axes, by default all but the sky.

        Parameters
        ----------
        func
            A ufunc such as ``np.add`` or ``np.logical_or``, or a reduction such as ``np.nanmean``.
        keepdims
            Whether the axes are kept with one bin.
        axes_names
            Which axes.
        weights
            Multiplied before.
        """
        names = self._geom.axes.names if axes_names is None else list(axes_names)
        places = tuple(self._place(name) for name in names)
        data = self._data if weights is None else (self * weights).data
        reduce: Callable[..., Any] = func.reduce if isinstance(func, np.ufunc) else func
        values = reduce(data, axis=places, keepdims=True) if places else data
        geom = self._geom
        for name in names:
            geom = geom.squash(name) if keepdims else geom.drop(name)
        return self._like(np.asarray(values).reshape(geom.data_shape), geom)

    def sum_over_axes(
        self, axes_names: Sequence[str] | None = None, keepdims: bool = True, weights: MapValues | None = None
    ) -> Self:
        """Return the sum over axes, which are kept with one bin."""
        return self.reduce_over_axes(np.add, keepdims, axes_names, weights)

    def reduce(self, axis_name: str, func: Callable[..., Any] = np.add, keepdims: bool = False) -> Self:
        """Return the map reduced over one axis."""
        return self.reduce_over_axes(func, keepdims, [axis_name])

    def to_cube(self, axes: Sequence[MapAxis]) -> Self:
        """Return the map with more axes of one bin each."""
        return self._like(self._data, self._geom.to_cube(axes))

    def _place(self, name: str) -> int:
        """Return the place of an axis among the dims of the array."""
        return len(self._geom.axes) - 1 - self._geom.axes.index(name)

    def iter_by_image(self, keepdims: bool = False) -> Iterator[Self]:
        """Yield the image of each bin of the axes, with ``keepdims`` with axes of one bin."""
        for place in np.ndindex(*self._geom.axes.array_shape):
            bins = dict(zip(self._geom.axes.dims, place, strict=True))
            yield self.slice_by_idx({name: slice(at, at + 1) if keepdims else at for name, at in bins.items()})

    def slice_by_idx(self, slices: Mapping[str, int | slice]) -> Self:
        """Return some bins of axes, by their names; an axis of which one bin is asked for by its number is dropped."""
        for name in slices:
            self._geom.axes.index(name)
        index = tuple(slices.get(name, slice(None)) for name in self._geom.axes.dims)
        return self._like(self._data[index], self._geom.slice_by_idx(slices))


def _axis(array: xr.DataArray, name: str) -> Axis:
    low, high = (array.coords.get(f"{name}_{end}") for end in ("min", "max"))
    if low is None or high is None:
        raise DataError(f"Expected an array that knows the edges of its bins, {name}_min and {name}_max.")
    attrs, edges = array[name].attrs, np.append(low.values, high.values[-1])
    axis = Axis(name, edges, attrs.get("units", ""), attrs.get("scale", "log"))
    nodes = np.asarray(array[name].values, dtype=float)
    return axis if np.array_equal(nodes, axis.center) else Axis(name, edges, axis.unit, axis.scale, nodes)


def _aligned(one: MapValues, other: MapValues) -> tuple[WcsGeom, Array, Array]:
    """Return the common geometry of two maps and the values of both in it; images and single bins broadcast.

    Raises ``DataError`` for other pixels or bins.
    """
    mine, theirs = one.geom, other.geom
    if mine.is_close(theirs):
        return mine, one.data, other.data
    larger, smaller = (mine, theirs) if len(mine.axes) >= len(theirs.axes) else (theirs, mine)
    axes = MapAxes(
        _wider(axis, smaller.axes[axis.name].plain) if axis.name in smaller.axes else axis for axis in larger.axes.plain
    )
    unknown = [name for name in smaller.axes.names if name not in larger.axes]
    if unknown or not mine.to_image().is_close(theirs.to_image()):
        raise DataError(f"Expected maps of the same pixels and bins, got {_in_words(mine)} and {_in_words(theirs)}.")
    geom = larger.with_axes(axes)
    return geom, _in_dims(one, axes), _in_dims(other, axes)


def _in_words(geom: WcsGeom) -> str:
    bins = [f"{axis.nbin} of {axis.name}" for axis in geom.axes]
    center = geom.center_skydir.to_string("decimal", precision=4)
    return f"{geom.npix[0]} x {geom.npix[1]} pixels about {center} ({geom.frame})" + "".join(f", {one}" for one in bins)


def _wider(one: Axis, other: Axis) -> Axis:
    if one.nbin == 1 or other.nbin == 1:
        return one if other.nbin == 1 else other
    if not one.is_close(other):
        raise DataError(f"Expected the same bins of {one.name}, got {one.nbin} and {other.nbin} with other edges.")
    return one


def _in_dims(values: MapValues, axes: MapAxes) -> Array:
    """Return the array with a dim for each axis, of one bin where the map does not have it."""
    shape = [values.geom.axes[name].nbin if name in values.geom.axes else 1 for name in axes.dims]
    order = sorted(values.geom.axes.dims, key=axes.dims.index)
    places = [values.geom.axes.dims.index(name) for name in order]
    ordered = values.data.transpose(*places, values.data.ndim - 2, values.data.ndim - 1)
    return ordered.reshape(*shape, *values.geom.space.shape)


def _signed(values: Array) -> Array:
    """Return counts, which have no sign in the store, as numbers whose differences may be below 0."""
    return values.astype(np.int64) if values.dtype.kind == "u" else values


def _ratio(above: Any, below: Any) -> Any:
    """Return a quotient, NaN or infinite where the divisor is 0, as numbers are, without a warning."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(above, below)
