"""4FGL, 3FGL, 3FHL and 2FHL: which cut-off is which, signs and gaps of errors, limits, sizes, maps in files."""

from __future__ import annotations

import math

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st
from made_catalogs import (
    UNITS_4FGL,
    fermi_4fgl_rows,
    table_hdu,
    write_2fhl,
    write_3fgl,
    write_3fhl,
    write_4fgl,
    write_hdus,
)

from xgamma.catalog import SourceCatalog2FHL, SourceCatalog3FGL, SourceCatalog3FHL, SourceCatalog4FGL
from xgamma.errors import ConfigError, InputError, MissingInputError
from xgamma.models import (
    DiskSpatialModel,
    GaussianSpatialModel,
    PointSpatialModel,
    SuperExpCutoffPowerLaw4FGLDR3SpectralModel,
    SuperExpCutoffPowerLaw4FGLSpectralModel,
    TemplateSpatialModel,
)
from xgamma.sources.fermi_shapes import position_errors

MAP = {"NAXIS": 2, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 312.75, "CRVAL2": 30.67, "CRPIX1": 6.0,
       "CRPIX2": 6.0, "CDELT1": -0.1, "CDELT2": 0.1}  # fmt: skip


class Fixed:
    """A row with some other numbers."""

    def __init__(self, row, numbers):
        self._row, self._numbers = row, numbers

    def __contains__(self, name):
        return name in self._row

    def number(self, name, unit=""):
        return self._numbers[name] if name in self._numbers else self._row.number(name, unit)


CRAB = "4FGL J0534.5+2200"
COCOON = "4FGL J2028.6+4110e"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fermi")


@pytest.fixture(scope="module")
def fgl4(folder):
    return SourceCatalog4FGL(write_4fgl(folder / "gll_psc_v32.fit"))


@pytest.fixture(scope="module")
def older(folder):
    return SourceCatalog4FGL(write_4fgl(folder / "gll_psc_v27.fit", dr3=False))


@pytest.fixture(scope="module")
def fgl3(folder):
    return SourceCatalog3FGL(write_3fgl(folder / "gll_psc_v16.fit"))


@pytest.fixture(scope="module")
def fhl3(folder):
    return SourceCatalog3FHL(write_3fhl(folder / "gll_psch_v13.fit"))


@pytest.fixture(scope="module")
def fhl2(folder):
    return SourceCatalog2FHL(write_2fhl(folder / "gll_psch_v09.fit"))


# --- spectra


def test_the_cut_off_before_dr3_counts_energies_in_mev(older):
    spectrum = older[CRAB].spectral_model()
    assert isinstance(spectrum, SuperExpCutoffPowerLaw4FGLSpectralModel)
    assert spectrum.reference.quantity.to_value("MeV") == pytest.approx(1343)
    energy, a, b = 10_000.0, 0.0035, 0.52
    by_hand = 1.1e-10 * (energy / 1343) ** -2.27 * math.exp(a * (1343**b - energy**b))
    assert spectrum(energy * u.MeV).to_value("cm-2 s-1 MeV-1") == pytest.approx(by_hand, rel=1e-4)


def test_the_cut_off_since_dr3_is_another_function(fgl4, older):
    spectrum = fgl4[CRAB].spectral_model()
    assert isinstance(spectrum, SuperExpCutoffPowerLaw4FGLDR3SpectralModel)
    x, a, b = 10_000.0 / 1343, 0.2337, 0.52
    by_hand = 1.1e-10 * x ** (a / b - 2.27) * math.exp(a / b**2 * (1 - x**b))
    assert spectrum(10 * u.GeV).to_value("cm-2 s-1 MeV-1") == pytest.approx(by_hand, rel=1e-4)
    before = older[CRAB].spectral_model()
    assert set(spectrum.parameters.names) == set(before.parameters.names)
    assert type(spectrum) is not type(before)


def test_an_error_that_is_missing_is_none(fgl4):
    assert fgl4[CRAB].spectral_model().index_2.error == 0
    assert fgl4[CRAB].spectral_model().index_1.error == pytest.approx(0.008)


