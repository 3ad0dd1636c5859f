"""How GADF lays out events and responses: one table of columns, axes, units and scales, for reading and for writing.

A row of ``LAYOUTS`` is all that makes an HDU class known; what its arrays are in the store, dims and units, is said by
``schema.dl3``.

Source: Data formats for gamma-ray astronomy 0.2 and 0.3 (gamma-astro-data-formats.readthedocs.io), section "IRFs".
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from xgamma.axes import Scale
from xgamma.schema import dl3

EVENT_COLUMNS = {name.upper(): variable.units or "" for name, variable in dl3.EVENTS.items()}
"""The columns that an event list must have, and their units."""


@dataclass(frozen=True)
class AxisLayout:
    """One axis: its edges are two columns, ``<prefix>_LO`` and ``<prefix>_HI``.

    Parameters
    ----------
    prefixes
        The prefixes that its columns may have; the first is written.
    unit
        Its unit.
    scale
        In which scale it is interpolated.
    is_integrated
        Whether values are densities in it, so that its bins must touch.
    """

    prefixes: tuple[str, ...]
    unit: str
    scale: Scale = "lin"
    is_integrated: bool = False

    @property
    def unit_and_scale(self) -> tuple[str, Scale]:
        """The last arguments of ``Axis`` and its constructors."""
        return self.unit, self.scale


_ENERGY = AxisLayout(("ENERG", "ETRUE", "ENERGY"), "TeV", "log")
AXES = {
    "offset": AxisLayout(("THETA",), "deg"),
    "energy_true": _ENERGY,
    "energy": _ENERGY,
    "rad": AxisLayout(("RAD",), "deg", is_integrated=True),
    "fov_lon": AxisLayout(("DETX",), "deg"),
    "fov_lat": AxisLayout(("DETY",), "deg"),
    "migra": AxisLayout(("MIGRA",), "", is_integrated=True),
}
"""The axes by dim."""


@dataclass(frozen=True)
class ColumnLayout:
    """One array of a response.

    Parameters
    ----------
    names
        The names that its column may have; the first is written.
    file_unit
        The unit that is written, and meant where a column has none; ``None`` for that of the store.
    has_any_unit
        Whether its unit cancels in all that is made of it, so that it is not looked at.
    """

    names: tuple[str, ...]
    file_unit: str | None = None
    has_any_unit: bool = False


@dataclass(frozen=True)
class Layout:
    """One HDU class.

    Parameters
    ----------
    kind, hduclas2
        Its HDU_CLASS, in small letters, and its HDUCLAS2.
    orders
        The orders of dims in files, the fastest first, where nothing else is said; the first is written.
    columns
        Its arrays by variable, in the order of the store.
    marks
        Sets of columns of which each makes it out where no header does.
    written
        Its variables in the order of the columns that are written, where it is another.
    """

    kind: str
    hduclas2: str
    orders: tuple[tuple[str, ...], ...]
    columns: Mapping[str, ColumnLayout]
    marks: tuple[frozenset[str], ...]
    written: tuple[str, ...] = ()

    @property
    def role(self) -> str:
        """What it is for, as HDU_TYPE says it; in capitals the name that its HDU gets."""
        return "rad_max" if self.kind.startswith("rad_max") else self.kind.split("_")[0]

    @functools.cached_property
    def units(self) -> dict[str, str]:
        """The units of its arrays in the store."""
        stored = dl3.RESPONSES[f"irf/{self.kind}-*"].variables
        return {name: stored[name].units or "" for name in self.columns}

    @functools.cached_property
    def file_units(self) -> dict[str, str]:
        """The units of its arrays in files, in the order of the columns."""
        given = {name: self.columns[name].file_unit for name in self.written or self.columns}
        return {name: self.units[name] if unit is None else unit for name, unit in given.items()}

    @functools.cached_property
    def dims(self) -> tuple[str, ...]:
        """The dims of its arrays in the store."""
        return dl3.RESPONSES[f"irf/{self.kind}-*"].variables[next(iter(self.columns))].dims[1:]


def _marks(*names: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(mark.split()) for mark in names)


_BY_OFFSET = (("energy_true", "offset"),)
_RATE = {"bkg": ColumnLayout(("BKG", "BGD"), "s-1 MeV-1 sr-1")}
_GAUSS = ("sigma_1", "sigma_2", "sigma_3", "ampl_2", "ampl_3")
LAYOUTS = {
    layout.kind: layout
    for layout in (
        Layout("aeff_2d", "EFF_AREA", _BY_OFFSET, {"aeff": ColumnLayout(("EFFAREA",))}, _marks("EFFAREA")),
        Layout(
            "edisp_2d",
            "EDISP",
            (("energy_true", "migra", "offset"),),
            {"edisp": ColumnLayout(("MATRIX",))},
            _marks("MATRIX MIGRA_LO"),
        ),
        Layout(
            "psf_table",
            "RPSF",
            (("energy_true", "offset", "rad"),),
            {"psf": ColumnLayout(("RPSF",))},
            _marks("RPSF RAD_LO"),
        ),
        Layout(
            "psf_3gauss",
            "PSF",
            _BY_OFFSET,
            # The scale cancels in every fraction of the function.
            {"scale": ColumnLayout(("SCALE",), "sr-1", has_any_unit=True)}
            | {name: ColumnLayout((name.upper(),)) for name in _GAUSS},
            _marks("SCALE SIGMA_1"),
            ("scale", "sigma_1", "ampl_2", "sigma_2", "ampl_3", "sigma_3"),
        ),
        Layout(
            "psf_king",
            "PSF",
            _BY_OFFSET,
            {"gamma": ColumnLayout(("GAMMA",)), "sigma": ColumnLayout(("SIGMA",))},
            _marks("GAMMA SIGMA"),
        ),
        Layout("bkg_2d", "BKG", (("energy", "offset"),), _RATE, _marks("BKG THETA_LO", "BGD THETA_LO")),
        # The specification recommends energy first, files in use put the field of view first.
        Layout(
            "bkg_3d",
            "BKG",
            (("fov_lon", "fov_lat", "energy"), ("energy", "fov_lat", "fov_lon")),
            _RATE,
            _marks("BKG DETX_LO", "BGD DETX_LO"),
        ),
        Layout(
            "rad_max_2d",
            "RAD_MAX",
            (("energy", "offset"),),
            {"rad_max": ColumnLayout(("RAD_MAX",))},
            _marks("RAD_MAX"),
        ),
    )
}
"""The layouts by HDU_CLASS."""


@functools.cache
def dims_of(kind: str) -> Mapping[str, str]:
    """Return the dim of each prefix of columns in a class; backgrounds and radii are in reconstructed energy."""
    other = "energy_true" if "energy" in LAYOUTS[kind].dims else "energy"
    return {prefix: dim for dim, axis in AXES.items() if dim != other for prefix in axis.prefixes}


def class_of_columns(columns: set[str]) -> str:
    """Return the class that some columns make out, empty where it is none.

    >>> class_of_columns({"ENERG_LO", "ENERG_HI", "THETA_LO", "THETA_HI", "BGD"})
    'bkg_2d'
    """
    return next((kind for kind, layout in LAYOUTS.items() if any(mark <= columns for mark in layout.marks)), "")


@functools.lru_cache(maxsize=256)
def sister_class(kind: str, columns: frozenset[str]) -> str:
    """Return the class that the columns of an HDU are those of: the one that is claimed, else a sister of it.

    >>> sister_class("psf_3gauss", frozenset({"ENERG_LO", "ENERG_HI", "THETA_LO", "THETA_HI", "GAMMA", "SIGMA"}))
    'psf_king'
    """
    role = LAYOUTS[kind].role
    sisters = [kind, *(other for other, layout in LAYOUTS.items() if layout.role == role)]
    return next((other for other in sisters if _has_all(other, columns)), kind)


def _has_all(kind: str, columns: frozenset[str]) -> bool:
    layout = LAYOUTS[kind]
    axes = {name for prefix, name in dims_of(kind).items() if f"{prefix}_LO" in columns}
    return axes == set(layout.dims) and all(columns.intersection(one.names) for one in layout.columns.values())
