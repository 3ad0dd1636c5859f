"""The background of the field of view: the expected one, normalised to the counts of each run outside of sources.

Source: Berge, Funk & Hinton 2007 (A&A 466, 1219), field-of-view background; Cash 1979 (ApJ 228, 939). With a norm and a
tilt alone the statistic needs no pixels: their logarithms do not depend on the position, so that the sums of counts and
background in each bin of energy are sufficient.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from xgamma.axes import BoolArray, FloatArray
from xgamma.errors import ConfigError
from xgamma.reduce.background.names import KIND
from xgamma.reduce.background.protocol import BackgroundInput, Settled
from xgamma.reduce.background.sky import SkyBackground, space_of, usable_pixels
from xgamma.registry import register

SCALE, FIT = "scale", "fit"
NORMS = ("background_norm", "background_norm_error", "background_tilt", "background_tilt_error")
"""The variables of results."""
# The energy in TeV at which a tilt changes nothing.
REFERENCE = 1.0
_MODELS = ("pl-norm", "PowerLawNormSpectralModel")
# Of the statistic, so that norms are known to a ten millionth of their errors.
_STEPS, _HALVINGS, _CLOSE = 100, 30, 1e-14
# No step changes the logarithm of the background by more: far away its second derivatives say nothing.
_FARTHEST = 3.0


@dataclass(frozen=True)
class FovBackgroundParameters:
    """How the background of the field of view is normalised."""

    method: str = field(default=SCALE, metadata={"description": "scale or fit"})
    spectral_model: str | None = field(
        default="pl-norm", metadata={"description": "spectral norm model, by its tag: pl-norm, a norm and a tilt"}
    )
    min_counts: float = field(default=0.0, metadata={"minimum": 0})
    min_npred_background: float = field(default=0.0, metadata={"minimum": 0})
    fit_tilt: bool = field(default=False, metadata={"description": "whether method: fit fits the tilt too"})

    def __post_init__(self) -> None:
        if self.method not in (SCALE, FIT):
            raise ConfigError(f"method: expected scale or fit, got {self.method!r}.")
        if self.spectral_model not in (*_MODELS, None):
            raise ConfigError(f"spectral_model: expected pl-norm, got {self.spectral_model!r}.")
        if self.fit_tilt and self.method != FIT:
            raise ConfigError("fit_tilt: the method scale has no tilt; write method: fit, or fit_tilt: false.")


class FovNorms(NamedTuple):
    """The norms of rows, each shape (row,), NaN where there is none; ``reasons`` says why, by row."""

    norm: FloatArray
    norm_error: FloatArray
    tilt: FloatArray
    tilt_error: FloatArray
    reasons: dict[int, str]

    def factor(self, energy: FloatArray) -> FloatArray:
        """Return what the background is multiplied by at energies in TeV, shape (row, energy); 1 where there is none.

        The tilt is that of a power law about 1 TeV.
        """
        factor = self.norm[:, None] * (energy / REFERENCE) ** -self.tilt[:, None]
        return np.where(np.isfinite(factor), factor, 1.0)


def fov_norms(
    counts: npt.NDArray[np.generic],
    background: npt.NDArray[np.floating],
    usable: BoolArray,
    energy: FloatArray,
    parameters: FovBackgroundParameters,
    signal: FloatArray | None = None,
) -> FovNorms:
    """Return the norms of the expected background of rows.

    Parameters
    ----------
    counts, background
        Shape (row, energy, pixel).
    usable
        The pixels that are safe and not excluded; broadcast to the same shape.
    energy
        The centres of the bins in TeV, shape (energy,).
    parameters
        How they are normalised.
    signal
        Counts that are predicted of sources, shape (row, energy, pixel), ``None`` for none.
    """
    sums = [plane_sums(values, usable) for values in (counts, background)]
    expected = np.zeros_like(sums[0]) if signal is None else plane_sums(signal, usable)
    n, b, s = (each.sum(axis=1) for each in (*sums, expected))
    nan, reasons = np.full((4, len(n)), np.nan), dict(_reasons(n, b, s, parameters))
    norms = FovNorms(nan[0], nan[1], nan[2], nan[3], reasons)
    good = np.flatnonzero([row not in norms.reasons for row in range(len(n))])
    if parameters.method == SCALE:
        norms.norm[good], norms.norm_error[good] = (n - s)[good] / b[good], np.sqrt((n - s)[good]) / b[good]
        norms.tilt[good] = norms.tilt_error[good] = 0.0
        return norms
    logs = np.log(energy / REFERENCE)
    for row in good.tolist():
        if signal is None:
            bins = _Bins(sums[0][row], sums[1][row], expected[row], logs)
        else:
            bins = _pixels(row, counts, background, signal, usable, logs)
        found = _fitted(bins, parameters.fit_tilt)
        if isinstance(found, str):
            norms.reasons[row] = found
        else:
            for values, value in zip(norms[:4], found, strict=True):
                values[row] = value
    return norms


def plane_sums(values: npt.NDArray[np.generic], usable: BoolArray) -> FloatArray:
    """Return the sums of usable pixels, shape (row, energy), of values (row, energy, pixel)."""
    found = np.empty(values.shape[:2])
    for row, own in enumerate(np.broadcast_to(usable, values.shape)):
        with np.errstate(invalid="ignore", over="ignore"):
            found[row] = np.multiply(values[row], own).sum(axis=-1, dtype=float)
        if not np.isfinite(found[row]).all():
            # What is not finite counts where it is used alone.
            found[row] = np.where(own, values[row], 0.0).sum(axis=-1, dtype=float)
    return found


def _reasons(
    counts: FloatArray, background: FloatArray, signal: FloatArray, parameters: FovBackgroundParameters
) -> Iterator[tuple[int, str]]:
    """Yield rows that have no norm, and why; sums of each row, shape (row,)."""
    for row, (n, b, s) in enumerate(zip(counts.tolist(), background.tolist(), signal.tolist(), strict=True)):
        if not np.isfinite([n, b, s]).all():
            yield row, "outside of the exclusion counts or expected background are not finite"
        elif b <= parameters.min_npred_background:
            least = parameters.min_npred_background
            yield row, f"outside of the exclusion {b:.4g} background counts are expected, wanted more than {least:g}"
        elif n <= parameters.min_counts:
            yield row, f"outside of the exclusion there are {n:g} counts, wanted more than {parameters.min_counts:g}"
        elif n - s <= 0:
            yield row, f"outside of the exclusion there are {n:g} counts, and the models predict {s:.4g} of sources"


class _Bins(NamedTuple):
    """Counts, expected background, signal and the logarithm of the energy over the reference energy, shape (bin,)."""

    counts: FloatArray
    background: FloatArray
    signal: FloatArray
    logs: FloatArray

    @property
    def tilt_is_bounded(self) -> bool:
        """Whether some tilt is best: that of counts at one end of the energies of the background grows for ever."""
        seen, known = self.logs[self.counts > 0], self.logs[self.background > 0]
        return bool(seen.max() > known.min() and seen.min() < known.max())

    def design(self, fit_tilt: bool) -> FloatArray:
        """Return the derivatives of the logarithm of the background by those of the norm and by the tilt."""
        return np.stack([np.ones_like(self.logs), -self.logs])[: 2 if fit_tilt else 1]

    def statistic(self, design: FloatArray, at: FloatArray) -> float:
        """Return half of the Cash statistic."""
        total = self.background * np.exp(at @ design) + self.signal
        with np.errstate(divide="ignore"):
            logs = np.log(total, out=np.zeros_like(total), where=self.counts > 0)
        return float((total - self.counts * logs).sum())

    def derivatives(self, design: FloatArray, at: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the gradient of it, and the second derivatives as expected and as observed."""
        ours = self.background * np.exp(at @ design)
        total = ours + self.signal
        shown = total > 0
        ratio = np.divide(self.counts, total, out=np.zeros_like(total), where=shown)
        squared = np.divide(ours**2, total, out=np.zeros_like(total), where=shown)
        observed = ours * (1 - ratio) + ratio * squared
        return design @ (ours * (1 - ratio)), (design * squared) @ design.T, (design * observed) @ design.T


