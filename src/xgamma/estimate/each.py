"""Work on each row by itself: fits and flux points of nights, bands or runs, in blocks of rows on any workers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xgamma.errors import DataError, FitError
from xgamma.estimate.flux_points_parameters import FluxPointsParameters
from xgamma.estimate.points import flux_points
from xgamma.execute import THIS_PROCESS, Workers, run_blocks
from xgamma.fit import FitInput, FitSettings, fit
from xgamma.fit.inputs import normalize_inputs
from xgamma.models.models import Models
from xgamma.reduce import select_rows

# A row takes some 10 ms: a block is much more than what a task costs.
ROWS = 16


def fit_each(
    rows: FitInput | xr.Dataset,
    models: Models,
    settings: FitSettings | None = None,
    workers: Workers = THIS_PROCESS,
) -> xr.Dataset:
    """Fit models to each row by itself.

    Parameters
    ----------
    rows
        DL4 rows, such as the stacks of nights, alone or with the bins to use.
    models
        The models with their start values, the same for each row; not changed.
    settings
        How MIGRAD runs.
    workers
        Where blocks of rows are fitted.

    Returns
    -------
    xarray.Dataset
        ``value`` and ``error`` (dataset, parameter), ``total_stat`` and ``success`` (dataset). A row that cannot be
        fitted is NaN without success, and ``attrs["messages"]`` says why.

    Examples
    --------
    >>> found = fit_each(nights, models, workers=Workers(4))  # doctest: +SKIP
    >>> found["value"].sel(parameter="crab.spectral.index")  # doctest: +SKIP
    """
    [given] = normalize_inputs([rows])
    blocks = [(block, models, settings) for block in _blocks(given)]
    found = [each for block in run_blocks(_fit_rows, blocks, "Fitting", workers) for each in block]
    names, units = models.parameters_unique_names, [str(parameter.unit) for parameter in models.parameters]
    columns = {name: np.array([each[name] for each in found]) for name in ("value", "error", "total_stat", "success")}
    of_parameters = {"parameter_units": units}
    return xr.Dataset(
        {
            "value": (("dataset", "parameter"), columns["value"], {"long_name": "Best fit", **of_parameters}),
            "error": (("dataset", "parameter"), columns["error"], {"long_name": "Error", **of_parameters}),
            "total_stat": (
                ("dataset",),
                columns["total_stat"],
                {"units": "", "long_name": "Statistic at the best fit"},
            ),
            "success": (("dataset",), columns["success"], {"units": "", "long_name": "Whether the fit converged"}),
        },
        {"dataset": given.data["dataset"], "parameter": np.array(names)},
        {"messages": [each["message"] for each in found]},
    )


def flux_points_each(
    rows: FitInput | xr.Dataset,
    models: Models,
    source: str,
    edges: Any,
    parameters: FluxPointsParameters | Mapping[str, Any] | None = None,
    workers: Workers = THIS_PROCESS,
) -> dict[str, xr.Dataset]:
    """Estimate flux points of each row by itself; see ``flux_points``.

    Returns
    -------
    dict
        The flux points by the name of the row.

    Raises
    ------
    ConfigError
        For an unknown source, one that predicts nothing, edges that do not ascend, unknown parameters.
    """
    [given] = normalize_inputs([rows])
    blocks = [(block, models, source, edges, parameters) for block in _blocks(given)]
    found = run_blocks(_points_of_rows, blocks, "Flux points", workers)
    return dict(zip(given.names, (points for block in found for points in block), strict=True))


def _blocks(given: FitInput) -> Iterator[FitInput]:
    count = given.data.sizes["dataset"]
    for start in range(0, count, ROWS):
        yield _selected(given, range(start, min(start + ROWS, count)))


def _selected(given: FitInput, rows: range) -> FitInput:
    mask = None if given.mask is None else given.mask[rows.start : rows.stop]
    return FitInput(select_rows(given.data, rows), mask)


def _rows(block: FitInput) -> Iterator[FitInput]:
    return (_selected(block, range(row, row + 1)) for row in range(block.data.sizes["dataset"]))


def _fit_rows(block: FitInput, models: Models, settings: FitSettings | None) -> list[dict[str, Any]]:
    return [fitted([row], models.copy(), settings) for row in _rows(block)]


def fitted(inputs: Sequence[FitInput], models: Models, settings: FitSettings | None) -> dict[str, Any]:
    """Return what a fit that sets the models came to; NaN and the reason where there can be none."""
    nothing = np.full(len(models.parameters), np.nan)
    try:
        result = fit(inputs, models, settings)
    except (FitError, DataError) as error:
        return {"value": nothing, "error": nothing, "total_stat": np.nan, "success": False, "message": str(error)}
    return {
        "value": np.array([parameter.value for parameter in models.parameters]),
        "error": np.array([parameter.error for parameter in models.parameters]),
        "total_stat": result.total_stat,
        "success": result.success,
        "message": result.message,
    }


def _points_of_rows(block: FitInput, models: Models, source: str, edges: Any, parameters: Any) -> list[xr.Dataset]:
    return [flux_points([row], models.copy(), source, edges, parameters) for row in _rows(block)]
