"""``SpatialModel``: a position or morphology as a user of Gammapy asks for it: quantities, regions, pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import astropy
import numpy as np
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, ConfigTypeError, DataError, LaterError
from xgamma.geometry import FRAMES
from xgamma.models.spatial import containment, outlines, pictures
from xgamma.models.spatial.function import SpatialFunction
from xgamma.models.spatial.pixels import along_axes, pixel_densities, pixel_integrals
from xgamma.models.spatial.turned import in_frame
from xgamma.plot import figures as plot_figures
from xgamma.plot import sky as plot_sky
from xgamma.shapes import Circle, Shape
from xgamma.sky import SkySpace

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# Standard errors that hold 95 % of a Gaussian of two dimensions.
R95 = float(np.sqrt(-2.0 * np.log(0.05)))


class SpatialModel(SpatialFunction):
    """A position or morphology in ``frame`` (icrs or galactic).

    Subclasses declare parameters and what ``SpatialFunction`` names. Values are those of now.
    """

    # --- values

    def evaluate(self, lon: Any, lat: Any, energy: Any = None) -> u.Quantity:
        """Return the density at longitudes and latitudes of ``frame`` as quantities, in sr-1.

        Of a model that depends on the energy it is that at ``energy``, which broadcasts with the positions.
        """
        x, y = (_plain(value, "deg", name) for value, name in ((lon, "lon"), (lat, "lat")))
        at = None if energy is None else _plain(energy, "TeV", "energy")
        return u.Quantity(self.density(x, y, None, at), self.density_unit)

    def __call__(self, lon: Any, lat: Any, energy: Any = None) -> u.Quantity:
        """Return the same as ``evaluate``."""
        return self.evaluate(lon, lat, energy)

    def evaluate_geom(self, geom: Any) -> u.Quantity:
        """Return the density at the centres of the pixels of a ``WcsGeom``, shape (1, ..., y, x), or its energies.

        Of a point it is the integral over each pixel divided by its solid angle.
        """
        energy = self._energies(geom)
        if self.is_point:
            area = geom.space.solid_angles().reshape(geom.space.shape)
            found = np.divide(pixel_integrals(self, geom.space), area, out=np.zeros(area.shape), where=area > 0)
        else:
            found = pixel_densities(self, geom.space, None, energy)
        return u.Quantity(along_axes(found, geom, energy is not None), self.density_unit)

    def integrate_geom(self, geom: Any, oversampling_factor: int | None = None) -> Any:
        """Return the integrals over the pixels of a ``WcsGeom`` as a ``Map``; they add up to 1.

        A pixel is divided into ``oversampling_factor`` by so many parts, by default as many as the model needs.
        """
        energy = self._energies(geom)
        found = pixel_integrals(self, geom.space, None, energy, oversampling_factor)
        data = np.broadcast_to(along_axes(found, geom, energy is not None), geom.data_shape).copy()
        return geom.map_type(geom, data, self.density_unit * u.sr)

    def _energies(self, geom: Any) -> FloatArray | None:
        if getattr(geom, "is_region", False) or not hasattr(geom, "space"):
            raise LaterError(f"{self.tag[0]}: expected a WcsGeom; integrals over a region come with a later version.")
        if not self.is_energy_dependent:
            return None
        for axis in geom.axes:
            if axis.name in ("energy_true", "energy"):
                return np.asarray(axis.center.to_value("TeV"), dtype=float)
        raise DataError(f"{self.tag[0]}: it depends on the energy; expected a geometry with an axis energy_true.")

    @property
    def density_unit(self) -> u.UnitBase:
        """The unit of densities: sr-1, or that of a map of fluxes."""
        return u.Unit("sr-1")

    # --- where, how far, how fine

    @property
    def position(self) -> SkyCoord | None:
        """The centre; ``None`` for a model that has none. May be set to a position in any frame."""
        center = self.center()
        return None if center is None else astropy.coordinates.SkyCoord(*center, unit="deg", frame=self.frame)

    @position.setter
    def position(self, position: SkyCoord) -> None:
        if not self.has_center or not isinstance(position, astropy.coordinates.SkyCoord):
            raise ConfigTypeError(f"{self.tag[0]}.position: expected a model with a centre and a SkyCoord.")
        place = position.transform_to(self.frame).spherical
        for name, angle in (("lon_0", place.lon), ("lat_0", place.lat)):
            parameter = self.parameters[name]
            parameter.value = float(angle.to_value(parameter.unit))

    @property
    def position_lonlat(self) -> tuple[float, float] | None:
        """Longitude and latitude of the centre in rad, in ``frame``."""
        center = self.center()
        return None if center is None else (float(np.deg2rad(center[0])), float(np.deg2rad(center[1])))

    @property
    def evaluation_radius(self) -> u.Quantity | None:
        """The distance from the centre beyond which nothing is looked for; ``None`` for no limit."""
        return _angle(self.reach())

    @property
    def evaluation_bin_size_min(self) -> u.Quantity | None:
        """The length on which the density changes; ``None`` for one that is the same everywhere."""
        return _angle(self.resolution())

    @classmethod
    def from_position(cls, position: SkyCoord, **kwargs: Any) -> Self:
        """Return a model at a position, in its frame, or in the ``frame`` that is given.

        Raises ``ConfigTypeError`` for what is no ``SkyCoord``; ``ConfigError`` for another frame than icrs and
        galactic.
        """
        if not isinstance(position, astropy.coordinates.SkyCoord):
            raise ConfigTypeError(f"from_position: expected a SkyCoord, got {position!r}.")
        frame = str(kwargs.pop("frame", position.frame.name))
        if frame not in FRAMES:
            raise ConfigError(f"from_position: expected the frame icrs or galactic, got {frame!r}; say frame='icrs'.")
        place = position.transform_to(frame).spherical
        return cls(frame=frame, lon_0=u.Quantity(place.lon, "deg"), lat_0=u.Quantity(place.lat, "deg"), **kwargs)

    def with_frame(self, frame: str) -> Self:
        """Return the same source in another frame: its position, its position angle and their errors are turned."""
        turned: Self = in_frame(self, frame)
        return turned

    # --- containment

    def containment_fraction(self, radius: Any) -> float:
        """Return which part of the source lies within a radius about its centre."""
        return containment.enclosed(self, float(_plain(radius, "deg", "radius")))

    def containment_radius(self, fraction: float) -> u.Quantity:
        """Return the radius about the centre that holds a fraction of the source; raises ``ConfigError`` for none."""
        return u.Quantity(containment.enclosing(self, fraction), "deg")

    # --- regions

    def outline(self, size_factor: float = 1.0) -> Shape | None:
        """Return the outline, at ``size_factor`` times the size; ``None`` for a model that has none."""
        center = self.center()
        return None if center is None else Circle(*center, self.reach(), self.frame)

    def to_region(self, size_factor: float = 1.0, **kwargs: Any) -> Any:
        """Return the outline as a region of the package `regions`.

        Parameters
        ----------
        size_factor
            Times the size of the source: sigma of a Gaussian, which then holds 39 % of it.
        kwargs
            ``meta`` and ``visual`` of the region.
        """
        shape = self.outline(size_factor)
        if shape is None:
            return outlines.rectangle_region((0.0, 0.0), self.frame, 360.0, 180.0, **kwargs)
        return outlines.region_of(shape, **kwargs)

    @property
    def evaluation_region(self) -> Any:
        """The circle about the centre within ``evaluation_radius``, as a region."""
        center = self.center()
        if center is None or not np.isfinite(self.reach()):
            return self.to_region()
        return outlines.region_of(Circle(*center, self.reach(), self.frame))

    def position_errors(self) -> tuple[float, float, float]:
        """Return the standard errors along the axes of the error ellipse, major and minor, and its position angle, deg.

        Raises ``ConfigError`` for a model without a centre, or whose position has no error.
        """
        center = self.center()
        if not self.has_center or center is None:
            raise ConfigError(f"{self.tag[0]}: it has no position, and no error of it.")
        factors = [parameter.canonical_factor for parameter in self.parameters[:2]]
        covariance = self.covariance.data[:2, :2] * np.outer(factors, factors)
        if not np.isfinite(covariance).all() or not np.diag(covariance).any():
            raise ConfigError(f"{self.tag[0]}: its position has no error; fit it, or set model.covariance.")
        return outlines.error_axes(covariance, center[1])

    @property
    def position_error(self) -> Any:
        """The ellipse that holds the position with 95 %, as a region; raises as ``position_errors``."""
        return outlines.region_of(self.error_shape())

    def error_shape(self) -> Shape:
        """Return the ellipse that holds the position with 95 %; raises as ``position_errors``."""
        (major, minor, angle), center = self.position_errors(), self.center()
        assert center is not None
        # A position that is free along one axis alone has an ellipse that is a line: next to nothing wide.
        minor = max(minor, 1e-6 * major)
        return outlines.ellipse(center, self.frame, R95 * major, R95 * minor, angle)

    # --- pictures

    def plot(self, ax: Axes | None = None, geom: Any = None, **style: Any) -> Axes:
        """Draw the density on an image of the sky, by default one about the source.

        ``style`` is that of ``Map.plot``, such as ``add_cbar`` and ``stretch``.

        Raises ``DataError`` for a model that depends on the energy.
        """
        if self.is_energy_dependent:
            raise DataError(f"{self.tag[0]}: it depends on the energy; draw planes of it with plot_grid(geom).")
        return pictures.draw(self, self.picture_space(geom), ax, **style)

    def plot_grid(self, geom: Any = None, **style: Any) -> list[Any]:
        """Draw the planes of energy of a geometry; raises ``DataError`` for a model that does not depend on it."""
        if not self.is_energy_dependent:
            raise DataError(f"{self.tag[0]}: it does not depend on the energy; draw it with plot.")
        return pictures.draw_planes(self, self.picture_space(geom), self._planes(geom), **style)

    def plot_position_error(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw the position and the ellipse of 95 %, if there is an error; ``style`` is matplotlib's of markers."""
        return pictures.draw_position(self, self.picture_space(None), ax, **style)

    def plot_error(self, ax: Axes | None = None, which: Any = "position", size_factor: float = 1.0,
                   kwargs_position: Any = None, kwargs_extension: Any = None) -> Axes:  # fmt: skip
        """Draw the errors of the position, of the extension, or ``all``: outlines at the size with its error.

        Raises ``ConfigError`` for another word than these.
        """
        wanted = {which} if isinstance(which, str) else set(which)
        if not wanted <= {"position", "extension", "all"}:
            raise ConfigError(f"plot_error: expected position, extension or all, got {which!r}.")
        if wanted & {"position", "all"}:
            ax = self.plot_position_error(ax, **(kwargs_position or {}))
        if wanted & {"extension", "all"}:
            ax = pictures.draw_extension(self, self.picture_space(None), ax, size_factor, **(kwargs_extension or {}))
        assert ax is not None
        return ax

    def peek(self, figsize: tuple[float, float] = (5, 4), geom: Any = None) -> Figure:
        """Draw the density in a new figure, and return it; raises as ``plot``."""
        figure = plot_figures.new_figure(figsize)
        self.plot(plot_sky.sky_axes(self.picture_space(geom), figure), geom, add_cbar=True)
        plot_figures.show_title(figure, self.tag[0])
        return figure

    def picture_space(self, geom: Any = None) -> SkySpace:
        """Return the image of a geometry, by default one about the source; raises ``ConfigError`` without a centre."""
        if geom is not None:
            space: SkySpace = geom.space
            return space
        center = self.center()
        if center is None:
            raise ConfigError(f"{self.tag[0]}: it has no centre; say which part of the sky is drawn, with geom=...")
        return pictures.space_about(center, self.frame, self.reach())

    def _planes(self, geom: Any) -> Any:
        if geom is None:
            raise ConfigError(f"{self.tag[0]}: expected a geometry with an axis of energy, got none.")
        return next(axis for axis in geom.axes.plain if axis.name in ("energy_true", "energy"))


def _angle(degrees: float) -> u.Quantity | None:
    return u.Quantity(degrees, "deg") if np.isfinite(degrees) else None


def _plain(value: Any, unit: str, name: str) -> FloatArray:
    try:
        return np.asarray(u.Quantity(value).to_value(unit), dtype=float)
    except (TypeError, ValueError, u.UnitConversionError):
        raise ConfigError(f"{name}: expected a Quantity in {unit}, such as 1 * u.{unit}, got {value!r}.") from None
