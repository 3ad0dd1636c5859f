"""Responses of rows of maps that are known on a coarse image, as in files of other programs, and not by their runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xgamma.schema.arrays import NamedArrays
from xgamma.schema.tables import Variable, Violation

BINSIZE_IRF = 0.5
"""The pixels (deg) of the coarse image that responses are written on."""
IMAGE_IRF = "image_irf"
"""The coordinate with the coarse image, described as `image` is."""
GRID_CELLS = ("y_irf", "x_irf")
EXPOSURE_GRID, EDISP_GRID, PSF_GRID, PSF_RECO_GRID = "exposure_grid", "edisp_grid", "psf_grid", "psf_reco_grid"


GRIDS: Mapping[str, Variable] = {
    EXPOSURE_GRID: Variable(
        ("dataset", "energy_true", *GRID_CELLS), "m2 s", "f8", "Weight of the responses on a coarse image", False
    ),
    EDISP_GRID: Variable(
        ("dataset", "energy_true", "energy", *GRID_CELLS), "", "f8", "Energy dispersion kernel on a coarse image", False
    ),
    PSF_GRID: Variable(
        ("dataset", "energy_true", "rad", *GRID_CELLS), "sr-1", "f8", "Point spread function on a coarse image", False
    ),
    PSF_RECO_GRID: Variable(
        ("dataset", "energy", "rad", *GRID_CELLS),
        "sr-1",
        "f8",
        "Point spread function of reconstructed energy on a coarse image",
        False,
    ),
}
"""The variables, by name. ``exposure_grid`` is there with any of them."""


def grids_fit_their_image(ds: NamedArrays) -> Iterator[Violation]:
    """Responses on a coarse image come with their weight, and have the pixels that `image_irf` says."""
    held = [name for name in GRIDS if name in ds]
    if not held:
        return
    if EXPOSURE_GRID not in ds or IMAGE_IRF not in ds.coords:
        missing = EXPOSURE_GRID if EXPOSURE_GRID not in ds else IMAGE_IRF
        yield Violation(missing, f"it beside {', '.join(held)}", "none")
        return
    shape = [ds.sizes[dim] for dim in reversed(GRID_CELLS)]
    said = ds[IMAGE_IRF].attrs.get("npix")
    if said is None or list(said) != shape:
        yield Violation(f"{IMAGE_IRF} attrs npix", str(shape), str(said))
