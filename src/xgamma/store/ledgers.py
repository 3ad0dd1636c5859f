"""Small JSON objects beside the products: names, tags, digests of files that were read, and runs that failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from xgamma.errors import ConfigError, DataError, StoreError, UnknownNameError, did_you_mean
from xgamma.schema import documents as rules
from xgamma.schema.tables import field_violations
from xgamma.storage.backend import Backend
from xgamma.store.documents import digest, parsed_mapping, plain, validate_segment

# A kind of product never starts with an underscore.
NAMES, TAGS, FILES, FAILED, INGESTS = "_names", "_tags", "_files", "_failed", "_ingests"
RULES = {
    NAMES: rules.NAME,
    TAGS: rules.TAG,
    FILES: rules.FILE_READ,
    FAILED: rules.FAILED_RUN,
    INGESTS: rules.INGEST,
}
"""What the mappings of each folder hold."""
_ENDING = ".json"
LONGEST_NAME = 200
"""Of what somebody calls something; names of files have 255 bytes on most disks."""


def write_label(backend: Backend, folder: str, name: str, content: Mapping[str, Any]) -> None:
    """Put a small mapping in the place of the one of that name; raises ``ConfigError`` for a name that is no path."""
    backend.replace(_path(folder, name), json.dumps(plain(content, name), allow_nan=False).encode())


def delete_label(backend: Backend, folder: str, name: str) -> None:
    """Delete the mapping of that name; one that is gone already is no error."""
    backend.delete(_path(folder, name))


def read_label(backend: Backend, folder: str, name: str) -> dict[str, Any] | None:
    """Return the mapping of that name, ``None`` if there is none; raises ``StoreError`` for a damaged one."""
    path = _path(folder, name)
    content = backend.read(path)
    return None if content is None else _label(backend, path, content)


def known_label(backend: Backend, folder: str, name: str) -> dict[str, Any]:
    """Return the mapping of that name, empty where there is none or a damaged one."""
    path = _path(folder, name)
    label, wrong = parsed_label(path, backend.read(path) or b"{}")
    return {} if wrong else label


def read_labels(backend: Backend, folder: str) -> dict[str, dict[str, Any]]:
    """Return all mappings of a folder by their names."""
    paths = [path for path in sorted(backend.modified(folder)) if path.endswith(_ENDING)]
    names = [path.removeprefix(f"{folder}/").removesuffix(_ENDING) for path in paths]
    contents = zip(names, paths, backend.read_many(paths), strict=True)
    return {name: _label(backend, path, content) for name, path, content in contents if content is not None}


def _label(backend: Backend, path: str, content: bytes) -> dict[str, Any]:
    """Return the mapping of a label; raises ``StoreError`` where it is none, or its fields are of other types."""
    label, wrong = parsed_label(path, content)
    if wrong:
        raise StoreError(f"{path} in {backend.url} {wrong}. Delete it, or copy it from a sound store.")
    return label


def parsed_label(path: str, content: bytes, *, whole: bool = False) -> tuple[dict[str, Any], str]:
    """Return the mapping of a label, and what is wrong with it, which goes on after its path; empty where nothing is.

    A tag may hold any mapping, and a failure may lack fields, unless ``whole`` requires all of the format.
    """
    try:
        label = parsed_mapping(content)
    except ValueError as error:
        return {}, str(error)
    folder = path.partition("/")[0]
    is_whole = folder in (NAMES, INGESTS) or (whole and folder != TAGS)
    fields = {} if folder == TAGS and not whole else RULES[folder]
    fields = {name: spec for name, spec in fields.items() if name in label or is_whole}
    found = next(field_violations(label, fields, ""), None)
    return label, "" if found is None else f"has as {found.where} {found.found} and no {found.expected}"


def _path(folder: str, name: str) -> str:
    if len(name) > LONGEST_NAME:
        raise ConfigError(f"Expected a name of at most {LONGEST_NAME} characters, got one of {len(name)}.")
    try:
        return f"{folder}/{validate_segment(name, 'name')}{_ENDING}"
    except DataError as error:
        # No data are wrong, but what somebody calls something.
        raise ConfigError(str(error)) from None


class Ledgers:
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
