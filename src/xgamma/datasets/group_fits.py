"""``GroupFits`` and ``GroupPoints``: views of fits and of flux points of each group of datasets by itself."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import TYPE_CHECKING, Any

import astropy
import numpy as np
import xarray as xr

from xgamma.axes import FloatArray
from xgamma.datasets.flux_points import FluxPoints
from xgamma.datasets.norms import drawn, plot_unit
from xgamma.datasets.text import flux_text, range_text
from xgamma.description import Described, Description, Facts, Sheet, ends
from xgamma.digits import decimals, some, value_and_error
from xgamma.errors import ConfigError, UnknownNameError, did_you_mean
from xgamma.formats.light_curve.table import EPOCH_CARDS, mjd_of
from xgamma.formats.sed.files import write_table
from xgamma.plot import figures as plot_figures
from xgamma.plot import legends as plot_legends
from xgamma.plot import light_curve as plot_light_curve
from xgamma.plot import sed as plot_sed
from xgamma.plot import style as plot_style
from xgamma.tables.fits import short_names
from xgamma.times import span_text

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


SPECTRA_MAX = 12
"""How many spectra one picture can tell apart."""


class GroupFits(Described):
    """The parameters that the fit of each group came to, such as those of each night.

    Parameters
    ----------
    data
        A DL5 Dataset with the dims ``group`` and ``parameter``; see ``xgamma.estimate.fit_groups``.

    Examples
    --------
    >>> analysis.fit_each.to_table()  # doctest: +SKIP
    >>> analysis.fit_each.data["value"].sel(parameter="crab.spectral.index")  # doctest: +SKIP
    """

    def __init__(self, data: xr.Dataset) -> None:
        self.data = data

    @property
    def groups(self) -> list[str]:
        """The names of the groups."""
        return [str(name) for name in self.data["group"].values]

    @property
    def free_parameters(self) -> list[str]:
        """The names of the parameters that were fitted."""
        return [str(name) for name in self.data["parameter"].values[self.data["is_free"].values]]

    @property
    def labels(self) -> dict[str, str]:
        """Short names of the parameters that were fitted: without the model and the part that are those of all."""
        return short_names(self.free_parameters)

    @property
    def success(self) -> np.ndarray:
        """Whether each fit converged, shape (group,)."""
        return np.asarray(self.data["success"].values)

    @property
    def mjd_exposed(self) -> FloatArray:
        """First start and last stop of good time of each group as MJD (TT), shape (group, 2); NaN if not known."""
        return mjd_of(self.data, "time_exposed")

    def unit(self, parameter: str) -> str:
        """Return the unit of a parameter; raises ``UnknownNameError``."""
        names = [str(name) for name in self.data["parameter"].values]
        if parameter not in names:
            raise UnknownNameError(f"There is no parameter {parameter!r}.{did_you_mean(parameter, names)}")
        return str(self.data["value"].attrs["parameter_units"][names.index(parameter)])

    def to_table(self) -> Table:
        """Return a row for each group: when, livetime, each free parameter with its error, statistic, success."""
        start, stop = self.mjd_exposed.T
        table = astropy.table.Table(meta={"BY": self.data.attrs["by"], **EPOCH_CARDS})
        table["group"] = self.groups
        table["time_min"], table["time_max"] = start, stop
        table["livetime"] = astropy.table.Column(self.data["livetime"].values, unit="s")
        for name in self.free_parameters:
            own, unit = self.data.sel(parameter=name), self.unit(name) or None
            table[name] = astropy.table.Column(own["value"].values, unit=unit)
            table[f"{name}_err"] = astropy.table.Column(own["error"].values, unit=unit)
        table["total_stat"], table["success"] = self.data["total_stat"].values, self.success
        return table

    def plot(
        self, figure: Figure | None = None, time_format: str = "iso", close_gaps: bool = False, **style: Any
    ) -> list[Axes]:
        """Draw each free parameter against time, with the fit of all together as a band.

        Groups that overlap in time, such as bands of zenith angle, stand side by side with their names.

        Parameters
        ----------
        figure
            Where to draw; by default the current one.
        time_format, close_gaps
            As in ``LightCurve.plot``.
        **style
            For ``Axes.errorbar``.
        """
        names = self.free_parameters
        made = plot_figures.empty_figure() if figure is None else figure
        _, axes = plot_figures.panels(len(names), columns=1, figure=made, sharex=True)
        for name, ax in zip(names, axes, strict=True):
            self._plot_parameter(name, ax, time_format, close_gaps, style)
            ax.label_outer()
        return list(axes)

    def peek(self, figsize: tuple[float, float] | None = None) -> Figure:
        """Draw each free parameter against time in a new figure, and return it."""
        figure = plot_figures.new_figure(figsize or (8.0, 1.5 + 2.2 * len(self.free_parameters)))
        self.plot(figure)
        plot_figures.show_title(figure, some(len(self.groups), "group"))
        return figure

    def _plot_parameter(self, name: str, ax: Axes, time_format: str, close_gaps: bool, style: dict[str, Any]) -> None:
        own = self.data.sel(parameter=name)
        value, error = own["value"].values, own["error"].values
        nothing = np.full(len(value), np.nan)
        curve = plot_light_curve.Curve("", value, np.stack([error, error]), nothing, np.zeros(len(value), bool))
        label = self.labels[name]
        if self._are_apart():
            known = np.asarray(np.isfinite(self.mjd_exposed).all(axis=1))
            bounds, shown = self.mjd_exposed[known], curve.at(known)
            plot_light_curve.plot_light_curve(
                bounds, [shown], label, self.unit(name), ax, time_format, close_gaps, False, **style
            )
        else:
            plot_light_curve.plot_curve_of_groups(self.groups, curve, label, self.unit(name), ax, **style)
        together, width = float(own["start"]), float(own["start_error"])
        ax.axhline(together, color="0.4", lw=1, zorder=0.5)
        if np.isfinite(width):
            ax.axhspan(together - width, together + width, color="0.4", alpha=0.15, lw=0, zorder=0.4)

    def _are_apart(self) -> bool:
        bounds = self.mjd_exposed[np.isfinite(self.mjd_exposed).all(axis=1)]
        rows = bounds[np.argsort(bounds[:, 0])]
        return len(rows) > 0 and bool((rows[1:, 0] >= rows[:-1, 1]).all())

    def write(self, filename: str | PathLike[str], overwrite: bool = False) -> None:
        """Write `to_table` as ``.ecsv`` or ``.csv``; raises ``ConfigError``, ``OutputExistsError``, ``OutputError``."""
        write_table(self.to_table(), filename, "Fits of groups", overwrite=overwrite)

    def __repr__(self) -> str:
        return f"<GroupFits by {self.data.attrs['by']}: {some(len(self.groups), 'group')}>"

    def _description(self) -> Description:
        names, failed = self.free_parameters, int(np.sum(~self.success))
        numbers, more = ends(len(self.groups))
        rows = [self._words(number) for number in numbers]
        heads = [f"{self.labels[name]} [{self.unit(name)}]".replace(" []", "") for name in names]
        columns = ("group", "time (TT)", "livetime [h]", *heads, "stat", "")
        facts = [
            ("Groups", f"{some(len(self.groups), 'group')} by {self.data.attrs['by']}"),
            ("Not converged", str(failed)),
        ]
        return Description(type(self).__name__, [Facts(facts), Sheet(columns, rows, more)])

    def _words(self, number: int) -> tuple[str, ...]:
        own = self.data.isel(group=number)
        at = [own.sel(parameter=name) for name in self.free_parameters]
        values = [value_and_error(float(one["value"]), float(one["error"])) for one in at]
        return (
            *_group_words(self.data, number),
            *values,
            decimals(float(own["total_stat"]), 1),
            "" if self.success[number] else "not converged",
        )


class GroupPoints(Described):
    """The flux points of one source in each group, relative to one reference spectrum.

    Parameters
    ----------
    data
        A DL5 Dataset with the dims ``group`` and ``energy``; see ``xgamma.estimate.flux_points_groups``.

    Examples
    --------
    >>> analysis.flux_points_each["2004-12-04"].to_table("dnde")  # doctest: +SKIP
    """

    def __init__(self, data: xr.Dataset) -> None:
        self.data = data

    @property
    def groups(self) -> list[str]:
        """The names of the groups."""
        return [str(name) for name in self.data["group"].values]

    def __getitem__(self, group: str) -> FluxPoints:
        """Return the flux points of one group; raises ``UnknownNameError``."""
        if group not in self.groups:
            raise UnknownNameError(f"There is no group {group!r}.{did_you_mean(group, self.groups)}")
        own = self.data.drop_dims("dataset").isel(group=self.groups.index(group))
        points = own.drop_vars([name for name in own.variables if name in ("group", "livetime", "time_exposed")])
        counts = {name: points[name].expand_dims(dataset=[group], axis=-1) for name in _SUMS if name in points}
        return FluxPoints(points.assign(counts))

    def to_table(self, sed_type: str = "dnde") -> Table:
        """Return a row for each group, whose columns are those of ``FluxPoints.to_table`` with the bins of energy."""
        start, stop = mjd_of(self.data, "time_exposed").T
        each = [self[group].to_table(sed_type) for group in self.groups]
        table = astropy.table.Table(meta={**each[0].meta, "BY": self.data.attrs["by"], **EPOCH_CARDS})
        table["group"] = self.groups
        table["time_min"], table["time_max"] = start, stop
        table["livetime"] = astropy.table.Column(self.data["livetime"].values, unit="s")
        for name in each[0].colnames:
            table[name] = astropy.table.Column(np.stack([points[name] for points in each]), unit=each[0][name].unit)
        return table

    def plot(self, ax: Axes | None = None, sed_type: str = "e2dnde", **style: Any) -> Axes:
        """Draw the spectrum of each group; raises ``ConfigError`` for more than a picture can tell apart."""
        shown = (sed_type, plot_unit(sed_type))
        if len(self.groups) > SPECTRA_MAX:
            raise ConfigError(
                f"GroupPoints.plot: {len(self.groups)} spectra are more than a picture can tell apart; draw some of "
                "them: points[group].plot()."
            )
        ax = plot_figures.normalize_axes(ax)
        edges, count = self.data["energy_bounds"].values, len(self.groups)
        for number, group in enumerate(self.groups):
            points = self[group]
            spectrum = (edges, plot_sed.side_by_side(edges, number, count), *drawn(points.data, sed_type), points.is_ul)
            plot_sed.plot_flux_points(
                *spectrum,
                *shown,
                ax,
                **plot_style.merged_style(plot_style.point_style(number), {"label": group}, style),
            )
        plot_legends.show_legend(ax)
        return ax

    def peek(self, figsize: tuple[float, float] = (8, 6)) -> Figure:
        """Draw the spectrum of each group in a new figure, and return it; raises as ``plot``."""
        figure, [ax] = plot_figures.panels(1, figsize)
        self.plot(ax)
        plot_figures.show_title(ax, str(self.data.attrs.get("source", "")), some(len(self.groups), "group"))
        return figure

    def write(self, filename: str | PathLike[str], sed_type: str = "dnde", overwrite: bool = False) -> None:
        """Write `to_table` as ``.ecsv`` or ``.csv``; raises ``ConfigError``, ``OutputExistsError``, ``OutputError``."""
        write_table(self.to_table(sed_type), filename, "Flux points of groups", overwrite=overwrite)

    def __repr__(self) -> str:
        by, count = self.data.attrs["by"], self.data.sizes["energy"]
        return f"<GroupPoints by {by}: {some(len(self.groups), 'group')}, {count} energies>"

    def _description(self) -> Description:
        data, edges, groups = self.data, self.data["energy_bounds"].values, self.groups
        facts = [
            ("Groups", f"{some(len(groups), 'group')} by {data.attrs['by']}"),
            ("Energies", f"{some(len(edges), 'bin')}, {range_text(edges[0, 0], edges[-1, 1])}"),
        ]
        numbers, more = ends(len(groups))
        # Bins of energy are columns: some of the first and the last.
        bins, _ = ends(len(edges), COLUMNS)
        flux = _fluxes(data)
        rows = [(*_group_words(data, group), *(flux(group, at) for at in bins)) for group in numbers]
        columns = ("group", "time (TT)", "livetime [h]", *(range_text(*edges[at]) for at in bins))
        caption = f"dnde [{plot_unit('dnde')}]"
        return Description(type(self).__name__, [Facts(facts), Sheet(columns, rows, more, caption)])


COLUMNS = 8
"""How many bins of energy are shown beside each other."""


def _fluxes(data: xr.Dataset) -> Callable[[int, int], str]:
    value, errors, limit = drawn(data, "dnde")
    is_ul = data["is_ul"].values
    return lambda row, at: flux_text(value[row, at], errors[:, row, at], limit[row, at], bool(is_ul[row, at]))


def _group_words(data: xr.Dataset, number: int) -> tuple[str, ...]:
    span = span_text(*mjd_of(data, "time_exposed")[number])
    return str(data["group"].values[number]), span, decimals(float(data["livetime"].values[number]) / 3600)


_SUMS = ("counts", "npred", "npred_excess", "counts_left_out")
