"""``Placed``: what a source is at positions, energies and times, and which part of the sky it is seen in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, DataError
from xgamma.geometry import separation, to_frame
from xgamma.models.spatial import pixels
from xgamma.units import unit_string

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

    from xgamma.models.spatial.model import SpatialModel
    from xgamma.models.spectral.model import SpectralModel
    from xgamma.models.temporal.model import TemporalModel


_BRIGHTNESS = u.Unit("cm-2 s-1 TeV-1 sr-1")
# A source at the edge of a pixel is seen in it: in units of its side.
_HALF_DIAGONAL = float(np.sqrt(0.5))


class Placed:
    """The values of a ``SkyModel`` and its place; its spectrum may be all that it has."""

    name: str

    @property
    def spectral_model(self) -> SpectralModel:
        """The spectrum."""
        raise NotImplementedError

    @property
    def spatial_model(self) -> SpatialModel | None:
        """The morphology."""
        raise NotImplementedError

    @property
    def temporal_model(self) -> TemporalModel | None:
        """The factor of the flux that depends on time."""
        raise NotImplementedError

    # --- values

    def evaluate(self, lon: Any, lat: Any, energy: Any, time: Any = None) -> u.Quantity:
        """Return the brightness at positions in the frame of the source, energies and times, which broadcast.

        In cm-2 s-1 TeV-1 sr-1, without a spatial model in cm-2 s-1 TeV-1. Without a time it is that at the factor 1.
        """
        value = self.spectral_model(energy)
        if self.spatial_model is not None:
            at = energy if self.spatial_model.is_energy_dependent else None
            value = value * self.spatial_model(lon, lat, at)
        if self.temporal_model is not None and time is not None:
            value = value * self.temporal_model(time)
        return value

    def __call__(self, lon: Any, lat: Any, energy: Any, time: Any = None) -> u.Quantity:
        """Return the same as ``evaluate``."""
        return self.evaluate(lon, lat, energy, time)

    def evaluate_geom(self, geom: Any, gti: Any = None) -> u.Quantity:
        """Return the brightness at the centres of the bins of a ``WcsGeom`` with an axis ``energy_true``.

        With good time, which has ``time_start`` and ``time_stop``, it is the mean over it.
        """
        axis = _energy_axis(geom, self.name)
        value = self.spectral_model(axis.center)
        found = u.Quantity(pixels.along_axes(value.value[:, None, None], geom, True), value.unit)
        if self.spatial_model is not None:
            found = found * self.spatial_model.evaluate_geom(geom)
        return u.Quantity(found * self._mean_factor(gti))

    def integrate_geom(self, geom: Any, gti: Any = None, oversampling_factor: int | None = None) -> Any:
        """Return the flux in each pixel and bin of true energy of a ``WcsGeom`` as a ``Map``, in cm-2 s-1.

        Arguments as in ``evaluate_geom``, and those of the spatial model.
        """
        axis = _energy_axis(geom, self.name)
        flux = self.spectral_model.integral(axis.edges[:-1], axis.edges[1:])
        found = u.Quantity(pixels.along_axes(flux.value[:, None, None], geom, True), flux.unit)
        if self.spatial_model is not None:
            shape = self.spatial_model.integrate_geom(geom, oversampling_factor)
            found = found * u.Quantity(shape.data, shape.unit)
        values = np.broadcast_to(found.value * self._mean_factor(gti), geom.data_shape)
        return geom.map_type(geom, values.copy(), found.unit)

    def validate_brightness(self) -> None:
        """Raise ``ConfigError`` unless spectrum and morphology make a brightness; opens the file of a map."""
        place, spectrum = self._place(), self.spectral_model
        unit = spectrum.canonical_unit * place.density_unit
        if not unit.is_equivalent(_BRIGHTNESS):
            raise ConfigError(
                f"Model {self.name!r}: expected a brightness in cm-2 s-1 TeV-1 sr-1, got {type(spectrum).__name__} in "
                f"{unit_string(spectrum.canonical_unit) or 'no unit'} and {type(place).__name__} in "
                f"{unit_string(place.density_unit) or 'no unit'}; a map of fluxes takes a norm spectrum, any other "
                "morphology one with an amplitude."
            )

    def _mean_factor(self, gti: Any) -> float:
        if self.temporal_model is None or gti is None:
            return 1.0
        return float(np.sum(self.temporal_model.integral(gti.time_start, gti.time_stop)))

    # --- where

    def _place(self) -> SpatialModel:
        if self.spatial_model is None:
            raise ConfigError(
                f"The model {self.name!r} has no spatial model; give it one, such as PointSpatialModel()."
            )
        return self.spatial_model

    @property
    def position(self) -> SkyCoord | None:
        """The centre of the source; ``None`` for one that has none."""
        return None if self.spatial_model is None else self.spatial_model.position

    @property
    def position_lonlat(self) -> tuple[float, float] | None:
        """Longitude and latitude of the centre in rad, in ``frame``."""
        return None if self.spatial_model is None else self.spatial_model.position_lonlat

    @property
    def frame(self) -> str:
        """The frame of the spatial model; raises ``ConfigError`` without one."""
        return self._place().frame

    @property
    def evaluation_radius(self) -> u.Quantity | None:
        """That of the spatial model; raises ``ConfigError`` without one."""
        return self._place().evaluation_radius

    @property
    def evaluation_bin_size_min(self) -> u.Quantity | None:
        """That of the spatial model; ``None`` without one."""
        return None if self.spatial_model is None else self.spatial_model.evaluation_bin_size_min

    @property
    def evaluation_region(self) -> Any:
        """That of the spatial model; raises ``ConfigError`` without one."""
        return self._place().evaluation_region

    def contributes(self, mask: Any, margin: Any = "0 deg") -> bool:
        """Whether a mask, a ``Map`` of truths, is true anywhere within the evaluation radius and a margin.

        A source without a centre, or without a spatial model, contributes wherever the mask is true.
        """
        inside = _true_anywhere(mask)
        place = self.spatial_model
        if place is None or place.center() is None:
            return bool(inside.any())
        away = self._distances(mask.geom.space)
        space = mask.geom.space
        edge = _HALF_DIAGONAL * space.binsize * max(1.0, abs(space.aspect))
        reach = place.reach() + float(u.Quantity(margin).to_value("deg")) + edge
        return bool((inside.ravel() & (away <= reach)).any())

    def _distances(self, space: Any) -> FloatArray:
        center = self._place().center()
        assert center is not None
        found = separation(*to_frame(*center, self.frame, "icrs"), *space.positions())
        return np.where(np.isfinite(found), found, np.inf)


def _energy_axis(geom: Any, name: str) -> Any:
    for axis in getattr(geom, "axes", ()):
        if getattr(axis, "name", "") == "energy_true":
            return axis
    raise DataError(f"The model {name!r}: expected a WcsGeom with an axis energy_true, got one without.")


def _true_anywhere(mask: Any) -> Any:
    """Return in which pixels of an image a mask is true in any bin; raises ``DataError`` for what is no mask."""
    if not getattr(mask, "is_mask", False):
        raise DataError(f"Expected a mask, which is a Map of truths, got {mask!r}; compare it, as in counts > 0.")
    data = np.asarray(mask.data)
    return data.any(axis=tuple(range(data.ndim - 2)))
