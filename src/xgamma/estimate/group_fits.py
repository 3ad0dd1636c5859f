"""Fits and flux points of each group of datasets by itself, such as those of each night, as one DL5 Dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xgamma.estimate.each import fitted
from xgamma.estimate.flux_points_parameters import FluxPointsParameters, log_binning
from xgamma.estimate.points import normalize_edges, unlogged_points, validate_alike
from xgamma.estimate.time_bins import time_spans
from xgamma.execute import THIS_PROCESS, Workers, run_blocks
from xgamma.fit import FitInput, FitSettings
from xgamma.fit.inputs import Inputs, normalize_inputs, rows_among
from xgamma.models.models import Models
from xgamma.schema.dl5 import (
    FIT_EACH_SCHEMA,
    FIT_EACH_VARIABLES,
    POINTS_EACH_SCHEMA,
    POINTS_EACH_VARIABLES,
    SCHEMA_VERSION,
)
from xgamma.schema.tables import Variable, head
from xgamma.units import unit_string

# A group takes some 10 ms: a block is much more than what a task costs.
GROUPS = 16
NORMS = ("norm", "norm_err", "norm_errn", "norm_errp", "norm_ul")
OF_DATASETS = ("counts", "npred", "npred_excess", "counts_left_out")


def fit_groups(
    inputs: Inputs,
    labels: Sequence[str],
    models: Models,
    settings: FitSettings | None = None,
    workers: Workers = THIS_PROCESS,
    by: str = "dataset",
) -> xr.Dataset:
    """Fit models to the datasets of each group together, and to each group by itself.

    Parameters
    ----------
    inputs
        DL4 rows, alone or with the bins to use.
    labels
        The name of the group of each row of all inputs, in their order.
    models
        The models with their start values, the same for each group; not changed.
    settings
        How the minimum is found.
    workers
        Where blocks of groups are fitted.
    by
        How the groups were made, for the attributes.

    Returns
    -------
    xarray.Dataset
        DL5: ``value`` and ``error`` (group, parameter), ``total_stat`` and ``success`` (group,), the start, first
        and last good time and livetime of the groups. A group that cannot be fitted is NaN without success, and
        ``attrs["messages"]`` says why.

    Examples
    --------
    >>> found = fit_groups(runs, nights, models, workers=Workers(4), by="night")  # doctest: +SKIP
    >>> found["value"].sel(parameter="crab.spectral.index")  # doctest: +SKIP
    """
    given = normalize_inputs(inputs)
    groups = _grouped(given, labels)
    blocks = [(block, models, settings) for block in _blocks(list(groups.values()))]
    found = [each for block in run_blocks(_fit_block, blocks, "Fitting", workers) for each in block]
    columns = {name: np.array([each[name] for each in found]) for name in ("value", "error", "total_stat", "success")}
    facts, attrs = _facts(given, labels, list(groups))
    attrs |= {"by": by, "messages": [str(each["message"]) for each in found]}
    own = columns | _parameter_columns(models) | facts
    ds = _dataset(FIT_EACH_VARIABLES, own, head(FIT_EACH_SCHEMA, SCHEMA_VERSION) | attrs)
    for name in ("value", "error", "start", "start_error"):
        ds[name].attrs["parameter_units"] = [unit_string(parameter.unit) for parameter in models.parameters]
    return ds


def flux_points_groups(
    inputs: Inputs,
    labels: Sequence[str],
    models: Models,
    source: str,
    edges: Any,
    parameters: FluxPointsParameters | Mapping[str, Any] | None = None,
    workers: Workers = THIS_PROCESS,
    by: str = "dataset",
) -> xr.Dataset:
    """Estimate flux points of the datasets of each group together, and of each group by itself.

    Parameters are those of `fit_groups` and of ``flux_points``.

    Returns
    -------
    xarray.Dataset
        DL5: the variables of flux points with the dims (group, energy), relative to one reference spectrum; counts and
        predictions are sums over the datasets of a group.

    Raises
    ------
    ConfigError
        For an unknown source, one that predicts nothing, edges that do not ascend, unknown parameters.
    DataError
        For datasets with different axes.
    """
    given = normalize_inputs(inputs)
    validate_alike(given, "flux_points")
    groups, checked = _grouped(given, labels), normalize_edges(edges, "flux_points")
    blocks = [(block, models, source, checked, parameters) for block in _blocks(list(groups.values()))]
    points = [each for block in run_blocks(_points_block, blocks, "Flux points", workers) for each in block]
    found = [_relative_to(points[0], _summed(each)) for each in points]
    facts, attrs = _facts(given, labels, list(groups))
    names = [name for name in POINTS_EACH_VARIABLES if name in found[0].variables and name not in facts]
    of_points = {name: _along_groups(found, name) for name in names}
    attrs = head(POINTS_EACH_SCHEMA, SCHEMA_VERSION) | _own_attrs(found, list(groups)) | attrs | {"by": by}
    result = _dataset(POINTS_EACH_VARIABLES, of_points | facts, attrs)
    log_binning(result)
    return result


# --- groups


def _grouped(given: Sequence[FitInput], labels: Sequence[str]) -> dict[str, list[FitInput]]:
    """Return the inputs of each group, by label in the order of first appearance."""
    every = np.asarray(labels)
    return {label: rows_among(given, np.flatnonzero(every == label)) for label in dict.fromkeys(labels)}


def _blocks(groups: Sequence[list[FitInput]]) -> list[Sequence[list[FitInput]]]:
    return [groups[start : start + GROUPS] for start in range(0, len(groups), GROUPS)]


def _fit_block(groups: Sequence[list[FitInput]], models: Models, settings: FitSettings | None) -> list[dict[str, Any]]:
    return [fitted(group, models.copy(), settings) for group in groups]


def _points_block(
    groups: Sequence[list[FitInput]], models: Models, source: str, edges: Any, parameters: Any
) -> list[xr.Dataset]:
    return [unlogged_points(group, models.copy(), source, edges, parameters) for group in groups]


def _parameter_columns(models: Models) -> dict[str, Any]:
    """Return what is said of each parameter before the fits."""
    parameters = models.parameters
    return {
        "parameter": np.array(models.parameters_unique_names),
        "is_free": np.array([not parameter.frozen for parameter in parameters]),
        "start": np.array([parameter.value for parameter in parameters], dtype=float),
        "start_error": np.array([parameter.error for parameter in parameters], dtype=float),
    }


def _facts(
    given: Sequence[FitInput], labels: Sequence[str], groups: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is said of groups and of their datasets, and the epoch of the times."""
    numbers = {label: number for number, label in enumerate(groups)}
    of_dataset = np.array([numbers[label] for label in labels])
    livetime = np.concatenate([_of_rows(one, "livetime") for one in given])
    start, stop, mjdref = np.full(len(labels), np.nan), np.full(len(labels), np.nan), 0.0
    if any("gti" in one.data and "mjdref" in one.data.attrs for one in given):
        spans = time_spans(given)
        start, stop, mjdref = spans.start, spans.stop, spans.mjdref
    exposed = np.full((len(groups), 2), np.nan)
    for number in range(len(groups)):
        own = (of_dataset == number) & np.isfinite(start)
        if own.any():
            exposed[number] = start[own].min(), stop[own].max()
    facts = {
        "group": np.array(groups),
        "dataset": np.array([name for one in given for name in one.names]),
        "group_of_dataset": of_dataset,
        "time_exposed": exposed,
        "livetime": np.bincount(of_dataset, livetime, len(groups)),
    }
    return facts, {"mjdref": mjdref, "time_scale": "tt"}


