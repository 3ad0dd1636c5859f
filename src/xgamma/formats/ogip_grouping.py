"""Channels that belong together: GROUPING of a spectrum is applied to counts, background, masks and response alike.

Source: OGIP memo OGIP/92-007, section 3.1.1: 1 begins a group, -1 continues it, 0 stands for itself.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xgamma.axes import Axis, FloatArray, IntArray
from xgamma.errors import InputError
from xgamma.formats.hdus import Table
from xgamma.formats.ogip_tables import per_channel
from xgamma.formats.spectrum_rows import SpectrumRow

_BEGIN, _CONTINUE, _ALONE = 1, -1, 0


def group_starts(spectrum: Table, channels: int) -> IntArray:
    """Return the first channel of each group, shape (group,); raises ``InputError`` for a flag that has no meaning."""
    flags = per_channel(spectrum, "GROUPING", _ALONE, channels)
    odd = ~np.isin(flags, (_BEGIN, _CONTINUE, _ALONE))
    if odd.any():
        raise InputError(
            f"{spectrum.path}: GROUPING of channel number {odd.argmax()} is {flags[odd][0]:g}; expected 1, -1 or 0."
        )
    begins = flags != _CONTINUE
    begins[:1] = True
    return np.flatnonzero(begins)


def grouped_row(row: SpectrumRow, starts: IntArray) -> SpectrumRow:
    """Return the spectrum with channels added up to groups that begin at ``starts``.

    A group is good when all its channels are. Its alpha is such that the background
    counts expected in the on region are the sum of those of its channels.
    """
    if len(starts) == row.energy.nbin:
        return row
    size = np.diff(np.append(starts, row.energy.nbin))
    good = np.logical_and.reduceat(row.mask_safe, starts)
    acceptance = np.add.reduceat(row.acceptance, starts) / size
    grouped = replace(
        row,
        energy=Axis(row.energy.name, row.energy.edges[np.append(starts, row.energy.nbin)]),
        counts=np.add.reduceat(row.counts, starts),
        acceptance=acceptance,
        edisp=np.add.reduceat(row.edisp, starts, axis=1),
        mask_safe=good,
    )
    if row.counts_off is None or row.acceptance_off is None:
        return grouped
    mean = np.add.reduceat(row.acceptance_off, starts) / size
    alpha = _alpha(row.acceptance, row.acceptance_off, row.counts_off, starts)
    off = np.divide(acceptance, alpha, out=mean, where=good & (alpha > 0))
    return replace(grouped, counts_off=np.add.reduceat(row.counts_off, starts), acceptance_off=off)


def _alpha(on: FloatArray, off: FloatArray, counts: FloatArray, starts: IntArray) -> FloatArray:
    """Return the mean of alpha over each group, weighted by its off counts where there are any; 0 if unknown."""
    each = np.divide(on, off, out=np.zeros_like(on), where=off > 0)
    has_counts = np.repeat(np.add.reduceat(counts, starts) > 0, np.diff(np.append(starts, len(counts))))
    weight = np.where(has_counts, counts, 1.0)
    return np.asarray(np.add.reduceat(each * weight, starts) / np.add.reduceat(weight, starts))
