"""``SkySpace``: windows of an image of the sky, as the cells of a reduction."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.errors import ConfigError, DataError
from xgamma.geometry import components, galactic_matrix, lonlat, near_components, separation, to_frame, unit_vector
from xgamma.projections import Projection, projection

IMAGE = "image"
"""The coordinate with the image that the windows of rows are cut out of."""
ORIGIN = ("origin_v", "origin_u")
"""The coordinates of the first pixel of each window."""
# Of images up to so many pixels the positions are kept, as windows of them are asked for run by run.
_KEPT_PIXELS = 1_000_000
# Of a pixel: as far as the pixels of two images that have the same ones may be apart.
_CLOSE = 1e-6
# The place, in pixels, of what is not on the plane of a projection: outside of every image.
NOWHERE = -1e9


class Cells(NamedTuple):
    """The cells that events lie in: one entry for each (event, cell) pair."""

    event: IntArray
    cell: IntArray


@dataclass(frozen=True)
class SkySpace:
    """Windows of an image of the sky, whose projection is oblique so that it is not distorted by its latitude.

    All windows have one size; where in the image the one of a row begins follows from its pointing, in whole pixels, so
    that rows are added to an image without interpolation. Source: Calabretta & Greisen 2002.

    Parameters
    ----------
    lon, lat, frame
        The centre of the projection in degrees and its frame.
    binsize
        The pixel size in degrees.
    npix
        The number of pixels (x, y) of the image; x grows to the west, y to the north.
    window
        The number of pixels (x, y) of a window; ``None`` is the whole image.
    projection
        ``CAR``, ``TAN`` or ``AIT``.
    reference
        The pixel (x, y) of the centre of the projection, counted from 0; ``None`` is the middle of the image.
    aspect
        The width of a pixel over its height; below 0 where x grows to the east.

    Raises
    ------
    ConfigError
        For an image or a window without pixels, a window larger than the image, another frame or projection.
    """

    lon: float
    lat: float
    frame: str
    binsize: float
    npix: tuple[int, int]
    window: tuple[int, int] | None = None
    projection: str = "CAR"
    reference: tuple[float, float] | None = None
    aspect: float = 1.0

    def __post_init__(self) -> None:
        to_frame(0.0, 0.0, self.frame, "icrs")
        projection(self.projection)
        if not (np.isfinite(self.lon) and abs(self.lat) <= 90):
            raise ConfigError(
                f"Expected an image about a finite longitude and a latitude of -90 to 90 deg, got {self.lon} and "
                f"{self.lat} deg."
            )
        if not (0 < self.binsize < np.inf and 0 < abs(self.aspect) < np.inf):
            raise ConfigError(f"Expected pixels above 0 deg, got {self.aspect * self.binsize} by {self.binsize} deg.")
        if min(self.npix) < 1:
            raise ConfigError(f"Expected an image of at least one pixel, got {self.npix[0]} by {self.npix[1]} pixels.")
        if self.window is not None and not all(0 < n <= full for n, full in zip(self.window, self.npix, strict=True)):
            raise ConfigError(f"A window of {self.window} pixels does not lie in an image of {self.npix} pixels.")

    @classmethod
    def of_width(
        cls,
        lon: float,
        lat: float,
        frame: str,
        binsize: float,
        width: tuple[float, float],
        window: float | None = None,
        projection: str = "CAR",
    ) -> SkySpace:
        """Return the image of a width in degrees (x, y), in windows of a width or whole.

        The numbers of pixels are rounded, those of a window to at least one and at most the image.
        Raises ``ConfigError`` for pixels that are larger than the image.
        """
        if not all(np.isfinite(side) and side > 0 for side in width):
            raise ConfigError(f"Expected an image with a width above 0 deg, got {width[0]} by {width[1]} deg.")
        if not 0 < binsize < np.inf:
            raise ConfigError(f"Expected pixels above 0 deg, got a binsize of {binsize} deg.")
        if binsize > min(width):
            raise ConfigError(
                f"Expected pixels that are smaller than the image, got pixels of {binsize:g} deg and an image of "
                f"{width[0]:g} by {width[1]:g} deg; give a smaller binsize or a larger width."
            )
        if window is not None and not window > 0:
            raise ConfigError(f"Expected windows with a width above 0 deg, got {window:g} deg.")
        nx, ny = (round(side / binsize) for side in width)
        side = None if window is None else round(max(window / binsize, 1))
        cut = None if side is None or side >= max(nx, ny) else (min(side, nx), min(side, ny))
        return cls(float(lon), float(lat), frame, float(binsize), (nx, ny), cut, projection)

    @classmethod
    def from_coords(cls, coords: Mapping[Any, Any], shape: tuple[int, ...]) -> SkySpace:
        """Read the space back from the coordinates of an xarray object whose windows have ``shape`` (v, u)."""
        attrs, (nv, nu) = coords[IMAGE].attrs, shape
        (lon, lat), (nx, ny) = attrs["center"], attrs["npix"]
        window, reference = None if (nu, nv) == (nx, ny) else (nu, nv), attrs.get("reference")
        return cls(
            lon, lat, attrs["frame"], attrs["binsize"], (nx, ny), window, attrs.get("projection", "CAR"),
            None if reference is None else (reference[0], reference[1]), attrs.get("aspect", 1.0),
        )  # fmt: skip

    @property
    def image(self) -> SkySpace:
        """The space of one window, which is the whole image."""
        return replace(self, window=None)

    def cut(self, origin: tuple[int, int]) -> SkySpace:
        """Return the window that begins at a pixel (v, u) as an image of its own."""
        (x0, y0), (nv, nu), (v, u) = self.reference_pixel, self.shape, origin
        reference = (x0 - u, y0 - v)
        is_middle = reference == (0.5 * (nu - 1), 0.5 * (nv - 1))
        return replace(self, npix=(nu, nv), window=None, reference=None if is_middle else reference)

    def shift_to(self, other: SkySpace) -> tuple[int, int]:
        """Return by how many pixels (v, u) those of another image lie beyond those of this one with the same numbers.

        Raises ``DataError`` unless both have the same pixels.
        """
        alike = [replace(each, npix=(1, 1), window=None, reference=(0.0, 0.0)) for each in (self, other)]
        (x, y), (other_x, other_y) = self.reference_pixel, other.reference_pixel
        apart = np.array([y - other_y, x - other_x])
        if alike[0] != alike[1] or np.any(np.abs(apart - np.rint(apart)) > _CLOSE):
            raise DataError(
                f"Expected maps with the same pixels, got {self._words}, and {other._words}; reduce both to one "
                "geometry, or cut both out of one."
            )
        v, u = np.rint(apart).astype(int).tolist()
        return v, u

    @property
    def _words(self) -> str:
        x, y = self.reference_pixel
        return (
            f"{self.projection} about {self.lon:.6g}, {self.lat:.6g} deg ({self.frame}) at pixel {x:.6g}, {y:.6g} with "
            f"pixels of {self.binsize:.6g} deg"
        )

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
            "projection": self.projection,
            "frame": self.frame,
            "center": [self.lon, self.lat],
            "binsize": self.binsize,
            "npix": list(self.npix),
            **({} if self.reference is None else {"reference": list(self.reference)}),
            **({} if self.aspect == 1 else {"aspect": self.aspect}),
        }
        rows: dict[Hashable, Any] = {
            name: (("dataset",), first[:, number], {"units": "", "long_name": f"First {what} of the window"})
            for number, (name, what) in enumerate(zip(ORIGIN, ("row", "column"), strict=True))
        }
        attrs = {"units": "", "long_name": "Image that windows are cut out of", **geometry}
        return {**rows, IMAGE: ((), np.int8(0), attrs)}

    def sky_coords(self, dims: tuple[str, str] = ("y", "x")) -> dict[Hashable, Any]:
        """Return the ICRS positions of the pixels of the image as CF coordinates over its rows and columns."""
        lon, lat = (values.reshape(self.shape) for values in self.positions())
        return {
            "lon": (dims, lon, {"units": "deg", "frame": "icrs", "long_name": "Right ascension"}),
            "lat": (dims, lat, {"units": "deg", "frame": "icrs", "long_name": "Declination"}),
        }

    def document(self) -> dict[str, Any]:
        """Return the space as plain values, without what is usual."""
        usual = {"projection": "CAR", "reference": None, "aspect": 1.0}
        return {name: value for name, value in asdict(self).items() if name not in usual or value != usual[name]}

    @cached_property
    def rotation(self) -> FloatArray:
        """The rotation of an ICRS unit vector to (ahead, east, north) seen from the centre of the projection."""
        forward = unit_vector(self.lon, self.lat)
        east = unit_vector(self.lon + 90.0, 0.0)
        in_frame = np.stack([forward, east, np.cross(forward, east)])
        return in_frame @ galactic_matrix() if self.frame == "galactic" else in_frame

    @property
    def _projection(self) -> Projection:
        return projection(self.projection)

    @property
    def reference_pixel(self) -> tuple[float, float]:
        """The pixel (x, y) of the centre of the projection, counted from 0."""
        return self.reference or (0.5 * (self.npix[0] - 1), 0.5 * (self.npix[1] - 1))

    @property
    def _middle(self) -> float:
        """Where on the plane the image is centred, of a projection that may be continued; degrees to the west."""
        if self.reference is None or not self._projection.is_periodic:
            return 0.0
        return self.aspect * self.binsize * (0.5 * (self.npix[0] - 1) - self.reference[0])

    def _plane(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the place of pixels on the plane in degrees, to the west and to the north."""
        x0, y0 = self.reference_pixel
        return self.aspect * self.binsize * (x - x0), self.binsize * (y - y0)

    def origins(self, lon: FloatArray, lat: FloatArray) -> IntArray:
        """Return the first pixel (v, u) of windows about ICRS positions, moved into the image, shape (row, 2)."""
        size, full = np.array(self.shape), np.array(self.npix[::-1])
        return np.clip(self._first(lon, lat, size), 0, full - size)

    def _first(self, lon: FloatArray, lat: FloatArray, size: IntArray) -> IntArray:
        """Return the first pixel (v, u) of ``size`` pixels about ICRS positions, also beyond the image."""
        about = np.nan_to_num(np.stack(self._pixels(lon, lat), axis=-1), nan=NOWHERE)
        # As the cut-outs of Gammapy: the middle of an even number of pixels is the upper of the two.
        return np.asarray(np.ceil(about - 0.5 * size), dtype=np.int64)

    def bounds_about(self, lon: FloatArray, lat: FloatArray, reach: float) -> IntArray:
        """Return the pixels of the image within ``reach`` degrees along rows and columns of ICRS positions.

        Shape (row, 2, 2): for v and u the first, and the one behind the last; they are equal where there is none.
        """
        size = np.full(2, max(1, round(2 * reach / self.binsize)))
        first, full = self._first(lon, lat, size), np.array(self.npix[::-1])
        return np.stack([np.clip(first, 0, full), np.clip(first + size, 0, full)], axis=-1)

    def positions(self, origin: IntArray | None = None) -> tuple[FloatArray, FloatArray]:
        """Return the ICRS centres of the pixels of one window, shape (v * u,), or of several, shape (row, v * u).

        A pixel that is not on the sky, as in the corners of a whole sky, has NaN.
        """
        if origin is not None and origin.ndim == 2:
            different, number = np.unique(origin, axis=0, return_inverse=True)
            found = [self.positions(each) for each in different]
            lon, lat = (np.stack(values)[number.ravel()] for values in zip(*found, strict=True))
            return lon, lat
        (v, u), (nv, nu), (nx, ny) = (0, 0) if origin is None else origin, self.shape, self.npix
        if nx * ny > _KEPT_PIXELS:
            lon, lat = self.sky_of(u + np.arange(nu), (v + np.arange(nv))[:, None])
            return lon.ravel(), lat.ravel()
        lon, lat = (values[v : v + nv, u : u + nu].ravel() for values in _positions(self.image))
        return lon, lat

    def sky_of(self, x: FloatArray | IntArray, y: FloatArray | IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the ICRS position of places in the image in pixels; they broadcast. NaN where there is no sky."""
        ahead, east, north = self._native(np.asarray(x, float), np.asarray(y, float))
        rotation = self.rotation
        vector = np.stack([ahead * one[0] + east * one[1] + north * one[2] for one in rotation.T])
        return lonlat(np.moveaxis(vector, 0, -1))

    def _native(self, x: FloatArray | IntArray, y: FloatArray | IntArray) -> tuple[FloatArray, ...]:
        """Return unit vectors (ahead, east, north) to places in the image in pixels; NaN where there is no sky."""
        west, up = self._plane(np.asarray(x, float), np.asarray(y, float))
        if self._middle:
            west = np.where(np.abs(west - self._middle) <= 180.0, (west + 180.0) % 360.0 - 180.0, np.nan)
        return self._projection.backward(west, up)

    def pixels_of(self, lon: FloatArray, lat: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the place (x, y) in the image of ICRS positions in pixels, also beyond its edges; NaN for none."""
        return self._pixels_of(*components(lon, lat))

    def _pixels_of(self, first: FloatArray, second: FloatArray, third: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the same of the components of ICRS unit vectors."""
        # Whole arrays one after the other, which is quicker than a product of matrices with rows of three.
        native = [first * one[0] + second * one[1] + third * one[2] for one in self.rotation]
        (west, up), (x0, y0), middle = self._projection.forward(*native), self.reference_pixel, self._middle
        if middle:
            west = (west - middle + 180.0) % 360.0 - 180.0 + middle
        return west / (self.aspect * self.binsize) + x0, up / self.binsize + y0

    def solid_angles(self, origin: IntArray | None = None) -> FloatArray:
        """Return the solid angles of the pixels of one window or of several in sr, shape (1 or row, v * u).

        Of a pixel at the edge of the sky it is that of the part on the sky, beyond it 0.
        """
        first, (nv, nu) = np.zeros((1, 2), np.int64) if origin is None else origin.reshape(-1, 2), self.shape
        found = []
        for v, u in first:
            x, y = self._plane(u + np.arange(nu + 1) - 0.5, v + np.arange(nv + 1) - 0.5)
            areas = self._projection.areas(np.sort(x) - self._middle, y)
            found.append((areas if self.aspect > 0 else areas[:, ::-1]).ravel())
        return np.stack(found)

    def separations(self, lon: FloatArray, lat: FloatArray) -> FloatArray:
        """Return how far ICRS positions are from the nearest pixel of the image, deg, shape (position, 1)."""
        pixel = replace(self, window=(1, 1))
        near = pixel.positions(pixel.origins(lon, lat))
        return separation(*near, lon[:, np.newaxis], lat[:, np.newaxis])

    def within(self, lon: FloatArray, lat: FloatArray, reach: float) -> BoolArray:
        """Return whether any pixel lies within ``reach`` degrees along rows and columns, shape (position, 1)."""
        bounds = self.bounds_about(lon, lat, reach)
        return np.asarray((bounds[..., 0] < bounds[..., 1]).all(axis=1, keepdims=True))

    def offsets(self, lon: FloatArray, lat: FloatArray, origin: IntArray | None = None) -> FloatArray:
        """Return the degrees of the pixels of the window of each row from its ICRS position, shape (row, v * u).

        NaN of a pixel that is not on the sky.
        """
        first = np.zeros((len(lon), 2), np.int64) if origin is None else origin
        found = np.empty((len(lon), *self.shape))
        # One array for all steps, as it stays in the caches.
        other = np.empty(self.shape)
        for row, (own, result) in enumerate(zip(first, found, strict=True)):
            # One by one: products of matrices of another length may differ in the last bit.
            ahead, east, north = unit_vector(lon[row], lat[row]) @ self.rotation.T
            along = self.directions(own)
            np.multiply(along[0], ahead, out=result)
            result += np.multiply(along[1], east, out=other)
            result += np.multiply(along[2], north, out=other)
            result *= -0.5
            result += 0.5
            with np.errstate(invalid="ignore"):
                np.arcsin(np.sqrt(np.clip(result, 0.0, 1.0, out=result), out=result), out=result)
            result *= 360.0 / np.pi
        return found.reshape(len(lon), -1)

    def directions(self, origin: IntArray) -> FloatArray:
        """Return unit vectors to the pixels of a window seen from the centre of the projection, shape (3, v, u).

        They are along it, to its east and to its north (``rotation`` turns ICRS to them), NaN of a pixel that is not on
        the sky, and not to be written to.
        """
        (v, u), (nv, nu) = origin.tolist(), self.shape
        if self.npix[0] * self.npix[1] > _KEPT_PIXELS:
            return _stacked(self._native(u + np.arange(nu), (v + np.arange(nv))[:, None]))
        return _directions(self.image)[:, v : v + nv, u : u + nu]

    def _pixels(self, lon: FloatArray, lat: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the place (y, x) in the image of ICRS positions in pixels, also beyond its edges."""
        return self.pixels_of(lon, lat)[::-1]

    def cells(self, lon: FloatArray, lat: FloatArray, origin: IntArray | None = None) -> Cells:
        """Return the nearest pixel of events at ICRS coordinates; those outside of their window are left out.

        ``origin`` has the shape (2,), or (event, 2).
        """
        u, v = (np.rint(place) for place in self._pixels_of(*near_components(lon, lat)))
        if origin is not None:
            v, u = v - origin[..., 0], u - origin[..., 1]
        nv, nu = self.shape
        event = np.flatnonzero((u >= 0) & (u < nu) & (v >= 0) & (v < nv))
        return Cells(event, (v[event] * nu + u[event]).astype(np.int64))


@lru_cache(maxsize=4)
def _directions(image: SkySpace) -> FloatArray:
    """Return unit vectors to all pixels of an image seen from the centre of its projection, shape (3, y, x)."""
    nx, ny = image.npix
    found = _stacked(image._native(np.arange(nx), np.arange(ny)[:, None]))
    found.flags.writeable = False
    return found


def _stacked(arrays: tuple[FloatArray, ...]) -> FloatArray:
    return np.stack(np.broadcast_arrays(*arrays))


@lru_cache(maxsize=4)
def _positions(image: SkySpace) -> tuple[FloatArray, FloatArray]:
    """Return the ICRS centres of all pixels of an image, shape (y, x)."""
    nx, ny = image.npix
    lon, lat = image.sky_of(np.arange(nx), np.arange(ny)[:, None])
    for values in (lon, lat):
        values.flags.writeable = False
    return lon, lat
