"""Each set fitted, its flux points estimated, and the truth of both put beside them.

The flux points of a set scale the spectrum that was fitted to it. The true norm of a point is therefore

    sum of the true signal counts / sum of those of the fitted spectrum,

both predicted with the response of the set and summed over the bins that enter the point.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import xarray as xr

from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.closure.trial import Trial
from xgamma.estimate import flux_points
from xgamma.estimate.energy_groups import EnergyGroups
from xgamma.fit import FitInput, fit, mask_fit
from xgamma.predict import alpha, npred_signal
from xgamma.reduce import select_rows

# A fit that started at the truth would hide a minimiser that does not move.
START = 1.1
NORMS = ("norm", "norm_err", "norm_errn", "norm_errp", "norm_ul")


def estimated_sets(trial: Trial, stacks: xr.Dataset) -> xr.Dataset:
    """Fit each set and estimate its flux points.

    Parameters
    ----------
    trial
        What is tried.
    stacks
        DL4, one row for each set.

    Returns
    -------
    xarray.Dataset
        Dims ``set``, ``parameter``, ``energy`` (a flux point): ``value``, ``error`` and ``truth`` of the free
        parameters, whether the fit had ``success``; ``norm`` with its errors and limit, and ``norm_true``; on counts,
        estimated ``background`` and true ``signal`` of each point.
    """
    groups = EnergyGroups.nearest(Axis.from_coords(stacks.coords, "energy"), np.array(trial.edges))
    mask = mask_fit(stacks, *trial.fit_range)
    used = FitInput(stacks, mask).used
    truth = trial.models()
    signal = grouped(npred_signal(stacks, truth).values, used, groups)
    with said_once("xgamma.estimate"):
        fitted = [
            _estimates(trial, FitInput(select_rows(stacks, [row]), mask[row : row + 1]), groups)
            for row in range(stacks.sizes["dataset"])
        ]
    columns = {name: np.array([estimates[name] for estimates in fitted]) for name in fitted[0]}
    columns["norm_true"] = signal / columns.pop("reference")
    columns |= {
        "signal": signal,
        "counts": grouped(stacks["counts"].values, used, groups),
        "background": grouped(alpha(stacks) * stacks["counts_off"].values, used, groups),
    }
    return _dataset(trial, stacks["dataset"].values.astype(np.int64), groups, columns)


def _estimates(trial: Trial, row: FitInput, groups: EnergyGroups) -> dict[str, Any]:
    models = trial.models()
    free = models.parameters.free_parameters
    for parameter in free:
        parameter.value *= START
    result = fit([row], models)
    points = flux_points([row], models, trial.plan.source.name, np.array(trial.edges), trial.parameters)
    reference = grouped(npred_signal(row.data, models).values, row.used, groups)[0]
    return {
        "success": result.success,
        "value": [parameter.value for parameter in free],
        "error": [parameter.error for parameter in free],
        "reference": reference,
        **{name: points[name].values for name in NORMS},
    }


def grouped(values: FloatArray, used: BoolArray, groups: EnergyGroups) -> FloatArray:
    """Sum values (dataset, region, energy) over the bins used of each group: (dataset, group)."""
    chosen = np.where(used, values, 0.0)
    return np.stack([chosen[:, :, first:last].sum(axis=(1, 2)) for first, last in groups.spans()], axis=1)


def _dataset(trial: Trial, seeds: IntArray, groups: EnergyGroups, columns: dict[str, Any]) -> xr.Dataset:
    free = trial.models().parameters.free_parameters
    dims = {1: ("set",), 2: ("set", "energy")}
    variables: dict[str, Any] = {
        name: (("set", "parameter") if name in ("value", "error") else dims[values.ndim], values, {"units": ""})
        for name, values in columns.items()
    }
    variables["truth"] = (("parameter",), np.array([parameter.value for parameter in free]), {"units": ""})
    bounds = groups.bounds
    return xr.Dataset(
        variables,
        coords={
            "set": (("set",), seeds, {"long_name": "Seed of the set"}),
            "parameter": (("parameter",), np.array([parameter.name for parameter in free])),
            "energy": (("energy",), np.sqrt(bounds.prod(axis=1)), {"units": "TeV", "bounds": "energy_bounds"}),
            "energy_bounds": (("energy", "bound"), bounds, {"units": "TeV"}),
        },
        attrs={
            "source": trial.plan.source.name,
            "n_sigma": trial.parameters.n_sigma,
            "n_sigma_ul": trial.parameters.n_sigma_ul,
            "parameter_units": [str(parameter.unit) for parameter in free],
        },
    )


@contextmanager
def said_once(name: str) -> Iterator[None]:
    """Let a logger say each sentence once while in the context: what holds for one set holds for a thousand."""
    seen: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        is_known = text in seen
        seen.add(text)
        return not is_known

    logger = logging.getLogger(name)
    logger.addFilter(is_new)
    try:
        yield
    finally:
        logger.removeFilter(is_new)
