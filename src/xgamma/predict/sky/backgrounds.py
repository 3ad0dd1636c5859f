"""The background of bins of maps, as a function of the spectrum that multiplies it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xgamma.axes import FloatArray
from xgamma.models.models import FoVBackgroundModel

if TYPE_CHECKING:
    from scipy import sparse


@dataclass(frozen=True)
class BackgroundFolded:
    """The background of rows times a spectrum.

    Parameters
    ----------
    model
        The model.
    energy
        The reconstructed energies at which the spectrum counts, TeV, shape (energy,).
    matrix
        The background of each bin, at its energy, shape (bin, energy).
    """

    model: FoVBackgroundModel
    energy: FloatArray
    matrix: sparse.csr_matrix

    def counts(self, values: Sequence[float] | None = None) -> FloatArray:
        """Return the counts of the bins; ``values`` stand in for those of the spectrum."""
        return np.asarray(self.matrix @ self.model.spectral_model.dnde(self.energy, values))

    def slopes(self, values: Sequence[float], wanted: Sequence[int]) -> FloatArray:
        """Return the derivatives of the spectrum at the energies, shape (wanted, energy)."""
        return self.model.spectral_model.dnde_gradient(self.energy, values, wanted)
