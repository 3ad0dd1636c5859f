"""``SpatialFunction``: a morphology on plain numbers: values, derivatives in the parameters, how far it reaches.

Coordinates and lengths are degrees, values are in sr-1. ``values`` are those of the parameters in canonical units, in
the order of ``parameters``; those of now stand in for ``None``. Nothing here depends on anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.geometry import position_angle, separation
from xgamma.models.component import KeptComponent
from xgamma.models.spectral.calculus import differences

# A size of 0 deg has no density: smaller ones than this (0.4 mas) count as it.
SMALLEST = 1e-7
# A minor axis of 0 has none either: of the major one.
_THINNEST = 1e-6
_PLACES = ("lon_0", "lat_0")


class SpatialFunction(KeptComponent):
    """The density of a source on the sky as a function of positions and of the values of its parameters.

    Models of a centre have ``lon_0`` and ``lat_0`` as their first parameters and ``_profile``; those that may be
    elongated have ``e``, ``phi`` and ``_elongated`` too. Others have ``_density``.
    """

    type: ClassVar[str] = "spatial"

    def __init__(self, frame: str = "icrs", **values: Any) -> None:
        super().__init__(**values)
        self.rest, self._keys = {"frame": str(frame)}, ["frame", "parameters"]

    @property
    def frame(self) -> str:
        """The coordinate frame of positions and of position angles: ``icrs`` or ``galactic``."""
        return str(self.rest.get("frame", "icrs"))

    @property
    def is_energy_dependent(self) -> bool:
        """Whether the density depends on the energy."""
        return False

    # --- values

    def density(
        self,
        lon: npt.ArrayLike,
        lat: npt.ArrayLike,
        values: Sequence[float] | None = None,
        energy: npt.ArrayLike | None = None,
    ) -> FloatArray:
        """Return the density in sr-1 at positions in degrees in ``frame``, which broadcast.

        Of a model that depends on the energy it is that at ``energy`` in TeV, which broadcasts with them.
        Raises ``ConfigError`` for a point, which has none, and where such a model is given no energy.
        """
        x, y, given = np.asarray(lon, float), np.asarray(lat, float), self._plain(values)
        if not self.is_energy_dependent:
            return self._density(x, y, given)
        if energy is None:
            raise ConfigError(f"{self.tag[0]}: it depends on the energy; say at which.")
        return self._density_at(x, y, np.asarray(energy, float), given)

    def density_at(
        self, lon: npt.ArrayLike, lat: npt.ArrayLike, energy: npt.ArrayLike, values: Sequence[float] | None = None
    ) -> FloatArray:
        """Return ``density`` at energies in TeV."""
        return self.density(lon, lat, values, energy)

    def tables(self) -> list[bytes]:
        """Return what was read from files and enters the values, each as bytes in one order on every machine."""
        return []

    def is_round(self, values: Sequence[float] | None = None) -> bool:
        """Whether the density depends on the distance from the centre alone."""
        return bool(self.has_center and self._value_of("e", self._plain(values)) == 0)

    def profile(self, distance: npt.ArrayLike, values: Sequence[float] | None = None) -> FloatArray:
        """Return the density in sr-1 of a round source at great-circle distances in degrees from its centre.

        Raises ``ConfigError`` for a source that is not round, and for a point.
        """
        return self._profile(np.asarray(distance, float), self._round(values))

    def profile_gradient(
        self, distance: npt.ArrayLike, values: Sequence[float] | None, wanted: Sequence[int]
    ) -> FloatArray:
        """Return the derivatives of ``profile`` in some parameters, by their places, shape (wanted, *distance).

        They are those in canonical units; in what moves or turns the source the profile does not change.
        """
        at, given = np.asarray(distance, float), self._round(values)
        return self._profile_gradient(at, given, wanted)

    def density_gradient(
        self, lon: npt.ArrayLike, lat: npt.ArrayLike, values: Sequence[float] | None, wanted: Sequence[int]
    ) -> FloatArray:
        """Return the derivatives of ``density`` in some parameters, by their places, shape (wanted, ...).

        They are those in canonical units: of a position in degrees of longitude and latitude.
        """
        x, y, given = np.asarray(lon, float), np.asarray(lat, float), self._plain(values)
        if not self.is_round(given):
            return differences(lambda at: self._density(x, y, at), given, self._scales(given), wanted)
        distance = separation(given[0], given[1], x, y)
        rows = self._profile_gradient(distance, given, wanted)
        moved = [row for row, place in enumerate(wanted) if self._order[place] in _PLACES]
        if moved:
            slope = np.where(distance > 0, self._slope(distance, given), 0.0)
            angle = np.deg2rad(position_angle(x, y, given[0], given[1]))
            for row in moved:
                along = np.sin(angle) * np.cos(np.deg2rad(given[1])) if wanted[row] == 0 else np.cos(angle)
                rows[row] = -slope * along
        return rows

    # --- how far, how fine, and where

    def reach(self, values: Sequence[float] | None = None) -> float:
        """Return the distance in degrees from the centre beyond which nothing is looked for; infinite for none."""
        return np.inf

    def resolution(self, values: Sequence[float] | None = None) -> float:
        """Return the length in degrees on which the density changes: pixels larger than that are divided."""
        return np.inf

    def center(self, values: Sequence[float] | None = None) -> tuple[float, float] | None:
        """Return longitude and latitude of the centre in degrees in ``frame``; ``None`` for a model that has none."""
        given = self._plain(values)
        return (given[0], given[1]) if self.has_center else None

    def edges(self, values: Sequence[float] | None = None) -> tuple[float, ...]:
        """Return distances in degrees from the centre at which the density is not smooth."""
        return ()

    @property
    def is_point(self) -> bool:
        """Whether all of the source lies in one position."""
        return False

    @property
    def has_center(self) -> bool:
        """Whether the first parameters are the longitude and the latitude of a centre."""
        return self._order[:2] == _PLACES

    # --- of subclasses

    def _density(self, lon: FloatArray, lat: FloatArray, values: Sequence[float]) -> FloatArray:
        distance = separation(values[0], values[1], lon, lat)
        if self.is_round(values):
            return self._profile(distance, values)
        return self._elongated(distance, position_angle(lon, lat, values[0], values[1]), values)

    def _density_at(self, lon: FloatArray, lat: FloatArray, energy: FloatArray, values: Sequence[float]) -> FloatArray:
        """Return the density of a model that depends on the energy."""
        raise NotImplementedError

    def _profile(self, distance: FloatArray, values: Sequence[float]) -> FloatArray:
        raise ConfigError(f"{self.tag[0]}: expected a source that is round about a centre; use its density.")

    def _elongated(self, distance: FloatArray, angle: FloatArray, values: Sequence[float]) -> FloatArray:
        """Return the density at distances from the centre and position angles as seen from it, in degrees."""
        raise NotImplementedError

    def _slopes(self, distance: FloatArray, values: Sequence[float]) -> dict[str, FloatArray]:
        """Return derivatives of ``_profile`` by name, ``distance`` among them; those left out are differences."""
        return {}

    # --- what follows

    def _plain(self, values: Sequence[float] | None) -> list[float]:
        return self.canonical_values() if values is None else [float(value) for value in values]

    def _value_of(self, name: str, values: Sequence[float]) -> float:
        return values[self._order.index(name)] if name in self._order else 0.0

    def _round(self, values: Sequence[float] | None) -> list[float]:
        given = self._plain(values)
        if not self.is_round(given):
            raise ConfigError(f"{self.tag[0]}: it is not round and has no profile; use its density.")
        return given

    def _profile_gradient(self, distance: FloatArray, values: list[float], wanted: Sequence[int]) -> FloatArray:
        known, scales = self._slopes(distance, values), self._scales(values)
        rows = np.zeros((len(wanted), *distance.shape))
        for row, place in enumerate(wanted):
            name = self._order[place]
            # In e a round source does not change either: what is elongated depends on its square.
            if name in (*_PLACES, "e", "phi"):
                continue
            if name in known:
                rows[row] = known[name]
            else:
                rows[row] = differences(lambda at: self._profile(distance, at), values, scales, [place])[0]
        return rows

    def _slope(self, distance: FloatArray, values: list[float]) -> FloatArray:
        """Return the derivative of the profile in the distance."""
        known = self._slopes(distance, values)
        if "distance" in known:
            return known["distance"]
        step = 1e-4 * self._fine(values)
        ahead, behind = self._profile(distance + step, values), self._profile(np.abs(distance - step), values)
        return np.asarray((ahead - behind) / (2 * step))

    def _fine(self, values: Sequence[float]) -> float:
        return min(max(self.resolution(values), SMALLEST), 1.0)

    def _scales(self, values: Sequence[float]) -> list[float]:
        """Return the size of each value that the step of a difference is a share of."""
        found = []
        for name, value, parameter in zip(self._order, values, self._ordered, strict=True):
            if name in _PLACES:
                stretch = max(np.cos(np.deg2rad(values[1])), 1e-3) if name == "lon_0" else 1.0
                found.append(float(10 * self._fine(values) / stretch))
            elif parameter.unit.is_equivalent("deg") and name != "phi":
                found.append(max(abs(value), SMALLEST))
            else:
                found.append({"phi": 10.0}.get(name, max(abs(value), 0.1)))
        return found


def axes_of(major: float, e: float) -> tuple[float, float]:
    """Return the major and the minor semi-axis of an eccentricity, both above 0."""
    long = max(major, SMALLEST)
    return long, long * float(np.sqrt(max(1.0 - e * e, _THINNEST**2)))


def size_towards(angle: FloatArray, phi: float, major: float, minor: float) -> FloatArray:
    """Return the radius of an ellipse towards position angles, whose major axis points to ``phi``, all in degrees.

    ``phi`` runs from the north of the frame through east.
    """
    turned = np.deg2rad(phi - angle)
    return np.asarray(major * minor / np.hypot(major * np.sin(turned), minor * np.cos(turned)))
