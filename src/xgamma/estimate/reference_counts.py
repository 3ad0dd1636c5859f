"""The counts that a reference spectrum predicts in an image: what the norms of an excess map are multiples of."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from xgamma.axes import Axis, FloatArray
from xgamma.errors import DataError
from xgamma.estimate.excess_parameters import WHERE
from xgamma.estimate.excess_statistics import Planes, quotient
from xgamma.estimate.masked_planes import MaskedPlanes, plane_values
from xgamma.estimate.reference import spectrum_fluxes
from xgamma.kernels import Kernel, summed
from xgamma.models import PowerLawSpectralModel, SpectralModel
from xgamma.reduce.grids import has_response
from xgamma.reduce.nodes import exposure_in_windows, responses_at
from xgamma.schema.dl4 import MEMBER_ROW
from xgamma.sky import SkySpace
from xgamma.units import CM2_PER_M2


class Reference(NamedTuple):
    """What norms are multiples of: a spectrum, its document, and its fluxes in the planes."""

    spectrum: SpectralModel
    document: dict[str, Any]
    fluxes: Planes


def reference_in(bounds: FloatArray, spectrum: SpectralModel | None = None) -> Reference:
    """Return the reference in planes with bounds in TeV, shape (plane, 2); ``None`` is the usual spectrum."""
    return _usual(tuple(bounds.ravel())) if spectrum is None else _reference(spectrum, bounds)


def _reference(spectrum: SpectralModel, bounds: FloatArray) -> Reference:
    return Reference(spectrum, spectrum.to_dict()[spectrum.type], spectrum_fluxes(spectrum, bounds))


@lru_cache(maxsize=8)
def _usual(bounds: tuple[float, ...]) -> Reference:
    """Return the usual reference: its units take as long as the sums of an image."""
    return _reference(PowerLawSpectralModel(), np.reshape(bounds, (-1, 2)))


def exposure_of(ds: xr.Dataset) -> FloatArray | None:
    """Return the exposure of the one row of a Dataset in m2 s, shape (energy_true, y, x); ``None`` where it has none.

    A stack holds it; that of a run follows from its responses.
    """
    if "exposure" in ds:
        return np.asarray(plane_values(ds, "exposure", "energy_true"), dtype=float)
    return exposure_in_windows(ds)[0] if MEMBER_ROW in ds and "exposure_edisp" in ds else None


def response_in_the_middle(ds: xr.Dataset, space: SkySpace) -> FloatArray:
    """Return the energy dispersion of a row in the middle of its image, shape (energy_true, energy).

    Where nothing is seen there it is that of the nearest safe pixel; where a row has none, energies are as they are.
    """
    if has_response(ds, "edisp"):
        ny, nx = space.shape
        middle = np.array([0.5 * (nx - 1)]), np.array([0.5 * (ny - 1)])
        found = responses_at(ds, 0, *space.sky_of(*middle))
        if not found.exposure.any():
            found = responses_at(ds, 0, *space.sky_of(*_nearest_seen(ds, *middle)))
        if found.edisp is not None:
            return np.asarray(found.edisp[0])
    true, energy = (Axis.from_coords(ds.variables, name).edges for name in ("energy_true", "energy"))
    low = np.maximum(np.log(true[:-1, np.newaxis]), np.log(energy[:-1]))
    high = np.minimum(np.log(true[1:, np.newaxis]), np.log(energy[1:]))
    return np.asarray(np.maximum(high - low, 0.0) / np.diff(np.log(true))[:, np.newaxis])


def _nearest_seen(ds: xr.Dataset, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the safe pixel with an exposure that is nearest to a pixel, or that where there is none."""
    exposure = exposure_of(ds)
    is_seen = plane_values(ds, "mask_safe", "energy").any(axis=0)
    if exposure is not None:
        is_seen = is_seen & exposure.any(axis=0)
    if not is_seen.any():
        return x, y
    rows, columns = np.nonzero(is_seen)
    nearest = np.argmin(np.hypot(columns - x, rows - y), keepdims=True)
    return columns[nearest].astype(float), rows[nearest].astype(float)


def reference_counts(
    ds: xr.Dataset,
    exposure: FloatArray,
    response: FloatArray,
    planes: MaskedPlanes,
    kernel: Kernel,
    spectrum: SpectralModel,
) -> FloatArray:
    """Return the counts of a reference spectrum, shape (group, y, x): the mean over the pixels of the circle.

    A source whose counts all lie within the circle is seen with the exposure of any of its pixels.

    Parameters
    ----------
    ds
        DL4 with one row, for its axes.
    exposure
        In m2 s, shape (energy_true, y, x).
    response
        Energy dispersion, shape (energy_true, energy).
    planes, kernel
        The bins that are used, and the circle.
    spectrum
        The reference.

    Raises
    ------
    DataError
        For a response of another shape.
    """
    expected = (ds.sizes["energy_true"], ds.sizes["energy"])
    if response.shape != expected:
        raise DataError(f"{WHERE}: expected an energy dispersion of the shape {expected}, got {response.shape}.")
    flux = spectrum.flux(Axis.from_coords(ds.variables, "energy_true").edges) * CM2_PER_M2
    counts = planes.folded(exposure, np.nan_to_num(response) * flux[:, np.newaxis])
    is_seen = planes.is_used & np.isfinite(counts)
    area = summed(is_seen, kernel)
    return quotient(summed(counts, kernel), area)
