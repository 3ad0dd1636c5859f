"""The nodes of a product, its groups and arrays, as the ``zarr.json`` of its root describes them."""

from __future__ import annotations

import re
from typing import Any

from xgamma.store.documents import parsed_mapping

ZarrDocument = dict[str, Any]
Documents = dict[str, ZarrDocument]

# Readers act on these; a plain attribute of such a name would change the numbers or the coordinates that they see.
RESERVED_ATTRS = frozenset(
    ["_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned", "dtype", "coordinates", "names_in"]
)
NAME = re.compile(r"[A-Za-z][\w.-]*", re.ASCII)


def read_documents(content: bytes) -> Documents:
    """Return the nodes of a product by path from the ``zarr.json`` of its root, as they are.

    Raises ``ValueError`` for what is no JSON of the kind; its text goes on after the name of the document.
    """
    root = parsed_mapping(content)
    consolidated = root.pop("consolidated_metadata", None)
    nodes = consolidated.get("metadata") if isinstance(consolidated, dict) else None
    if not isinstance(nodes, dict):
        raise ValueError("has no consolidated_metadata with the metadata of all nodes")
    return {**nodes, "": root}


def array_documents(documents: Documents, group: str) -> Documents:
    """Return the documents of the arrays of one group, by name."""
    prefix = f"{group}/" if group else ""
    inside = {path[len(prefix) :]: node for path, node in documents.items() if path.startswith(prefix)}
    return {name: node for name, node in inside.items() if "/" not in name and node["node_type"] == "array"}
