"""Pictures of whole models: spectrum, place and course in time, a panel each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from astropy import units as u
from astropy.time import Time

from xgamma.plot import figures as plot_figures
from xgamma.plot import legends as plot_legends
from xgamma.plot import sky as plot_sky
from xgamma.plot import spectrum as plot_spectrum

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


PANEL = (5.0, 4.0)
"""Inches."""

ENERGIES = (0.1, 100.0)
"""TeV, over which a spectrum is drawn that nobody gives others for."""

WIDTHS = 3.0
"""So many of its longest time before and after its reference time a factor is drawn."""

Place = tuple[int, int, int]


def peek_parts(
    parts: Sequence[Any], title: str, figsize: tuple[float, float] | None = None, energy_bounds: Any = None
) -> Figure:
    """Draw components in a new figure, a panel each, and return it; a place without a centre is left out."""
    shown = [part for part in parts if part.type != "spatial" or is_drawn(part)]
    figure = plot_figures.new_figure(figsize or (PANEL[0] * max(len(shown), 1), PANEL[1]))
    for number, part in enumerate(shown):
        draw_part(part, figure, (1, len(shown), number + 1), energy_bounds)
    plot_figures.show_title(figure, title)
    return figure


def is_drawn(place: Any) -> bool:
    """Whether a morphology has an image about its centre; one that depends on the energy has one for each energy."""
    return place.center() is not None and not place.is_energy_dependent


def draw_part(part: Any, figure: Figure, place: Place, energy_bounds: Any = None) -> Axes:
    """Draw a component in a place of a figure."""
    if part.type == "spatial":
        return part.plot(plot_sky.sky_axes(part.picture_space(), figure, place), add_cbar=True)  # type: ignore[no-any-return]
    ax = plot_figures.add_axes(figure, place)
    if part.type == "temporal":
        return part.plot(shown_times(part), ax)  # type: ignore[no-any-return]
    return draw_spectra({"": part}, ax, energy_bounds)


def shown_times(part: Any) -> tuple[Time, Time]:
    """Return the times about the reference time of a factor between which it is drawn."""
    known = {one.name: one for one in part.parameters}
    lengths = [one.quantity for name, one in known.items() if name != "t_ref" and one.unit.is_equivalent("s")]
    reach = WIDTHS * (max((abs(float(length.to_value("d"))) for length in lengths), default=0.0) or 1.0)
    middle = known["t_ref"].quantity.to_value("d") if "t_ref" in known else 55000.0
    first, last = (Time(middle + side * reach, format="mjd", scale=part.scale) for side in (-1, 1))
    return first, last


def draw_spectra(spectra: dict[str, Any], ax: Axes, energy_bounds: Any = None) -> Axes:
    """Draw spectra by name with their error bands: E2 dN/dE, or norms of those that are no fluxes."""
    bounds = u.Quantity(ENERGIES, "TeV") if energy_bounds is None else energy_bounds
    for name, spectrum in spectra.items():
        kind = kind_of(spectrum.canonical_unit)
        spectrum.plot(bounds, ax=ax, sed_type=kind, **({"label": name} if name else {}))
        color = ax.lines[-1].get_color()
        label = plot_spectrum.band_label(name)
        if any(one.error > 0 for one in spectrum.parameters):
            spectrum.plot_error(bounds, ax=ax, sed_type=kind, facecolor=color, label=label)
    plot_legends.show_legend(ax)
    return ax


def kind_of(unit: u.UnitBase) -> str:
    """Return the kind that a spectrum is drawn in whose values have a unit.

    >>> kind_of(u.Unit("cm-2 s-1 TeV-1")), kind_of(u.dimensionless_unscaled), kind_of(u.Unit("TeV-1"))
    ('e2dnde', 'norm', 'dnde')
    """
    if unit.is_equivalent("cm-2 s-1 TeV-1"):
        return "e2dnde"
    return "norm" if unit.is_equivalent("") else "dnde"
