"""What a store remembers beside its products: names, tags, files that were read, runs that failed or came again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xgamma.errors import StoreError, UnknownNameError, did_you_mean
from xgamma.store.backend import Backend
from xgamma.store.keys import digest
from xgamma.store.labels import (
    FAILED,
    FILES,
    INGESTS,
    NAMES,
    TAGS,
    delete_label,
    known_label,
    read_label,
    read_labels,
    write_label,
)


class Beside:
    """The small mappings of a store; they may be replaced and deleted, as products never are."""

    _backend: Backend
    url: str
    is_read_only: bool

    def _validate_writable(self) -> None:
        if self.is_read_only:
            raise StoreError(f"The store {self.url} was opened for reading only. Open it without read_only.")

    def resolve(self, name: str) -> tuple[str, str]:
        """Return the kind and key that a name points to; raises ``UnknownNameError``."""
        found = read_label(self._backend, NAMES, name)
        if found is None:
            raise UnknownNameError(f"The store {self.url} has no name {name!r}.{did_you_mean(name, self.names())}")
        return found["kind"], found["key"]

    def names(self) -> dict[str, tuple[str, str]]:
        """Return every name with the kind and key that it points to."""
        return {name: (item["kind"], item["key"]) for name, item in read_labels(self._backend, NAMES).items()}

    def set_tag(self, tag: str, content: Mapping[str, Any]) -> None:
        """Remember a small mapping under ``tag``, in the place of an older one."""
        self._validate_writable()
        write_label(self._backend, TAGS, tag, content)

    def tags(self) -> dict[str, dict[str, Any]]:
        """Return every tag with its content."""
        return read_labels(self._backend, TAGS)

    def remember(self, url: str, size: int, version: int | str, digest: str) -> None:
        """Remember the digest of a file as it was at that size and time of change, or with that ETag."""
        self._validate_writable()
        known = {"url": url, "size": size, "version": str(version), "digest": digest}
        write_label(self._backend, FILES, _file_name(url), known)

    def recall(self, url: str, size: int, version: int | str) -> str | None:
        """Return the digest of a file that has not changed since it was remembered, else ``None``."""
        found = known_label(self._backend, FILES, _file_name(url))
        is_same = (found.get("size"), found.get("version")) == (size, str(version))
        return found.get("digest") if is_same else None

    def set_failure(self, name: str, content: Mapping[str, Any]) -> None:
        """Remember what is known of a run that failed, in the place of what was known."""
        self._validate_writable()
        write_label(self._backend, FAILED, name, content)

    def forget_failure(self, name: str) -> None:
        """Forget a run that failed."""
        self._validate_writable()
        delete_label(self._backend, FAILED, name)

    def failures(self) -> dict[str, dict[str, Any]]:
        """Return what is known of each run that failed."""
        return read_labels(self._backend, FAILED)

    def set_ingest(self, content: Mapping[str, Any]) -> None:
        """Remember which runs were ingested again; the same ones once more take the place of the first."""
        self._validate_writable()
        write_label(self._backend, INGESTS, digest([content["release"], content["runs"]]), content)

    def ingests(self) -> list[dict[str, Any]]:
        """Return what was ingested again after others had followed it."""
        return list(read_labels(self._backend, INGESTS).values())


def _file_name(url: str) -> str:
    return digest(url)
