"""``array.geom`` and ``RegionGeom``: the bins of a view, asked for and made as Gammapy does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import astropy
import numpy as np
import xarray as xr
from astropy import units as u

from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.datasets.maps.axes import MapAxes, WithAxes, axes_facts
from xgamma.datasets.maps.axis import MapAxis
from xgamma.datasets.maps.coords import normalize_position
from xgamma.description import Described, Description, facts
from xgamma.errors import ConfigError, DataError
from xgamma.formats.region_files import normalize_regions
from xgamma.grid import Grid, RegionSpace
from xgamma.plot import figures as plot_figures
from xgamma.plot import sky as plot_sky
from xgamma.plot import style as plot_style
from xgamma.shapes import Circle, Shape
from xgamma.shapes.objects import normalize_shape
from xgamma.sky import SkySpace
from xgamma.units import canonical

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xgamma.datasets.maps.map import RegionNDMap


LOW, HIGH = "energy_min", "energy_max"


def with_edges(array: xr.DataArray, axis: Axis) -> xr.DataArray:
    """Return the array with the lower and the upper edge of each bin as coordinates, TeV."""
    edges = {LOW: axis.edges[:-1], HIGH: axis.edges[1:]}
    return array.assign_coords({name: ("energy", values, {"units": "TeV"}) for name, values in edges.items()})


@xr.register_dataarray_accessor("geom")  # type: ignore[no-untyped-call]
class Geom:
    """The bins of an array of a dataset.

    Examples
    --------
    >>> dataset.mask_fit = dataset.counts.geom.energy_mask(energy_min="1 TeV")  # doctest: +SKIP
    """

    def __init__(self, array: xr.DataArray) -> None:
        self._array = array

    @property
    def energy_axis(self) -> MapAxis:
        """The axis of reconstructed energy; raises ``DataError`` for an array that does not know its edges."""
        if LOW not in self._array.coords:
            raise DataError(
                "geom: expected an array of a dataset such as dataset.counts, got one without edges of energy."
            )
        return MapAxis.of(Axis("energy", np.append(self._array[LOW].values, self._array[HIGH].values[-1])))

    @property
    def axes(self) -> MapAxes:
        """The axes by name."""
        return MapAxes([self.energy_axis])

    def energy_mask(self, energy_min: Any = None, energy_max: Any = None, round_to_edge: bool = False) -> xr.DataArray:
        """Return the bins that lie wholly between two energies (``"1 TeV"`` or a ``Quantity``), for ``mask_fit``.

        With ``round_to_edge`` the energies are moved to the nearest edges before.
        """
        inside = np.broadcast_to(self.axes.inside(energy_min, energy_max, round_to_edge), self._array.shape)
        return self._array.copy(data=inside.copy())


@dataclass(frozen=True)
class RegionGeom(WithAxes, Described):
    """A region on the sky, or none, and the axes of what is counted in it."""

    region: Shape | None
    axes: MapAxes

    is_region: ClassVar[bool] = True
    # Masks are maps, and maps have a geometry: the module of maps puts its class here.
    map_type: ClassVar[type[RegionNDMap]]

    @classmethod
    def create(cls, region: Any = None, axes: Iterable[MapAxis] = ()) -> Self:
        """Return the geometry of a region: one of the package `regions`, DS9 text, a ``Shape`` or ``None``.

        Raises ``ConfigTypeError`` for what is neither.
        """
        return cls(normalize_region(region), MapAxes(axes))

    def with_axes(self, axes: Iterable[MapAxis | Axis]) -> Self:
        """Return the region with other axes."""
        return replace(self, axes=MapAxes(axes))

    @property
    def data_shape(self) -> tuple[int, ...]:
        """The shape of an array, whose image is one pixel."""
        return (*self.axes.array_shape, 1, 1)

    @property
    def center_skydir(self) -> SkyCoord:
        """The centre of the region; raises ``DataError`` where there is none."""
        return astropy.coordinates.SkyCoord(*self._known_region().center, unit="deg", frame="icrs")

    def solid_angle(self) -> u.Quantity:
        """Return the solid angle of the region; raises ``DataError`` where there is none."""
        return u.Quantity(self._known_region().solid_angle, "sr")

    def contains(self, coords: Any) -> BoolArray:
        """Return which positions lie in the region; raises ``DataError`` where there is none."""
        given = coords["skycoord"] if isinstance(coords, Mapping) else coords
        lon, lat = (np.atleast_1d(value) for value in normalize_position(given, "icrs", "contains"))
        return np.asarray(self._known_region().holds(lon, lat))

    def energy_mask(self, energy_min: Any = None, energy_max: Any = None, round_to_edge: bool = False) -> RegionNDMap:
        """Return the bins that lie wholly between two energies, moved to the nearest edges before if asked for."""
        inside = self.axes.inside(energy_min, energy_max, round_to_edge)[..., np.newaxis, np.newaxis]
        return self.map_type(self, np.broadcast_to(inside, self.data_shape).copy())

    def _known_region(self) -> Shape:
        if self.region is None:
            raise DataError("There is no region.")
        return self.region

    def plot_region(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw the edge of the region on Axes with a projection, by default new ones about it.

        Raises ``DataError`` where there is no region; ``style`` is that of lines.
        """
        if self.region is None:
            raise DataError("There is no region to draw.")
        drawn = plot_sky.sky_axes(_space_about(self.region)) if ax is None else ax
        plot_sky.draw_shape(drawn, self.region, **{"color": plot_style.cycle_color(0), **style})
        return drawn

    def peek(self, figsize: tuple[float, float] = (5, 4.5)) -> Figure:
        """Draw the region on the sky in a new figure, and return it; raises as ``plot_region``."""
        figure = plot_figures.new_figure(figsize)
        plot_figures.show_title(self.plot_region(), str(self.region))
        return figure

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join([str(self.region or 'no region'), *self.axes.names])}>"

    def _description(self) -> Description:
        region = [("Region", str(self.region or "none"))]
        return Description(type(self).__name__, facts(region, axes_facts(self.axes.plain)))


