"""Maps of fluxes in FITS: written with what Gammapy leaves out, and read from either."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fits_security import said, with_cards, with_changes

from xgamma.axes import Axis
from xgamma.errors import ConfigError, DataError, InputError, MissingInputError, OutputExistsError
from xgamma.formats.sky_maps.flux_maps import DIMS, read_flux_maps, write_flux_maps
from xgamma.sky import IMAGE, SkySpace

SPACE, ENERGY = SkySpace(320.3, -1.2, "galactic", 0.1, (8, 6)), Axis("energy", np.array([1.0, 3.0, 10.0]))
SPECTRUM = {
    "type": "PowerLawSpectralModel",
    "parameters": [
        {"name": "index", "value": 2.0},
        {"name": "amplitude", "value": 1e-12, "unit": "cm-2 s-1 TeV-1"},
        {"name": "reference", "value": 1.0, "unit": "TeV"},
    ],
}
NAMES = ("counts", "background", "npred_excess", "ts", "sqrt_ts", "norm", "norm_err", "norm_ul")


@pytest.fixture
def maps():
    return made()


def made():
    numbers = np.random.default_rng(1).normal(size=(len(NAMES), ENERGY.nbin, *SPACE.shape))
    numbers[:, :, 0, 0] = np.nan
    attrs = {"UL_CONF": 0.95, "n_sigma": 1.0, "n_sigma_ul": 2.0, "correlation_radius": 0.1, "spectrum": SPECTRUM}
    values = {name: (DIMS, own, {"units": "", "long_name": name}) for name, own in zip(NAMES, numbers, strict=True)}
    values["ref_flux"] = (("energy",), np.array([1e-12, 2e-13]), {"units": "cm-2 s-1"})
    return xr.Dataset(values, {**ENERGY.coords(), IMAGE: SPACE.coords()[IMAGE]}, attrs)


@pytest.mark.some_long(3)
@pytest.mark.parametrize("name", ["maps.fits", "maps.fits.gz"])
@pytest.mark.parametrize("sed_type", ["likelihood", "flux"])
def test_maps_of_fluxes_read_back_identical_whatever_they_are_written_as(tmp_path, maps, name, sed_type):
    files = write_flux_maps(maps, tmp_path / name, sed_type)
    assert [path.name for path in files] == [name, f"{name}_model.yaml"]
    xr.testing.assert_identical(read_flux_maps(files[0]), maps)


def test_limits_have_their_level_and_norms_their_spectrum_in_the_file(tmp_path, maps):
    path, model = write_flux_maps(maps, tmp_path / "maps.fits")
    header = fits.getheader(path)
    assert (header["UL_CONF"], header["NSIGMAUL"], header["CORRRAD"]) == (0.95, 2.0, 0.1)
    assert "".join(f"{line.strip()}\n" for line in fits.getdata(path, "MODEL")["DOCUMENT"]) == "".join(
        f"{line.strip()}\n" for line in model.read_text().splitlines()
    )


def test_fluxes_are_norms_times_the_flux_of_the_spectrum(tmp_path, maps):
    path = write_flux_maps(maps, tmp_path / "maps.fits", "flux")[0]
    with fits.open(path) as hdus:
        assert hdus["FLUX_UL"].header["BUNIT"] == "cm-2 s-1"
        np.testing.assert_array_equal(
            hdus["FLUX_UL"].data, maps["norm_ul"].values * np.array([1e-12, 2e-13])[:, None, None]
        )
        assert "NORM" not in hdus


def test_a_file_without_our_table_gives_maps_and_the_spectrum(tmp_path, maps):
    path, model = write_flux_maps(maps, tmp_path / "maps.fits")
    with fits.open(path) as hdus:
        del hdus["XGAMMA"], hdus["MODEL"], hdus[0].header["XGAMMA"], hdus[0].header["NSIGMAUL"]
        hdus.writeto(tmp_path / "theirs.fits")
    found = read_flux_maps(tmp_path / "theirs.fits")
    assert found.attrs["spectrum"] == SPECTRUM
    assert (found.attrs["UL_CONF"], "n_sigma_ul" in found.attrs) == (0.95, False)
    for name in NAMES:
        np.testing.assert_array_equal(found[name].values, maps[name].values)
    model.unlink()
    assert "spectrum" not in read_flux_maps(tmp_path / "theirs.fits").attrs


def test_maps_without_a_spectrum_have_no_model_and_no_flux(tmp_path, maps):
    bare = maps.drop_vars("ref_flux").drop_attrs(deep=False).assign_attrs(n_sigma=1.0)
    assert len(write_flux_maps(bare, tmp_path / "maps.fits")) == 1
    xr.testing.assert_identical(read_flux_maps(tmp_path / "maps.fits"), bare)
    with pytest.raises(DataError, match="no multiples of a spectrum, so that there is no flux to write"):
        write_flux_maps(bare, tmp_path / "flux.fits", "flux")


def test_raises_before_anything_is_written(tmp_path, maps):
    with pytest.raises(ConfigError, match="expected a name that ends in"):
        write_flux_maps(maps, tmp_path / "maps.txt")
    (tmp_path / "maps.fits_model.yaml").touch()
    with pytest.raises(OutputExistsError, match=r"maps.fits_model.yaml exists already"):
        write_flux_maps(maps, tmp_path / "maps.fits")
    with pytest.raises(DataError, match="There is no map to write"):
        write_flux_maps(maps.drop_vars(NAMES), tmp_path / "none.fits")
    assert [path.name for path in tmp_path.iterdir()] == ["maps.fits_model.yaml"]


def test_raises_for_a_file_that_lost_a_map(tmp_path, maps):
    path = write_flux_maps(maps, tmp_path / "maps.fits")[0]
    with fits.open(path) as hdus:
        del hdus["TS"]
        hdus.writeto(tmp_path / "lost.fits")
    with pytest.raises(InputError, match=r"has lost its image TS\. Write it again"):
        read_flux_maps(tmp_path / "lost.fits")
    with pytest.raises(MissingInputError, match="There is no file"):
        read_flux_maps(tmp_path / "none.fits")


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("fluxes") / "maps.fits"
    return write_flux_maps(made(), path)[0].read_bytes()


@pytest.mark.filterwarnings("ignore")
@settings(deadline=None)
@given(data=st.data())
def test_any_bytes_are_read_as_maps_of_fluxes_or_raise_an_error_of_ours(tmp_path_factory, content, data):
    path = tmp_path_factory.getbasetemp() / "fluxes.fits"
    path.write_bytes(data.draw(st.one_of(with_changes(content), with_cards(content))))
    said(lambda: read_flux_maps(path))
