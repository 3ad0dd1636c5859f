"""``Record``: the small JSON that makes a product exist, with where it came from."""

from __future__ import annotations

import dataclasses
import datetime
import json
import operator
import platform
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from xgamma import __version__
from xgamma.errors import DamagedError, DataError, StoreError
from xgamma.lazily import loaded
from xgamma.schema.documents import PROVENANCE_OF, RECORD, TEXTS
from xgamma.schema.tables import Violation, field_violations
from xgamma.store.documents import are_segments, parsed_mapping, plain, validate_segment

SCHEMA = 1
RECORD_FILE = "record.json"
"""The name of the file, in the folder of the product."""
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
    metadata
        The SHA-256 of the ``zarr.json`` of the product, by which all else in it is decoded; empty in records of xgamma
        0.1.0, which did not write it down.
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
    metadata: str = ""

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
        """Read the record that stands at ``path``, which ends in ``kind/key/record.json``, in the store ``url``.

        Fields that a later version added are passed over.

        Raises
        ------
        DamagedError
            When it is no record, or that of another product.
        StoreError
            When it is of a newer layout, and not as a record of this one.
        """
        kind, key = path.split("/")[-3:-1]
        try:
            document = parsed_mapping(content, "provenance", "software", *_ALIKE.get(kind, ()))
        except ValueError as error:
            raise damaged_record(path, url, f"it {error}") from None
        if _is_usual(document, kind, key):
            return cls._from_document(document)
        for wrong in _violations(document, kind, key):
            _validate_version(document.get("schema", SCHEMA), path)
            raise damaged_record(path, url, wrong)
        return cls._from_document({**_MAY_LACK, **document})

    @classmethod
    def _from_document(cls, document: dict[str, Any]) -> Self:
        """Return the record that a document with all fields is; the document is its own from now on."""
        if len(document) > len(_NAMES):
            document = dict(zip(_NAMES, _VALUES(document), strict=True))
        document.update(inputs=tuple(document["inputs"]), supersedes=tuple(document["supersedes"]))
        record = object.__new__(cls)
        # What __init__ of a frozen class does field by field is a tenth of the time in which a record is read.
        object.__setattr__(record, "__dict__", document)
        return record


_NAMES = tuple(field.name for field in dataclasses.fields(Record))
_VALUES = operator.itemgetter(*_NAMES)
_ALIKE = {kind: ("recipe",) for kind, fields in PROVENANCE_OF.items() if "recipe" in fields}
"""What is the same in the provenance of many records beside the software, and takes most time to parse, by kind."""
_JSON = {"text": str, "whole number": int, "mapping": dict, "list": list}
_TYPES = tuple(_JSON[RECORD[name].type.partition(" of ")[0]] for name in _NAMES)
# Older records may lack these; what their version is, readers ask.
_MAY_LACK: Mapping[str, Any] = {"texts": {}, "schema": SCHEMA, "metadata": ""}
_FIELDS = {
    name: dataclasses.replace(spec, required=name not in _MAY_LACK) for name, spec in RECORD.items() if name != "schema"
}


def damaged_record(path: str, url: str, what: str) -> DamagedError:
    """Return the error for a record that ``what`` is wrong with."""
    sentence = f"The record {path} of the store {url} is damaged: {what}. Delete it, the product is computed again."
    return DamagedError(sentence, url, path)


def _is_usual(document: Mapping[str, Any], kind: str, key: str) -> bool:
    """Whether a document is a record as most of thousands are, by one look; then nothing violates the format."""
    try:
        values = _VALUES(document)
    except KeyError:
        return False
    if tuple(map(type, values)) != _TYPES:
        return False
    own_kind, own_key, attempt, _, digests, nbytes, _, inputs, texts, supersedes, _, _ = values
    return (
        (own_kind, own_key) == (kind, key)
        and nbytes >= 0
        and {str}.issuperset(map(type, (*inputs, *supersedes, *digests.values())))
        and are_segments((attempt, kind, key, *supersedes, *_words(digests)))
        and not (texts and any(_text_violations(texts, kind)))
    )


