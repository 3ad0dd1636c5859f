"""``OnSky``: the sources of ``Models`` on the sky: their regions and positions, drawn, and chosen by where they are."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

import astropy
import numpy as np

from xgamma import sky
from xgamma.digits import some
from xgamma.errors import ConfigError
from xgamma.formats import region_files
from xgamma.geometry import lonlat, separation, unit_vector
from xgamma.models import pictures
from xgamma.models.placed import Placed
from xgamma.plot import figures as plot_figures
from xgamma.plot import sky as plot_sky
from xgamma.shapes import Circle, union_holds

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xgamma.sky import SkySpace


log = logging.getLogger(__name__)
# An image about sources is so many pixels wide, at least so many degrees, and wider than they by so much.
_PIXELS, _NARROWEST, _MARGIN = 200, 0.5, 1.3


class OnSky:
    """What ``Models`` know of the places of their sources; components that are no sources are left out."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError

    def _like(self, models: Any) -> Self:
        raise NotImplementedError

    def _sources(self) -> list[Any]:
        return [model for model in self if isinstance(model, Placed)]

    def _placed(self) -> list[Any]:
        """Return the sources that have a spatial model; of others a warning tells."""
        found = []
        for model in self._sources():
            if model.spatial_model is None:
                log.warning("The model %r has no spatial model and is left out.", model.name)
            else:
                found.append(model)
        return found

    # --- positions and regions

    @property
    def positions(self) -> SkyCoord:
        """The centres of the sources that have one, in ICRS."""
        places = [model.position.icrs for model in self._placed() if model.position is not None]
        return astropy.coordinates.SkyCoord(
            [place.ra for place in places], [place.dec for place in places], unit="deg", frame="icrs"
        )

    def to_regions(self, size_factor: float | None = None, **kwargs: Any) -> list[Any]:
        """Return the outlines of the sources as regions of the package `regions`; see ``SpatialModel.to_region``."""
        factor = 1.0 if size_factor is None else size_factor
        return [model.spatial_model.to_region(size_factor=factor, **kwargs) for model in self._placed()]

    # --- chosen by place

    def select_mask(self, mask: Any, margin: Any = "0 deg", use_evaluation_region: bool = True) -> Self:
        """Return the sources that contribute where a mask, a ``Map`` of truths, is true.

        Parameters
        ----------
        mask
            True in any bin of energy is enough.
        margin
            By how much more than its evaluation radius a source is seen.
        use_evaluation_region
            Whether the radius counts; without it the centre has to lie where the mask is true.
        """
        if use_evaluation_region:
            return self._like(model for model in self._sources() if model.contributes(mask, margin))
        flat = mask if mask.geom.is_image else mask.reduce_over_axes(np.logical_or)
        placed = [model for model in self._placed() if model.position is not None]
        return self._like(model for model in placed if flat.get_by_coord({"skycoord": model.position}) > 0)

    def select_from_geom(self, geom: Any, **kwargs: Any) -> Self:
        """Return the sources that contribute in a ``WcsGeom``; arguments as in ``select_mask``."""
        image = geom.to_image()
        return self.select_mask(image.map_type(image, np.ones(image.data_shape, dtype=bool)), **kwargs)

    def select_region(self, regions: Any) -> Self:
        """Return the sources whose centres lie in any of some regions, of the package `regions` or in DS9 text."""
        shapes = region_files.normalize_regions(regions)
        found = []
        for model in self._placed():
            place = model.position
            if place is None:
                continue
            lon, lat = np.atleast_1d(place.icrs.ra.deg), np.atleast_1d(place.icrs.dec.deg)
            if union_holds(shapes, lon, lat)[0]:
                found.append(model)
        return self._like(found)

    # --- pictures

    def plot_regions(
        self,
        ax: Axes | None = None,
        kwargs_point: Mapping[str, Any] | None = None,
        path_effect: Any = None,
        size_factor: float | None = None,
        **style: Any,
    ) -> Axes:
        """Draw the outlines of the sources.

        Parameters
        ----------
        ax
            Axes with a projection, as ``Map.plot`` returns them; ``None`` makes them about the sources.
        kwargs_point
            Of points, as matplotlib takes it.
        path_effect
            Of all lines.
        size_factor
            Times the sizes.
        style
            Of lines, as matplotlib takes it; ``edgecolor`` is their colour.
        """
        axes, factor = self._axes(ax), 1.0 if size_factor is None else size_factor
        style = {name: value for name, value in style.items() if name not in ("facecolor", "fill")}
        if "edgecolor" in style:
            style["color"] = style.pop("edgecolor")
        effects = {} if path_effect is None else {"path_effects": path_effect}
        for model in self._placed():
            shape = model.spatial_model.outline(factor)
            if shape is None:
                log.warning("The model %r has no outline and is not drawn.", model.name)
                continue
            own = kwargs_point or {} if isinstance(shape, Circle) and shape.radius == 0 else style
            plot_sky.draw_shape(axes, shape, **{"color": "tab:blue", **effects, **own})
        return axes  # type: ignore[no-any-return]

    def plot_positions(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw the centres of the sources as markers; ``style`` is that of ``Axes.scatter``."""
        axes, places = self._axes(ax), self.positions
        usual = {"marker": "*", "color": "tab:blue", **style}
        axes.scatter(places.ra.deg, places.dec.deg, transform=axes.get_transform("icrs"), **usual)
        return axes  # type: ignore[no-any-return]

    def peek(self, figsize: tuple[float, float] | None = None, energy_bounds: Any = None) -> Figure:
        """Draw the spectra of all sources, and where they are, in a new figure, and return it.

        Raises ``ConfigError`` where there are no sources.
        """
        sources = self._sources()
        if not sources:
            raise ConfigError("There is no source to draw.")
        placed = [one for one in sources if one.spatial_model is not None and one.spatial_model.center() is not None]
        count = 1 + bool(placed)
        figure = plot_figures.new_figure(figsize or (pictures.PANEL[0] * count, pictures.PANEL[1]))
        spectra = {one.name: one.spectral_model for one in sources}
        pictures.draw_spectra(spectra, plot_figures.add_axes(figure, (1, count, 1)), energy_bounds)
        if placed:
            drawn = self._like(placed)
            ax = drawn.plot_regions(plot_sky.sky_axes(self._space(), figure, (1, count, 2)))
            drawn.plot_positions(ax)
        plot_figures.show_title(figure, ", ".join(spectra) if len(spectra) < 4 else some(len(spectra), "source"))
        return figure

    def _axes(self, ax: Axes | None) -> Any:
        if ax is None:
            return plot_sky.sky_axes(self._space())
        if not hasattr(ax, "coords"):
            return plot_sky.normalize_sky_axes(ax, self._space())
        return ax

    def _space(self) -> SkySpace:
        """Return an image that holds the sources."""
        placed = [model for model in self._placed() if model.spatial_model.center() is not None]
        if not placed:
            raise ConfigError("There is no source with a centre to draw; give axes, as Map.plot returns them.")
        places = self._like(placed).positions
        lon, lat = places.ra.deg, places.dec.deg
        middle_lon, middle_lat = (float(value) for value in lonlat(unit_vector(lon, lat).mean(axis=0)))
        reach = np.array([min(model.spatial_model.reach(), 60.0) for model in placed])
        half = float((separation(middle_lon, middle_lat, lon, lat) + 0.4 * reach).max())
        if half > 40.0:
            return sky.SkySpace.of_width(0.0, 0.0, "galactic", 1.0, (360.0, 180.0), None, "AIT")
        width = max(2 * _MARGIN * half, _NARROWEST)
        return sky.SkySpace.of_width(middle_lon, middle_lat, "icrs", width / _PIXELS, (width, width), None, "TAN")
