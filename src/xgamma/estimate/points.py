"""Flux points: the norm of one source in groups of energy bins, with the shape of its spectrum kept.

The fit range of the preceding fit stays in force, while the reference fluxes belong to whole groups. The edges that
are honoured are those of the datasets' axis: what was moved or left out is said in the result and in one warning.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr
from astropy import units as u

from xgamma.axes import Axis, FloatArray, IntArray, bin_coords, unify_axis
from xgamma.errors import ConfigError
from xgamma.estimate.energy_groups import EnergyGroups, binning_report
from xgamma.estimate.flux_points_parameters import (
    FLUX_POINTS,
    IS_UL_BELOW,
    FluxPointsParameters,
    log_binning,
    source_model,
    validate_telescopes,
)
from xgamma.estimate.norm_profile import NormProfile, NormTerm
from xgamma.estimate.reference import Reference, centers, reference_of
from xgamma.estimate.refitted import PREDICTED, nuisance, refitted
from xgamma.fit.inputs import FitInput, Inputs, normalize_inputs, validate_datasets_names, within
from xgamma.fit.statistic import Statistic
from xgamma.fit.terms import CountsTerm
from xgamma.formats.sed.kinds import level_of
from xgamma.models.models import Models, SkyModel
from xgamma.registry import normalize_parameters, register
from xgamma.schema import bin_dims
from xgamma.schema.dl5 import POINTS_SCHEMA, SCHEMA_VERSION
from xgamma.schema.tables import head

log = logging.getLogger("xgamma.estimate")

Variables: TypeAlias = dict[str, tuple[tuple[str, ...], npt.NDArray[Any], dict[str, str]]]
UNITS = {
    "ref_dnde": "cm-2 s-1 TeV-1",
    "ref_flux": "cm-2 s-1",
    "ref_eflux": "TeV cm-2 s-1",
    "ref_e2dnde": "TeV cm-2 s-1",
}


@register("estimator", "flux_points", parameters=FluxPointsParameters)
def flux_points(
    inputs: Inputs,
    models: Models,
    source: str,
    edges: Any,
    parameters: FluxPointsParameters | Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Estimate flux points of one source.

    Parameters
    ----------
    inputs
        DL4 Datasets with aligned axes of reconstructed energy and one telescope, each alone or as ``FitInput`` with the
        bins of the fit; all rows enter each point.
    models
        All models of the datasets; those beside the source are kept as they are.
    source
        The name of the source's model.
    edges
        Requested edges, ascending: a ``Quantity`` or numbers in TeV, shape (energy + 1,).
    parameters
        A ``FluxPointsParameters`` or its fields as a mapping.

    Returns
    -------
    DL5 Dataset with dims ``energy``, ``dataset``, ``norm_scan``. A norm multiplies ``ref_dnde`` (cm-2 s-1 TeV-1, at the
    centre), ``ref_flux``, ``ref_eflux`` and ``ref_e2dnde``. ``energy_bounds`` are the edges of the group,
    ``e_min_fit`` and ``e_max_fit`` those of the bins used, ``counts_left_out`` the counts of safe bins of the group
    that the fit range excludes. A group without a usable bin is a row of NaN with ``success`` False; what is asked for
    and narrower than a bin of the datasets is no row. Values, limits and frozen flags of the source's parameters do not
    enter the fluxes, only the shape of its spectrum does: see ``reference_of``.

    Raises
    ------
    ConfigError
        For an unknown source, one that predicts nothing, edges that do not ascend, unknown parameters.
    DataError
        For Datasets with different axes or telescopes.
    """
    result = unlogged_points(inputs, models, source, edges, parameters)
    log_binning(result)
    return result


