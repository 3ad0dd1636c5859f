"""How sets are analysed: the plan that they are drawn from, each set fitted, and the truth beside its estimates."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xgamma.analysis.steps.fit import FIT_VERSION
from xgamma.analysis.steps.flux_points import POINTS_VERSION
from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import points_of, recipe_of
from xgamma.errors import ConfigError
from xgamma.estimate import FluxPointsParameters, flux_points
from xgamma.estimate.energy_groups import EnergyGroups
from xgamma.fit import FitInput, fit, mask_fit
from xgamma.models.models import Models
from xgamma.predict import alpha, npred_signal
from xgamma.reduce import Recipe, select_rows
from xgamma.reduce.recipe import STACK_VERSION
from xgamma.simulate import Plan, plan_document
from xgamma.store import canonical_json, digest

STEP_VERSION = 1
NEEDED_OPTIONS = ("errn-errp", "ul")


@dataclass(frozen=True)
class Trial:
    """What is tried.

    Parameters
    ----------
    plan
        The runs of one set, their source and their responses; its seed is that of the first set.
    recipe
        How a set is reduced.
    fit_range
        Lowest and highest energy of the fit in TeV, ``None`` for no limit.
    edges
        Edges of the flux points in TeV.
    parameters
        How flux points are estimated.
    """

    plan: Plan
    recipe: Recipe
    fit_range: tuple[float | None, float | None]
    edges: tuple[float, ...]
    parameters: FluxPointsParameters

    def models(self) -> Models:
        """Return the true spectrum as the models of a fit, which may change them."""
        source = self.plan.source
        component = {"name": source.name, "type": "SkyModel", "spectral": dict(source.spectral)}
        return Models.from_dict({"components": [component]})

    def document(self, seeds: Sequence[int]) -> dict[str, Any]:
        """Return everything that decides the numbers of the sets with some ``seeds``."""
        return {
            "step": "closure",
            "version": STEP_VERSION,
            "plan": plan_document(dataclasses.replace(self.plan, seed=0)),
            "seeds": list(seeds),
            "recipe": self.recipe.document(),
            "fit_range": list(self.fit_range),
            "edges": list(self.edges),
            "flux_points": canonical_json(self.parameters.document()),
            "versions": {"stack": STACK_VERSION, "fit": FIT_VERSION, "flux_points": POINTS_VERSION},
        }

    def key(self, seeds: Sequence[int]) -> str:
        """Return the key under which a store holds the results of the sets with some ``seeds``."""
        return digest(self.document(seeds))

    def estimated(self, stacks: xr.Dataset) -> xr.Dataset:
        """Return ``estimated_sets`` of stacks."""
        return estimated_sets(self, stacks)


def spectral_trial_of(plan: Plan, config: AnalysisConfig | None = None) -> Trial:
    """Return the trial of a plan.

    Parameters
    ----------
    plan
        What is simulated.
    config
        How it is analysed: the sections ``datasets``, ``fit`` and ``flux_points``. ``None`` is the analysis of
        ``examples/demo.yaml`` at the position of the source, on an axis of true energy with three times as many bins.

    Raises
    ------
    ConfigError
        For a source that is not a point, has no amplitude to be found, or an analysis without off regions or energies
        of flux points.
    """
    config = AnalysisConfig(**default_document(plan)) if config is None else config
    if plan.source.sigma > 0:
        raise ConfigError(
            f"source.sigma: expected 0 deg, got {plan.source.sigma:g} deg: the reduction corrects for the part of a "
            "point source outside the region. Simulate a point."
        )
    if isinstance(config.datasets, list):
        raise ConfigError("datasets: expected one mapping, as a set is reduced in one way; write one of the list.")
    if config.datasets.background.method is None:
        raise ConfigError("datasets.background.method: expected reflected, as each set has a background; write it.")
    edges, parameters = points_of(config)
    trial = Trial(
        plan,
        recipe_of(config),
        config.fit.fit_range.bounds(),
        edges,
        dataclasses.replace(parameters, selection_optional=NEEDED_OPTIONS),
    )
    norm = trial.models()[plan.source.name].validate_norm()
    if norm.value == 0:
        raise ConfigError(f"source.spectral: the {norm.name} is 0, so that there is nothing to find; give it a value.")
    return trial


def default_document(plan: Plan) -> dict[str, Any]:
    """Return the configuration with which the sets of a plan are analysed where none is given."""
    source, response = plan.source, plan.response
    position = {"frame": "icrs", "lon": f"{source.lon!r} deg", "lat": f"{source.lat!r} deg"}
    return {
        "datasets": {
            "type": "1d",
            "geom": {
                "axes": {
                    "energy": {"min": "1 TeV", "max": "40 TeV", "nbins": 24},
                    # A response is looked up in the middle of a bin: of 48 bins that takes 0.2 % of the counts.
                    "energy_true": {"min": "0.2 TeV", "max": "100 TeV", "nbins": 160},
                }
            },
            "on_region": {**position, "radius": f"{response.rad_max!r} deg"},
            "containment_correction": response.enclosure == "full-enclosure",
            "safe_mask": {"methods": ["aeff-default", "aeff-max"], "parameters": {"aeff_percent": 10}},
            "background": {"method": "reflected"},
        },
        "flux_points": {"energy": {"min": "1 TeV", "max": "40 TeV", "nbins": 8}, "source": source.name},
    }


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
