"""A reader of stores made from docs/format.md alone: JSON, numpy and Blosc, on a local disk."""

import hashlib
import itertools
import json
from pathlib import Path

import numpy as np
from numcodecs.blosc import Blosc


def read_json(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def products(store):
    """Return every record of a store."""
    mark = read_json(Path(store) / "store.json")
    assert mark["format"] == "xgamma-store", "no store"
    assert mark["schema"] <= 1, "a newer store"
    folders = [folder for folder in Path(store).iterdir() if folder.is_dir() and not folder.name.startswith("_")]
    return [read_json(path) for folder in folders for path in sorted(folder.glob("*/record.json"))]


def read_array(folder, node):
    """Return the numbers of one array from its folder and its metadata."""
    grid, keys = node["chunk_grid"], node["chunk_key_encoding"]
    assert [codec["name"] for codec in node["codecs"]] == ["bytes", "blosc"]
    assert (grid["name"], keys["name"], keys["configuration"]["separator"]) == ("regular", "default", ".")
    dtype, chunk = np.dtype(node["data_type"]).newbyteorder("<"), grid["configuration"]["chunk_shape"]
    values = np.empty(node["shape"], dtype)
    for index in itertools.product(*(range(-(-size // step)) for size, step in zip(node["shape"], chunk, strict=True))):
        content = (folder / ".".join(["c", *map(str, index)])).read_bytes()
        place = tuple(slice(i * step, (i + 1) * step) for i, step in zip(index, chunk, strict=True))
        window = values[place]
        whole = np.frombuffer(Blosc().decode(content), dtype).reshape(chunk)
        values[place] = whole[tuple(slice(size) for size in window.shape)]
    return values


def read_group(store, record, group=""):
    """Return one group: its attributes, and for each variable dims, numbers or names, attributes, if a coordinate."""
    folder = Path(store) / record["kind"] / record["key"] / record["attempt"]
    root = read_json(folder / "zarr.json")
    nodes = {"": root, **root["consolidated_metadata"]["metadata"]}
    attrs = dict(nodes[group]["attributes"])
    words, names, variables = attrs.pop("coordinates", "").split(), set(), {}
    for path, node in nodes.items():
        if node["node_type"] == "array" and path.rpartition("/")[0] == group:
            name, own = path.rpartition("/")[2], dict(node["attributes"])
            values = read_array(folder / path, node)
            words += own.pop("coordinates", "").split()
            if "names_in" in own:
                names.add(own["names_in"])
                values = np.array(attrs[own.pop("names_in")])[values]
            variables[name] = node["dimension_names"], values, own
    attrs = {name: value for name, value in attrs.items() if name not in names}
    dims = {dim for used, _, _ in variables.values() for dim in used}
    return attrs, {name: (*parts, name in words or name in dims) for name, parts in variables.items()}


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def content_digest(attrs, variables):
    """Return the digest that a record has of a group."""
    total = hashlib.sha256(canonical(attrs))
    for name, (dims, values, own, is_coordinate) in sorted(variables.items()):
        is_text = values.dtype.kind == "U"
        content = canonical(values.tolist()) if is_text else values.tobytes()
        head = {"name": name, "coordinate": is_coordinate, "dims": dims, "shape": values.shape, "attrs": own}
        total.update(canonical(head | {"dtype": "str" if is_text else values.dtype.name, "bytes": len(content)}))
        total.update(content)
    return total.hexdigest()[:32]
