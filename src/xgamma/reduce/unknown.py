"""What a run loses where its responses are not known: not finite, or without any entry.

Such a value is 0: events of that true energy are not expected. Whether that matters is a question of how many would
have been, which is estimated for a spectrum that falls as the energy squared, from the nearest energies that are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.grid import Grid

TOLERATED_LOSS = 0.01
"""The largest share of the expected counts whose loss is said and no more; beyond it a run is not used."""
NEGLIGIBLE_LOSS = 1e-4
REFERENCE_INDEX = 2.0


@dataclass(frozen=True)
class Loss:
    """What rows lose.

    Parameters
    ----------
    share
        Of the expected counts in the safe bins, shape (row,).
    roles
        Which responses are not known where counts are lost, for each row.
    bounds
        The lowest and the highest true energy that is lost, TeV, shape (row, 2); NaN where none is.
    """

    share: FloatArray
    roles: tuple[tuple[str, ...], ...]
    bounds: FloatArray

    @property
    def is_too_large(self) -> BoolArray:
        """Whether a row cannot be used, shape (row,)."""
        return self.share > TOLERATED_LOSS

    def sentences(self, rows: IntArray) -> dict[int, str]:
        """Return what is said of the rows that lose more than a trifle, by their numbers ``rows``."""
        return {
            int(
                rows[row]
            ): f"{' and '.join(self.roles[row])} not known at true energies of {low:.3g} to {high:.3g} TeV, "
            f"{100 * self.share[row]:.3g} % of the expected counts"
            for row, (low, high) in enumerate(self.bounds.tolist())
            if self.share[row] > NEGLIGIBLE_LOSS
        }


def loss(
    grid: Grid, area: FloatArray, edisp: FloatArray | None, safe: BoolArray | None, unknown: Mapping[str, BoolArray]
) -> Loss:
    """Return what the rows of a block lose.

    Parameters
    ----------
    grid
        The target.
    area
        Effective area times containment in m2, shape (row, cell, energy_true).
    edisp
        Shape (row, cell, energy_true, energy); ``None`` where there is none: all counts are used.
    safe
        The bins that are used, shape (row, cell, energy); ``None`` for all.
    unknown
        Where the response of each role is not known, shape (row, cell, energy_true).
    """
    axis = grid.energy_true
    nowhere = np.zeros(area.shape, dtype=bool)
    no_area: BoolArray = np.any([nowhere, *(where for role, where in unknown.items() if role != "edisp")], axis=0)
    lost = no_area | unknown.get("edisp", nowhere)
    expected = _filled(area, no_area) * axis.center**-REFERENCE_INDEX * axis.width
    if edisp is not None and safe is not None:
        expected *= _seen(grid, edisp, safe, unknown.get("edisp", nowhere))
    total = expected.sum(axis=(1, 2))
    share = np.divide((expected * lost).sum(axis=(1, 2)), total, out=np.zeros_like(total), where=total > 0)
    blank: BoolArray = np.all(no_area, axis=(1, 2))
    matters = lost & ((expected > 0) | blank[:, None, None])
    roles = [
        tuple(role for role, where in unknown.items() if (where[row] & matters[row]).any()) for row in range(len(area))
    ]
    return Loss(np.where(blank, 1.0, share), tuple(roles), _bounds(axis, np.any(matters, axis=1)))


def _seen(grid: Grid, edisp: FloatArray, safe: BoolArray, unknown: BoolArray) -> FloatArray:
    """Return the share of each true energy in the safe bins, shape of ``unknown``; in its own bin where not known."""
    own = grid.energy.index(grid.energy_true.center)
    as_true = np.where(own >= 0, safe[:, :, own], False)
    return np.where(unknown, as_true, np.einsum("rcte,rce->rct", edisp, safe.astype(float)))


def _filled(area: FloatArray, unknown: BoolArray) -> FloatArray:
    """Return the area with that of the nearest known true energy where it is not known, 0 where none is."""
    if not unknown.any():
        return area
    number = np.arange(area.shape[-1])
    below = np.maximum.accumulate(np.where(unknown, -1, number), axis=-1)
    above = np.minimum.accumulate(np.where(unknown, len(number), number)[..., ::-1], axis=-1)[..., ::-1]
    is_nearer = (below < 0) | ((above < len(number)) & (above - number < number - below))
    nearest = np.clip(np.where(is_nearer, above, below), 0, len(number) - 1)
    return np.where(unknown.all(axis=-1, keepdims=True), 0.0, np.take_along_axis(area, nearest, axis=-1))


def _bounds(axis: Axis, lost: BoolArray) -> FloatArray:
    low, high = np.argmax(lost, axis=1), lost.shape[1] - 1 - np.argmax(lost[:, ::-1], axis=1)
    bounds = np.stack([axis.edges[low], axis.edges[high + 1]], axis=1)
    return np.where(np.any(lost, axis=1, keepdims=True), bounds, np.nan)
