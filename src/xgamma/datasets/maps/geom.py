"""``WcsGeom``: an image of the sky with axes, asked for and made as Gammapy does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import astropy
import numpy as np
from astropy import units as u

from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.datasets.maps import cuts
from xgamma.datasets.maps.axes import MapAxes, WithAxes, axes_facts
from xgamma.datasets.maps.axis import MapAxis
from xgamma.datasets.maps.coords import MapCoord, angle_pair, normalize_coords, normalize_position
from xgamma.datasets.maps.membership import region_pixels
from xgamma.description import Described, Description, facts
from xgamma.errors import ConfigError, DataError
from xgamma.geometry import separation, to_frame
from xgamma.plot import figures as plot_figures
from xgamma.plot import sky as plot_sky
from xgamma.sky import SkySpace
from xgamma.sky_wcs import image_wcs, space_of_header, space_of_wcs

if TYPE_CHECKING:
    from astropy.coordinates import Angle, SkyCoord
    from astropy.wcs import WCS
    from matplotlib.figure import Figure

    from xgamma.datasets.maps.map import Map


@dataclass(frozen=True)
class WcsGeom(WithAxes, Described):
    """An image of the sky and the axes of what is in its pixels.

    Arrays have the shape (last axis, ..., first axis, y, x).

    Parameters
    ----------
    space
        The image.
    axes
        The axes beyond the sky, none for an image.

    Examples
    --------
    >>> geom = WcsGeom.create(skydir=(83.63, 22.01), binsz=0.02, width=(4, 3))
    >>> geom.data_shape, geom.is_image
    ((150, 200), True)
    """

    space: SkySpace
    axes: MapAxes = field(default_factory=MapAxes)

    is_region: ClassVar[bool] = False
    is_hpx: ClassVar[bool] = False
    is_regular: ClassVar[bool] = True
    # Masks are maps, and maps have a geometry: the module of maps puts its class here.
    map_type: ClassVar[type[Map]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "space", self.space.image)
        object.__setattr__(self, "axes", MapAxes(self.axes))

    @classmethod
    def create(
        cls,
        npix: Any = None,
        binsz: Any = 0.5,
        proj: str = "CAR",
        frame: str = "icrs",
        axes: Iterable[MapAxis] | None = None,
        skydir: Any = None,
        width: Any = None,
    ) -> Self:
        """Return the geometry of an image of so many pixels or of a width, or of the whole sky.

        Parameters
        ----------
        npix, width
            The number of pixels, or the width as an angle or in degrees; one value or (x, y).
        binsz
            The size of a pixel as an angle or in degrees; one value or (x, y).
        proj, frame
            ``CAR``, ``TAN`` or ``AIT``; ``icrs`` or ``galactic``.
        axes
            The axes beyond the sky.
        skydir
            The centre, a ``SkyCoord`` or (lon, lat) in degrees of the frame; ``None`` is (0, 0).

        Raises
        ------
        ConfigError
            For what is no image, such as pixels that are larger than it.
        """
        lon, lat = normalize_position((0.0, 0.0) if skydir is None else skydir, frame, "skydir")
        center_lon, center_lat = (float(value) for value in to_frame(lon, lat, "icrs", frame))
        (bx, by), given = angle_pair(binsz, "binsz"), MapAxes(axes or ())
        if npix is not None:
            space = SkySpace(
                center_lon, center_lat, frame, by, cuts.pixel_pair(npix, "npix"), None, proj, None, bx / by
            )
            return cls(space, given)
        sides = (360.0, 180.0) if width is None else angle_pair(width, "width")
        # Pixels as wide as they are high, of an image stretched as they are.
        space = SkySpace.of_width(center_lon, center_lat, frame, by, (sides[0] * by / bx, sides[1]), None, proj)
        return cls(replace(space, aspect=bx / by), given)

    @classmethod
    def from_header(cls, header: Any, axes: Iterable[MapAxis] = (), npix: tuple[int, int] | None = None) -> Self:
        """Return the geometry of a FITS header, whose axes beyond the sky are those given; raises ``InputError``."""
        return cls(space_of_header(header, npix), MapAxes(axes))

    @classmethod
    def from_wcs(cls, wcs: WCS, axes: Iterable[MapAxis] = (), npix: tuple[int, int] | None = None) -> Self:
        """Return the geometry of a WCS; raises ``InputError`` for an image that is none of ours."""
        return cls(space_of_wcs(wcs, npix), MapAxes(axes))

    # --- what it is

    @property
    def frame(self) -> str:
        """``icrs`` or ``galactic``."""
        return self.space.frame

    @property
    def projection(self) -> str:
        """The letters of the projection in FITS."""
        return self.space.projection

    @property
    def wcs(self) -> WCS:
        """The celestial WCS."""
        return image_wcs(self.space)

    @property
    def is_allsky(self) -> bool:
        """Whether its columns go around the sky."""
        return bool(self.space.npix[0] * abs(self.space.aspect) * self.space.binsize >= 360.0 - 1e-9)

    @property
    def npix(self) -> tuple[int, int]:
        """The number of pixels (x, y)."""
        return self.space.npix

    @property
    def dims(self) -> tuple[str, ...]:
        """The dims of an array."""
        return (*self.axes.dims, "y", "x")

    @property
    def data_shape(self) -> tuple[int, ...]:
        """The shape of an array."""
        return (*self.axes.array_shape, *self.space.shape)

    @property
    def data_shape_axes(self) -> tuple[int, ...]:
        """The shape of an array whose image is one pixel."""
        return (*self.axes.array_shape, 1, 1)

    @property
    def ndim(self) -> int:
        """The number of dims."""
        return len(self.data_shape)

    @property
    def pixel_scales(self) -> Angle:
        """The width and the height of a pixel at the centre of the projection."""
        return astropy.coordinates.Angle([abs(self.space.aspect) * self.space.binsize, self.space.binsize], "deg")

    @property
    def width(self) -> u.Quantity:
        """Width and height of the image, shape (2, 1)."""
        return u.Quantity((self.pixel_scales.value * np.array(self.npix)).reshape(2, 1), "deg")

    @property
    def center_pix(self) -> tuple[float, ...]:
        """The place of the middle in pixels, (x, y, axes...)."""
        return tuple(0.5 * (n - 1) for n in (*self.npix, *(axis.nbin for axis in self.axes)))

    @property
    def center_skydir(self) -> SkyCoord:
        """The position of the middle of the image."""
        x, y = self.center_pix[:2]
        return self._skycoord(*self.space.sky_of(np.asarray(x), np.asarray(y)))

    @property
    def footprint(self) -> SkyCoord:
        """The positions of the middles of the four pixels in the corners."""
        (nx, ny) = self.npix
        return self._skycoord(*self.space.sky_of(np.array([0, 0, nx - 1, nx - 1]), np.array([0, ny - 1, ny - 1, 0])))

    def _skycoord(self, lon: FloatArray, lat: FloatArray) -> SkyCoord:
        return astropy.coordinates.SkyCoord(*to_frame(lon, lat, "icrs", self.frame), unit="deg", frame=self.frame)

    def is_close(self, other: WcsGeom) -> bool:
        """Whether two geometries have the same pixels to a millionth of one, and the same bins."""
        return self.axes_are_close(other) and cuts.are_close(self.space, other.space)

    is_allclose = is_close

    def axes_are_close(self, other: WcsGeom) -> bool:
        """Whether two geometries have the same bins."""
        return len(self.axes) == len(other.axes) and all(
            mine.is_allclose(theirs) for mine, theirs in zip(self.axes, other.axes, strict=True)
        )

    def paragraphs(self) -> list[list[tuple[str, str]]]:
        """Return what is printed: lists of (label, text)."""
        (nx, ny), (width, height) = self.npix, self.width.value.ravel()
        lon, lat = (float(value) for value in self._plain(self.center_skydir))
        pixel = f"{abs(self.space.aspect) * self.space.binsize:g} x {self.space.binsize:g} deg"
        image = [
            ("Pixels", f"{nx} x {ny} of {pixel}"),
            ("Width", f"{width:g} x {height:g} deg"),
            ("Projection and frame", f"{self.projection}, {self.frame}"),
            ("Centre", f"{lon:.4f}, {lat:.4f} deg"),
        ]
        return [image, axes_facts(self.axes.plain)]

    def peek(self, figsize: tuple[float, float] = (6, 5)) -> Figure:
        """Draw where it is, the grid of its coordinates, in a new figure, and return it."""
        figure = plot_figures.new_figure(figsize)
        plot_sky.plot_positions(np.zeros(0), np.zeros(0), self.frame, self.space, figure)
        (nx, ny), size = self.npix, f"{self.space.binsize:g} deg"
        plot_figures.show_title(figure, f"{nx} x {ny} pixels of {size}", self.projection, *self.axes.names)
        return figure

    def _description(self) -> Description:
        return Description(type(self).__name__, facts(*self.paragraphs()))

    def __repr__(self) -> str:
        shape = " x ".join(str(n) for n in (*self.npix, *(axis.nbin for axis in self.axes)))
        return f"<{type(self).__name__} {', '.join(['lon', 'lat', *self.axes.names])}: {shape}, {self.frame}>"

    def _plain(self, position: SkyCoord) -> tuple[Any, Any]:
        place = position.spherical
        return place.lon.deg, place.lat.deg

    # --- other geometries

    def with_axes(self, axes: Iterable[MapAxis | Axis]) -> Self:
        """Return the image with other axes."""
        return replace(self, axes=MapAxes(axes))

    def cut_about(self, position: Any, width: Any, mode: str = "trim", odd_npix: bool = False) -> cuts.Cut:
        """Return the rows and columns of a cutout; see ``cutout``.

        Raises ``ConfigError`` for another mode; ``DataError`` for one that is ``strict`` where the cutout reaches
        beyond the map.
        """
        if mode not in ("trim", "strict"):
            raise ConfigError(f"cutout: expected the mode trim or strict, got {mode!r}.")
        lon, lat = (float(value) for value in normalize_position(position, self.frame))
        npix = cuts.counted(angle_pair(width, "width"), self.space, odd_npix)
        cut = cuts.cut_about(self.space, lon, lat, npix)
        if mode == "strict" and (cut.columns.stop - cut.columns.start, cut.rows.stop - cut.rows.start) != npix:
            raise DataError(
                f"cutout: {npix[0]} by {npix[1]} pixels about {lon:.4f}, {lat:.4f} deg (ICRS) reach beyond the map of "
                f"{self.npix[0]} by {self.npix[1]}; use mode='trim', or a smaller width."
            )
        return cut

    def cutout(self, position: Any, width: Any, mode: str = "trim", odd_npix: bool = False) -> Self:
        """Return the part of a width about a position.

        With mode ``trim`` it ends with the map, with ``strict`` it is an error that it does. Raises ``DataError`` where
        nothing is left.
        """
        return replace(self, space=cuts.part_of(self.space, self.cut_about(position, width, mode, odd_npix)))

    def pad(self, pad_width: Any) -> Self:
        """Return it with more pixels on each side."""
        return replace(self, space=cuts.padded(self.space, cuts.pixel_pair(pad_width, "pad_width")))

    def crop(self, crop_width: Any) -> Self:
        """Return it with fewer pixels on each side."""
        dx, dy = cuts.pixel_pair(crop_width, "crop_width")
        return replace(self, space=cuts.padded(self.space, (-dx, -dy)))

    def downsample(self, factor: int, axis_name: str | None = None) -> Self:
        """Return it with ``factor`` by ``factor`` pixels in one, or so many bins of an axis."""
        if axis_name is not None:
            return replace(self, axes=self.axes.downsample(factor, axis_name))
        return replace(self, space=cuts.downsampled(self.space, factor))

    def upsample(self, factor: int, axis_name: str | None = None) -> Self:
        """Return it with each pixel cut into ``factor`` by ``factor``, or each bin of an axis."""
        if axis_name is not None:
            return replace(self, axes=self.axes.upsample(factor, axis_name))
        return replace(self, space=cuts.upsampled(self.space, factor))

    def to_binsz(self, binsz: Any) -> Self:
        """Return about the same part of the sky in other pixels."""
        width, height = (float(side) for side in self.width.to_value("deg").ravel())
        return self.create(None, binsz, self.projection, self.frame, self.axes, self.center_skydir, (width, height))

    # --- coordinates

    def get_idx(self) -> tuple[IntArray, ...]:
        """Return the bins (x, y, axes...) of all values, each in the shape of arrays."""
        return tuple(np.indices(self.data_shape)[::-1])

    def get_coord(self, idx: Any = None, frame: str | None = None, sparse: bool = False) -> MapCoord:
        """Return the coordinates of the centres of all bins, which broadcast to the shape of arrays.

        ``idx`` are the bins (one for each axis) of one plane; with ``sparse`` no coordinate is repeated. Pixels that
        are not on the sky have NaN.
        """
        shown = frame or self.frame
        sky = (values.reshape(self.space.shape) for values in to_frame(*self.space.positions(), "icrs", shown))
        lon, lat = (u.Quantity(values, "deg", copy=False) for values in sky)
        along = {}
        for number, axis in enumerate(self.axes.plain):
            values = axis.center if idx is None else axis.center[[idx[number]]]
            shape = [1] * (self.ndim - 2)
            shape[-1 - number] = len(values)
            along[axis.name] = u.Quantity(values.reshape(*shape, 1, 1), axis.unit)
        coords = MapCoord(lon, lat, shown, along)
        if sparse:
            return coords
        full: dict[str, Any] = {
            name: np.broadcast_to(coords[name], coords.shape, subok=True) for name in coords.axis_names
        }
        return MapCoord(full.pop("lon"), full.pop("lat"), shown, full)

    def pix_to_coord(self, pix: Sequence[Any]) -> tuple[u.Quantity, ...]:
        """Return (lon, lat, axes...) of places in pixels (x, y, axes...)."""
        x, y, *others = (np.asarray(value, dtype=float) for value in pix)
        lon, lat = to_frame(*self.space.sky_of(x, y), "icrs", self.frame)
        along = [u.Quantity(axis.value_at(at), axis.unit) for axis, at in zip(self.axes.plain, others, strict=True)]
        return (u.Quantity(lon, "deg"), u.Quantity(lat, "deg"), *along)

    def coord_to_pix(self, coords: Any) -> tuple[FloatArray, ...]:
        """Return places in pixels (x, y, axes...) of coordinates, also beyond the map; NaN where there is none."""
        lon, lat, along = normalize_coords(coords, self.axes, self.frame)
        return (*self.space.pixels_of(lon, lat), *(axis.place_of(along[axis.name]) for axis in self.axes.plain))

    def coord_to_idx(self, coords: Any, clip: bool = False) -> tuple[IntArray, ...]:
        """Return the bins (x, y, axes...) that coordinates lie in, -1 outside; with ``clip`` the nearest ones."""
        lon, lat, along = normalize_coords(coords, self.axes, self.frame)
        found = [
            cuts.nearest_pixel(at, n, clip) for at, n in zip(self.space.pixels_of(lon, lat), self.npix, strict=True)
        ]
        return (*found, *(axis.index(along[axis.name], clip) for axis in self.axes.plain))

    def contains(self, coords: Any) -> BoolArray:
        """Return which coordinates lie in a bin of the map."""
        return np.asarray(np.all(np.broadcast_arrays(*(idx >= 0 for idx in self.coord_to_idx(coords))), axis=0))

    def separation(self, center: Any) -> Angle:
        """Return how far the centres of the pixels are from a position, shape (y, x)."""
        found = separation(*self.space.positions(), *normalize_position(center, self.frame, "center"))
        return astropy.coordinates.Angle(found.reshape(self.space.shape), "deg")

    def solid_angle(self) -> u.Quantity:
        """Return the solid angles of the pixels, shape (1, ..., y, x)."""
        areas = self.space.solid_angles().reshape(*(1 for _ in self.axes), *self.space.shape)
        return u.Quantity(areas, "sr", copy=False)

    def bin_volume(self) -> u.Quantity:
        """Return the solid angles times the widths of the bins."""
        volume = self.solid_angle()
        for number, axis in enumerate(self.axes.plain):
            shape = [1] * self.ndim
            shape[-3 - number] = axis.nbin
            volume = volume * u.Quantity(axis.width.reshape(shape), axis.unit)
        return volume

    # --- masks

    def region_mask(self, regions: Any, inside: bool = True) -> Map:
        """Return which pixels have their centre in any of some regions, or with ``inside=False`` in none.

        Parameters
        ----------
        regions
            Regions of the package `regions`, shapes, DS9 text, or a list of them. Circles are those on the sphere; the
            edges of polygons are great circles; angles are counted in the frame of the region. A region without an
            area is the pixel it lies in.
        inside
            Whether the mask is true in the regions.

        Raises
        ------
        DataError
            For a region on the map that holds the centre of no pixel, which a mask cannot show.
        """
        held = np.zeros(self.space.npix[0] * self.space.npix[1], dtype=bool)
        for pixels in region_pixels(self.space, regions):
            held[pixels] = True
        return self._mask((held == inside).reshape(self.space.shape))

    def energy_mask(self, energy_min: Any = None, energy_max: Any = None, round_to_edge: bool = False) -> Map:
        """Return the bins that lie wholly between two energies, moved to the nearest edges before if asked for."""
        return self._mask(self.axes.inside(energy_min, energy_max, round_to_edge)[..., np.newaxis, np.newaxis])

    def boundary_mask(self, width: Any) -> Map:
        """Return a mask that is false within a width of the edges of the image."""
        nx, ny = cuts.counted(angle_pair(width, "width"), self.space)
        inside = np.zeros(self.space.shape, dtype=bool)
        inside[ny:-ny, nx:-nx] = True
        return self._mask(inside)

    def _mask(self, values: BoolArray) -> Map:
        return self.map_type.from_geom(self, np.broadcast_to(values, self.data_shape).copy())
