"""Coordinates of maps: positions on the sky and values along axes, as a user of Gammapy gives and gets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import astropy
import numpy as np
from astropy import units as u

from xgamma.axes import Axis, FloatArray
from xgamma.datasets.maps.axes import MapAxes
from xgamma.datasets.maps.axis import plain_values
from xgamma.description import Described, Description, facts
from xgamma.errors import ConfigError
from xgamma.gammapy_methods import SaysInstead
from xgamma.geometry import to_frame
from xgamma.units import canonical

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord


@dataclass(frozen=True)
class MapCoord(SaysInstead, Described):
    """Coordinates that broadcast: longitude and latitude in degrees in a frame, and quantities along axes by name."""

    lon: u.Quantity
    lat: u.Quantity
    frame: str = "icrs"
    along: Mapping[str, u.Quantity] = field(default_factory=dict)

    @classmethod
    def create(cls, coords: Any, frame: str = "icrs") -> MapCoord:
        """Return coordinates of a mapping with ``skycoord``, or ``lon`` and ``lat``, or of a tuple of both."""
        if isinstance(coords, cls):
            return coords
        given = dict(coords) if isinstance(coords, Mapping) else dict(zip(("lon", "lat"), coords, strict=True))
        place = given.pop("skycoord", None)
        lon, lat = (given.pop(name, None) for name in ("lon", "lat"))
        position = normalize_position((lon, lat) if place is None else place, frame)
        lon, lat = (u.Quantity(value, "deg") for value in to_frame(*position, "icrs", frame))
        along = {name: u.Quantity(value) for name, value in given.items()}
        return cls(lon, lat, frame, along)

    def to_frame(self, frame: str) -> MapCoord:
        """Return the same in another frame, ``icrs`` or ``galactic``."""
        found = to_frame(self.lon.to_value("deg"), self.lat.to_value("deg"), self.frame, frame)
        return replace(self, lon=u.Quantity(found[0], "deg"), lat=u.Quantity(found[1], "deg"), frame=frame)

    def apply_mask(self, mask: Any) -> MapCoord:
        """Return those for which a mask of the common shape is true, in one dim."""
        taken = {name: np.broadcast_to(self[name], self.shape, subok=True)[mask] for name in self.axis_names}
        return MapCoord(taken.pop("lon"), taken.pop("lat"), self.frame, taken)

    @property
    def flat(self) -> MapCoord:
        """All of them in one dim."""
        return self.apply_mask(np.ones(self.shape, dtype=bool))

    @property
    def size(self) -> int:
        """How many there are."""
        return int(np.prod(self.shape))

    @property
    def skycoord(self) -> SkyCoord:
        """The positions on the sky."""
        return astropy.coordinates.SkyCoord(self.lon, self.lat, frame=self.frame)

    @property
    def axis_names(self) -> list[str]:
        """The names of all coordinates."""
        return ["lon", "lat", *self.along]

    @property
    def shape(self) -> tuple[int, ...]:
        """The common shape."""
        return np.broadcast_shapes(*(np.shape(self[name]) for name in self.axis_names))

    def __repr__(self) -> str:
        return f"<MapCoord {', '.join(self.axis_names)} ({self.frame}), {' x '.join(map(str, self.shape))}>"

    def _description(self) -> Description:
        shape = " x ".join(map(str, self.shape)) or "one position"
        rows = [(name, _ends(self[name])) for name in self.axis_names]
        return Description(type(self).__name__, facts([("Frame", self.frame), ("Shape", shape)], rows))

    def __getitem__(self, key: str | int) -> Any:
        """Return a coordinate by its name or number; ``skycoord`` are positions."""
        name = self.axis_names[key] if isinstance(key, int) else key
        if name in ("lon", "lat", "skycoord"):
            return getattr(self, name)
        return self.along[name]

    def __iter__(self) -> Iterator[Any]:
        return (self[name] for name in self.axis_names)


def _ends(values: u.Quantity) -> str:
    known = np.asarray(values.value)[np.isfinite(values.value)]
    return f"{known.min() + 0.0:.6g} to {known.max() + 0.0:.6g} {values.unit}".rstrip() if known.size else "none"


def normalize_position(position: Any, frame: str, what: str = "position") -> tuple[Any, Any]:
    """Return ICRS longitude and latitude in degrees of a ``SkyCoord``, or of two numbers or angles in a frame.

    Raises ``ConfigError`` for anything else; ``what`` is how the sentence calls it.
    """
    if isinstance(position, astropy.coordinates.SkyCoord):
        place = position.icrs
        return np.asarray(place.ra.deg), np.asarray(place.dec.deg)
    try:
        lon, lat = (_degrees(value) for value in position)
    except (TypeError, ValueError, u.UnitConversionError):
        raise ConfigError(f"{what}: expected a SkyCoord or (lon, lat) in degrees, got {position!r}.") from None
    return to_frame(lon, lat, frame, "icrs")


def _degrees(value: Any) -> FloatArray:
    if isinstance(value, str):
        return np.asarray(canonical(value, "deg", "angle"))
    return np.asarray(value.to_value("deg") if isinstance(value, u.Quantity) else value, dtype=float)


def degrees(value: Any, what: str) -> float:
    """Return an angle in degrees: a number, a ``Quantity`` or a text such as ``0.1 deg``."""
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return float(value)
    return canonical(value, "deg", what)


def normalize_coords(coords: Any, axes: MapAxes, frame: str) -> tuple[FloatArray, FloatArray, dict[str, FloatArray]]:
    """Return ICRS degrees and the plain values along each axis in its unit, which broadcast.

    Parameters
    ----------
    coords
        ``MapCoord``, a mapping with ``skycoord`` (or ``lon``, ``lat``) and names of axes, or a tuple in that order.
    axes
        Those of the map; what ``coords`` has beyond them is not looked at.
    frame
        Of bare longitudes and latitudes.

    Raises
    ------
    ConfigError
        Where a coordinate is missing or has another unit.
    """
    if isinstance(coords, MapCoord):
        given: dict[str, Any] = {"skycoord": (coords.lon, coords.lat), **coords.along}
        frame = coords.frame
    elif isinstance(coords, Mapping):
        given = dict(coords)
    elif isinstance(coords, astropy.coordinates.SkyCoord):
        given = {"skycoord": coords}
    else:
        given = _by_name(coords, axes)
    if "skycoord" not in given:
        if not {"lon", "lat"} <= given.keys():
            raise ConfigError(f"Expected coordinates with skycoord, or lon and lat, got {', '.join(given)}.")
        given["skycoord"] = (given["lon"], given["lat"])
    lon, lat = normalize_position(given["skycoord"], frame, "skycoord")
    return lon, lat, {axis.name: _along(given, axis) for axis in axes.plain}


def _by_name(coords: Any, axes: MapAxes) -> dict[str, Any]:
    values = tuple(coords)
    place = ["skycoord"] if values and isinstance(values[0], astropy.coordinates.SkyCoord) else ["lon", "lat"]
    names = [*place, *axes.names]
    if len(values) != len(names):
        raise ConfigError(f"Expected one coordinate for each of {', '.join(names)}, got {len(values)}.")
    return dict(zip(names, values, strict=True))


def _along(given: Mapping[str, Any], axis: Axis) -> FloatArray:
    if axis.name not in given:
        if axis.nbin == 1:
            return np.asarray(axis.center[0])
        raise ConfigError(f"Expected coordinates with {axis.name!r}, got {', '.join(given)}.")
    return plain_values(given[axis.name], axis)


def angle_pair(value: Any, what: str) -> tuple[float, float]:
    """Return two angles in degrees of one or two."""
    if isinstance(value, str) or (not isinstance(value, tuple | list) and np.ndim(value) == 0):
        one = degrees(value, what)
        return one, one
    values = np.asarray(value.to_value("deg")).ravel() if isinstance(value, u.Quantity) else value
    try:
        first, second = values
    except ValueError:
        raise ConfigError(f"{what}: expected an angle or two of them, got {value!r}.") from None
    return degrees(first, what), degrees(second, what)
