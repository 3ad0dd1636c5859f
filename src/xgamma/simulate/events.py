"""Drawing the events of one run from a source and its responses, vectorised, with a generator of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

import xgamma.models  # noqa: F401 (registers the built-in spectra)
from xgamma.axes import Axis, FloatArray
from xgamma.geometry import destination, from_field, separation
from xgamma.irf import interpolation_weights
from xgamma.models.component import component_class
from xgamma.simulate.plan import AnalyticResponse, PlannedRun, Source
from xgamma.simulate.responses import (
    Cumulative,
    background_spectrum,
    cumulative,
    field_distributions,
    fine_log_energy,
    log_migration,
    log_spectrum,
    psf_radius,
    psf_width,
)
from xgamma.simulate.tables import MIGRA, area_table, energy_axis
from xgamma.units import CM2_PER_M2

Spectrum = Callable[[FloatArray], FloatArray]


def spectrum_from_document(document: Mapping[str, Any]) -> Spectrum:
    """Return dN/dE in cm-2 s-1 TeV-1 at energies in TeV.

    Raises
    ------
    ConfigError
        When the document is not one of a spectral model, or names one that is not known.
    """
    model = component_class("spectral", document).from_dict(document)
    return cast("Spectrum", model.dnde)


RADIAL_NODES, ANGLE_NODES = 16, 12


@dataclass(frozen=True)
class Emission:
    """What all runs of one efficiency draw from.

    Parameters
    ----------
    source, response
        The descriptions.
    axes
        Axes of the effective area: true energy and offset.
    area
        Effective area in m2, shape (energy_true, offset), as the release publishes it at full enclosure.
    signal
        Distribution in ln E of what the source would give where the effective area is largest; its total is in s-1.
    background
        Distribution in ln E of the background.
    background_rate
        Background in s-1, over the field of view and all energies.
    field
        Distributions of background in the field of view.
    """

    source: Source
    response: AnalyticResponse
    axes: tuple[Axis, ...]
    area: FloatArray
    signal: Cumulative
    background: Cumulative
    background_rate: float
    field: Mapping[str, Cumulative]

    @classmethod
    def of(cls, source: Source, spectrum: Spectrum, response: AnalyticResponse, efficiency: float) -> Emission:
        """Return what runs of one ``efficiency`` draw from; ``spectrum`` gives cm-2 s-1 TeV-1 at energies in TeV."""
        table = area_table(response, efficiency)
        fine = fine_log_energy(table.axes[0])
        energy, area = np.exp(fine), table.values["aeff"]
        largest = _along_energy(table.axes[0], area.max(axis=1), energy)
        axis = energy_axis(response, "energy", response.energy_bins)
        return cls(
            source=source,
            response=response,
            axes=table.axes,
            area=area,
            signal=cumulative(fine, spectrum(energy) * largest * CM2_PER_M2 * energy),
            background=log_spectrum(axis, background_spectrum(response, axis.center)),
            background_rate=efficiency * response.background_rate,
            field=field_distributions(response),
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
    """Return the mean numbers of events of the source and of the background in a run.

    A Gaussian source is averaged over positions at equal steps of its probability, good to about 1e-3.
    """
    radius = _source_radius(emission.source, (np.arange(RADIAL_NODES) + 0.5) / RADIAL_NODES)
    angle = np.arange(ANGLE_NODES) * (360.0 / ANGLE_NODES)
    lon, lat = destination(emission.source.lon, emission.source.lat, angle[:, None], radius)
    offset = separation(lon, lat, run.lon, run.lat).ravel()
    energy = np.exp(emission.signal.values)
    share = np.mean([emission.relative_area(energy, np.full_like(energy, one)) for one in offset], axis=0)
    middle = 0.5 * (share[1:] + share[:-1])
    signal = float(np.sum(middle * np.diff(emission.signal.cumulative)))
    return signal * run.livetime, emission.background_rate * run.ontime


def event_columns(emission: Emission, run: PlannedRun, generator: np.random.Generator) -> dict[str, npt.NDArray[Any]]:
    """Draw the events of a run: EVENT_ID, TIME, RA, DEC, ENERGY in order of time; MC_ID is 1 for the source."""
    signal = _signal_events(emission, run, generator)
    background = _background_events(emission, run, generator)
    count, total = signal.shape[1], signal.shape[1] + background.shape[1]
    order = generator.permutation(total)
    lon, lat, energy = np.concatenate([signal, background], axis=1)[:, order]
    return {
        "EVENT_ID": np.arange(1, total + 1, dtype=np.int64),
        "TIME": _times(run, total, generator),
        "RA": lon,
        "DEC": lat,
        "ENERGY": energy.astype(np.float32),
        "MC_ID": (order < count).astype(np.int16),
    }


def _signal_events(emission: Emission, run: PlannedRun, generator: np.random.Generator) -> FloatArray:
    """Return longitude, latitude and energy of the source's events, shape (3, event)."""
    source, response = emission.source, emission.response
    count = int(generator.poisson(emission.signal.total * run.livetime))
    energy = np.exp(emission.signal.draw(count, generator))
    distance = _source_radius(source, generator.random(count))
    lon, lat = destination(source.lon, source.lat, 360.0 * generator.random(count), distance)
    offset = separation(lon, lat, run.lon, run.lat)
    seen = generator.random(count) < emission.relative_area(energy, offset)
    energy, lon, lat, offset = energy[seen], lon[seen], lat[seen], offset[seen]
    radius = psf_radius(response, psf_width(response, energy, offset), generator)
    lon, lat = destination(lon, lat, 360.0 * generator.random(len(energy)), radius)
    mean, width = log_migration(response, energy, offset)
    migra = np.exp(mean + width * generator.standard_normal(len(energy)))
    return np.stack([lon, lat, energy * np.clip(migra, MIGRA.edges[0], MIGRA.edges[-1])])


