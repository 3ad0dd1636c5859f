"""2HWC and 3HWC: the signs of their files, the pivot that no column says, points and disks."""

from __future__ import annotations

import logging

import astropy.units as u
import numpy as np
import pytest
from made_catalogs import write_2hwc, write_3hwc

from xgamma.catalog import CATALOG_REGISTRY, SourceCatalog2HWC, SourceCatalog3HWC
from xgamma.errors import ConfigError, InputError
from xgamma.models import DiskSpatialModel, PointSpatialModel


@pytest.fixture(scope="module")
def hwc3(tmp_path_factory):
    return SourceCatalog3HWC(write_3hwc(tmp_path_factory.mktemp("hwc") / "3HWC.ecsv"))


@pytest.fixture(scope="module")
def hwc2(tmp_path_factory):
    return SourceCatalog2HWC(write_2hwc(tmp_path_factory.mktemp("hwc") / "2HWC.ecsv"))


def test_indices_and_lower_errors_of_3hwc_are_negative_in_the_file_only(hwc3):
    spectrum = hwc3["3HWC J0621+382"].spectral_model()
    assert hwc3.table["spec0_index"][1] == -2.41
    assert spectrum.index.value == 2.41
    assert spectrum.index.error == pytest.approx(0.125)
    assert spectrum.amplitude.error == pytest.approx(1.45e-15)


def test_fluxes_of_hawc_are_at_7_tev(hwc3):
    spectrum = hwc3[0].spectral_model()
    assert spectrum.reference.quantity == 7 * u.TeV
    assert spectrum(7 * u.TeV).to_value("cm-2 s-1 TeV-1") == pytest.approx(9e-15)


def test_a_radius_of_0_is_a_point_and_another_one_a_disk(hwc3):
    point, disk = hwc3[0].spatial_model(), hwc3[1].spatial_model()
    assert isinstance(point, PointSpatialModel)
    assert isinstance(disk, DiskSpatialModel)
    assert (disk.frame, disk.lon_0.value, disk.lat_0.value, disk.r_0.value) == ("galactic", 175.444, 10.966, 0.5)
    assert disk.lat_0.error == 0.3
    assert disk.lon_0.error == pytest.approx(0.3 / np.cos(np.deg2rad(10.966)))


def test_a_source_without_numbers_has_no_spectrum_and_is_left_out_with_a_warning(hwc3, caplog):
    assert hwc3[2].spectral_model() is None
    with pytest.raises(InputError, match="3HWC J0659\\+147 has no spectrum in its catalogue"):
        hwc3[2].sky_model()
    with caplog.at_level(logging.WARNING):
        models = hwc3.to_models()
    assert models.names == ["3HWC J0534+220", "3HWC J0621+382"]
    assert "1 of 3 sources of 3hwc have no spectrum in the catalogue and are left out: 3HWC J0659+147." in caplog.text


def test_sources_of_2hwc_are_a_point_or_extended(hwc2):
    source = hwc2["2HWC J0631+169"]
    assert [each.n_models for each in hwc2] == [1, 2]
    assert source.sky_model().spectral_model.index.value == 2.57
    extended = source.sky_model("extended")
    assert extended.spectral_model.index.value == 2.23
    assert extended.spatial_model.r_0.value == 2.0
    with pytest.raises(InputError, match="2HWC J0534\\+220 was not measured as extended"):
        hwc2[0].sky_model("extended")
    with pytest.raises(ConfigError, match="expected 'point' or 'extended', got 'disk'"):
        source.spatial_model("disk")


def test_hawc_has_no_flux_points(hwc3):
    with pytest.raises(InputError, match="3HWC J0534\\+220 has no flux points in its catalogue"):
        _ = hwc3[0].flux_points


def test_the_register_finds_catalogues_by_their_tags(hwc3):
    assert CATALOG_REGISTRY.get_cls("3hwc") is SourceCatalog3HWC
    assert SourceCatalog2HWC in CATALOG_REGISTRY
    assert "SourceCatalog3HWC" in str(CATALOG_REGISTRY)
