"""Predicted counts: models folded with the response of rows, and what was measured in their bins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported

if TYPE_CHECKING:
    from xgamma.predict.counts import npred, npred_background, npred_signal
    from xgamma.predict.folding import Folded, Folding, selected_models
    from xgamma.predict.observed import measured, scaled
    from xgamma.schema import alpha
else:
    __getattr__, __dir__ = exported(__name__)

__all__ = [
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
