"""``SourceCatalogObject``: one source of a catalogue, as models and flux points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import astropy
import numpy as np
from astropy import units as u

from xgamma.datasets import FluxPoints
from xgamma.datasets.sed_table import product
from xgamma.datasets.text import Paragraph
from xgamma.description import Described, Description, facts
from xgamma.digits import number_text
from xgamma.errors import ConfigError, InputError, did_you_mean
from xgamma.models import SkyModel, SpatialModel, SpectralModel
from xgamma.sources.points import relative
from xgamma.sources.table import TableRow
from xgamma.units import unit_string

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.table import Table
    from matplotlib.figure import Figure


class SourceData(dict[str, Any]):
    """The values of a row by column, with units where the column has one; also as attributes."""

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(f"This source has no column {name!r}.{did_you_mean(name, self)}")


class SourceCatalogObject(Described):
    """One source of a catalogue.

    Parameters
    ----------
    name
        Its name in the catalogue.
    row
        Its row.
    position
        Where the catalogue has it: longitude and latitude in degrees, and their frame.
    """

    points_kind: ClassVar[str] = "dnde"
    """What the flux points of the catalogue are: ``dnde`` or ``flux``."""

    def __init__(self, name: str, row: TableRow, position: tuple[float, float, str]) -> None:
        self.name = name
        self.row = row
        self._position = position

    @property
    def row_index(self) -> int:
        """The number of its row, from 0."""
        return self.row.index

    @property
    def position(self) -> SkyCoord:
        """Where the catalogue has it."""
        lon, lat, frame = self._position
        return astropy.coordinates.SkyCoord(lon, lat, unit="deg", frame=frame)

    @cached_property
    def data(self) -> SourceData:
        """The values of its row by column, with units where the column has one."""
        table = self.row.columns.table
        values = {name: table[name][self.row.index] for name in table.colnames}
        units = {name: getattr(table[name], "unit", None) for name in table.colnames}
        return SourceData({name: _with_unit(value, units[name]) for name, value in values.items()})

    # --- models

    def spectral_model(self) -> SpectralModel | None:
        """Return the spectrum with the errors of the catalogue, ``None`` where it has none."""
        raise NotImplementedError

    def spatial_model(self) -> SpatialModel | None:
        """Return position and morphology with the errors of the catalogue, ``None`` where it has none."""
        raise NotImplementedError

    def sky_model(self, name: str | None = None) -> SkyModel:
        """Return the source as a model, under its name in the catalogue if no other is given.

        Raises ``InputError`` where the catalogue has no spectrum of it.
        """
        return self._sky_model(self.spectral_model(), self.spatial_model(), name)

    def _sky_model(
        self, spectrum: SpectralModel | None, place: SpatialModel | None, name: str | None = None
    ) -> SkyModel:
        if spectrum is None:
            raise InputError(
                f"{self.name} has no spectrum in its catalogue, which a model needs; catalog.to_models() leaves it out."
            )
        return SkyModel(spectrum, place, name=self.name if name is None else name)

    @property
    def has_models(self) -> bool:
        """Whether the catalogue has a spectrum of it."""
        return self.spectral_model() is not None

    # --- flux points

    @property
    def flux_points_table(self) -> Table | None:
        """The flux points as a table in the SED format of GADF, ``None`` where the catalogue has none."""
        return None

    @property
    def flux_points(self) -> FluxPoints:
        """The flux points relative to the spectrum; raises ``InputError`` where the catalogue has none."""
        table = self.flux_points_table
        if table is None or not len(table):
            raise InputError(f"{self.name} has no flux points in its catalogue.")
        return FluxPoints(product(relative(table, self.points_kind, self.spectral_model())))

    # --- pictures

    def peek(self, figsize: tuple[float, float] | None = None, energy_bounds: Any = None) -> Figure:
        """Draw spectrum and place, and flux points where the catalogue has them, in a new figure, and return it.

        Raises ``InputError`` where the catalogue has no spectrum of it.

        Parameters
        ----------
        figsize
            The size of the figure in inches.
        energy_bounds
            Two energies, by default the first and the last of the flux points, or 0.1 and 100 TeV.
        """
        table = self.flux_points_table
        points = self.flux_points if table is not None and len(table) else None
        if energy_bounds is None and points is not None:
            energy_bounds = u.Quantity([points.energy_min.min(), points.energy_max.max()])
        figure = self.sky_model().peek(figsize, energy_bounds)
        if points is not None:
            ax = figure.axes[0]
            points.plot(ax, sed_type="e2dnde", color="black", label="Flux points")
        return figure

    # --- words

    @property
    def sections(self) -> Mapping[str, Callable[[], Paragraph]]:
        """The parts of ``info`` by name."""
        return {
            "basic": self._basic, "position": self._where, "model": self._model, "flux_points": self._points,
            "more": self._more,
        }  # fmt: skip

    def info(self, info: str = "all") -> str:
        """Return what the catalogue says of the source, as text.

        Parameters
        ----------
        info
            ``all``, or some of ``basic, position, model, flux_points, more``, with commas between them; ``more`` is
            every other number and text of its row.

        Raises
        ------
        ConfigError
            For another word.
        """
        known = self.sections
        words = (
            [word.strip() for word in info.split(",")] if info != "all" else [each for each in known if each != "more"]
        )
        for word in words:
            if word not in known:
                raise ConfigError(f"info: there is no section {word!r}.{did_you_mean(word, [*known, 'all'])}")
        return Description(self.name, facts(*(known[word]() for word in words))).text

    def _basic(self) -> Paragraph:
        return [("Catalogue row (from 0)", str(self.row_index)), ("Name", self.name)]

    def _where(self) -> Paragraph:
        place = self.position
        pairs = {"RA": place.icrs.ra, "DEC": place.icrs.dec, "GLON": place.galactic.l, "GLAT": place.galactic.b}
        return [(name, f"{angle.deg:.3f} deg") for name, angle in pairs.items()]

    def _model(self) -> Paragraph:
        lines: list[tuple[str, str]] = []
        for word, model in (("Spectrum", self.spectral_model()), ("Morphology", self.spatial_model())):
            lines.append((word, "none" if model is None else model.tag[0]))
            for parameter in () if model is None else model.parameters:
                error = f" +- {number_text(parameter.error, 3)}" if parameter.error else ""
                lines.append(
                    (
                        f"  {parameter.name}",
                        f"{number_text(parameter.value)}{error} {unit_string(parameter.unit)}".rstrip(),
                    )
                )
        return lines

    def _points(self) -> Paragraph:
        table = self.flux_points_table
        limits = 0 if table is None or "is_ul" not in table.colnames else int(np.sum(table["is_ul"]))
        return [("Flux points", "0" if table is None else str(len(table))), ("Upper limits", str(limits))]

    def _more(self) -> Paragraph:
        plain = {name: value for name, value in self.data.items() if np.ndim(value) == 0}
        return [(name, _value_text(value)) for name, value in plain.items()]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def _description(self) -> Description:
        return Description(self.name, facts(*(each() for word, each in self.sections.items() if word != "more")))


def _with_unit(value: Any, unit: u.UnitBase | None) -> Any:
    if isinstance(value, bytes):
        return value.decode().strip()
    return value if unit is None or isinstance(value, str) else u.Quantity(value, unit)


def _value_text(value: Any) -> str:
    if isinstance(value, u.Quantity):
        return f"{float(value.value):.4g} {value.unit}".rstrip()
    return f"{float(value):.4g}" if isinstance(value, float | np.floating) else str(value).strip() or "--"
