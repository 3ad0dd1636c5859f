"""Excess maps as tables: their most significant pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgamma.digits import decimals, number_text
from xgamma.schema.arrays import NamedArrays
from xgamma.schema.excess_map import image_of
from xgamma.tables.table import Table, bounds_text, finite

PIXELS_SHOWN = 5
SIGNIFICANCE = "sqrt_ts"
Pixel = tuple[int, int, int]


def hottest_pixels(ds: NamedArrays, number: int = PIXELS_SHOWN) -> list[Pixel]:
    """Return the pixels (plane, y, x) of the largest significances of all planes, apart by two radii in a plane."""
    values = ds[SIGNIFICANCE].values
    space = image_of(ds)
    apart = 2 * float(ds.attrs.get("correlation_radius", space.binsize)) / space.binsize
    left = np.where(np.isfinite(values), values, -np.inf)
    y, x = np.ogrid[: space.shape[0], : space.shape[1]]
    found: list[Pixel] = []
    while len(found) < number and np.isfinite(left.max()):
        plane, row, column = (int(place) for place in np.unravel_index(int(left.argmax()), left.shape))
        found.append((plane, row, column))
        left[plane][(y - row) ** 2 + (x - column) ** 2 <= apart**2] = -np.inf
    return found


def excess_map_table(ds: NamedArrays, name: str = "") -> Table:
    """Return a row for each of the most significant pixels, each farther than two radii from those before it."""
    has_planes, has_flux = ds.sizes["energy"] > 1, "ref_flux" in ds
    rows = []
    for pixel in hottest_pixels(ds):
        own = _pixel(ds, pixel)
        row = {"ra": decimals(own["lon"], 3), "dec": decimals(own["lat"], 3)}
        row |= {"energy": bounds_text(own["e_min"], own["e_max"])} if has_planes else {}
        row |= {"sqrt_ts": decimals(own["sqrt_ts"], 1), "counts": decimals(own["counts"], 0)}
        row |= {column: decimals(own[column], 1) for column in ("background", "excess")}
        rows.append(row | ({"flux": number_text(own["flux"], 3)} if has_flux else {}))
    units = "ICRS in deg" + (", energies in TeV" if has_planes else "") + (", flux in cm-2 s-1" if has_flux else "")
    of = name or str(ds.attrs.get("dataset", ""))
    radius = decimals(ds.attrs["correlation_radius"], 2) if "correlation_radius" in ds.attrs else ""
    within = f" within {radius} deg" if radius else ""
    return Table(f"Excess map{f' of {of}' if of else ''}{within}: the most significant pixels, {units}", rows)


def excess_map_document(ds: NamedArrays) -> list[dict[str, Any]]:
    """Return the most significant pixels as JSON holds them."""
    return [{key: finite(value) for key, value in _pixel(ds, pixel).items()} for pixel in hottest_pixels(ds)]


def _pixel(ds: NamedArrays, pixel: Pixel) -> dict[str, float]:
    plane, y, x = pixel
    lon, lat = image_of(ds).sky_of(np.array([x]), np.array([y]))
    low, high = ds["energy_bounds"].values[plane].tolist()
    found = {"lon": float(lon[0]), "lat": float(lat[0]), "e_min": low, "e_max": high}
    found |= {name: float(ds[name].values[pixel]) for name in (SIGNIFICANCE, "counts", "background")}
    found["excess"] = float(ds["npred_excess"].values[pixel])
    if "ref_flux" in ds:
        found["flux"] = float(ds["norm"].values[pixel] * ds["ref_flux"].values[plane])
    return found
