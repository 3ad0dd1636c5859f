"""``Grid``: the target of a reduction, which is axes and a space that is regions or a sky window."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from xgamma.axes import Axis, FloatArray, IntArray
from xgamma.errors import ConfigError
from xgamma.geometry import lonlat, northward_scale, separation, tangent_plane, to_frame, unit_vector


class Cells(NamedTuple):
    """Which event lies in which cell of a space: one entry for each (event, cell) pair."""

    event: IntArray
    cell: IntArray


class Space(Protocol):
    """What the reduction asks of a space; cells are numbered in C order of ``shape``."""

    @property
    def dims(self) -> tuple[str, ...]:
        """The dims of the cells."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of cells along each dim."""

    def positions(self) -> tuple[FloatArray, FloatArray]:
        """Return ICRS longitude and latitude of the cell centres, shape (cell,)."""

    @property
    def books(self) -> int:
        """How many ledgers the space keeps: one for each region, one for a sky window."""

    def book(self, cell: IntArray) -> IntArray:
        """Return the ledger of each cell."""

    def cells(self, lon: FloatArray, lat: FloatArray) -> Cells:
        """Return the cells of events at ICRS coordinates."""

    def coords(self) -> dict[Hashable, Any]:
        """Return the xarray coordinates of the cells."""


@dataclass(frozen=True)
class Circle:
    """A circle on the sky, in degrees; a radius of 0 is a point region."""

    lon: float
    lat: float
    radius: float
    frame: str = "icrs"

    def __post_init__(self) -> None:
        if not self.radius >= 0:
            raise ConfigError(f"A region has a radius of at least 0 deg, got {self.radius} deg.")
        to_frame(self.lon, self.lat, self.frame, "icrs")


