"""``Map``: values over an image of the sky and axes, as Gammapy has them; and ``RegionNDMap``, those in a region."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import xarray as xr
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.datasets.geom import RegionGeom
from xgamma.datasets.maps.axes import MapAxes, axes_facts
from xgamma.datasets.maps.axis import MapAxis
from xgamma.datasets.maps.geom import WcsGeom
from xgamma.datasets.maps.membership import shares_of_region
from xgamma.datasets.maps.pictures import MapPictures
from xgamma.datasets.maps.values import MapValues
from xgamma.description import Described, Description, facts
from xgamma.dialects import fits_unit
from xgamma.errors import DataError
from xgamma.formats.region_files import normalize_regions
from xgamma.formats.sky_maps.files import TRUTHS, read_map, write_map
from xgamma.formats.sky_maps.sky_map import SkyMap
from xgamma.gammapy_methods import SaysInstead
from xgamma.models.spatial.templates import MapModel
from xgamma.plot import figures as plot_figures
from xgamma.plot import labels as plot_labels
from xgamma.shapes import Shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


SUMS, MEANS = (np.nansum, np.sum, np.add), (np.nanmean, np.mean)


class RegionNDMap(SaysInstead, Described):
    """Values of a region over axes.

    Parameters
    ----------
    geom
        The region and the axes.
    data
        Values, one for each bin; ``None`` are zeros.
    unit, meta, name
        What they are, and what else is known.
    dtype
        Of the zeros.

    Raises
    ------
    DataError
        Unless there is one value for each bin.
    """

    def __init__(
        self, geom: RegionGeom, data: npt.ArrayLike | None = None, unit: u.UnitBase | str = "",
        meta: Mapping[str, Any] | None = None, dtype: npt.DTypeLike = float, name: str = "",
    ) -> None:  # fmt: skip
        self.geom, self._axes, self._unit = geom, geom.axes, unit if isinstance(unit, str) else unit.to_string("fits")
        self.meta, self.name = dict(meta or {}), name
        values = np.zeros(geom.data_shape, dtype) if data is None else np.asarray(data)
        if values.size != np.prod(geom.data_shape):
            raise DataError(f"Expected one value for each of {np.prod(geom.data_shape)} bins, got {values.size}.")
        self.data = values.reshape(geom.data_shape)

    @classmethod
    def create(
        cls, region: Any = None, axes: Iterable[MapAxis] = (), unit: u.UnitBase | str = "",
        meta: Mapping[str, Any] | None = None, dtype: npt.DTypeLike = float,
    ) -> Self:  # fmt: skip
        """Return zeros of a region, which is given as to ``RegionGeom.create``."""
        return cls(RegionGeom.create(region, axes), None, unit, meta, dtype)

    @property
    def region(self) -> Shape | None:
        """The region."""
        return self.geom.region

    @property
    def is_mask(self) -> bool:
        """Whether the values are true or false."""
        return self.data.dtype == bool

    def get_by_coord(self, coords: Any) -> npt.NDArray[Any]:
        """Return the values of the bins that values along the axes lie in, by name or in their order; outside NaN."""
        given = coords if isinstance(coords, Mapping) else dict(zip(self._axes.names, coords, strict=True))
        bins = np.broadcast_arrays(*(axis.coord_to_idx(given[axis.name]) for axis in reversed(list(self._axes))))
        inside = np.all([one >= 0 for one in bins], axis=0)
        values = self.data.reshape(self._axes.array_shape)[tuple(np.where(inside, one, 0) for one in bins)]
        return np.where(inside, values, False if self.is_mask else np.nan)

    def sum_over_axes(self, axes_names: Iterable[str] | None = None, keepdims: bool = True) -> Self:
        """Return the sums over axes, by default all, which are kept with one bin."""
        names = self._axes.names if axes_names is None else list(axes_names)
        places = tuple(self._axes.dims.index(name) for name in names)
        axes = self._axes
        for name in names:
            axes = axes.squash(name) if keepdims else axes.drop(name)
        return self._like(self.data.sum(axis=places), axes)

    def slice_by_idx(self, slices: Mapping[str, int | slice]) -> Self:
        """Return some bins of axes; an axis of which one bin is asked for by its number is dropped."""
        index = tuple(slices.get(name, slice(None)) for name in self._axes.dims)
        return self._like(self.data[index], self._axes.slice_by_idx(slices))

    def _like(self, data: npt.NDArray[Any], axes: MapAxes) -> Self:
        return type(self)(self.geom.with_axes(axes), data, self._unit, self.meta, name=self.name)

    @property
    def unit(self) -> u.UnitBase:
        """The unit of the values."""
        return fits_unit(self._unit)

    @property
    def quantity(self) -> u.Quantity:
        """The values with their unit, shape (..., 1, 1)."""
        return u.Quantity(self.data, self.unit)

    @property
    def array(self) -> xr.DataArray:
        """The values as an array with labels."""
        coords = {axis.name: ((axis.name,), axis.center, {"units": axis.unit}) for axis in self._axes.plain}
        values = self.data.reshape(self._axes.array_shape)
        return xr.DataArray(values, coords, self._axes.dims, self.name or None, {"units": self._unit})

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw the values over their one axis, as steps over its bins; raises ``DataError`` for more axes."""
        if len(self._axes) != 1:
            raise DataError(f"plot: expected values over one axis, got {', '.join(self._axes.names) or 'one value'}.")
        (axis,) = self._axes
        ax = axis.format_plot_xaxis(plot_figures.normalize_axes(ax))
        ax.stairs(self.data.ravel(), axis.edges.to_value(ax.xaxis.get_units()), **{"baseline": None, **style})
        ax.set_ylabel(plot_labels.axis_label(self.name.replace("_", " ").capitalize() or "Value", self._unit))
        return ax

    plot_hist = plot

    def peek(self, figsize: tuple[float, float] = (6, 4.5)) -> Figure:
        """Draw the values over their one axis in a new figure, and return it; raises as ``plot``."""
        figure, [ax] = plot_figures.panels(1, figsize)
        self.plot(ax)
        plot_figures.show_title(ax, self.name.replace("_", " ").capitalize(), str(self.region or ""))
        return figure

    def __repr__(self) -> str:
        return f"<RegionNDMap {' x '.join(map(str, self._axes.array_shape))} {self._unit}>"

    def _description(self) -> Description:
        own = [("Name", self.name)] if self.name else []
        return Description(
            type(self).__name__, facts([*own, ("Unit", self._unit or "none")], axes_facts(self._axes.plain))
        )


