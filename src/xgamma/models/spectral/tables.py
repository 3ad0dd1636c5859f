"""The FITS files that spectra are tabulated in: absorption by background light, and n-dimensional templates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.io import fits

from xgamma.axes import FloatArray
from xgamma.errors import InputError, MissingInputError
from xgamma.formats.local_files import local_path


@dataclass(frozen=True)
class TemplateTable:
    """Values on a grid: names, nodes and scales of the axes in the order of the dims; energies in TeV."""

    names: tuple[str, ...]
    nodes: tuple[FloatArray, ...]
    scales: tuple[str, ...]
    values: FloatArray
    unit: str = ""


@contextmanager
def _opened(filename: str | Path, what: str) -> Iterator[Any]:
    path = local_path(filename)
    if not path.is_file():
        raise MissingInputError(f"There is no {what} at {path}; set $GAMMAPY_DATA or give the path of the file.")
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
        low, high = (np.asarray(energies.data[name], dtype=float) for name in ("ENERG_LO", "ENERG_HI"))
        redshift = np.asarray(hdus["PARAMETERS"].data["VALUE"][0], dtype=float)
        values = np.asarray(hdus["SPECTRA"].data["INTPSPEC"], dtype=float)
    energy = np.sqrt(low * high) * float(unit.to(u.TeV))
    # The file of Franceschini et al. (2008) holds one redshift twice.
    redshift, first = np.unique(redshift, return_index=True)
    return TemplateTable(("redshift", "energy"), (redshift, energy), ("lin", "log"), values[first])


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
