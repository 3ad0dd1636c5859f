"""Templates from files, and spectra of users: classes as Gammapy has them, functions of other packages."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table

from simulated_spectra import on_off_dataset, response_dataset
from xgamma import models as m
from xgamma.errors import ConfigError, ConfigTypeError, InputError, MissingInputError
from xgamma.fit import fit
from xgamma.modeling import Parameter
from xgamma.modeling.models import Models, PowerLawSpectralModel, SkyModel, SpectralModel
from xgamma.predict import npred_signal

DENSITY = u.Unit("cm-2 s-1 TeV-1")
ENERGY = np.array([0.5, 1.0, 3.0]) * u.TeV


class MyCustomSpectralModel(SpectralModel):
    """A class as the page of Gammapy on custom models has it: one name as its tag, no norm, no unit."""

    tag = "MyCustomSpectralModel"
    amplitude = Parameter("amplitude", "1e-12 cm-2 s-1 TeV-1", min=0)
    index = Parameter("index", 2, min=0)
    reference = Parameter("reference", "1 TeV", frozen=True)
    mean = Parameter("mean", "1 TeV", min=0)
    width = Parameter("width", "0.1 TeV", min=0, frozen=True)

    @staticmethod
    def evaluate(energy, index, amplitude, reference, mean, width):
        pwl = PowerLawSpectralModel.evaluate(energy=energy, index=index, amplitude=amplitude, reference=reference)
        gauss = amplitude * np.exp(-((energy - mean) ** 2) / (2 * width**2))
        return pwl + gauss


class OfQuantities(SpectralModel):
    """One that raises for plain numbers."""

    tag = ("OfQuantities", "of-quantities")
    amplitude = Parameter("amplitude", "1e-12 cm-2 s-1 TeV-1", is_norm=True)
    cut = Parameter("cut", "3000 GeV")

    @staticmethod
    def evaluate(energy, amplitude, cut):
        return amplitude * (energy.to("eV") / (1e12 * u.eV)) ** -2 * np.exp(-(energy / cut).to_value(""))


def test_a_class_written_for_gammapy_is_a_spectrum_here():
    model = MyCustomSpectralModel(mean="3 TeV")
    assert model.tag == ("MyCustomSpectralModel",)
    assert model.unit == DENSITY
    expected = 1e-12 * (ENERGY.value**-2 + np.exp(-((ENERGY.value - 3) ** 2) / 0.02))
    np.testing.assert_allclose(model(ENERGY).to_value(DENSITY), expected, rtol=1e-13)
    source = SkyModel(spectral_model=model, name="line")
    again = Models.from_yaml(Models([source]).to_yaml())["line"].spectral_model
    assert isinstance(again, MyCustomSpectralModel)
    assert again.mean.quantity == 3 * u.TeV
    assert SkyModel("MyCustomSpectralModel").spectral_model.index.value == 2


def test_a_formula_of_quantities_is_given_quantities():
    model = OfQuantities(cut="2 TeV", amplitude="2e-7 m-2 s-1 TeV-1")
    expected = 2e-11 * ENERGY.value**-2 * np.exp(-ENERGY.value / 2)
    np.testing.assert_allclose(model(ENERGY).to_value(DENSITY), expected, rtol=1e-13)
    assert model.canonical_unit == DENSITY
    ds = response_dataset()
    data = on_off_dataset(npred_signal(ds, Models([SkyModel(model, name="x")])).values, seed=1)
    assert fit([data], Models([SkyModel(OfQuantities(), name="x")])).success


class Wrong(SpectralModel):
    """One that raises for plain numbers and for quantities."""

    tag = "WrongOfTheTests"
    amplitude = Parameter("amplitude", "1e-12 cm-2 s-1 TeV-1", is_norm=True)

    @staticmethod
    def evaluate(energy, amplitude):
        return amplitude * energy.nothing


def test_a_formula_that_is_wrong_raises_what_is_wrong_with_it():
    with pytest.raises(AttributeError, match=r"ndarray.*nothing"):
        Wrong()(ENERGY)


def nu_f_nu(energy, strength, slope, field):
    """Energies in eV, an energy flux in erg cm-2 s-1."""
    return strength * (energy / 1e12) ** slope * np.exp(-energy / (1e13 * field))


PARAMETERS = {"strength": 1e-11, "slope": -0.3, "field": "1 G"}


def test_a_function_says_its_units():
    spectrum = m.wrapped(nu_f_nu, PARAMETERS, "erg cm-2 s-1", "eV", norm="strength")
    model = spectrum(slope=-0.5, field="2000 mG")
    at = ENERGY.to_value("TeV")
    expected = 1e-11 * at**-0.5 * np.exp(-at / 20) / at**2 * u.erg.to(u.TeV)
    np.testing.assert_allclose(model(ENERGY).to_value(DENSITY), expected, rtol=1e-13)
    assert model.norm_parameter is model.strength
    assert "nu_f_nu" in Models([SkyModel(model, name="x")]).to_yaml()
    again = Models.from_yaml(Models([SkyModel(model, name="x")]).to_yaml())["x"].spectral_model
    np.testing.assert_array_equal(again(ENERGY).value, model(ENERGY).value)
    np.testing.assert_allclose(model.dnde_gradient(at, wanted=[0])[0], expected / 1e-11, rtol=1e-12)
    found = model.dnde_gradient(at, wanted=[1])[0]
    np.testing.assert_allclose(found, expected * np.log(at), rtol=1e-6, atol=1e-20)


def test_a_function_may_take_quantities_and_be_a_factor():
    def law(energy, amplitude, cut):
        return amplitude * np.exp(-(energy / cut).to_value(""))

    defaults = {"amplitude": Parameter("amplitude", "1e-12 cm-2 s-1 GeV-1", min=0), "cut": 2 * u.TeV}
    model = m.wrapped(law, defaults, "cm-2 s-1 GeV-1", quantities=True, norm="amplitude", name="law")()
    np.testing.assert_allclose(model(ENERGY).to_value(DENSITY), 1e-9 * np.exp(-ENERGY.value / 2), rtol=1e-13)
    assert model.amplitude.min == 0
    factor = m.wrapped(lambda energy, depth: 1 - depth * (energy > 1), {"depth": 0.5}, "", name="step")()
    np.testing.assert_allclose((PowerLawSpectralModel() * factor)(ENERGY).value, [4e-12, 1e-12, 0.5e-12 / 9])


def test_what_is_wrong_with_a_function_is_said():
    with pytest.raises(ConfigError, match=r"nu_f_nu: expected values in a unit of dN/dE .*, got m"):
        m.wrapped(nu_f_nu, PARAMETERS, "m")
    with pytest.raises(ConfigError, match="nu_f_nu: expected energies in a unit of energy, got s"):
        m.wrapped(nu_f_nu, PARAMETERS, "erg cm-2 s-1", "s")
    with pytest.raises(ConfigError, match="its norm 'size' is none of its parameters strength, slope, field"):
        m.wrapped(nu_f_nu, PARAMETERS, "erg cm-2 s-1", norm="size")
    with pytest.raises(ConfigTypeError, match="slope: expected a number, a quantity or a Parameter"):
        m.wrapped(nu_f_nu, PARAMETERS | {"slope": [1]}, "erg cm-2 s-1")
    scalar = m.wrapped(lambda energy, size: size, {"size": 1.0}, "", name="scalar")()
    with pytest.raises(
        ConfigError, match=r"scalar: expected an array of shape \(3,\) .* got \(\); write the function for"
    ):
        scalar(ENERGY)


def test_templates_are_power_laws_and_lines_where_a_value_is_0():
    nodes = [1.0, 4.0, 16.0] * u.TeV
    steep = m.TemplateSpectralModel(nodes, [4.0, 1.0, 0.25] * DENSITY)
    assert steep.interp == "log"
    np.testing.assert_allclose(steep([2, 8, 32] * u.TeV).value, [2, 0.5, 0.125])
    edge = m.TemplateSpectralModel(nodes, [4.0, 1.0, 0.0] * DENSITY)
    assert edge.interp == "lin"
    # Half way in the logarithm of energy, and never below 0.
    np.testing.assert_allclose(edge([2, 8, 64] * u.TeV).value, [2.5, 0.5, 0.0])
    again = m.TemplateSpectralModel.from_dict(edge.to_dict())
    np.testing.assert_array_equal(again(nodes).value, [4, 1, 0])
    assert "interp" not in steep.to_dict()["spectral"]
    assert m.TemplateSpectralModel(nodes, [4.0, 1.0, 0.25] * DENSITY, "lin").interp == "lin"
    with pytest.raises(ConfigError, match=r"values: 1 of its 3 values are no numbers"):
        m.TemplateSpectralModel(nodes, [4.0, np.nan, 0.25] * DENSITY)
    with pytest.raises(ConfigError, match=r"values: 2 of its 3 values are below 0"):
        m.TemplateSpectralModel(nodes, [4.0, -1, -1] * DENSITY)
    with pytest.raises(ConfigError, match=r"interp: expected values above 0 for 'log'"):
        m.TemplateSpectralModel(nodes, [4.0, 1, 0] * DENSITY, "log")


def test_templates_are_read_from_tables(tmp_path):
    table = Table({"energy": [100.0, 1000.0] * u.GeV, "dnde": [1e-8, 1e-10] * u.Unit("m-2 s-1 GeV-1")})
    for name in ("t.ecsv", "t.fits"):
        table.write(tmp_path / name)
        model = m.TemplateSpectralModel.read(tmp_path / name, norm=2)
        np.testing.assert_allclose(model(1 * u.TeV).to_value(DENSITY), 2e-11)
    with pytest.raises(MissingInputError, match="no spectral template at"):
        m.TemplateSpectralModel.read(tmp_path / "none.fits")
    Table({"a": [1.0], "b": [2.0]}).write(tmp_path / "plain.ecsv")
    with pytest.raises(InputError, match="expected energies in its first column, got 'a' in no unit"):
        m.TemplateSpectralModel.read(tmp_path / "plain.ecsv")
    (tmp_path / "text.ecsv").write_text("words")
    with pytest.raises(InputError, match="is no table of two columns"):
        m.TemplateSpectralModel.read(tmp_path / "text.ecsv")


def test_an_xspec_table_is_read_at_its_nearest_node(tmp_path):
    low, high = np.array([1e9, 1e10]), np.array([1e10, 1e11])
    hdus = [
        fits.BinTableHDU.from_columns([fits.Column("VALUE", "2E", array=[[0.1, 0.2]])], name="PARAMETERS"),
        fits.BinTableHDU.from_columns(
            [fits.Column("ENERG_LO", "E", array=low), fits.Column("ENERG_HI", "E", array=high)], name="ENERGIES"
        ),
        fits.BinTableHDU.from_columns(
            [
                fits.Column("PARAMVAL", "E", array=[0.1, 0.2]),
                fits.Column("INTPSPEC", "2E", array=[[1, 0.5], [0.5, 0.0]]),
            ],
            name="SPECTRA",
        ),
    ]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "x.fits")
    model = m.TemplateSpectralModel.read_xspec_model(tmp_path / "x.fits", 0.17)
    np.testing.assert_allclose(model(np.sqrt([10, 100, 1000]) * u.TeV).value, [0.5, 0.25, 0.0], atol=1e-6)
    with pytest.raises(ConfigError, match=r"expected a parameter from 0.1 to 0.2, as .* has them, got 0.5"):
        m.TemplateSpectralModel.read_xspec_model(tmp_path / "x.fits", 0.5)
