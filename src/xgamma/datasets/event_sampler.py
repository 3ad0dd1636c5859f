"""``MapDatasetEventSampler``: events drawn from what a dataset of maps predicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from xgamma.axes import Axis, FloatArray
from xgamma.datasets.event_list import EventList
from xgamma.datasets.made import normalize_random
from xgamma.datasets.map_dataset import MapDataset
from xgamma.datasets.observations import Observation
from xgamma.errors import ConfigTypeError, DataError
from xgamma.grid import ORIGIN, SkySpace
from xgamma.models.models import FoVBackgroundModel, Models
from xgamma.predict import npred_background, npred_signal
from xgamma.schema import WINDOWS

UNITS = {"time": "s", "ra": "deg", "dec": "deg", "energy": "TeV", "event_id": "", "mc_id": ""}


class MapDatasetEventSampler:
    """Draws the events that models and background of a dataset of maps predict.

    Parameters
    ----------
    random_state
        A seed, ``"random-seed"``, or a generator of numpy.
    keep_mc_id
        Whether events say in ``mc_id`` which model they are of: its number, from 1, and 0 for the background.

    Notes
    -----
    The number of events of each bin is Poisson about what is predicted there; in a bin they are spread evenly over the
    pixel and the logarithm of the energy. Their counts in the bins of the dataset are right on average, in finer ones
    they are smooth. ``xgamma.simulate`` draws each event by the responses of a run.
    """

    def __init__(self, random_state: Any = "random-seed", keep_mc_id: bool = True) -> None:
        self.random_state, self.keep_mc_id = normalize_random(random_state), keep_mc_id

    def run(self, dataset: MapDataset, observation: Observation | None = None) -> EventList:
        """Return events in order of time.

        Parameters
        ----------
        dataset
            Maps with models.
        observation
            The run whose good time and pointing the events have; by default they have the good time of the dataset.

        Raises
        ------
        ConfigTypeError, DataError
            For something else than maps, and where there is no good time.
        """
        if not isinstance(dataset, MapDataset):
            raise ConfigTypeError(f"run: expected a MapDataset, got a {type(dataset).__name__}.")
        data, models = dataset.data, Models(dataset.models)
        gti = (dataset if observation is None else observation).gti.union().data
        drawn = [self._events(planes, data, number) for number, planes in _predicted(data, models)]
        ra, dec, energy, origin = np.concatenate(drawn, axis=1)
        order = self.random_state.permutation(len(ra))
        columns = {
            "event_id": np.arange(1, len(ra) + 1),
            "time": self._times(gti.values, len(ra), dataset.name),
            "ra": ra[order],
            "dec": dec[order],
            "energy": energy[order],
        }
        if self.keep_mc_id:
            columns["mc_id"] = origin[order].astype(np.int64)
        events = xr.Dataset(
            {name: (("event",), values, {"units": UNITS[name]}) for name, values in columns.items()},
            attrs={"mjdref": gti.attrs["mjdref"]},
        )
        return EventList(events, None if observation is None else (observation.ra, observation.dec))

    def _events(self, planes: FloatArray, data: xr.Dataset, number: int) -> FloatArray:
        """Return longitude, latitude, energy and number of the events of planes (energy, v, u), shape (4, event)."""
        counts = self.random_state.poisson(np.maximum(np.nan_to_num(planes), 0.0))
        energy, v, u = (np.repeat(places, counts[counts > 0]) for places in np.nonzero(counts))
        first_v, first_u = (int(data[name].values[0]) for name in ORIGIN)
        space = SkySpace.from_coords(data.coords, planes.shape[1:]).image
        x, y = (self.random_state.random(len(energy)) - 0.5 for _ in range(2))
        lon, lat = space.sky_of(first_u + u + x, first_v + v + y)
        edges = np.log(Axis.from_coords(data.coords, "energy").edges)
        log_energy = edges[energy] + np.diff(edges)[energy] * self.random_state.random(len(energy))
        return np.stack([lon, lat, np.exp(log_energy), np.full(len(energy), float(number))])

    def _times(self, intervals: FloatArray, count: int, name: str) -> FloatArray:
        if not len(intervals):
            raise DataError(f"run: the dataset {name!r} has no good time; give an observation.")
        before = np.concatenate([[0.0], np.cumsum(np.diff(intervals, axis=1)[:, 0])])
        good = np.sort(self.random_state.random(count)) * before[-1]
        piece = np.minimum(np.searchsorted(before, good, side="right") - 1, len(intervals) - 1)
        return np.asarray(intervals[piece, 0] + good - before[piece])


def _predicted(data: xr.Dataset, models: Models) -> Iterator[tuple[int, FloatArray]]:
    """Yield number and predicted counts (energy, v, u) of each source, and at last of the background."""
    sources = [model for model in models if not isinstance(model, FoVBackgroundModel)]
    for number, model in enumerate(sources, start=1):
        yield number, npred_signal(data, [model]).transpose("dataset", "energy", *WINDOWS.cells).values[0]
    yield 0, npred_background(data, models).transpose("dataset", "energy", *WINDOWS.cells).values[0]
