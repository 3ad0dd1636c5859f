"""The background of a pulsar: the events of the on-region itself, in phases in which the source does not shine.

Source: the same in Gammapy (PhaseBackgroundMaker), whose counts these are.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xgamma.axes import BoolArray, FloatArray
from xgamma.errors import ConfigError
from xgamma.events import Events
from xgamma.grid import Cells, Grid
from xgamma.masks import Exclusion
from xgamma.outcome import Outcome
from xgamma.reduce.background.names import KIND, OFF_COUNTS
from xgamma.reduce.background.protocol import (
    Background,
    BackgroundInput,
    OffRegions,
    refuse_exclusion,
)
from xgamma.registry import register

Interval = tuple[float, float]
_EXAMPLE = "[0.9, 0.1], which goes on over phase 1, or a list of such pairs"


@dataclass(frozen=True)
class PhaseParameters:
    """The phases, each a pair or a list of pairs of numbers from 0 to 1, kept as pairs that ascend."""

    on_phase: tuple[Interval, ...] = field(metadata={"description": "in which the source shines, such as [0.9, 0.1]"})
    off_phase: tuple[Interval, ...] = field(metadata={"description": "in which it does not, such as [0.4, 0.8]"})
    phase_column_name: str = field(default="PHASE", metadata={"description": "the column of the events"})

    def __post_init__(self) -> None:
        for name in ("on_phase", "off_phase"):
            object.__setattr__(self, name, _intervals(getattr(self, name), name))
        for low, high in self.on_phase:
            for other in self.off_phase:
                if max(low, other[0]) < min(high, other[1]):
                    raise ConfigError(
                        f"off_phase: expected phases apart from on_phase, got {other[0]:g} to {other[1]:g}, which "
                        f"overlaps with {low:g} to {high:g}."
                    )
        if not isinstance(self.phase_column_name, str) or not self.phase_column_name.strip():
            raise ConfigError(f"phase_column_name: expected the name of a column, got {self.phase_column_name!r}.")


def _intervals(given: Any, name: str) -> tuple[Interval, ...]:
    """Return intervals that ascend within 0 to 1, sorted; one that runs over phase 1 becomes two."""
    pairs = [given] if _is_pair(given) else given
    if isinstance(pairs, str) or not isinstance(pairs, Sequence) or not pairs or not all(map(_is_pair, pairs)):
        raise ConfigError(f"{name}: expected a pair of phases such as {_EXAMPLE}, got {given!r}.")
    found = list[Interval]()
    for start, stop in pairs:
        if not (0 <= start <= 1 and 0 <= stop <= 1) or start == stop:
            raise ConfigError(
                f"{name}: expected different phases from 0 to 1, got [{start:g}, {stop:g}]; write a pair such as "
                f"{_EXAMPLE}."
            )
        found += [(start, stop)] if start < stop else [(start, 1.0), (0.0, stop)]
    found = sorted((float(low), float(high)) for low, high in found if low < high)
    for (low, high), (start, stop) in itertools.pairwise(found):
        if start < high:
            raise ConfigError(
                f"{name}: expected each phase once, got {low:g} to {high:g} and {start:g} to {stop:g}, which overlap."
            )
    return tuple(found)


def _is_pair(given: Any) -> bool:
    is_list = isinstance(given, Sequence) and not isinstance(given, str) and len(given) == 2
    return is_list and all(isinstance(one, int | float) and not isinstance(one, bool) for one in given)


@register(KIND, "phase", parameters=PhaseParameters)
class Phase(Background):
    """The background in off phases."""

    variables = OFF_COUNTS

    def __init__(self, parameters: PhaseParameters) -> None:
        self.parameters = parameters

    @property
    def columns(self) -> tuple[str, ...]:
        """The phase."""
        return (self.parameters.phase_column_name.lower(),)

    def validate(self, grid: Grid, exclusion: Exclusion | None) -> None:
        """Raise ``ConfigError`` for windows, and for an exclusion, as no other place of the sky is looked at."""
        super().validate(grid, exclusion)
        refuse_exclusion(exclusion, "phase is measured in the on-region itself")

    def place(self, given: BackgroundInput) -> OffRegions:
        """Return no off regions; rows whose events have no phases, or others than from 0 to 1, have no background."""
        none, (name,) = OffRegions.none(len(given.rows), len(given.grid.regions)), self.columns
        written = self.parameters.phase_column_name
        if name not in given.part.events:
            outcome = np.where(given.usable, Outcome.NO_OFF_REGION, Outcome.USED)
            return none.without(outcome, f"not all events of runs ingested together with it have a column {written}")
        lost = np.array([usable and not given.holds(row, name, _is_phase) for row, usable in enumerate(given.usable)])
        outcome = np.where(lost, Outcome.NO_OFF_REGION, Outcome.USED)
        return none.without(outcome, f"its column {written} holds other numbers than phases from 0 to 1")

    def split(self, given: BackgroundInput, off: OffRegions, events: Events, on: Cells) -> tuple[Cells, Cells]:
        """Return the events of the cells in the on phases, and those in the off phases."""
        (name,) = self.columns
        if name not in events.further:
            nothing = np.zeros(len(on.event), dtype=bool)
            return _chosen(on, nothing), _chosen(on, nothing)
        phase = events.further[name][on.event] % 1.0
        return _chosen(on, _inside(phase, self.parameters.on_phase)), _chosen(
            on, _inside(phase, self.parameters.off_phase)
        )

    def estimate(self, given: BackgroundInput, off: OffRegions, counts_off: FloatArray) -> Mapping[str, FloatArray]:
        """Return the off counts; acceptances are the shares of the phases."""
        on, away = (
            sum(high - low for low, high in own) for own in (self.parameters.on_phase, self.parameters.off_phase)
        )
        shares = np.full(counts_off.shape, on), np.full(counts_off.shape, away)
        return dict(zip(OFF_COUNTS, (counts_off, *shares), strict=True))

    def bound(self, given: BackgroundInput) -> int:
        """Return 1: there are no off regions."""
        return 1


def _is_phase(values: FloatArray) -> BoolArray:
    return np.asarray((values >= 0) & (values <= 1))


def _inside(phase: FloatArray, intervals: Sequence[Interval]) -> BoolArray:
    """Return which phases lie in one of some intervals, of which the lower end counts and the upper does not."""
    inside = np.zeros(phase.shape, dtype=bool)
    for low, high in intervals:
        inside |= (phase >= low) & (phase < high)
    return inside


def _chosen(cells: Cells, keep: BoolArray) -> Cells:
    return Cells(cells.event[keep], cells.cell[keep])
