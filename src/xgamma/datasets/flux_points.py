"""``FluxPoints``: the view of a DL5 Dataset of flux points."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from xgamma import bridges
from xgamma.datasets import light_curve, points_frame, sed_table, text
from xgamma.datasets.norms import Norms, drawn, plot_unit
from xgamma.description import Described, Description, facts
from xgamma.errors import DataError, UnknownNameError
from xgamma.formats.light_curve import files as light_curve_files
from xgamma.formats.sed import files as sed_files
from xgamma.formats.sed import points as sed_points
from xgamma.formats.sed import table as sed_columns
from xgamma.plot import figures as plot_figures
from xgamma.plot import sed as plot_sed
from xgamma.schema.arrays import Arrays

if TYPE_CHECKING:
    import pandas as pd
    from astropy.table import Table
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xgamma.datasets.light_curve import LightCurve


TABLE_FORMATS = ("gadf-sed", "lightcurve")


class FluxPoints(Described, Norms):
    """Flux points relative to a reference spectrum.

    Attributes are read from the Dataset: ``dnde``, ``flux``, ``eflux``, ``e2dnde``, ``norm``, each with ``_err``,
    ``_errn``, ``_errp``, ``_ul``, and ``ref_dnde`` etc. as ``Quantity`` of shape (energy,); ``ts``, ``sqrt_ts``,
    ``stat``, ``stat_null``, ``counts``, ``npred``, ``npred_excess``, ``stat_scan``, ``success``, ``is_ul`` as arrays.

    Parameters
    ----------
    data
        A DL5 Dataset: norms, errors, limits, statistics and reference fluxes with the dim ``energy``.

    Raises
    ------
    DataError
        When ``data`` are no flux points, or those of a light curve.

    Examples
    --------
    >>> points = FluxPoints.read("flux-points.fits")  # doctest: +SKIP
    >>> points.to_table("dnde", formatted=True)  # doctest: +SKIP
    """

    def __init__(self, data: Arrays) -> None:
        if "time" in data.sizes:
            raise DataError("Flux points are a spectrum of one time, and these have the dim 'time': use LightCurve.")
        super().__init__(data)

    @property
    def meta(self) -> dict[str, Any]:
        """What the header of their table says: the kind of flux, and of which probability limits are."""
        return dict(self.to_table().meta)

    # --- tables

    def to_table(self, sed_type: str = "likelihood", format: str = "gadf-sed", formatted: bool = False) -> Table:
        """Return the points as a table.

        Parameters
        ----------
        sed_type
            ``likelihood`` (norms and reference fluxes), ``dnde``, ``flux``, ``eflux`` or ``e2dnde``.
        format
            ``gadf-sed``.
        formatted
            Whether numbers print with three digits after the point.

        Returns
        -------
        astropy.table.Table
            The columns that ``write`` writes, in the order in which Gammapy has them; at the end what only xgamma has:
            the edges of the bins that were used (``e_min_fit``, ``e_max_fit``), ``counts_left_out`` and others.

        Raises
        ------
        UnknownNameError
            For another ``format``; ``ConfigError`` for another ``sed_type``.
        """
        if format != "gadf-sed":
            raise UnknownNameError(f"There is no table format {format!r}. Known: gadf-sed.")
        table = sed_columns.flux_points_table(self.data, sed_type)
        return sed_table.with_formats(table) if formatted else table

    @classmethod
    def from_table(
        cls, table: Table, sed_type: str | None = None, format: str | None = None, reference_model: Any = None
    ) -> Self | LightCurve:
        """Return the points of a table in the SED format of GADF, or the light curve of one that has times.

        Parameters
        ----------
        table
            Columns ``e_ref`` (or ``e_min`` and ``e_max``) and those of one SED type.
        sed_type
            By default that of the table's meta, or what its columns say.
        format
            ``gadf-sed`` or ``lightcurve``; by default what the columns say.
        reference_model
            The ``SkyModel`` or spectrum that fluxes are given as multiples of; by default that of the table, or
            1e-12 (E / TeV)^-2 cm-2 s-1 TeV-1. Fluxes are the same with any of them.

        Raises
        ------
        ConfigError
            When the table holds norms, and ``reference_model`` is not what they are multiples of.
        InputError
            When the table is not one of flux points.
        """
        _validate_format(format)
        if format == "lightcurve" or (format is None and sed_points.is_light_curve(sed_table.plain_table(table))):
            return light_curve.LightCurve.from_table(table, sed_type, reference_model)
        return cls(sed_table.product(table, sed_type, reference_model))

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row a point: norms, all fluxes with errors and limits, statistics; profiles are left out.

        The units are in ``attrs["units"]``; counts of several datasets are columns ``counts_NAME``.
        """
        return points_frame.points_frame(self.data, [name for name in self.available_quantities if name != "stat_scan"])

    # --- pictures

    def plot(
        self, ax: Axes | None = None, sed_type: str = "dnde", energy_power: float = 0, energy_unit: Any = None,
        **style: Any,
    ) -> Axes:  # fmt: skip
        """Draw the points, upper limits as arrows.

        Parameters
        ----------
        ax
            Where to draw, in the units that these Axes carry; by default the current Axes.
        sed_type
            ``norm``, ``flux``, ``eflux``, ``dnde`` or ``e2dnde``.
        energy_power
            The power of the energy, in TeV, that the values are multiplied with.
        energy_unit
            Another unit of energy than TeV.
        **style
            For ``Axes.errorbar``.
        """
        unit = plot_unit(sed_type)
        points = (self._edges(), self.energy_ref.value, *drawn(self.data, sed_type), self.is_ul)
        return plot_sed.plot_flux_points(*points, sed_type, unit, ax, energy_power, energy_unit, **style)

    def plot_ts_profiles(
        self, ax: Axes | None = None, sed_type: str = "dnde", add_cbar: bool = True, **style: Any
    ) -> Axes:
        """Draw the likelihood profile of each point as a coloured column; raises ``DataError`` without a scan."""
        if not self.has_stat_profiles:
            raise DataError("These flux points have no profiles; estimate them with selection_optional: [scan] or all.")
        unit = plot_unit(sed_type)
        reference = sed_table.reference(self.data, sed_type).to_value(unit)
        null = self.stat_null if self.has("stat_null") else np.full(self.stat.shape, np.nan)
        best = (self.data["norm"].values, self.stat)
        profiles = plot_sed.Profiles(self._edges(), reference, self.norm_scan, self.stat_scan, *best, null)
        return plot_sed.plot_ts_profiles(profiles, sed_type, unit, ax, add_cbar, **style)

    def peek(self, figsize: tuple[float, float] = (8, 6)) -> Figure:
        """Draw the points in a new figure, over their likelihood profiles where there are any, and return it."""
        figure, [ax] = plot_figures.panels(1, figsize)
        self.plot(ax, sed_type="e2dnde")
        if self.has_stat_profiles:
            self.plot_ts_profiles(ax, sed_type="e2dnde")
        plot_figures.show_title(figure, str(self.data.attrs.get("source", "")))
        return figure

    # --- files

    def write(self, filename: str | PathLike[str], sed_type: str = "likelihood", overwrite: bool = False) -> None:
        """Write the points in the SED format of GADF, which Gammapy reads; FITS reads back to the identical Dataset.

        Raises
        ------
        ConfigError
            When the name does not end in ``.fits``, ``.fits.gz`` or ``.ecsv``.
        OutputExistsError, OutputError
            When the file exists and ``overwrite`` is false, or the folder cannot be written.
        """
        sed_files.write_flux_points(self.arrays, filename, sed_type, overwrite=overwrite)

    @classmethod
    def read(
        cls,
        filename: str | PathLike[str],
        sed_type: str | None = None,
        format: str | None = None,
        reference_model: Any = None,
    ) -> Self | LightCurve:
        """Read a table in the SED format of GADF, or the light curve of a file that has times.

        Parameters
        ----------
        filename
            FITS or ECSV.
        sed_type
            By default what the file says, or its columns.
        format
            ``gadf-sed`` or ``lightcurve``; by default what the file holds.
        reference_model
            The ``SkyModel`` or spectrum that fluxes are given as multiples of; by default that of the file, or
            1e-12 (E / TeV)^-2 cm-2 s-1 TeV-1. Fluxes are the same with any of them.

        Raises
        ------
        ConfigError
            When the file holds norms, and ``reference_model`` is not what they are multiples of.
        MissingInputError, InputError
            When there is no such file, or it holds something else.
        """
        _validate_format(format)
        if format == "lightcurve":
            return light_curve.LightCurve.read(filename, sed_type, reference_model)
        read = light_curve_files.read_points if format is None else sed_files.read_flux_points
        given = read(filename, sed_type, sed_table.references_of(reference_model))
        data = sed_table.relative_to(given, reference_model)
        return light_curve.LightCurve(data) if "time" in data.dims else cls(data)

    # --- Gammapy

    def to_gammapy(self, reference_model: Any = None) -> Any:
        """Return ``FluxPoints`` of Gammapy.

        Parameters
        ----------
        reference_model
            The ``SkyModel`` whose multiples the points are, with the values it had when they were estimated. Without
            it Gammapy interpolates between the reference points, and fluxes integrated over bins deviate; a warning
            says by how much.

        Raises
        ------
        ConfigError
            When Gammapy is not installed, or ``reference_model`` is another model.
        LaterError
            For points with gaps between them.
        """
        reference = None if reference_model is None else reference_model.to_gammapy()
        return bridges.flux_points.to_gammapy(self.data, reference)

    @classmethod
    def from_gammapy(cls, points: Any) -> Self | LightCurve:
        """Return ``FluxPoints`` of Gammapy as ours, those with an axis of time as a light curve.

        Raises
        ------
        ConfigError
            When Gammapy is not installed, or ``points`` are none of its flux points.
        LaterError, DataError
            For points along other axes, and for points without edges of energy.
        """
        if bridges.flux_points.is_light_curve(points):
            return light_curve.LightCurve.from_gammapy(points)
        table, attrs, names = bridges.flux_points.from_gammapy(points)
        data = sed_table.product(table).assign_attrs(attrs)
        return cls(data.assign_coords(dataset=names) if names else data)

    # --- words

    def paragraphs(self) -> list[text.Paragraph]:
        """Return what is printed: lists of (label, text)."""
        low, high = self.energy_min.value, self.energy_max.value
        return [
            [
                ("Number of flux points", f"{len(low)}"),
                ("Number of upper limits", f"{int(np.sum(self.is_ul))}"),
                ("Number of failed fits", f"{int(np.sum(~self.success.astype(bool)))}"),
                ("Energies", f"{low.min():.3g} - {high.max():.3g} TeV"),
            ],
            [("Quantities", ", ".join(str(name) for name in self.data))],
        ]

    def _description(self) -> Description:
        points = text.points_sheet(self.data, "dnde")
        return Description(type(self).__name__, [*facts(*self.paragraphs()), points])

    def __repr__(self) -> str:
        return f"<FluxPoints: {self.data.sizes['energy']} points>"


def _validate_format(format: str | None) -> None:
    if format not in (None, *TABLE_FORMATS):
        raise UnknownNameError(f"There is no table format {format!r}. Known: {', '.join(TABLE_FORMATS)}.")
