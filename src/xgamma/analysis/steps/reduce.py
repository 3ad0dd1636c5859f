"""``reduce``: the observations of an analysis reduced to rows, each at its own risk."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xgamma import datasets as views
from xgamma import reduce
from xgamma.analysis import costs
from xgamma.analysis.failures import can_be_made_again, note_failures, on_unused_run
from xgamma.analysis.selected import no_run_left, nothing_selected
from xgamma.analysis.steps.observations import errors_of
from xgamma.analysis.steps.pictures import write_pictures
from xgamma.analysis.steps.rows import Reduced, failed_rows, reduced, wanted_rows
from xgamma.analysis.steps.step import (
    Entry,
    Finding,
    Observed,
    Product,
    Reduction,
    Results,
    Step,
)
from xgamma.config.requests import names_of, recipes_of, remember_masks, validate_workers
from xgamma.datasets.binned_row import is_map
from xgamma.errors import DamagedError, DataError, OrderError
from xgamma.outcome import REDUCE, Outcome, UnusedRun
from xgamma.plot import figures
from xgamma.plot import regions as plot_regions
from xgamma.plot.look import MOST_ROWS
from xgamma.reduce import losses
from xgamma.schema import has_safe_bin, safe_energies
from xgamma.schema.arrays import Arrays, PlainArray, SomeArrays
from xgamma.store import dataset_digest, digest
from xgamma.tables import rows as row_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xgamma.config.config import AnalysisConfig
    from xgamma.datasets import Datasets
    from xgamma.datasets.binned_row import BinnedRow
    from xgamma.datasets.observations import Observations
    from xgamma.reduce import Recipe
    from xgamma.tables.table import Table

log = logging.getLogger(__name__)

ROWS_SHOWN = 10


@dataclass(frozen=True)
class ReductionWanted(Entry):
    """What is wanted of the observations.

    Parameters
    ----------
    observed
        The name of the observations in ``Results.observed``.
    recipe
        Everything that decides the numbers.
    is_stacked
        Whether the rows are stacked afterwards, so that they are not what is fitted.
    is_one_stack
        Whether they are all stacked into one.
    fail_fast
        Whether the first run that cannot be used ends the work.
    alpha_systematic
        The relative error of alpha that the datasets are fitted with, 0 for none.
    """

    observed: str
    recipe: Recipe
    is_stacked: bool
    is_one_stack: bool
    fail_fast: bool
    alpha_systematic: float = 0.0

    def reduction(self, count: int, rows: Reduced | None = None, failed: Sequence[UnusedRun] = ()) -> Reduction:
        """Return what is known of the reduction of so many runs."""
        systematic = self.alpha_systematic
        return Reduction(self.recipe, count, self.name, rows, tuple(failed), alpha_systematic=systematic)


class ReduceStep(Step[ReductionWanted]):
    """Reduces observations to rows, block by block; rows that the store holds are found."""

    name, section, needs = "reduce", "datasets", ("observations",)

    def wanted(self, config: AnalysisConfig) -> tuple[ReductionWanted, ...]:
        """Return the recipe of each entry of ``datasets`` that is reduced; reads exclusion masks.

        Raises
        ------
        LaterError
            For maps.
        """
        recipes, names, fail_fast = recipes_of(config), names_of(config), bool(config.general.fail_fast)
        return tuple(
            ReductionWanted(
                number,
                name,
                len(names),
                name if entry.observations is not None else "",
                recipes[where],
                entry.stack,
                entry.stack and entry.stack_by is None,
                fail_fast,
                entry.background.alpha_systematic or 0.0,
            )
            for number, (name, (where, entry)) in enumerate(zip(names, config.entries.items(), strict=True))
            if where in recipes
        )

    def find(self, wanted: ReductionWanted, results: Results) -> Finding:
        """Return how many rows the store holds."""
        observed = results.observed.get(wanted.observed, Observed())
        if observed.observations is None:
            cost = costs.unknown_reduction_cost(wanted.recipe, observed.runs, results.workers)
            ahead = _with_reduction(results, wanted, wanted.reduction(observed.runs))
            return Finding.unknown(observed.runs, ahead, cost)
        observations = observations_to_reduce(results, wanted.observed)
        rows = wanted_rows(results.store, observations.holdings, observations.rows, wanted.recipe)
        missing = list(rows.missing())
        ahead = _with_reduction(results, wanted, wanted.reduction(len(rows)))
        if missing:
            count = sum(len(piece.rows) for piece in missing)
            reason = f"{count} of {len(rows)} rows are not in the store for this recipe"
            ahead = replace(ahead, awaited="reduction")
            cost = costs.reduction_cost(wanted.recipe, [(piece.part, piece.rows) for piece in missing], results.workers)
            return Finding(count, reason, ahead, rows.recipe_key, cost)

        def read() -> Results:
            return _with_rows(results, wanted, rows.reduced({}), observations.holdings.failures)

        return Finding(len(rows), "all rows are in the store", ahead, rows.recipe_key, read=read)

    def compute(self, wanted: ReductionWanted, results: Results) -> Results:
        """Reduce observations, or find their rows in the store.

        Raises
        ------
        OrderError
            Before there are observations.
        DataError
            When no run can be used, or one cannot and ``general.fail_fast`` is set.
        DamagedError
            When a part of the store has lost bytes that can be read again from files.
        """
        observations = observations_to_reduce(results, wanted.observed)
        validate_workers(results.workers, results.store.url)
        _log_start(wanted.recipe)
        with errors_of(wanted.observed):
            rows, lost = _reduced(wanted, results, observations)
            failed = [*lost, *observations.holdings.failures]
            if int((rows.outcome == Outcome.USED).sum()) == 0:
                raise DataError(no_run_left([*rows.unused(), *failed]))
        remember_masks(results.store, wanted.recipe.exclusion)
        after = _with_rows(results, wanted, rows, failed)
        return after if rows.found == len(rows) else replace(after, computed=after.computed | {self.section})

    def write(self, results: Results, outdir: Path) -> dict[str, Path]:
        """Write the datasets, a picture of their counts, and one of regions of several or other shapes."""
        datasets = results.datasets
        if datasets is None:
            return {}
        is_one_file = len(datasets) == 1 and not is_map(datasets[0])
        path = outdir / ("datasets.fits.gz" if is_one_file else "datasets.zarr")
        datasets.write(path, overwrite=True)
        written = {"datasets": path, **write_pictures(results, outdir, "counts", lambda: _counts_picture(datasets))}
        # One circle is no news.
        grids = [each.recipe.grid for each in results.reductions.values() if each.recipe is not None]
        if any(len(grid.regions) > 1 or np.isnan(grid.radii).any() for grid in grids):
            rows = _first_rows(results)
            written |= write_pictures(results, outdir, "regions", lambda: _regions_picture(rows), rows)
        return written

    def tables(self, results: Results) -> list[Table]:
        """Return counts, excess and significance of the first datasets that can be used."""
        products = [each.product.data for each in results.reductions.values() if each.product is not None]
        if results.datasets is None or not products:
            return []
        used = [reduce.select_rows(ds, np.flatnonzero(has_safe_bin(ds)).tolist()) for ds in products]
        return [row_tables.rows_table([ds for ds in used if ds.sizes["dataset"]], "Datasets", ROWS_SHOWN)]


def _log_start(recipe: Recipe) -> None:
    """Log what is done now, in the words that users of Gammapy look for."""
    if recipe.grid.is_region:
        log.info("Reducing spectrum datasets.")
    else:
        log.info("Creating reference dataset and makers.")
        log.info("Start the data reduction loop.")
    if remark := recipe.exclusion_remark:
        log.warning("%s", remark)
    if recipe.grid.is_region and recipe.background is None:
        log.warning("datasets.background.method is not set: the counts have no background.")


def _counts_picture(datasets: Datasets) -> dict[str, Figure]:
    return {"counts": datasets.plot_counts(figures.picture_figure())}


def _regions_picture(rows: Sequence[xr.Dataset]) -> dict[str, Figure]:
    figure = figures.picture_figure()
    plot_regions.plot_regions(rows, figure=figure)
    return {"regions": figure}


def _first_rows(results: Results) -> list[xr.Dataset]:
    """Return a few rows of each reduction, which know their off regions, as a stack does not."""
    rows = [each.rows for each in results.reductions.values() if each.rows is not None]
    return [each.read(range(min(len(each), MOST_ROWS))) for each in rows]


def observations_to_reduce(results: Results, name: str = "") -> Observations:
    """Return the observations of a name; raises ``OrderError`` before they are there, and what is wrong with none."""
    observations = results.observed.get(name, Observed()).observations
    if observations is None:
        raise OrderError("There are no observations to reduce; call get_observations() first.")
    if len(observations) == 0:
        raise nothing_selected(observations.holdings.failures, observations.dropped)
    return observations


def _reduced(wanted: ReductionWanted, results: Results, observations: Observations) -> tuple[Reduced, list[UnusedRun]]:
    """Return the rows, and the runs whose reduction did not come to an end; those that cannot be used are logged."""
    store, release = results.store, results.observed[wanted.observed].release
    log_unused = on_unused_run(wanted.fail_fast)

    def on_failure(run: UnusedRun, error: Exception) -> None:
        if isinstance(error, DamagedError) and can_be_made_again(error, store, release):
            raise error
        if release is not None and wanted.fail_fast:
            note_failures(store, release.name, release.origin, [run], REDUCE, [])
        log_unused(run)

    search = wanted_rows(store, observations.holdings, observations.rows, wanted.recipe)
    rows, lost = reduced(search, wanted.recipe, results.workers, on_failure, is_one_stack=wanted.is_one_stack)
    if release is not None:
        note_failures(store, release.name, release.origin, lost, REDUCE, rows.names)
    log.info("Reduced %d rows, found %d in the store.", len(rows) - rows.found, rows.found)
    # Runs that could not be read were named when they were read.
    for run in rows.unused():
        log_unused(run)
    for name, outcome, detail in zip(rows.names, rows.outcome, rows.details, strict=True):
        if outcome == Outcome.USED and detail != Outcome.USED.sentence:
            log.warning("Run %s is %s.", name, detail)
    return rows, lost


def _with_reduction(results: Results, entry: Entry, reduction: Reduction) -> Results:
    """Return the results with the reduction of an entry; what was made of an earlier one is dropped."""
    before = {number: each for number, each in results.reductions.items() if number < entry.number}
    return replace(results, reductions={**before, entry.number: reduction}, datasets=None)


def _with_rows(results: Results, wanted: ReductionWanted, rows: Reduced, failed: Sequence[UnusedRun]) -> Results:
    """Return the results with rows, which are what is fitted unless they are to be stacked."""
    reduction = wanted.reduction(len(rows), rows, failed)
    after = _with_reduction(results, wanted, reduction)
    if wanted.is_stacked:
        return after
    masked = [failed_rows(rows, wanted.recipe, failed)] if failed else []
    everything = named(reduce.joined_rows([rows.read(), *masked]), wanted.name)
    product = Product(everything, dataset_digest(everything), rows.found == len(rows))
    log_lost_counts(results.observed[wanted.observed].observations, replace(reduction, product=product))
    return with_product(after, wanted, product)


def with_product(
    results: Results, entry: Entry, product: Product[Arrays], unused: Sequence[BinnedRow[Any]] = ()
) -> Results:
    """Return the results with what is fitted of an entry, and once all entries have that with the datasets."""
    product = _with_systematic(product, results.reductions[entry.number].alpha_systematic)
    # Its key speaks of these bytes: whoever wants others takes a copy.
    for variable in product.data.variables.values():
        values = variable.values if isinstance(variable, PlainArray) else variable.data
        if isinstance(values, np.ndarray):
            values.flags.writeable = False
    own = replace(results.reductions[entry.number], product=product, unused=tuple(unused))
    every = {**results.reductions, entry.number: own}
    reductions = {number: every[number] for number in sorted(every) if number < entry.count}
    products = [each.product.data for each in reductions.values() if each.product is not None]
    datasets = None
    if len(products) == entry.count:
        datasets = views.Datasets.from_xarray(products)
        datasets.unused = [*datasets.unused, *(view for each in reductions.values() for view in each.unused)]
    return replace(results, reductions=reductions, datasets=datasets)


def _with_systematic(product: Product[Arrays], error: float) -> Product[Arrays]:
    """Return what is fitted with a relative error of alpha; rows and stacks in the store do not know of it."""
    if not error:
        return product
    data = reduce.with_alpha_systematic(product.data, error)
    return replace(product, data=data, key=with_systematic_key(product.key, error))


def with_systematic_key(key: str, error: float) -> str:
    """Return the key of what is fitted with a relative error of alpha, of which 0 is none, from that of the product."""
    return digest({"product": key, "alpha_systematic": error}) if error else key


def log_lost_counts(observations: Observations | None, reduction: Reduction) -> None:
    """Warn where the axis of true energy costs predicted counts, and of point-like responses in maps.

    It looks at a few rows, and only at new ones.

    Of rows that were found it was logged when they were made: opening their responses would cost more.
    """
    rows, recipe, product = reduction.rows, reduction.recipe, reduction.product
    if observations is None or rows is None or recipe is None or product is None or rows.found == len(rows):
        return
    used = {name for name, outcome in zip(rows.names, rows.outcome.tolist(), strict=True) if outcome == Outcome.USED}
    for key, own in observations.rows:
        numbers = [number for number, name in enumerate(own.names) if name in used]
        if numbers:
            part, safe = observations.holdings.parts[key], safe_energies(product.data)
            remark = losses.rows_remark(part, own.at(numbers), recipe, safe)
            if remark:
                log.warning("%s", remark)
            return


def views_of_unused(reduction: Reduction) -> list[BinnedRow[Any]]:
    """Return a view of each run of a reduction that could not be read or used."""
    rows, recipe, failed = reduction.rows, reduction.recipe, reduction.failed
    if rows is None or recipe is None:
        return []
    masked = np.flatnonzero(rows.outcome).tolist()
    pieces = [rows.read(masked)] if masked else []
    pieces += [failed_rows(rows, recipe, failed)] if failed else []
    return views.Datasets.from_xarray(named(reduce.joined_rows(pieces), reduction.name)).unused if pieces else []


def named(data: SomeArrays, name: str) -> SomeArrays:
    """Return rows of an entry of ``datasets``, whose names begin with its name where it has one."""
    return reduce.with_names(data, [row_name(name, row) for row in data["dataset"].values.tolist()]) if name else data


def row_name(name: str, row: str) -> str:
    """Return the name of a row of an entry of ``datasets``.

    >>> row_name("", "23523"), row_name("south", "23523")
    ('23523', 'south-23523')
    """
    return f"{name}-{row}" if name else row
