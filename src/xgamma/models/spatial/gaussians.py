"""Gaussians: round ones that are normalised on the sphere, elongated and generalised ones on the plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy

from xgamma.axes import FloatArray
from xgamma.models.parameters import Parameter
from xgamma.models.spatial.function import axes_of, size_towards
from xgamma.models.spatial.model import SpatialModel
from xgamma.models.spatial.outlines import elongated
from xgamma.shapes import Shape

DEG = float(np.deg2rad(1.0))


def _versine(angle: FloatArray | float) -> FloatArray:
    """Return 1 - cos of degrees, also of small ones."""
    return np.asarray(2.0 * np.sin(0.5 * DEG * np.asarray(angle)) ** 2)


class GaussianSpatialModel(SpatialModel):
    """exp(-(1 - cos d) / (2 a)) / (4 pi a (1 - exp(-1 / a))), a = 1 - cos sigma"""

    tag = ("GaussianSpatialModel", "gauss")
    lon_0 = Parameter("lon_0", 0.0, "deg")
    lat_0 = Parameter("lat_0", 0.0, "deg", min=-90.0, max=90.0)
    sigma = Parameter("sigma", 1.0, "deg", min=0.0)
    e = Parameter("e", 0.0, min=0.0, max=1.0, frozen=True)
    phi = Parameter("phi", 0.0, "deg", frozen=True)

    def _profile(self, distance: FloatArray, values: Sequence[float]) -> FloatArray:
        a = float(_versine(axes_of(values[2], 0.0)[0]))
        return np.asarray(np.exp(-0.5 * _versine(distance) / a) / (-4.0 * np.pi * a * np.expm1(-1.0 / a)))

    def _slopes(self, distance: FloatArray, values: Sequence[float]) -> dict[str, FloatArray]:
        sigma = axes_of(values[2], 0.0)[0]
        a, density = float(_versine(sigma)), self._profile(distance, values)
        # Of the logarithm in a: the exponent, and the norm, whose second part counts for sizes of the whole sky.
        in_a = 0.5 * _versine(distance) / a**2 - 1.0 / a - np.exp(-1.0 / a) / (a**2 * np.expm1(-1.0 / a))
        return {
            "sigma": density * in_a * np.sin(DEG * sigma) * DEG,
            "distance": density * (-0.5 / a * DEG) * np.sin(DEG * distance),
        }

    def _elongated(self, distance: FloatArray, angle: FloatArray, values: Sequence[float]) -> FloatArray:
        major, minor = axes_of(values[2], values[3])
        a = _versine(size_towards(angle, values[4], major, minor))
        return np.asarray(np.exp(-0.5 * _versine(distance) / a) / (2.0 * np.pi * major * minor * DEG**2))

    def outline(self, size_factor: float = 1.0) -> Shape:
        """Return the ellipse of ``size_factor`` times sigma."""
        lon, lat, sigma, e, phi = self.canonical_values()
        return elongated((lon, lat), self.frame, size_factor * sigma, e, phi)

    def reach(self, values: Sequence[float] | None = None) -> float:
        """Return five times sigma."""
        return 5.0 * self._plain(values)[2]

    def resolution(self, values: Sequence[float] | None = None) -> float:
        """Return a third of sigma."""
        return self._plain(values)[2] / 3.0


class GeneralizedGaussianSpatialModel(SpatialModel):
    """exp(-(d / r_0)^(1 / eta)) / (2 pi r_0^2 eta Gamma(2 eta))"""

    tag = ("GeneralizedGaussianSpatialModel", "gauss-general")
    lon_0 = Parameter("lon_0", 0.0, "deg")
    lat_0 = Parameter("lat_0", 0.0, "deg", min=-90.0, max=90.0)
    r_0 = Parameter("r_0", 1.0, "deg", min=0.0)
    eta = Parameter("eta", 0.5, min=0.01, max=1.0)
    e = Parameter("e", 0.0, min=0.0, max=1.0, frozen=True)
    phi = Parameter("phi", 0.0, "deg", frozen=True)

    def _profile(self, distance: FloatArray, values: Sequence[float]) -> FloatArray:
        radius = axes_of(values[2], 0.0)[0]
        return self._falling(distance / radius, radius * radius, values[3])

    def _falling(self, share: FloatArray, area: float, eta: float) -> FloatArray:
        with np.errstate(over="ignore"):
            return np.asarray(
                np.exp(-(share ** (1.0 / eta))) / (2.0 * np.pi * area * DEG**2 * eta * scipy.special.gamma(2.0 * eta))
            )

    def _slopes(self, distance: FloatArray, values: Sequence[float]) -> dict[str, FloatArray]:
        radius, eta, density = axes_of(values[2], 0.0)[0], values[3], self._profile(distance, values)
        share = distance / radius
        # Where the density is 0 a power may be too large for a number.
        share = np.where(density > 0, share, 0.0)
        power = share ** (1.0 / eta)
        log = np.log(np.where(share > 0, share, 1.0))
        return {
            "r_0": density * (power / eta - 2.0) / radius,
            "eta": density * (power * log / eta**2 - 1.0 / eta - 2.0 * scipy.special.digamma(2.0 * eta)),
            "distance": -density * share ** (1.0 / eta - 1.0) / (eta * radius),
        }

    def _elongated(self, distance: FloatArray, angle: FloatArray, values: Sequence[float]) -> FloatArray:
        major, minor = axes_of(values[2], values[4])
        share = distance / size_towards(angle, values[5], major, minor)
        return self._falling(share, major * minor, values[3])

    def outline(self, size_factor: float = 1.0) -> Shape:
        """Return the ellipse of ``size_factor`` times r_0."""
        lon, lat, radius, _, e, phi = self.canonical_values()
        return elongated((lon, lat), self.frame, size_factor * radius, e, phi)

    def reach(self, values: Sequence[float] | None = None) -> float:
        """Return r_0 (1 + 8 eta)."""
        given = self._plain(values)
        return given[2] * (1.0 + 8.0 * given[3])

    def resolution(self, values: Sequence[float] | None = None) -> float:
        """Return r_0 / (3 + 8 eta) / (1 + e)."""
        given = self._plain(values)
        return given[2] / (3.0 + 8.0 * given[3]) / (1.0 + given[4])
