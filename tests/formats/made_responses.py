"""Response HDUs of the analytic instrument, as files hold them, and changed as other writers write them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from xgamma.formats.fits.encoding import PRIMARY, Column, Hdu, hdu_bytes, header_bytes
from xgamma.formats.fits.tables import FitsTable, tables_of
from xgamma.formats.gadf.responses import Response, response
from xgamma.formats.gadf.write import irf_hdu
from xgamma.simulate import AnalyticResponse as Instrument
from xgamma.simulate.tables import ResponseTable, response_tables

KINDS = ("aeff_2d", "edisp_2d", "psf_table", "psf_3gauss", "psf_king", "bkg_2d", "bkg_3d", "rad_max_2d")
INSTRUMENT = Instrument(energy_bins=10)


def table_of(kind: str) -> ResponseTable:
    """Return the table of a class."""
    changes: dict[str, Any] = {}
    if kind.startswith("psf"):
        changes["psf"] = kind
    if kind.startswith("bkg"):
        changes["background"] = kind
    if kind == "rad_max_2d":
        changes |= {"enclosure": "point-like", "rad_max_2d": True}
    instrument = dataclasses.replace(INSTRUMENT, **changes)
    return next(table for table in response_tables(instrument, 1.0) if table.kind == kind)


def hdu_of(kind: str, **header: Any) -> Hdu:
    """Return the HDU of a class as the simulator writes it, with more keywords."""
    table = table_of(kind)
    return irf_hdu(table.kind, table.axes, table.values, {**table.header, **header})


def fits_table(hdu: Hdu) -> FitsTable:
    """Return an HDU as it is read from a file."""
    return tables_of(header_bytes(PRIMARY) + hdu_bytes(hdu), "made.fits")[1]


def read(kind: str, hdu: Hdu) -> Response:
    """Return the response of an HDU."""
    return response(kind, fits_table(hdu))


def with_columns(hdu: Hdu, change: Callable[[Column], Column]) -> Hdu:
    """Return the HDU with each column changed."""
    return dataclasses.replace(hdu, columns=[change(column) for column in hdu.columns])


def with_header(hdu: Hdu, header: Mapping[str, Any]) -> Hdu:
    """Return the HDU with more keywords."""
    return dataclasses.replace(hdu, header={**hdu.header, **header})


def in_columns(hdu: Hdu, names: Sequence[str]) -> Hdu:
    """Return the HDU with its columns in another order: first those whose names begin with each of ``names``."""
    place = {name: number for number, name in enumerate(names)}
    rank = [place.get(column.name.removesuffix("_LO").removesuffix("_HI"), len(names)) for column in hdu.columns]
    return dataclasses.replace(hdu, columns=[hdu.columns[number] for number in np.argsort(rank, kind="stable")])


def transposed(hdu: Hdu) -> Hdu:
    """Return the HDU whose arrays are stored with their axes in reverse order, and whose TDIM says so."""
    return with_columns(
        hdu, lambda column: dataclasses.replace(column, values=_reversed(column.values)) if is_array(column) else column
    )


def _reversed(values: Any) -> Any:
    return np.ascontiguousarray(values[0].T)[None]


def is_array(column: Column) -> bool:
    """Whether a column holds the values of a response and not an axis."""
    return not column.name.endswith(("_LO", "_HI"))


def same(one: Response, other: Response, rtol: float = 1e-6) -> None:
    """Fail unless two responses have the same axes and values."""
    assert (one.kind, [axis.name for axis in one.axes]) == (other.kind, [axis.name for axis in other.axes])
    for first, second in zip(one.axes, other.axes, strict=True):
        np.testing.assert_allclose(first.center, second.center, rtol=rtol, atol=1e-9)
        np.testing.assert_allclose(first.edges, second.edges, rtol=rtol, atol=1e-9)
    for name, values in one.values.items():
        np.testing.assert_allclose(values, other.values[name], rtol=rtol, err_msg=name)