def _pixels(
    row: int,
    counts: npt.NDArray[np.generic],
    background: npt.NDArray[np.floating],
    signal: FloatArray,
    usable: BoolArray,
    logs: FloatArray,
) -> _Bins:
    """Return the usable pixels of a row."""
    own = np.broadcast_to(usable, counts.shape)[row]
    n, b, s = (each[row][own].astype(float) for each in (counts, background, signal))
    return _Bins(n, b, s, np.broadcast_to(logs[:, None], own.shape)[own])


def _fitted(bins: _Bins, fit_tilt: bool) -> tuple[float, float, float, float] | str:
    """Return norm, its error, tilt and its error of the smallest Cash statistic, or why there is none.

    Newton's method on the logarithm of the norm and the tilt, with expected second derivatives: without a signal they
    are the observed ones, and the statistic is convex.
    """
    if fit_tilt and not bins.tilt_is_bounded:
        return "its counts outside of the exclusion lie at one end of the energies, so that no tilt can be fitted"
    design = bins.design(fit_tilt)
    at = np.zeros(len(design))
    at[0] = np.log((bins.counts - bins.signal).sum() / bins.background.sum())
    value = bins.statistic(design, at)
    for _ in range(_STEPS):
        gradient, expected, observed = bins.derivatives(design, at)
        step = np.linalg.solve(expected, gradient)
        if gradient @ step < _CLOSE:
            return _result(at, observed)
        step *= min(1.0, _FARTHEST / float(np.abs(step @ design).max()))
        for _ in range(_HALVINGS):
            # Close to the end the statistic is known to its last digits alone.
            lower = bins.statistic(design, at - step)
            if lower <= value + 1e-13 * abs(value):
                break
            step = 0.5 * step
        at, value = at - step, lower
    return "the fit of its norm did not converge"


