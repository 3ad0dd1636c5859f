"""``light curve``: the flux of a source in bins of time and energy."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xgamma import datasets as views
from xgamma import estimate
from xgamma.analysis.steps.fit import found_later, with_models
from xgamma.analysis.steps.flux_points import is_fit_range_set, models_key, validate_edges
from xgamma.analysis.steps.keys import made_from, seen_by
from xgamma.analysis.steps.pictures import write_pictures
from xgamma.analysis.steps.stack import StackStep
from xgamma.analysis.steps.step import Finding, Product, Results, SeenSpectrum, Step
from xgamma.axes import Axis, unify_axis
from xgamma.config.requests import light_curve_of
from xgamma.estimate import time_bins
from xgamma.estimate.flux_points_parameters import LightCurveParameters, source_model, validate_telescopes
from xgamma.estimate.time_binning import TimeBinning
from xgamma.plot import figures
from xgamma.schema import Kind
from xgamma.store import canonical_json, digest
from xgamma.store.lineage import MADE_FROM
from xgamma.tables import points as point_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xgamma.config.config import AnalysisConfig
    from xgamma.datasets import Datasets, LightCurve
    from xgamma.datasets.observations import Observations
    from xgamma.estimate.time_bins import TimeSpans
    from xgamma.models.models import Models
    from xgamma.tables.table import Table

log = logging.getLogger(__name__)

LIGHT_CURVE_VERSION = 1
WHERE, ENERGY = "light_curve", "light_curve.energy_edges"


@dataclass(frozen=True)
class LightCurveWanted:
    """Which light curve is wanted.

    Parameters
    ----------
    source
        The name of the model whose flux it is.
    edges
        The edges of the bins of energy in TeV.
    binning
        The bins of time; of nights without the longitude of the site, which the observations tell.
    parameters
        How the fluxes are estimated.
    is_stacked
        Whether all observations are stacked to one dataset, which has one time.
    is_fit_range_set
        Whether the configuration limits the energies of the fit, which only the fit applies.
    """

    source: str
    edges: tuple[float, ...]
    binning: TimeBinning
    parameters: LightCurveParameters
    is_stacked: bool
    is_fit_range_set: bool

    def key(self, seen: str, models: str, binning: TimeBinning) -> str:
        """Return the key: of what the likelihood sees, of the fit or the models, and of the bins."""
        settings = canonical_json(self.parameters.document())
        request = {"step": Kind.LIGHT_CURVE, "version": LIGHT_CURVE_VERSION, "datasets": seen, "models": models}
        bins = {"source": self.source, "edges": list(self.edges), "binning": binning.document()}
        return digest(request | bins | {"parameters": settings})


class LightCurveStep(Step[LightCurveWanted]):
    """Estimates a light curve; one of the same request that the store holds is found."""

    name, section, needs, needs_models = "light curve", WHERE, ("datasets",), True

    def validate_order(self, results: Results) -> None:
        """Raise ``OrderError`` before there are datasets with models."""
        with_models(results, "compute a light curve of")

    def wanted(self, config: AnalysisConfig) -> tuple[LightCurveWanted, ...]:
        """Return the bins and the parameters of a configuration; raises ``ConfigError`` where it gives no energies."""
        edges, binning, parameters = light_curve_of(config)
        is_stacked = len(config.entries) == 1 and any(stack.by is None for stack in StackStep().wanted(config))
        is_set = is_fit_range_set(config)
        return (LightCurveWanted(config.light_curve.source, edges, binning, parameters, is_stacked, is_set),)

    def remarks(self, wanted: LightCurveWanted, axes: Mapping[str, Axis], models: Models) -> list[str]:
        """Return what will be empty or single; raises what the estimator would raise of axes and models."""
        estimate.validate_varied(source_model(models, wanted.source, WHERE))
        outside = validate_edges(unify_axis(list(dict.fromkeys(axes.values()))), wanted.edges, ENERGY)
        single = (
            f"{WHERE}: all observations are stacked to one dataset, and so there will be one bin of time; "
            "write datasets.stack: false, or datasets.stack_by."
        )
        return [*([outside] if outside else []), *([single] if wanted.is_stacked else [])]

    def validate_bins(self, wanted: LightCurveWanted, spectra: Sequence[SeenSpectrum]) -> None:
        """Raise ``DataError`` for several telescopes, where their common flux is not asked for."""
        if not wanted.parameters.allow_multiple_telescopes:
            validate_telescopes(sorted({each.telescope for each in spectra} - {""}), WHERE)

    def time_remarks(self, wanted: LightCurveWanted, spans: TimeSpans) -> list[str]:
        """Return what intervals leave out; raises ``ConfigError`` where no interval holds a dataset."""
        if not wanted.binning.intervals:
            return []
        bins = time_bins.bins_of_intervals(spans, wanted.binning.intervals, wanted.parameters.atol)
        return [f"light_curve.time_intervals: {sentence}." for sentence in bins.report]

    def find(self, wanted: LightCurveWanted, results: Results) -> Finding:
        """Return whether the store holds this light curve."""
        if results.awaited:
            return found_later(results)
        _, key, _, _ = _asked(wanted, results)

        def read() -> Results:
            return _with_curve(results, _stored(results, key))

        return Finding.of_key(results, Kind.LIGHT_CURVE, key, read)

    def compute(self, wanted: LightCurveWanted, results: Results) -> Results:
        """Estimate the light curve, or read that of the same request that the store holds.

        Raises
        ------
        OrderError
            Before there are datasets with models.
        ConfigError
            When the source is not one of the models or has no free norm, or no interval holds a dataset.
        """
        datasets, key, binning, inputs = _asked(wanted, results)
        if wanted.is_fit_range_set and any(view.fit_bins is None for view in datasets):
            log.warning("fit.fit_range is not applied to the light curve, because run_fit() was not called.")
        log.info("Computing light curve.")
        product = _stored(results, key) if results.store.has(Kind.LIGHT_CURVE, key) else None
        if product is None:
            edges, models = np.array(wanted.edges), datasets.models
            data = estimate.light_curve(datasets.fit_inputs(), models, wanted.source, edges, binning, wanted.parameters)
            results.store.put(Kind.LIGHT_CURVE, key, {"": data}, {MADE_FROM: made_from(results)}, inputs=inputs)
            product = Product(data, key, False)
        log.info("The light curve was %s.", "found in the store" if product.found else "computed")
        return _with_curve(results, product)

    def write(self, results: Results, outdir: Path) -> dict[str, Path]:
        """Write the light curve, and a picture of it."""
        if results.light_curve is None:
            return {}
        path = outdir / "light-curve.fits"
        results.light_curve.write(path, overwrite=True)
        curve = results.light_curve
        pictures = write_pictures(results, outdir, "light curve", lambda: _picture(results, curve), [curve.data])
        return {"light curve": path, **pictures}

    def tables(self, results: Results) -> list[Table]:
        """Return a row for each bin of time and energy, the first ones where they are many."""
        return [] if results.light_curve is None else [point_tables.light_curve_table(results.light_curve.data)]

    def document(self, results: Results) -> dict[str, Any]:
        """Return how many bins the light curve has and what was left out of it, where there is one."""
        if results.light_curve is None:
            return {}
        data = results.light_curve.data
        facts = {"bins": data.sizes["time"], "energies": data.sizes["energy"], "left_out": data.attrs["time_report"]}
        return {"light_curve": facts}


def _picture(results: Results, curve: LightCurve) -> dict[str, Figure]:
    figure = figures.picture_figure()
    ax = curve.plot(figures.add_axes(figure), sed_type="flux", close_gaps=True)
    figures.show_title(ax, *(results.datasets.facts() if results.datasets is not None else ()))
    return {"light curve": figure}


def _asked(wanted: LightCurveWanted, results: Results) -> tuple[Datasets, str, TimeBinning, list[str]]:
    """Return the datasets, the key of the light curve, its bins of time, and the keys of what it is made of."""
    datasets, models = with_models(results, "compute a light curve of")
    validate_edges(Axis.from_coords(datasets.fit_inputs()[0].data.coords, "energy"), wanted.edges, ENERGY)
    binning = wanted.binning.at(site_longitude(each.observations for each in results.observed.values()))
    inputs = [seen_by(results, datasets), models_key(results, models)]
    return datasets, wanted.key(inputs[0], inputs[1], binning), binning, inputs


def site_longitude(several: Iterable[Observations | None]) -> float:
    """Return the east longitude of the site of most observations in deg, NaN where none says it."""
    found = [
        observations.holdings.parts[key].column("geo_lon", rows.obs)
        for observations in several
        if observations is not None
        for key, rows in observations.rows
        if "geo_lon" in observations.holdings.parts[key].obs
    ]
    known = np.concatenate([*found, np.zeros(0)])
    known = known[np.isfinite(known)]
    if not len(known):
        return np.nan
    values, counts = np.unique(known, return_counts=True)
    return float(values[counts.argmax()])


def _stored(results: Results, key: str) -> Product[xr.Dataset]:
    data = results.store.get_valid(Kind.LIGHT_CURVE, key)
    estimate.log_light_curve(data)
    return Product(data, key, True)


def _with_curve(results: Results, product: Product[xr.Dataset]) -> Results:
    computed = results.computed if product.found else results.computed | {LightCurveStep.section}
    return replace(results, light_curve=views.LightCurve(product.data), computed=computed)
