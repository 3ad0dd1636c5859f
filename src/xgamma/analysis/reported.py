"""The report of an analysis: which sections it has, and what stands in each."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from xgamma import fit
from xgamma.analysis import origins
from xgamma.analysis.steps import fit_pictures, flux_points
from xgamma.analysis.steps.pictures import kept_drawings
from xgamma.analysis.steps.step import Reduction, Results
from xgamma.config.config import AnalysisConfig
from xgamma.datasets import Datasets
from xgamma.datasets.binned_row import BinnedRow, is_map
from xgamma.digits import decimals, some, value_and_error
from xgamma.errors import OutputExistsError
from xgamma.formats.local_files import local_path, write_files
from xgamma.outcome import Outcome
from xgamma.plot import figures
from xgamma.report import asked, blocks, counts, entries, fits, fluxes, maps, observations, origin
from xgamma.report import page as report_page
from xgamma.store.records import now
from xgamma.store.said import warnings_of
from xgamma.units import unit_string

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xgamma.datasets import FluxPointsDataset
    from xgamma.fit import GoodnessOfFit

VALUES_SHOWN = 6
SIGMA = "\N{GREEK SMALL LETTER SIGMA}"
MARK = '<meta name="generator" content="xgamma report'


class Reported:
    """Results that can be reported; see ``Analysis``."""

    config: AnalysisConfig

    @property
    @abstractmethod
    def results(self) -> Results:
        """All that the steps have made."""

    def report(self, path: str | os.PathLike[str], overwrite: bool = False) -> Path:
        """Write what the steps have made as one HTML file that needs no other, and return its path.

        An earlier report is replaced; another file only with ``overwrite``.

        Raises
        ------
        OutputExistsError, OutputError
            When the file exists and is no report, or cannot be written.
        """
        target = local_path(path)
        write_report(target, report_of(self.config, self.results), overwrite)
        return target


def write_report(path: Path, text: str, overwrite: bool = False) -> None:
    """Write a report, whole or not at all; raises ``OutputExistsError`` where something else would be replaced."""
    if path.is_file() and not overwrite and MARK not in path.read_text(encoding="utf-8", errors="replace")[:2000]:
        raise OutputExistsError(
            f"{path} exists and is no report of xgamma; choose another name, or write with overwrite=True."
        )
    write_files({path: text.encode()}, overwrite=True)


def report_of(
    config: AnalysisConfig,
    results: Results,
    remarks: Sequence[str] = (),
    created: str | None = None,
    missing: Sequence[str] = (),
) -> str:
    """Return the HTML of the report of results.

    Parameters
    ----------
    config, results
        What was asked, and what the steps have made.
    remarks
        Sentences about what is given and was not honoured.
    created
        When the report is made, ISO 8601; by default now.
    missing
        The steps that are not done yet, with why.
    """
    shown = list(_entries(results))
    goodness = None if results.fit is None or results.datasets is None else fits.goodness_of(results.datasets)
    with kept_drawings(results, "report", _estimates(results), _seen_runs(results)):
        sections = [*_seen_sections(config, results, shown, missing), *_estimated_sections(results, shown, goodness)]
    records, made_of = origins.products_of(results)
    logged = [text for record in records for text in warnings_of(record)]
    said = dict.fromkeys([*_warnings(results, remarks), *logged])
    sections.append(blocks.Section("Warnings", [blocks.Text(text, True) for text in said]))
    store = str(config.general.store or f"{config.general.outdir}/xgamma-store")
    sections.append(origin.provenance(records, made_of, store))
    sections.append(origin.citing(list(_subjects(results, shown)), _releases(results)))
    title, subtitle = _title(results, shown)
    headline = _headline(results, shown, goodness)
    if missing:
        headline["not done yet"] = ", ".join(step.partition(":")[0] for step in missing)
    return report_page.page(title, sections, headline, created or now()[:16] + "Z", subtitle)


# --- what decides pictures besides datasets and models


def _estimates(results: Results) -> list[xr.Dataset]:
    views = [
        *(each.data for each in (results.flux_points, *results.flux_points_of.values()) if each is not None),
        *(each for each in (results.light_curve, results.fit_each, results.flux_points_each) if each is not None),
        *results.excess_maps.values(),
    ]
    return [view.data for view in views]


def _seen_runs(results: Results) -> list[Any]:
    """Return the keys of rows and runs, by what they are called."""
    rows = {str(number): each.rows.keys for number, each in results.reductions.items() if each.rows is not None}
    runs = [each.observations.holdings.run_keys for each in results.observed.values() if each.observations is not None]
    failed = {str(number): [str(run) for run in each.failed] for number, each in results.reductions.items()}
    return [rows, [sorted(keys.values()) for keys in runs], failed]


# --- entries


def _entries(results: Results) -> Iterator[entries.Entry]:
    views = [] if results.datasets is None else [view for view in results.datasets if isinstance(view, BinnedRow)]
    for reduction in results.reductions.values():
        own = [view for view in views if reduction.product is not None and _is_of(view, reduction)]
        observed = results.observed.get(reduction.name) or results.observed.get("")
        is_region = reduction.rows is not None and reduction.recipe is not None and reduction.recipe.grid.is_region
        rows = reduction.rows.read() if is_region and reduction.rows is not None and len(reduction.rows) else None
        runs = None if reduction.recipe is None or observed is None else observed.observations
        unused = [] if reduction.rows is None else list(dict.fromkeys([*reduction.rows.unused(), *reduction.failed]))
        yield entries.Entry(reduction.name, runs, own, rows, unused, _remarks_of(reduction))
    if not results.reductions and views:
        yield entries.Entry("", None, views)


def _is_of(view: BinnedRow[Any], reduction: Reduction) -> bool:
    """Whether a view shows what was made of an entry; regions with names are cut out of it."""
    assert reduction.product is not None
    names = {str(name) for name in reduction.product.data["dataset"].values}
    return any(view.name == name or view.name.startswith(f"{name}-") for name in names)


def _remarks_of(reduction: Reduction) -> dict[str, str]:
    rows = reduction.rows
    if rows is None:
        return {}
    said = zip(rows.names, rows.outcome.tolist(), rows.details, strict=True)
    return {
        name: f"{detail}."
        for name, outcome, detail in said
        if outcome == Outcome.USED and detail != Outcome.USED.sentence
    }


# --- sections


def _seen_sections(
    config: AnalysisConfig, results: Results, shown: Sequence[entries.Entry], missing: Sequence[str]
) -> Iterator[blocks.Section]:
    yield asked.asked(config, missing)
    yield observations.observations(shown)
    yield observations.on_the_sky(shown)
    yield blocks.Section("Maps", maps.maps_of(shown))
    if any(entry.views for entry in shown):
        yield counts.events(shown)
        yield counts.safe_ranges(shown)
    if results.excess_maps:
        yield maps.excess_section(results.excess_maps)


def _estimated_sections(
    results: Results, shown: Sequence[entries.Entry], goodness: GoodnessOfFit | str | None
) -> Iterator[blocks.Section]:
    if results.fit is not None and results.datasets is not None and goodness is not None:
        yield fits.fit_section(results.fit.data, results.datasets, shown, goodness, _fitted_maps(results.datasets))
    yield fluxes.groups_section(results.fit_each, results.flux_points_each)
    if results.flux_points is not None:
        yield fluxes.points_section({"": results.flux_points})
    elif results.flux_points_of:
        yield fluxes.points_section(results.flux_points_of, partial(_together, results.flux_points_of))
    if results.light_curve is not None:
        yield fluxes.curve_section(results.light_curve)


def _together(points: Mapping[str, FluxPointsDataset]) -> Figure:
    figure = figures.new_figure((8.0, 5.4))
    flux_points.plot_flux_points_of(points, figure.subplots())
    return figure


def _fitted_maps(datasets: Datasets) -> Mapping[str, Figure]:
    """Return the pictures of the first fitted map, by what they show."""
    maps = [view for view in datasets if is_map(view)]
    if not maps:
        return {}
    titles = {"fit": "Counts, prediction and residuals"}
    return {
        f"{titles.get(name, name).capitalize()} of {maps[0].name}": figure
        for name, figure in fit_pictures.fit_pictures(Datasets(maps[:1])).items()
    }


def _warnings(results: Results, remarks: Sequence[str]) -> Iterator[str]:
    yield from remarks
    if results.fit is not None and results.datasets is not None:
        yield from fits.fit_warnings(results.fit.data, results.datasets.models)
    unused = results.unused_runs
    if unused:
        yield f"{some(len(unused), 'run')} could not be used; the table of observations says why."
    noted = [
        run
        for each in results.observed.values()
        if each.observations is not None
        for run in each.observations.table["notes"]
        if run
    ]
    if noted:
        yield f"{some(len(noted), 'run')} have notes of the ingest; the table of observations has them."
    if results.fit_each is not None and not results.fit_each.success.all():
        lost = [name for name, good in zip(results.fit_each.groups, results.fit_each.success, strict=True) if not good]
        count, named = len(results.fit_each.groups), ", ".join(lost[:10])
        yield f"The fits of {len(lost)} of {count} groups did not converge: {named}."


# --- head


def _title(results: Results, shown: Sequence[entries.Entry]) -> tuple[str, str]:
    models = [] if results.datasets is None else results.datasets.models.names
    sources = [name for name in models if not name.endswith("-bkg")]
    tables = [entry.observations.table for entry in shown if entry.observations is not None]
    targets = list(dict.fromkeys(str(name) for table in tables for name in table["target"] if str(name)))
    title = ", ".join(sources[:4]) or ", ".join(targets[:4]) or "Analysis"
    telescopes = list(dict.fromkeys(str(name) for table in tables for name in table["telescope"] if str(name)))
    dates = sorted(str(night) for table in tables for night in table["night"])
    when = (
        f"nights of {dates[0]} to {dates[-1]}"
        if dates and dates[0] != dates[-1]
        else f"night of {dates[0]}"
        if dates
        else ""
    )
    return f"Report of {title}", ", ".join(
        text
        for text in (f"targets {', '.join(targets[:6])}" if targets else "", " and ".join(telescopes), when)
        if text
    )


def _headline(results: Results, shown: Sequence[entries.Entry], goodness: GoodnessOfFit | str | None) -> dict[str, str]:
    """Return the numbers that one looks for first: of a single entry also its excess."""
    used = sum(len(entry.observations) for entry in shown if entry.observations is not None)
    lost = len(results.unused_runs)
    found: dict[str, str] = {"runs": f"{used:,}{f', {lost} not used' if lost else ''}"} if used else {}
    if len(shown) > 1:
        found["joint shown"] = ", ".join(entry.title for entry in shown)
    elif shown and shown[0].views:
        views = _one_region(shown[0].views)
        found["live time"] = f"{decimals(sum(float(view.livetime.to_value('h')) for view in views))} h"
        if not shown[0].is_map:
            excess, significance = counts.significance_of(views)
            found["excess"] = f"{decimals(excess, 0)} counts"
            found["significance"] = f"{decimals(significance, 1)} {SIGMA}"
    if results.fit is not None and results.datasets is not None:
        found["fit"] = "converged" if results.fit.data.success else "NOT CONVERGED"
        found |= (
            {"goodness of fit": f"p = {goodness.total.p_value:.2g}"} if isinstance(goodness, fit.GoodnessOfFit) else {}
        )
        found |= _fitted_values(results.datasets)
    return found


def _fitted_values(datasets: Datasets) -> dict[str, str]:
    """Return the first free parameters with their errors."""
    free = [
        (f"{model.name} {one.name}", one)
        for model in datasets.models
        for one in model.parameters
        if not one.frozen and one.error > 0
    ]
    units = {name: unit_string(one.unit) for name, one in free}
    return {name: f"{value_and_error(one.value, one.error)} {units[name]}".strip() for name, one in free[:VALUES_SHOWN]}


def _one_region(views: Sequence[BinnedRow[Any]]) -> list[BinnedRow[Any]]:
    """Return the views of the first of several regions, or all of maps."""
    first = [view for view in views if is_map(view) or view.group is views[0].group]
    return [view for view in first if is_map(view) or view.position[1] == first[0].position[1]]


# --- end


def _releases(results: Results) -> list[str]:
    return list(dict.fromkeys(each.release.name for each in results.observed.values() if each.release is not None))


def _subjects(results: Results, shown: Sequence[entries.Entry]) -> Iterator[str]:
    kinds = {getattr(view, "stat_type", "") for entry in shown for view in entry.views}
    yield from ("on-off" if kind == "wstat" else "cash" for kind in sorted(kinds) if kind)
    for reduction in results.reductions.values():
        background = None if reduction.recipe is None else reduction.recipe.background
        if background is not None:
            yield background.name.removesuffix("_background")
    if results.fit is not None:
        yield "minuit"
    if results.flux_points is not None or results.flux_points_of or results.light_curve is not None:
        yield "errors"
    if results.light_curve is not None:
        yield "variability"
    yield "libraries"
