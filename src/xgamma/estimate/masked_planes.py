"""Images of groups of energies: sums over the bins that are used, the same bins of all that is summed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.errors import DataError
from xgamma.schema import WINDOWS


@dataclass(frozen=True)
class MaskedPlanes:
    """Which bins of an image are used, and in which groups of energies they are summed.

    In most pixels all energies of a group are used or none: only the others are summed bin by bin.

    Parameters
    ----------
    used
        Shape (energy, y, x).
    spans
        The first energy and the one after the last of each group.
    """

    used: BoolArray
    spans: Sequence[tuple[int, int]]

    @cached_property
    def is_used(self) -> BoolArray:
        """Whether any bin of a group is used, shape (group, y, x)."""
        return np.stack([self.used[first:last].any(axis=0) for first, last in self.spans])

    @cached_property
    def is_unused(self) -> BoolArray:
        """Whether no bin of a group is used, shape (group, y, x)."""
        return ~self.is_used

    @cached_property
    def mixed(self) -> list[IntArray]:
        """The pixels of each group, counted row by row, of which some bins are used and some are not."""
        every = (self.used[first:last].all(axis=0) for first, last in self.spans)
        return [np.flatnonzero(some & ~all_) for some, all_ in zip(self.is_used, every, strict=True)]

    def sums(self, values: npt.NDArray[Any]) -> FloatArray:
        """Return the sums of values of shape (energy, y, x) over the bins used, shape (group, y, x); 0 without any."""
        result = np.empty(self.is_used.shape)
        with np.errstate(invalid="ignore", over="ignore"):
            for out, (first, last) in zip(result, self.spans, strict=True):
                np.sum(values[first:last], axis=0, dtype=float, out=out)
        flat = values.reshape(len(values), -1)
        return self._corrected(result, lambda pixels, first, last: flat[first:last, pixels])

    def folded(self, planes: FloatArray, weights: FloatArray) -> FloatArray:
        """Return sums over the bins used of ``sum_j weights[j, energy] planes[j]``, shape (group, y, x).

        ``planes`` have the shape (j, y, x). The bins themselves are made only where not all of them are used.
        """
        flat = planes.reshape(len(planes), -1)
        totals = np.stack([weights[:, first:last].sum(axis=1) for first, last in self.spans])
        result = np.asarray(totals @ flat).reshape(self.is_used.shape)
        return self._corrected(result, lambda pixels, first, last: weights[:, first:last].T @ flat[:, pixels])

    def _corrected(self, result: FloatArray, bins: Callable[[IntArray, int, int], npt.NDArray[Any]]) -> FloatArray:
        """Return sums over all bins, those of mixed pixels made anew from their ``bins`` of shape (energy, pixel)."""
        used = self.used.reshape(len(self.used), -1)
        for out, pixels, (first, last) in zip(result, self.mixed, self.spans, strict=True):
            if len(pixels):
                own = np.where(used[first:last, pixels], bins(pixels, first, last), 0.0)
                out.reshape(-1)[pixels] = own.sum(axis=0)
        np.copyto(result, 0.0, where=self.is_unused)
        return result


def row_planes(
    ds: xr.Dataset, spans: Sequence[tuple[int, int]], used: npt.ArrayLike | None = None
) -> tuple[MaskedPlanes, dict[str, FloatArray]]:
    """Return which bins of a row are used, and sums over them by the name of the variable, shape (group, y, x).

    Parameters
    ----------
    ds
        DL4 with one row, a window of the sky.
    spans
        The first energy and the one after the last of each group.
    used
        The bins that enter, shape (energy, y, x); by default the safe ones. Those with a number that is not finite
        never do, nor those whose acceptances are not known.

    Raises
    ------
    DataError
        For a row with neither a background nor off counts, or a mask of another shape.
    """
    is_on_off = "counts_off" in ds
    names = ("counts_off", "acceptance", "acceptance_off") if is_on_off else ("background",)
    lacking = [name for name in names if name not in ds]
    if lacking:
        name = str(ds["dataset"].values[0])
        raise DataError(
            f"excess_map: the dataset {name!r} has no {lacking[0]}; an excess is counts beside a background, so reduce "
            "with one (datasets.background.method)."
        )
    bins = {name: plane_values(ds, name) for name in ("counts", *names)}
    mask = np.asarray(plane_values(ds, "mask_safe") if used is None else used, dtype=bool)
    if mask.shape != bins["counts"].shape:
        raise DataError(f"excess_map: expected a mask of the shape {bins['counts'].shape}, got {mask.shape}.")
    if is_on_off:
        bins["background"], mask = _background(bins, mask)
    planes = MaskedPlanes(mask, spans)
    sums = {name: planes.sums(values) for name, values in bins.items()}
    # A sum that is finite spares a look at each number.
    if all(np.isfinite(total.sum()) for total in sums.values()):
        return planes, sums
    for values in bins.values():
        mask = mask & np.isfinite(values)
    planes = MaskedPlanes(mask, spans)
    return planes, {name: planes.sums(values) for name, values in bins.items()}


def plane_values(ds: xr.Dataset, name: str, axis: str = "energy") -> npt.NDArray[Any]:
    """Return a variable of the one row of a Dataset, shape (energy, y, x)."""
    return np.asarray(ds.variables[name].transpose("dataset", axis, *WINDOWS.cells).values[0])


def _background(bins: dict[str, npt.NDArray[Any]], mask: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Return the expected counts that off counts stand for, and the bins whose acceptances are known."""
    off, on_acceptance, off_acceptance = (bins[name] for name in ("counts_off", "acceptance", "acceptance_off"))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        background = np.asarray(on_acceptance, dtype=float) / off_acceptance
        background *= off
    is_known = (off_acceptance > 0) & (on_acceptance > 0)
    return background, mask if is_known.all() else mask & is_known
