"""Drawing the events of one run from sources, a background and responses, vectorised, with a generator of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xgamma.axes import Axis, FloatArray
from xgamma.geometry import destination, separation
from xgamma.irf import interpolation_weights
from xgamma.simulate.background import BackgroundLaw
from xgamma.simulate.plan import AnalyticResponse, PlannedRun
from xgamma.simulate.responses import Cumulative, cumulative, fine_log_energy, log_migration, psf_radius, psf_width
from xgamma.simulate.sources import SimulatedSource
from xgamma.simulate.tables import MIGRA, area_table
from xgamma.units import CM2_PER_M2


@dataclass(frozen=True)
class Emission:
    """What all runs of one efficiency draw from.

    Parameters
    ----------
    sources
        What shines.
    response
        What sees it.
    axes
        Axes of the effective area: true energy and offset.
    area
        Effective area in m2, shape (energy_true, offset), as the release publishes it at full enclosure.
    signals
        For each source the distribution in ln E of what it would give where the effective area is largest; its total
        is in s-1.
    background
        The law of the background.
    """

    sources: tuple[SimulatedSource, ...]
    response: AnalyticResponse
    axes: tuple[Axis, ...]
    area: FloatArray
    signals: tuple[Cumulative, ...]
    background: BackgroundLaw

    @classmethod
    def of(cls, sources: Sequence[SimulatedSource], response: AnalyticResponse, efficiency: float) -> Emission:
        """Return what runs of one ``efficiency`` draw from."""
        table = area_table(response, efficiency)
        fine = fine_log_energy(table.axes[0])
        energy, area = np.exp(fine), table.values["aeff"]
        largest = _along_energy(table.axes[0], area.max(axis=1), energy)
        return cls(
            sources=tuple(sources),
            response=response,
            axes=table.axes,
            area=area,
            signals=tuple(
                cumulative(fine, source.spectrum(energy) * largest * CM2_PER_M2 * energy) for source in sources
            ),
            background=BackgroundLaw.of(response, efficiency),
        )

    def relative_area(self, energy: FloatArray, offset: FloatArray) -> FloatArray:
        """Return the effective area at (energy, offset) over the largest at that energy, as readers look it up."""
        by_energy, by_offset = (
            interpolation_weights(axis, at) for axis, at in zip(self.axes, (energy, offset), strict=True)
        )
        row, column = by_energy.lower, by_offset.lower
        below = self.area[row, column] * (1 - by_offset.upper) + self.area[row, column + 1] * by_offset.upper
        above = self.area[row + 1, column] * (1 - by_offset.upper) + self.area[row + 1, column + 1] * by_offset.upper
        area = np.maximum(below * (1 - by_energy.upper) + above * by_energy.upper, 0.0)
        largest = _along_energy(self.axes[0], self.area.max(axis=1), energy)
        seen = by_offset.inside & (largest > 0)
        return np.divide(area, largest, out=np.zeros_like(area), where=seen)


def _along_energy(axis: Axis, values: FloatArray, energy: FloatArray) -> FloatArray:
    weights = interpolation_weights(axis, energy)
    between = values[weights.lower] * (1 - weights.upper) + values[weights.lower + 1] * weights.upper
    return np.maximum(between, 0.0)


def expected_events(emission: Emission, run: PlannedRun) -> tuple[float, float]:
    """Return the mean numbers of events of all sources and of the background in a run.

    An extended source is averaged over positions at equal steps of its probability, good to about 1e-3.
    """
    signal = 0.0
    for source, spectrum in zip(emission.sources, emission.signals, strict=True):
        offset = separation(*source.place.spots(run), run.lon, run.lat)
        energy = np.exp(spectrum.values)
        share = np.mean([emission.relative_area(energy, np.full_like(energy, one)) for one in offset], axis=0)
        middle = 0.5 * (share[1:] + share[:-1])
        signal += source.place.share(run) * float(np.sum(middle * np.diff(spectrum.cumulative)))
    return signal * run.livetime, emission.background.rate * run.ontime


def event_columns(emission: Emission, run: PlannedRun, generator: np.random.Generator) -> dict[str, npt.NDArray[Any]]:
    """Draw the events of a run: EVENT_ID, TIME, RA, DEC, ENERGY in order of time.

    MC_ID is the number of the source, from 1, and 0 for the background.
    """
    drawn = [_signal_events(emission, number, run, generator) for number in range(len(emission.sources))]
    drawn.append(emission.background.draw(run, generator))
    origin = np.repeat([*range(1, len(drawn)), 0], [one.shape[1] for one in drawn])
    order = generator.permutation(len(origin))
    lon, lat, energy = np.concatenate(drawn, axis=1)[:, order]
    time = _times(run, len(order), generator)
    others = origin[order] == 0
    lon[others], lat[others] = emission.background.on_sky(run, lon[others], lat[others], time[others])
    return {
        "EVENT_ID": np.arange(1, len(order) + 1, dtype=np.int64),
        "TIME": time,
        "RA": lon,
        "DEC": lat,
        "ENERGY": energy.astype(np.float32),
        "MC_ID": origin[order].astype(np.int16),
    }


def _signal_events(emission: Emission, number: int, run: PlannedRun, generator: np.random.Generator) -> FloatArray:
    """Return longitude, latitude and energy of the events of one source, shape (3, event)."""
    place, spectrum, response = emission.sources[number].place, emission.signals[number], emission.response
    count = int(generator.poisson(spectrum.total * place.share(run) * run.livetime))
    energy = np.exp(spectrum.draw(count, generator))
    lon, lat = place.draw(run, count, generator)
    offset = separation(lon, lat, run.lon, run.lat)
    seen = generator.random(count) < emission.relative_area(energy, offset)
    energy, lon, lat, offset = energy[seen], lon[seen], lat[seen], offset[seen]
    radius = psf_radius(response, psf_width(response, energy, offset), generator)
    lon, lat = destination(lon, lat, 360.0 * generator.random(len(energy)), radius)
    mean, width = log_migration(response, energy, offset)
    migra = np.exp(mean + width * generator.standard_normal(len(energy)))
    return np.stack([lon, lat, energy * np.clip(migra, MIGRA.edges[0], MIGRA.edges[-1])])


def _times(run: PlannedRun, count: int, generator: np.random.Generator) -> FloatArray:
    """Return sorted times, uniform over the good time and before the end of each interval."""
    starts, stops = run.gti[:, 0], run.gti[:, 1]
    before = np.concatenate([[0.0], np.cumsum(stops - starts)])
    good = np.sort(generator.random(count)) * before[-1]
    interval = np.minimum(np.searchsorted(before, good, side="right") - 1, len(starts) - 1)
    latest = np.nextafter(stops[interval], -np.inf)
    return np.asarray(np.minimum(starts[interval] + (good - before[interval]), latest))
