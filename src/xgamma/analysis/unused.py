"""Runs that cannot be used: which ones the index already gives away, and what is said when none is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from xgamma.errors import ConfigError, InputError
from xgamma.events import RunFacts
from xgamma.ingest import Failure
from xgamma.outcome import Outcome
from xgamma.select import Selection, select_runs

REASONS_SHOWN = 3


def lacking_responses(facts: Mapping[int, RunFacts], selection: Selection, obs_ids: Sequence[int]) -> Iterator[Failure]:
    """Yield the runs that would be selected, were it not for ``required_irf``."""
    selected = set(obs_ids)
    for obs_id in select_runs(facts, replace(selection, required_irf=())):
        if obs_id not in selected:
            missing = ", ".join(sorted(set(selection.required_irf) - facts[obs_id].roles))
            message = f"it has no {missing}, which observations.required_irf asks for"
            yield Failure(obs_id, Outcome.MISSING_IRF, message)


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