def test_spectra_have_the_type_that_the_catalogue_chose(fgl4, fgl3, fhl3, fhl2):
    tags = [source.spectral_model().tag[1] for catalog in (fgl4, fgl3, fhl3, fhl2) for source in catalog]
    assert tags[:3] == ["secpl-4fgl-dr3", "lp", "pl"]
    assert tags[7:11] == ["pl", "lp", "ecpl-3fgl", "secpl-3fgl"]
    assert tags[11:13] == ["pl", "lp"]
    assert tags[15:] == ["pl-2", "pl-2"]


def test_the_amplitude_of_2fhl_is_its_flux_from_50_gev_to_2_tev(fhl2):
    assert fhl2[0].spectral_model().integral(50 * u.GeV, 2 * u.TeV).to_value("cm-2 s-1") == pytest.approx(1.5e-11)


def test_units_are_those_of_the_file(fhl3):
    spectrum = fhl3[0].spectral_model()
    assert spectrum(30.2 * u.GeV).to_value("cm-2 s-1 GeV-1") == pytest.approx(1.61e-12)


# --- flux points


def test_lower_errors_are_negative_in_the_file_only(fgl4):
    points = fgl4[CRAB].flux_points
    assert fgl4.table["Unc_Flux_Band"][0, 0, 0] < 0
    assert points.flux_errn.value[0] == pytest.approx(1.7e-8)
    assert points.flux_errp.value[0] == pytest.approx(1.5e-8)
    assert points.flux_err.value[0] == pytest.approx(1.6e-8)


def test_a_band_without_a_lower_error_is_a_limit_two_errors_above_its_tiny_flux(fgl4):
    points = fgl4[CRAB].flux_points
    assert points.is_ul.tolist() == [False, True, False, False, False, False, True, True]
    assert points.flux_ul.value[1] == pytest.approx(1.2e-12 + 2 * 1.7e-9)
    assert np.isnan(points.flux_ul.value[0])
    assert np.isnan(points.flux_errn.value[1])


def test_minus_infinity_in_3fgl_is_missing(fgl3):
    points = fgl3["3FGL J0000.1+6545"].flux_points
    assert points.is_ul.tolist() == [False] * 4 + [True]
    assert points.flux_ul.value[4] == pytest.approx(1e-17 + 4e-12)
    assert np.all(np.isfinite(points.flux_errn.value[:4]))
    assert fgl3[0].spectral_model().index.value == pytest.approx(1.9)


def test_fluxes_are_those_of_the_catalogue_and_densities_follow_the_spectrum(fgl4):
    source = fgl4[CRAB]
    points, spectrum = source.flux_points, source.spectral_model()
    assert points.flux.value == pytest.approx(source.row.numbers("Flux_Band", "cm-2 s-1"), rel=1e-6)
    ratio = points.flux / spectrum.integral(points.energy_min, points.energy_max)
    assert points.dnde.to_value("cm-2 s-1 TeV-1") == pytest.approx(
        (ratio * spectrum(points.energy_ref)).to_value("cm-2 s-1 TeV-1")
    )
    assert points.energy_min.to_value("MeV")[0] == pytest.approx(50)


def test_energy_fluxes_are_read_in_the_unit_of_the_file(folder, fhl3):
    assert fhl3[0].flux_points_table["e2dnde"].quantity.to_value("erg cm-2 s-1")[0] == pytest.approx(2.4e-12)
    catalog = SourceCatalog3FHL(fhl3.path)
    catalog.table["nuFnu"].unit = "MeV cm-2 s-1"
    catalog = catalog[np.ones(len(catalog), dtype=bool)]
    got = catalog[0].flux_points_table["e2dnde"].quantity.to_value("MeV cm-2 s-1")[0]
    assert got == pytest.approx(2.4e-12)


def test_without_bounds_of_bands_there_are_no_flux_points(folder):
    main = table_hdu("LAT_Point_Source_Catalog", fermi_4fgl_rows(dr3=True)[:1], UNITS_4FGL)
    catalog = SourceCatalog4FGL(write_hdus(folder / "less.fit", main))
    with pytest.raises(InputError, match=r"4FGL J0534.5.2200 has no flux points in its catalogue"):
        _ = catalog[0].flux_points


# --- light curves