def _source_radius(source: Source, probability: FloatArray) -> FloatArray:
    """Return the distance from the centre, in deg, inside which a Gaussian on the sphere has that probability."""
    if source.sigma == 0:
        return np.zeros_like(probability)
    a = 1.0 - np.cos(np.deg2rad(source.sigma))
    versine = -2.0 * a * np.log1p(probability * np.expm1(-1.0 / a))
    return np.asarray(np.rad2deg(2.0 * np.arcsin(np.sqrt(np.clip(0.5 * versine, 0.0, 1.0)))))


def _background_events(emission: Emission, run: PlannedRun, generator: np.random.Generator) -> FloatArray:
    """Return longitude, latitude and energy of background events, shape (3, event)."""
    count = int(generator.poisson(emission.background_rate * run.ontime))
    energy = np.exp(emission.background.draw(count, generator))
    if "offset" in emission.field:
        offset = emission.field["offset"].draw(count, generator)
        lon, lat = destination(run.lon, run.lat, 360.0 * generator.random(count), offset)
    else:
        x, y = (emission.field[name].draw(count, generator) for name in ("lon", "lat"))
        lon, lat = from_field(x, y, run.lon, run.lat)
    return np.stack([lon, lat, energy])


def _times(run: PlannedRun, count: int, generator: np.random.Generator) -> FloatArray:
    """Return sorted times, uniform over the good time and before the end of each interval."""
    starts, stops = run.gti[:, 0], run.gti[:, 1]
    before = np.concatenate([[0.0], np.cumsum(stops - starts)])
    good = np.sort(generator.random(count)) * before[-1]
    interval = np.minimum(np.searchsorted(before, good, side="right") - 1, len(starts) - 1)
    latest = np.nextafter(stops[interval], -np.inf)
    return np.asarray(np.minimum(starts[interval] + (good - before[interval]), latest))
