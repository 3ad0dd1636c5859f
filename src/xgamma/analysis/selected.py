"""Which runs of a release an analysis works on, which are dropped and why, and what is said when none is left."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from xgamma.axes import BoolArray, FloatArray
from xgamma.datasets import observations as views
from xgamma.errors import ConfigError, DataError, InputError
from xgamma.events import RunFacts
from xgamma.geometry import lonlat, unit_vector
from xgamma.outcome import REDUCE, Outcome, UnusedRun
from xgamma.select import Selection, contradicting, is_known_early, rows_of, sieved

if TYPE_CHECKING:
    from xgamma.datasets.observations import Observations
    from xgamma.ingest import FitsRelease, Holdings, StoredRelease
    from xgamma.reduce import Recipe

log = logging.getLogger(__name__)

REASONS_SHOWN = 3

Dropped = Mapping[str, Mapping[int, str]]


@dataclass(frozen=True)
class Selected:
    """The runs of a release that a selection keeps, as its index tells them.

    Parameters
    ----------
    release, selection
        Where the runs are, and which are wanted.
    facts
        All runs of the release.
    obs_ids
        Those that are kept, in the order of the selection.
    dropped
        Why others are not, by criterion and observation id; ``obs_ids`` and ``obs_file`` drop no run, they name what
        is wanted.
    """

    release: FitsRelease | StoredRelease
    selection: Selection
    facts: Mapping[int, RunFacts]
    obs_ids: Sequence[int]
    dropped: Dropped

    @property
    def lacking(self) -> list[UnusedRun]:
        """The runs that would be kept, were it not for a response that they lack."""
        lacking = self.dropped["required_irf"].items()
        return [UnusedRun.unread(obs_id, Outcome.MISSING_IRF, message) for obs_id, message in lacking]

    @property
    def undecided(self) -> list[str]:
        """The criteria that drop more runs once these are read, by what the index does not tell."""
        judged = [*self.obs_ids, *self.dropped["expression"], *self.dropped["required_irf"]]
        is_early = is_known_early([self.facts[obs_id] for obs_id in judged], self.selection)
        return [*([] if is_early else ["expression"]), *(["obs_time"] if self.selection.intervals else [])]

    def observations(self, holdings: Holdings) -> Observations:
        """Return those runs that are held and kept, as they themselves tell it, with the reasons against the others."""
        parts, places = holdings.parts, holdings.places
        readable = [obs_id for obs_id in self.obs_ids if obs_id in places]
        unlike = contradicting(parts, places, readable, self.selection)
        left = [obs_id for obs_id in readable if obs_id not in unlike]
        rows = rows_of(parts, places, left, self.selection)
        within = {int(obs_id) for key, own in rows for obs_id in parts[key].column("obs_id", own.obs)}
        outside = {obs_id: "it was taken outside of the intervals" for obs_id in left if obs_id not in within}
        late = {"expression": {**self.dropped["expression"], **unlike}, "obs_time": outside}
        held = replace(holdings, failures=[*self.lacking, *holdings.failures])
        return views.Observations(held, rows, {**self.dropped, **late})

    def log(self, wanted: int, observations: Observations) -> None:
        """Log how many of the runs that were ``wanted`` are kept, and how many each criterion drops.

        Those that lack a response are named one by one, as nobody asked for that.
        """
        unlike = len(observations.dropped["expression"]) - len(self.dropped["expression"])
        log.info("Observations selected: %d out of %d.", wanted - unlike, len(self.facts))
        for obs_id, reason in self.dropped["required_irf"].items():
            log.warning("Run %d is left out: %s.", obs_id, reason)
        for criterion in ("obs_cone", "expression"):
            if observations.dropped[criterion]:
                log.info("Dropped by observations.%s: %d.", criterion, len(observations.dropped[criterion]))

    @cached_property
    def pointings(self) -> tuple[FloatArray, FloatArray]:
        """The pointings of the kept runs, ICRS degrees, each of shape (run,)."""
        pointing = np.array([(run.ra, run.dec) for run in (self.facts[obs_id] for obs_id in self.obs_ids)])
        lon, lat = pointing.reshape(-1, 2).T
        return lon, lat

    @property
    def mean_pointing(self) -> tuple[float, float] | None:
        """The direction of the mean of the pointings, ICRS degrees; ``None`` where no run tells its own."""
        vectors = unit_vector(*self.pointings)
        known = vectors[np.isfinite(vectors).all(axis=-1)]
        if len(known) == 0:
            return None
        lon, lat = lonlat(known.mean(axis=0))
        return float(lon), float(lat)

    def offsets(self, recipe: Recipe) -> FloatArray:
        """Return how far regions, or the nearest pixel of a map, are from each pointing, deg, shape (run, region)."""
        return recipe.grid.space.separations(*self.pointings)

    def seen(self, recipe: Recipe) -> BoolArray:
        """Return whether each kept run sees each region or the map; one whose pointing is not known yet may."""
        lon, lat = self.pointings
        return recipe.grid.space.within(lon, lat, recipe.offset_max) | ~np.isfinite(lon + lat)[:, np.newaxis]

    def far(self, recipe: Recipe) -> list[UnusedRun]:
        """Return the kept runs that point too far away from all regions of a recipe."""
        seen = np.asarray(self.seen(recipe).any(axis=1))
        limit = f"{recipe.offset_max:g} deg (datasets.geom.selection.offset_max)"
        what = "region is" if recipe.grid.is_region else "nearest pixel of the map is"
        return [
            UnusedRun(
                obs_id,
                str(obs_id),
                REDUCE,
                Outcome.OUTSIDE_FIELD_OF_VIEW,
                f"the {what} {degrees:.1f} deg from its pointing, more than {limit}",
            )
            for obs_id, degrees, is_seen in zip(self.obs_ids, self.offsets(recipe).min(axis=1), seen, strict=True)
            if not is_seen
        ]


def pointings_of(chosen: Mapping[str, Selected]) -> dict[str, tuple[float, float]]:
    """Return the mean pointing of selected runs by the name of the observations, of those whose runs tell it."""
    found = {name: each.mean_pointing for name, each in chosen.items()}
    return {name: pointing for name, pointing in found.items() if pointing is not None}


def selected(release: FitsRelease | StoredRelease, selection: Selection) -> Selected:
    """Return the runs of a release that a selection keeps.

    Raises
    ------
    UnknownNameError
        When an id is asked for that the release does not have.
    """
    facts = release.facts()
    found = sieved(facts, selection)
    return Selected(release, selection, facts, found.obs_ids, found.dropped)


def validate_selected(selected: Selected, recipes: Sequence[Recipe]) -> None:
    """Raise ``InputError``, ``ConfigError`` or ``DataError`` where no run is kept, or all point away from a region."""
    if not selected.obs_ids:
        raise nothing_selected(selected.lacking, selected.dropped)
    for recipe in recipes:
        far = selected.far(recipe)
        nearest = selected.offsets(recipe).min(axis=0)
        if len(far) == len(selected.obs_ids):
            raise DataError(no_run_left(far) if recipe.grid.is_region else _no_run_reaches(float(nearest[0]), recipe))
        for region in np.flatnonzero(~selected.seen(recipe).any(axis=0)).tolist():
            raise DataError(
                f"datasets.on_region: {recipe.grid.region_names[region]} is {nearest[region]:.1f} deg from the nearest "
                f"pointing, more than {recipe.offset_max:g} deg (datasets.geom.selection.offset_max), and no run can "
                "see it; leave it out, or select other runs."
            )


def _no_run_reaches(nearest: float, recipe: Recipe) -> str:
    return (
        f"datasets.geom.wcs.skydir: no run reaches the map: its nearest pixel is {nearest:.1f} deg from the nearest "
        f"pointing, more than {recipe.offset_max:g} deg (datasets.geom.selection.offset_max); write another skydir, a "
        "larger width, or select other runs."
    )


def nothing_selected(failures: Sequence[UnusedRun], dropped: Dropped) -> InputError | ConfigError:
    """Return the error for a selection without a run that could be read; an expression that drops some is named."""
    if failures:
        return InputError(no_run_left(failures))
    by_expression = len(dropped.get("expression", ()))
    others = f" The expression alone drops {by_expression}; change it." if by_expression else ""
    return ConfigError(
        f"observations: the selection holds no run; widen obs_cone or obs_time, or give other obs_ids.{others}"
    )


def no_run_left(runs: Sequence[UnusedRun]) -> str:
    """Return a sentence with the first few reasons, each once, as thousands of runs may have one each.

    >>> why = "the event list is empty"
    >>> no_run_left([UnusedRun(run, str(run), "reduce", Outcome.NO_EVENTS, why) for run in (7, 8)])
    'No run can be used. Run 7 and 1 more: the event list is empty.'
    """
    names: dict[str, list[str]] = {}
    for run in runs:
        names.setdefault(run.message.rstrip("."), []).append(run.name)
    shown = list(names.items())[:REASONS_SHOWN]
    reasons = "; run ".join(
        f"{own[0]}{f' and {len(own) - 1} more' if len(own) > 1 else ''}: {reason}" for reason, own in shown
    )
    more = len(runs) - sum(len(own) for _, own in shown)
    return f"No run can be used. Run {reasons}{f'; and {more} more, see the log' if more > 0 else ''}."
