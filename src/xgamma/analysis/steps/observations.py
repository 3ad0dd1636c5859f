"""``ingest``: the runs of a configuration, selected, and read where the store does not hold them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from xgamma.analysis.costs import ingest_cost
from xgamma.analysis.failures import failed_runs, note_failures, on_failed_ingest
from xgamma.analysis.selected import Selected, selected
from xgamma.analysis.steps.step import Finding, Results, Step
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import needed_roles, release_of, selection_of, validate_workers
from xgamma.execute import collector_at_rest
from xgamma.ingest import FitsRelease, StoredRelease
from xgamma.ingest.notes import log_notes, notes_of
from xgamma.outcome import INGEST
from xgamma.select import Selection
from xgamma.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ObservationsWanted:
    """Which runs are wanted.

    Parameters
    ----------
    config
        Names the release.
    selection
        Which of its runs.
    roles
        The responses without which a run cannot be reduced.
    retry_failed
        Whether only runs are read that failed before.
    rehash
        Whether files on this machine are compared that kept their size and time.
    """

    config: AnalysisConfig
    selection: Selection
    roles: tuple[str, ...]
    retry_failed: bool = False
    rehash: bool = False

    def selected(self) -> Selected:
        """Open the release and select."""
        with collector_at_rest():
            return selected(release_of(self.config), self.selection)


class ObservationsStep(Step[ObservationsWanted]):
    """Selects runs of a release and ingests those that the store does not hold."""

    name, section, needs = "ingest", "observations", ()

    def wanted(self, config: AnalysisConfig) -> tuple[ObservationsWanted, ...]:
        """Return the selection of a configuration; reads ``obs_file``."""
        return (ObservationsWanted(config, selection_of(config), needed_roles(config)),)

    def find(self, wanted: ObservationsWanted, results: Results) -> Finding:
        """Return whether the store holds all runs as their files are now."""
        chosen = results.selected or wanted.selected()
        release, obs_ids = chosen.release, chosen.obs_ids
        pending = release.pending(obs_ids, results.store)
        ahead = replace(results, selected=None, release=release, runs=len(obs_ids))
        if pending:
            reason = f"{len(pending)} of {len(obs_ids)} runs are new or have changed"
            nbytes = release.nbytes(pending) if isinstance(release, FitsRelease) else 0
            ahead = replace(ahead, awaited="ingest")
            return Finding(len(pending), reason, ahead, cost=ingest_cost(nbytes, len(pending), results.workers))

        def read() -> Results:
            observations = chosen.observations(release.load(obs_ids, results.store))
            return replace(ahead, observations=observations, runs=len(observations))

        return Finding(len(obs_ids), "the store holds all runs as their files are now", ahead, read=read)

    def compute(self, wanted: ObservationsWanted, results: Results) -> Results:
        """Select runs, and read those that the store does not hold.

        Raises
        ------
        UnknownNameError
            When an observation id is not in the release.
        InputError
            When a run cannot be read, and ``general.fail_fast`` is set.
        """
        chosen = results.selected or wanted.selected()
        release, store = chosen.release, results.store
        validate_workers(results.workers, store.url)
        obs_ids = _known_or_failed(release, chosen.obs_ids, store) if wanted.retry_failed else chosen.obs_ids
        on_failure = on_failed_ingest(bool(wanted.config.general.fail_fast), store, release)
        holdings = release.load(obs_ids, store, results.workers, on_failure, wanted.rehash)
        note_failures(store, release.name, release.origin, holdings.failures, INGEST, map(str, holdings.places))
        log_notes(notes_of(holdings), wanted.roles)
        observations = chosen.observations(holdings)
        chosen.log(len(obs_ids), observations)
        computed = results.computed
        if holdings.ingested:
            computed |= {self.section}
            log.info("Ingested %d runs into %s.", len(holdings.ingested), store.url)
        log.info("Number of selected observations: %d", len(observations))
        return replace(
            results,
            selected=None,
            release=release,
            runs=len(observations),
            observations=observations,
            computed=computed,
        )


def _known_or_failed(release: FitsRelease | StoredRelease, obs_ids: Sequence[int], store: Store) -> list[int]:
    """Return the runs that the store holds and those that failed before, without those that are new."""
    new = set(release.pending(obs_ids, store))
    failed = new.intersection(each.obs_id for each in failed_runs(store, release.name))
    log.info("Trying %d runs again that failed before; %d new ones wait.", len(failed), len(new - failed))
    return [obs_id for obs_id in obs_ids if obs_id not in new - failed]
