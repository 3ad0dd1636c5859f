"""The sections of the configuration about estimates: flux points, excess maps, light curves."""

from __future__ import annotations

from typing import Any, ClassVar

from xgamma.config.fields import Flag, Size, Text
from xgamma.config.parameters import ExcessMapMapping, FluxPointsMapping, LightCurveMapping
from xgamma.config.ranges import RequestedAxis, TimeRange
from xgamma.config.section import Section, key, subsection
from xgamma.config.section_fields import Each, TimeBins
from xgamma.estimate.excess_parameters import EXCESS_MAP, ExcessMapParameters
from xgamma.estimate.flux_points_parameters import (
    FLUX_POINTS,
    LIGHT_CURVE,
    FluxPointsParameters,
    LightCurveParameters,
)
from xgamma.estimate.time_binning import TimeBinning, binning_of_intervals
from xgamma.registry import normalize_parameters


class FluxPointsAxisConfig(RequestedAxis):
    """The energy bins of the flux points."""

    where: ClassVar[str] = "flux_points.energy"


class ExcessMapAxisConfig(RequestedAxis):
    """The energy bins of the excess maps; null is one bin over the whole axis."""

    where: ClassVar[str] = "excess_map.energy_edges"


class LightCurveAxisConfig(RequestedAxis):
    """The energy bins of the light curve."""

    where: ClassVar[str] = "light_curve.energy_edges"


class FluxPointsConfig(Section):
    """Flux points of one source."""

    where: ClassVar[str] = "flux_points"
    silent: ClassVar[frozenset[str]] = frozenset({"joint", "each"})

    energy: FluxPointsAxisConfig = subsection(FluxPointsAxisConfig)
    source: Text = key("source", "The name of a model.")
    joint: Flag | None = key(None, "Whether all entries of datasets have one flux; false is one of each; null is yes.")
    each: Each | None = key(
        None, "What has points of its own beside those of all: each dataset, night, month, band; as datasets.stack_by."
    )
    parameters: FluxPointsMapping = key({"selection_optional": "all"}, "Parameters of the estimator.")

    def is_requested(self, config: Any) -> bool:
        """Whether energies are given."""
        return self.energy.is_set

    def settings(self) -> FluxPointsParameters:
        """Return the parameters of the estimator in canonical units, defaults filled in."""
        settings: FluxPointsParameters = normalize_parameters(FLUX_POINTS, self.parameters, f"{self.where}.parameters")
        return settings


class ExcessMapConfig(Section):
    """Excess and significance maps."""

    where: ClassVar[str] = "excess_map"

    correlation_radius: Size = key("0.1 deg", "Radius of the top hat, with a unit such as deg.")
    parameters: ExcessMapMapping = key({}, "Parameters of the estimator.")
    energy_edges: ExcessMapAxisConfig = subsection(ExcessMapAxisConfig)

    def is_requested(self, config: Any) -> bool:
        """Whether maps with a background are stacked, or maps are made and anything is given here."""
        maps = [entry for entry in config.entries.values() if entry.type == "3d"]
        is_ready = any(entry.stack and entry.background.method is not None for entry in maps)
        return is_ready or (bool(maps) and self != ExcessMapConfig())

    def settings(self) -> ExcessMapParameters:
        """Return the parameters of the estimator in canonical units, defaults filled in."""
        settings: ExcessMapParameters = normalize_parameters(EXCESS_MAP, self.parameters, f"{self.where}.parameters")
        return settings


class TimeIntervalsConfig(TimeRange):
    """The intervals of the light curve; null is as time_bins says."""

    where: ClassVar[str] = "light_curve.time_intervals"


class LightCurveConfig(Section):
    """The light curve of one source."""

    where: ClassVar[str] = "light_curve"
    silent: ClassVar[frozenset[str]] = frozenset({"time_bins"})

    time_intervals: TimeIntervalsConfig = subsection(TimeIntervalsConfig)
    time_bins: TimeBins | None = key(
        None,
        "Bins of time where no intervals are given: observation, night, blocks (Bayesian), or a width such as "
        "{width: 7 d}, or {blocks: 0.01} with the probability of a false alarm; null is observation, one for each "
        "dataset.",
    )
    energy_edges: LightCurveAxisConfig = subsection(LightCurveAxisConfig)
    source: Text = key("source", "The name of a model.")
    parameters: LightCurveMapping = key({"selection_optional": "all"}, "Parameters of the estimator.")

    def is_requested(self, config: Any) -> bool:
        """Whether energies are given."""
        return self.energy_edges.is_set

    def settings(self) -> LightCurveParameters:
        """Return the parameters of the estimator in canonical units, defaults filled in."""
        settings: LightCurveParameters = normalize_parameters(LIGHT_CURVE, self.parameters, f"{self.where}.parameters")
        return settings

    def binning(self) -> TimeBinning:
        """Return the bins of time."""
        intervals = self.time_intervals.intervals()
        if intervals:
            return binning_of_intervals(intervals, self.time_intervals.where)
        return self.time_bins or TimeBinning()
