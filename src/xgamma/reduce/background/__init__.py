"""Backgrounds: where off events are taken from, and how they are scaled.

One module for each. Those of xgamma are registered under ``background`` when this package is imported.
"""

from xgamma.reduce.background.fixed import FixedParameters
from xgamma.reduce.background.fov import FovBackgroundParameters
from xgamma.reduce.background.irf import IrfParameters
from xgamma.reduce.background.off_runs import OffRunsParameters
from xgamma.reduce.background.phase import PhaseParameters
from xgamma.reduce.background.protocol import KIND, Background, BackgroundInput, OffRegions, Settled, background_of
from xgamma.reduce.background.reflected import ReflectedParameters
from xgamma.reduce.background.sky_ring import AdaptiveRingParameters, RingParameters
from xgamma.reduce.background.wobble import WobbleParameters

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
