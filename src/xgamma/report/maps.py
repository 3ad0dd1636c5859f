"""Maps: counts, excess, exposure and background of windows of the sky, and excess maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from xgamma.datasets import ExcessMap, MapDataset
from xgamma.digits import decimals, number_text
from xgamma.errors import DataError
from xgamma.plot import figures
from xgamma.report.blocks import Block, Picture, Rows, Section, Text
from xgamma.report.entries import Entry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_MAPS = 4
HOTTEST = 5


def maps_of(entries: Sequence[Entry]) -> list[Block]:
    """Return pictures of the first maps of all entries."""
    views = [view for entry in entries for view in entry.views if isinstance(view, MapDataset)]
    blocks: list[Block] = [_of_view(view) for view in views[:MOST_MAPS]]
    if len(views) > MOST_MAPS:
        blocks.append(Text(f"These are the first {MOST_MAPS} of {len(views)} maps."))
    return blocks


def _of_view(view: MapDataset) -> Picture:
    facts = view.info_dict()
    alt = (
        f"Four maps of {view.name}, {view.image.npix[0]} by {view.image.npix[1]} pixels of {view.image.binsize:g} deg: "
        f"counts ({facts['counts']:.0f} in all), excess ({facts['excess']:.0f}), background "
        f"({facts['background']:.0f}) and exposure."
    )
    what = f"{view.name}: counts, excess, background and exposure, summed over the safe energies."
    return Picture.of(lambda: view.peek(figsize=(10.5, 8.0)), alt, what)


def excess_section(maps: Mapping[str, ExcessMap]) -> Section:
    """Return the section of excess maps by the name of their dataset."""
    parts = [Section(name, list(_excess(name, each))) for name, each in list(maps.items())[:MOST_MAPS]]
    more = [Text(f"These are the first {MOST_MAPS} of {len(maps)} excess maps.")] if len(maps) > MOST_MAPS else []
    return Section("Excess maps", parts[0].blocks) if len(parts) == 1 else Section("Excess maps", more, parts)


def _significance(found: ExcessMap) -> Figure:
    figure: Any
    if len(found.energy_ref) > 1:
        figure = found.plot_grid(beam=found.correlation_radius)[0].figure
        figures.show_title(figure, *found.facts())
    else:
        figure = figures.new_figure((7.0, 5.6))
        figures.show_title(found.plot(fig=figure, scale_bar=True), *found.facts())
    return cast("Figure", figure)


def _distribution(found: ExcessMap) -> Figure:
    figure = figures.new_figure((6.5, 4.4))
    figures.show_title(found.plot_distribution(None, figure.subplots()), *found.facts())
    return figure


def _excess(name: str, found: ExcessMap) -> Iterator[Block]:
    significance = found.data["sqrt_ts"].values
    known = significance[np.isfinite(significance)]
    hottest: Any = found.hottest(HOTTEST)
    where = (
        f"the largest, {known.max(initial=0.0):.1f}, is at {hottest['lon'][0]:.3f}, {hottest['lat'][0]:.3f} deg"
        if len(hottest)
        else "none stands out"
    )
    radius = found.correlation_radius.to_value("deg")
    alt = f"Map of the significance of the excess of {name} within {radius:g} deg of each pixel: {where}."
    yield Picture.of(
        partial(_significance, found), alt, f"Significance of the excess within {radius:g} deg of each pixel."
    )
    try:
        yield Picture.of(
            partial(_distribution, found),
            f"Histogram of the significances of {known.size} pixels: mean {known.mean():.2f}, width {known.std():.2f}.",
            "Distribution of the significances of all pixels; without sources it is a Gaussian of width 1.",
        )
    except DataError as error:
        yield Text(str(error))
    rows = [
        {
            column: decimals(float(row[column]), 4) if column in ("lon", "lat") else number_text(float(row[column]), 4)
            for column in hottest.colnames
        }
        for row in hottest
    ]
    yield Rows(rows, "The most significant pixels, ICRS in deg, energies in TeV, flux in cm-2 s-1")
