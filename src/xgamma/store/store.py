"""``Store``: write-once products, their records, and the names that point to them.

A product is ``<kind>/<key>/<attempt>/``, a Zarr v3 group that is never modified, published by
``<kind>/<key>/record.json``, which is put last and only if there is none. So a product exists exactly when its record
does, and no writer needs a lock.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import xarray as xr

from xgamma.description import Described, Description, Facts, Sheet
from xgamma.digits import some
from xgamma.errors import DamagedError, StoreError, UnknownNameError, did_you_mean
from xgamma.schema import products
from xgamma.schema.arrays import NamedArrays, PlainArrays
from xgamma.schema.tables import group_named, group_violations
from xgamma.storage.backend import open_backend
from xgamma.storage.locations import damaged
from xgamma.store import encoding as codec
from xgamma.store import garbage, opening, reading, said
from xgamma.store.documents import Documents, array_documents, dataset_digest, digest, parsed_mapping, validate_segment
from xgamma.store.ledgers import NAMES, Ledgers, write_label
from xgamma.store.listing import Listing, RecordsInTurn, kinds, known_records, records_in_turn, warn_of_damage
from xgamma.store.place import MARK, validate_place
from xgamma.store.records import SCHEMA, Record, draft_record, record_path, validate_known, validate_schema

if TYPE_CHECKING:
    import numpy.typing as npt
    from zarr.storage import StorePath

_OPENED = 64

DatasetGroups = Mapping[str, "xr.Dataset"]
Group = TypeVar("Group", bound=NamedArrays)


class Store(Described, Ledgers):
    """A store of products in a folder, in memory (``memory://``), in a bucket (``s3://bucket/prefix``) or on the web.

    ``url`` may be a path. With ``read_only`` everything that would write raises ``StoreError``, which is raised as well
    when the place cannot be used or was made by a newer xgamma.

    Examples
    --------
    >>> store = Store("memory://")
    >>> counts = xr.Dataset({"counts": ("energy", [1.0, 2.0], {"units": ""})})
    >>> record = store.put("dl4", digest("request"), {"": counts}, provenance={})
    >>> store.get("dl4", record.key).counts.values.tolist()
    [1.0, 2.0]
    """

    def __init__(self, url: str | Path, *, read_only: bool = False) -> None:
        self._backend = open_backend(url, create=not read_only)
        self.is_read_only = read_only
        self.url = self._backend.url
        # Of attempts, which never change; the record is read again each time.
        self._opened: OrderedDict[tuple[str, str], Documents] = OrderedDict()
        self._validate_schema()

    def __repr__(self) -> str:
        return f"Store({self.url!r})"

    def _description(self) -> Description:
        counts = {kind: len(self._backend.children(kind)) for kind in kinds(self._backend)}
        by_kind = Sheet(("kind", "products"), [(kind, f"{count:,}") for kind, count in counts.items()])
        access = "read only" if self.is_read_only else "read and write"
        products = some(sum(counts.values()), "product")
        about = Facts([("Place", self.url), ("Access", access), ("Holds", products)])
        return Description("Store", [about, *([by_kind] if counts else [])])

    def __reduce__(self) -> tuple[Callable[..., Store], tuple[str]]:
        if self.url.startswith("memory:"):
            raise StoreError("A store in memory stays in its process. Use a folder when other processes take part.")
        return partial(Store, read_only=self.is_read_only), (self.url,)

    @property
    def is_remote(self) -> bool:
        """Whether it is reached through a server, so that it is worth to ask for several things at a time."""
        return self._backend.is_remote

    def _validate_schema(self) -> None:
        content = self._backend.read(MARK)
        if content is None:
            document = {"format": "xgamma-store", "schema": SCHEMA}
            if not self.is_read_only:
                validate_place(self._backend)
                self._backend.create(MARK, json.dumps(document).encode())
            return
        try:
            schema = parsed_mapping(content).get("schema")
        except ValueError:
            schema = None
        if isinstance(schema, bool) or not isinstance(schema, int):
            raise StoreError(f"{self.url} has a store.json of something else. Use another folder as store.")
        if schema > SCHEMA:
            raise StoreError(
                f"The store {self.url} has schema {schema}, this xgamma reads up to {SCHEMA}. "
                "Install a newer xgamma or use another store."
            )

    # Products

    def put(
        self,
        kind: str,
        key: str,
        groups: DatasetGroups,
        provenance: Mapping[str, Any],
        *,
        inputs: Sequence[str] = (),
        texts: Mapping[str, Any] | None = None,
        encoding: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Record:
        """Write a product and return its record; where the key is published already, return that one's.

        Parameters
        ----------
        kind, key
            What it is (``dl3``, ``dl4``, ...) and the digest of what it is made from.
        groups
            Datasets by group: ``""`` is the root, others are ``"events"``, ``"irf/aeff-1a2b"``, ...
        provenance
            Configuration and such, in what JSON holds; software, host and time are added.
        inputs, texts
            For the record: keys of the products it is made from, names and free text.
        encoding
            ``{"events/energy": {"chunks": (1_000_000,)}}``; otherwise an array is one chunk up to 16 MB.

        Raises
        ------
        DataError
            When a Dataset holds what could not be read back unchanged.
        StoreError
            When the place cannot be written.
        """
        published = self._find(kind, key)
        if published is not None:
            return published
        draft = draft_record(kind, key, said.with_warnings(provenance), inputs, texts or {})
        return self._publish(draft, groups, encoding or {})

    def _publish(self, draft: Record, groups: DatasetGroups, encoding: Mapping[str, Mapping[str, Any]]) -> Record:
        self._validate_writable()
        loaded = {group: dataset.compute() for group, dataset in groups.items()}
        stored = {group: codec.encoded(dataset, group) for group, dataset in loaded.items()}
        record = dataclasses.replace(
            draft,
            digests={group: dataset_digest(dataset) for group, dataset in loaded.items()},
            nbytes=sum(array.values.nbytes for content in stored.values() for array in content.arrays.values()),
        )
        try:
            with self._backend.sentences("written"):
                metadata = codec.write_groups(self._backend.whole, record.folder, stored, encoding)
        except BaseException:
            # The first error is the one to tell; what cannot be deleted now is left to gc.
            with contextlib.suppress(StoreError):
                self._backend.delete_folder(record.folder)
            raise
        record = dataclasses.replace(record, metadata=metadata)
        # Where this fails, nobody knows whether the record arrived: the attempt is left to gc.
        created = self._backend.create(record_path(record.kind, record.key), record.to_bytes())
        # A server that ignores the condition accepts every writer; the record that stands is read back from it.
        if created and not self._backend.is_remote:
            return record
        standing = self.record(record.kind, record.key)
        # A request that was sent twice meets its own record. An attempt that was published for a moment only may have
        # readers: it is left to gc.
        if not created and standing.attempt != record.attempt:
            self._backend.delete_folder(record.folder)
        return standing

    def get(self, kind: str, key: str, group: str = "", record: Record | None = None) -> xr.Dataset:
        """Return one group of the product ``kind/key``, read into memory, identical to what was put.

        With its ``record``, the attempt that it names is read, also where another one has taken its place since.
        """
        return self._read_group(self._record_of(kind, key, group, record), group)

    def _documents(self, record: Record) -> Documents:
        name = record.folder, record.metadata
        found = self._opened.get(name)
        if found is None:
            found = self._opened[name] = opening.documents_of(self._backend, record, record.folder)
            # Threads may do so at once.
            for oldest in list(self._opened)[: max(0, len(self._opened) - _OPENED)]:
                self._opened.pop(oldest, None)
        return found

    def _read_group(self, record: Record, group: str) -> xr.Dataset:
        documents = self._group_documents(record, group)
        with self._backend.sentences("read"):
            return codec.read_group(self._backend.whole, record.folder, documents, group)

    def open(self, kind: str, key: str, group: str = "", record: Record | None = None) -> xr.Dataset:
        """Return one group of ``kind/key`` whose arrays are read when they are used, without dask; see ``get``."""
        record = self._record_of(kind, key, group, record)
        return codec.open_group(self._backend, record.folder, self._group_documents(record, group), group)

    def _group_documents(self, record: Record, group: str) -> Documents:
        """Return the documents of a product that has a group; raises ``StoreError`` where only its record has it."""
        documents = self._documents(record)
        if documents.get(group, {}).get("node_type") != "group":
            path = f"{record.folder}/zarr.json"
            raise self._backend.whole.damage(path, f"lacks the group {group!r}, which its record names")
        return documents

    def get_valid(self, kind: str, key: str, record: Record | None = None) -> xr.Dataset:
        """Return the root group of ``kind/key`` as ``get`` with ``record``, once it conforms to the format of its kind.

        Raises ``DamagedError`` where it is not.
        """
        return self.get_arrays(kind, key, record).dataset

    def get_arrays(self, kind: str, key: str, record: Record | None = None, group: str = "") -> PlainArrays:
        """Return what ``get_valid`` does of ``kind/key``, or of another ``group``, as named arrays without xarray.

        With its ``record`` as ``get``.
        """
        record = self._record_of(kind, key, group, record)
        documents = self._group_documents(record, group)
        with self._backend.sentences("read"):
            found = reading.read_group(self._backend.whole, record.folder, documents, group)
        return self.validated(found, record, group)

    def validated(self, group: Group, record: Record, name: str) -> Group:
        """Return the ``group`` called ``name`` of a product if it conforms to its format; raises ``DamagedError``.

        Only of the root group, whose arrays are small, values are looked at.
        """
        spec = group_named(products.PRODUCTS[record.kind], name)
        if spec is not None:
            laws = spec.laws if name == "" else ()
            found = next(iter(group_violations(group, dataclasses.replace(spec, laws=laws))), None)
            if found is not None:
                what = f"is of a product that is not of the format: {str(found.inside(name)).rstrip('.')}"
                raise damaged(self.url, f"{record.folder}/zarr.json", what)
        return group

    def read_attrs(self, kind: str, key: str, record: Record | None = None) -> dict[str, Any]:
        """Return the attrs of the root group of ``kind/key``, with its ``record`` as ``get``; no array is read."""
        return dict(self._group_documents(self._record_of(kind, key, "", record), "")[""]["attributes"])

    def read_columns(
        self,
        kind: str,
        key: str,
        group: str,
        names: Iterable[str],
        start: int,
        stop: int,
        record: Record | None = None,
    ) -> dict[str, npt.NDArray[Any]]:
        """Return rows ``start`` to ``stop`` of the columns ``names`` of a group of ``kind/key``, all read at once.

        With its ``record`` as ``get``. Raises ``UnknownNameError`` for a column that is not there.
        """
        record = self._record_of(kind, key, group, record)
        arrays = array_documents(self._group_documents(record, group), group)
        wanted = list(names)
        for name in wanted:
            if name not in arrays:
                raise UnknownNameError(f"{kind}/{key} {group!r} has no column {name!r}.{did_you_mean(name, arrays)}")
        folder = f"{record.folder}/{group}" if group else record.folder
        with self._backend.sentences("read"):
            return reading.read_group_arrays(
                self._backend.whole, folder, {name: arrays[name] for name in wanted}, slice(start, stop)
            )

    def groups(self, kind: str, key: str) -> list[str]:
        """Return the groups of the product ``kind/key``, in the order in which they were put."""
        return list(self.record(kind, key).digests)

    def has(self, kind: str, key: str) -> bool:
        """Whether the product ``kind/key`` is published."""
        return self._backend.exists(self._record_path(kind, key))

    def missing(self, kind: str, keys: Iterable[str]) -> list[str]:
        """Return those of the ``keys`` of a ``kind`` that are not published, in their order."""
        asked = list(keys)
        paths = [self._record_path(kind, key) for key in asked]
        return [key for key, found in zip(asked, self._backend.exist(paths), strict=True) if not found]

    def record(self, kind: str, key: str) -> Record:
        """Return the record of the product ``kind/key``; raises ``StoreError`` where there is none."""
        found = self._find(kind, key)
        if found is None:
            raise StoreError(f"The store {self.url} has no product {kind}/{key}. Compute it, or look with ls().")
        return found

    def ls(self, kind: str | None = None) -> list[Record]:
        """Return the records of all products, or of those of one kind, sorted by kind and key.

        Raises ``StoreError`` where one cannot be read; ``listing`` returns the others.
        """
        return self.listing(kind).sound()

    def listing(self, kind: str | None = None) -> Listing:
        """Return the records of all products, or of those of one kind, and what is wrong with damaged ones."""
        return self.records_in_turn(kind).listed()

    def records_in_turn(self, kind: str | None = None) -> RecordsInTurn:
        """Return what ``listing`` does of all products or of a ``kind``, one by one, for who keeps little of each."""
        return records_in_turn(self._backend, kinds(self._backend) if kind is None else [kind])

    def records(self, kind: str) -> list[Record]:
        """Return the records of all products of a kind of the format, with all texts that it asks for.

        Raises ``DamagedError`` where one lacks some.
        """
        return [validate_known(record, self.url) for record in self.ls(kind)]

    def path(self, kind: str, key: str) -> str:
        """Return the folder or url of the Zarr group of ``kind/key``.

        ``xr.open_zarr`` opens it unless it holds ``#`` or ``?``, where zarr from 3.2 on ends a text. What ``zarr``
        returns is opened by any version.
        """
        if self.url.startswith("memory:"):
            raise StoreError(f"A product in {self.url} has no path. Use zarr() or open(), or a store in a folder.")
        return f"{self.url.rstrip('/')}/{self.record(kind, key).folder}"

    def zarr(self, kind: str, key: str) -> StorePath:
        """Return what ``xr.open_zarr`` opens: the Zarr group of ``kind/key``, wherever the store is; read-only."""
        return self._backend.zarr.path_of(self.record(kind, key).folder)

    def _record_path(self, kind: str, key: str) -> str:
        return record_path(validate_segment(kind, "kind"), validate_segment(key, "key"))

    def _find(self, kind: str, key: str) -> Record | None:
        path = self._record_path(kind, key)
        content = self._backend.read(path)
        return None if content is None else Record.from_bytes(content, path, self.url)

    def _record_of(self, kind: str, key: str, group: str, record: Record | None = None) -> Record:
        record = record or self.record(kind, key)
        validate_schema(record)
        if group not in record.digests:
            raise UnknownNameError(f"{kind}/{key} has no group {group!r}.{did_you_mean(group, record.digests)}")
        return record

    def set_name(self, name: str, kind: str, key: str) -> None:
        """Let ``name`` point to the published product ``kind/key``, in the place of what it pointed to."""
        self._validate_writable()
        self.record(kind, key)
        write_label(self._backend, NAMES, name, {"kind": kind, "key": key})

    # Compaction and garbage collection

    def compact(
        self,
        kind: str,
        keys: Sequence[str],
        concatenate: Callable[[list[dict[str, xr.Dataset]]], DatasetGroups],
        provenance: Mapping[str, Any],
        *,
        texts: Mapping[str, Any] | None = None,
        encoding: Callable[[DatasetGroups], Mapping[str, Mapping[str, Any]]] = lambda _: {},
    ) -> Record:
        """Publish the concatenation of several products as one that supersedes them, then unpublish them.

        Killed at any moment it leaves the parts, or the merged product and some parts; the next ``compact`` or ``gc``
        ends it. Parts that a name points to stay. Superseded parts stay readable until ``gc``, a day later.

        Parameters
        ----------
        kind, keys
            The parts, in the order in which ``concatenate`` gets their groups.
        concatenate
            From the groups of every part to the groups of the merged product.
        provenance, texts
            As in ``put``.
        encoding
            From the groups of the merged product to its encoding, as in ``put``.
        """
        self._validate_writable()
        merged = digest({"compact": list(keys)})
        record = self._find(kind, merged)
        if record is None:
            groups = concatenate([self._all_groups(self.record(kind, key)) for key in keys])
            draft = draft_record(kind, merged, provenance, inputs=keys, texts=texts or {}, supersedes=keys)
            record = self._publish(draft, groups, encoding(groups))
        garbage.retire(self._backend, record)
        return record

    def _all_groups(self, record: Record) -> dict[str, xr.Dataset]:
        return {group: self._read_group(record, group) for group in record.digests}

    def end_compactions(self) -> list[Record]:
        """End compactions that were interrupted; return the records of what no other product holds.

        Damaged records are named, and passed over.
        """
        records, damaged = known_records(self.listing(), self.url)
        warn_of_damage(damaged)
        for record in records:
            garbage.retire(self._backend, record)
        held = {(record.kind, key) for record in records for key in record.supersedes}
        return [record for record in records if (record.kind, record.key) not in held]

    def set_aside(self, damage: DamagedError) -> None:
        """Unpublish the product that ``damage`` names, so that it is computed again; ``gc`` deletes it later.

        Does nothing where another attempt stands under its key by now.
        """
        self._validate_writable()
        kind, key, place = damage.path.split("/")[:3]
        try:
            found = self._find(kind, key)
            standing = None if found is None else found.attempt
            if found is not None and place == "record.json":
                validate_known(found, self.url)
        except DamagedError:
            standing = "record.json"
        if standing == place:
            garbage.set_aside(self._backend, kind, key, {"damage": str(damage), "attempt": place})

    def gc(self, older_than: datetime.timedelta = garbage.A_DAY) -> list[str]:
        """Delete attempts without a record that are older than ``older_than``; return their paths."""
        return self.collect(older_than).deleted

    def collect(self, older_than: datetime.timedelta = garbage.A_DAY) -> garbage.Collected:
        """Do what ``gc`` does for ``older_than``; return the paths, and products whose records are damaged."""
        self._validate_writable()
        return garbage.collect_garbage(self._backend, older_than)
