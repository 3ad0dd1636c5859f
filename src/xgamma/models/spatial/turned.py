"""The same source in another frame: position and position angle, and their errors, are turned."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from xgamma.geometry import to_frame
from xgamma.models.spatial.function import SpatialFunction
from xgamma.models.spatial.outlines import turned_angle

log = logging.getLogger(__name__)


def in_frame(model: Any, frame: str) -> Any:
    """Return a copy of a model in another frame; raises ``ConfigError`` for one that is neither icrs nor galactic."""
    to_frame(0.0, 0.0, frame, "icrs")
    new: SpatialFunction = model.copy()
    if frame == model.frame:
        return new
    new.rest["frame"] = frame
    if not model.has_center:
        return new
    lon, lat = model.canonical_values()[:2]
    place = [float(value) for value in to_frame(lon, lat, model.frame, frame)]
    turn = turned_angle(lon, lat, model.frame, frame)
    covariance = model.covariance.data.copy()
    for parameter, value in zip(new.parameters[:2], place, strict=True):
        parameter.value = value / parameter.canonical_factor
    _reset_limits(new)
    if "phi" in new.parameter_names:
        phi = new.parameters["phi"]
        phi.value = ((phi.value * phi.canonical_factor + turn + 180.0) % 360.0 - 180.0) / phi.canonical_factor
    if covariance.any():
        factors = np.array([parameter.canonical_factor for parameter in new.parameters])
        jacobian = np.eye(len(factors))
        jacobian[:2, :2] = _moved(lat, place[1], turn)
        jacobian = jacobian * factors / factors[:, None]
        new.covariance = jacobian @ covariance @ jacobian.T
    return new


def _moved(lat: float, new_lat: float, turn: float) -> Any:
    """Return the derivatives of the new longitude and latitude in the old ones."""
    cosine, sine = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    to_sky, from_sky = np.diag([np.cos(np.deg2rad(lat)), 1.0]), np.diag([1.0 / np.cos(np.deg2rad(new_lat)), 1.0])
    # What points to a position angle points to one that is larger by ``turn``.
    return from_sky @ np.array([[cosine, sine], [-sine, cosine]]) @ to_sky


def _reset_limits(model: SpatialFunction) -> None:
    for name, default in zip(("lon_0", "lat_0"), model.default_parameters, strict=False):
        parameter = model.parameters[name]
        usual = [limit / parameter.canonical_factor for limit in (default.min, default.max)]
        if not np.array_equal([parameter.min, parameter.max], usual, equal_nan=True):
            log.warning(
                "%s.%s: its limits were those of the other frame and are left out; set new ones.", model.tag[0], name
            )
        parameter.min, parameter.max = usual
