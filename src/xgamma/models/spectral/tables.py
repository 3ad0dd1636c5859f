"""Tables of spectra and transmissions: their files, and interpolation in logarithmic scales."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import astropy
import numpy as np
import numpy.typing as npt
import scipy
from astropy import units as u
from astropy.io import fits

from xgamma.axes import FloatArray
from xgamma.errors import InputError
from xgamma.models.tabulated import named_file


@dataclass(frozen=True)
class TemplateTable:
    """Values on a grid: names, nodes and scales of the axes in the order of the dims; energies in ``energy_unit``."""

    names: tuple[str, ...]
    nodes: tuple[FloatArray, ...]
    scales: tuple[str, ...]
    values: FloatArray
    unit: str = ""
    energy_unit: str = "TeV"


@contextmanager
def _opened(filename: str | Path, what: str) -> Iterator[Any]:
    path = named_file(filename, what)
    try:
        with fits.open(path) as hdus:
            yield hdus
    except (OSError, KeyError, IndexError, ValueError) as error:
        raise InputError(f"The {what} {path} cannot be read: {error}.") from None


def read_absorption(filename: str | Path) -> TemplateTable:
    """Read an XSPEC table model of the transmission: dims (redshift, energy).

    HDUs PARAMETERS (VALUE), ENERGIES (ENERG_LO, ENERG_HI in keV unless it says otherwise) and SPECTRA (INTPSPEC).
    Raises ``MissingInputError``, ``InputError``.
    """
    with _opened(filename, "table of absorption") as hdus:
        energies = hdus["ENERGIES"]
        unit = u.Unit(energies.columns["ENERG_LO"].unit or "keV")
        low, high = (_native(energies.data[name]) for name in ("ENERG_LO", "ENERG_HI"))
        redshift = _native(hdus["PARAMETERS"].data["VALUE"][0])
        values = _native(hdus["SPECTRA"].data["INTPSPEC"])
    # In the precision of the file, as Gammapy has it: single numbers and their logarithms move values by 3e-5.
    energy = np.sqrt(low * high)
    # The file of Franceschini et al. (2008) holds one redshift twice.
    redshift, first = np.unique(redshift, return_index=True)
    return TemplateTable(
        ("redshift", "energy"), (redshift, energy), ("lin", "log"), values[first], energy_unit=str(unit)
    )


def _native(column: Any) -> npt.NDArray[Any]:
    values = np.asarray(column)
    return values.astype(values.dtype.newbyteorder("="))


def read_two_columns(filename: str | Path) -> tuple[u.Quantity, u.Quantity]:
    """Read the first two columns of a table in FITS or ECSV, with their units.

    Raises ``MissingInputError``, ``InputError``.
    """
    path = named_file(filename, "spectral template")
    try:
        table = astropy.table.Table.read(path)
        first, second = (u.Quantity(table[name]) for name in table.colnames[:2])
    except Exception as error:  # of a damaged file its readers raise anything
        raise InputError(f"The spectral template {path} is no table of two columns in FITS or ECSV: {error}.") from None
    if not first.unit.is_equivalent(u.TeV):
        raise InputError(
            f"The spectral template {path}: expected energies in its first column, got {table.colnames[0]!r} in "
            f"{str(first.unit) or 'no unit'}; say the unit in the file."
        )
    return first, second


def read_template(filename: str | Path) -> TemplateTable:
    """Read a region map of an energy axis and others: HDUs SKYMAP and SKYMAP_BANDS; the last dim is the energy.

    Raises ``MissingInputError``, ``InputError``.
    """
    with _opened(filename, "spectral template") as hdus:
        maps, bands = hdus["SKYMAP"], hdus["SKYMAP_BANDS"].data
        header = maps.header
        count = len([key for key in header if key.startswith("AXCOLS")])
        names = [header[f"AXCOLS{number}"].split(",")[0].removesuffix("_MIN") for number in range(1, count + 1)]
        scales = [str(header.get(f"INTERP{number}", "lin")) for number in range(1, count + 1)]
        nodes = [np.unique(np.asarray(bands[name], dtype=float)) for name in names]
        energy_unit = u.Unit(hdus["SKYMAP_BANDS"].columns[names[0]].unit or "TeV")
        values = np.asarray(maps.data["DATA"], dtype=float).reshape([node.size for node in reversed(nodes)])
        unit = str(maps.columns["DATA"].unit or "")
    nodes[0] = nodes[0] * float(energy_unit.to(u.TeV))
    # The file has the energy as its fastest axis and the others in reverse; here they stand in their order.
    values = values.transpose([*reversed(range(count - 1)), count - 1])
    own = (*(name.lower() for name in names[1:]), "energy")
    return TemplateTable(own, (*nodes[1:], nodes[0]), (*scales[1:], scales[0]), values, unit)


# The smallest normal float32: below it a logarithm stands for zero (as in Gammapy).
FLOOR = float(np.finfo(np.float32).tiny)


def log_values(values: FloatArray) -> FloatArray:
    """Return the logarithm, with a floor that stands for zero."""
    return np.asarray(np.log(np.maximum(values, FLOOR)))


def from_log_values(logs: FloatArray) -> FloatArray:
    """Undo ``log_values``: what is within a factor of two of the floor is zero again."""
    with np.errstate(over="ignore"):
        values = np.exp(logs)
    return np.where(values <= 2 * FLOOR, 0.0, values)


def linear_extrapolating(x: FloatArray, nodes: FloatArray, values: FloatArray) -> FloatArray:
    """Return the piecewise linear curve through (nodes, values) at ``x``; the end pieces continue outside."""
    if nodes.size == 1:
        return np.full(np.shape(x), values[0])
    piece = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, nodes.size - 2)
    slope = np.diff(values) / np.diff(nodes)
    return np.asarray(values[piece] + slope[piece] * (x - nodes[piece]))


def grid_interpolator(
    nodes: Sequence[FloatArray], scales: Sequence[str], values: FloatArray, logarithmic: bool
) -> Callable[..., FloatArray]:
    """Return a function of one coordinate array per axis: multilinear in the scales, extrapolating linearly.

    Parameters
    ----------
    nodes, scales
        The nodes of each axis and its scale, ``"lin"`` or ``"log"``. An axis of one node is constant.
    values
        The table, one dim an axis.
    logarithmic
        Whether the logarithm of the values is interpolated.
    """
    longer = [axis for axis, node in enumerate(nodes) if node.size > 1]
    scaled = [np.log(nodes[axis]) if scales[axis] == "log" else nodes[axis] for axis in longer]
    table = np.squeeze(values, axis=tuple(axis for axis in range(len(nodes)) if axis not in longer))
    linear = scipy.interpolate.RegularGridInterpolator(
        scaled, log_values(table) if logarithmic else table, bounds_error=False, fill_value=None
    )

    def interpolate(*coordinates: npt.ArrayLike) -> FloatArray:
        arrays = np.broadcast_arrays(*coordinates)
        points = [np.log(arrays[axis]) if scales[axis] == "log" else arrays[axis] for axis in longer]
        result = np.asarray(linear(np.stack(points, axis=-1)), dtype=float).reshape(arrays[0].shape)
        return from_log_values(result) if logarithmic else result

    return interpolate
