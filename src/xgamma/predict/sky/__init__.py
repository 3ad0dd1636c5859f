"""Predicted counts in windows of the sky: sources of any shape behind point spread functions, and backgrounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported

if TYPE_CHECKING:
    from xgamma.predict.sky.factors import BackgroundFolded, NormFolded, is_uneven
    from xgamma.predict.sky.folding import FarAwayError, SkyFolded, SkyFolding, validate_on_sky
    from xgamma.predict.sky.planes import signal_planes
else:
    __getattr__, __dir__ = exported(__name__)

__all__ = [
    "BackgroundFolded",
    "FarAwayError",
    "NormFolded",
    "SkyFolded",
    "SkyFolding",
    "is_uneven",
    "signal_planes",
    "validate_on_sky",
]