def _of_rows(one: FitInput, name: str) -> np.ndarray:
    return one.data[name].values if name in one.data else np.full(len(one.names), np.nan)


# --- results


def _summed(points: xr.Dataset) -> xr.Dataset:
    """Return flux points whose counts are those of all datasets."""
    sums = {name: points[name].sum("dataset", keep_attrs=True) for name in OF_DATASETS if name in points}
    return points.drop_dims("dataset").assign(sums)


def _relative_to(first: xr.Dataset, points: xr.Dataset) -> xr.Dataset:
    """Return points as multiples of the reference of others.

    Their own is another one where the source predicts next to nothing: their profile is then at other norms, and NaN.
    """
    factor = points["ref_dnde"].values / first["ref_dnde"].values
    if np.array_equal(factor, np.ones_like(factor)):
        return points
    norms = {name: points[name] * factor for name in NORMS if name in points}
    scans = {name: points[name] * np.nan for name in ("stat_scan",) if name in points}
    return points.assign(norms | scans)


def _along_groups(found: Sequence[xr.Dataset], name: str) -> np.ndarray:
    """Return a variable of the points of all groups, in the dims of the specification."""
    dims = POINTS_EACH_VARIABLES[name].dims
    if "group" not in dims:
        return np.asarray(found[0][name].values)
    return np.stack([points[name].transpose(*dims[1:]).values for points in found])


def _own_attrs(found: Sequence[xr.Dataset], groups: Sequence[str]) -> dict[str, Any]:
    attrs = {name: found[0].attrs[name] for name in ("source", "n_sigma", "n_sigma_ul", "UL_CONF", "telescope")}
    lines: dict[str, list[str]] = {}
    for label, points in zip(groups, found, strict=True):
        for line in points.attrs["binning_report"]:
            lines.setdefault(line, []).append(label)
    reports = [line if own == groups else f"{', '.join(own)}: {line}" for line, own in lines.items()]
    return attrs | {"binning_report": reports}


def _dataset(variables: Mapping[str, Variable], values: Mapping[str, Any], attrs: Mapping[str, Any]) -> xr.Dataset:
    coordinates = {"group", "parameter", "dataset", "energy", "energy_bounds", "norm_scan"}
    held = {name: (spec.dims, values[name], _attrs(spec)) for name, spec in variables.items() if name in values}
    if "energy" in held:
        held["energy"][2].update(bounds="energy_bounds", scale="log")
    coords = {name: held.pop(name) for name in coordinates & set(held)}
    return xr.Dataset(held, coords, dict(attrs))


def _attrs(spec: Variable) -> dict[str, Any]:
    return {name: value for name, value in spec.attrs().items() if value is not None}
