"""``FluxProfile``: fluxes of a source spectrum in regions along a line or in rings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from astropy import units as u

from xgamma.datasets.flux_points import FluxPoints
from xgamma.datasets.group_fits import GroupPoints
from xgamma.datasets.text import range_text
from xgamma.description import Described, Description, Facts
from xgamma.digits import some
from xgamma.errors import ConfigError
from xgamma.plot import figures as plot_figures
from xgamma.plot import labels as plot_labels
from xgamma.plot import legends as plot_legends

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class FluxProfile(Described):
    """Flux points of each of several regions, by their distance from the first one or from the middle of rings.

    Parameters
    ----------
    data
        A DL5 Dataset with the dims ``group`` and ``energy``, see ``xgamma.estimate.flux_points_groups``, and the
        coordinate ``projected_distance`` (group) in degrees.
    """

    def __init__(self, data: xr.Dataset) -> None:
        self.data = data
        self._points = GroupPoints(data)

    @property
    def distance(self) -> u.Quantity:
        """The distance of each region."""
        return u.Quantity(self.data["projected_distance"].values, "deg")

    def __len__(self) -> int:
        return len(self._points.groups)

    def __getitem__(self, number: int) -> FluxPoints:
        """Return the flux points of one region."""
        return self._points[self._points.groups[number]]

    def to_table(self, sed_type: str = "flux") -> Table:
        """Return a row for each region, whose columns are those of ``FluxPoints.to_table`` with the bins of energy."""
        table = self._points.to_table(sed_type)
        table.add_column(self.distance, 1, "projected_distance")
        return table

    def plot(self, ax: Axes | None = None, sed_type: str = "flux", plane: int = 0, **style: Any) -> Axes:
        """Draw the fluxes of one bin of energy over the distance, limits as arrows; raises ``ConfigError``."""
        if not 0 <= plane < self.data.sizes["energy"]:
            raise ConfigError(f"FluxProfile.plot: expected a plane below {self.data.sizes['energy']}, got {plane!r}.")
        ax = plot_figures.normalize_axes(ax)
        table = self.to_table(sed_type)
        value, error = (np.asarray(table[f"{sed_type}{suffix}"])[:, plane] for suffix in ("", "_err"))
        is_limit = (
            np.asarray(table["is_ul"])[:, plane] if f"{sed_type}_ul" in table.colnames else np.zeros(len(self), bool)
        )
        shown = np.where(is_limit, np.asarray(table[f"{sed_type}_ul"])[:, plane] if is_limit.any() else value, value)
        ax.errorbar(
            self.distance.value,
            shown,
            np.where(is_limit, 0.3 * np.abs(shown), error),
            uplims=is_limit,
            **{"fmt": "o", "ms": 4, **style},
        )
        low, high = self.data["energy_bounds"].values[plane]
        ax.set_title(f"{low:.3g} to {high:.3g} TeV")
        ax.set_xlabel(plot_labels.axis_label("Distance", "deg"))
        ax.set_ylabel(plot_labels.axis_label(plot_labels.sed_label(sed_type), table[sed_type].unit or ""))
        plot_labels.name_power(ax.yaxis)
        plot_legends.name_limits(ax, bool(is_limit.any()))
        plot_legends.show_legend(ax)
        return ax

    def peek(self, figsize: tuple[float, float] | None = None, sed_type: str = "flux") -> Figure:
        """Draw the fluxes of each bin of energy over the distance in a new figure, and return it."""
        count = self.data.sizes["energy"]
        columns = min(count, 3)
        size = (5.0 * columns, 4.0 * -(-count // columns))
        figure, axes = plot_figures.panels(count, figsize or size)
        for plane, ax in enumerate(axes):
            self.plot(ax, sed_type, plane)
        plot_figures.show_title(figure, str(self.data.attrs.get("source", "")), some(len(self), "region"))
        return figure

    def __repr__(self) -> str:
        return f"<FluxProfile: {some(len(self), 'region')}, {some(self.data.sizes['energy'], 'bin')} of energy>"

    def _description(self) -> Description:
        distance = self.distance.value
        facts = Facts([("Distances", range_text(distance.min(), distance.max(), "deg"))])
        return Description(type(self).__name__, [facts, *self._points._description().parts])
