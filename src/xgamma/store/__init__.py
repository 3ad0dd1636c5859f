"""The store: write-once products of Datasets, published by their records."""

from __future__ import annotations

from xgamma.store.documents import canonical_json, dataset_digest, digest, file_digest
from xgamma.store.place import is_store
from xgamma.store.records import Record
from xgamma.store.store import Store

__all__ = ["Record", "Store", "canonical_json", "dataset_digest", "digest", "file_digest", "is_store"]
