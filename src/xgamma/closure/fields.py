"""Closure of maps: fields of several sources, each set one stack of maps, fitted with all sources and a background."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xgamma.analysis.steps.fit import FIT_VERSION
from xgamma.axes import Axis
from xgamma.closure.estimates import START, Trial, spectral_trial_of
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import recipe_of
from xgamma.errors import ConfigError
from xgamma.fit import FitInput, fit, mask_fit
from xgamma.models import (
    DiskSpatialModel,
    FoVBackgroundModel,
    GaussianSpatialModel,
    Models,
    PointSpatialModel,
    PowerLawSpectralModel,
    SkyModel,
    SpatialModel,
)
from xgamma.predict import npred_signal
from xgamma.reduce import Recipe, select_rows
from xgamma.reduce.recipe import STACK_VERSION
from xgamma.simulate import AnalyticResponse, Plan, Source, plan_document
from xgamma.store import digest

STEP_VERSION = 2
# A fit begins so far from the truth, in deg of longitude and latitude.
START_SHIFT = 0.02
BACKGROUND = "background"


@dataclass(frozen=True)
class FieldTrial:
    """What is tried with maps.

    Parameters
    ----------
    plan
        The runs of one set, with ``models``; its seed is that of the first set.
    recipe
        How a set is reduced.
    fit_range
        Lowest and highest energy of the fit in TeV, ``None`` for no limit.
    """

    plan: Plan
    recipe: Recipe
    fit_range: tuple[float | None, float | None]

    def models(self, name: str) -> Models:
        """Return the true sources and the background of the row ``name`` as models of a fit, which may change them."""
        return Models([*Models.from_dict(self.plan.models), FoVBackgroundModel(dataset_name=name, name=BACKGROUND)])

    def document(self, seeds: Sequence[int]) -> dict[str, Any]:
        """Return everything that decides the numbers of the sets with some ``seeds``."""
        return {
            "step": "closure of fields",
            "version": STEP_VERSION,
            "plan": plan_document(dataclasses.replace(self.plan, seed=0)),
            "seeds": list(seeds),
            "recipe": self.recipe.document(),
            "fit_range": list(self.fit_range),
            "versions": {"stack": STACK_VERSION, "fit": FIT_VERSION},
        }

    def key(self, seeds: Sequence[int]) -> str:
        """Return the key under which a store holds the results of the sets with some ``seeds``."""
        return digest(self.document(seeds))

    def estimated(self, stacks: xr.Dataset) -> xr.Dataset:
        """Fit each set.

        Parameters
        ----------
        stacks
            DL4, one row of maps for each set.

        Returns
        -------
        xarray.Dataset
            Dims ``set``, ``parameter``, ``energy`` (a plane of the maps): ``value``, ``error`` and ``truth`` of the
            free parameters, whether the fit had ``success``; ``counts``, expected ``background`` and true ``signal``.
        """
        mask = mask_fit(stacks, *self.fit_range)
        fitted = [
            self._estimates(FitInput(select_rows(stacks, [row]), mask[row : row + 1]))
            for row in range(stacks.sizes["dataset"])
        ]
        return self._dataset(stacks, {name: np.array([one[name] for one in fitted]) for name in fitted[0]})

    def _estimates(self, row: FitInput) -> dict[str, Any]:
        models = self.models(row.names[0])
        free = models.parameters.free_parameters
        used = row.used
        planes = {
            "counts": row.data["counts"].values,
            "background": row.data["background"].values,
            "signal": npred_signal(row.data, models).values,
        }
        for parameter in free:
            if parameter.name in ("lon_0", "lat_0"):
                parameter.value += START_SHIFT
            else:
                parameter.value *= START
        result = fit([row], models)
        return {
            "success": result.success,
            "value": [parameter.value for parameter in free],
            "error": [parameter.error for parameter in free],
            **{name: np.where(used, values, 0.0).sum(axis=(0, 2, 3)) for name, values in planes.items()},
        }

    def _dataset(self, stacks: xr.Dataset, columns: dict[str, Any]) -> xr.Dataset:
        models = self.models("")
        free = models.parameters.free_parameters
        names = [
            name
            for name, parameter in zip(models.parameters_unique_names, models.parameters, strict=True)
            if not parameter.frozen
        ]
        dims = {"success": ("set",), "value": ("set", "parameter"), "error": ("set", "parameter")}
        variables: dict[str, Any] = {
            name: (dims.get(name, ("set", "energy")), values, {"units": ""}) for name, values in columns.items()
        }
        variables["truth"] = (("parameter",), np.array([parameter.value for parameter in free]), {"units": ""})
        return xr.Dataset(
            variables,
            coords={
                "set": (("set",), stacks["dataset"].values.astype(np.int64), {"long_name": "Seed of the set"}),
                "parameter": (("parameter",), np.array(names)),
                **Axis.from_coords(stacks.coords, "energy").coords(),
            },
            attrs={"parameter_units": [str(parameter.unit) for parameter in free]},
        )


def trial_of(plan: Plan, config: AnalysisConfig | None = None) -> Trial | FieldTrial:
    """Return the trial of a plan: of spectra, or with ``models`` of maps.

    ``config`` says how its sets are analysed; ``None`` is the default of each. Raises ``ConfigError`` for one that does
    not fit the plan.
    """
    return spectral_trial_of(plan, config) if plan.models is None else field_trial_of(plan, config)


def field_trial_of(plan: Plan, config: AnalysisConfig | None = None) -> FieldTrial:
    """Return the trial of a plan with ``models``.

    Parameters
    ----------
    plan
        What is simulated.
    config
        How it is analysed: the sections ``datasets``, of maps, and ``fit``. ``None`` is an image of 3 deg about the
        position of the source of the plan.

    Raises
    ------
    ConfigError
        For an analysis that is not one of maps, or without the background that the release expects.
    """
    config = AnalysisConfig(**default_field_document(plan)) if config is None else config
    if isinstance(config.datasets, list) or config.datasets.type != "3d":
        raise ConfigError("datasets.type: expected 3d, as the plan has models; write one mapping of maps.")
    recipe = recipe_of(config)
    if recipe.background is None or "background" not in recipe.background_variables:
        raise ConfigError("datasets: expected the background that the release expects; write no background.method.")
    return FieldTrial(plan, recipe, config.fit.fit_range.bounds())


def default_field_document(plan: Plan) -> dict[str, Any]:
    """Return the configuration with which the sets of a plan with models are analysed where none is given."""
    source = plan.source
    return {
        "datasets": {
            "type": "3d",
            "geom": {
                "wcs": {
                    "skydir": {"frame": "icrs", "lon": f"{source.lon!r} deg", "lat": f"{source.lat!r} deg"},
                    "binsize": "0.04 deg",
                    "width": {"width": "3 deg", "height": "3 deg"},
                },
                "selection": {"offset_max": "1.8 deg"},
                "axes": {
                    "energy": {"min": "1 TeV", "max": "20 TeV", "nbins": 4},
                    "energy_true": {"min": "0.5 TeV", "max": "40 TeV", "nbins": 30},
                },
            },
            "safe_mask": {"methods": ["offset-max"], "parameters": {"offset_max": "1.8 deg"}},
        },
    }


def field_plan(seed: int = 100_000) -> Plan:
    """Return the plan of a field of three sources: a point, a Gaussian of 0.15 deg and a disk of 0.25 deg.

    ``seed`` is that of the first set.
    """
    sources = {
        "point": (2e-11, PointSpatialModel(lon_0="84.1 deg", lat_0="22.4 deg")),
        "gauss": (5e-11, GaussianSpatialModel(lon_0="83.05 deg", lat_0="22.25 deg", sigma="0.15 deg")),
        "disk": (6e-11, DiskSpatialModel(lon_0="83.7 deg", lat_0="21.45 deg", r_0="0.25 deg")),
    }
    return Plan(
        name="field",
        seed=seed,
        runs=4,
        source=Source(name="field"),
        response=AnalyticResponse(background_drawn="table", background_turn=0.0, energy_min=0.3),
        models=[_source(name, *given) for name, given in sources.items()],
    )


def _source(name: str, amplitude: float, spatial: SpatialModel) -> SkyModel:
    spectral = PowerLawSpectralModel(index=2.3, amplitude=f"{amplitude!r} cm-2 s-1 TeV-1")
    return SkyModel(spectral, spatial, name=name)