def _space_about(shape: Shape) -> SkySpace:
    """Return an image about a shape, with room around it."""
    width = min(max(3.0 * shape.reach, 0.2), 120.0)
    return SkySpace.of_width(shape.lon, shape.lat, shape.frame, width / 100, (width, width), None, "TAN")


def normalize_region(region: Any) -> Shape | None:
    """Return the shape of one region, ``None`` for none; raises as ``normalize_regions``, and for several."""
    if region is None:
        return None
    if not isinstance(region, str):
        return normalize_shape(region)
    found = normalize_regions(region)
    if len(found) != 1:
        raise ConfigError(f"Expected one region, got {len(found)}.")
    return found[0]


def normalize_geom(geom: Any, energy_true: Any) -> tuple[Grid, bool]:
    """Return the grid of a geometry, and whether it has a region; raises ``ConfigError`` without an axis of energy."""
    if isinstance(geom, Grid):
        return geom, True
    if not isinstance(geom, RegionGeom) or "energy" not in geom.axes:
        raise ConfigError("create: expected a RegionGeom with an axis called 'energy', or a Grid.")
    energy, true = axes_of_energy(geom.axes, energy_true)
    # A place is needed to count in; where nobody says one, nothing is counted.
    region = Circle(0.0, 0.0, 1.0) if geom.region is None else geom.region
    return Grid(energy, true, RegionSpace((region,))), geom.region is not None


def axes_of_energy(axes: MapAxes, energy_true: Any) -> tuple[Axis, Axis]:
    """Return the axis of reconstructed energy and that of true energy, by default one with the same edges."""
    energy = _in_tev(axes["energy"])
    return energy, Axis("energy_true", energy.edges) if energy_true is None else _in_tev(MapAxis.of(energy_true))


def _in_tev(axis: MapAxis) -> Axis:
    """Return an axis as datasets have it; one of a file may be in another unit."""
    return axis.plain if axis.plain.unit == "TeV" else Axis(axis.name, normalize_edges(axis))


def normalize_edges(edges: Any) -> FloatArray:
    """Return ascending energies above 0 in TeV, of an ``Axis``, a ``Quantity`` or numbers in TeV.

    Raises ``ConfigError`` for anything else.
    """
    given = edges.edges if isinstance(edges, Axis | MapAxis) else edges
    try:
        values = u.Quantity(given, None if isinstance(given, u.Quantity) else "TeV").to_value("TeV")
    except (TypeError, ValueError):
        raise ConfigError(f"Expected energies as a Quantity or as numbers in TeV, got {edges!r}.") from None
    if values.ndim != 1 or len(values) < 2 or not (np.isfinite(values).all() and (np.diff(values) > 0).all()):
        raise ConfigError(f"Expected at least two ascending energies, got {edges!r}.")
    if values[0] <= 0:
        raise ConfigError(f"Expected energies above 0, got {values[0]:g} TeV.")
    return np.asarray(values, dtype=float)


def edges_among(axis: Axis, edges: Any, name: str) -> IntArray:
    """Return the numbers of the edges of an axis that are nearest to those given, each once.

    Raises ``DataError`` where they are fewer than two; ``name`` is that of the dataset.
    """
    energies = normalize_edges(edges)
    found = np.unique(axis.nearest_edges(energies))
    if len(found) < 2:
        raise DataError(
            f"{name}: there is no bin between {energies[0]:.4g} and {energies[-1]:.4g} TeV; its bins go from "
            f"{axis.edges[0]:.4g} to {axis.edges[-1]:.4g} TeV."
        )
    return np.asarray(found)


def bins_between(axis: Axis, energy_min: Any, energy_max: Any, name: str) -> slice:
    """Return the bins between two energies moved to the nearest edges; ``None`` is the end of the axis."""
    given = ((energy_min, "energy_min", axis.edges[0]), (energy_max, "energy_max", axis.edges[-1]))
    bounds = [end if value is None else canonical(value, "TeV", what) for value, what, end in given]
    edges = edges_among(axis, bounds, name)
    return slice(int(edges[0]), int(edges[-1]))
