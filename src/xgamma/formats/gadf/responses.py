"""GADF response HDUs as labelled arrays in canonical units."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xgamma.axes import Axis, FloatArray, Scale
from xgamma.errors import InputError
from xgamma.formats.fits_header import Header
from xgamma.formats.fits_tables import FitsTable, as_input_error
from xgamma.units import unit_factor

log = logging.getLogger(__name__)

Float32Array = npt.NDArray[np.float32]

# FITS column prefix: our dim, unit and scale.
_AXES: dict[str, tuple[str, str, Scale]] = {
    "THETA": ("offset", "deg", "lin"),
    "ENERG": ("energy_true", "TeV", "log"),
    "ETRUE": ("energy_true", "TeV", "log"),
    "RAD": ("rad", "deg", "lin"),
    "DETX": ("fov_lon", "deg", "lin"),
    "DETY": ("fov_lat", "deg", "lin"),
    "MIGRA": ("migra", "", "lin"),
}
_IN_RECONSTRUCTED_ENERGY = {"BKG", "RAD_MAX"}
# HDU_CLASS: stored dims, and for each variable its FITS columns and unit.
_LAYOUT: dict[str, tuple[tuple[str, ...], dict[str, tuple[tuple[str, ...], str]]]] = {
    "aeff_2d": (("offset", "energy_true"), {"aeff": (("EFFAREA",), "m2")}),
    "edisp_2d": (("offset", "migra", "energy_true"), {"edisp": (("MATRIX",), "")}),
    "psf_table": (("offset", "rad", "energy_true"), {"psf": (("RPSF",), "sr-1")}),
    "psf_3gauss": (
        ("offset", "energy_true"),
        {
            "scale": (("SCALE",), ""),
            "sigma_1": (("SIGMA_1",), "deg"),
            "sigma_2": (("SIGMA_2",), "deg"),
            "sigma_3": (("SIGMA_3",), "deg"),
            "ampl_2": (("AMPL_2",), ""),
            "ampl_3": (("AMPL_3",), ""),
        },
    ),
    "psf_king": (("offset", "energy_true"), {"gamma": (("GAMMA",), ""), "sigma": (("SIGMA",), "deg")}),
    "bkg_2d": (("offset", "energy"), {"bkg": (("BKG", "BGD"), "s-1 TeV-1 sr-1")}),
    "bkg_3d": (("energy", "fov_lon", "fov_lat"), {"bkg": (("BKG", "BGD"), "s-1 TeV-1 sr-1")}),
    "rad_max_2d": (("offset", "energy"), {"rad_max": (("RAD_MAX",), "deg")}),
}
CLASSES = tuple(_LAYOUT)
_WITHOUT_UNIT = {"bkg": "s-1 MeV-1 sr-1"}


@dataclass(frozen=True)
class Response:
    """One response of one run.

    Parameters
    ----------
    kind
        The GADF HDU_CLASS, for example ``psf_table``.
    axes
        Its axes in the order of the dims of ``values``.
    values
        Variables in canonical units, float32 as in the file unless the unit had to be changed.
    header
        The header of its HDU.
    """

    kind: str
    axes: tuple[Axis, ...]
    values: dict[str, Float32Array]
    units: dict[str, str]
    header: Header

    @property
    def table_name(self) -> str:
        """The name of the table that it shares with all responses of its kind and axes."""
        digest = hashlib.sha256("".join(axis.digest for axis in self.axes).encode()).hexdigest()[:12]
        return f"irf/{self.kind}-{digest}"

    @property
    def digest(self) -> bytes:
        """A digest of the values."""
        content = hashlib.blake2b(self.kind.encode(), digest_size=16)
        for values in self.values.values():
            content.update(np.ascontiguousarray(values).tobytes())
        return content.digest()


def response(kind: str, table: FitsTable) -> Response:
    """Return the response of one HDU; raises ``InputError`` for a class or a layout that is not known."""
    if kind not in _LAYOUT:
        raise InputError(f"HDU {table.name!r} has the class {kind!r}; known are {', '.join(_LAYOUT)}.")
    with as_input_error(f"HDU {table.name!r} of class {kind}"):
        return _response(kind, table)


def _response(kind: str, table: FitsTable) -> Response:
    dims, variables = _LAYOUT[kind]
    given = _axes(table)
    found = {axis.name: axis for axis in given}
    if set(found) != set(dims):
        raise InputError(f"HDU {table.name!r} of class {kind} has the axes {sorted(found)}; expected {sorted(dims)}.")
    in_file = [axis.name for axis in given][::-1]
    values = {name: _values(table, columns, unit, name) for name, (columns, unit) in variables.items()}
    axes = tuple(found[dim] for dim in dims)
    if kind == "bkg_3d":
        ordered = {name: _as_peer_reads(value, axes) for name, value in values.items()}
    else:
        order = [in_file.index(dim) for dim in dims]
        ordered = {name: np.ascontiguousarray(value.transpose(order)) for name, value in values.items()}
    if kind == "psf_3gauss":
        ordered |= {name: _without_zero(ordered[name]) for name in ("sigma_1", "sigma_2", "sigma_3")}
    return Response(kind, axes, ordered, {name: unit for name, (_, unit) in variables.items()}, table.header)


def _without_zero(sigma: Float32Array) -> Float32Array:
    # A component that is not there has sigma 0 and amplitude 0: any other width keeps it finite.
    return np.where(sigma == 0, np.float32(1), sigma)


def _as_peer_reads(values: Float32Array, axes: tuple[Axis, ...]) -> Float32Array:
    # The release's cubes are (ENERG, DETY, DETX) and the field reads them as (energy, fov_lon, fov_lat); reference
    # backgrounds follow that reading, and the cubes are not symmetric.
    shape = tuple(axis.nbin for axis in axes)
    return np.ascontiguousarray(values if values.shape == shape else values.T)


def _axes(table: FitsTable) -> list[Axis]:
    in_energy = str(table.header.get("HDUCLAS2", "")).strip() in _IN_RECONSTRUCTED_ENERGY
    axes = []
    for column in table.columns:
        prefix = column.removesuffix("_LO")
        if prefix == column or prefix not in _AXES:
            continue
        name, unit, scale = _AXES[prefix]
        name = "energy" if name == "energy_true" and in_energy else name
        axes.append(_axis(name, _edges(table, prefix, "_LO", unit), _edges(table, prefix, "_HI", unit), unit, scale))
    return axes


def _edges(table: FitsTable, prefix: str, ending: str, unit: str) -> FloatArray:
    column = f"{prefix}{ending}"
    factor = unit_factor(table.columns[column], unit, f"HDU {table.name!r}: the column {column}") if unit else 1.0
    return np.atleast_1d(table.column(column)[0].astype(float)) * factor


def _axis(name: str, low: FloatArray, high: FloatArray, unit: str, scale: Scale) -> Axis:
    if np.allclose(low, high):
        return Axis.from_nodes(name, low, unit, scale)
    return Axis(name, np.append(low, high[-1]), unit, scale)


def _values(table: FitsTable, columns: tuple[str, ...], unit: str, name: str) -> Float32Array:
    present = [column for column in columns if column in table.columns]
    if not present:
        raise InputError(f"HDU {table.name!r} has no column {columns[0]!r}; it has {', '.join(table.columns)}.")
    given = table.columns[present[0]]
    if not given and name in _WITHOUT_UNIT:
        given = _WITHOUT_UNIT[name]
        log.warning("HDU %r gives no unit for %s; %s is assumed.", table.name, present[0], given)
    values: Float32Array = table.column(present[0])[0]
    factor = unit_factor(given, unit, f"HDU {table.name!r}: the column {present[0]}") if unit else 1.0
    return values if factor == 1.0 else np.asarray(values * np.float32(factor), dtype=np.float32)
