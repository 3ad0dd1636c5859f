"""Groups of a product read as named arrays of numpy; ``encoding`` makes Datasets of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from xgamma.errors import StoreError
from xgamma.schema.arrays import PlainArray, PlainArrays
from xgamma.storage.whole_objects import WholeObjects
from xgamma.store.chunks import read_arrays
from xgamma.store.documents import Documents, array_documents


def read_group_arrays(
    objects: WholeObjects, folder: str, arrays: Documents, rows: slice | None = None
) -> dict[str, npt.NDArray[Any]]:
    """Read arrays of one group by their names, whole or the same rows of each."""
    paths = {f"{folder}/{name}" if folder else name: name for name in arrays}
    documents = {path: arrays[name] for path, name in paths.items()}
    found = read_arrays(objects, documents, () if rows is None else (rows,))
    return {paths[path]: values for path, values in found.items()}


def read_group(objects: WholeObjects, folder: str, documents: Documents, group: str) -> PlainArrays:
    """Read one group whole, as it was put."""
    arrays = array_documents(documents, group)
    place = "/".join(part for part in (folder, group) if part)
    return named_group(documents, group, read_group_arrays(objects, place, arrays))


def named_group(documents: Documents, group: str, values: Mapping[str, Any]) -> PlainArrays:
    """Return the arrays of a group, its names in place of their integers.

    Raises ``StoreError`` for an integer that is beyond its list of names.
    """
    attrs = dict(documents[group]["attributes"])
    coordinates = set(attrs.pop("coordinates", "").split())
    arrays = {}
    for name, document in array_documents(documents, group).items():
        own, found = dict(document["attributes"]), values[name]
        coordinates.update(own.pop("coordinates", "").split())
        if "names_in" in own:
            names = np.array(attrs.pop(own.pop("names_in")), dtype=str)
            found = _named(np.asarray(found), names, name)
        arrays[name] = PlainArray(tuple(document["dimension_names"]), found, own)
    coords = {name: array for name, array in arrays.items() if name in coordinates or name in array.dims}
    return PlainArrays(coords, {name: array for name, array in arrays.items() if name not in coords}, attrs)


def _named(numbers: npt.NDArray[Any], names: npt.NDArray[np.str_], where: Any) -> npt.NDArray[np.str_]:
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < len(names)):
        raise StoreError(
            f"{where}: expected numbers below {len(names)} of its names, got others; copy the product again."
        )
    return np.asarray(names[numbers])
