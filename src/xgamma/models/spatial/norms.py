"""Norms at positions, smooth between them: a factor of another model that depends on the position."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import scipy
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.geometry import lonlat, separation, to_frame, unit_vector
from xgamma.models.component import parameter_entries
from xgamma.models.parameters import Parameter
from xgamma.models.spatial.model import SpatialModel
from xgamma.models.spectral.templates import quantity_document, read_quantity

if TYPE_CHECKING:
    from scipy.spatial import Delaunay


class PiecewiseNormSpatialModel(SpatialModel):
    """norm_0, norm_1, ... at positions, cubic between them

    Parameters
    ----------
    coords
        The positions: a ``MapCoord``, or longitudes and latitudes as two quantities, shape (n,) with n of at least 4.
    norms
        Start values, 1 by default.
    interp
        ``lin``, or ``log`` for logarithms of norms, which are above 0 then.
    frame
        Of the positions.
    **parameters
        Values of single norms by name.

    Notes
    -----
    Piecewise cubic with continuous slopes on triangles of longitude and latitude (Clough & Tocher 1965), as in Gammapy;
    beside the outermost positions the nearest norm holds.
    """

    tag = ("PiecewiseNormSpatialModel", "piecewise-norm")
    takes_any_parameter = True

    def __init__(
        self, coords: Any, norms: Any = None, interp: str = "lin", frame: str | None = None, **parameters: Any
    ) -> None:
        lon, lat = (coords.lon, coords.lat) if hasattr(coords, "lon") else coords
        super().__init__(frame or getattr(coords, "frame", None) or "icrs")
        places = {name: u.Quantity(value) for name, value in (("lon", lon), ("lat", lat))}
        self.rest |= {name: quantity_document(value) for name, value in places.items()}
        if interp != "lin":
            self.rest["interp"] = interp
        self._keys = ["frame", "parameters", *(key for key in self.rest if key != "frame")]
        number = len(self._nodes[0])
        start = np.ones(number) if norms is None else [getattr(norm, "value", norm) for norm in norms]
        if len(start) != number:
            raise ConfigError(f"{self.tag[0]}: expected a norm for each of {number} positions, got {len(start)}.")
        for place, value in enumerate(start):
            self._add_parameter(Parameter(f"norm_{place}", float(value)))
        for name, value in parameters.items():
            self._set_at_the_door(name, value)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], shared: dict[str, Parameter]) -> Self:
        """Keep parameters and everything else; what is wrong with the positions is said when they are needed."""
        model = cls.__new__(cls)
        SpatialModel.__init__(model)
        for name in parameter_entries(document, cls.tag[0]):
            model._add_parameter(Parameter(name, 1.0))
        model.read_parameters(document, shared, quiet=True)
        model.rest = {key: value for key, value in document.items() if key not in ("type", "parameters")}
        model._keys = [key for key in document if key != "type"]
        return model

    def _default(self, name: str) -> Parameter | None:
        return Parameter(name, 1.0)

    @cached_property
    def _nodes(self) -> tuple[FloatArray, FloatArray]:
        lon, lat = (read_quantity(self.rest, name, self.tag[0]).to_value("deg") for name in ("lon", "lat"))
        if lon.shape != lat.shape or lon.ndim != 1 or len(lon) < 4:
            raise ConfigError(
                f"{self.tag[0]}: expected at least four positions, got {lon.size} and {lat.size} numbers."
            )
        return lon, lat

    def with_frame(self, frame: str) -> Self:
        """Return the same norms at the same positions on the sky, said in another frame."""
        lon, lat = to_frame(*self._nodes, self.frame, frame)
        norms = [parameter.value for parameter in self.parameters]
        new = type(self)((lon * u.deg, lat * u.deg), norms, self.rest.get("interp", "lin"), frame)
        for parameter in self.parameters:
            setattr(new, parameter.name, copy.deepcopy(parameter))
        new.covariance = self.covariance.data
        return new

    @property
    def norms(self) -> u.Quantity:
        """The norms."""
        return u.Quantity([parameter.value for parameter in self.parameters])

    @property
    def coords(self) -> tuple[u.Quantity, u.Quantity]:
        """Longitudes and latitudes of the norms."""
        lon, lat = self._nodes
        return u.Quantity(lon, "deg"), u.Quantity(lat, "deg")

    @property
    def density_unit(self) -> u.UnitBase:
        """None: it is a factor."""
        return u.dimensionless_unscaled

    @cached_property
    def _middle(self) -> float:
        return float(lonlat(unit_vector(*self._nodes).mean(axis=0))[0])

    def _plane(self, lon: FloatArray, lat: FloatArray) -> FloatArray:
        """Return longitudes from the middle and latitudes, shape (..., 2)."""
        return np.stack(np.broadcast_arrays((lon - self._middle + 180.0) % 360.0 - 180.0, lat), axis=-1)

    @cached_property
    def _triangles(self) -> Delaunay:
        return scipy.spatial.Delaunay(self._plane(*self._nodes))

    def _density(self, lon: FloatArray, lat: FloatArray, values: Sequence[float]) -> FloatArray:
        norms, interp = np.asarray(values, dtype=float), self.rest.get("interp", "lin")
        if interp not in ("lin", "log") or (interp == "log" and not (norms > 0).all()):
            raise ConfigError(f"{self.tag[0]}.interp: expected 'lin', or 'log' of norms above 0, got {interp!r}.")
        scaled = np.log(norms) if interp == "log" else norms
        at = self._plane(lon, lat)
        found = np.reshape(scipy.interpolate.CloughTocher2DInterpolator(self._triangles, scaled)(at), at.shape[:-1])
        outside = ~np.isfinite(found)
        if outside.any():
            x, y = (each[outside] for each in np.broadcast_arrays(lon, lat))
            away = separation(x[:, None], y[:, None], *self._nodes)
            found[outside] = scaled[np.argmin(np.where(np.isfinite(away), away, np.inf), axis=1)]
        return np.asarray(np.exp(found) if interp == "log" else found)