@dataclass(frozen=True)
class RegionSpace:
    """On-regions, each a circle. An event may lie in several of them.

    Membership is decided on the plane tangent at the region's centre, where an event lies inside when its distance is
    strictly below the radius in the local northward scale. This agrees with the pixels of Gammapy's region geometry.
    """

    regions: tuple[Circle, ...]

    @property
    def dims(self) -> tuple[str, ...]:
        """One dim, the regions."""
        return ("region",)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of regions."""
        return (len(self.regions),)

    def positions(self) -> tuple[FloatArray, FloatArray]:
        """Return the ICRS centres, shape (region,)."""
        centers = [to_frame(region.lon, region.lat, region.frame, "icrs") for region in self.regions]
        return np.array([lon for lon, _ in centers], float), np.array([lat for _, lat in centers], float)

    def cells(self, lon: FloatArray, lat: FloatArray) -> Cells:
        """Return the regions of events at ICRS coordinates."""
        pairs = [self._members(region, lon, lat) for region in self.regions]
        return Cells(
            np.concatenate(pairs),
            np.repeat(np.arange(len(pairs)), [len(members) for members in pairs]).astype(np.int64),
        )

    @property
    def books(self) -> int:
        """A ledger for each region."""
        return len(self.regions)

    def book(self, cell: IntArray) -> IntArray:
        """Return the region."""
        return cell

    def coords(self) -> dict[Hashable, Any]:
        """Return ICRS centres and radii of the regions."""
        lon, lat = self.positions()
        return {
            "region_lon": (("region",), lon, {"units": "deg", "frame": "icrs", "long_name": "Right ascension"}),
            "region_lat": (("region",), lat, {"units": "deg", "frame": "icrs", "long_name": "Declination"}),
            "region_radius": (
                ("region",),
                np.array([region.radius for region in self.regions], dtype=float),
                {"units": "deg", "long_name": "Radius"},
            ),
        }

    @staticmethod
    def _members(region: Circle, lon: FloatArray, lat: FloatArray) -> IntArray:
        icrs_lon, icrs_lat = to_frame(region.lon, region.lat, region.frame, "icrs")
        band = np.flatnonzero(np.abs(lat - icrs_lat) < 1.01 * region.radius)
        near = band[separation(lon[band], lat[band], icrs_lon, icrs_lat) < 1.01 * region.radius]
        event_lon, event_lat = to_frame(lon[near], lat[near], "icrs", region.frame)
        plane = tangent_plane(event_lon, event_lat, region.lon, region.lat)
        limit = region.radius / northward_scale(region.lon, region.lat, region.lon, region.lat)
        return near[np.hypot(plane.x, plane.y) < limit]


@dataclass(frozen=True)
class SkySpace:
    """A plate-carree window of pixels about a centre, oblique so that it is not distorted by its latitude.

    Parameters
    ----------
    lon, lat, frame
        The centre in degrees and its frame.
    binsize
        The pixel size in degrees.
    npix
        The number of pixels (x, y); x grows to the west, y to the north.
    """

    lon: float
    lat: float
    frame: str
    binsize: float
    npix: tuple[int, int]

    @property
    def dims(self) -> tuple[str, ...]:
        """Rows, then columns of the image."""
        return ("y", "x")

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of pixels (y, x)."""
        return self.npix[::-1]

    @property
    def books(self) -> int:
        """One ledger."""
        return 1

    def book(self, cell: IntArray) -> IntArray:
        """Return 0, the one ledger."""
        return np.zeros_like(cell)

    def coords(self) -> dict[Hashable, Any]:
        """Return the offsets of the pixels from the centre, to the west and to the north."""
        x, y = (self.binsize * (np.arange(n) - 0.5 * (n - 1)) for n in self.npix)
        center = {"units": "deg", "frame": self.frame, "center": [self.lon, self.lat], "projection": "CAR"}
        return {
            "x": (("x",), x, {**center, "long_name": "Offset to the west"}),
            "y": (("y",), y, {**center, "long_name": "Offset to the north"}),
        }

    def _matrix(self) -> FloatArray:
        """Return the rotation of a unit vector in the frame to native coordinates, where the centre is (0, 0)."""
        forward = unit_vector(self.lon, self.lat)
        east = unit_vector(self.lon + 90.0, 0.0)
        return np.stack([forward, east, np.cross(forward, east)])

    def positions(self) -> tuple[FloatArray, FloatArray]:
        """Return the ICRS centres of the pixels, shape (y * x,)."""
        x, y = (self.binsize * (np.arange(n) - 0.5 * (n - 1)) for n in self.npix)
        native_lat, native_lon = np.meshgrid(y, -x, indexing="ij")
        lon, lat = lonlat(unit_vector(native_lon.ravel(), native_lat.ravel()) @ self._matrix())
        return to_frame(lon, lat, self.frame, "icrs")

    def cells(self, lon: FloatArray, lat: FloatArray) -> Cells:
        """Return the nearest pixel of events at ICRS coordinates; those outside the window are left out."""
        in_frame = to_frame(lon, lat, "icrs", self.frame)
        native_lon, native_lat = lonlat(unit_vector(*in_frame) @ self._matrix().T)
        native_lon = (native_lon + 180.0) % 360.0 - 180.0
        nx, ny = self.npix
        x = np.rint(-native_lon / self.binsize + 0.5 * (nx - 1))
        y = np.rint(native_lat / self.binsize + 0.5 * (ny - 1))
        event = np.flatnonzero((x >= 0) & (x < nx) & (y >= 0) & (y < ny))
        return Cells(event, (y[event] * nx + x[event]).astype(np.int64))


@dataclass(frozen=True)
class Grid:
    """Axes and a space; frozen, so that a reduction is described before any data move."""

    energy: Axis
    energy_true: Axis
    space: RegionSpace | SkySpace

    @property
    def is_region(self) -> bool:
        """Whether the space is regions."""
        return isinstance(self.space, RegionSpace)

    @property
    def regions(self) -> tuple[Circle, ...]:
        """The on-regions, none for a sky window."""
        return self.space.regions if isinstance(self.space, RegionSpace) else ()

    @property
    def radii(self) -> FloatArray:
        """The radii of the on-regions in degrees, shape (region,)."""
        return np.array([region.radius for region in self.regions], dtype=float)
