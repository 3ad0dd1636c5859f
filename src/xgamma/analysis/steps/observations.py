"""``ingest``: the runs of a configuration, selected, and read where the store does not hold them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from xgamma.analysis import costs
from xgamma.analysis.failures import failed_runs, note_failures, on_failed_ingest
from xgamma.analysis.selected import Selected, selected
from xgamma.analysis.steps.step import Finding, Observed, Results, Step
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import needed_roles, observations_of, release_of, selection_of, validate_workers
from xgamma.config.sections import ObservationsConfig
from xgamma.errors import ConfigError, DataError, InputError
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
    name
        Of the entry of ``datasets`` that they are for alone; empty for those of the section ``observations``.
    section
        Names the release.
    selection
        Which of its runs.
    roles
        The responses without which a run cannot be reduced.
    fail_fast
        Whether the first run that cannot be read ends the work.
    retry_failed
        Whether only runs are read that failed before.
    rehash
        Whether files on this machine are compared that kept their size and time.
    """

    name: str
    section: ObservationsConfig
    selection: Selection
    roles: tuple[str, ...]
    fail_fast: bool = False
    retry_failed: bool = False
    rehash: bool = False

    def selected(self, opened: FitsRelease | StoredRelease | None = None) -> Selected:
        """Select of the release, which is opened where that has not been done yet."""
        with collector_at_rest(), errors_of(self.name):
            return selected(opened or release_of(self.section), self.selection)


@contextmanager
def errors_of(name: str) -> Iterator[None]:
    """Begin what is wrong with the observations of an entry of ``datasets`` with its name, where it has one."""
    try:
        yield
    except (ConfigError, DataError, InputError) as error:
        if not name:
            raise
        raise type(error)(f"{name}: {error}") from error


class ObservationsStep(Step[ObservationsWanted]):
    """Selects runs of a release and ingests those that the store does not hold."""

    name, section, needs = "ingest", "observations", ()

    def wanted(self, config: AnalysisConfig) -> tuple[ObservationsWanted, ...]:
        """Return the selections of a configuration; reads ``obs_file``."""
        fail_fast = bool(config.general.fail_fast)
        return tuple(
            ObservationsWanted(
                each.name, each.section, selection_of(each.section), needed_roles(each.entries), fail_fast
            )
            for each in observations_of(config)
        )

    def find(self, wanted: ObservationsWanted, results: Results) -> Finding:
        """Return whether the store holds all runs as their files are now."""
        chosen = _chosen(wanted, results)
        release, obs_ids = chosen.release, chosen.obs_ids
        pending = release.pending(obs_ids, results.store)
        ahead = _with_observed(wanted, results, Observed(release=release, runs=len(obs_ids)))
        if pending:
            reason = f"{len(pending)} of {len(obs_ids)} runs are new or have changed"
            nbytes = release.nbytes(pending) if isinstance(release, FitsRelease) else 0
            ahead = replace(ahead, awaited="ingest")
            return Finding(len(pending), reason, ahead, cost=costs.ingest_cost(nbytes, len(pending), results.workers))

        def read() -> Results:
            observations = chosen.observations(release.load(obs_ids, results.store))
            return _with_observed(wanted, ahead, Observed(None, release, len(observations), observations))

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
        chosen = _chosen(wanted, results)
        release, store = chosen.release, results.store
        validate_workers(results.workers, store.url)
        obs_ids = _known_or_failed(release, chosen.obs_ids, store) if wanted.retry_failed else chosen.obs_ids
        on_failure = on_failed_ingest(wanted.fail_fast, store, release)
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
        observed = Observed(None, release, len(observations), observations, chosen.mean_pointing)
        return replace(_with_observed(wanted, results, observed), computed=computed)


def _chosen(wanted: ObservationsWanted, results: Results) -> Selected:
    """Return the selected runs, of which the release is asked where nobody did."""
    return results.observed.get(wanted.name, Observed()).selected or wanted.selected()


def _with_observed(wanted: ObservationsWanted, results: Results, observed: Observed) -> Results:
    return replace(results, observed={**results.observed, wanted.name: observed})


def _known_or_failed(release: FitsRelease | StoredRelease, obs_ids: Sequence[int], store: Store) -> list[int]:
    """Return the runs that the store holds and those that failed before, without those that are new."""
    new = set(release.pending(obs_ids, store))
    failed = new.intersection(each.obs_id for each in failed_runs(store, release.name))
    log.info("Trying %d runs again that failed before; %d new ones wait.", len(failed), len(new - failed))
    return [obs_id for obs_id in obs_ids if obs_id not in new - failed]
