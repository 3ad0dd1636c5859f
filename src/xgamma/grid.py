"""``Grid``: the target of a reduction: energy axes, and a space, which is regions or windows of a sky image."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.errors import ConfigError
from xgamma.geometry import lonlat, separation, to_frame, unit_vector
from xgamma.shapes import Circle as Circle
from xgamma.shapes import Shape
from xgamma.shapes.objects import normalize_shape

IMAGE = "image"
"""The coordinate with the image that the windows of rows are cut out of."""
REGION_SHAPE = "region_shape"
"""The coordinate with the shapes of regions in words, where any is no circle."""
REGION_NAME = "region_name"
"""The coordinate with the names of regions, where they have names."""
ORIGIN = ("origin_v", "origin_u")
"""The coordinates of the first pixel of each window."""


class Cells(NamedTuple):
    """The cells that events lie in: one entry for each (event, cell) pair."""

    event: IntArray
    cell: IntArray


class Space(Protocol):
    """The interface of a space that data are reduced to; the cells of a row are numbered in C order of ``shape``.

    Where the cells differ from row to row, ``origin``, int (..., 2), gives those of a row; ``None`` is the first.
    """

    @property
    def dims(self) -> tuple[str, ...]:
        """The dims of the cells."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of cells of a row along each dim."""

    def origins(self, lon: FloatArray, lat: FloatArray) -> IntArray | None:
        """Return the origins of rows with these pointings, shape (row, 2); ``None`` where all rows have equal cells."""

    def positions(self, origin: IntArray | None = None) -> tuple[FloatArray, FloatArray]:
        """Return ICRS longitude and latitude of the cell centres, shape (cell,), or (row, cell) of several origins."""

    def solid_angles(self, origin: IntArray | None = None) -> FloatArray:
        """Return the solid angle of each cell in sr, shape (1 or row, cell)."""

    @property
    def ledgers(self) -> int:
        """The number of ledgers of a row: one for each region, one for a window."""

    def ledger_of(self, cell: IntArray) -> IntArray:
        """Return the ledger of each cell."""

    def cells(self, lon: FloatArray, lat: FloatArray, origin: IntArray | None = None) -> Cells:
        """Return the cells of events at ICRS coordinates, with the origin of the row of each."""

    def separations(self, lon: FloatArray, lat: FloatArray) -> FloatArray:
        """Return how far ICRS positions are from each region, or from the nearest pixel, deg, (position, ledger)."""

    def coords(self, origin: IntArray | None = None) -> dict[Hashable, Any]:
        """Return the xarray coordinates of the cells of rows."""

    def document(self) -> dict[str, Any]:
        """Return the space as plain values, which JSON holds."""


