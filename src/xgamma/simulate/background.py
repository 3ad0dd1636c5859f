"""Background events: where in the field of view, at which energies and how many, by formula or as a table says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from xgamma.axes import Axis, FloatArray
from xgamma.geometry import destination, from_field, position_angle, separation, zenith
from xgamma.simulate.plan import MJDREFF, MJDREFI, AnalyticResponse, PlannedRun
from xgamma.simulate.responses import (
    FIELD_STEPS,
    Cumulative,
    background_spectrum,
    between_nodes,
    cumulative,
    field_distributions,
    log_spectrum,
)
from xgamma.simulate.tables import MEV_PER_TEV, SITE_LAT, SITE_LON, ResponseTable, background_table, energy_axis
from xgamma.times import time_from_seconds


@dataclass(frozen=True)
class BackgroundLaw:
    """What background events of one efficiency are drawn from.

    Parameters
    ----------
    energy
        The distribution of ln E.
    field
        The distributions in the field of view, in deg: of ``offset``, or of ``lon`` and ``lat``.
    rate
        Events per second of good time, over all energies and the field of view.
    turns
        Whether the north of the field of view is that of the zenith, and not of the sky.
    """

    energy: Cumulative
    field: Mapping[str, Cumulative]
    rate: float
    turns: bool = False

    @classmethod
    def of(cls, response: AnalyticResponse, efficiency: float) -> BackgroundLaw:
        """Return the background of a response, by its formula or as readers interpolate its table."""
        if response.background_drawn == "table":
            law = _law_of_table(background_table(response, efficiency))
        else:
            axis = energy_axis(response, "energy", response.energy_bins)
            energy = log_spectrum(axis, background_spectrum(response, axis.center))
            law = cls(energy, field_distributions(response), efficiency * response.background_rate)
        return replace(law, turns=response.fov_alignment == "ALTAZ")

    def draw(self, run: PlannedRun, generator: np.random.Generator) -> FloatArray:
        """Return the background events of a run, shape (3, event): their place in the field of view, and energy.

        The place is an angle and an offset, or longitude and latitude, in deg.
        """
        count = int(generator.poisson(self.rate * run.ontime))
        energy = np.exp(self.energy.draw(count, generator))
        if "offset" in self.field:
            offset = self.field["offset"].draw(count, generator)
            return np.stack([360.0 * generator.random(count), offset, energy])
        lon, lat = (self.field[name].draw(count, generator) for name in ("lon", "lat"))
        return np.stack([lon, lat, energy])

    def on_sky(
        self, run: PlannedRun, first: FloatArray, second: FloatArray, time: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return where places in the field of view lie on the sky (ICRS, deg) at times in s since the epoch."""
        if "offset" in self.field:
            return destination(run.lon, run.lat, first, second)
        if not self.turns:
            return from_field(first, second, run.lon, run.lat)
        utc = time_from_seconds(time, MJDREFI + MJDREFF).utc.mjd
        turned = position_angle(*zenith(utc, SITE_LON, SITE_LAT), run.lon, run.lat)
        angle, distance = position_angle(first, second, 0.0, 0.0), separation(first, second, 0.0, 0.0)
        return destination(run.lon, run.lat, angle + turned, distance)


def _law_of_table(table: ResponseTable) -> BackgroundLaw:
    """Return the law that a table means to a reader, who interpolates logarithms; it is a product of its axes."""
    values = table.values["bkg"]
    middle = tuple(np.array(values.shape) // 2)
    axes = {axis.name: axis for axis in table.axes}
    along = {
        axis.name: values[(*middle[:number], slice(None), *middle[number + 1 :])]
        for number, axis in enumerate(table.axes)
    }
    energy = log_spectrum(axes["energy"], along["energy"])
    total = energy.total * MEV_PER_TEV
    if table.kind == "bkg_2d":
        offset = _offsets(axes["offset"], along["offset"] / values[middle])
        return BackgroundLaw(energy, {"offset": offset}, total * offset.total * 2.0 * np.pi * np.deg2rad(1.0))
    lon, lat = (_side(axes[name], along[name] / values[middle], name == "fov_lat") for name in ("fov_lon", "fov_lat"))
    return BackgroundLaw(energy, {"lon": lon, "lat": lat}, total * lon.total * lat.total * np.deg2rad(1.0) ** 2)


def _offsets(axis: Axis, profile: FloatArray) -> Cumulative:
    """Return the distribution of offsets; readers keep the outermost rates for one more bin."""
    offset = np.linspace(0.0, axis.edges[-1] + axis.width[-1], FIELD_STEPS + 1)
    inner = np.clip(offset, axis.center[0], axis.center[-1])
    return cumulative(offset, np.sin(np.deg2rad(offset)) * np.exp(np.interp(inner, axis.center, np.log(profile))))


def _side(axis: Axis, profile: FloatArray, narrows: bool) -> Cumulative:
    """Return the distribution along one side of the field of view; a latitude ``narrows`` it by its cosine."""
    at = np.linspace(axis.edges[0], axis.edges[-1], FIELD_STEPS + 1)
    density = np.exp(between_nodes(axis.center, np.log(profile), at))
    return cumulative(at, density * np.cos(np.deg2rad(at)) if narrows else density)
