"""``MapRow``: what one window of the sky holds, and other windows that are made of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import xarray as xr

from xgamma.axes import Axis, BoolArray
from xgamma.datasets.binned_row import BinnedRow
from xgamma.datasets.maps import Map, WcsGeom
from xgamma.datasets.maps.axes import MapAxes
from xgamma.datasets.response_maps import EDispKernelMap, PSFMap
from xgamma.errors import ConfigError
from xgamma.grid import SkySpace
from xgamma.models.models import FoVBackgroundModel
from xgamma.predict.background import background_model
from xgamma.reduce import crops, grids, select_rows
from xgamma.reduce.grids import has_response
from xgamma.reduce.nodes import exposure_in_windows
from xgamma.reduce.recipe import OF_MAPS
from xgamma.reduce.window_sums import window_sum
from xgamma.schema import WINDOWS, SpaceDims
from xgamma.sky_wcs import image_wcs

if TYPE_CHECKING:
    from astropy.wcs import WCS


class MapRow(BinnedRow[Map]):
    """A window of the sky; see ``MapDataset``."""

    space: ClassVar[SpaceDims] = WINDOWS

    def _cut_out(self) -> xr.Dataset:
        return self.group if self.group.sizes["dataset"] == 1 else select_rows(self.group, [self._row])

    @property
    def image(self) -> SkySpace:
        """Its pixels as an image of its own."""
        return grids.image_of_row(self.group, self._row)

    @property
    def image_wcs(self) -> WCS:
        """The celestial WCS of its pixels."""
        return image_wcs(self.image)

    def _shown(self, array: xr.DataArray) -> Map:
        dims = reversed([str(dim) for dim in array.dims if dim not in WINDOWS.cells])
        return self._map(array, [Axis.from_coords(self._arrays.coords, dim) for dim in dims])

    def _map(self, array: xr.DataArray, axes: Sequence[Axis]) -> Map:
        geom = WcsGeom(self.image, MapAxes(axes))
        return Map.from_geom(geom, array.values, array.attrs.get("units", ""), name=str(array.name or ""))

    @property
    def geoms(self) -> dict[str, WcsGeom]:
        """The geometry of the counts, and that of the exposure."""
        return {"geom": self.counts.geom, "geom_exposure": self.exposure.geom}

    @cached_property
    def _exposure(self) -> xr.DataArray:
        data = self.data
        if "exposure" in data:
            return data["exposure"].isel(dataset=0)
        planes = exposure_in_windows(data)[0]
        coords = {"energy_true": data.coords["energy_true"]}
        return xr.DataArray(planes, coords, ("energy_true", "v", "u"), "exposure", {"units": "m2 s"})

    def _hold(self, data: xr.Dataset) -> None:
        self.__dict__.pop("_exposure", None)
        super()._hold(data)

    @property
    def exposure(self) -> Map:
        """Exposure in m2 s, dims (energy_true, y, x); of a run it is made when it is asked for."""
        return self._shown(self._exposure)

    @property
    def psf(self) -> PSFMap | None:
        """The point spread function at any position; ``None`` where the row has none."""
        return PSFMap(self.data, self.center) if has_response(self.data, "psf") else None

    @psf.setter
    def psf(self, value: None) -> None:
        self._without("psf", value)

    @property
    def edisp(self) -> EDispKernelMap | None:
        """The energy dispersion at any position; ``None`` where the row has none."""
        return EDispKernelMap(self.data, self.center) if has_response(self.data, "edisp") else None

    @edisp.setter
    def edisp(self, value: None) -> None:
        self._without("edisp", value)

    def _here(self, mask: Any) -> Any:
        """Return a mask; raises ``ConfigError`` for a map of other pixels."""
        if isinstance(mask, Map) and not WcsGeom(self.image).is_close(mask.geom.to_image()):
            raise ConfigError(
                f"{self.name}: expected a mask_fit in the pixels of the counts, got a map of others; use "
                "mask.interp_to_geom(dataset.counts.geom)."
            )
        return mask

    def _without(self, name: str, value: None) -> None:
        """Take the responses of one kind out; raises ``ConfigError`` for anything but ``None`` in their place."""
        if value is not None:
            raise ConfigError(f"{name}: expected None, which takes it out; others come with reduced runs and files.")
        self._hold(self.data.drop_vars([*OF_MAPS[name], f"{name}_grid"], errors="ignore"))

    @property
    def background_model(self) -> FoVBackgroundModel | None:
        """The model of its background, ``None`` without one; raises ``ConfigError`` for two."""
        return background_model(self.models, self.name)

    @property
    def center(self) -> tuple[float, float]:
        """ICRS longitude and latitude of its middle, degrees."""
        (nx, ny), image = self.image.npix, self.image
        lon, lat = image.sky_of(np.array(0.5 * (nx - 1)), np.array(0.5 * (ny - 1)))
        return float(lon), float(lat)

    def _image_of(self, mask: xr.DataArray) -> Map:
        """Return where any energy of a mask is true, with an axis of one bin."""
        edges = self.energy_axis.edges[[0, -1]]
        return self._map(mask.any("energy").expand_dims("energy"), [Axis("energy", edges)])

    @property
    def mask_safe_image(self) -> Map:
        """The pixels that are safe at any energy."""
        return self._image_of(self._array("mask_safe"))

    @property
    def mask_fit_image(self) -> Map | None:
        """The pixels that a fit may use at any energy, ``None`` for all."""
        if self._mask_fit is None:
            return None
        return self._image_of(self._array("mask_safe").copy(data=self._mask_fit))

    @property
    def mask_image(self) -> Map:
        """The pixels in use at any energy."""
        return self._image_of(self.used_bins)

    # --- other rows made of it

    def _summed(self, rows: list[xr.Dataset]) -> xr.Dataset:
        return window_sum(rows, self.image, self.name)

    def mask_of(self, other: Any) -> BoolArray | None:
        """Return the fit mask of another row where its window lies in this one, false elsewhere."""
        mask: BoolArray | None = other.fit_bins
        if mask is None:
            return None
        given = other.data[["mask_safe"]]
        own = given.assign(mask_safe=given["mask_safe"].copy(data=mask[np.newaxis]))
        return np.asarray(crops.in_image(own, self.image)["mask_safe"].values[0])

    def _changed(self, data: xr.Dataset, mask_fit: xr.Dataset | None, name: str | None) -> Self:
        mask = None if mask_fit is None else mask_fit["mask_safe"].values[0]
        return self._like(data, name, mask)

    @property
    def _with_mask(self) -> xr.Dataset | None:
        """The fit mask in the place of the safe one, to be moved as that is."""
        if self._mask_fit is None:
            return None
        given = self.data[["mask_safe"]]
        return given.assign(mask_safe=given["mask_safe"].copy(data=self._mask_fit[np.newaxis]))

    def _moved(self, geom: WcsGeom, name: str | None) -> Self:
        mask = self._with_mask
        moved = None if mask is None else crops.in_image(mask, geom.space)
        return self._changed(crops.in_image(self.data, geom.space), moved, name)

    def cutout(self, position: Any, width: Any, mode: str = "trim", name: str | None = None) -> Self:
        """Return the window about a position, in pixels of this one.

        Parameters
        ----------
        position
            A ``SkyCoord``.
        width
            An angle (``Quantity``, text, or a number of degrees), or two of them, along longitude and latitude.
        mode
            ``trim`` ends at the edges of this window, ``strict`` refuses to.
        name
            Of the new row, by default that of this one.

        Raises
        ------
        ConfigError
            For another mode or width.
        DataError
            For a position outside of the map, and with ``strict`` for a window that is not inside.
        """
        return self._moved(WcsGeom(self.image).cutout(position, width, mode), name)

    def pad(self, pad_width: int | tuple[int, int], name: str | None = None) -> Self:
        """Return the window with more pixels on each side, (x, y) if they are two numbers; nothing was seen there."""
        return self._moved(WcsGeom(self.image).pad(pad_width), name)

    def downsample(self, factor: int, axis_name: str | None = None, name: str | None = None) -> Self:
        """Return the row with so many pixels in one along each side, over safe bins, or so many bins of energy.

        Raises
        ------
        ConfigError
            For a factor that does not divide the pixels or bins, or another axis.
        """
        if not isinstance(factor, Integral):
            raise ConfigError(f"downsample: expected a factor that is a whole number, got {factor!r}.")
        factor = int(factor)
        if axis_name is not None:
            return self.resample_energy_axis(MapAxes([self.energy_axis]).downsample(factor, axis_name)[0], name)
        geom, mask = WcsGeom(self.image).downsample(factor), self._with_mask
        moved = None if mask is None else crops.coarser(mask, factor, geom.space)
        return self._changed(crops.coarser(self.data, factor, geom.space), moved, name)
