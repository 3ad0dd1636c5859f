"""What a closure finds: for each parameter, flux point and limit whether the truth comes back as often as promised.

``picture`` draws it: pulls of the parameters, coverage over the counts expected.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
import xarray as xr

from xgamma.axes import BoolArray, FloatArray
from xgamma.errors import DataError
from xgamma.plot import expected as plot_expected

LEVEL = 3.0
# A share of a position is no bias.
POSITIONS = ("lon_0", "lat_0")


def two_sided(n_sigma: float) -> float:
    """Return the probability within ``n_sigma`` standard deviations.

    >>> round(two_sided(1.0), 4)
    0.6827
    """
    return float(scipy.special.ndtr(n_sigma) - scipy.special.ndtr(-n_sigma))


def one_sided(n_sigma: float) -> float:
    """Return the probability below ``n_sigma`` standard deviations.

    >>> round(one_sided(2.0), 4)
    0.9772
    """
    return float(scipy.special.ndtr(n_sigma))


@dataclass(frozen=True)
class Moments:
    """``mean`` and ``width`` (standard deviation) of ``count`` pulls.

    ``mean_error`` and ``width_error`` are the standard errors that Gaussian pulls have.
    """

    count: int
    mean: float
    mean_error: float
    width: float
    width_error: float

    @property
    def holds(self) -> bool:
        """Whether the mean agrees with 0 and the width with 1."""
        is_centred = abs(self.mean) <= LEVEL * self.mean_error
        return bool(is_centred and abs(self.width - 1.0) <= LEVEL * self.width_error)


def moments(pulls: FloatArray) -> Moments:
    """Return mean and width of pulls, at least two; those that are not finite are left out.

    >>> moments(np.array([-1.0, 1.0, np.nan])).mean
    0.0
    """
    chosen = pulls[np.isfinite(pulls)]
    count, width = len(chosen), float(np.std(chosen, ddof=1))
    return Moments(
        count, float(np.mean(chosen)), width / float(np.sqrt(count)), width, width / float(np.sqrt(2.0 * (count - 1)))
    )


@dataclass(frozen=True)
class Coverage:
    """How often an interval held the truth: ``covered`` times of ``count``, where ``nominal`` is promised."""

    covered: int
    count: int
    nominal: float

    @property
    def fraction(self) -> float:
        """The fraction of intervals that hold the truth."""
        return self.covered / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """The probabilities of coverage that the fraction leaves possible."""
        limits = scipy.stats.binomtest(self.covered, self.count).proportion_ci(two_sided(LEVEL), method="exact")
        return float(limits.low), float(limits.high)

    @property
    def holds(self) -> bool:
        """Whether what is promised is possible."""
        low, high = self.interval
        return low <= self.nominal <= high


def coverage(low: FloatArray, high: FloatArray, truth: FloatArray, nominal: float) -> Coverage:
    """Return how many of the intervals [low, high] hold the truth, where the fraction ``nominal`` is promised.

    Intervals with a NaN are left out.
    """
    known = ~(np.isnan(low) | np.isnan(high) | np.isnan(truth))
    inside: BoolArray = (low <= truth) & (truth <= high) & known
    return Coverage(int(inside.sum()), int(known.sum()), nominal)


POINT, LIMIT = "point", "limit"
FEWEST_COUNTS = 20.0


@dataclass(frozen=True)
class Finding:
    """One line of the table.

    Parameters
    ----------
    what, energy
        The name of a parameter, ``point`` or ``limit``; the lower and upper energy of the point in TeV.
    counts
        The counts expected in the on region; NaN for a parameter.
    bias, bias_error
        Mean of estimate / truth - 1 and its standard error; NaN for a limit and a position. For a flux point this
        is the bias of the flux, as the spectrum that norms refer to cancels.
    pull
        Mean and width of (estimate - truth) / error; ``None`` for a limit.
    coverage
        How often the interval holds the truth.
    is_asked
        Whether it must hold: parameters, and flux points and limits from ``FEWEST_COUNTS`` up.
    """

    what: str
    energy: tuple[float, float] | None
    counts: float
    bias: float
    bias_error: float
    pull: Moments | None
    coverage: Coverage
    is_asked: bool

    @property
    def title(self) -> str:
        """What it is, with the energies of a flux point in TeV."""
        return self.what if self.energy is None else "{} {:.3g}-{:.3g} TeV".format(self.what, *self.energy)

    @property
    def holds(self) -> bool:
        """Whether the coverage, and for a parameter also the pulls, are as they should be."""
        return self.coverage.holds and (self.energy is not None or self.pull is None or self.pull.holds)

    @property
    def is_wrong(self) -> bool:
        """Whether it must hold and does not."""
        return self.is_asked and not self.holds

    def document(self) -> dict[str, Any]:
        """Return plain text and numbers."""
        low, high = self.coverage.interval
        return {
            "what": self.what,
            "energy_TeV": None if self.energy is None else list(self.energy),
            "counts": None if np.isnan(self.counts) else self.counts,
            "bias": None if np.isnan(self.bias) else [self.bias, self.bias_error],
            "pull_mean": None if self.pull is None else [self.pull.mean, self.pull.mean_error],
            "pull_width": None if self.pull is None else [self.pull.width, self.pull.width_error],
            "covered": self.coverage.covered,
            "count": self.coverage.count,
            "coverage_interval": [low, high],
            "nominal": self.coverage.nominal,
            "asked": self.is_asked,
            "holds": self.holds,
        }


def findings(results: xr.Dataset) -> list[Finding]:
    """Return what the results of some sets show; sets whose fit did not converge are left out.

    Parameters
    ----------
    results
        As ``run_closure`` returns them.

    Raises
    ------
    DataError
        When fewer than two fits converged.
    """
    good = converged(results)
    if good.sizes["set"] < 2:
        raise DataError(
            f"closure: {good.sizes['set']} of {results.sizes['set']} fits converged, which tells nothing; take more "
            "sets, a brighter source or longer runs."
        )
    if "norm" not in good:
        # Fields have no flux points.
        return list(_of_parameters(good))
    return [*_of_parameters(good), *_of_points(good), *_of_limits(good)]


def converged(results: xr.Dataset) -> xr.Dataset:
    """Return the sets whose fit converged."""
    return results.isel(set=results["success"].values)


def _of_parameters(results: xr.Dataset) -> Iterator[Finding]:
    for name in results["parameter"].values.tolist():
        value, error, truth = (results[column].sel(parameter=name).values for column in ("value", "error", "truth"))
        covered = coverage(value - error, value + error, truth, two_sided(1.0))
        pull = moments((value - truth) / error)
        bias = (np.nan, np.nan) if name.endswith(POSITIONS) else _bias(value, truth)
        yield Finding(name, None, np.nan, *bias, pull, covered, True)


def _of_points(results: xr.Dataset) -> Iterator[Finding]:
    n_sigma = float(results.attrs["n_sigma"])
    for bounds, counts, point in _each_point(results):
        norm, truth = point["norm"].values, point["norm_true"].values
        low, high = norm - point["norm_errn"].values, norm + point["norm_errp"].values
        pull = moments((norm - truth) / point["norm_err"].values * n_sigma)
        covered = coverage(low, high, truth, two_sided(n_sigma))
        yield Finding(POINT, bounds, counts, *_bias(norm, truth), pull, covered, counts >= FEWEST_COUNTS)


def _of_limits(results: xr.Dataset) -> Iterator[Finding]:
    nominal = one_sided(float(results.attrs["n_sigma_ul"]))
    for bounds, counts, point in _each_point(results):
        limit, truth = point["norm_ul"].values, point["norm_true"].values
        covered = coverage(np.full_like(limit, -np.inf), limit, truth, nominal)
        yield Finding(LIMIT, bounds, counts, np.nan, np.nan, None, covered, counts >= FEWEST_COUNTS)


def _each_point(results: xr.Dataset) -> Iterator[tuple[tuple[float, float], float, xr.Dataset]]:
    """Yield energies, expected on counts and estimates of each flux point that at least two sets have."""
    for number, (low, high) in enumerate(results["energy_bounds"].values.tolist()):
        point = results.isel(energy=number)
        if np.isfinite(point["norm"].values).sum() > 1:
            yield (low, high), float((point["signal"] + point["background"]).mean()), point


def _bias(values: FloatArray, truth: FloatArray) -> tuple[float, float]:
    """Return the mean of values / truth - 1 and its standard error."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = values / truth
    known = ratio[np.isfinite(ratio)]
    if len(known) < 2:
        return np.nan, np.nan
    return float(np.mean(known)) - 1.0, float(np.std(known, ddof=1) / np.sqrt(len(known)))


