"""Where products of a store come from, as a W3C PROV document in JSON.

Products and files are entities, making a product is an activity of a software agent. Source: PROV-JSON, W3C Member
Submission of 24 April 2013.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from xgamma.store.lineage import MADE_FROM
from xgamma.store.records import Record

PREFIX = {"xgamma": "urn:xgamma:", "sha256": "urn:sha256:"}
MOST_FILES = 2000
"""Of all products; more are counted and not listed."""


def prov_document(records: Sequence[Record], made_of: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
    """Return the PROV-JSON document of products.

    Files are known by their name and SHA-256; folders and hosts are left out.

    Parameters
    ----------
    records
        The products, each after what it is made of.
    made_of
        Keys of what is no product by itself, such as what a likelihood sees, and the keys of what that is made of.
    """
    made_of = made_of or {}
    document = _Document({key: _product_id(record) for record in records for key in _keys_of(record)})
    document.known |= {key: f"xgamma:{key}" for key in made_of}
    for key, members in made_of.items():
        document.entity(f"xgamma:{key}", {"prov:type": "prov:Collection"})
        for member in dict.fromkeys(document.of(member) for member in members):
            document.relation("hadMember", {"prov:collection": f"xgamma:{key}", "prov:entity": member})
    room = MOST_FILES
    for record in records:
        room -= document.product(record, room)
    return document.parts


def made_from(records: Sequence[Record], made_of: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the products behind each of these products, as ``kind/key``; of others the key. As ``prov_document``."""
    known = {key: f"{record.kind}/{record.key[:12]}" for record in records for key in _keys_of(record)}

    def behind(key: str) -> list[str]:
        members = [] if key in known else made_of.get(key, ())
        return [name for member in members for name in behind(member)] or [known.get(key, key[:12])]

    used = [_used(record, {*known, *made_of}) for record in records]
    return [list(dict.fromkeys(name for key in keys for name in behind(key))) for keys in used]


def _used(record: Record, known: Collection[str]) -> list[str]:
    """Return the keys that a product was made of: what its record names, instead of keys that nobody knows."""
    given = record.provenance.get(MADE_FROM)
    named = [str(each).partition("/")[2] for each in given] if isinstance(given, list) else []
    return [*named, *(key for key in record.inputs if key in known)] if named else list(record.inputs)


def _keys_of(record: Record) -> list[str]:
    """Return the keys that stand for a product: its own, and those of the rows and stacks in it."""
    return [record.key, *record.texts.get("rows", ()), *record.texts.get("stacks", ()), *record.supersedes]


def _product_id(record: Record) -> str:
    return f"xgamma:{record.kind}.{record.key}"


class _Document:
    """A document that grows."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known
        self.parts: dict[str, Any] = {"prefix": dict(PREFIX), "entity": {}, "activity": {}, "agent": {}}

    def entity(self, name: str, attributes: Mapping[str, Any]) -> str:
        """Add an entity, unless it is there, and return its name."""
        self.parts["entity"].setdefault(name, dict(attributes))
        return name

    def relation(self, kind: str, ends: Mapping[str, str]) -> None:
        """Add a relation."""
        relations = self.parts.setdefault(kind, {})
        relations[f"_:{kind}{len(relations) + 1}"] = dict(ends)

    def of(self, key: str) -> str:
        """Return the entity of a key; one that nobody knows more of is made."""
        return self.known.get(key) or self.entity(f"xgamma:{key}", {"prov:label": "not among these products"})

    def product(self, record: Record, room: int) -> int:
        """Add a product with all that it is made of; return how many files were added."""
        name, making = _product_id(record), f"xgamma:making.{record.kind}.{record.key}"
        label = {"prov:label": f"{record.kind} {record.key[:12]}", "xgamma:kind": record.kind, "xgamma:key": record.key}
        self.entity(name, label | {"xgamma:content": record.digests.get("", ""), "xgamma:bytes": record.nbytes})
        self.parts["activity"][making] = {"prov:endTime": record.created, "prov:label": f"making {record.kind}"}
        self.relation("wasGeneratedBy", {"prov:entity": name, "prov:activity": making, "prov:time": record.created})
        self.relation("wasAssociatedWith", {"prov:activity": making, "prov:agent": self._agent(record)})
        files = list(_files(record))
        listed = files if len(files) <= room else []
        known = dict.fromkeys(self.of(key) for key in _used(record, self.known))
        for each in (*known, *(self.entity(*each) for each in listed)):
            self.relation("used", {"prov:activity": making, "prov:entity": each})
            self.relation("wasDerivedFrom", {"prov:generatedEntity": name, "prov:usedEntity": each})
        if files and not listed:
            self.parts["entity"][name]["xgamma:files"] = len(files)
        return len(listed)

    def _agent(self, record: Record) -> str:
        software = record.provenance.get("software", {})
        versions = {f"xgamma:{library}": str(version) for library, version in sorted(software.items())}
        kind = {"prov:type": {"$": "prov:SoftwareAgent", "type": "prov:QUALIFIED_NAME"}}
        agent = kind | {"prov:label": f"xgamma {software.get('xgamma', 'of an unknown version')}"} | versions
        agents: dict[str, Any] = self.parts["agent"]
        name = next((name for name, each in agents.items() if each == agent), f"xgamma:software.{len(agents) + 1}")
        agents[name] = agent
        return name


def _files(record: Record) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield the entity of each file that a product was read from."""
    for path, (nbytes, _, sha256) in record.texts.get("files", {}).items():
        yield f"sha256:{sha256}", {"prov:label": PurePosixPath(path).name, "xgamma:bytes": nbytes}
