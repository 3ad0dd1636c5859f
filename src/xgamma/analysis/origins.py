"""Which products of the store the results of an analysis are, and what each of them is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import xarray as xr

from xgamma import datasets as kinds
from xgamma.analysis.steps.keys import dataset_key, seen_by
from xgamma.analysis.steps.step import Reduction, Results
from xgamma.schema import Kind
from xgamma.store import Record, dataset_digest, digest
from xgamma.store.lineage import with_contents

if TYPE_CHECKING:
    from xgamma.datasets import Datasets
    from xgamma.datasets.binned_row import BinnedRow

MadeOf = dict[str, list[str]]


def products_of(results: Results) -> tuple[list[Record], MadeOf]:
    """Return the records of the products that results are, each after what it is made of.

    The second are keys of what is no product by itself, such as all that a likelihood sees, with what that is made of.
    """
    store, made_of = results.store, MadeOf()
    records = [store.record(Kind.DL3, key) for key in _parts(results)]
    for reduction in results.reductions.values():
        records += _reduced(results, reduction, made_of)
    if results.datasets is not None:
        made_of |= _seen(results, results.datasets)
    if results.fit is not None and store.has(Kind.FIT, results.fit.key):
        records.append(store.record(Kind.FIT, results.fit.key))
    records += _held(results, list(_estimates(results)))
    return list({(record.kind, record.key): record for record in records}.values()), made_of


def _parts(results: Results) -> list[str]:
    observed = [each.observations for each in results.observed.values() if each.observations is not None]
    return list(dict.fromkeys(key for each in observed for key, _ in each.rows))


def _reduced(results: Results, reduction: Reduction, made_of: MadeOf) -> Iterator[Record]:
    """Yield the products of the rows and stacks of an entry."""
    if reduction.rows is None or reduction.product is None:
        return
    store, key = results.store, reduction.product.key
    rows = list(dict.fromkeys(product for product, _ in reduction.rows.places))
    yield from (store.record(Kind.ROWS, product) for product in rows)
    if store.has(Kind.STACK, key):
        yield store.record(Kind.STACK, key)
        return
    own = set(reduction.rows.keys)
    stacks = [record for record in store.records(Kind.STACK) if own.issuperset(record.inputs)]
    whole = [record for record in stacks if digest({"stacks": list(record.texts.get("stacks", ()))}) == key]
    is_stacked = reduction.product.data.sizes["dataset"] < len(reduction.rows)
    found = whole or (stacks if is_stacked else [])
    yield from found
    made_of[key] = [record.key for record in found] or rows


def _seen(results: Results, datasets: Datasets) -> MadeOf:
    """Return what likelihoods see: that of all datasets, of the datasets of each entry, and of each Dataset."""
    found: MadeOf = {}
    products = [each.product for each in results.reductions.values() if each.product is not None]
    keys = {id(product.data): product.key for product in products}
    views = [view for view in datasets if isinstance(view, kinds.binned_row.BinnedRow)]
    groups: dict[int, list[BinnedRow[xr.DataArray]]] = {}
    for view in views:
        groups.setdefault(id(view.arrays), []).append(view)
    for group, own in groups.items():
        if group in keys:
            found[seen_by(results, kinds.Datasets(own))] = [keys[group]]
    for one in datasets.fit_inputs():
        if id(one.data) in keys:
            found[dataset_key(results, one)] = [keys[id(one.data)]]
    found[seen_by(results, datasets)] = list(keys.values())
    return found


def _estimates(results: Results) -> Iterator[tuple[Kind, xr.Dataset]]:
    """Yield what was estimated, with its kind."""
    points = [] if results.flux_points is None else [results.flux_points]
    for each in (*points, *results.flux_points_of.values()):
        yield Kind.POINTS, each.data.data
    if results.light_curve is not None:
        yield Kind.LIGHT_CURVE, results.light_curve.data
    if results.fit_each is not None:
        yield Kind.FIT_EACH, results.fit_each.data
    if results.flux_points_each is not None:
        yield Kind.POINTS_EACH, results.flux_points_each.data
    for excess in results.excess_maps.values():
        yield Kind.EXCESS_MAP, excess.data


def _held(results: Results, estimates: Sequence[tuple[Kind, xr.Dataset]]) -> Iterator[Record]:
    """Yield the products with the content of estimates."""
    yield from with_contents(results.store, [(kind, dataset_digest(data)) for kind, data in estimates])
