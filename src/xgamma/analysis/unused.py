"""Runs that cannot be used: which ones the index already gives away, and what is said when none is left."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from xgamma.errors import ConfigError, InputError
from xgamma.ingest import Failure
from xgamma.outcome import Outcome
from xgamma.select import Sieved

log = logging.getLogger(__name__)

REASONS_SHOWN = 3


def lacking_responses(found: Sieved) -> list[Failure]:
    """Return the runs that would be selected, were it not for ``required_irf``."""
    dropped = found.dropped["required_irf"]
    return [Failure(obs_id, Outcome.MISSING_IRF, message) for obs_id, message in dropped.items()]


def log_dropped(dropped: Mapping[str, Mapping[int, str]]) -> None:
    """Log how many runs each criterion drops; those that lack a response one by one, as nobody asked for that."""
    for obs_id, reason in dropped["required_irf"].items():
        log.warning("Run %d is left out: %s.", obs_id, reason)
    for criterion in ("obs_cone", "expression"):
        if dropped[criterion]:
            log.info("Dropped by observations.%s: %d.", criterion, len(dropped[criterion]))


def nothing_selected(failures: Sequence[Failure]) -> InputError | ConfigError:
    """Return the error for a selection without a run that could be read."""
    if failures:
        return InputError(no_run_left([(str(failure.obs_id), failure.message) for failure in failures]))
    return ConfigError("observations: the selection holds no run; widen obs_cone or obs_time, or give other obs_ids.")


def no_run_left(outcomes: Sequence[tuple[str, str]]) -> str:
    """Return a sentence with the first few reasons, as thousands of runs may have one each.

    >>> no_run_left([("23523", "the event list is empty")])
    'No run can be used. Run 23523: the event list is empty.'
    """
    reasons = "; run ".join(f"{name}: {reason.rstrip('.')}" for name, reason in outcomes[:REASONS_SHOWN])
    more = len(outcomes) - REASONS_SHOWN
    return f"No run can be used. Run {reasons}{f'; and {more} more, see the log' if more > 0 else ''}."
