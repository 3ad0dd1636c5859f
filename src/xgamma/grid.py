"""``Grid``: the target of a reduction: energy axes, and a space, which is regions or windows of a sky image."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.errors import ConfigError
from xgamma.geometry import separation
from xgamma.shapes import Circle as Circle
from xgamma.shapes import Shape
from xgamma.shapes.objects import normalize_shape
from xgamma.sky import IMAGE as IMAGE
from xgamma.sky import ORIGIN as ORIGIN
from xgamma.sky import Cells as Cells
from xgamma.sky import SkySpace as SkySpace

REGION_SHAPE = "region_shape"
"""The coordinate with the shapes of regions in words, where any is no circle."""
REGION_NAME = "region_name"
"""The coordinate with the names of regions, where they have names."""


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

    def offsets(self, lon: FloatArray, lat: FloatArray, origin: IntArray | None = None) -> FloatArray:
        """Return the degrees of the centres from the position of each row, shape (row, region)."""
        return separation(*self.positions(), lon[:, None], lat[:, None])

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

    def within(self, lon: FloatArray, lat: FloatArray, reach: float) -> BoolArray:
        """Return whether the centre of each region lies within ``reach`` degrees, shape (position, region)."""
        return np.asarray(self.separations(lon, lat) <= reach)

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


def region_row_name(row: str, region: str) -> str:
    """Return the name of the spectrum of an on-region in a row.

    >>> region_row_name("stacked", "shell"), region_row_name("stacked", "")
    ('stacked-shell', 'stacked')
    """
    return f"{row}-{region}" if region else row
