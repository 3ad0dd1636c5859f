"""Backgrounds: where off events are taken from, and how they are scaled.

One module for each, loaded when its background is asked for; what is known of all of them before is in ``names``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported
from xgamma.reduce.background.names import KIND
from xgamma.registry import provide

if TYPE_CHECKING:
    from xgamma.reduce.background.fixed import FixedParameters
    from xgamma.reduce.background.fov import FovBackgroundParameters
    from xgamma.reduce.background.irf import IrfParameters
    from xgamma.reduce.background.off_runs import OffRunsParameters
    from xgamma.reduce.background.phase import PhaseParameters
    from xgamma.reduce.background.protocol import Background, BackgroundInput, OffRegions, Settled, background_of
    from xgamma.reduce.background.reflected import ReflectedParameters
    from xgamma.reduce.background.sky_ring import AdaptiveRingParameters, RingParameters
    from xgamma.reduce.background.wobble import WobbleParameters
else:
    __getattr__, __dir__ = exported(__name__)

_MODULES = ("reflected", "wobble", "fixed", "phase", "off_runs", "irf", "fov", "sky_ring")
provide(KIND, *(f"{__name__}.{module}" for module in _MODULES))

__all__ = [
    "KIND",
    "AdaptiveRingParameters",
    "Background",
    "BackgroundInput",
    "FixedParameters",
    "FovBackgroundParameters",
    "IrfParameters",
    "OffRegions",
    "OffRunsParameters",
    "PhaseParameters",
    "ReflectedParameters",
    "RingParameters",
    "Settled",
    "WobbleParameters",
    "background_of",
]
