"""``JointPictures``: the pictures of several rows, a panel each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.datasets import titles
from xgamma.datasets.binned_row import is_map
from xgamma.datasets.dataset_list import DatasetList
from xgamma.datasets.pictures import SpectrumPictures
from xgamma.errors import DataError
from xgamma.plot import figures as plot_figures
from xgamma.plot import spectra_panels as plot_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xgamma.datasets.map_dataset import MapDataset


MAP_PANEL = (4.2, 3.6)
"""Inches."""


class JointPictures(DatasetList):
    """Rows that draw themselves side by side; see ``Datasets``."""

    @property
    def _spectra(self) -> list[SpectrumPictures]:
        return [view for view in self._views if isinstance(view, SpectrumPictures)]

    @property
    def _maps(self) -> list[MapDataset]:
        return [view for view in self._views if is_map(view)]

    def plot_counts(self, figure: Figure | None = None) -> Figure:
        """Draw the counts of all, a panel each: spectra over energy, or maps where there is no spectrum.

        Of many spectra the first have a panel, and the sum of the others; of many maps the first, which the title says.
        ``figure`` is an empty one, by default a new one, which is returned. Raises ``DataError`` without rows.
        """
        if self._spectra:
            return plot_panels.plot_counts_of([one.counts_spectrum() for one in self._spectra], figure, self._title())
        return self.plot_maps(figure)

    def plot_fit(self, figure: Figure | None = None) -> Figure:
        """Draw excess, prediction and residuals of all spectra, a panel each; see ``plot_counts``.

        Raises ``DataError`` without spectra.
        """
        if not self._spectra:
            raise DataError("There are no spectra whose fit could be drawn; draw maps by dataset.plot_prediction().")
        return plot_panels.plot_fits_of([one.counts_spectrum() for one in self._spectra], figure, self._title())

    def plot_maps(self, figure: Figure | None = None) -> Figure:
        """Draw the counts of the maps, a panel each; see ``plot_counts``; raises ``DataError`` without maps."""
        if not self._maps:
            what = "maps" if self._spectra else "spectra or maps"
            raise DataError(f"There are no {what} whose counts could be drawn.")
        shown = self._maps[: plot_panels.MOST_PANELS]
        made = plot_figures.new_figure() if figure is None else figure
        columns = min(len(shown), 3)
        if len(shown) > 1:
            made.set_size_inches(MAP_PANEL[0] * columns + 0.4, MAP_PANEL[1] * -(-len(shown) // columns) + 0.4)
        for place, view in enumerate(shown):
            ax = plot_figures.add_axes(made, (-(-len(shown) // columns), columns, place + 1), **view.axes_options)
            view.plot_counts(ax)
            facts = titles.row_facts(view, with_significance=False)
            plot_figures.show_title(ax, *(facts if len(shown) == 1 else (view.name, *facts[2:])))
        if len(self._maps) > len(shown):
            plot_figures.show_title(made, self._title(), f"the first {len(shown)}")
        return made

    def peek(self, figsize: tuple[float, float] | None = None) -> Figure:
        """Draw the counts of all in a new figure, and return it; see ``plot_counts``."""
        figure = self.plot_counts()
        if figsize is not None:
            figure.set_size_inches(*figsize)
        return figure

    def _title(self) -> str:
        return ", ".join(filter(None, self.facts()))

    def facts(self) -> tuple[str, ...]:
        """Return what titles say: sources, telescopes, live time; of one row also its significance."""
        return titles.joint_facts([*self._spectra, *self._maps], self.models)
