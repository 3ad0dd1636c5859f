"""How GADF lays out responses: for each HDU class its dims, columns and units, and what its columns of axes are called.

Source: Data formats for gamma-ray astronomy 0.2 and 0.3 (gamma-astro-data-formats.readthedocs.io), section "IRFs".
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from xgamma.axes import Scale


@dataclass(frozen=True)
class AxisColumns:
    """What the two columns ``<prefix>_LO`` and ``<prefix>_HI`` hold.

    Parameters
    ----------
    name
        The dim.
    unit
        Its canonical unit.
    scale
        In which scale it is interpolated.
    is_integrated
        Whether values are densities in it, so that its bins must touch.
    """

    name: str
    unit: str
    scale: Scale
    is_integrated: bool = False


@dataclass(frozen=True)
class Variable:
    """One array of a response: the names that its column may have, and its canonical unit; ``None`` for any."""

    columns: tuple[str, ...]
    unit: str | None = ""


@dataclass(frozen=True)
class Layout:
    """One HDU class.

    Parameters
    ----------
    dims
        The dims in the order of the store.
    orders
        The orders in which files hold them, the fastest first, where nothing else is said.
    variables
        The arrays by name.
    """

    dims: tuple[str, ...]
    orders: tuple[tuple[str, ...], ...]
    variables: dict[str, Variable]


_ENERGY = AxisColumns("energy_true", "TeV", "log")
AXES = {
    "THETA": AxisColumns("offset", "deg", "lin"),
    "ENERG": _ENERGY,
    "ETRUE": _ENERGY,
    "ENERGY": _ENERGY,
    "RAD": AxisColumns("rad", "deg", "lin", is_integrated=True),
    "DETX": AxisColumns("fov_lon", "deg", "lin"),
    "DETY": AxisColumns("fov_lat", "deg", "lin"),
    "MIGRA": AxisColumns("migra", "", "lin", is_integrated=True),
}
"""The axes by the prefix of their columns."""

_AREA_ORDER = (("energy_true", "offset"),)
_RATE = {"bkg": Variable(("BKG", "BGD"), "s-1 TeV-1 sr-1")}
LAYOUTS = {
    "aeff_2d": Layout(("offset", "energy_true"), _AREA_ORDER, {"aeff": Variable(("EFFAREA",), "m2")}),
    "edisp_2d": Layout(
        ("offset", "migra", "energy_true"), (("energy_true", "migra", "offset"),), {"edisp": Variable(("MATRIX",))}
    ),
    "psf_table": Layout(
        ("offset", "rad", "energy_true"), (("energy_true", "offset", "rad"),), {"psf": Variable(("RPSF",), "sr-1")}
    ),
    "psf_3gauss": Layout(
        ("offset", "energy_true"),
        _AREA_ORDER,
        {
            # The scale cancels in every fraction of the function.
            "scale": Variable(("SCALE",), None),
            "sigma_1": Variable(("SIGMA_1",), "deg"),
            "sigma_2": Variable(("SIGMA_2",), "deg"),
            "sigma_3": Variable(("SIGMA_3",), "deg"),
            "ampl_2": Variable(("AMPL_2",)),
            "ampl_3": Variable(("AMPL_3",)),
        },
    ),
    "psf_king": Layout(
        ("offset", "energy_true"), _AREA_ORDER, {"gamma": Variable(("GAMMA",)), "sigma": Variable(("SIGMA",), "deg")}
    ),
    "bkg_2d": Layout(("offset", "energy"), (("energy", "offset"),), _RATE),
    # The specification recommends energy first, files in use put the field of view first.
    "bkg_3d": Layout(
        ("energy", "fov_lon", "fov_lat"), (("fov_lon", "fov_lat", "energy"), ("energy", "fov_lat", "fov_lon")), _RATE
    ),
    "rad_max_2d": Layout(("offset", "energy"), (("energy", "offset"),), {"rad_max": Variable(("RAD_MAX",), "deg")}),
}
"""The layouts by HDU_CLASS."""

WITHOUT_UNIT = {"bkg": "s-1 MeV-1 sr-1"}
"""What is meant where a column has no unit, and it is not the canonical one."""


@functools.cache
def dims_of(kind: str) -> Mapping[str, str]:
    """Return the dim of each prefix of columns in a class; backgrounds and radii are in reconstructed energy."""
    has_energy = "energy" in LAYOUTS[kind].dims
    return {p: "energy" if has_energy and axis.name == "energy_true" else axis.name for p, axis in AXES.items()}


@functools.lru_cache(maxsize=256)
def class_by_columns(kind: str, columns: frozenset[str]) -> str:
    """Return the class that the columns of an HDU are those of: the one that is claimed, else a sister of it.

    >>> class_by_columns("psf_3gauss", frozenset({"ENERG_LO", "ENERG_HI", "THETA_LO", "THETA_HI", "GAMMA", "SIGMA"}))
    'psf_king'
    """
    family = kind.split("_")[0]
    sisters = [kind, *(other for other in LAYOUTS if other.split("_")[0] == family)]
    return next((other for other in sisters if _has_all(other, columns)), kind)


def _has_all(kind: str, columns: frozenset[str]) -> bool:
    layout = LAYOUTS[kind]
    axes = {name for prefix, name in dims_of(kind).items() if f"{prefix}_LO" in columns}
    return axes == set(layout.dims) and all(columns.intersection(one.columns) for one in layout.variables.values())
