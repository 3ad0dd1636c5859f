"""Where on the sky spectra are from: on-regions, the off regions of each run, and pointings."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from astropy.wcs import WCS
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xgamma.axes import FloatArray
from xgamma.errors import DataError
from xgamma.formats.spectrum_rows import spectrum_rows
from xgamma.geometry import lonlat, separation, unit_vector
from xgamma.grid import REGION_NAME
from xgamma.plot.look import MOST_ROWS
from xgamma.plot.sky import draw_shape, icrs_of
from xgamma.plot.style import cycle_color, styled
from xgamma.shapes import Shape

MARGIN = 1.15
_PIXEL = 0.01


@styled
def plot_regions(data: Iterable[xr.Dataset], ax: Axes | None = None, figure: Figure | None = None) -> Axes:
    """Draw the on-regions of DL4 Datasets, the off regions of their first 20 rows in the same colour, and pointings.

    Parameters
    ----------
    data
        DL4 Datasets; stacks have no off regions any more.
    ax
        Axes of astropy with a projection; ``None`` makes them, about all that is drawn.
    figure
        Where they are made; ``None`` is a new one.

    Raises
    ------
    DataError
        Where no row knows its region.
    """
    on: dict[Shape, str] = {}
    off: dict[Shape, list[Shape]] = {}
    pointings: list[tuple[float, float]] = []
    for ds in data:
        some = ds.isel(dataset=slice(0, MOST_ROWS))
        names = [str(name) for name in ds[REGION_NAME].values] if REGION_NAME in ds.coords else []
        for number, row in enumerate(spectrum_rows(some)):
            for shape in row.region[:1]:
                on.setdefault(shape, names[number % len(names)] if names else "")
                off.setdefault(shape, []).extend(row.off_regions)
            if np.isfinite(row.pointing).all():
                pointings.append(row.pointing)
    if not on:
        raise DataError("There are no regions to draw: the rows do not say where they are from.")
    axes = _new_axes([*on, *itertools.chain.from_iterable(off.values())], figure) if ax is None else ax
    for number, (shape, name) in enumerate(on.items()):
        color = cycle_color(number)
        for other in off[shape]:
            draw_shape(axes, other, color=color, lw=0.8, alpha=0.5)
        draw_shape(axes, shape, color=color, lw=2.0, label=name or shape.ds9)
    for lon, lat in dict.fromkeys(pointings):
        axes.plot(lon, lat, "k+", ms=8, transform=icrs_of(axes))
    axes.legend(loc="upper right")
    return axes


def _new_axes(shapes: Sequence[Shape], figure: Figure | None) -> Axes:
    """Return axes about all shapes, north up and east to the left."""
    lon, lat = (np.array(values) for values in zip(*(shape.center for shape in shapes), strict=True))
    center = lonlat(unit_vector(lon, lat).mean(axis=0))
    reach = MARGIN * float((separation(lon, lat, *center) + [shape.reach for shape in shapes]).max())
    made = plt.figure(figsize=(7, 7), layout="constrained") if figure is None else figure
    axes: Axes = made.add_subplot(projection=_wcs(*center))
    half = reach / _PIXEL
    axes.set_xlim(-half, half)
    axes.set_ylim(-half, half)
    axes.set_xlabel("Right ascension")
    axes.set_ylabel("Declination")
    axes.set_aspect("equal")
    axes.grid(color="0.8", lw=0.5)
    return axes


def _wcs(lon: FloatArray, lat: FloatArray) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [float(lon), float(lat)]
    wcs.wcs.cdelt, wcs.wcs.crpix, wcs.wcs.radesys = [-_PIXEL, _PIXEL], [1.0, 1.0], "ICRS"
    return wcs
