"""Runs that cannot be used: which ones the index already gives away, and what is said when none is left."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xgamma.errors import ConfigError, InputError
from xgamma.ingest import Failure
from xgamma.outcome import Outcome
from xgamma.select import Sieved

log = logging.getLogger(__name__)

REASONS_SHOWN = 3
INGEST, REDUCE = "ingest", "reduce"


@dataclass(frozen=True)
class UnusedRun:
    """A run, or the piece of a run in an interval, that could not be used.

    Parameters
    ----------
    name
        The name of its row, which is the observation id unless there are several intervals.
    stage
        ``ingest`` or ``reduce``.
    kind
        The name of its outcome, such as ``unreadable_file``.
    message
        What is wrong, as a sentence.
    """

    name: str
    stage: str
    kind: str
    message: str

    @classmethod
    def of(cls, name: str, stage: str, outcome: Outcome, message: str) -> UnusedRun:
        """Return the run of an outcome."""
        return cls(name, stage, outcome.name.lower(), message)

    @classmethod
    def of_failure(cls, failure: Failure) -> UnusedRun:
        """Return the run of a failed ingest."""
        return cls.of(str(failure.obs_id), INGEST, failure.outcome, failure.message)

    @property
    def obs_id(self) -> int:
        """The observation id, which may be negative."""
        found = re.match(r"-?\d+", self.name)
        return int(found[0]) if found else 0

    def __str__(self) -> str:
        return f"Run {self.name} is not used: {self.message.rstrip('.')}."


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


def nothing_selected(failures: Sequence[Failure], dropped: Mapping[str, Mapping[int, str]]) -> InputError | ConfigError:
    """Return the error for a selection without a run that could be read; an expression that drops some is named."""
    if failures:
        return InputError(no_run_left([UnusedRun.of_failure(failure) for failure in failures]))
    by_expression = len(dropped.get("expression", ()))
    others = f" The expression alone drops {by_expression}; change it." if by_expression else ""
    return ConfigError(
        f"observations: the selection holds no run; widen obs_cone or obs_time, or give other obs_ids.{others}"
    )


def no_run_left(runs: Sequence[UnusedRun]) -> str:
    """Return a sentence with the first few reasons, as thousands of runs may have one each.

    >>> no_run_left([UnusedRun("23523", "reduce", "no_events", "the event list is empty")])
    'No run can be used. Run 23523: the event list is empty.'
    """
    reasons = "; run ".join(f"{run.name}: {run.message.rstrip('.')}" for run in runs[:REASONS_SHOWN])
    more = len(runs) - REASONS_SHOWN
    return f"No run can be used. Run {reasons}{f'; and {more} more, see the log' if more > 0 else ''}."
