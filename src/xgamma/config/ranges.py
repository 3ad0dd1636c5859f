"""Sections that occur several times in the configuration: intervals of time, circles, energy axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import astropy
from astropy.time import Time
from pydantic import model_validator

from xgamma.axes import Axis
from xgamma.config.fields import Angle, Energy, Frame, Latitude, Size, Times, shown
from xgamma.config.section import Section, key
from xgamma.config.section_fields import Bins
from xgamma.errors import ConfigError
from xgamma.geometry import to_frame
from xgamma.grid import Circle


class TimeRange(Section):
    """Intervals of time: a start and a stop, or a list of each."""

    start: Times | None = key(None, "One time or a list of them, ISO 8601, UTC.")
    stop: Times | None = key(None, "One time or a list of them, ISO 8601, UTC.")

    def intervals(self) -> list[tuple[Time, Time]]:
        """Return the (start, stop) pairs; an empty list where none are set."""
        if self.start is None or self.stop is None:
            return []
        starts, stops = self.start.reshape(-1), self.stop.reshape(-1)
        return [(starts[number], stops[number]) for number in range(min(len(starts), len(stops)))]


class SkyCircle(Section):
    """A circle on the sky."""

    frame: Frame | None = key(None, "null is icrs.")
    lon: Angle | None = key(None, "Longitude of the centre, with a unit such as deg.")
    lat: Latitude | None = key(None, "Latitude of the centre, with a unit such as deg.")
    radius: Size | None = key(None, "With a unit such as deg, above 0.")

    @property
    def is_set(self) -> bool:
        """Whether centre and radius are all given."""
        return self.lon is not None and self.lat is not None and self.radius is not None

    def circle(self) -> Circle:
        """Return the circle in degrees; raises ``ConfigError`` where a key is missing."""
        if self.lon is None or self.lat is None or self.radius is None:
            raise ConfigError(
                f"{self.where}: expected lon, lat and radius, for example "
                "{frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 0.11 deg}."
            )
        lon, lat, radius = (float(value.to_value("deg")) for value in (self.lon, self.lat, self.radius))
        return Circle(lon, lat, radius, self.frame or "icrs")


class SafePosition(Section):
    """A position whose responses decide which energies are safe."""

    where: ClassVar[str] = "datasets.safe_mask.parameters.position"

    frame: Frame | None = key(None, "null is icrs.")
    lon: Angle | None = key(None, "Longitude, with a unit such as deg.")
    lat: Latitude | None = key(None, "Latitude, with a unit such as deg.")

    def icrs(self) -> tuple[float, float]:
        """Return ICRS longitude and latitude in degrees; raises ``ConfigError`` where one is missing."""
        if self.lon is None or self.lat is None:
            raise ConfigError(
                f"{self.where}: expected lon and lat, for example {{frame: icrs, lon: 83.633 deg, lat: 22.014 deg}}."
            )
        lon, lat = (float(value.to_value("deg")) for value in (self.lon, self.lat))
        in_icrs = to_frame(lon, lat, self.frame or "icrs", "icrs")
        return float(in_icrs[0]), float(in_icrs[1])


def icrs_of(position: Any) -> tuple[float, float]:
    """Return ICRS longitude and latitude in degrees of a ``SkyCoord`` or a mapping as ``SafePosition`` has it.

    Raises
    ------
    ConfigError
        For anything else.
    """
    if isinstance(position, astropy.coordinates.SkyCoord) and position.isscalar:
        return float(position.icrs.ra.deg), float(position.icrs.dec.deg)
    if not isinstance(position, Mapping):
        raise ConfigError(
            f"{SafePosition.where}: expected {{frame: icrs, lon: 83.633 deg, lat: 22.014 deg}} or a SkyCoord, got "
            f"{shown(position)}."
        )
    return SafePosition(**position).icrs()


class EnergyAxis(Section):
    """An energy axis with defaults: keys that are left out or null have the default of the section."""

    min: Energy
    max: Energy
    nbins: Bins

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, given: Any) -> Any:
        # Gammapy writes null for keys that a partial section left out.
        return {name: value for name, value in given.items() if value is not None} if isinstance(given, dict) else given

    def axis(self, name: str) -> Axis:
        """Return the axis in TeV under a name such as ``energy``."""
        return Axis.from_bounds(name, float(self.min.to_value("TeV")), float(self.max.to_value("TeV")), self.nbins)


class RequestedAxis(Section):
    """An energy axis without defaults: either all keys are given or none."""

    min: Energy | None = key(None, "Lowest edge, with a unit such as TeV.")
    max: Energy | None = key(None, "Highest edge, with a unit such as TeV.")
    nbins: Bins | None = key(None, "Number of bins, equal in log energy.")

    @property
    def missing(self) -> list[str]:
        """The keys that are null."""
        return [name for name in ("min", "max", "nbins") if getattr(self, name) is None]

    @property
    def is_set(self) -> bool:
        """Whether min, max and nbins are all given."""
        return not self.missing

    def axis(self, name: str) -> Axis:
        """Return the axis in TeV; raises ``ConfigError`` where a key is missing."""
        if self.min is None or self.max is None or self.nbins is None:
            raise ConfigError(
                f"{self.where}: {', '.join(self.missing)} not given; "
                "write for example {min: 1 TeV, max: 20 TeV, nbins: 8}."
            )
        return Axis.from_bounds(name, float(self.min.to_value("TeV")), float(self.max.to_value("TeV")), self.nbins)
