"""What a product of any kind shows: its tables, and the same numbers as JSON holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xgamma.schema.arrays import NamedArrays
from xgamma.schema.tables import Kind
from xgamma.tables.fits import fit_document, fit_table, group_fits_document, group_fits_table, stored_fit
from xgamma.tables.maps import excess_map_document, excess_map_table
from xgamma.tables.pictures import pictures_document, pictures_table
from xgamma.tables.points import group_points_table, light_curve_table, points_document, points_table
from xgamma.tables.rows import rows_document, rows_table
from xgamma.tables.table import Table

WITH_FLUXES = (Kind.POINTS, Kind.LIGHT_CURVE, Kind.POINTS_EACH)
ROWS_MOST = 1000


def tables_of(kind: Kind, ds: NamedArrays, texts: Mapping[str, Any], sed_type: str | None = None) -> list[Table]:
    """Return the tables of a product that is no part of runs.

    Parameters
    ----------
    kind, ds, texts
        What it is, its root group, and the texts of its record.
    sed_type
        The kind of flux of flux points and light curves; by default ``dnde`` and ``flux``.

    Raises
    ------
    ConfigError, DataError
        For a kind of flux that there is not, and for one that the points do not have.
    """
    if kind == Kind.FIT:
        return [fit_table(*stored_fit(ds, texts))]
    if kind == Kind.POINTS:
        return [points_table(ds, sed_type or "dnde")]
    if kind == Kind.LIGHT_CURVE:
        return [light_curve_table(ds, sed_type or "flux")]
    if kind == Kind.POINTS_EACH:
        return [group_points_table(ds, sed_type or "dnde")]
    if kind == Kind.FIT_EACH:
        return [group_fits_table(ds)]
    if kind == Kind.EXCESS_MAP:
        return [excess_map_table(ds)]
    if kind == Kind.PICTURE:
        return [pictures_table(ds)]
    return [rows_table([ds], "Stacks" if kind == Kind.STACK else "Rows", ROWS_MOST)]


def content_of(kind: Kind, ds: NamedArrays, texts: Mapping[str, Any], sed_type: str | None = None) -> Any:
    """Return the numbers of the same tables as JSON holds them."""
    if kind == Kind.FIT:
        return fit_document(*stored_fit(ds, texts))
    if kind in WITH_FLUXES:
        return points_document(ds, sed_type or ("flux" if kind == Kind.LIGHT_CURVE else "dnde"))
    if kind == Kind.FIT_EACH:
        return group_fits_document(ds)
    if kind == Kind.PICTURE:
        return pictures_document(ds)
    return excess_map_document(ds) if kind == Kind.EXCESS_MAP else rows_document(ds)
