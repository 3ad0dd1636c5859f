"""The runs of a configuration: selected, read where the store does not hold them, and what is dropped and why."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from xgamma.analysis.failures import failed_runs, note_failures, on_failed_ingest
from xgamma.analysis.observations import Observations
from xgamma.analysis.unused import INGEST, UnusedRun, lacking_responses, log_dropped
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import needed_roles, selection_of
from xgamma.execute import Workers, collector_at_rest
from xgamma.ingest import FitsRelease, StoredRelease
from xgamma.ingest.notes import log_notes, notes_of
from xgamma.select import contradicting, rows_of, sieved
from xgamma.store import Store

log = logging.getLogger(__name__)


def read_observations(
    release: FitsRelease | StoredRelease,
    config: AnalysisConfig,
    store: Store,
    workers: Workers,
    retry_failed: bool,
    rehash: bool = False,
) -> Observations:
    """Select runs of a release and ingest those that a store does not hold.

    Parameters
    ----------
    release, config
        The runs, and the configuration that selects some of them.
    store, workers
        Where runs are kept, and where files are read.
    retry_failed
        Whether only runs are read that failed before.
    rehash
        Whether files on this machine are compared that kept their size and time.

    Raises
    ------
    UnknownNameError
        When an observation id is not in the release.
    InputError
        When a run cannot be read, and ``general.fail_fast`` is set.
    """
    selection = selection_of(config)
    with collector_at_rest():
        facts = release.facts()
        found = sieved(facts, selection)
    wanted = _known_or_failed(release, found.obs_ids, store) if retry_failed else found.obs_ids
    on_failure = on_failed_ingest(bool(config.general.fail_fast), store, release)
    holdings = release.load(wanted, store, workers, on_failure, rehash)
    failed = [UnusedRun.of_failure(failure) for failure in holdings.failures]
    note_failures(store, release.name, release.origin, failed, INGEST, map(str, holdings.places))
    log_notes(notes_of(holdings), needed_roles(config))
    holdings = replace(holdings, failures=[*lacking_responses(found), *holdings.failures])
    readable = [obs_id for obs_id in wanted if obs_id in holdings.places]
    late = contradicting(holdings.parts, holdings.places, readable, selection)
    rows = rows_of(holdings.parts, holdings.places, [i for i in readable if i not in late], selection)
    dropped = {**found.dropped, "expression": {**found.dropped["expression"], **late}}
    log.info("Observations selected: %d out of %d.", len(wanted) - len(late), len(facts))
    log_dropped(dropped)
    return Observations(holdings, rows, dropped)


def _known_or_failed(release: FitsRelease | StoredRelease, obs_ids: Sequence[int], store: Store) -> list[int]:
    """Return the runs that the store holds and those that failed before, without those that are new."""
    new = set(release.pending(obs_ids, store))
    failed = new.intersection(each.obs_id for each in failed_runs(store, release.name))
    log.info("Trying %d runs again that failed before; %d new ones wait.", len(failed), len(new - failed))
    return [obs_id for obs_id in obs_ids if obs_id not in new - failed]
