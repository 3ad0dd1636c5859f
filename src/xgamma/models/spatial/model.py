"""``SpatialModel``: a position or morphology as a user of Gammapy asks for it."""

from __future__ import annotations

from typing import Any

from astropy import units as u
from astropy.coordinates import SkyCoord

from xgamma.models.spatial.function import SpatialFunction


class SpatialModel(SpatialFunction):
    """A position or morphology in ``frame`` (icrs or galactic)."""

    def evaluate(self, lon: Any, lat: Any) -> u.Quantity:
        """Return the density at longitudes and latitudes as quantities in the frame of the model."""
        plain = (u.Quantity(value).to_value("deg") for value in (lon, lat))
        return u.Quantity(self.density(*plain), "sr-1")

    __call__ = evaluate

    @property
    def position(self) -> SkyCoord | None:
        """The centre; ``None`` for a model that has none."""
        center = self.center()
        return None if center is None else SkyCoord(*center, unit="deg", frame=self.frame)
