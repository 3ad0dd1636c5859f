"""A background, a safe mask and a spectral model as a user writes them; each notes the process it ran in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xgamma.models.parameters import Parameter
from xgamma.models.spectral.model import SpectralModel
from xgamma.outcome import Outcome
from xgamma.reduce import Background, OffRegions, register


def note(folder: str, who: str) -> None:
    """Leave a file that names the process."""
    (Path(folder) / f"{who}-{os.getpid()}").touch()


def processes(folder: Path, who: str) -> set[int]:
    """Return the processes that noted themselves."""
    return {int(path.name.rpartition("-")[2]) for path in folder.glob(f"{who}-*")}


@dataclass(frozen=True)
class OppositeParameters:
    folder: str
    radius: float = 0.2


@register("background", "opposite", version=4, parameters=OppositeParameters)
class Opposite(Background):
    """One off region, opposite to the on-region as seen from the pointing, with twice its acceptance."""

    def __init__(self, parameters):
        self.parameters = parameters

    def place(self, given):
        note(self.parameters.folder, "background")
        lon, lat = given.grid.space.positions()
        pointing = (coordinate[:, None] for coordinate in given.pointing)
        lon, lat = (
            np.where(given.usable[:, None], 2 * middle - own, np.nan)[:, :, None]
            for own, middle in zip((lon, lat), pointing, strict=True)
        )
        radius = np.where(np.isfinite(lon), self.parameters.radius, np.nan)
        return OffRegions(lon, lat, radius, 2.0 * radius / radius, np.full(len(given.rows), Outcome.USED))

    def bound(self, given):
        return 1


@dataclass(frozen=True)
class CountedParameters:
    folder: str
    least: float = 0.0


@register("safe mask", "counted", version=3, parameters=CountedParameters)
def counted(given, parameters):
    """Keep the bins with enough events."""
    note(parameters.folder, "safe-mask")
    return given.background >= parameters.least


class OwnSpectralModel(SpectralModel):
    """A power law that notes where it is evaluated."""

    tag = ("OwnSpectralModel", "own")
    amplitude = Parameter("amplitude", 3e-11, "cm-2 s-1 TeV-1", is_norm=True)
    index = Parameter("index", 2.4)

    @staticmethod
    def evaluate(energy, amplitude, index):
        note(os.environ["XGAMMA_TEST_FOLDER"], "model")
        return amplitude * energy ** (-index)
