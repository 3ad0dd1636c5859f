"""``LightCurve``: the view of a DL5 Dataset of a light curve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr
from astropy.time import Time

from xgamma import bridges
from xgamma.datasets import points_frame, sed_table, text
from xgamma.datasets.norms import FLAGS, NUMBERS, QUANTITIES, Norms, drawn, plot_unit
from xgamma.description import Described, Description, facts
from xgamma.digits import number_text
from xgamma.errors import ConfigError, DataError, UnknownNameError, did_you_mean
from xgamma.formats.light_curve.files import read_light_curve, write_light_curve
from xgamma.formats.light_curve.table import light_curve_table, mjd_of
from xgamma.plot import figures as plot_figures
from xgamma.plot import legends as plot_legends
from xgamma.plot import light_curve as plot_lc
from xgamma.plot import sed as plot_sed
from xgamma.times import time_from_seconds

if TYPE_CHECKING:
    import pandas as pd
    from astropy.table import Table
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


AXES = ("time", "energy")
SPECTRA_MAX = 12
"""How many spectra one picture can tell apart."""
ERRORS = ("", *sed_table.ERRORS)


class LightCurve(Described, Norms):
    """The flux of one source in bins of time and energy, relative to a reference spectrum.

    Attributes are read from the Dataset: ``flux``, ``dnde``, ``eflux``, ``e2dnde``, ``norm``, each with ``_err``,
    ``_errn``, ``_errp``, ``_ul``, as ``Quantity`` of shape (time, energy); ``ref_flux`` etc. of shape (energy,);
    ``ontime`` and ``livetime`` of shape (time,); ``ts``, ``sqrt_ts``, ``stat``, ``stat_null``, ``counts``, ``npred``,
    ``npred_excess``, ``stat_scan``, ``success``, ``is_ul``, ``is_extrapolated`` as arrays. All times are TT.

    Parameters
    ----------
    data
        A DL5 Dataset: norms, errors, limits and statistics with the dims ``time`` and ``energy``, reference fluxes.

    Examples
    --------
    >>> light_curve.to_table("flux", formatted=True)  # doctest: +SKIP
    >>> light_curve.to_xarray("flux")["flux"].sel(energy=2.0, method="nearest").plot()  # doctest: +SKIP
    """

    quantities = (*QUANTITIES, "ontime", "livetime")
    numbers = (*NUMBERS, *FLAGS, "is_extrapolated")

    def __init__(self, data: xr.Dataset) -> None:
        _validate(data)
        super().__init__(data)

    # --- times

    @property
    def mjd_bounds(self) -> np.ndarray:
        """Start and stop of each bin as MJD (TT), shape (time, 2)."""
        return mjd_of(self.data, "time_bounds")

    @property
    def time_min(self) -> Time:
        """Starts of the bins (TT)."""
        return self.times_of(self.data["time_bounds"].values[:, 0])

    @property
    def time_max(self) -> Time:
        """Stops of the bins (TT)."""
        return self.times_of(self.data["time_bounds"].values[:, 1])

    @property
    def time_ref(self) -> Time:
        """Centres of the bins (TT)."""
        return self.times_of(self.data["time"].values)

    def times_of(self, seconds: np.ndarray) -> Time:
        """Return seconds since ``mjdref`` as times (TT)."""
        return time_from_seconds(seconds, float(self.data.attrs["mjdref"]))

    @property
    def geom(self) -> CurveGeom:
        """The axes, asked for as Gammapy does: ``geom.axes.names``, ``geom.axes["time"].time_min``."""
        return CurveGeom(CurveAxes(self))

    # --- tables

    def to_table(self, sed_type: str = "likelihood", format: str = "lightcurve", formatted: bool = False) -> Table:
        """Return the light curve as a table with a row for each bin of time.

        Parameters
        ----------
        sed_type
            ``likelihood`` (norms and reference fluxes), ``dnde``, ``flux``, ``eflux`` or ``e2dnde``.
        format
            ``lightcurve``.
        formatted
            Whether numbers print with three digits after the point.

        Returns
        -------
        astropy.table.Table
            ``time_min`` and ``time_max`` in MJD (TT; the meta says so), then the columns of flux points, each of shape
            (time, energy, ...), in the order in which Gammapy has them; behind them what only xgamma has.

        Raises
        ------
        UnknownNameError
            For another ``format``; ``ConfigError`` for another ``sed_type``.
        """
        if format != "lightcurve":
            raise UnknownNameError(f"There is no table format {format!r} of light curves. Known: lightcurve.")
        table = light_curve_table(self.data, sed_type)
        return sed_table.with_formats(table) if formatted else table

    def to_xarray(self, sed_type: str = "flux") -> xr.Dataset:
        """Return values, errors and limits of one kind of flux as a Dataset, whose times are dates (TT).

        Raises
        ------
        ConfigError
            For another ``sed_type`` than ``norm``, ``flux``, ``eflux``, ``dnde``, ``e2dnde``.
        """
        plot_unit(sed_type)
        variables: dict[str, Any] = {}
        for name in (f"{sed_type}{error}" for error in ERRORS):
            if self.has(name):
                value = sed_table.quantity(self.data, name)
                variables[name] = (AXES, value.value, {"units": value.unit.to_string("fits")})
        kept = [name for name in ("ts", "sqrt_ts", "counts", *FLAGS, "is_extrapolated") if name in self.data]
        variables |= {name: self.data[name].variable for name in kept}
        coords = {name: self.data[name].variable for name in ("energy", "energy_bounds")}
        scale = {"time_scale": "tt"}
        dates = {
            "time": ("time", self.time_ref.datetime64, {"bounds": "time_bounds", **scale}),
            "time_bounds": (
                ("time", "bound"),
                np.stack([self.time_min.datetime64, self.time_max.datetime64], 1),
                scale,
            ),
        }
        return xr.Dataset(variables, coords | dates, {"source": self.data.attrs.get("source", ""), **scale})

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each bin of time and energy: times in MJD (TT), norms, all fluxes, statistics.

        The units are in ``attrs["units"]``.
        """
        shape = self.data["norm"].shape
        names = [name for name in self.available_quantities if name != "stat_scan"]
        start, stop = (edge[:, np.newaxis] for edge in self.mjd_bounds.T)
        columns = {"time_min": (start, "d"), "time_max": (stop, "d")}
        columns |= {f"e_{part}": (getattr(self, f"energy_{part}").value, "TeV") for part in ("ref", "min", "max")}
        for name in names:
            value = sed_table.quantity(self.data, name)
            # What is true or false stays so.
            plain = self.data[name].values if name in self.data else value.value
            columns[name] = (
                plain[:, np.newaxis] if plain.ndim == 1 and name in ("ontime", "livetime") else plain,
                value.unit.to_string("fits"),
            )
        flat = {name: np.broadcast_to(values, shape).ravel() for name, (values, _) in columns.items()}
        return points_frame.with_units(flat, {name: unit for name, (_, unit) in columns.items()})

    @classmethod
    def from_table(cls, table: Table, sed_type: str | None = None, reference_model: Any = None) -> Self:
        """Return the light curve of a table.

        Parameters
        ----------
        table
            A row for each bin of time: ``time_min`` and ``time_max``, which are dates as the meta says (MJD in
            TIMESYS, UTC without one) or times of astropy; ``e_min`` and ``e_max``; the columns of one SED type.
        sed_type
            By default that of the table's meta, or what its columns say.
        reference_model
            As of ``FluxPoints.from_table``.

        Raises
        ------
        InputError
            When the table is none of a light curve.
        """
        return cls(sed_table.light_curve_product(table, sed_type, reference_model))

    # --- files

    def write(self, filename: str | PathLike[str], sed_type: str = "likelihood", overwrite: bool = False) -> None:
        """Write a table that Gammapy reads as ``lightcurve``, times in TT; FITS reads back to the identical Dataset.

        Raises
        ------
        ConfigError
            When the name does not end in ``.fits``, ``.fits.gz`` or ``.ecsv``.
        OutputExistsError, OutputError
            When the file exists and ``overwrite`` is false, or the folder cannot be written.
        """
        write_light_curve(self.data, filename, sed_type, overwrite=overwrite)

    @classmethod
    def read(cls, filename: str | PathLike[str], sed_type: str | None = None, reference_model: Any = None) -> Self:
        """Read a light curve of xgamma, Gammapy or others; see ``FluxPoints.read``."""
        data = read_light_curve(filename, sed_type, sed_table.references_of(reference_model))
        return cls(sed_table.relative_to(data, reference_model))

    # --- Gammapy

    def to_gammapy(self, reference_model: Any = None) -> Any:
        """Return ``FluxPoints`` of Gammapy with an axis of time; see ``FluxPoints.to_gammapy``."""
        reference = None if reference_model is None else reference_model.to_gammapy()
        return bridges.flux_points.light_curve_to_gammapy(self.data, self.to_table(), reference)

    @classmethod
    def from_gammapy(cls, points: Any) -> Self:
        """Return ``FluxPoints`` of Gammapy with an axis of time as ours; see ``FluxPoints.from_gammapy``."""
        table, attrs = bridges.flux_points.light_curve_from_gammapy(points)
        return cls(sed_table.light_curve_product(table).assign_attrs(attrs))

    # --- pictures

    def plot(
        self,
        ax: Axes | None = None,
        sed_type: str = "dnde",
        axis_name: str = "time",
        time_format: str = "iso",
        close_gaps: bool = False,
        **style: Any,
    ) -> Axes:
        """Draw a curve for each bin of energy, upper limits as arrows.

        Parameters
        ----------
        ax
            Where to draw; by default the current Axes.
        sed_type
            ``norm``, ``flux``, ``eflux``, ``dnde`` (as Gammapy, at the reference energies) or ``e2dnde``.
        axis_name
            What lies along the horizontal axis: ``time``, or ``energy`` for a spectrum of each bin of time.
        time_format
            ``iso`` for dates, ``mjd`` for days; both TT.
        close_gaps
            Whether gaps of more than six hours are drawn as narrow grey bands.
        **style
            For ``Axes.errorbar``.

        Raises
        ------
        ConfigError
            For other words, and for more spectra than a picture can tell apart.
        """
        if axis_name not in AXES:
            raise ConfigError(f"axis_name: there is no {axis_name!r}.{did_you_mean(axis_name, AXES)}")
        values, errors, limits = drawn(self.data, sed_type)
        unit, is_ul = plot_unit(sed_type), self.is_ul.astype(bool)
        if axis_name == "energy":
            return self._plot_spectra(values, errors, limits, (sed_type, unit), ax, style)
        labels = self._energy_labels(style.pop("label", ""))
        curves = [
            plot_lc.Curve(label, values[:, n], errors[:, :, n], limits[:, n], is_ul[:, n])
            for n, label in enumerate(labels)
        ]
        shown = (sed_type, unit, ax, time_format, close_gaps)
        return plot_lc.plot_light_curve(self.mjd_bounds, curves, *shown, **style)

    def plot_ts_profiles(
        self,
        ax: Axes | None = None,
        sed_type: str = "dnde",
        add_cbar: bool = True,
        time_format: str = "iso",
        **style: Any,
    ) -> Axes:
        """Draw the likelihood profile of each bin of time as a coloured column, of one bin of energy.

        Raises
        ------
        DataError
            Without a scan.
        ConfigError
            For several bins of energy.
        """
        if not self.has_stat_profiles:
            raise DataError("This light curve has no profiles; estimate it with selection_optional: [scan] or all.")
        if self.data.sizes["energy"] > 1:
            raise ConfigError(
                "plot_ts_profiles: expected one bin of energy, got several; select one, "
                "LightCurve(light_curve.data.isel(energy=[0]))."
            )
        unit, one = plot_unit(sed_type), self.data.isel(energy=0)
        scan, bounds = self.norm_scan.reshape(len(one["norm"]), -1), self.mjd_bounds
        reference = np.broadcast_to(sed_table.reference(self.data, sed_type).to_value(unit), len(bounds))
        null = one["stat_null"].values if "stat_null" in one else np.full(len(bounds), np.nan)
        columns = (scan, one["stat_scan"].values, one["norm"].values, one["stat"].values, null)
        profiles = plot_sed.Profiles(bounds, reference, *columns)
        return plot_lc.plot_profiles(bounds, profiles, sed_type, unit, ax, add_cbar, time_format, **style)

    def peek(self, figsize: tuple[float, float] = (9, 5)) -> Figure:
        """Draw the flux against time in a new figure, with long gaps closed, and return it."""
        figure, [ax] = plot_figures.panels(1, figsize)
        self.plot(ax, sed_type="flux", close_gaps=True)
        plot_figures.show_title(figure, str(self.data.attrs.get("source", "")))
        return figure

    def _energy_labels(self, label: str) -> list[str]:
        if self.data.sizes["energy"] == 1:
            return [label]
        energies = [f"{number_text(low, 3)} - {number_text(high, 3)} TeV" for low, high in self._edges()]
        return [f"{label} {energy}".strip() for energy in energies]

    def _plot_spectra(
        self,
        values: np.ndarray,
        errors: np.ndarray,
        limits: np.ndarray,
        shown: tuple[str, str],
        ax: Axes | None,
        style: dict[str, Any],
    ) -> Axes:
        if self.data.sizes["time"] > SPECTRA_MAX:
            raise ConfigError(
                f"LightCurve.plot: {self.data.sizes['time']} spectra are more than a picture can tell apart; select up "
                f"to {SPECTRA_MAX} bins of time: LightCurve(light_curve.data.isel(time=slice(0, {SPECTRA_MAX})))."
            )
        label, is_ul, ax = style.pop("label", ""), self.is_ul.astype(bool), plot_figures.normalize_axes(ax)
        for n, time in enumerate(self.time_min.strftime("%Y-%m-%d %H:%M")):
            places = plot_sed.side_by_side(self._edges(), n, len(values))
            spectrum = (self._edges(), places, values[n], errors[:, n], limits[n], is_ul[n])
            plot_sed.plot_flux_points(*spectrum, *shown, ax, label=f"{label} {time}".strip(), **style)
        plot_legends.show_legend(ax)
        return ax

    # --- words

    def paragraphs(self) -> list[text.Paragraph]:
        """Return what is printed: lists of (label, text)."""
        low, high = self.energy_min.value, self.energy_max.value
        start, stop = self.time_min.min(), self.time_max.max()
        return [
            [
                ("Number of bins of time", f"{self.data.sizes['time']}"),
                ("Number of bins of energy", f"{self.data.sizes['energy']}"),
                ("Number of upper limits", f"{int(np.sum(self.is_ul))}"),
                ("Number of failed fits", f"{int(np.sum(~self.success.astype(bool)))}"),
                ("Times (TT)", f"{start.iso[:19]} - {stop.iso[:19]}"),
                ("Energies", f"{low.min():.3g} - {high.max():.3g} TeV"),
            ],
            [("Quantities", ", ".join(str(name) for name in self.data))],
        ]

    def _description(self) -> Description:
        points = text.points_sheet(self.data, "flux")
        return Description(type(self).__name__, [*facts(*self.paragraphs()), points])

    def __repr__(self) -> str:
        return f"<LightCurve: {self.data.sizes['time']} times, {self.data.sizes['energy']} energies>"


