"""What is tried: the plan that sets are drawn from, and how each of them is analysed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xgamma.analysis.steps.fit import FIT_VERSION
from xgamma.analysis.steps.flux_points import POINTS_VERSION
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import points_of, recipe_of
from xgamma.errors import ConfigError
from xgamma.estimate import FluxPointsParameters
from xgamma.models.models import Models
from xgamma.reduce import Recipe
from xgamma.reduce.stack import STEP_VERSION as STACK_VERSION
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
            "flux_points": canonical_json(dataclasses.asdict(self.parameters)),
            "versions": {"stack": STACK_VERSION, "fit": FIT_VERSION, "flux_points": POINTS_VERSION},
        }

    def key(self, seeds: Sequence[int]) -> str:
        """Return the key under which a store holds the results of the sets with some ``seeds``."""
        return digest(self.document(seeds))


def trial_of(plan: Plan, config: AnalysisConfig | None = None) -> Trial:
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
