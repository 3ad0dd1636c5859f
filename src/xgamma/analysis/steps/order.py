"""The steps of an analysis in their order."""

from __future__ import annotations

from typing import Any

from xgamma.analysis.steps.each import FitEachStep, FluxPointsEachStep
from xgamma.analysis.steps.excess_map import ExcessMapStep
from xgamma.analysis.steps.fit import FitStep
from xgamma.analysis.steps.flux_points import FluxPointsStep
from xgamma.analysis.steps.light_curve import LightCurveStep
from xgamma.analysis.steps.observations import ObservationsStep
from xgamma.analysis.steps.read import ReadStep
from xgamma.analysis.steps.reduce import ReduceStep
from xgamma.analysis.steps.stack import StackStep
from xgamma.analysis.steps.step import Step

STEPS: tuple[Step[Any], ...] = (
    ObservationsStep(),
    ReduceStep(),
    StackStep(),
    ReadStep(),
    # Of what was seen, before models are set.
    ExcessMapStep(),
    FitStep(),
    FitEachStep(),
    FluxPointsStep(),
    FluxPointsEachStep(),
    LightCurveStep(),
)
SECTIONS = tuple(dict.fromkeys(step.section for step in STEPS))
