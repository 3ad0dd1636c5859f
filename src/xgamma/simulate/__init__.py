"""Simulated data releases: a plan of runs, an analytic instrument, sources, Poisson events, GADF files.

Examples
--------
>>> from xgamma.simulate import Plan, simulate
>>> release = simulate(Plan(runs=2), "demo")  # doctest: +SKIP
"""

from __future__ import annotations

from xgamma.simulate.plan import (
    AnalyticResponse,
    Plan,
    PlannedRun,
    Source,
    plan_document,
    plan_from_document,
    power_law,
    read_plan,
)
from xgamma.simulate.release import Release, expected_counts, simulate
from xgamma.simulate.sources import about_first_model

__all__ = [
    "AnalyticResponse",
    "Plan",
    "PlannedRun",
    "Release",
    "Source",
    "about_first_model",
    "expected_counts",
    "plan_document",
    "plan_from_document",
    "power_law",
    "read_plan",
    "simulate",
]
