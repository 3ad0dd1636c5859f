"""Tags: which version of each run was the newest at a moment, and what had been made of them."""

from __future__ import annotations

from typing import Any

from xgamma.errors import OutputExistsError
from xgamma.ingest.stored import stored_versions
from xgamma.schema import Kind
from xgamma.store import Store
from xgamma.store.records import now


def tag(store: Store, name: str, *, overwrite: bool = False) -> dict[str, Any]:
    """Remember the present state of a store under a name, and return what is remembered.

    Runs are remembered by the digest of their files, so that a tag holds when parts are merged; rows follow from runs.

    Parameters
    ----------
    store
        Where the products are.
    name
        Letters, digits, ``.``, ``_`` and ``-``.
    overwrite
        Whether a tag of that name is replaced.

    Returns
    -------
    dict
        ``time``; ``runs``, the run key of the newest version of each run by release and observation id; ``products``,
        the keys of stacks, fits and flux points by kind.

    Raises
    ------
    OutputExistsError
        When there is such a tag.
    DataError
        When the name cannot be part of a path.

    Examples
    --------
    >>> tag(Store("memory://"), "first-light")["runs"]
    {}
    """
    if not overwrite and name in store.tags():
        raise OutputExistsError(f"There is a tag {name!r} already. Choose another name, or set it with overwrite=True.")
    content = {"time": now(), "runs": newest_runs(store), "products": _made(store)}
    store.set_tag(name, content)
    return content


def newest_runs(store: Store) -> dict[str, dict[str, str]]:
    """Return the run key of the newest version of each run, by release and observation id."""
    releases = sorted({str(record.texts["release"]) for record in store.records(Kind.DL3)})
    return {
        release: {str(obs_id): list(versions)[-1] for obs_id, versions in stored_versions(store, release).items()}
        for release in releases
    }


def _made(store: Store) -> dict[str, list[str]]:
    made: dict[str, list[str]] = {}
    for record in store.ls():
        if record.kind not in (Kind.DL3, Kind.ROWS):
            made.setdefault(record.kind, []).append(record.key)
    return made
