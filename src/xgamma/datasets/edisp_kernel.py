"""``EDispKernel``: the energy dispersion at one place, of a run or of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.datasets.maps.axes import MapAxes
from xgamma.gammapy_methods import SaysInstead
from xgamma.plot import figures as plot_figures
from xgamma.plot import spectrum as plot_spectrum

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class EDispKernel(SaysInstead):
    """The energy dispersion at a position: the share of each bin of reconstructed energy, (energy_true, energy)."""

    pdf_matrix: FloatArray
    axes: MapAxes

    @property
    def data(self) -> FloatArray:
        """``pdf_matrix``."""
        return self.pdf_matrix

    def get_mean(self, energy_true: Any) -> u.Quantity:
        """Return the mean reconstructed energy of the bins of some true energies."""
        rows = self.pdf_matrix[self.axes[0].coord_to_idx(energy_true)]
        total, mean = rows.sum(axis=-1), rows @ self.axes[1].plain.center
        values = np.divide(mean, total, out=np.full_like(mean, np.nan), where=total > 0)
        return u.Quantity(values.reshape(np.shape(plain_quantity(energy_true, "TeV"))), "TeV")

    def get_bias(self, energy_true: Any) -> FloatArray:
        """Return the relative bias of the mean reconstructed energy."""
        true = plain_quantity(energy_true, "TeV")
        centers = self.axes[0].plain.center[self.axes[0].coord_to_idx(energy_true)].reshape(np.shape(true))
        return np.asarray(self.get_mean(energy_true).to_value("TeV") / centers - 1)

    def plot_matrix(self, ax: Axes | None = None, add_cbar: bool = True, **style: Any) -> Axes:
        """Draw it."""
        true, reco = self.axes.plain
        return plot_spectrum.plot_edisp(true.edges, reco.edges, self.pdf_matrix, ax, add_cbar, **style)

    def plot_bias(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw the relative bias of the mean reconstructed energy over true energy."""
        center = self.axes[0].plain.center
        return plot_spectrum.plot_bias(center, self.get_bias(center), ax, **style)

    def peek(self, figsize: tuple[float, float] = (11, 4.2)) -> Figure:
        """Draw bias and matrix in a new figure, and return it."""
        figure, (ax_bias, ax_matrix) = plot_figures.panels(2, figsize)
        self.plot_bias(ax_bias)
        self.plot_matrix(ax_matrix)
        plot_figures.show_title(figure, "Energy dispersion")
        return figure


def plain_quantity(value: Any, unit: str) -> FloatArray:
    """Return a quantity, or numbers of a unit, as plain numbers of it."""
    return np.asarray(u.Quantity(value, None if isinstance(value, u.Quantity) else unit).to_value(unit), dtype=float)
