"""Damaged products, as a copy holds that was interrupted: set aside when a step meets one, and computed again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from xgamma.errors import DamagedError, StoreError
from xgamma.ingest import FitsRelease, StoredRelease
from xgamma.schema import Kind
from xgamma.store import Store

log = logging.getLogger(__name__)


class Stepper(Protocol):
    """What an analysis has that is needed here."""

    @property
    def datastore(self) -> FitsRelease | StoredRelease | None:
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
                if product in met or not can_be_made_again(damage, analysis.store, analysis.datastore):
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
    if not isinstance(release, FitsRelease):
        return False
    # Of a damaged record nobody knows the runs; those of another release, or as their files once were, would be lost.
    if place == "record.json" or not store.has(kind, key):
        return False
    runs = store.record(kind, key).texts.get("runs", [])
    return release.has_files([run["obs_id"] for run in runs]) and all(
        release.run_keys(run["obs_id"], store)[:1] == (run["run_key"],) for run in runs
    )
