"""Parts of a store: small ones merged, by release and by recipe, and tags of the newest version of each run."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import xarray as xr

from xgamma.errors import OutputExistsError
from xgamma.ingest import merge_parts
from xgamma.ingest.stored import stored_versions
from xgamma.reduce import joined_rows, with_names
from xgamma.schema import Kind
from xgamma.store import Record, Store
from xgamma.store.records import now


def compact(store: Store) -> list[Record]:
    """Merge the parts of each release and of each recipe; what was found before is found after.

    Returns
    -------
    list
        The records of the merged parts. The old ones stay readable until ``Store.gc``, a day later.

    Examples
    --------
    >>> compact(Store("memory://"))
    []
    """
    # What a merged part holds already is not merged again: the rest of an interrupted compaction, parts with a name.
    left = sorted(store.end_compactions(), key=lambda record: record.created)
    runs, rows = ([record for record in left if record.kind == kind] for kind in (Kind.DL3, Kind.ROWS))
    merged = [merge_parts(store, release, of_release) for release, of_release in _grouped(runs, "release").items()]
    merged += [_merge_rows(store, recipe, of_recipe) for recipe, of_recipe in _grouped(rows, "recipe").items()]
    return [record for record in merged if record is not None]


def _grouped(records: Sequence[Record], text: str) -> dict[str, list[Record]]:
    """Return records by one of their texts, sorted by it."""
    texts = sorted({str(record.texts[text]) for record in records})
    return {value: [record for record in records if record.texts[text] == value] for value in texts}


def _merge_rows(store: Store, recipe: str, records: Sequence[Record]) -> Record | None:
    if len(records) < 2:
        return None
    texts = {"recipe": recipe, "rows": [row for record in records for row in record.texts["rows"]]}
    return store.compact(
        Kind.ROWS,
        [record.key for record in records],
        lambda parts: {"": _joined([part[""] for part in parts])},
        {"recipe": records[0].provenance["recipe"]},
        texts=texts,
    )


def _joined(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Return all rows; of those with one name, such as two versions of a run, the later ones get a number."""
    used: set[str] = set()
    named = []
    for part in parts:
        names = [_unused(name, used) for name in part["dataset"].values.tolist()]
        named.append(with_names(part, names))
    return joined_rows(named)


def _unused(name: str, used: set[str]) -> str:
    tried = itertools.chain([name], (f"{name} ({number})" for number in itertools.count(2)))
    found = next(each for each in tried if each not in used)
    used.add(found)
    return found


def tag(store: Store, name: str, *, overwrite: bool = False) -> dict[str, Any]:
    """Remember the present state of a store under a name, and return what is remembered.

    Runs are remembered by the digest of their files, so that a tag holds when parts are merged; rows follow from runs,
    and pictures from what they show.

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
    ConfigError
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
        if record.kind not in (Kind.DL3, Kind.ROWS, Kind.PICTURE):
            made.setdefault(record.kind, []).append(record.key)
    return made
