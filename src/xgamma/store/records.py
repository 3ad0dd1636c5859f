"""``Record``: the small JSON that makes a product exist, with where it came from."""

from __future__ import annotations

import dataclasses
import datetime
import json
import platform
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from xgamma import __version__
from xgamma.errors import DamagedError, StoreError
from xgamma.store.keys import plain

SCHEMA = 1
_LIBRARIES = ("numpy", "scipy", "astropy", "xarray", "zarr", "obstore", "dask", "iminuit")


@dataclasses.dataclass(frozen=True)
class Record:
    """What is known of one product; the product exists exactly when this is in the store.

    Parameters
    ----------
    kind, key
        The name of the product: what it is, and the digest of what it was made from.
    attempt
        The folder of the writer that won.
    created
        When it was published, ISO 8601, UTC.
    digests
        The content digest of every group.
    nbytes
        The size of all arrays, uncompressed.
    provenance
        Software, host, time, configuration: recorded, never part of a key.
    inputs
        Keys of the products it was made from.
    texts
        Names and free text, which arrays do not hold.
    supersedes
        Keys of the same kind whose content this product holds.
    schema
        The version of this layout.
    """

    kind: str
    key: str
    attempt: str
    created: str
    digests: Mapping[str, str]
    nbytes: int
    provenance: Mapping[str, Any]
    inputs: tuple[str, ...] = ()
    texts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    supersedes: tuple[str, ...] = ()
    schema: int = SCHEMA

    @property
    def folder(self) -> str:
        """The path of the product's Zarr group in the store."""
        return f"{self.kind}/{self.key}/{self.attempt}"

    def bare(self) -> Record:
        """Return what reading a product needs of its record, without what can be long."""
        return dataclasses.replace(self, provenance={}, inputs=(), texts={}, supersedes=())

    def to_bytes(self) -> bytes:
        """Return the record as indented JSON."""
        return json.dumps(dataclasses.asdict(self), indent=1, allow_nan=False).encode()

    @classmethod
    def from_bytes(cls, content: bytes, path: str, url: str) -> Self:
        """Read the record that stands at ``path`` in the store ``url``; raises ``DamagedError`` when it is no record.

        Fields that a later version added are passed over.
        """
        try:
            document = json.loads(content)
            known = {field.name: document[field.name] for field in dataclasses.fields(cls) if field.name in document}
            return cls(**{**known, "inputs": tuple(known["inputs"]), "supersedes": tuple(known["supersedes"])})
        except (ValueError, TypeError, KeyError) as error:
            sentence = f"The record {path} of the store {url} is damaged. Delete it, the product is computed again."
            raise DamagedError(sentence, url, path) from error


def validate_schema(record: Record) -> None:
    """Raise ``StoreError`` for a record of a newer layout, which may mean something else by the same words."""
    if not isinstance(record.schema, int) or record.schema > SCHEMA:
        path = record_path(record.kind, record.key)
        raise StoreError(
            f"{path} has schema {record.schema}, this xgamma reads up to {SCHEMA}. Install a newer xgamma."
        )


def record_path(kind: str, key: str) -> str:
    """Return where the record of a product stands."""
    return f"{kind}/{key}/record.json"


def draft_record(
    kind: str,
    key: str,
    given: Mapping[str, Any],
    inputs: Sequence[str],
    texts: Mapping[str, Any],
    supersedes: Sequence[str] = (),
) -> Record:
    """Return the record of a new attempt, before its content is known; ``given`` is added to ``provenance()``.

    Raises ``DataError`` for what JSON does not hold.
    """
    return Record(
        kind=kind,
        key=key,
        attempt=uuid.uuid4().hex[:12],
        created=now(),
        digests={},
        nbytes=0,
        provenance={**provenance(), **plain(given, "provenance")},
        inputs=tuple(inputs),
        texts=plain(texts, "texts"),
        supersedes=tuple(supersedes),
    )


def now() -> str:
    """Return the time in UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def provenance() -> dict[str, Any]:
    """Return which software made a product, where and when.

    Of the command line only the program's name, as arguments and environment may hold secrets.
    """
    program = Path(sys.argv[0]).name if sys.argv else ""
    return {"software": dict(_software()), "host": platform.node(), "program": program, "time": now()}


def _software() -> Mapping[str, str]:
    # What is loaded says what it is; the metadata of packages would take 0.1 s to read.
    loaded = {name: sys.modules[name] for name in _LIBRARIES if name in sys.modules}
    versions = {name: str(getattr(module, "__version__", "unknown")) for name, module in loaded.items()}
    return {"xgamma": __version__, "python": platform.python_version(), "platform": platform.platform(), **versions}
