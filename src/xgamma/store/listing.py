"""The records of many products, read in turn; those that cannot be read are named and stop nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from xgamma.errors import StoreError
from xgamma.storage.backend import Backend
from xgamma.store.records import RECORD_FILE, Record, validate_known

log = logging.getLogger(__name__)

_AT_ONCE = 500
"""How many records are asked for at a time: enough for all requests to a server, and little memory."""


class Listing(NamedTuple):
    """The records of products.

    Parameters
    ----------
    records
        Those that can be read, sorted by kind and key.
    damaged
        What is wrong with the others, by product: ``kind/key``.
    """

    records: list[Record]
    damaged: Mapping[str, StoreError]

    def sound(self) -> list[Record]:
        """Return all records; raises ``StoreError`` where one is damaged."""
        for error in self.damaged.values():
            raise error
        return self.records


class RecordsInTurn:
    """The records of those products that are published, read while one goes through them.

    Whoever keeps little of each needs little memory; and what is read into the same memory again takes less time.

    Parameters
    ----------
    backend
        Where they are.
    products
        ``kind/key``, ...
    """

    def __init__(self, backend: Backend, products: Sequence[str]) -> None:
        self._backend, self._products = backend, products
        self.damaged: dict[str, StoreError] = {}
        """What is wrong with those that could not be read so far, by product."""

    def __iter__(self) -> Iterator[Record]:
        for start in range(0, len(self._products), _AT_ONCE):
            products = self._products[start : start + _AT_ONCE]
            paths = [f"{product}/{RECORD_FILE}" for product in products]
            for product, path, content in zip(products, paths, read_each(self._backend, paths), strict=True):
                try:
                    if content is not None:
                        yield self._record(content, path)
                except StoreError as error:
                    self.damaged[product] = error

    def _record(self, content: bytes | str, path: str) -> Record:
        if isinstance(content, str):
            raise StoreError(f"{content}.")
        return Record.from_bytes(content, path, self._backend.url)

    def listed(self) -> Listing:
        """Return all of them, and what is wrong with the others."""
        return Listing(list(self), self.damaged)


def records_in_turn(backend: Backend, kinds: Iterable[str]) -> RecordsInTurn:
    """Return the records of all products of ``kinds``, sorted by kind and key."""
    return RecordsInTurn(backend, [f"{kind}/{key}" for kind in kinds for key in backend.children(kind)])


def known_records(listing: Listing, url: str) -> Listing:
    """Return a listing in which records that lack what the format asks of their kind are damaged too."""
    records: list[Record] = []
    damaged = dict(listing.damaged)
    for record in listing.records:
        try:
            records.append(validate_known(record, url))
        except StoreError as error:
            damaged[f"{record.kind}/{record.key}"] = error
    return Listing(records, damaged)


def read_each(backend: Backend, paths: Sequence[str]) -> list[bytes | str | None]:
    """Return the bytes of files, or why one cannot be read that is there: on a disk it may be no file.

    A server that does not answer ends all.
    """
    try:
        return list(backend.read_many(paths))
    except StoreError:
        if backend.is_remote:
            raise
    return [_read_or_reason(backend, path) for path in paths]


def _read_or_reason(backend: Backend, path: str) -> bytes | str | None:
    try:
        return backend.read(path)
    except StoreError as error:
        return str(error).rstrip(".")


def warn_of_damage(damaged: Mapping[str, StoreError]) -> None:
    """Name products whose records are damaged; they are left as they are."""
    for product, error in damaged.items():
        log.warning("%s Nothing of %s was touched.", error, product)


def kinds(backend: Backend) -> list[str]:
    """Return the kinds of product that a store holds; a leading underscore is the store's own."""
    return [kind for kind in backend.children() if not kind.startswith("_")]