def unlogged_points(
    inputs: Inputs,
    models: Models,
    source: str,
    edges: Any,
    parameters: FluxPointsParameters | Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Return `flux_points` without a word about edges that were moved."""
    settings = _normalize_parameters(parameters)
    given = normalize_inputs(inputs)
    axis = validate_alike(given, allow_multiple_telescopes=settings.allow_multiple_telescopes)
    model = source_model(models, source)
    groups = EnergyGroups.nearest(axis, normalize_edges(edges))
    validate_datasets_names(models, given, source)
    statistic = Statistic(given, models, arguments=[])
    terms = statistic.counts_terms
    reference = reference_of(model, terms)
    if settings.reoptimize and nuisance(models, model):
        cells = [within(given, first, last) for first, last in groups.spans()]
        found, predicted = refitted(cells, models, reference, settings, interpolation(model))
        of_datasets = {name: np.stack([one[name] for one in predicted]) for name in PREDICTED}
    else:
        profile = norm_profile(terms, reference, groups, settings)
        found = estimates(profile, settings, interpolation(model))
        of_datasets = _per_dataset(profile, found["norm"], len(statistic.names))
    variables = (
        _of_energy(found)
        | {name: (("energy", "dataset"), values, {"units": ""}) for name, values in of_datasets.items()}
        | reference_fluxes(reference, groups.bounds)
        | _account(given, groups)
    )
    result = _product(groups, statistic.names, variables)
    result.attrs = head(POINTS_SCHEMA, SCHEMA_VERSION) | {
        "source": source,
        "n_sigma": settings.n_sigma,
        "n_sigma_ul": settings.n_sigma_ul,
        "UL_CONF": level_of(settings.n_sigma_ul),
        "telescope": ", ".join(telescopes_of(given)),
    }
    result.attrs["binning_report"] = _binning_report(result, groups)
    return result


def _normalize_parameters(parameters: FluxPointsParameters | Mapping[str, Any] | None) -> FluxPointsParameters:
    if isinstance(parameters, FluxPointsParameters):
        return parameters
    settings: FluxPointsParameters = normalize_parameters(FLUX_POINTS, parameters or {}, "flux_points.parameters")
    return settings


def normalize_edges(edges: Any, where: str = "flux_points") -> FloatArray:
    """Return ascending edges in TeV; raises ``ConfigError``."""
    try:
        given = u.Quantity(edges)
        values = np.asarray(given.value if given.unit.is_equivalent("") else given.to_value("TeV"), dtype=float)
    except (TypeError, ValueError, u.UnitConversionError):
        raise ConfigError(f"{where}: expected edges in TeV, got {edges!r}.") from None
    if values.ndim != 1 or values.size < 2 or not np.all(np.diff(values) > 0) or not values[0] > 0:
        raise ConfigError(f"{where}: expected at least two ascending edges above 0 TeV, got {values.tolist()}.")
    return values


def validate_alike(
    inputs: Sequence[FitInput], where: str = "flux_points", allow_multiple_telescopes: bool = False
) -> Axis:
    """Return the common axis of reconstructed energy; raises ``DataError`` for other axes, or other telescopes."""
    if not inputs:
        raise ConfigError(f"{where}: expected at least one dataset, got none.")
    axis = unify_axis([Axis.from_coords(one.data.coords, "energy") for one in inputs])
    if not allow_multiple_telescopes:
        validate_telescopes(telescopes_of(inputs), where)
    return axis


def telescopes_of(inputs: Sequence[FitInput]) -> list[str]:
    """Return the telescopes of Datasets, each once; those of a stack are one text."""
    return sorted({str(one.data.attrs.get("telescope", "")) for one in inputs} - {""})


# --- the likelihood of the groups


def norm_profile(
    terms: Sequence[CountsTerm], reference: Reference, groups: EnergyGroups, settings: FluxPointsParameters
) -> NormProfile:
    """Return the likelihood of the norm in every group, within the limits of ``settings.norm``."""
    return NormProfile([_norm_term(term, reference, groups) for term in terms], groups.size, *settings.norm_limits)


def _norm_term(term: CountsTerm, reference: Reference, groups: EnergyGroups) -> NormTerm:
    group = groups.of_bin(term.folding.energy)
    other = signal_of_others(term, reference.source)
    return NormTerm(term.data, group, reference.signal(term), other, term.dataset).select(group >= 0)


def signal_of_others(term: CountsTerm, source: SkyModel) -> FloatArray:
    """Return the counts that all models but the source predict in each bin of a term."""
    others = (signal([]) for signal in term.signals if signal.model is not source)
    return np.asarray(sum(others, np.zeros(len(term.dataset))))


def interpolation(model: SkyModel) -> str:
    """Return how the norm of a source is scanned: ``log`` or ``lin``."""
    norm = model.norm_parameter
    return "log" if norm is None else norm.interp


def estimates(profile: NormProfile, settings: FluxPointsParameters, interp: str) -> dict[str, npt.NDArray[Any]]:
    """Return what is estimated of the norm in every group, by the names of the product.

    Arrays have the shape (group,), ``norm_scan`` (norm,) and ``stat_scan`` (group, norm).
    """
    norm = profile.minimum()
    stat, stat_null = profile.stat(norm), profile.stat(np.zeros(profile.size))
    # A root at a kink is found to the last bits but one; at 0, where bins without counts have theirs, it is exact.
    is_null = (stat_null <= stat) & (profile.low <= 0) & (profile.high >= 0)
    norm = np.where(is_null & np.isfinite(norm), 0.0, norm)
    error = profile.error(norm)
    success = np.isfinite(norm) & np.isfinite(error)
    stat, stat_null = (np.where(success, values, np.nan) for values in (np.where(is_null, stat_null, stat), stat_null))
    ts = stat_null - stat
    sqrt_ts = np.where(norm < 0, -1.0, 1.0) * np.sqrt(np.maximum(ts, 0.0))
    values: dict[str, npt.NDArray[Any]] = {"norm": norm, "norm_err": error * settings.n_sigma}
    if "errn-errp" in settings.selection_optional:
        values["norm_errn"] = norm - profile.crossing(norm, settings.n_sigma, -1)
        values["norm_errp"] = profile.crossing(norm, settings.n_sigma, +1) - norm
    if "ul" in settings.selection_optional:
        values["norm_ul"] = profile.upper_limit(norm, settings.n_sigma_ul)
    values |= {"ts": ts, "sqrt_ts": sqrt_ts, "stat": stat, "stat_null": stat_null}
    values |= {"success": success, "is_ul": success & (sqrt_ts < IS_UL_BELOW)}
    if "scan" in settings.selection_optional:
        values["norm_scan"] = settings.norms(interp)
        values["stat_scan"] = np.where(success[:, np.newaxis], profile.scan(values["norm_scan"]), np.nan)
    return values


def _of_energy(values: Mapping[str, npt.NDArray[Any]]) -> Variables:
    of_scan = {"norm_scan": ("norm_scan",), "stat_scan": ("energy", "norm_scan")}
    variables = {name: (of_scan.get(name, ("energy",)), value, {"units": ""}) for name, value in values.items()}
    if "norm_scan" in variables:
        variables["norm_scan"][2]["long_name"] = "Norms of the scan"
    return variables


def reference_fluxes(reference: Reference, bounds: FloatArray) -> Variables:
    """Return what a norm of 1 stands for: dN/dE and E2 dN/dE at the centres, integrals over ``bounds`` in TeV."""
    return {name: (("energy",), values, {"units": UNITS[name]}) for name, values in reference.fluxes(bounds).items()}


def _per_dataset(profile: NormProfile, norm: FloatArray, n_datasets: int) -> dict[str, FloatArray]:
    shape = (profile.size, n_datasets)
    found = predictions(
        profile, norm, [np.ravel_multi_index((one.group, one.dataset), shape) for one in profile.terms], shape
    )
    for name in ("npred", "npred_excess"):
        found[name][~np.isfinite(norm)] = np.nan
    return found


def predictions(
    profile: NormProfile, norm: FloatArray, places: Sequence[IntArray], shape: tuple[int, ...]
) -> dict[str, FloatArray]:
    """Return ``counts``, ``npred`` and ``npred_excess`` for the norm of each group, summed at the place of each bin.

    Parameters
    ----------
    profile, norm
        The likelihood, and a norm for each of its groups.
    places
        For each term of it the flat place of each bin in an array of ``shape``.
    shape
        The shape of the sums.
    """
    sums = {name: np.zeros(shape) for name in ("counts", "npred", "npred_excess")}
    for term, place in zip(profile.terms, places, strict=True):
        signal = term.signal(norm)
        total = np.maximum(signal + term.data.predicted_background(signal), 0.0)
        columns = (term.data.counts, total, norm[term.group] * term.reference)
        for sum_, values in zip(sums.values(), columns, strict=True):
            sum_ += np.bincount(place, values, sum_.size).reshape(shape)
    return sums


# --- what the groups hold


def _account(inputs: Sequence[FitInput], groups: EnergyGroups) -> Variables:
    seen = np.zeros(groups.axis.nbin, dtype=bool)
    left_out = []
    for one in inputs:
        used = by_energy(one.data, one.used)
        seen |= used.any(axis=(0, 1))
        cut = counts_left_out(one)
        left_out.append(np.stack([cut[:, first:last].sum(axis=1) for first, last in groups.spans()]))
    low, high = groups.span_of(seen)
    return {
        "e_min_fit": (("energy",), low, {"units": "TeV", "long_name": "Lower edge of the bins used"}),
        "e_max_fit": (("energy",), high, {"units": "TeV", "long_name": "Upper edge of the bins used"}),
        "counts_left_out": (
            ("energy", "dataset"),
            np.concatenate(left_out, axis=1),
            {"units": "", "long_name": "Counts of safe bins that the fit range excludes"},
        ),
    }


def by_energy(ds: xr.Dataset, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return values in the dims of the counts as an array of (dataset, cell, energy), whatever cells are."""
    energy = bin_dims(ds).index("energy")
    last = np.moveaxis(values, energy, -1)
    return last.reshape(len(last), -1, last.shape[-1])


def counts_left_out(one: FitInput) -> FloatArray:
    """Return the counts of safe bins that an input leaves out, shape (dataset, energy)."""
    counts = one.data["counts"].transpose(*bin_dims(one.data)).values
    cut = np.where(FitInput(one.data).used & ~one.used, counts, 0.0)
    return np.asarray(by_energy(one.data, cut).sum(axis=1, dtype=float))


def _product(groups: EnergyGroups, names: Sequence[str], variables: Variables) -> xr.Dataset:
    return xr.Dataset(
        variables,
        coords={
            **bin_coords("energy", centers(groups.bounds), groups.bounds),
            "dataset": (("dataset",), np.array(names, dtype=str)),
        },
    )


def _binning_report(points: xr.Dataset, groups: EnergyGroups) -> list[str]:
    used = np.stack([points["e_min_fit"].values, points["e_max_fit"].values], axis=1)
    return binning_report(groups, used, float(points["counts_left_out"].sum()))
