"""Predicted counts: models folded with the response of rows, and what was measured in their bins."""

from __future__ import annotations

from xgamma.predict.counts import (
    NO_MODELS_ON_MAPS,
    alpha,
    measured,
    npred,
    npred_background,
    npred_signal,
    scaled,
    selected_models,
)
from xgamma.predict.folding import Folded, Folding

__all__ = [
    "NO_MODELS_ON_MAPS",
    "Folded",
    "Folding",
    "alpha",
    "measured",
    "npred",
    "npred_background",
    "npred_signal",
    "scaled",
    "selected_models",
]
