"""What is reported of one entry of ``datasets``: its runs, their rows, and what of them is fitted."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from xgamma.axes import Axis, BoolArray, FloatArray
from xgamma.datasets import Datasets, MapDataset
from xgamma.datasets.binned_row import BinnedRow
from xgamma.datasets.observations import Observations
from xgamma.geometry import separation, to_frame
from xgamma.outcome import UnusedRun

View = BinnedRow[Any]
Position = tuple[float, float]


@dataclass(frozen=True)
class Entry:
    """What is reported of one entry of ``datasets``.

    Parameters
    ----------
    name
        Its name, empty where there is one without.
    observations
        Its runs, ``None`` where it reads files.
    views
        What of it is fitted.
    rows
        The rows of regions of its runs as they were reduced, ``None`` of maps and of files.
    unused
        The runs that could not be used.
    remarks
        By the name of a row that is used, what is said of it.
    """

    name: str
    observations: Observations | None
    views: Sequence[View]
    rows: xr.Dataset | None = None
    unused: Sequence[UnusedRun] = ()
    remarks: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Its name, or what stands for it where it has none."""
        return self.name or "Datasets"

    @property
    def is_map(self) -> bool:
        """Whether it is of maps."""
        return any(isinstance(view, MapDataset) for view in self.views)

    @property
    def position(self) -> Position | None:
        """Where its events are looked at: the middle of the first region, the first source in a map, or its middle."""
        if self.rows is not None and "region_lon" in self.rows.coords:
            lon, lat = (float(np.atleast_1d(self.rows[f"region_{name}"].values)[0]) for name in ("lon", "lat"))
            return (lon, lat) if np.isfinite(lon + lat) else None
        maps = [view for view in self.views if isinstance(view, MapDataset)]
        return (source_position(maps[0]) or _middle(maps[0])) if maps else None

    def groups(self) -> Iterator[tuple[str, list[View]]]:
        """Yield the views that are of one region, with a name for all of them; each map stands alone."""
        spectra = [view for view in self.views if not isinstance(view, MapDataset)]
        by_region = sorted(spectra, key=lambda view: view.position[1])
        for region, found in itertools.groupby(by_region, key=lambda view: view.position[1]):
            own = list(found)
            several = len({view.position[1] for view in spectra}) > 1
            name = f"{self.name or 'all datasets'}{f', region {region + 1}' if several else ''}"
            yield (own[0].name if len(own) == 1 else name), own
        for view in self.views:
            if isinstance(view, MapDataset):
                yield view.name, [view]


def _middle(view: MapDataset) -> Position:
    lon, lat = to_frame(np.array(view.image.lon), np.array(view.image.lat), view.image.frame, "icrs")
    return float(lon), float(lat)


def source_position(view: MapDataset) -> Position | None:
    """Return where the first source of the models with a place stands, ICRS degrees."""
    for model in view.models:
        place = getattr(model, "spatial_model", None)
        position = None if place is None or not place.has_center else place.position
        if position is not None:
            return float(position.icrs.ra.deg), float(position.icrs.dec.deg)
    return None


def stacked(views: Sequence[View], name: str) -> View | None:
    """Return what stands for views in a picture: the only one, or their stack; ``None`` where they have none."""
    if len(views) == 1:
        return views[0]
    # A model of some rows is not one of their sum.
    if any(model.datasets_names is not None for view in views for model in view.models):
        return None
    one_region = [view.copy(view.name) for view in views]
    for own, view in zip(one_region, views, strict=True):
        own.models = view.models
        own.mask_fit = view.mask_fit
    result: View = Datasets(one_region).stack_reduce(name)
    return result


def by_energy(view: View, bins: BoolArray) -> BoolArray:
    """Return bins of a view, in the dims of its counts, with the energy first and all else second."""
    size = view.group.sizes["energy"]
    # Of spectra the energy is the last dim, of maps the first.
    return bins.reshape(size, -1) if isinstance(view, MapDataset) else bins.reshape(-1, size).T


def energy_bounds(view: View, bins: BoolArray) -> FloatArray:
    """Return the edges of the energies with any of some bins, TeV, shape (energy, 2)."""
    return Axis.from_coords(view.group.coords, "energy").bounds[by_energy(view, bins).any(axis=1)]


def offsets(entry: Entry) -> list[float]:
    """Return the angle from each pointing to the position, deg, in the order of the observations."""
    if entry.observations is None or entry.position is None:
        return []
    table = entry.observations.table
    found = separation(table["ra_pnt"].to_numpy(float), table["dec_pnt"].to_numpy(float), *entry.position)
    return [float(angle) for angle in np.atleast_1d(found)]
