"""Whether a fit of what was reduced or read can begin at the start values of its models, as ``run`` will find."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from xgamma.analysis.plan import Request
from xgamma.analysis.steps.fit import FitWanted
from xgamma.analysis.steps.reduce import ReductionWanted, row_name
from xgamma.analysis.steps.stack import NAME as STACKED
from xgamma.analysis.steps.stack import StackWanted
from xgamma.axes import Axis
from xgamma.errors import FitError
from xgamma.fit import FitInput, Statistic, mask_fit, validate_beginning
from xgamma.models.models import Models
from xgamma.models.npred_models import NormModel
from xgamma.models.skymodel import ModelComponent

BRIGHT, LARGE = 1e-3, 1e12
"""A flux in a bin of true energy, in cm-2 s-1, below which no exposure makes a start hopeless, and such a norm of maps
of counts: counts are predicted for what is above, which takes as long as the first step of a fit."""


def fault_of_rows(request: Request, reduction: ReductionWanted, rows: xr.Dataset) -> FitError | None:
    """Return why no fit of reduced rows can begin, ``None`` where one can or none is asked for; of maps the first."""
    stack = stacks_of(request).get(reduction.number)
    seen = rows if reduction.recipe.grid.is_region else rows.isel(dataset=slice(1))
    seen = seen.assign_coords(dataset=names_of_rows(reduction, stack, seen["dataset"].values.tolist()))
    # What groups are called is not known yet.
    return fault_of(request, reduction.name, seen, are_named=stack is None or stack.by is None)


def fault_of(request: Request, name: str, data: xr.Dataset, are_named: bool = True) -> FitError | None:
    """Return why no fit of Datasets of an entry can begin, ``None`` where one can or none is asked for.

    Unless Datasets ``are_named`` as the fit will see them, models of some of them alone are left out.
    """
    asked = next((wanted for _, wanted in request.steps if isinstance(wanted, FitWanted)), None)
    if asked is None or request.models is None:
        return None
    axis = Axis.from_coords(data.coords, "energy_true")
    if not any(_is_huge(model, axis) for model in request.models):
        return None
    models = Models(one for one in request.models if are_named or one.datasets_names is None)
    try:
        validate_beginning(Statistic([FitInput(data, mask_fit(data, *asked.range_of(name)))], models))
    except FitError as error:
        return error
    return None


def _is_huge(model: ModelComponent, axis: Axis) -> bool:
    """Whether fluxes in bins of true energy are no numbers, or so large that no fit may begin with them."""
    if model.spectral_model is None:
        return False
    with np.errstate(all="ignore"):
        fluxes = model.spectral_model.flux(axis.edges, model.spectral_model.canonical_values())
    return not bool((np.abs(fluxes) < (LARGE if isinstance(model, NormModel) else BRIGHT)).all())


def stacks_of(request: Request) -> dict[int, StackWanted]:
    """Return how the entries of ``datasets`` are stacked, by their number."""
    return {wanted.number: wanted for _, wanted in request.steps if isinstance(wanted, StackWanted)}


def names_of_rows(reduction: ReductionWanted, stack: StackWanted | None, rows: Sequence[str]) -> list[str]:
    """Return what the datasets of rows are called that a fit sees."""
    return [row_name(reduction.name, row) if stack is None else stack.name or STACKED for row in rows]
