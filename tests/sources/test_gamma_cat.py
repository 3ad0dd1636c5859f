"""gamma-cat: both widths of a Gaussian, its angle and the frame of that, measured positions, FITS and YAML."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_catalogs import write_gamma_cat, write_gamma_cat_yaml

from xgamma.catalog import SourceCatalogGammaCat
from xgamma.errors import InputError
from xgamma.models import GaussianSpatialModel, ShellSpatialModel


@pytest.fixture(scope="module")
def gammacat(tmp_path_factory):
    return SourceCatalogGammaCat(write_gamma_cat(tmp_path_factory.mktemp("gammacat") / "gammacat.fits"))


@pytest.fixture(scope="module")
def yaml(tmp_path_factory):
    return SourceCatalogGammaCat(write_gamma_cat_yaml(tmp_path_factory.mktemp("gammacat") / "gammacat.yaml"))


def minor(place):
    return place.sigma.value * math.sqrt(1 - place.e.value**2)


def test_a_gaussian_has_both_widths_its_angle_and_the_frame_of_that(gammacat):
    place = gammacat["Vela X"].spatial_model()
    assert isinstance(place, GaussianSpatialModel)
    assert (place.frame, place.phi.value, place.phi.error) == ("icrs", 41.0, 7.0)
    assert (place.sigma.value, minor(place)) == (pytest.approx(0.48), pytest.approx(0.36))
    assert place.sigma.error == pytest.approx(0.03)


def test_the_second_width_may_be_the_larger_one(gammacat):
    place = gammacat["Across"].spatial_model()
    assert (place.frame, place.phi.value) == ("galactic", 120.0)
    assert (place.sigma.value, minor(place)) == (pytest.approx(0.5), pytest.approx(0.2))
    assert place.sigma.error == pytest.approx(0.04)


def test_morphologies_are_where_they_were_measured(gammacat):
    source = gammacat["Vela X"]
    assert source.position.ra.deg == pytest.approx(128.287)
    assert source.spatial_model().lon_0.value == pytest.approx(128.75)
    assert source.spatial_model().lon_0.error == pytest.approx(0.02 / math.cos(math.radians(45.6)), rel=1e-5)
    assert gammacat["Point"].spatial_model().lon_0.value == pytest.approx(263.332)


def test_the_size_of_a_shell_is_its_outer_radius(gammacat):
    shell = gammacat["Shell"].spatial_model()
    assert isinstance(shell, ShellSpatialModel)
    assert (shell.radius.value, shell.width.value) == (pytest.approx(0.216), pytest.approx(0.054))


def test_cut_offs_are_turned_into_their_inverse_with_their_errors(gammacat):
    spectrum = gammacat["HESS J0835-455"].spectral_model()
    assert spectrum.lambda_.value == pytest.approx(1 / 14)
    assert spectrum.lambda_.error == pytest.approx(1.6 / 14**2)


def test_an_integral_flux_without_an_end_goes_far(gammacat):
    spectrum = gammacat["Round"].spectral_model()
    assert spectrum.emax.quantity.to_value("TeV") == 1e5
    assert spectrum.amplitude.value == pytest.approx(4.2e-12)


def test_a_source_without_numbers_has_no_models(gammacat):
    source = gammacat["Nothing"]
    assert source.spectral_model() is source.spatial_model() is source.flux_points_table is None
    with pytest.raises(InputError, match="Nothing has no spectrum in its catalogue"):
        source.sky_model()


def test_flux_points_without_a_value_are_limits(gammacat):
    points = gammacat["Vela X"].flux_points
    assert points.is_ul.tolist() == [False, False, True]
    assert points.dnde_errp.to_value("cm-2 s-1 TeV-1")[:2] == pytest.approx([4e-12, 2e-12])
    assert points.dnde_ul.to_value("cm-2 s-1 TeV-1")[2] == pytest.approx(2e-12)
    assert np.isnan(points.dnde.value[2])


def test_yaml_says_the_same_as_fits(gammacat, yaml):
    assert yaml.names == gammacat.names
    for ours, theirs in zip(yaml, gammacat, strict=True):
        for one, other in (
            (ours.spectral_model(), theirs.spectral_model()),
            (ours.spatial_model(), theirs.spatial_model()),
        ):
            assert type(one) is type(other)
            for parameter in () if one is None else one.parameters:
                assert parameter.value == pytest.approx(other.parameters[parameter.name].value, rel=1e-6)
                assert parameter.error == pytest.approx(other.parameters[parameter.name].error, rel=1e-6)


def test_yaml_has_no_flux_points(yaml):
    with pytest.raises(InputError, match="Vela X has no flux points in its catalogue"):
        _ = yaml["Vela X"].flux_points


def test_aliases_are_lists(gammacat):
    assert gammacat["Another name"].name == "Across"


def test_a_frame_that_is_not_known_is_named(gammacat):
    catalog = SourceCatalogGammaCat(gammacat.path)
    catalog.table["morph_pa_frame"][0] = "fk4"
    with pytest.raises(InputError, match="Vela X has a position angle in the frame 'fk4' in its catalogue"):
        catalog[np.arange(6) == 0][0].spatial_model()
