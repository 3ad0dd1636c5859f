"""Morphologies: exact values, integrals over the sphere, derivatives."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgamma.errors import ConfigError
from xgamma.geometry import destination, separation
from xgamma.models import (
    ConstantSpatialModel,
    DiskSpatialModel,
    GaussianSpatialModel,
    GeneralizedGaussianSpatialModel,
    PointSpatialModel,
    Shell2SpatialModel,
    ShellSpatialModel,
)

SR = np.rad2deg(1.0) ** 2
PLACE = {"lon_0": "83.6 deg", "lat_0": "22 deg"}
ELONGATED = {"e": 0.8, "phi": "30 deg"}

ROUND = {
    "gauss": lambda **more: GaussianSpatialModel(sigma="0.3 deg", **PLACE, **more),
    "gauss-general": lambda **more: GeneralizedGaussianSpatialModel(r_0="0.3 deg", eta=0.7, **PLACE, **more),
    "disk": lambda **more: DiskSpatialModel(r_0="0.3 deg", edge_width=0.2, **PLACE, **more),
    "shell": lambda **more: ShellSpatialModel(radius="0.3 deg", width="0.1 deg", **PLACE, **more),
    "shell2": lambda **more: Shell2SpatialModel(r_0="0.3 deg", eta=0.3, **PLACE, **more),
}
MODELS = ROUND | {
    f"{name}, elongated": lambda make=ROUND[name], **more: make(**ELONGATED, **more)
    for name in ("gauss", "gauss-general", "disk")
}


def plain(model):
    return model.canonical_values()


def integral(model, radius, nodes=400, directions=240, breaks=()):
    """Return the integral over a circle about the centre: Legendre nodes between radii, even steps around."""
    x, weight = np.polynomial.legendre.leggauss(nodes)
    total, angle = 0.0, (np.arange(directions) + 0.5) * 360.0 / directions
    edges = sorted({0.0, radius, *breaks})
    for low, high in pairwise(edges):
        # Quadratic steps towards both ends, where shells have roots.
        share = 0.5 - 0.5 * np.cos(0.5 * np.pi * (x + 1))
        distance, stretch = low + (high - low) * share, (high - low) * 0.25 * np.pi * np.sin(0.5 * np.pi * (x + 1))
        lon, lat = destination(*model.center(), angle[:, None], distance)
        ring = model.density(lon, lat).mean(axis=0) * 2 * np.pi * np.sin(np.deg2rad(distance))
        total += float((ring * weight * np.deg2rad(stretch)).sum())
    return total


# --- values


@pytest.mark.parametrize(
    ("model", "distance", "expected"),
    [
        (GaussianSpatialModel(sigma="1 deg"), 0.0, SR / (2 * np.pi)),
        (GaussianSpatialModel(sigma="1 deg"), 1.0, SR / (2 * np.pi) * np.exp(-0.5)),
        (GeneralizedGaussianSpatialModel(r_0="1 deg", eta=0.5), 1.0, SR / np.pi * np.exp(-1)),
        (GeneralizedGaussianSpatialModel(r_0="2 deg", eta=1.0), 4.0, SR / (8 * np.pi) * np.exp(-2)),
        (DiskSpatialModel(r_0="1 deg", edge_width=0.1), 0.5, SR / np.pi),
        (DiskSpatialModel(r_0="1 deg", edge_width=0.1), 1.0, 0.5 * SR / np.pi),
        (DiskSpatialModel(r_0="1 deg", edge_width=0.1), 0.95, 0.95 * SR / np.pi),
        (DiskSpatialModel(r_0="1 deg", edge_width=0.1), 1.05, 0.05 * SR / np.pi),
        (ShellSpatialModel(radius="3 deg", width="2 deg"), 0.0, SR * 3 * (5 - 3) / (2 * np.pi * (125 - 27))),
        (ShellSpatialModel(radius="3 deg", width="2 deg"), 4.0, SR * 3 * 3 / (2 * np.pi * (125 - 27))),
        (ShellSpatialModel(radius="3 deg", width="2 deg"), 5.1, 0.0),
        (Shell2SpatialModel(r_0="5 deg", eta=0.4), 4.0, SR * 3 * 3 / (2 * np.pi * (125 - 27))),
        (ConstantSpatialModel(value="0.25 sr-1"), 7.0, 0.25),
    ],
)
def test_the_formulas(model, distance, expected):
    # Where a norm is that of the sphere, it is that of the plane to 1e-4 at a degree.
    assert model.density(0.0, distance) == pytest.approx(expected, rel=2e-4)
    if model.is_round():
        assert model.profile(distance) == pytest.approx(float(model.density(0.0, distance)), rel=1e-12)


def test_an_ellipse_points_from_north_through_east():
    model = GaussianSpatialModel(sigma="1 deg", e=np.sqrt(0.75), phi="30 deg")
    assert not model.is_round()
    values = [float(model.density(*destination(0.0, 0.0, angle, 1.0))) for angle in (30.0, 210.0, 120.0, -60.0, -30.0)]
    along, across = np.exp(-0.5) * SR / np.pi, np.exp(-2.0) * SR / np.pi
    assert values[:4] == pytest.approx([along, along, across, across], rel=1e-3)
    assert across < values[4] < along


def test_a_point_has_no_density():
    point = PointSpatialModel(**PLACE)
    for ask in (lambda: point.density(83.6, 22.0), lambda: point.profile(0.0)):
        with pytest.raises(ConfigError, match="a point has no density"):
            ask()
    assert (point.reach(), point.resolution(), point.center(), point.is_round()) == (0.0, 0.0, (83.6, 22.0), True)


def test_what_is_elongated_has_no_profile_and_what_is_constant_no_centre():
    with pytest.raises(ConfigError, match="it is not round and has no profile"):
        MODELS["gauss, elongated"]().profile(0.1)
    everywhere = ConstantSpatialModel()
    assert (everywhere.center(), everywhere.reach(), everywhere.is_round()) == (None, np.inf, False)
    assert everywhere.density(np.zeros((2, 1)), np.zeros(3)).shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "reach", "resolution"),
    [
        ("gauss", 1.5, 0.1),
        ("gauss-general", 0.3 * 6.6, 0.3 / 8.6),
        ("disk", 0.396, 0.024),
        ("shell", 0.4, 0.1),
        ("shell2", 0.3, 0.09),
        ("gauss-general, elongated", 0.3 * 6.6, 0.3 / 8.6 / 1.8),
    ],
)
def test_how_far_a_model_reaches_and_how_fine_it_is(name, reach, resolution):
    model = MODELS[name]()
    assert (model.reach(), model.resolution()) == (pytest.approx(reach), pytest.approx(resolution))
    doubled = [2 * value if name in ("sigma", "r_0", "radius", "width") else value
               for name, value in zip(model.parameters.names, plain(model), strict=True)]  # fmt: skip
    assert model.reach(doubled) == pytest.approx(2 * reach)
    assert model.reach() == pytest.approx(reach)


@pytest.mark.parametrize(
    ("name", "breaks", "off"),
    [
        ("gauss", (), 1e-5),
        # Beyond the reach, and as the plane is not the sphere.
        ("gauss-general", (), 2e-4),
        ("disk", (), 1e-5),
        ("shell", (0.3,), 5e-6),
        ("shell2", (0.21,), 5e-6),
        ("gauss, elongated", (), 1e-5),
        ("gauss-general, elongated", (), 2e-4),
        ("disk, elongated", (0.2, 0.3), 1e-3),
    ],
)
def test_the_integral_over_the_sphere_is_1(name, breaks, off):
    model = MODELS[name]()
    # The soft edge of a disk adds area outside of its radius: of the square of the width of the edge.
    soft = 0.5 * (0.2 / 2.326174307353347) ** 2 if name.startswith("disk") else 0.0
    assert integral(model, model.reach(), breaks=breaks) == pytest.approx(1.0 + soft, abs=off)


@pytest.mark.parametrize("sigma", [0.01, 1.0, 20.0, 90.0])
def test_a_round_gaussian_is_normalised_on_the_whole_sphere(sigma):
    model = GaussianSpatialModel(sigma=f"{sigma} deg")
    assert integral(model, 180.0, breaks=(min(8 * sigma, 170.0),)) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_sizes_of_0_give_finite_numbers(name):
    model = MODELS[name]()
    sizes = [place for place, one in enumerate(model.parameters.names) if one in ("sigma", "r_0", "radius", "width")]
    values = plain(model)
    for place in (*sizes, *((sizes[0], sizes[-1]) if len(sizes) > 1 else ())):
        values[place] = 0.0
        assert np.isfinite(model.density([83.6, 83.7], 22.0, values)).all()
        rows = model.density_gradient([83.6, 83.7], [22.0, 22.0], values, range(len(values)))
        assert np.isfinite(rows).all()


# --- derivatives


def steps_of(model, values):
    resolution = model.resolution(values)
    return [1e-4 * resolution if name in ("lon_0", "lat_0") else 1e-5 for name in model.parameters.names]


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=15, deadline=None)
@given(east=st.floats(-0.5, 0.5), north=st.floats(-0.5, 0.5), size=st.floats(0.2, 0.6))
def test_derivatives_are_those_of_differences(name, east, north, size):
    model = MODELS[name]()
    values = plain(model)
    values[2] = size
    lon, lat = np.array(83.6 + east), np.array(22.0 + north)
    away = float(separation(83.6, 22.0, lon, lat))
    # Shells have no derivative at their edges; a cusp has none at its centre.
    edges = {"shell": (size, size + 0.1), "shell2": (0.7 * size, size)}.get(name, ())
    if away < 1e-3 or any(abs(away - edge) < 5e-3 for edge in edges):
        return
    places = list(range(len(values)))
    rows = model.density_gradient(lon, lat, values, places)
    peak = float(model.density(83.6, 22.0, values))
    for place, step in zip(places, steps_of(model, values), strict=True):
        up, down = list(values), list(values)
        up[place], down[place] = values[place] + step, values[place] - step
        expected = (model.density(lon, lat, up) - model.density(lon, lat, down)) / (2 * step)
        scale = peak / (size if model.parameters.names[place] != "edge_width" else 0.2)
        assert rows[place] == pytest.approx(float(expected), rel=1e-4, abs=2e-5 * scale)


@pytest.mark.parametrize("name", ROUND)
def test_derivatives_of_a_profile_are_those_of_the_density_to_its_north(name):
    model = ROUND[name]()
    distance, values = np.array([0.05, 0.15, 0.28]), plain(model)
    wanted = [place for place, one in enumerate(model.parameters.names) if one != "lon_0"]
    there = model.density_gradient(83.6, 22.0 + distance, values, wanted)
    rows = model.profile_gradient(distance, values, wanted)
    assert rows[1:] == pytest.approx(there[1:], rel=1e-6, abs=1e-9 * np.abs(there).max())
    assert not rows[0].any()
