"""The formulas of the analytic instrument, and the distributions that events are drawn from.

Writing x = ln(E / 1 TeV) and theta for the offset from the pointing in deg,

- effective area: ``area * efficiency / (1 + (area_energy / E)^AREA_RISE) * exp(-theta^2 / (2 area_width^2))``;
- ln(reconstructed / true energy) is Gaussian with mean ``bias (1 - BIAS_SLOPE x)`` and width
  ``resolution (1 - WIDTH_SLOPE x) (1 + WIDTH_OFFSET theta)``;
- the PSF has the core width ``psf_sigma (1 - WIDTH_SLOPE x) (1 + WIDTH_OFFSET theta)``: three Gaussians of fixed ratios
  (``psf_table``, ``psf_3gauss``) or a King profile of fixed slope. Widths are linear in x and theta, so that their
  tables are exact between the nodes;
- background rate: ``E^-index / (1 + (background_turn / E)^BACKGROUND_RISE)``, Gaussian in the field of view.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from xgamma.axes import Axis, FloatArray
from xgamma.simulate.plan import AnalyticResponse

AREA_RISE = 2.2
WIDTH_SLOPE, WIDTH_OFFSET, BIAS_SLOPE = 0.06, 0.1, 0.3
SIGMA_RATIOS = (1.0, 2.0, 3.0)
AMPLITUDES = (1.0, 0.1, 0.01)
GAUSS_NORM = sum(amplitude * ratio**2 for amplitude, ratio in zip(AMPLITUDES, SIGMA_RATIOS, strict=True))
GAUSS_WEIGHTS = tuple(a * ratio**2 / GAUSS_NORM for a, ratio in zip(AMPLITUDES, SIGMA_RATIOS, strict=True))
KING_GAMMA = 2.5
BACKGROUND_RISE = 2.0
RAD_MAX_INDEX = -0.1


def analytic_area(response: AnalyticResponse, energy: npt.ArrayLike, offset: npt.ArrayLike) -> FloatArray:
    """Return the effective area in m2 at full enclosure and efficiency 1; arguments broadcast."""
    rise = 1.0 / (1.0 + (response.area_energy / np.asarray(energy)) ** AREA_RISE)
    return np.asarray(response.area * rise * np.exp(-0.5 * (np.asarray(offset) / response.area_width) ** 2))


def _broadening(energy: npt.ArrayLike, offset: npt.ArrayLike) -> FloatArray:
    return np.asarray((1.0 - WIDTH_SLOPE * np.log(energy)) * (1.0 + WIDTH_OFFSET * np.asarray(offset)))


def log_migration(
    response: AnalyticResponse, energy: npt.ArrayLike, offset: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return mean and width of ln(reconstructed / true energy)."""
    mean = np.asarray(response.bias * (1.0 - BIAS_SLOPE * np.log(energy)))
    return mean, response.resolution * _broadening(energy, offset)


def psf_width(response: AnalyticResponse, energy: npt.ArrayLike, offset: npt.ArrayLike) -> FloatArray:
    """Return the core width of the PSF in deg."""
    return response.psf_sigma * _broadening(energy, offset)


def containment(response: AnalyticResponse, width: FloatArray, radius: npt.ArrayLike) -> FloatArray:
    """Return the fraction of a PSF of core ``width`` inside ``radius``, both in deg; arguments broadcast."""
    square = (np.asarray(radius) / width) ** 2
    if response.psf == "psf_king":
        return np.asarray(1.0 - (1.0 + square / (2.0 * KING_GAMMA)) ** (1.0 - KING_GAMMA))
    parts = [-w * np.expm1(-0.5 * square / r**2) for w, r in zip(GAUSS_WEIGHTS, SIGMA_RATIOS, strict=True)]
    return np.asarray(sum(parts[1:], parts[0]))


