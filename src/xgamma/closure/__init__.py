"""Closure: simulated sets through the reduction and the fit of real data, and whether the truth comes back.

Sets of one point are reduced to spectra, sets of fields of several sources to maps.

Examples
--------
>>> from xgamma.closure import findings, run_closure, trial_of
>>> from xgamma.simulate import Plan
>>> results = run_closure(trial_of(Plan()), sets=100)  # doctest: +SKIP
>>> [finding.what for finding in findings(results) if not finding.holds]  # doctest: +SKIP
[]
"""

from __future__ import annotations

from xgamma.closure.estimates import Trial, estimated_sets, spectral_trial_of
from xgamma.closure.fields import FieldTrial, field_plan, field_trial_of, trial_of
from xgamma.closure.findings import Coverage, Finding, Moments, coverage, excess_ratio, findings, moments, picture
from xgamma.closure.sets import Simulator, reduced_sets, run_closure, runs_of_set, simulator_of

__all__ = [
    "Coverage",
    "FieldTrial",
    "Finding",
    "Moments",
    "Simulator",
    "Trial",
    "coverage",
    "estimated_sets",
    "excess_ratio",
    "field_plan",
    "field_trial_of",
    "findings",
    "moments",
    "picture",
    "reduced_sets",
    "run_closure",
    "runs_of_set",
    "simulator_of",
    "spectral_trial_of",
    "trial_of",
]
