"""Runs that failed for reasons that may pass: remembered in the store, so that they can be tried again alone.

What follows from data and request is a row with its outcome and is never tried again. What does not, such as a file
that cannot be read or a worker that died, is no product: it is reported, and remembered here until it succeeds.
A damaged product, as an interrupted copy may hold, is set aside when a step meets it, and computed again.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from xgamma import ingest
from xgamma.errors import DamagedError, DataError, InputError, StoreError
from xgamma.ingest import notes, part
from xgamma.outcome import INGEST, Outcome, UnusedRun
from xgamma.schema import Kind
from xgamma.store import Store, digest
from xgamma.store.records import now

if TYPE_CHECKING:
    from xgamma.ingest import FitsRelease, Origin, StoredRelease

log = logging.getLogger(__name__)

OnUnused = Callable[[UnusedRun], None]

FAIL_FAST = "general.fail_fast is set: the work ends here."


@dataclass(frozen=True)
class FailedRun:
    """A run of a release that failed when it was tried last.

    Parameters
    ----------
    release, origin
        The name of its release, and where that was.
    run
        What happened.
    time
        When, ISO 8601, UTC.
    """

    release: str
    origin: Origin
    run: UnusedRun
    time: str

    @property
    def datastore(self) -> str:
        """Where its release was."""
        return self.origin.datastore

    @property
    def obs_id(self) -> int:
        """The observation id, which may be negative."""
        return self.run.obs_id

    def document(self) -> dict[str, object]:
        """Return it as a mapping."""
        return {"release": self.release, **self.origin.document(), "run": self.run.document(), "time": self.time}


def failed_runs(store: Store, release: str | None = None) -> list[FailedRun]:
    """Return the runs that failed when they were tried last, of one release or of all, by id."""
    known = [_failed_run(store, name, each) for name, each in store.failures().items()]
    return sorted((each for each in known if release in (None, each.release)), key=lambda each: each.obs_id)


def _failed_run(store: Store, name: str, label: Mapping[str, Any]) -> FailedRun:
    try:
        return FailedRun(
            label["release"], ingest.Origin.of(label), UnusedRun.from_document(label["run"]), label["time"]
        )
    except (KeyError, ValueError):
        raise StoreError(
            f"_failed/{name}.json in {store.url} is not of a run that failed. Delete it, or copy it from a sound store."
        ) from None


def note_failures(
    store: Store, release: str, origin: Origin, failed: Sequence[UnusedRun], stage: str, done: Iterable[str]
) -> None:
    """Remember runs that failed in a stage, and forget those of earlier failures in it that are done now.

    Where the store cannot be written this is said, and stops nothing.
    """
    try:
        before = {each.run.name for each in failed_runs(store, release) if each.run.stage == stage}
        for run in failed:
            store.set_failure(_name(release, run.name), FailedRun(release, origin, run, now()).document())
        for name in before.intersection(done) - {run.name for run in failed}:
            store.forget_failure(_name(release, name))
    except StoreError as error:
        log.warning("Which runs failed could not be written down: %s", error)


def _name(release: str, run: str) -> str:
    return digest([release, run])


def on_failed_ingest(fail_fast: bool, store: Store, release: FitsRelease | StoredRelease) -> OnUnused:
    """Return what is done for a run that cannot be read: it is logged, or it is remembered and ends the work."""

    def end(run: UnusedRun) -> None:
        note_failures(store, release.name, release.origin, [run], INGEST, [])
        raise InputError(f"Run {run.obs_id} cannot be read: {run.message} {FAIL_FAST}")

    return end if fail_fast else part.log_failure


def on_unused_run(fail_fast: bool) -> OnUnused:
    """Return what is done for a run that cannot be used: it is logged, or it ends the work."""

    def end(run: UnusedRun) -> None:
        raise DataError(f"{run} {FAIL_FAST}")

    return end if fail_fast else lambda run: log.warning("%s", run)


def retry(store: Store) -> tuple[list[FailedRun], list[FailedRun]]:
    """Read all runs again whose ingest failed, and no others.

    Returns
    -------
    tuple
        The runs that were tried, and those of them that failed again, with what is wrong now. Runs whose reduction
        failed are tried by the next analysis that asks for them.

    Examples
    --------
    >>> retry(Store("memory://"))
    ([], [])
    """
    tried = [each for each in failed_runs(store) if each.run.stage == INGEST]
    for release, origin in dict.fromkeys((each.release, each.origin) for each in tried):
        runs = [each for each in tried if (each.release, each.origin) == (release, origin)]
        try:
            _read_again(store, release, origin, [each.obs_id for each in runs])
        except (InputError, StoreError) as error:
            # Of one release that is gone the others know nothing.
            failed = [dataclasses.replace(each.run, message=str(error)) for each in runs]
            note_failures(store, release, origin, failed, INGEST, [])
    still = {(each.release, each.obs_id) for each in tried}
    return tried, [each for each in failed_runs(store) if (each.release, each.obs_id) in still]


def _read_again(store: Store, name: str, origin: Origin, ids: Sequence[int]) -> None:
    release = ingest.open_release(origin.datastore, names=origin.names)
    if not isinstance(release, ingest.FitsRelease):
        raise StoreError(
            f"{origin.datastore} was a FITS release when it was read, and is a store now. Ingest the runs anew."
        )
    known = release.facts()
    lost = f"{origin.datastore} does not have it any more"
    gone = [UnusedRun.unread(obs_id, Outcome.UNREADABLE_FILE, lost) for obs_id in ids if obs_id not in known]
    held = release.load([obs_id for obs_id in ids if obs_id in known], store)
    notes.log_notes(notes.notes_of(held))
    note_failures(store, name, origin, [*gone, *held.failures], INGEST, [str(obs_id) for obs_id in held.places])


class Stepper(Protocol):
    """What an analysis has that is needed here."""

    @property
    def releases(self) -> Sequence[FitsRelease | StoredRelease]:
        """Where the runs come from."""

    @property
    def store(self) -> Store:
        """The store of products."""

    def read_again(self) -> None:
        """Get the runs anew, where they were got before."""


Steps = TypeVar("Steps", bound=Stepper)
Given = ParamSpec("Given")


def heals(step: Callable[Concatenate[Steps, Given], None]) -> Callable[Concatenate[Steps, Given], None]:
    """Return a step that, where it meets a damaged product of its store, sets that aside and begins again.

    What the files of a release cannot give again is not touched: then the ``DamagedError`` says what to do.
    """

    @wraps(step)
    def healing(analysis: Steps, /, *args: Given.args, **kwargs: Given.kwargs) -> None:
        met: set[str] = set()
        while True:
            try:
                step(analysis, *args, **kwargs)
                return
            except DamagedError as damage:
                product = "/".join(damage.path.split("/")[:2])
                releases = [*analysis.releases, None]
                if product in met or not any(can_be_made_again(damage, analysis.store, one) for one in releases):
                    raise
                met.add(product)
                set_aside(damage, analysis.store)
                if damage.path.startswith(f"{Kind.DL3}/"):
                    analysis.read_again()

    return healing


def set_aside(damage: DamagedError, store: Store) -> None:
    """Set a damaged product aside; where the store cannot be written to, the damage is what is said."""
    try:
        store.set_aside(damage)
    except StoreError:
        raise damage from None
    log.warning("%s Here it is computed again now.", damage)


def can_be_made_again(damage: DamagedError, store: Store, release: FitsRelease | StoredRelease | None) -> bool:
    """Whether a damaged product of a store can be computed again, a part of runs from the files of its release."""
    kind, key, place = damage.path.split("/", 2)
    if damage.url != store.url:
        return False
    if kind != Kind.DL3:
        return True
    if not isinstance(release, ingest.FitsRelease):
        return False
    # Of a damaged record nobody knows the runs; those of another release, or as their files once were, would be lost.
    if place == "record.json" or not store.has(kind, key):
        return False
    runs = store.record(kind, key).texts.get("runs", [])
    return release.has_files([run["obs_id"] for run in runs]) and all(
        release.run_keys(run["obs_id"], store)[:1] == (run["run_key"],) for run in runs
    )
