"""The observations of an analysis reduced, each at its own risk, and what is said of those that cannot be used."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import xarray as xr

from xgamma.analysis.failures import note_failures, on_unused_run
from xgamma.analysis.healing import can_be_made_again
from xgamma.analysis.observations import Observations
from xgamma.analysis.rows import Reduced, failed_rows, reduced, rows_at
from xgamma.analysis.unused import REDUCE, UnusedRun, no_run_left
from xgamma.config.config import AnalysisConfig
from xgamma.datasets import Datasets
from xgamma.datasets.spectrum import SpectrumDataset
from xgamma.errors import DamagedError, DataError
from xgamma.execute import Workers
from xgamma.ingest import FitsRelease, StoredRelease
from xgamma.outcome import Outcome
from xgamma.reduce import Recipe, joined_rows
from xgamma.reduce.true_energy import true_energy_remark
from xgamma.store import Store

log = logging.getLogger(__name__)


def reduced_observations(
    observations: Observations,
    config: AnalysisConfig,
    recipe: Recipe,
    store: Store,
    release: FitsRelease | StoredRelease | None,
    workers: Workers,
) -> tuple[Reduced, list[UnusedRun], list[UnusedRun]]:
    """Reduce observations, or find their rows in the store.

    Parameters
    ----------
    observations, config, recipe
        The runs, the configuration, and what it wants of them.
    store, release, workers
        Where rows are kept, where the runs came from, and where blocks run.

    Returns
    -------
    tuple
        The rows; all runs that could not be used; those of them that have no row.

    Raises
    ------
    DataError
        When no run can be used, or one cannot and ``general.fail_fast`` is set.
    DamagedError
        When a part of the store has lost bytes that can be read again from files.
    """
    say = on_unused_run(bool(config.general.fail_fast))

    def on_failure(run: UnusedRun, error: Exception) -> None:
        if isinstance(error, DamagedError) and can_be_made_again(error, store, release):
            raise error
        if release is not None and config.general.fail_fast:
            note_failures(store, release.name, release.origin, [run], REDUCE, [])
        say(run)

    rows, lost = reduced(store, observations.holdings, observations.rows, recipe, workers, on_failure)
    if release is not None:
        note_failures(store, release.name, release.origin, lost, REDUCE, rows.names)
    log.info("Reduced %d rows, found %d in the store.", len(rows) - rows.found, rows.found)
    # Runs that could not be read were named when they were read.
    masked = list(rows.unused())
    for run in masked:
        say(run)
    for name, outcome, detail in zip(rows.names, rows.outcome, rows.details, strict=True):
        if outcome == Outcome.USED and detail != Outcome.USED.sentence:
            log.warning("Run %s is %s.", name, detail)
    failed = [*lost, *(UnusedRun.of_failure(failure) for failure in observations.holdings.failures)]
    if len(masked) == len(rows):
        raise DataError(no_run_left([*masked, *failed]))
    return rows, [*masked, *failed], failed


def lost_counts(observations: Observations, rows: Reduced, recipe: Recipe, data: xr.Dataset) -> str:
    """Return a sentence where the axis of true energy costs predicted counts, else nothing; looks at a few rows.

    Parameters
    ----------
    observations, rows, recipe
        The runs, and what they were reduced to.
    data
        The result, whose safe bins count.
    """
    used = {name for name, outcome in zip(rows.names, rows.outcome.tolist(), strict=True) if outcome == Outcome.USED}
    for key, own in observations.rows:
        numbers = [number for number, name in enumerate(own.names) if name in used]
        if numbers and recipe.grid.is_region:
            safe = np.asarray(data["mask_safe"].values.any(axis=(0, 1)))
            part = observations.holdings.parts[key]
            return true_energy_remark(part, rows_at(own, numbers), recipe.grid, recipe.containment, safe)
    return ""


def views_of_unused(rows: Reduced, recipe: Recipe, failed: Sequence[UnusedRun]) -> list[SpectrumDataset]:
    """Return a view for each run that could not be read or used."""
    masked = np.flatnonzero(rows.outcome).tolist()
    pieces = [rows.read(masked)] if masked else []
    pieces += [failed_rows(rows, recipe, failed)] if failed else []
    return Datasets.from_xarray(joined_rows(pieces)).unused if pieces else []
