"""The fit: how well it describes the data, parameters with errors and correlations, spectra and maps beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

from xgamma.axes import FloatArray
from xgamma.datasets import Datasets, MapDataset
from xgamma.digits import NOTHING, decimals, number_text, some, value_and_error
from xgamma.errors import DataError
from xgamma.fit import Deviance, FitResult, GoodnessOfFit, goodness_of_fit, pulls
from xgamma.models.models import Models
from xgamma.models.parameter import Parameter
from xgamma.models.parameters import link_labels
from xgamma.plot import expected, figures
from xgamma.report.blocks import Block, Facts, Picture, Rows, Section, Text
from xgamma.report.entries import Entry, stacked
from xgamma.units import unit_string

MOST_SPECTRA = 8
"""How many pictures of spectra a page holds; so many correlations, and rows of datasets."""
MOST_CORRELATED = 12
DEVIANCE = "Deviance of data that are drawn from the fit, and that of the data."
PULLS = (
    " Right: pulls of the bins of spectra, which are the roots of their deviance with the sign of data - model, beside "
    "a Gaussian of width 1; those of bins with few counts are narrower."
)


def fit_section(
    result: FitResult,
    datasets: Datasets,
    entries: Sequence[Entry],
    goodness: GoodnessOfFit | str,
    maps: Mapping[str, Figure],
) -> Section:
    """Return the section of a fit.

    Parameters
    ----------
    result, datasets, entries
        The fit, what was fitted with its models, and the entries of it.
    goodness
        How well the models fit, or why that is not known.
    maps
        Pictures of fitted maps, by what they show.
    """
    models = datasets.models
    parts = [
        Section("Goodness of fit", list(_goodness(datasets, goodness))),
        Section("Parameters", [Rows(_parameters(models), "Parameters; errors are those of one standard deviation")]),
        Section("Correlations", list(_correlations(models))),
        Section("Spectra and residuals", list(_spectra(entries))),
        Section("Maps and residuals", [_of_map(name, figure) for name, figure in maps.items()]),
    ]
    return Section("Fit", [Facts(_facts(result, models)), *_warnings(result, models)], parts)


def _facts(result: FitResult, models: Models) -> dict[str, str]:
    facts = {
        "state": "converged"
        if result.success
        else "NOT CONVERGED"
        if not result.optimize_result.success
        else "converged, errors are lacking",
        "statistic": decimals(result.total_stat),
        "method": f"{result.method} ({result.backend})",
        "evaluations": f"{result.nfev}",
        "free parameters": f"{len(models.parameters.free_parameters)}",
    }
    if result.optimize_result.prior_stat is not None:
        facts["priors"] = decimals(result.prior_stat)
    return facts


def _warnings(result: FitResult, models: Models) -> Iterator[Text]:
    yield from (Text(sentence, True) for sentence in fit_warnings(result, models))


def fit_warnings(result: FitResult, models: Models) -> list[str]:
    """Return what of a fit does not hold."""
    said = [] if result.success else [f"The fit: {result.message}"]
    for name, parameter in zip(models.parameters_unique_names, models.parameters, strict=True):
        limits = [limit for limit in (parameter.min, parameter.max) if np.isfinite(limit)]
        if not parameter.frozen and any(np.isclose(parameter.value, limit, rtol=1e-6) for limit in limits):
            said.append(f"{name} ended at its limit, {number_text(float(parameter.value))}.")
    return said


def goodness_of(datasets: Datasets) -> GoodnessOfFit | str:
    """Return how well the models fit, or why that is not known."""
    try:
        return goodness_of_fit(datasets.fit_inputs(), datasets.models)
    except DataError as error:
        return str(error)


def _goodness(datasets: Datasets, found: GoodnessOfFit | str) -> Iterator[Block]:
    if isinstance(found, str):
        yield Text(found)
        return
    yield Text(goodness_text(found))
    draws = len(found.drawn)
    if len(found.datasets) > 1:
        rows = [_deviance_row(name, each) for name, each in found.datasets.items()]
        yield Rows(rows, f"Deviance of each dataset from what is fitted to all; {draws:,} draws that are not refitted")
    values = pulls(datasets.fit_inputs(), datasets.models)
    alt = (
        f"Histogram of the deviance of {draws} sets drawn from the fit, from {found.drawn.min():.1f} to "
        f"{found.drawn.max():.1f}; a line marks the {found.total.value:.1f} of the data."
    )
    if len(values) > 1:
        alt += f" Histogram of the pulls of {len(values)} bins: mean {values.mean():.2f}, width {values.std():.2f}."
    yield Picture.of(partial(_drawn_goodness, found, values), alt, DEVIANCE + (PULLS if len(values) > 1 else ""))


def _drawn_goodness(found: GoodnessOfFit, values: FloatArray) -> Figure:
    figure = figures.new_figure((9.5, 3.8))
    axes = figure.subplots(1, 2, squeeze=False)[0] if len(values) > 1 else [figure.subplots()]
    expected.plot_deviance(found.drawn, found.total.value, axes[0])
    if len(values) > 1:
        expected.plot_pulls(values, "each bin", axes[1], "bins")
    return figure


def goodness_text(found: GoodnessOfFit) -> str:
    """Return a sentence about a goodness of fit."""
    how = (
        "each refitted to second order"
        if found.is_refitted
        else "not refitted, as bins are many more than parameters"
        if found.n_free
        else "without a free parameter"
    )
    return (
        f"Deviance from the saturated model {found.total.value:.1f} for {found.total.n_bins:,} bins and "
        f"{some(found.n_free, 'free parameter')}. Of {len(found.drawn):,} sets of data drawn from the fit ({how}), "
        f"{100 * found.total.p_value:.3g} % deviate as much: p = {found.total.p_value:.3g}."
    )


def _deviance_row(name: str, each: Deviance) -> dict[str, Any]:
    return {
        "dataset": name,
        "deviance": decimals(each.value),
        "bins": each.n_bins,
        "p-value": number_text(each.p_value, 3),
    }


def _parameters(models: Models) -> list[dict[str, Any]]:
    links = link_labels(models.parameters)
    return [
        {
            "model": model.name,
            "parameter": parameter.name,
            "value": number_text(float(parameter.value))
            if parameter.frozen
            else value_and_error(parameter.value, parameter.error),
            "unit": unit_string(parameter.unit) or NOTHING,
            "min": number_text(float(parameter.min)),
            "max": number_text(float(parameter.max)),
            "state": "frozen"
            if parameter.frozen
            else f"linked: {links[id(parameter)]}"
            if id(parameter) in links
            else "free",
        }
        for model in models
        for parameter in model.parameters
    ]


def _correlations(models: Models) -> Iterator[Block]:
    covariance, parameters = models.covariance, list(models.parameters)
    # A linked parameter counts once.
    first_places = {id(parameter): place for place, parameter in reversed(list(enumerate(parameters)))}
    unique = [place for place in sorted(first_places.values()) if covariance.data[place, place] > 0]
    if len(unique) < 2:
        return
    correlation = covariance.correlation[np.ix_(unique, unique)]
    names = [models.parameters_unique_names[place] for place in unique]
    first, second = np.triu_indices(len(unique), 1)
    order = np.argsort(-np.abs(correlation[first, second]), kind="stable")
    pairs = [(names[first[n]], names[second[n]], float(correlation[first[n], second[n]])) for n in order]
    if len(unique) <= MOST_CORRELATED:
        draw = partial(_drawn_correlations, models, [parameters[place] for place in unique])
        said = "; ".join(f"{one} and {other} {value:.2f}" for one, other, value in pairs[:10])
        yield Picture.of(draw, f"Matrix of correlations of {len(unique)} parameters: {said}.")
    rows = [{"parameter": one, "and": other, "correlation": decimals(value)} for one, other, value in pairs[:50]]
    yield Rows(rows, "Correlations, the strongest first")


def _drawn_correlations(models: Models, parameters: Sequence[Parameter]) -> Figure:
    side = 2.6 + 0.8 * len(parameters)
    figure = figures.new_figure((side + 2.8, side + 0.8))
    models.restrict_covariance(parameters).plot_correlation(figure.subplots())
    return figure


def _spectra(entries: Sequence[Entry]) -> Iterator[Block]:
    """Yield a picture of the fit for each region of each entry: of its only dataset, or of their sum."""
    number = 0
    for entry in entries:
        for name, views in entry.groups():
            if isinstance(views[0], MapDataset):
                continue
            whole = stacked(views, name)
            for view in [whole] if whole is not None else views:
                number += 1
                if number <= MOST_SPECTRA:
                    yield _of_spectrum(view, len(views) if whole is not None else 1)
    if number > MOST_SPECTRA:
        yield Text(f"These are the first {MOST_SPECTRA} of {number} spectra.")


def _of_spectrum(view: Any, count: int) -> Picture:
    residuals = np.ravel(view.residuals("diff/sqrt(model)").values)
    known = residuals[np.isfinite(residuals)]
    what = f"{view.name} ({count} added up)" if count > 1 else view.name
    alt = (
        f"Excess counts of {what} over energy with the counts that the fit predicts, and below it the residuals of "
        f"{some(len(known), 'bin')}, which lie between {known.min(initial=0.0):.1f} and {known.max(initial=0.0):.1f} "
        "roots of the prediction."
    )
    joint = "; they are added up for the picture alone, the fit sees each by itself" if count > 1 else ""
    return Picture.of(partial(_drawn_fit, view), alt, f"Excess and prediction of {what}{joint}.")


def _drawn_fit(view: Any) -> Figure:
    figure = figures.new_figure((7.5, 5.6))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    view.plot_fit(above, below, kwargs_residuals={"method": "diff/sqrt(model)"})
    return figure


def _of_map(name: str, figure: Figure) -> Picture:
    return Picture.of(lambda: figure, f"{name}, on the sky or as a histogram.", name)
