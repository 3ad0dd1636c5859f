"""Fluxes in regions of a map, along a line and in rings."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from xgamma.data import DataStore
from xgamma.datasets import MapDataset
from xgamma.errors import ConfigError
from xgamma.estimate import flux_points
from xgamma.estimators import FluxProfileEstimator
from xgamma.makers import DatasetsMaker, MapDatasetMaker, SafeMaskMaker
from xgamma.maps import MapAxis, WcsGeom
from xgamma.models import Models, PowerLawSpectralModel, SkyModel
from xgamma.shapes import union_holds
from xgamma.simulate import Plan, simulate
from xgamma.utils.regions import make_concentric_annulus_sky_regions, make_orthogonal_rectangle_sky_regions

CRAB = SkyCoord(83.633, 22.014, unit="deg")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    path = tmp_path_factory.mktemp("profile") / "release"
    simulate(Plan(runs=2, duration=900.0), path)
    energy = MapAxis.from_energy_bounds("1 TeV", "30 TeV", nbin=4)
    true = MapAxis.from_energy_bounds("0.5 TeV", "60 TeV", nbin=8, name="energy_true")
    geom = WcsGeom.create(skydir=CRAB, width=2.5, binsz=0.05, axes=[energy])
    empty = MapDataset.create(geom, energy_axis_true=true, name="crab")
    makers = [MapDatasetMaker(), SafeMaskMaker(["offset-max"], offset_max=2 * u.deg)]
    [found] = DatasetsMaker(makers).run(empty, DataStore.from_dir(path).get_observations())
    return found


def line(nbin=7, length=1.4, height="0.4 deg", angle=30 * u.deg):
    ends = (CRAB.directional_offset_by(angle + side * u.deg, 0.5 * length * u.deg) for side in (180, 0))
    return make_orthogonal_rectangle_sky_regions(*ends, None, height, nbin)


def test_rectangles_follow_one_another_along_the_line():
    regions = line()
    places = SkyCoord([one.lon for one in regions], [one.lat for one in regions], unit="deg")
    np.testing.assert_allclose(places[:-1].separation(places[1:]).deg, 0.2, rtol=1e-6)
    assert places[3].separation(CRAB).deg == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_allclose(places[3].position_angle(places[5]).deg, 30.0, atol=0.1)
    # The middle of the common side belongs to neighbours alone, and the line goes through each from side to side.
    for one, place in zip(regions, places, strict=True):
        inside = place.directional_offset_by(30 * u.deg, 0.099 * u.deg)
        outside = place.directional_offset_by(30 * u.deg, 0.101 * u.deg)
        lon, lat = (np.array([getattr(at, name).deg for at in (inside, outside)]) for name in ("ra", "dec"))
        assert union_holds([one], lon, lat).tolist() == [True, False]


def test_rings_lie_within_one_another():
    rings = make_concentric_annulus_sky_regions(CRAB, "0.5 deg", "0.1 deg", nbin=5)
    assert [(round(one.inner.radius, 3), round(one.outer.radius, 3)) for one in rings] == [
        (0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5)]  # fmt: skip


def test_a_profile_peaks_at_the_source_and_falls_with_the_radius(dataset):
    profile = FluxProfileEstimator(line(), energy_edges=[1, 30] * u.TeV, selection_optional=["ul"]).run(dataset)
    flux = profile.to_table()["flux"][:, 0]
    assert int(np.argmax(flux)) == 3
    np.testing.assert_allclose(profile.distance.value, 0.2 * np.arange(7), atol=1e-4)
    rings = make_concentric_annulus_sky_regions(CRAB, "0.6 deg", nbin=4)
    falling = FluxProfileEstimator(rings, PowerLawSpectralModel(index=2.5), [1, 5, 30] * u.TeV).run(dataset)
    assert (np.diff(falling.to_table()["flux"][:, 0]) < 0).all()
    np.testing.assert_allclose(falling.distance.value, [0.1, 0.3, 0.5], atol=1e-4)
    assert profile.plot().get_xlabel() == "Distance [deg]"


def test_a_region_is_the_flux_of_its_spectrum(dataset):
    profile = FluxProfileEstimator(line(), energy_edges=[1, 30] * u.TeV).run(dataset)
    spectrum = dataset.to_spectrum_dataset(line()[3])
    points = flux_points(spectrum.fit_inputs(), Models([SkyModel(PowerLawSpectralModel(), name="s")]), "s", [1, 30])
    assert float(profile.data["norm"][3, 0]) == pytest.approx(float(points["norm"][0]), rel=1e-9)
    assert float(profile.data["counts"][3, 0]) == float(points["counts"][0, 0])


def test_what_is_no_profile_is_said():
    with pytest.raises(ConfigError, match="expected at least two regions, got 1"):
        FluxProfileEstimator(line(1))
    with pytest.raises(ConfigError, match="there is nothing else to fit in a region"):
        FluxProfileEstimator(line(), reoptimize=True)
    with pytest.raises(ConfigError, match="expected at least two radii, got 1"):
        make_concentric_annulus_sky_regions(CRAB, "1 deg", nbin=1)
    with pytest.raises(ConfigError, match="expected two positions, got one twice"):
        make_orthogonal_rectangle_sky_regions(CRAB, CRAB)