def test_light_curves_are_fluxes_from_100_mev_to_100_gev_in_bins_of_mission_time(fgl4):
    source = fgl4[CRAB]
    curve = source.lightcurve()
    assert curve.flux.value.ravel() == pytest.approx([2.5e-9, 2.8e-9, 6e-12])
    assert curve.is_ul.ravel().tolist() == [False, False, True]
    assert curve.flux_ul.value.ravel()[2] == pytest.approx(6e-12 + 2 * 1.9e-9)
    assert curve.energy_min.to_value("MeV").item() == pytest.approx(100)
    assert curve.energy_max.to_value("GeV").item() == pytest.approx(100)
    # Mission time counts from the start of 2001, in TT, of which UTC was 64.184 s behind.
    first = Time(51910 + 7.428703703703703e-4, format="mjd", scale="tt") + 239557417 * u.s
    assert abs((curve.time_min[0] - first).to_value("s")) < 1e-3
    reference = source.spectral_model()
    expected = 2.5e-9 * reference(curve.energy_ref) / reference.integral(100 * u.MeV, 100 * u.GeV).to_value("cm-2 s-1")
    assert curve.dnde.ravel()[0].to_value("cm-2 s-1 TeV-1") == pytest.approx(expected.to_value("cm-2 s-1 TeV-1").item())


def test_minus_infinity_in_a_light_curve_of_3fgl_is_missing(fgl3):
    curve = fgl3[0].lightcurve()
    assert curve.is_ul.ravel().tolist() == [False, True]
    assert curve.flux_ul.value.ravel()[1] == pytest.approx(6e-8)


def test_light_curves_that_a_catalogue_does_not_have_are_refused(fgl4):
    with pytest.raises(InputError, match="has no light curve of bins of 2-month in its catalogue"):
        fgl4[0].lightcurve("2-month")
    with pytest.raises(ConfigError, match=r"interval: there is no '1-years'. Did you mean '1-year'"):
        fgl4[0].lightcurve("1-years")


# --- positions and morphologies


def test_errors_of_positions_are_those_of_the_ellipse_along_both_axes(fgl4, fhl2):
    place = fgl4["4FGL J0000.3-7355"].spatial_model()
    assert isinstance(place, PointSpatialModel)
    scale = math.sqrt(-2 * math.log(0.05))
    assert place.lat_0.error == pytest.approx(0.05 / scale)
    assert place.lon_0.error == pytest.approx(0.04 / scale / math.cos(math.radians(73.922)), rel=1e-5)
    assert fhl2[0].spatial_model().lat_0.error == pytest.approx(0.03 / 1.5095921854516636)


def test_a_turned_ellipse_gives_its_long_axis_to_the_longitude(folder, fgl4):
    catalog = SourceCatalog4FGL(fgl4.path)
    catalog.table["Conf_95_PosAng"][2] = 90.0
    place = catalog[np.arange(7) == 2][0].spatial_model()
    assert place.lat_0.error == pytest.approx(0.04 / math.sqrt(-2 * math.log(0.05)))


def test_the_size_of_a_gaussian_is_the_radius_of_68_percent(fgl4, fhl3):
    for place in (fgl4[COCOON].spatial_model(), fhl3["3FHL J2026.7+4109e"].spatial_model()):
        assert isinstance(place, GaussianSpatialModel)
        assert 1 - math.exp(-0.5 * (3.0 / place.sigma.value) ** 2) == pytest.approx(0.68)
        assert place.sigma.value == pytest.approx(1.98729, rel=1e-5)


def test_the_size_of_a_disk_is_its_radius_and_angles_count_from_north_to_east(fgl4, fhl2):
    disk = fgl4["4FGL J1923.2+1408e"].spatial_model()
    assert isinstance(disk, DiskSpatialModel)
    assert (disk.frame, disk.r_0.value, disk.phi.value) == ("icrs", pytest.approx(0.375), 30.0)
    assert disk.r_0.value * math.sqrt(1 - disk.e.value**2) == pytest.approx(0.26)
    round_disk = fhl2["2FHL J1409.1-6121e"].spatial_model()
    assert (round_disk.r_0.value, round_disk.e.value) == (pytest.approx(0.7331), 0)


def test_positions_are_in_double_precision(fgl4):
    assert fgl4.table["RAJ2000"].dtype == np.float32
    assert fgl4.positions.ra.dtype == np.float64
    assert fgl4.positions.ra.deg[0] == float(np.float32(83.637))


def test_a_map_is_looked_for_when_its_model_is_asked_for(folder, fgl4):
    source = fgl4["4FGL J2051.0+3049e"]
    assert not source.is_pointlike
    assert source.spectral_model().index.value == pytest.approx(2.2)
    with pytest.raises(MissingInputError, match=r"CygnusLoop.fits, the map of .*Extended_14years/Templates"):
        source.sky_model()