def psf_radius(response: AnalyticResponse, width: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Draw one distance from the source, in deg, for each core ``width``."""
    uniform = 1.0 - generator.random(width.shape)
    if response.psf == "psf_king":
        return np.asarray(width * np.sqrt(2.0 * KING_GAMMA * (uniform ** (1.0 / (1.0 - KING_GAMMA)) - 1.0)))
    component = np.searchsorted(np.cumsum(GAUSS_WEIGHTS)[:-1], generator.random(width.shape))
    return np.asarray(width * np.asarray(SIGMA_RATIOS)[component] * np.sqrt(-2.0 * np.log(uniform)))


def rad_max(response: AnalyticResponse, energy: npt.ArrayLike) -> FloatArray:
    """Return the radius of the directional cut in deg at reconstructed energies."""
    index = RAD_MAX_INDEX if response.rad_max_2d else 0.0
    return np.asarray(response.rad_max * np.asarray(energy) ** index)


def background_spectrum(response: AnalyticResponse, energy: npt.ArrayLike) -> FloatArray:
    """Return the shape of the background in reconstructed energy, per TeV, not normalised."""
    energies = np.asarray(energy)
    turn = (response.background_turn / energies) ** BACKGROUND_RISE
    return np.asarray(energies**-response.background_index / (1 + turn))


def field_profile(response: AnalyticResponse, distance: FloatArray) -> FloatArray:
    """Return the shape of the background along a distance in deg in the field of view."""
    return np.exp(-0.5 * (distance / response.background_width) ** 2)


def northward_profile(response: AnalyticResponse, distance: FloatArray) -> FloatArray:
    """Return the shape of the background along a latitude of the field of view in deg."""
    return field_profile(response, distance) * np.exp(response.background_gradient * distance)


FIELD_STEPS = 1000


class Cumulative(NamedTuple):
    """A distribution as a table of its cumulative, which is drawn from by its inverse."""

    values: FloatArray
    cumulative: FloatArray

    @property
    def total(self) -> float:
        """The integral."""
        return float(self.cumulative[-1])

    def draw(self, count: int, generator: np.random.Generator) -> FloatArray:
        """Return ``count`` independent values."""
        # Looking up sorted numbers and shuffling is several times faster than looking up in random order.
        sorted_values = np.interp(np.sort(generator.random(count)) * self.total, self.cumulative, self.values)
        return generator.permutation(sorted_values)


def cumulative(values: FloatArray, density: FloatArray) -> Cumulative:
    """Integrate a density given at ``values`` by the trapezoidal rule."""
    steps = 0.5 * (density[1:] + density[:-1]) * np.diff(values)
    return Cumulative(values, np.concatenate([[0.0], np.cumsum(steps)]))


def fine_log_energy(axis: Axis) -> FloatArray:
    """Return ln E from the first to the last edge, in steps of about 0.2 %."""
    low, high = np.log(axis.edges[[0, -1]])
    return np.linspace(low, high, int((high - low) / 0.002) + 2)


def log_spectrum(axis: Axis, spectrum: FloatArray) -> Cumulative:
    """Return the distribution in ln E of a tabulated spectrum, taken as a power law between the nodes as readers do."""
    fine = fine_log_energy(axis)
    return cumulative(fine, np.exp(between_nodes(np.log(axis.center), np.log(spectrum), fine) + fine))


def between_nodes(nodes: FloatArray, values: FloatArray, at: FloatArray) -> FloatArray:
    """Interpolate linearly, beyond the outermost nodes along the line through the last two."""
    inner = np.interp(at, nodes, values)
    first, last = np.diff(values)[[0, -1]] / np.diff(nodes)[[0, -1]]
    return np.asarray(inner + first * np.minimum(at - nodes[0], 0.0) + last * np.maximum(at - nodes[-1], 0.0))


def field_distributions(response: AnalyticResponse) -> Mapping[str, Cumulative]:
    """Return the distributions of background in the field of view, in deg: of ``offset``, or of ``lon`` and ``lat``."""
    edge = response.offset_max
    if response.background == "bkg_2d":
        offset = np.linspace(0.0, edge, FIELD_STEPS + 1)
        return {"offset": cumulative(offset, np.sin(np.deg2rad(offset)) * field_profile(response, offset))}
    side = np.linspace(-edge, edge, FIELD_STEPS + 1)
    northward = northward_profile(response, side) * np.cos(np.deg2rad(side))
    return {"lon": cumulative(side, field_profile(response, side)), "lat": cumulative(side, northward)}


def solid_angle(response: AnalyticResponse) -> float:
    """Return the solid angle of the field of view weighted with the background profile, in sr."""
    shapes, radian = field_distributions(response), np.deg2rad(1.0)
    if response.background == "bkg_2d":
        return float(2 * np.pi * radian * shapes["offset"].total)
    return float(radian**2 * shapes["lon"].total * shapes["lat"].total)
