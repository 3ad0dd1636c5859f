"""The kinds of flux of a spectrum, as GADF calls them, and the level of limits, as its tables have it."""

from __future__ import annotations

import math

QUANTITIES = {"dnde": "cm-2 s-1 TeV-1", "flux": "cm-2 s-1", "eflux": "TeV cm-2 s-1", "e2dnde": "TeV cm-2 s-1"}
"""Fluxes, and the unit of each."""
LIKELIHOOD = "likelihood"
SED_TYPES = (LIKELIHOOD, *QUANTITIES)
"""What a table of flux points can hold."""


def level_of(n_sigma: float) -> float:
    """Return the probability of what is within some standard deviations, the UL_CONF of a table, to seven digits.

    >>> level_of(2.0)
    0.9544997
    """
    return round(math.erf(n_sigma / math.sqrt(2.0)), 7)