@pytest.mark.parametrize("where", ["beside", "given"])
def test_a_map_is_read_from_the_archive_beside_the_catalogue_or_from_a_folder(tmp_path, where):
    folder = tmp_path / ("Extended_14years/Templates" if where == "beside" else "maps")
    folder.mkdir(parents=True)
    image = fits.PrimaryHDU(np.ones((11, 11)), WCS(fits.Header(MAP)).to_header())
    image.writeto(folder / "CygnusLoop.fits.gz")
    templates = {} if where == "beside" else {"templates": folder}
    place = SourceCatalog4FGL(write_4fgl(tmp_path / "gll_psc_v32.fit"), **templates)[6].spatial_model()
    assert isinstance(place, TemplateSpatialModel)
    assert place.filename.endswith("CygnusLoop.fits.gz")
    assert place.position.icrs.ra.deg == pytest.approx(312.75)
    assert place.density(312.75, 30.67) == pytest.approx(1 / (11**2 * 0.1**2 * math.radians(1) ** 2), rel=1e-3)


# --- names


def test_an_alias_finds_its_source_and_one_of_several_is_refused(fgl4):
    assert fgl4["PSR J0534+2200"].name == CRAB
    assert fgl4["Cygnus Cocoon"].name == COCOON
    with pytest.raises(ConfigError, match=r"'Crab' stands for 2 sources of 4fgl: 4FGL J0534.5\+2200, 4FGL J"):
        _ = fgl4["Crab"]


def test_catalogues_of_fermi_are_told_from_each_other(fgl4, fhl3):
    with pytest.raises(InputError, match=r"is not the catalogue 3fhl: .* Read it with SourceCatalog4FGL"):
        SourceCatalog3FHL(fgl4.path)
    with pytest.raises(InputError, match=r"is not the catalogue 4fgl: .* Read it with SourceCatalog3FHL"):
        SourceCatalog4FGL(fhl3.path)


def test_spectra_and_forms_that_are_not_known_are_named(fgl4):
    catalog = SourceCatalog4FGL(fgl4.path)
    catalog.table["SpectrumType"][2] = "PowerLaws"
    catalog.tables["EXTENDEDSOURCES"]["Model_Form"][0] = "Cube"
    changed = catalog[np.ones(7, dtype=bool)]
    with pytest.raises(InputError, match=r"has the spectrum 'PowerLaws' in its catalogue. Did you mean 'PowerLaw'"):
        changed[2].spectral_model()
    with pytest.raises(InputError, match=r"4FGL J1409.1-6121e is of the form 'Cube' in its catalogue"):
        changed[3].spatial_model()


def test_a_morphology_without_a_size_is_refused_and_never_a_model_of_nan(fgl4):
    catalog = SourceCatalog4FGL(fgl4.path)
    catalog.tables["EXTENDEDSOURCES"]["Model_SemiMajor"][0] = np.nan
    changed = catalog[np.ones(7, dtype=bool)]
    with pytest.raises(InputError, match=r"A DiskSpatialModel of the catalogue has no r_0: its row lacks the numbers"):
        changed[3].spatial_model()


@given(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(-360, 360))
def test_the_errors_along_both_axes_have_the_area_or_more_of_their_ellipse(fgl4, long, short, angle):
    row = fgl4[2].row
    numbers = {"Conf_95_SemiMajor": long, "Conf_95_SemiMinor": short, "Conf_95_PosAng": angle}
    errors = position_errors(Fixed(row, numbers), 0.0)
    scale = math.sqrt(-2 * math.log(0.05))
    assert math.hypot(*errors.values()) * scale == pytest.approx(math.hypot(long, short))
    assert math.prod(errors.values()) * scale**2 >= long * short * (1 - 1e-9)
    turned = position_errors(Fixed(row, numbers | {"Conf_95_PosAng": angle + 90}), 0.0)
    assert turned["lon_0"] == pytest.approx(errors["lat_0"], rel=1e-6)


def test_all_sources_become_models(fhl3):
    models = fhl3.to_models()
    assert models.names == fhl3.names
    assert models["3FHL J0534.5+2201"].spectral_model.tag[1] == "lp"