def _result(at: FloatArray, curvature: FloatArray) -> tuple[float, float, float, float] | str:
    variance = np.diag(np.linalg.inv(curvature))
    if not (variance > 0).all():
        return "the fit of its norm did not converge"
    norm, errors = float(np.exp(at[0])), np.sqrt(variance).tolist()
    return norm, norm * errors[0], *((float(at[1]), errors[1]) if len(at) > 1 else (0.0, 0.0))


@register(KIND, "fov_background", parameters=FovBackgroundParameters)
class FovBackground(SkyBackground):
    """The background of the field of view, normalised run by run."""

    name = "fov_background"
    variables = ("background", *NORMS)

    def __init__(self, parameters: FovBackgroundParameters) -> None:
        super().__init__()
        self.parameters = parameters

    def settle(
        self, given: BackgroundInput, counts: FloatArray, mask_safe: BoolArray, values: Mapping[str, FloatArray]
    ) -> Settled:
        """Return the background times its norm and tilt, and both with their errors."""
        space, energy = space_of(given), given.grid.energy.center
        usable = usable_pixels(given.exclusion, space, space.origins(*given.pointing))[:, None]
        safe, expected = mask_safe.swapaxes(1, 2), values["background"].swapaxes(1, 2)
        norms = fov_norms(counts.swapaxes(1, 2), expected, safe & usable, energy, self.parameters)
        looked_at = np.flatnonzero(safe.any(axis=(1, 2)))
        reasons = {row: norms.reasons[row] for row in looked_at.tolist() if row in norms.reasons}
        scaled = expected * norms.factor(energy)[:, :, None].astype(expected.dtype)
        found = dict(zip(NORMS, norms[:4], strict=True))
        return Settled({"background": scaled.swapaxes(1, 2), **found}, mask_safe & _kept(norms), reasons)


def _kept(norms: FovNorms) -> BoolArray:
    """Return which rows have a norm, shape (row, 1, 1)."""
    return np.isfinite(norms.norm)[:, None, None]
