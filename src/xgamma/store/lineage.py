"""What a product was made from, down to the files, and what has changed of it since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xgamma.schema.tables import Kind
from xgamma.store.records import Record
from xgamma.store.store import Store

MADE_FROM = "made_from"
"""What the provenance of a record calls the products that it was made from: ``kind/key``, ..."""
FITTED = "fitted"
"""What the record of a fit calls the datasets that it was fitted to: product, rows of it, and the range of energy."""
UNCHANGED, CHANGED, GONE, ELSEWHERE = "unchanged", "changed since", "gone", "not looked at"


@dataclass(frozen=True)
class SourceFile:
    """A file that runs were read from, as it was then, and what became of it."""

    path: str
    size: int
    state: str


@dataclass(frozen=True)
class Made:
    """A product, and what it was made from.

    Parameters
    ----------
    name
        Its kind and key.
    record
        Its record; ``None`` where the store does not hold it any more.
    parts
        The products that it was made from.
    files
        The files that it was read from.
    is_whole
        Whether all that it was made from is known.
    """

    name: str
    record: Record | None
    parts: Sequence[Made] = ()
    files: Sequence[SourceFile] = ()
    is_whole: bool = True

    def lost(self) -> list[Made]:
        """Return the products below that the store does not hold any more."""
        own = [part for part in self.parts if part.record is None]
        return own + [each for part in self.parts for each in part.lost()]

    def changed_files(self) -> list[SourceFile]:
        """Return the files below that are not as they were."""
        own = [file for file in self.files if file.state in (CHANGED, GONE)]
        return own + [file for part in self.parts for file in part.changed_files()]

    def document(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "product": self.name,
            "created": None if self.record is None else self.record.created,
            "is_whole": self.is_whole,
            "made_from": [part.document() for part in self.parts],
            "files": [{"path": file.path, "bytes": file.size, "state": file.state} for file in self.files],
        }


def lineage(store: Store, record: Record) -> Made:
    """Return what a product was made from; records are read, and of files on this machine size and time.

    Products that older versions of xgamma made do not say what all of them were made from: ``is_whole`` is false then.
    """
    records = store.listing().records
    held = {f"{each.kind}/{each.key}": each for each in records}
    by_key = {each.key: each for each in records}
    # Rows are known by keys of their own.
    rows = {key: each for each in records if each.kind == Kind.ROWS for key in each.texts.get("rows", ())}
    return _made(record, held, {**rows, **by_key})


def with_contents(store: Store, wanted: Iterable[tuple[Kind, str]]) -> Iterator[Record]:
    """Yield the products of a kind whose root group has a digest; what steps made does not remember its key."""
    asked = set(wanted)
    for kind in dict.fromkeys(kind for kind, _ in asked):
        for record in store.records(kind):
            if (kind, record.digests.get("")) in asked:
                yield record


def _made(record: Record, held: Mapping[str, Record], by_key: Mapping[str, Record]) -> Made:
    name = f"{record.kind}/{record.key}"
    if record.kind == Kind.DL3 and "files" in record.texts:
        return Made(name, record, files=[_file(path, *facts) for path, facts in sorted(record.texts["files"].items())])
    given = record.provenance.get(MADE_FROM)
    named = [str(each) for each in given] if isinstance(given, list) else []
    inputs = [by_key[key] for key in record.inputs if key in by_key]
    found = dict.fromkeys([*named, *(f"{each.kind}/{each.key}" for each in inputs)])
    parts = [_made(held[each], held, by_key) if each in held else Made(each, None) for each in found if each != name]
    # Nothing is made of nothing: who wrote it did not write that down.
    is_whole = bool(named) or 0 < len(inputs) == len(record.inputs)
    return Made(name, record, parts, is_whole=is_whole and all(part.is_whole for part in parts))


def _file(path: str, size: int, version: Any, _digest: str) -> SourceFile:
    if "://" in path:
        return SourceFile(path, size, ELSEWHERE)
    try:
        status = Path(path).stat()
    except OSError:
        return SourceFile(path, size, GONE)
    is_same = (status.st_size, str(status.st_mtime_ns)) == (size, str(version))
    return SourceFile(path, size, UNCHANGED if is_same else CHANGED)
