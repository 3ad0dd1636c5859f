"""The kinds of flux of a spectrum, as GADF calls them."""

from __future__ import annotations

QUANTITIES = {"dnde": "cm-2 s-1 TeV-1", "flux": "cm-2 s-1", "eflux": "TeV cm-2 s-1", "e2dnde": "TeV cm-2 s-1"}
"""Fluxes, and the unit of each."""
LIKELIHOOD = "likelihood"
SED_TYPES = (LIKELIHOOD, *QUANTITIES)
"""What a table of flux points can hold."""