class CurveAxes(Mapping[str, Any]):
    """The axes of a light curve by name."""

    def __init__(self, curve: LightCurve) -> None:
        self._axes = {
            "energy": curve.data["energy"],
            "time": TimeAxis(curve.time_min, curve.time_max, curve.time_ref),
        }

    @property
    def names(self) -> list[str]:
        """The names of the axes."""
        return list(self._axes)

    def __getitem__(self, name: str) -> Any:
        return self._axes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._axes)

    def __len__(self) -> int:
        return len(self._axes)


@dataclass(frozen=True)
class TimeAxis:
    """Starts, stops and centres of the bins of time (TT)."""

    time_min: Time
    time_max: Time
    time_mid: Time

    @property
    def nbin(self) -> int:
        """The number of bins."""
        return len(self.time_min)


@dataclass(frozen=True)
class CurveGeom:
    """What a light curve has axes of."""

    axes: CurveAxes


def _validate(ds: xr.Dataset) -> None:
    if "time" not in ds.dims or "time_bounds" not in ds.coords:
        raise DataError("A light curve needs the dim 'time' with the coordinate time_bounds (time, bound).")
    if "mjdref" not in ds.attrs or ds.attrs.get("time_scale", "tt") != "tt":
        raise DataError("A light curve needs the attributes mjdref, the epoch of its times as MJD, and time_scale: tt.")
    if not ds.sizes["time"]:
        raise DataError("This light curve has no bins of time.")
