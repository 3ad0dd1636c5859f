"""``MapPixels``: values of a map at coordinates, and maps cut, resampled, smoothed and added."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.datasets.maps import cuts
from xgamma.datasets.maps.axes import MapAxes
from xgamma.datasets.maps.axis import MapAxis
from xgamma.datasets.maps.coords import degrees
from xgamma.datasets.maps.geom import WcsGeom
from xgamma.datasets.maps.resampled import Pieces, block_sums, convolved, dilated, eroded, interpolated, smoothed
from xgamma.datasets.maps.values import MapValues
from xgamma.errors import ConfigError, DataError
from xgamma.units import conversion

Array = npt.NDArray[Any]
MOST_PIECES = 50_000_000
INTERPOLATIONS = ("linear", "nearest")


class MapPixels(MapValues):
    """A map whose pixels are looked up, cut, resampled, smoothed and added; see ``Map``."""

    # --- at coordinates

    def get_by_coord(self, coords: Any) -> Array:
        """Return the values of the bins that coordinates lie in; outside of the map NaN, of a mask false."""
        idx = np.broadcast_arrays(*self._geom.coord_to_idx(coords))
        inside = np.all([one >= 0 for one in idx], axis=0)
        values = self.get_by_idx(tuple(np.where(inside, one, 0) for one in idx))
        return np.asarray(values & inside if self.is_mask else np.where(inside, values, np.nan))

    def interp_by_coord(self, coords: Any, method: str = "linear") -> Array:
        """Return the values between the centres of bins, linear in pixels and in the scale of each axis.

        Outside of the map they are NaN; within half a pixel of its edge, that of the outermost pixel. A pixel that is
        NaN makes NaN of what it takes part in. Masks, and ``method="nearest"``, give the value of the bin.

        Raises ``ConfigError`` for another ``method``.
        """
        if method not in INTERPOLATIONS:
            raise ConfigError(f"interp_by_coord: expected {' or '.join(INTERPOLATIONS)}, got {method!r}.")
        if self.is_mask or method == "nearest":
            return self.get_by_coord(coords)
        places = self._geom.coord_to_pix(coords)
        return interpolated(self._data, places[::-1])

    def get_by_idx(self, idx: Any) -> Array:
        """Return the values of bins (x, y, axes...)."""
        return np.asarray(self._data[tuple(idx)[::-1]])

    def get_by_pix(self, pix: Any) -> Array:
        """Return the values of the bins that places (x, y, axes...) lie in, NaN outside of the map."""
        return self.get_by_coord(self._geom.pix_to_coord(pix))

    def set_by_idx(self, idx: Any, values: Any) -> None:
        """Set the values of bins (x, y, axes...)."""
        self._data[tuple(idx)[::-1]] = values

    def set_by_coord(self, coords: Any, values: Any) -> None:
        """Set the values of the bins that coordinates lie in; raises ``DataError`` for those outside of the map."""
        idx = self._geom.coord_to_idx(coords)
        if any((one < 0).any() for one in idx):
            raise DataError("set_by_coord: some coordinates lie outside of the map.")
        self.set_by_idx(idx, values)

    def fill_by_coord(self, coords: Any, weights: Any = None) -> None:
        """Add 1, or a weight, to the bins that coordinates lie in; those outside of the map are left out."""
        shape = np.shape(1.0 if weights is None else weights)
        *idx, _ = np.broadcast_arrays(*self._geom.coord_to_idx(coords), np.empty(shape))
        inside = np.all([one >= 0 for one in idx], axis=0)
        bins = np.ravel_multi_index(tuple(one[inside] for one in idx[::-1]), self._data.shape)
        added = (
            np.ones(len(bins), self._data.dtype) if weights is None else np.broadcast_to(weights, inside.shape)[inside]
        )
        self._data = np.ascontiguousarray(self._data, np.result_type(self._data.dtype, added.dtype))
        np.add.at(self._data.reshape(-1), bins, added)

    def fill_events(self, events: Any, weights: Any = None) -> None:
        """Add the events of a run to the bins that they lie in; they have ``radec`` and ``energy``."""
        self.fill_by_coord({"skycoord": events.radec, "energy": events.energy}, weights)

    def get_image_by_idx(self, idx: Any) -> Self:
        """Return the image of one bin of each axis."""
        return self.slice_by_idx(dict(zip(self._geom.axes.names, idx, strict=True)))

    def get_image_by_coord(self, coords: Any) -> Self:
        """Return the image of the bins that values along the axes lie in, by name or in the order of the axes.

        Raises ``DataError`` for a value beside an axis.
        """
        axes = self._geom.axes
        given = dict(coords) if isinstance(coords, Mapping) else dict(zip(axes.names, coords, strict=True))
        found = self._geom.coord_to_idx({"lon": 0.0, "lat": 0.0, **given})[2:]
        for name, one in zip(axes.names, found, strict=True):
            if one < 0:
                low, high = axes[name].plain.edges[[0, -1]]
                raise DataError(f"There is no bin at {name} = {given[name]}; they go from {low:g} to {high:g}.")
        return self.get_image_by_idx([int(one) for one in found])

    def get_image_by_pix(self, pix: Any) -> Self:
        """Return the image at places along the axes in bins."""
        return self.get_image_by_idx([int(np.rint(one)) for one in pix])

    def interp_to_geom(self, geom: WcsGeom, preserve_counts: bool = False, fill_value: float | None = None) -> Self:
        """Return the map in the pixels and bins of another geometry, interpolated as by ``interp_by_coord``.

        Parameters
        ----------
        geom
            It has the axes of this map. Those with the same bins are taken over bin by bin.
        preserve_counts
            Whether the values are counts: they are not interpolated but shared out, see ``reproject_to_geom``.
        fill_value
            The value outside of the map; ``None`` is NaN, of a mask false.

        Raises
        ------
        DataError
            When the axes are others than those of this map.
        """
        if sorted(geom.axes.names) != sorted(self._geom.axes.names):
            raise DataError(
                f"interp_to_geom: expected the axes {', '.join(self._geom.axes.names) or 'of an image'}, got "
                f"{', '.join(geom.axes.names) or 'an image'}."
            )
        if preserve_counts:
            return self.reproject_to_geom(geom, preserve_counts=True)
        values = self.interp_by_coord(geom.get_coord(sparse=True))
        if fill_value is not None and not self.is_mask:
            values = np.where(self._outside(geom), fill_value, values)
        return self._like(np.broadcast_to(values, geom.data_shape), geom)

    def reproject_to_geom(self, geom: WcsGeom, preserve_counts: bool = False, precision_factor: int = 4) -> Self:
        """Return the map in the pixels of another image, by the areas that its pixels share with them.

        Each pixel is cut into pieces, ``precision_factor`` of them along the side of a pixel of ``geom``, and each
        piece goes to the pixel that its centre lies in.

        Parameters
        ----------
        geom
            It has the axes of this map.
        preserve_counts
            Whether values are added: the sum is that of what lies on ``geom``, 0 where nothing does. Else they are
            averaged over what is finite, NaN where there is nothing; of a mask, what most of a pixel is.
        precision_factor
            How finely pixels are cut.

        Raises
        ------
        DataError
            For other axes.
        ConfigError
            For pixels so much larger than those of ``geom`` that there would be too many pieces.
        """
        if not self._geom.axes_are_close(geom):
            raise DataError("reproject_to_geom: expected the axes of the map; use interp_to_geom for others.")
        factor = max(1, int(np.ceil(precision_factor * float((self._geom.pixel_scales / geom.pixel_scales).max()))))
        if np.prod(self._geom.npix) * factor**2 > MOST_PIECES:
            raise ConfigError(
                f"reproject_to_geom: pixels would be cut into {factor} by {factor} pieces; cut the map out before, or "
                "use interp_to_geom."
            )
        pieces = Pieces.of(self._geom.space, geom.space, factor)
        values = self._data.reshape(-1, self._geom.npix[0] * self._geom.npix[1])
        shared = pieces.sums(values) if preserve_counts and not self.is_mask else pieces.means(values)
        return self._like((shared > 0.5 if self.is_mask else shared).reshape(geom.data_shape), geom)

    def _outside(self, geom: WcsGeom) -> npt.NDArray[np.bool_]:
        return ~self._geom.contains(geom.get_coord(sparse=True))

    # --- cut and resampled

    def cutout(self, position: Any, width: Any, mode: str = "trim", odd_npix: bool = False) -> Self:
        """Return the part of a width about a position; see ``WcsGeom.cutout``."""
        cut = self._geom.cut_about(position, width, mode, odd_npix)
        return self._like(
            self._data[..., cut.rows, cut.columns].copy(), self._geom.cutout(position, width, mode, odd_npix)
        )

    def pad(self, pad_width: Any, mode: str = "constant", cval: float = 0) -> Self:
        """Return the map with more pixels on each side; ``mode`` is one of ``numpy.pad``."""
        dx, dy = cuts.pixel_pair(pad_width, "pad_width")
        width = [(0, 0)] * (self._data.ndim - 2) + [(dy, dy), (dx, dx)]
        options = {"constant_values": cval} if mode == "constant" else {}
        return self._like(np.pad(self._data, width, mode, **options), self._geom.pad((dx, dy)))  # type: ignore[call-overload]

    def crop(self, crop_width: Any) -> Self:
        """Return the map without some pixels on each side."""
        dx, dy = cuts.pixel_pair(crop_width, "crop_width")
        geom = self._geom.crop((dx, dy))
        nx, ny = geom.npix
        return self._like(self._data[..., dy : dy + ny, dx : dx + nx].copy(), geom)

    def downsample(
        self, factor: int, preserve_counts: bool = True, axis_name: str | None = None, weights: MapValues | None = None
    ) -> Self:
        """Return the map with ``factor`` by ``factor`` pixels in one, or so many bins of an axis.

        Parameters
        ----------
        factor
            A divisor of the number of pixels or bins.
        preserve_counts
            Whether values are added; else their mean is taken, over those that are not NaN. Masks: any of them.
        axis_name
            The axis whose bins are joined; ``None`` is the image.
        weights
            What values are multiplied by before.
        """
        geom = self._geom.downsample(factor, axis_name)
        dims = (-2, -1) if axis_name is None else (self._place(axis_name),)
        values = self._data if weights is None else (self * weights).data
        if self.is_mask:
            return self._like(block_sums(values.astype(int), factor, dims) > 0, geom)
        if preserve_counts:
            return self._like(block_sums(values, factor, dims), geom)
        known = np.isfinite(values)
        number = block_sums(known.astype(float), factor, dims)
        total = block_sums(np.where(known, values, 0.0), factor, dims)
        return self._like(np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0), geom)

    def upsample(self, factor: int, preserve_counts: bool = True, axis_name: str | None = None) -> Self:
        """Return the map with each pixel cut into ``factor`` by ``factor``, or each bin of an axis into so many.

        With ``preserve_counts`` each has its part of the value, else all of it.
        """
        geom = self._geom.upsample(factor, axis_name)
        dims = (-2, -1) if axis_name is None else (self._place(axis_name),)
        values = self._data
        for dim in dims:
            values = np.repeat(values, factor, axis=dim)
        return self._like(values if self.is_mask or not preserve_counts else values / factor ** len(dims), geom)

    def resample_axis(self, axis: Any, weights: MapValues | None = None) -> Self:
        """Return the map with the bins of an axis summed into wider ones, whose edges are edges of it.

        Raises ``DataError`` for edges that are none of the map.
        """
        axis = MapAxis.of(axis).plain
        own, values = self._geom.axes[axis.name].plain, self._data if weights is None else (self * weights).data
        places = own.place_of(axis.edges) + 0.5
        numbers = np.rint(np.nan_to_num(places, nan=-1.0)).astype(int)
        if numbers[0] < 0 or numbers[-1] > own.nbin or np.abs(places - numbers).max() > 1e-6:
            raise DataError(f"resample_axis: expected edges among those of {axis.name}, got {axis.edges.tolist()}.")
        place = self._place(axis.name)
        parts = [values.take(range(*ends), axis=place).sum(axis=place) for ends in itertools.pairwise(numbers)]
        summed = np.stack(parts, axis=place)
        geom = self._geom.with_axes(self._geom.axes.replace(axis))
        return self._like(summed > 0 if self.is_mask else summed, geom)

    def stack(self, other: MapValues, weights: MapValues | None = None) -> None:
        """Add a cutout of the same image into this map, where ``weights``, if given, are true or the factor.

        What is not finite and has the weight 0 adds nothing. Masks are joined. Raises ``DataError`` for other pixels.
        """
        rows, columns, part = self._overlap(other)
        values = other.data[..., part[0], part[1]]
        if weights is not None:
            factor = np.broadcast_to(weights.data, other.data.shape)[..., part[0], part[1]]
            values = values & (factor > 0) if self.is_mask else np.where(factor == 0, 0, values * factor)
        if self.is_mask:
            self._data[..., rows, columns] |= values
            return
        if other.unit != self.unit:
            values = values * conversion(other.unit, self.unit)
        self._data = self._data.astype(np.result_type(self._data, values), copy=False)
        self._data[..., rows, columns] += values

    def _overlap(self, other: MapValues) -> tuple[slice, slice, tuple[slice, slice]]:
        mine, theirs = self._geom, other.geom
        x, y = (float(one[0]) for one in mine.space.pixels_of(*theirs.space.sky_of(np.zeros(1), np.zeros(1))))
        moved = (round(x), round(y)) if np.isfinite(x + y) else (0, 0)
        (nx, ny), (full_x, full_y) = theirs.npix, mine.npix
        space = cuts.part_of(mine.space, cuts.Cut(slice(moved[1], moved[1] + ny), slice(moved[0], moved[0] + nx)))
        if not cuts.are_close(space, theirs.space) or not mine.axes_are_close(theirs):
            raise DataError("stack: expected a map with the pixels of a part of this one, and with its bins.")
        rows = slice(max(moved[1], 0), min(moved[1] + ny, full_y))
        columns = slice(max(moved[0], 0), min(moved[0] + nx, full_x))
        part = (
            slice(rows.start - moved[1], rows.stop - moved[1]),
            slice(columns.start - moved[0], columns.stop - moved[0]),
        )
        return rows, columns, part

    # --- smoothed

    def smooth(self, width: Any, kernel: str = "gauss") -> Self:
        """Return the map smoothed: each pixel the mean of those about it, so that sums are kept.

        Parameters
        ----------
        width
            An angle, or a number of pixels: the standard deviation of ``gauss``, the radius of ``disk``, the whole
            width of ``box``.
        kernel
            ``gauss``, ``disk`` or ``box``.
        """
        return self._like(smoothed(self._data, kernel, self._in_pixels(width, "width").tolist()))

    def convolve(self, kernel: Any) -> Self:
        """Return the map convolved with a kernel, an array or a map; one image, or one for each plane."""
        given = getattr(kernel, "psf_kernel_map", kernel)
        values = np.asarray(given.data if isinstance(given, MapValues) else getattr(given, "array", given))
        return self._like(convolved(self._data, values))

    def binary_erode(self, radius: Any) -> Self:
        """Return the mask without the pixels that have one outside of it, or an edge of the map, within a radius."""
        return self._like(eroded(self._only_mask("binary_erode"), self._radius(radius)))

    def binary_dilate(self, radius: Any) -> Self:
        """Return the mask with the pixels that have one of it within a radius."""
        return self._like(dilated(self._only_mask("binary_dilate"), self._radius(radius)))

    def _only_mask(self, what: str) -> npt.NDArray[np.bool_]:
        if not self.is_mask:
            raise DataError(f"{what}: expected a mask, which is boolean, got a map of {self._data.dtype}.")
        return self._data

    def _radius(self, radius: Any) -> float:
        return float(np.mean(self._in_pixels(radius, "radius")))

    def _in_pixels(self, width: Any, what: str) -> FloatArray:
        """Return an angle in pixels (y, x); bare numbers are pixels."""
        if isinstance(width, int | float | np.number):
            return np.array([width, width], dtype=float)
        scale = self._geom.pixel_scales.to_value("deg")
        return np.asarray(degrees(width, what) / scale[::-1], dtype=float)

    # --- joined

    @classmethod
    def from_stack(cls, maps: Any, axis: Any = None, axis_name: str | None = None) -> Self:
        """Return maps of the same pixels as the bins of one more axis, or along ``axis_name``, which they have.

        Raises ``ConfigError`` for another number of maps than the axis has bins; ``DataError`` for maps of other
        pixels.
        """
        parts = list(maps)
        if axis is None:
            return cls._joined(parts, axis_name)
        if len(parts) != axis.nbin:
            raise ConfigError(
                f"from_stack: expected {axis.nbin} maps, one for each bin of {axis.name}, got {len(parts)}."
            )
        first = parts[0]
        values = np.stack([(first * 0 + part).data if part.unit != first.unit else part.data for part in parts])
        if not all(part.geom.is_close(first.geom) for part in parts):
            raise DataError("from_stack: expected maps of the same pixels and bins.")
        geom = first.geom.with_axes(MapAxes([*first.geom.axes, axis]))
        return cls(geom, values, first.unit, first.meta, name=first.name)

    @classmethod
    def _joined(cls, parts: list[Self], axis_name: str | None) -> Self:
        first = parts[0]
        if axis_name is None:
            raise ConfigError("from_stack: expected axis, one that the maps do not have, or axis_name, one of theirs.")
        if not all(part.geom.drop(axis_name).is_close(first.geom.drop(axis_name)) for part in parts):
            raise DataError(f"from_stack: expected maps of the same pixels and bins but those of {axis_name}.")
        axis = MapAxis.from_stack(part.geom.axes[axis_name] for part in parts)
        data = [part.data if part.unit == first.unit else part.to_unit(first.unit).data for part in parts]
        values = np.concatenate(data, axis=first._place(axis_name))
        return cls(first.geom.with_axes(first.geom.axes.replace(axis)), values, first.unit, first.meta, name=first.name)

    def split_by_axis(self, axis_name: str) -> list[Self]:
        """Return a map of each bin of an axis."""
        return [self.slice_by_idx({axis_name: at}) for at in range(self._geom.axes[axis_name].nbin)]

    def is_allclose(self, other: MapValues, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
        """Whether two maps have the same pixels and bins, and values that are nearly the same."""
        if not self._geom.is_close(other.geom) or not self.unit.is_equivalent(other.unit):
            return False
        factor = u.Quantity(1, other.unit).to_value(self.unit)
        return bool(np.allclose(self._data, other.data * factor, rtol, atol, equal_nan=True))
