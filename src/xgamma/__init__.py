"""xgamma: gamma-ray data reduction and spectral analysis over a store of labelled arrays."""

from __future__ import annotations

__version__ = "0.1.0"
