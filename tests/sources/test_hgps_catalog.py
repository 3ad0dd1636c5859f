"""The H.E.S.S. Galactic plane survey: inverse cut-offs, shells, Gaussians without a size, sources of several."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from made_catalogs import write_hgps

from xgamma.catalog import SourceCatalogHGPS
from xgamma.errors import ConfigError, InputError
from xgamma.models import GaussianSpatialModel, PointSpatialModel, ShellSpatialModel


@pytest.fixture(scope="module")
def hgps(tmp_path_factory):
    return SourceCatalogHGPS(write_hgps(tmp_path_factory.mktemp("hgps") / "hgps_catalog_v1.fits"))


def test_cut_offs_of_the_survey_are_inverse(hgps):
    spectrum = hgps["HESS J0835-455"].spectral_model()
    assert spectrum.lambda_.quantity.to_value("TeV-1") == pytest.approx(0.078)
    cut = spectrum(5 * u.TeV) / (6e-12 * u.Unit("cm-2 s-1 TeV-1") * (5 / 1.7) ** -2.06)
    assert cut.to_value("") == pytest.approx(np.exp(-0.078 * 5), rel=1e-5)


def test_without_a_flux_at_the_pivot_the_one_at_1_tev_counts(hgps):
    spectrum = hgps["RX J1713.7-3946"].spectral_model()
    assert spectrum.reference.quantity == 1 * u.TeV
    assert spectrum.amplitude.value == pytest.approx(2.1e-11)
    assert spectrum.amplitude.error == pytest.approx(9e-13)


def test_another_spectrum_can_be_asked_for(hgps):
    assert hgps["HESS J0835-455"].spectral_model("pl").tag[1] == "pl"
    assert hgps["HESS J1119-614"].spectral_model("ecpl") is None
    with pytest.raises(ConfigError, match=r"which: there is no 'pll'. Did you mean 'pl'"):
        hgps[0].spectral_model("pll")


def test_the_size_of_a_shell_is_its_outer_radius(hgps):
    shell = hgps["HESS J1731-347"].spatial_model()
    assert isinstance(shell, ShellSpatialModel)
    assert shell.radius.value + shell.width.value == pytest.approx(0.27)
    assert shell.width.value == pytest.approx(0.05 * 0.27)
    assert shell.radius.error == pytest.approx(0.95 * 0.02)


def test_a_gaussian_of_size_0_is_a_point(hgps):
    assert isinstance(hgps["HESS J1808-204"].spatial_model(), PointSpatialModel)
    assert isinstance(hgps["HESS J1119-614"].spatial_model(), PointSpatialModel)


def test_a_gaussian_whose_size_only_its_component_has_is_its_component(hgps):
    place = hgps["HESS J1018-589"].spatial_model()
    assert isinstance(place, GaussianSpatialModel)
    assert place.sigma.value == pytest.approx(0.06)
    assert hgps["HESS J1018-589"].components_models().names == ["HGPSC 003"]


def test_several_gaussians_share_the_flux_of_their_source(hgps):
    source = hgps["HESS J1843-033"]
    models = source.components_models()
    assert models.names == ["HGPSC 001", "HGPSC 002"]
    band = (1 * u.TeV, 10 * u.TeV)
    shares = [
        (model.spectral_model.integral(*band) / source.spectral_model().integral(*band)).value for model in models
    ]
    assert sum(shares) == pytest.approx(1)
    assert shares[0] == pytest.approx(1.34 / 2.88)
    with pytest.raises(InputError, match="is made of 2 Gaussians: use components_models"):
        source.spatial_model()


def test_several_gaussians_are_one_map_with_the_spectrum_of_their_source(hgps):
    source = hgps["HESS J1843-033"]
    merged, parts = source.sky_model(), source.components_models()
    assert merged.name == source.name
    assert merged.spectral_model.amplitude.value == source.spectral_model().amplitude.value
    lon, lat = np.array([29.05, 28.77, 28.9, 29.3]), np.array([0.24, -0.07, 0.08, 0.1])
    shares = (1.34 / 2.88, 1.54 / 2.88)
    exact = sum(share * part.spatial_model.density(lon, lat) for share, part in zip(shares, parts, strict=True))
    # Between the pixels of the map there are lines, which preserve its sum.
    assert merged.spatial_model.density(lon, lat) == pytest.approx(exact, rel=1e-2)


def test_a_point_among_several_gaussians_is_in_no_map(hgps):
    catalog = SourceCatalogHGPS(hgps.path)
    catalog.tables["HGPS_GAUSS_COMPONENTS"]["Size"][1] = 0.0
    with pytest.raises(InputError, match="HESS J1843-033 has a component without a size, which no map shows"):
        catalog[0].sky_model()
    assert [model.spatial_model.tag[1] for model in catalog[0].components_models()] == ["gauss", "point"]


def test_linked_gaussians_have_one_index(hgps):
    first, second = hgps["HESS J1843-033"].components_models(linked=True)
    assert first.spectral_model.index is second.spectral_model.index
    assert first.spectral_model.amplitude is not second.spectral_model.amplitude
    apart = hgps["HESS J1843-033"].components_models()
    assert apart[0].spectral_model.index is not apart[1].spectral_model.index


def test_limits_of_flux_points_are_told_by_bytes(hgps):
    assert hgps.table["Flux_Points_Flux_Is_UL"].dtype == np.uint8
    points = hgps["HESS J1119-614"].flux_points
    assert points.is_ul.tolist() == [False, False, True]
    assert points.energy_ref.to_value("TeV") == pytest.approx([0.33, 0.79, 1.96])
    assert points.dnde_ul.to_value("cm-2 s-1 TeV-1") == pytest.approx([4.5e-11, 6.7e-12, 4e-13])


def test_all_sources_become_models_each_gaussian_one(hgps):
    assert hgps.to_models().names[:3] == ["HGPSC 001", "HGPSC 002", "HESS J1713-397"]
    assert len(hgps.to_models(components_status="linked")) == 8
    assert hgps.to_models(components_status="merged").names == hgps.names
    with pytest.raises(ConfigError, match=r"components_status: there is no 'merge'. Did you mean 'merged'"):
        hgps.to_models(components_status="merge")


def test_energies_that_the_catalogue_does_not_have_are_those_of_the_survey(hgps):
    assert hgps[0].energy_range.to_value("TeV") == pytest.approx([0.22, 50])


def test_objects_near_a_source_are_printed(hgps):
    text = hgps["HESS J1843-033"].info("associations")
    assert "G28.6-0.1" in text
    assert "G28.6-0.1" not in hgps["HESS J1119-614"].info("basic,associations")
    assert len(hgps.table_associations) == 2