def excess_ratio(results: xr.Dataset) -> tuple[float, float]:
    """Return the excess of all sets of ``results`` over the signal predicted of the truth, with its standard error.

    It looks at counts and responses alone; fits and their errors have no part in it.
    """
    excess = (results["counts"] - results["background"]).sum("energy").values
    signal = float(results["signal"].sum("energy").mean())
    return float(np.mean(excess)) / signal, float(np.std(excess, ddof=1) / np.sqrt(len(excess))) / signal


PANELS = {POINT: "Errors of flux points", LIMIT: "Upper limits of flux points"}


def picture(results: xr.Dataset, others: Sequence[xr.Dataset] = ()) -> bytes:
    """Draw the pulls of some results, and the coverage of these and of ``others``; returns a PNG."""
    good = converged(results)
    pulls = {
        name: ((good["value"] - good["truth"]) / good["error"]).sel(parameter=name).values
        for name in good["parameter"].values.tolist()
    }
    every = [finding for one in (results, *others) for finding in findings(one)]
    drawn = [what for what in PANELS if any(finding.what == what for finding in every)]
    figure = plot_expected.draw_closure(pulls, [_covered(every, what) for what in drawn], FEWEST_COUNTS)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return content.getvalue()


def _covered(every: Sequence[Finding], what: str) -> plot_expected.Covered:
    chosen = [finding for finding in every if finding.what == what]
    intervals = np.array([finding.coverage.interval for finding in chosen]).reshape(-1, 2)
    return plot_expected.Covered(
        PANELS[what],
        np.array([finding.counts for finding in chosen]),
        np.array([finding.coverage.fraction for finding in chosen]),
        intervals,
        chosen[0].coverage.nominal if chosen else np.nan,
    )