class Map(MapPictures):
    """Values over the pixels of an image of the sky and the bins of axes.

    Parameters
    ----------
    geom
        The geometry.
    data
        Values that broadcast to its ``data_shape``; ``None`` are zeros.
    unit
        As FITS writes it, or of astropy.
    meta
        What else is known, by name.
    dtype
        Of the zeros.
    name
        What the values are, for pictures and files.

    Raises
    ------
    DataError
        For an array of another shape.

    Examples
    --------
    >>> counts = Map.create(skydir=(83.63, 22.01), binsz=0.1, width=2)
    >>> counts.fill_by_coord(([83.63, 83.63, 10.0], [22.01, 22.01, 0.0]))
    >>> int(counts.data.sum()), (counts > 0).is_mask
    (2, True)
    """

    # --- in files

    @classmethod
    def read(cls, filename: str | PathLike[str], hdu: str | None = None) -> Map:
        """Read a map of a FITS file, by default the first one; raises as `xgamma.formats.sky_maps.files.read_map`.

        Masks are known by names that hold ``mask``, ``is_ul`` or ``success``.
        """
        found = read_map(filename, hdu)
        geom = WcsGeom(found.space, MapAxes(found.axes[::-1]))
        return cls(geom, found.values, found.unit, found.meta, name=found.name.lower())

    def write(self, filename: str | PathLike[str], overwrite: bool = False, hdu: str | None = None) -> Path:
        """Write the map to a ``.fits`` or ``.fits.gz`` file, which Gammapy and DS9 read, and return its path.

        The HDU has the name of the map, in capitals; that of a mask holds ``MASK``, by which it is known as one.
        """
        name = (self.name if hdu is None else hdu).upper()
        if self.is_mask and not any(word in name for word in TRUTHS):
            name = f"{name}_MASK".strip("_")
        named = SkyMap.of_space(self._data, self._geom.axes.plain[::-1], self._geom.space, self._unit, name, self.meta)
        return write_map(named, filename, overwrite=overwrite)

    # --- in regions

    def to_region_nd_map(
        self, region: Any, func: Callable[..., Any] = np.nansum, weights: MapValues | None = None
    ) -> RegionNDMap:
        """Return the sum or the mean over a region, bin by bin of the axes.

        Parameters
        ----------
        region
            A region of the package `regions`, a shape, or DS9 text. The pixels whose centres it holds count whole;
            where these are fewer than ten, the pixels that it touches count with the share of their area in it, so
            that a region between pixels is not empty. A point is the pixel that it lies in.
        func
            ``np.nansum``, ``np.nanmean``, or another reduction with an ``axis``, of whole pixels. Of a mask the
            result is a mask too: whether there is any, or with ``np.all`` and ``np.prod`` whether all are.
        weights
            What values are multiplied by before.

        Raises
        ------
        DataError
            For a region that lies in part outside of the map.
        """
        shares = shares_of_region(self._geom.space, region)
        data = self._data if weights is None else (self * weights).data
        values = data.reshape(*self._geom.axes.array_shape, -1)[..., shares.pixel]
        if not shares.is_whole and func not in (*SUMS, *MEANS):
            raise DataError(
                f"The region holds the centres of fewer than ten pixels of {self._geom.space.binsize:g} deg: only sums "
                "and means of it are known; give smaller pixels or a larger region."
            )
        found = _reduced(values, shares.share, func)
        found = found.astype(bool) if data.dtype == bool else found
        return RegionNDMap(
            RegionGeom.create(normalize_regions(region)[0], self._geom.axes), found, self._unit, name=self.name
        )

    def get_spectrum(
        self, region: Any, func: Callable[..., Any] = np.nansum, weights: MapValues | None = None
    ) -> RegionNDMap:
        """Return the same; see ``to_region_nd_map``."""
        return self.to_region_nd_map(region, func, weights)

    def mask_contains_region(self, region: Any) -> bool:
        """Whether the mask is true in all pixels of a region, which lies on the map as a whole.

        Raises ``DataError`` unless the map is a mask of one image.
        """
        if not self.is_mask or not self._geom.is_image:
            raise DataError(f"mask_contains_region: expected a mask that is an image, got {self!r}.")
        pixel, _ = shares_of_region(self._geom.space, region)
        return bool(self._data.ravel()[pixel].all())

    def mask_nearest_position(self, position: Any) -> Any:
        """Return the position itself if the mask is true there, else the nearest centre of a pixel where it is.

        Raises ``DataError`` unless the map is a mask of one image that is true somewhere.
        """
        if not self.is_mask or not self._geom.is_image or not self._data.any():
            raise DataError(
                f"mask_nearest_position: expected an image that is a mask and true somewhere, got {self!r}."
            )
        if bool(np.all(self.get_by_coord({"skycoord": position}))):
            return position
        away = np.where(self._data, self._geom.separation(position).deg, np.inf)
        pixel = int(np.nanargmin(away))
        return self._geom.get_coord().skycoord.ravel()[pixel]


def _reduced(values: npt.NDArray[Any], share: FloatArray, func: Callable[..., Any]) -> npt.NDArray[Any]:
    """Return what is left of the pixels of each bin, shape without the last dim."""
    if np.all(share == 1):
        reduce: Callable[..., Any] = func.reduce if isinstance(func, np.ufunc) else func
        return np.asarray(reduce(values, axis=-1))
    known = np.isfinite(values) if func in (np.nansum, np.nanmean) else np.ones(values.shape, dtype=bool)
    total = np.sum(np.where(known, values, 0) * share, axis=-1)
    if func in SUMS:
        return np.asarray(total)
    weight = np.sum(known * share, axis=-1)
    return np.asarray(np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0))


# A geometry makes masks, and a model of a map shows it.
WcsGeom.map_type = Map
RegionGeom.map_type = RegionNDMap
MapModel.view = lambda table: Map(WcsGeom(table.space, MapAxes(table.axes[::-1])), table.values, table.unit)
