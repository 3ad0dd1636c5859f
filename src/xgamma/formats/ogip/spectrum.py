"""One OGIP spectrum (PHA file) with the response and background files that it names.

Sources: OGIP memos OGIP/92-007 and 92-007a (Arnaud, George, Tennant); appendix B of the XSPEC manual, which says that
predicted counts are EXPOSURE x AREASCAL times the folded model, and how BACKSCAL, AREASCAL and EXPOSURE scale the
background.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.errors import InputError
from xgamma.formats.fits.hdus import HduTable, gti_of_table, read_hdu_tables
from xgamma.formats.fits.regions import known_shapes
from xgamma.formats.ogip.response import (
    SPECTRUM,
    companion,
    extension_of,
    number_of,
    per_channel,
    read_response,
    text_of,
)
from xgamma.formats.spectrum_rows import NO_OBS_ID, SpectrumRow

log = logging.getLogger(__name__)

_TYPE_2 = ("TYPE:II", "TYPE:2", "TYPEII")
# Rates are kept in single precision: the counts behind them are found again to this.
_RATE_PRECISION = 1e-6
# Flags of GROUPING.
_BEGIN, _CONTINUE, _ALONE = 1, -1, 0


def row_of_pha(tables: Mapping[str, HduTable], path: Path, name: str = "") -> SpectrumRow:
    """Return the spectrum of a PHA file, its companions read from beside it; ``name`` goes before its OBS_ID.

    Raises
    ------
    InputError
        When a file, an extension, a column or the livetime is missing, for values that are no numbers in channels of
        good quality, and for kinds of spectra that Poisson statistics do not describe.
    """
    spectrum = extension_of(tables, SPECTRUM, path)
    _validate_kind(spectrum)
    livetime = _livetime(spectrum)
    response = read_response(spectrum, tables)
    channels = response.energy.nbin
    background = _background_tables(spectrum)
    good = _is_good(spectrum, background, channels)
    area_scale = _area_scale(spectrum, good)
    largest = float(area_scale.max())
    exposure = response.area * livetime * largest
    title = name or str(spectrum.header.get("OBS_ID", "")).strip() or path.name.split(".")[0]
    telescope = str(spectrum.header.get("TELESCOP", "")).strip()
    gti, mjdref = gti_of_table(tables.get("GTI"))
    row = SpectrumRow(
        name=title,
        energy=response.energy,
        energy_true=response.energy_true,
        counts=_counts(spectrum, livetime, good),
        acceptance=_finite(spectrum, "BACKSCAL", per_channel(spectrum, "BACKSCAL", 1.0, channels), good),
        exposure=exposure,
        exposure_edisp=exposure,
        edisp=response.edisp * (area_scale / largest),
        mask_safe=good,
        region=known_shapes(tables, "REGION"),
        gti=gti,
        mjdref=mjdref,
        livetime=livetime,
        obs_id=int(title) if title.isdigit() else NO_OBS_ID,
        telescope="" if telescope.lower() == "unknown" else telescope,
    )
    if background is not None:
        row = _with_background(row, spectrum, background, area_scale)
    return grouped_row(row, group_starts(spectrum, channels)).without_repeated_off_region()


def _validate_kind(spectrum: HduTable) -> None:
    """Raise ``InputError`` for spectra that are no total counts of one spectrum."""
    is_table_of_spectra = "COUNTS" in spectrum and spectrum.column("COUNTS").ndim > 1
    if is_table_of_spectra or "SPEC_NUM" in spectrum or text_of(spectrum, "HDUCLAS4") in _TYPE_2:
        raise InputError(
            f"{spectrum.path} is a type II PHA file, with several spectra in one table. Write each as a type I file."
        )
    if text_of(spectrum, "HDUCLAS2") == "NET":
        raise InputError(
            f"{spectrum.path} has its background subtracted (HDUCLAS2 = 'NET'), and Poisson statistics need the total "
            "counts. Give those, and the background as BACKFILE."
        )
    if companion(spectrum, "CORRFILE") is not None and number_of(spectrum, "CORRSCAL", 1.0) != 0:
        raise InputError(
            f"{spectrum.path} asks for a correction by {spectrum.header['CORRFILE']!r} (CORRFILE), which is not "
            "applied. Set CORRSCAL to 0 to read it without."
        )
    if "SYS_ERR" in spectrum and np.any(spectrum.numbers("SYS_ERR") > 0):
        log.warning("%s has systematic errors (SYS_ERR), which Poisson statistics do not use.", spectrum.path)


def _livetime(spectrum: HduTable) -> float:
    livetime = spectrum.header.get("EXPOSURE")
    if isinstance(livetime, bool) or not isinstance(livetime, int | float) or not 0 < livetime < np.inf:
        raise InputError(f"{spectrum.path} has no livetime: its EXPOSURE is {livetime!r}, expected seconds above 0.")
    return float(livetime)


def _background_tables(spectrum: HduTable) -> tuple[HduTable, Mapping[str, HduTable]] | None:
    """Return the spectrum of the background file and all tables of that file."""
    path = companion(spectrum, "BACKFILE")
    if path is None:
        return None
    tables = read_hdu_tables(path)
    background = extension_of(tables, SPECTRUM, path)
    _validate_kind(background)
    return background, tables


def _is_good(
    spectrum: HduTable, background: tuple[HduTable, Mapping[str, HduTable]] | None, channels: int
) -> BoolArray:
    """Return the channels whose QUALITY is 0 in both spectra, shape (channels,)."""
    held = [spectrum] if background is None else [spectrum, background[0]]
    return np.asarray(np.all([per_channel(table, "QUALITY", 0.0, channels) == 0 for table in held], axis=0))


def _counts(spectrum: HduTable, livetime: float, good: BoolArray) -> FloatArray:
    """Return the counts of each channel, from COUNTS or from RATE in counts per second."""
    name = "RATE" if "RATE" in spectrum and "COUNTS" not in spectrum else "COUNTS"
    values = spectrum.numbers(name, "s-1") * livetime if name == "RATE" else spectrum.numbers(name, "")
    if values.shape != good.shape:
        raise InputError(f"{spectrum.path} has {len(values)} channels, and EBOUNDS has {len(good)}.")
    _validate_channels(spectrum)
    whole = np.rint(values)
    if name == "RATE":
        values = np.where(np.isclose(values, whole, rtol=_RATE_PRECISION, atol=_RATE_PRECISION), whole, values)
    counts = _finite(spectrum, name, values, good)
    if not _is_poisson(spectrum) and np.any((counts != np.rint(counts))[good]):
        raise InputError(
            f"{spectrum.path} has errors that are not those of Poisson (POISSERR = F, or STAT_ERR) and {name} that "
            "stand for no whole numbers of counts. Give the counts as they were measured."
        )
    return counts


def _is_poisson(spectrum: HduTable) -> bool:
    if "POISSERR" in spectrum.header:
        return text_of(spectrum, "POISSERR") not in ("FALSE", "F", "0")
    return "STAT_ERR" not in spectrum


def _validate_channels(spectrum: HduTable) -> None:
    if "CHANNEL" in spectrum and np.any(np.diff(spectrum.numbers("CHANNEL")) != 1):
        raise InputError(f"{spectrum.path}: its channels are not one after the other (column CHANNEL). Sort them.")


def _finite(spectrum: HduTable, name: str, values: FloatArray, good: BoolArray) -> FloatArray:
    """Return values that are numbers from 0 in good channels; what is not finite elsewhere is 0."""
    _validate_good(spectrum, name, np.isfinite(values) & (values >= 0), values, good, "from 0")
    return np.where(np.isfinite(values), values, 0.0)


def _area_scale(spectrum: HduTable, good: BoolArray) -> FloatArray:
    """Return AREASCAL, above 0 in all channels: 1 where the channel is bad and it is not."""
    values = per_channel(spectrum, "AREASCAL", 1.0, len(good))
    usable = np.isfinite(values) & (values > 0)
    _validate_good(spectrum, "AREASCAL", usable, values, good, "above 0")
    return np.where(usable, values, 1.0)


def _validate_good(
    spectrum: HduTable, name: str, usable: BoolArray, values: FloatArray, good: BoolArray, expected: str
) -> None:
    wrong = good & ~usable
    if wrong.any():
        raise InputError(
            f"{spectrum.path}: {name} of channel number {wrong.argmax()} is {values[wrong][0]:g}; expected a number "
            f"{expected}. Correct it, or flag the channel in QUALITY."
        )


def _with_background(
    row: SpectrumRow, spectrum: HduTable, background: tuple[HduTable, Mapping[str, HduTable]], area_scale: FloatArray
) -> SpectrumRow:
    """Return the row with off counts, and the acceptance that makes alpha what the standard says."""
    off, tables = background
    livetime, good = _livetime(off), row.mask_safe
    scale = livetime / row.livetime * (_area_scale(off, good) / area_scale)
    acceptance = _finite(off, "BACKSCAL", per_channel(off, "BACKSCAL", 1.0, len(good)), good) * scale
    _validate_good(spectrum, "BACKSCAL", row.acceptance > 0, row.acceptance, good, "above 0")
    _validate_good(off, "BACKSCAL", acceptance > 0, acceptance, good, "above 0")
    counts = _counts(off, livetime, good)
    return replace(row, counts_off=counts, acceptance_off=acceptance, off_regions=known_shapes(tables, "REGION"))


def group_starts(spectrum: HduTable, channels: int) -> IntArray:
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