@dataclass(frozen=True)
class RegionSpace:
    """On-regions. An event may lie in several of them.

    Membership is decided on the plane tangent at the region's centre, where an event lies in a circle when its distance
    is strictly below the radius in the local northward scale. This agrees with the pixels of Gammapy's region geometry.

    Parameters
    ----------
    regions
        Shapes, or regions on the sky of the package `regions`.
    names
        What each is called, none for regions that are known by their numbers.
    """

    regions: tuple[Shape, ...]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "regions", tuple(normalize_shape(region) for region in self.regions))
        object.__setattr__(self, "names", tuple(self.names))
        if self.names and (len(self.names) != len(self.regions) or len(set(self.names)) < len(self.names)):
            raise ConfigError(
                f"Expected a name of its own for each of {len(self.regions)} on-regions, got {', '.join(self.names)}."
            )

    @property
    def dims(self) -> tuple[str, ...]:
        """One dim, the regions."""
        return ("region",)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of regions."""
        return (len(self.regions),)

    def origins(self, lon: FloatArray, lat: FloatArray) -> None:
        """Return ``None``: the regions are the same for each pointing."""

    def positions(self, origin: IntArray | None = None) -> tuple[FloatArray, FloatArray]:
        """Return the ICRS centres, shape (region,)."""
        centers = [region.center for region in self.regions]
        return np.array([lon for lon, _ in centers], float), np.array([lat for _, lat in centers], float)

    def cells(self, lon: FloatArray, lat: FloatArray, origin: IntArray | None = None) -> Cells:
        """Return the regions of events at ICRS coordinates."""
        pairs = [region.members(lon, lat) for region in self.regions]
        return Cells(
            np.concatenate(pairs),
            np.repeat(np.arange(len(pairs)), [len(members) for members in pairs]).astype(np.int64),
        )

    @property
    def ledgers(self) -> int:
        """A ledger for each region."""
        return len(self.regions)

    def ledger_of(self, cell: IntArray) -> IntArray:
        """Return the region."""
        return cell

    def separations(self, lon: FloatArray, lat: FloatArray) -> FloatArray:
        """Return how far ICRS positions are from the centre of each region, deg, shape (position, region)."""
        return separation(*self.positions(), lon[:, np.newaxis], lat[:, np.newaxis])

    def solid_angles(self, origin: IntArray | None = None) -> FloatArray:
        """Return the solid angles of the regions in sr, shape (1, region)."""
        return np.array([[region.solid_angle for region in self.regions]], dtype=float)

    @property
    def radii(self) -> FloatArray:
        """The radii in degrees, NaN of what is no circle, shape (region,)."""
        return np.array([getattr(region, "radius", np.nan) for region in self.regions], dtype=float)

    def document(self) -> dict[str, Any]:
        """Return the space as plain values."""
        names = {"names": list(self.names)} if self.names else {}
        return {"regions": [region.document() for region in self.regions], **names}

    def coords(self, origin: IntArray | None = None) -> dict[Hashable, Any]:
        """Return ICRS centres and radii of the regions, their names, and in words those of which any is no circle."""
        lon, lat = self.positions()
        found: dict[Hashable, Any] = {
            "region_lon": (("region",), lon, {"units": "deg", "frame": "icrs", "long_name": "Right ascension"}),
            "region_lat": (("region",), lat, {"units": "deg", "frame": "icrs", "long_name": "Declination"}),
            "region_radius": (("region",), self.radii, {"units": "deg", "long_name": "Radius"}),
        }
        if self.names:
            found[REGION_NAME] = (("region",), np.array(self.names), {"long_name": "Name of the on-region"})
        if not np.isnan(self.radii).any():
            return found
        words = np.array([str(region) for region in self.regions])
        return {**found, REGION_SHAPE: (("region",), words, {"long_name": "Shape as DS9 writes it"})}


@dataclass(frozen=True)
class SkySpace:
    """Windows of an image in plate-carree projection, oblique so that it is not distorted by its latitude.

    All windows have one size; where in the image the one of a row begins follows from its pointing, in whole pixels, so
    that rows are added to an image without interpolation. Source: Calabretta & Greisen 2002 (CAR).

    Parameters
    ----------
    lon, lat, frame
        The centre of the image in degrees and its frame.
    binsize
        The pixel size in degrees.
    npix
        The number of pixels (x, y) of the image; x grows to the west, y to the north.
    window
        The number of pixels (x, y) of a window; ``None`` is the whole image.
    """

    lon: float
    lat: float
    frame: str
    binsize: float
    npix: tuple[int, int]
    window: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.window is not None and not all(0 < n <= full for n, full in zip(self.window, self.npix, strict=True)):
            raise ConfigError(f"A window of {self.window} pixels does not lie in an image of {self.npix} pixels.")

    @classmethod
    def from_coords(cls, coords: Mapping[Any, Any], shape: tuple[int, ...]) -> SkySpace:
        """Read the space back from the coordinates of an xarray object whose windows have ``shape`` (v, u)."""
        attrs, (nv, nu) = coords[IMAGE].attrs, shape
        (lon, lat), (nx, ny) = attrs["center"], attrs["npix"]
        return cls(lon, lat, attrs["frame"], attrs["binsize"], (nx, ny), None if (nu, nv) == (nx, ny) else (nu, nv))

    @property
    def image(self) -> SkySpace:
        """The space of one window, which is the whole image."""
        return replace(self, window=None)

    @property
    def dims(self) -> tuple[str, ...]:
        """Rows, then columns of a window."""
        return ("v", "u")

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of pixels (v, u) of a window."""
        return (self.window or self.npix)[::-1]

    @property
    def ledgers(self) -> int:
        """One ledger."""
        return 1

    def ledger_of(self, cell: IntArray) -> IntArray:
        """Return 0, the one ledger."""
        return np.zeros_like(cell)

    def coords(self, origin: IntArray | None = None) -> dict[Hashable, Any]:
        """Return the first pixel of the window of each row, and what makes the image."""
        first = np.zeros((1, 2), dtype=np.int64) if origin is None else origin
        geometry = {
            "projection": "CAR",
            "frame": self.frame,
            "center": [self.lon, self.lat],
            "binsize": self.binsize,
            "npix": list(self.npix),
        }
        rows: dict[Hashable, Any] = {
            name: (("dataset",), first[:, number], {"units": "", "long_name": f"First {what} of the window"})
            for number, (name, what) in enumerate(zip(ORIGIN, ("row", "column"), strict=True))
        }
        attrs = {"units": "", "long_name": "Image that windows are cut out of", **geometry}
        return {**rows, IMAGE: ((), np.int8(0), attrs)}

    def document(self) -> dict[str, Any]:
        """Return the space as plain values."""
        return asdict(self)

    def _matrix(self) -> FloatArray:
        """Return the rotation of a unit vector in the frame to native coordinates, where the centre is (0, 0)."""
        forward = unit_vector(self.lon, self.lat)
        east = unit_vector(self.lon + 90.0, 0.0)
        return np.stack([forward, east, np.cross(forward, east)])

    def origins(self, lon: FloatArray, lat: FloatArray) -> IntArray:
        """Return the first pixel (v, u) of windows about ICRS positions, moved into the image, shape (row, 2)."""
        about = np.nan_to_num(np.stack(self._pixels(lon, lat), axis=-1))
        size, full = np.array(self.shape), np.array(self.npix[::-1])
        return np.clip(np.rint(about - 0.5 * (size - 1)), 0, full - size).astype(np.int64)

    def positions(self, origin: IntArray | None = None) -> tuple[FloatArray, FloatArray]:
        """Return the ICRS centres of the pixels of one window, shape (v * u,), or of several, shape (row, v * u)."""
        if origin is not None and origin.ndim == 2:
            different, number = np.unique(origin, axis=0, return_inverse=True)
            found = [self.positions(each) for each in different]
            lon, lat = (np.stack(values)[number.ravel()] for values in zip(*found, strict=True))
            return lon, lat
        (v, u), (nv, nu), (nx, ny) = (0, 0) if origin is None else origin, self.shape, self.npix
        x, y = (self.binsize * (f + np.arange(n) - 0.5 * (size - 1)) for f, n, size in ((u, nu, nx), (v, nv, ny)))
        native_lat, native_lon = np.meshgrid(y, -x, indexing="ij")
        lon, lat = lonlat(unit_vector(native_lon.ravel(), native_lat.ravel()) @ self._matrix())
        return to_frame(lon, lat, self.frame, "icrs")

    def solid_angles(self, origin: IntArray | None = None) -> FloatArray:
        """Return the solid angles of the pixels of one window or of several in sr, shape (1 or row, v * u)."""
        first = np.zeros(1, dtype=np.int64) if origin is None else origin[..., 0]
        nv, nu = self.shape
        middle = self.binsize * (np.reshape(first, (-1, 1)) + np.arange(nv) - 0.5 * (self.npix[1] - 1))
        low, high = (np.sin(np.deg2rad(middle + side * 0.5 * self.binsize)) for side in (-1, 1))
        return np.repeat(np.deg2rad(self.binsize) * (high - low), nu, axis=1)

    def separations(self, lon: FloatArray, lat: FloatArray) -> FloatArray:
        """Return how far ICRS positions are from the nearest pixel of the image, deg, shape (position, 1)."""
        pixel = replace(self, window=(1, 1))
        near = pixel.positions(pixel.origins(lon, lat))
        return separation(*near, lon[:, np.newaxis], lat[:, np.newaxis])

    def _pixels(self, lon: FloatArray, lat: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the place (y, x) in the image of ICRS positions in pixels, also beyond its edges."""
        in_frame = to_frame(lon, lat, "icrs", self.frame)
        native_lon, native_lat = lonlat(unit_vector(*in_frame) @ self._matrix().T)
        native_lon = (native_lon + 180.0) % 360.0 - 180.0
        nx, ny = self.npix
        return native_lat / self.binsize + 0.5 * (ny - 1), -native_lon / self.binsize + 0.5 * (nx - 1)

    def cells(self, lon: FloatArray, lat: FloatArray, origin: IntArray | None = None) -> Cells:
        """Return the nearest pixel of events at ICRS coordinates; those outside of their window are left out.

        ``origin`` has the shape (2,), or (event, 2).
        """
        v, u = (np.rint(place) for place in self._pixels(lon, lat))
        if origin is not None:
            v, u = v - origin[..., 0], u - origin[..., 1]
        nv, nu = self.shape
        event = np.flatnonzero((u >= 0) & (u < nu) & (v >= 0) & (v < nv))
        return Cells(event, (v[event] * nu + u[event]).astype(np.int64))


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
    def stacked(self) -> Grid:
        """The grid of a stack: of windows it is their image."""
        return self if isinstance(self.space, RegionSpace) else replace(self, space=self.space.image)

    @property
    def regions(self) -> tuple[Shape, ...]:
        """The on-regions, none for windows of the sky."""
        return self.space.regions if isinstance(self.space, RegionSpace) else ()

    @property
    def region_names(self) -> tuple[str, ...]:
        """What the on-regions are called in sentences: by their names, else by their numbers."""
        return self.given_names or tuple(str(number) for number in range(len(self.regions)))

    @property
    def given_names(self) -> tuple[str, ...]:
        """The names of the on-regions, none where they have none."""
        return self.space.names if isinstance(self.space, RegionSpace) else ()

    @property
    def radii(self) -> FloatArray:
        """The radii of the on-regions in degrees, NaN of what is no circle, shape (region,)."""
        return self.space.radii if isinstance(self.space, RegionSpace) else np.empty(0)

    @property
    def points(self) -> BoolArray:
        """Which on-regions are points, whose radius the responses say, shape (region,)."""
        return np.asarray(self.radii == 0)
