"""What rows hold in each space: the dims of cells, and the variables and coordinates that have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.grid import IMAGE, ORIGIN
from xgamma.schema.tables import NAMES, Attribute, Variable, axis


class SpaceDims(NamedTuple):
    """The dims of a space: of the cells of a row, of the positions of its energy dispersion, and of its ledgers."""

    cells: tuple[str, ...]
    responses: tuple[str, ...]
    ledgers: tuple[str, ...]


REGIONS = SpaceDims(("region",), ("region",), ("region",))
"""Regions, each with its own response and ledger."""
WINDOWS = SpaceDims(("v", "u"), ("node",), ())
"""A window of a sky image for each row, with responses at the nodes of a coarse grid and one ledger."""


def space_dims(ds: xr.Dataset) -> SpaceDims:
    """Return the dims of the space that a Dataset of rows has."""
    return WINDOWS if set(WINDOWS.cells) <= set(ds.dims) else REGIONS


def bin_dims(ds: xr.Dataset) -> tuple[str, ...]:
    """Return the dims of counts: ``dataset``, the cells, ``energy``."""
    return ("dataset", *space_dims(ds).cells, "energy")


def has_safe_bin(ds: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Return whether each row has any safe bin, shape (dataset,)."""
    mask = ds["mask_safe"].variable.transpose("dataset", ...).values
    return np.asarray(mask.reshape(len(mask), -1).any(axis=1))


def _variables(space: SpaceDims) -> dict[str, Variable]:
    is_regions, cell = space == REGIONS, "on-region" if space == REGIONS else "pixel"
    bins, true_bins = ("dataset", *space.cells, "energy"), ("dataset", *space.cells, "energy_true")
    nodes = ("dataset", *space.responses, "energy_true")
    off = ("dataset", *space.cells, "off")
    of_regions = {
        "offset": Variable(("dataset", *space.cells), "deg", "f8", "Offset of the region from the pointing", False),
        "off_lon": Variable(off, "deg", "f8", "Right ascension of the off regions", False),
        "off_lat": Variable(off, "deg", "f8", "Declination of the off regions", False),
        "off_radius": Variable(off, "deg", "f8", "Radius of the off regions", False),
        "off_number": Variable(("dataset", *space.cells), "", "i8", "Number of off regions", False),
    }
    return {
        "counts": Variable(bins, "", "f8", f"Counts in the {cell}"),
        "counts_off": Variable(bins, "", "f8", "Counts in the off regions", False),
        "acceptance": Variable(bins, "", "f8", f"Acceptance of the {cell}", False, "counts_off"),
        "acceptance_off": Variable(bins, "", "f8", "Acceptance of the off regions", False, "counts_off"),
        "background": Variable(bins, "", "f8", "Expected background counts", False),
        "exposure": Variable(true_bins, "m2 s", "f8", "Exposure"),
        "exposure_edisp": Variable(
            nodes, "m2 s", "f8", "Exposure without containment, the weight of edisp", is_regions, "edisp"
        ),
        "edisp": Variable((*nodes, "energy"), "", "f8", "Energy dispersion kernel", is_regions),
        "mask_safe": Variable(bins, "", "b1", "Whether the bin can be trusted"),
        "livetime": Variable(("dataset",), "s", "f8", "Good time corrected for dead time"),
        "ontime": Variable(("dataset",), "s", "f8", "Good time"),
        "gti": Variable(("dataset", "gti", "bound"), "s", "f8", "Good time since mjdref, padded with NaN"),
        "pointing_lon": Variable(("dataset",), "deg", "f8", "Pointing right ascension", False),
        "pointing_lat": Variable(("dataset",), "deg", "f8", "Pointing declination", False),
        **(of_regions if is_regions else {}),
        "ledger": Variable(("dataset", *space.ledgers, "fate"), "", "i8", "Events by fate", False),
        "outcome": Variable(("dataset",), "", "i1", "Why the row is used or masked", False),
    }


def _coords(space: SpaceDims) -> dict[str, Variable]:
    of_space = {
        "region_lon": Variable(("region",), "deg", "f8", "Right ascension of the on-region", False),
        "region_lat": Variable(("region",), "deg", "f8", "Declination of the on-region", False, "region_lon"),
        "region_radius": Variable(("region",), "deg", "f8", "Radius of the on-region", False, "region_lon"),
    }
    if space == WINDOWS:
        of_space = {
            **{name: Variable(("dataset",), "", "i8", "First pixel of the window in the image") for name in ORIGIN},
            IMAGE: Variable((), "", "i1", "What image the windows are cut out of, in its attributes"),
        }
    return {
        "dataset": Variable(("dataset",), None, NAMES, "Name of the row"),
        "obs_id": Variable(("dataset",), "", "i8", "Observation id", False),
        "interval": Variable(
            ("dataset", "bound"), "s", "f8", "Selected interval since mjdref, infinite where open", False
        ),
        **axis("energy", "TeV", "Reconstructed energy"),
        **axis("energy_true", "TeV", "True energy"),
        **of_space,
        "fate": Variable(("fate",), "", "i1", "Fate of an event", False, "ledger"),
    }


DL4_IN: Mapping[SpaceDims, Mapping[str, Variable]] = {space: _variables(space) for space in (REGIONS, WINDOWS)}
"""The variables of rows by the dims of their space."""
COORDS_IN: Mapping[SpaceDims, Mapping[str, Variable]] = {space: _coords(space) for space in (REGIONS, WINDOWS)}
DL4 = DL4_IN[REGIONS]
IMAGE_ATTRS = {
    "projection": Attribute("text", "The projection of the FITS standard", value="CAR"),
    "frame": Attribute("text", "icrs or galactic"),
    "center": Attribute("list of number", "Longitude and latitude of the centre, deg"),
    "binsize": Attribute("number", "The size of a pixel, deg"),
    "npix": Attribute("list of whole number", "The number of pixels to the west and to the north"),
}
