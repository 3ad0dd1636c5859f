"""``stack``: the rows of each group summed, each stack found under its key or computed from its rows."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xgamma import reduce
from xgamma.analysis import costs
from xgamma.analysis.memory import BLOCK_ROWS, SUMS_BYTES
from xgamma.analysis.steps.reduce import log_lost_counts, named, views_of_unused, with_product, with_systematic_key
from xgamma.analysis.steps.row_reader import RowReader, rows_of_products
from xgamma.analysis.steps.step import Entry, Finding, Product, Reduction, Results, SeenStack, Step, Unread
from xgamma.config.requests import names_of
from xgamma.errors import OrderError
from xgamma.execute import Workers, run_blocks, shared_workers
from xgamma.groups import OFFSET, Grouping
from xgamma.reduce import crops, response, sums
from xgamma.reduce import rows as reduced_rows
from xgamma.reduce import stacks as stacked_rows
from xgamma.reduce.limits import LEAF, STEP_BYTES
from xgamma.reduce.recipe import MEMBERS, STACK_VERSION
from xgamma.schema import PLANES, REGIONS, Kind, space_dims, window_chunks
from xgamma.store import Store, digest

if TYPE_CHECKING:
    from xgamma.analysis.steps.rows import Reduced
    from xgamma.analysis.steps.sum_ahead import RowAddress
    from xgamma.axes import IntArray
    from xgamma.config.config import AnalysisConfig
    from xgamma.datasets.observations import Observations
    from xgamma.grid import Grid
    from xgamma.reduce.recipe import Recipe
    from xgamma.reduce.stacks import RowFacts
    from xgamma.reduce.sums import Sums
    from xgamma.schema.arrays import Arrays

log = logging.getLogger(__name__)

NAME = "stacked"
# Sums of leaves that are kept until they are added, in order: one of each worker, and of small ones more.


class Groups:
    """The rows of each stack in canonical order, by label in the order of first appearance, and the keys of the stacks.

    Parameters
    ----------
    rows
        The rows of a reduction.
    labels
        The group of each of them by its name; ``None`` is one stack of all.
    """

    def __init__(self, rows: Reduced, labels: Mapping[str, str] | None) -> None:
        members: dict[str, list[int]] = {}
        for row in rows.canonical_order:
            members.setdefault(NAME if labels is None else labels[rows.names[row]], []).append(row)
        self.members = members
        self.keys = {label: stack_key([rows.keys[row] for row in own]) for label, own in members.items()}


def group_labels(observations: Observations, grid: Grid, by: Grouping | None) -> dict[str, str] | None:
    """Return the name of the group of each row by the name of the row; ``None`` where all are one."""
    if by is None:
        return None
    labels: dict[str, str] = {}
    for key, rows in observations.rows:
        part = observations.holdings.parts[key]
        columns = {**part.run_columns(rows.obs), OFFSET: response.offsets(part, rows, grid)[:, 0]}
        labels |= zip(rows.names, by.labels(columns), strict=True)
    return labels


def stack_key(row_keys: Sequence[str]) -> str:
    """Return the key of the stack of some rows in canonical order."""
    return digest({"step": Kind.STACK, "version": STACK_VERSION, "rows": list(row_keys)})


def stored_stacks(store: Store, keys: Sequence[str]) -> dict[str, RowAddress]:
    """Return where those stacks lie that a store holds: product key and number, by stack key.

    Stacks that were made together are one product. The usual single one has its own key as product key, so that it is
    found without a look at all others.
    """
    if len(keys) == 1:
        return {} if store.missing(Kind.STACK, keys) else {keys[0]: (keys[0], 0)}
    wanted = set(keys)
    return {
        key: (record.key, number)
        for record in store.ls(Kind.STACK)
        for number, key in enumerate(record.texts.get("stacks", ()))
        if key in wanted
    }


def stacked(store: Store, rows: Reduced, groups: Groups, workers: Workers) -> tuple[Product[Arrays], int]:
    """Return the stacks of all groups of rows; only groups that the store does not hold are summed.

    Parameters
    ----------
    store
        Where stacks are looked for and put.
    rows, groups
        The rows of a reduction, and which of them are stacked together.
    workers
        Where leaves are summed.

    Returns
    -------
    tuple
        DL4 with a row for each group, with the key of all of it; how many groups were found.
    """
    keys = list(groups.keys.values())
    known = stored_stacks(store, keys)
    missing = [label for label, key in groups.keys.items() if key not in known]
    # Not more groups at once than are summed at once: large images of all of them would be in memory three times.
    most = _at_once(rows.like(0), workers) if missing else 1
    if len(keys) == len(missing) <= most:
        # What was put is what would be read.
        result: Arrays = _put_stacks(store, rows, groups, missing, workers)[1]
    else:
        for first in range(0, len(missing), most):
            known |= _put_stacks(store, rows, groups, missing[first : first + most], workers)[0]
        result = reduce.with_names(_read_stacks(store, [known[key] for key in keys]), list(groups.members))
    key = keys[0] if len(keys) == 1 else digest({"stacks": keys})
    return Product(result, key, not missing), len(keys) - len(missing)


def _log_found(stacks: int, found: int) -> None:
    """Log how many of some stacks were found in the store."""
    if stacks == 1:
        log.info("The stack was %s.", "found in the store" if found else "computed")
    else:
        log.info("Stacked %d groups, found %d in the store.", stacks - found, found)


def _put_stacks(
    store: Store, rows: Reduced, groups: Groups, labels: Sequence[str], workers: Workers
) -> tuple[Mapping[str, RowAddress], xr.Dataset]:
    """Sum some groups and put them together as one product; return where each is, and all of them."""
    keys = [groups.keys[label] for label in labels]
    members = {label: groups.members[label] for label in labels}
    result = computed_stacks(rows, members, workers)
    inputs = [rows.keys[row] for own in members.values() for row in own]
    key = keys[0] if len(keys) == 1 else digest(keys)
    cut = window_chunks(result, *PLANES)
    contents = {"": crops.with_positions(result)}
    record = store.put(Kind.STACK, key, contents, {}, inputs=inputs, texts={"stacks": keys}, encoding=cut)
    return {each: (record.key, number) for number, each in enumerate(keys)}, result


def computed_stacks(rows: Reduced, members: Mapping[str, Sequence[int]], workers: Workers) -> xr.Dataset:
    """Return the stacks of groups of rows, summed leaf by leaf, so that never more than a few blocks are in memory.

    Parameters
    ----------
    rows
        The rows of a reduction.
    members
        The rows of each group in canonical order.
    workers
        Where blocks of leaves are summed.
    """
    order = [row for own in members.values() for row in own]
    group = np.repeat(np.arange(len(members)), [len(own) for own in members.values()])
    leaves = sums.leaves_of(group)
    places, like = [rows.places[row] for row in order], rows.like(order[0])
    # Threads share an image; another process would have to send it.
    threads = workers.threads if space_dims(like).by_plane and workers.scheduler is None else 0
    length, at_once = max(1, STEP_BYTES // like.nbytes), 1 if threads else _at_once(like, workers)
    like = reduced_rows.without_maps(like)
    blocks = [
        (rows.reader, places[block], rows.mjdref, leaves.leaf[block], length, max(1, threads))
        for block in leaves.blocks(min(BLOCK_ROWS, length))
    ]
    facts: list[RowFacts] = []

    def leaf_by_leaf() -> Iterator[Sums]:
        # No more are in memory than are made at once, which of large images would not fit.
        for first in range(0, len(blocks), at_once):
            found = run_blocks(_block_sums, blocks[first : first + at_once], "Stacking", workers)
            while found:
                added, own = found.pop(0)
                facts.append(own)
                yield added
                del added

    with shared_workers(workers):
        total = sums.summed(leaf_by_leaf(), leaves.group, len(members))
    found = stacked_rows.joined_facts(facts)
    # The responses of a thousand runs are as large as a map: they are not kept twice.
    facts.clear()
    result = stacked_rows.stacks(total, group, found, list(members), like)
    telescopes = {rows.telescopes[row] for row in order}
    names = [[rows.names[row] for row in own] for own in members.values()]
    return result.assign_attrs({MEMBERS: names, "telescope": reduced_rows.joined_telescopes(telescopes)})


def _at_once(like: xr.Dataset, workers: Workers) -> int:
    """Return of how many leaves the sums are in memory, of which ``like`` is a row."""
    return max(workers.n_jobs, SUMS_BYTES // sums.sum_bytes(like))


def _block_sums(
    reader: RowReader, places: Sequence[RowAddress], mjdref: float, leaf: IntArray, length: int, threads: int = 1
) -> tuple[Sums, RowFacts]:
    """Return the sums and facts of some rows, of which no more than ``length`` are read at a time."""
    begun = reader.ahead_of(places, mjdref) if leaf[0] == leaf[-1] else None
    added = 0 if begun is None else len(begun.places)
    facts: list[RowFacts] = [] if begun is None else begun.facts

    def pieces() -> Iterator[xr.Dataset]:
        for some in _pieces(places[added:], length):
            ds = reader.rows_at(some, mjdref)
            facts.append(stacked_rows.row_facts(ds))
            yield ds
            del ds

    added_up = sums.leaf_sums(pieces(), leaf[added:], begun=None if begun is None else begun.sums, threads=threads)
    return added_up, stacked_rows.joined_facts(facts)


def _pieces(places: Sequence[RowAddress], length: int) -> Iterator[Sequence[RowAddress]]:
    """Yield places of rows that are read together, ``length`` at most; of large rows those of one product."""
    apart = [list(own) for _, own in itertools.groupby(places, lambda place: place[0])] if length < LEAF else [places]
    for own in apart:
        for first in range(0, len(own), length):
            yield own[first : first + length]


def _read_stacks(store: Store, places: Sequence[RowAddress]) -> Arrays:
    """Return stacks in their order; of spectra that lie together as plain arrays, which take no xarray."""
    used = dict.fromkeys(key for key, _ in places)
    products = {key: store.get_arrays(Kind.STACK, key) for key in used}
    first = products[places[0][0]]
    if len(used) == 1 and space_dims(first) == REGIONS:
        return reduced_rows.select_rows(first, [number for _, number in places])
    made = {key: crops.without_positions(each.dataset) for key, each in products.items()}
    return rows_of_products(made.__getitem__, places, float(first.attrs["mjdref"]))


@dataclass(frozen=True)
class StackWanted(Entry):
    """Which rows are stacked together.

    Parameters
    ----------
    observed
        The name of the observations in ``Results.observed``.
    by
        How the rows are grouped; ``None`` is one stack of all.
    """

    observed: str
    by: Grouping | None


class StackStep(Step[StackWanted]):
    """Stacks the rows of each group; stacks that the store holds are found."""

    name, section, needs = "stack", "datasets", ("observations",)

    def wanted(self, config: AnalysisConfig) -> tuple[StackWanted, ...]:
        """Return how the rows of each entry of ``datasets`` are grouped that is reduced and stacked."""
        names = names_of(config)
        return tuple(
            StackWanted(number, name, len(names), name if each.observations is not None else "", each.stack_by)
            for number, (name, each) in enumerate(zip(names, config.entries.values(), strict=True))
            if each.stack and each.read is None
        )

    def find(self, wanted: StackWanted, results: Results) -> Finding:
        """Return how many of the stacks the store holds."""
        reduction, recipe = _reduction(wanted, results)
        observations, rows, workers = results.observed[wanted.observed].observations, reduction.rows, results.workers
        count = 1 if wanted.by is None else reduction.count
        ahead = replace(results, reductions={**results.reductions, wanted.number: replace(reduction, count=count)})
        if observations is None:
            # How many groups there will be is not known yet; as many as runs is the most.
            cost = costs.stack_cost(recipe, reduction.count, count, workers)
            return Finding.unknown(reduction.count, ahead, cost)
        labels = group_labels(observations, recipe.grid, wanted.by)
        if rows is None:
            groups = 1 if labels is None else len(set(labels.values()))
            cost = costs.stack_cost(recipe, reduction.count, groups, workers)
            return Finding.unknown(reduction.count, ahead, cost)
        return _found(wanted, recipe, ahead, rows, Groups(rows, labels))

    def compute(self, wanted: StackWanted, results: Results) -> Results:
        """Stack the rows of each group."""
        reduction, recipe = _reduction(wanted, results)
        observations = results.observed[wanted.observed].observations
        if reduction.rows is None or observations is None:
            raise OrderError("There are no rows to stack; call get_datasets() first.")
        labels = group_labels(observations, recipe.grid, wanted.by)
        groups = Groups(reduction.rows, labels)
        product, found = stacked(results.store, reduction.rows, groups, results.workers)
        _log_found(len(groups.keys), found)
        log_lost_counts(observations, replace(reduction, product=product))
        after = with_product(results, wanted, _named(product, wanted), views_of_unused(reduction))
        return after if product.found else replace(after, computed=after.computed | {self.section})


def _reduction(wanted: StackWanted, results: Results) -> tuple[Reduction, Recipe]:
    """Return the reduction of an entry, and its recipe."""
    reduction = results.reductions[wanted.number]
    if reduction.recipe is None:
        raise OrderError("There is nothing to stack: the entry of datasets reads files.")
    return reduction, reduction.recipe


def _named(product: Product[Arrays], wanted: StackWanted) -> Product[Arrays]:
    """Return stacks of an entry of ``datasets`` by its name, where it has one; their keys do not know of it."""
    one = wanted.by is None and wanted.name
    data = reduce.with_names(product.data, [wanted.name]) if one else named(product.data, wanted.name)
    return replace(product, data=data)


def _seen_unread(wanted: StackWanted, reduction: Reduction, recipe: Recipe, key: str) -> dict[int, SeenStack]:
    """Return what a likelihood will see of the only stack of an entry, by its number; nothing of maps and regions."""
    if not recipe.grid.is_region or len(recipe.grid.regions) > 1 or recipe.grid.given_names:
        return {}
    key = with_systematic_key(key, reduction.alpha_systematic)
    return {wanted.number: SeenStack(wanted.name, wanted.name or NAME, key, recipe.grid.energy)}


def _found(wanted: StackWanted, recipe: Recipe, ahead: Results, rows: Reduced, groups: Groups) -> Finding:
    keys = list(groups.keys.values())
    known = stored_stacks(ahead.store, keys)
    missing = len(keys) - len(known)
    if len(keys) == 1:
        reason = "there is no stack of these rows" if missing else "the stack of these rows is in the store"
    else:
        reason = f"{missing} of {len(keys)} stacks are not in the store" if missing else "all stacks are in the store"
    key = keys[0] if known and len(keys) == 1 else None
    if missing:
        ahead = replace(ahead, awaited="reduction")
        return Finding(len(rows), reason, ahead, key, costs.stack_cost(recipe, len(rows), missing, ahead.workers))

    def read() -> Results:
        product, _ = stacked(ahead.store, rows, groups, ahead.workers)
        return with_product(ahead, wanted, _named(product, wanted))

    if key is not None and wanted.by is None:
        stacks = _seen_unread(wanted, ahead.reductions[wanted.number], recipe, key)
        ahead = replace(ahead, unread=Unread(stacks=stacks))
    return Finding(len(rows), reason, ahead, key, read=read)