def _words(groups: Iterable[str]) -> list[str]:
    """Return the names that paths of groups are made of, without the root, which is empty."""
    below_root = list(filter(None, groups))
    return "/".join(below_root).split("/") if below_root else below_root


def _violations(document: Mapping[str, Any], kind: str, key: str) -> Iterator[str]:
    """Yield why a document is no record of a product."""
    for violation in field_violations(document, _FIELDS, ""):
        yield _no_field(violation)
    if (document["kind"], document["key"]) != (kind, key):
        yield f"it says that it is the record of {document['kind']}/{document['key']}"
    if document["nbytes"] < 0:
        yield f"nbytes is {document['nbytes']}"
    yield from _name_violations(document["attempt"], (kind, key, *document["supersedes"]), document["digests"])
    yield from _text_violations(document.get("texts", {}), kind)


def _name_violations(attempt: str, names: Iterable[str], groups: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with words that are parts of paths."""
    try:
        validate_segment(attempt, "folder name")
        for word in names:
            validate_segment(word, "name")
        for group in groups:
            validate_group_path(group)
    except DataError as error:
        yield str(error).rstrip(".")


def _no_field(violation: Violation) -> str:
    return f"{violation.where} is no {violation.expected} but {violation.found}"


def _text_violations(texts: Mapping[str, Any], kind: str) -> Iterator[str]:
    """Yield which texts have another type than the format defines for products of a kind; some may be missing."""
    present = {name: spec for name, spec in TEXTS.get(kind, {}).items() if name in texts}
    for violation in field_violations(texts, present, "texts"):
        yield _no_field(violation)
    # Ten thousand runs and their files are looked at in a millisecond or two.
    if "runs" in present and not all(
        type(run.get("obs_id")) is int and type(run.get("run_key")) is str and type(run.get("sequence", 0)) is int
        for run in texts["runs"]
    ):
        yield "a run in its texts has no obs_id or sequence, whole numbers, or no run_key, a text"
    if "files" in present and not all(type(file) is list and len(file) == 3 for file in texts["files"].values()):
        yield "it has a file in its texts without size, version and SHA-256"


def validate_known(record: Record, url: str) -> Record:
    """Return a record with all that the format asks of its kind; raises ``DamagedError`` where it lacks some."""
    texts, provenance_of = (fields.get(record.kind, {}) for fields in (TEXTS, PROVENANCE_OF))
    lacking = [f"texts {name}" for name, spec in texts.items() if spec.required and name not in record.texts]
    lacking += [violation.where for violation in field_violations(record.provenance, provenance_of, "provenance")]
    if lacking:
        raise damaged_record(record_path(record.kind, record.key), url, f"it has no {' and no '.join(lacking)}")
    return record


def validate_group_path(group: str) -> None:
    """Raise ``DataError`` unless a group is the root, which is empty, or names with ``/`` between them."""
    for name in group.split("/") if group else ():
        validate_segment(name, "group name")


def validate_schema(record: Record) -> None:
    """Raise ``StoreError`` for a record of a newer layout, in which the same fields may mean something else."""
    _validate_version(record.schema, record_path(record.kind, record.key))


def _validate_version(schema: Any, path: str) -> None:
    if isinstance(schema, bool) or not isinstance(schema, int) or schema > SCHEMA:
        raise StoreError(f"{path} has schema {schema}, this xgamma reads up to {SCHEMA}. Install a newer xgamma.")


def record_path(kind: str, key: str) -> str:
    """Return where the record of a product stands."""
    return f"{kind}/{key}/{RECORD_FILE}"


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
    # Loaded modules hold their versions; the metadata of packages would take 0.1 s to read.
    found = {name: loaded(name) for name in _LIBRARIES}
    versions = {name: str(getattr(each, "__version__", "unknown")) for name, each in found.items() if each is not None}
    return {"xgamma": __version__, "python": platform.python_version(), "platform": platform.platform(), **versions}
