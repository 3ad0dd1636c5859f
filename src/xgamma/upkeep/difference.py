"""What differs between two configurations, two products or two stores: in what was asked, in inputs, in numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xgamma.digits import number_text
from xgamma.errors import shortened
from xgamma.formats.yaml_documents import parsed_yaml
from xgamma.store import Record, Store

ABSENT = "-"
NAMED = ("components", "parameters")
"""Lists of what has names."""
ASKED, INPUTS, NUMBERS, PRODUCTS = "asked", "inputs", "numbers", "products"


@dataclass(frozen=True)
class Difference:
    """One thing that differs.

    Parameters
    ----------
    where
        ``asked``, ``inputs``, ``numbers`` or ``products``.
    what
        The key, the variable or the product.
    first, second
        What the first and the second have of it; of arrays the values where they deviate most.
    deviation
        The largest relative deviation of an array, ``None`` of anything else.
    """

    where: str
    what: str
    first: str
    second: str
    deviation: float | None = None


def document_differences(first: Any, second: Any, where: str = ASKED) -> list[Difference]:
    """Return the keys whose values differ in two documents, such as configurations."""
    return list(_compared(first, second, where, ""))


def _compared(first: Any, second: Any, where: str, path: str) -> Iterator[Difference]:
    """Yield what differs below a path; of a section that only one has, one line."""
    left, right = _sections(first), _sections(second)
    if left is None or right is None:
        # NaN, which limits that are not set are, is not itself.
        if first != second and str(first) != str(second):
            yield Difference(where, path, _shown(first), _shown(second))
        return
    for key in dict.fromkeys([*left, *right]):
        inside = f"{path}.{key}" if path else key
        yield from _compared(left.get(key, ABSENT), right.get(key, ABSENT), where, inside)


def _sections(document: Any) -> dict[str, Any] | None:
    """Return what a document holds by its keys, or by the names of what a list holds; ``None`` of a value."""
    if isinstance(document, Mapping) and document:
        found: dict[str, Any] = {}
        for key, value in document.items():
            named = _sections(value) if key in NAMED else None
            # Their own names say enough.
            found |= {str(key): value} if named is None else named
        return found
    if isinstance(document, list) and any(isinstance(item, Mapping) for item in document):
        names = [
            item.get("name", number) if isinstance(item, Mapping) else number for number, item in enumerate(document)
        ]
        return {str(name): item for name, item in zip(names, document, strict=True)}
    return None


def product_differences(first: tuple[Store, Record], second: tuple[Store, Record]) -> list[Difference]:
    """Return what differs between two products of one kind: provenance and texts, inputs, and the numbers of the root.

    Keys are digests of all that decides a product: where they are equal, so is what was asked.
    """
    (one, left), (other, right) = first, second
    found = []
    if left.key != right.key:
        # What models ended with is said by the numbers.
        first_asked, second_asked = ({**_asked(each.texts), **_asked(each.provenance)} for each in (left, right))
        found += document_differences(first_asked, second_asked)
        found += _input_differences(left, right)
    data = [store.get(record.kind, record.key) for store, record in ((one, left), (other, right))]
    return found + list(array_differences(*data))


def _asked(document: Mapping[str, Any]) -> dict[str, Any]:
    own = ("software", "host", "program", "time", "made_from", "files", "runs", "rows", "stacks", "goodness", "fitted")
    kept = {key: value for key, value in document.items() if key not in own}
    # Models are written as YAML.
    return {key: parsed_yaml(value) if key == "models" else value for key, value in kept.items()}


def _input_differences(left: Record, right: Record) -> list[Difference]:
    if left.inputs == right.inputs:
        return []
    first, second = (", ".join(key[:12] for key in record.inputs[:3]) for record in (left, right))
    return [Difference(INPUTS, "made from", first, second)]


def array_differences(first: xr.Dataset, second: xr.Dataset) -> Iterator[Difference]:
    """Yield the variables and attributes of two Datasets that differ, with their largest relative deviation."""
    for name in dict.fromkeys([*map(str, first.variables), *map(str, second.variables)]):
        if name not in first.variables or name not in second.variables:
            is_there = ["there" if name in ds.variables else ABSENT for ds in (first, second)]
            yield Difference(NUMBERS, name, is_there[0], is_there[1])
            continue
        left, right = first[name].values, second[name].values
        if left.shape != right.shape:
            yield Difference(NUMBERS, name, f"shape {left.shape}", f"shape {right.shape}")
        elif left.dtype.kind in "fiub" and right.dtype.kind in "fiub":
            yield from _deviation(name, left.astype(float), right.astype(float))
        elif not np.array_equal(left, right):
            place = np.flatnonzero((left != right).ravel())[0]
            yield Difference(NUMBERS, name, str(left.ravel()[place]), str(right.ravel()[place]))
    yield from document_differences(dict(first.attrs), dict(second.attrs), NUMBERS)


def _deviation(name: str, left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> Iterator[Difference]:
    is_same = (left == right) | (np.isnan(left) & np.isnan(right))
    if is_same.all():
        return
    size = np.maximum(np.abs(left), np.abs(right))
    relative = np.where(is_same, 0.0, np.divide(np.abs(left - right), size, out=np.ones_like(size), where=size > 0))
    # Against a number that is not finite anything is altogether different.
    relative = np.where(np.isfinite(relative), relative, 1.0)
    place = int(relative.argmax())
    values = [number_text(float(array.ravel()[place]), 6) for array in (left, right)]
    yield Difference(NUMBERS, name, values[0], values[1], float(relative.ravel()[place]))


def store_differences(first: Store, second: Store) -> list[Difference]:
    """Return the products that one of two stores has and the other one has not."""
    found = []
    held = [{f"{record.kind}/{record.key}" for record in store.listing().records} for store in (first, second)]
    for product in sorted(held[0] ^ held[1]):
        kind, _, key = product.partition("/")
        there = ["there" if product in own else ABSENT for own in held]
        found.append(Difference(PRODUCTS, f"{kind}/{key[:12]}", there[0], there[1]))
    return found


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("value", "there")
    return shortened(" ".join(str(value).split()))
