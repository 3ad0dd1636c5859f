from __future__ import annotations

import logging

import numpy as np
import pytest
from astropy import units as u

from xgamma.errors import ConfigError, ConfigTypeError, UnknownNameError
from xgamma.models import LogParabolaSpectralModel, Models, Parameter, Parameters, PowerLawSpectralModel, SkyModel


def test_a_parameter_accepts_quantities_and_strings():
    assert Parameter("e", "500 GeV").quantity == 0.5 * u.TeV
    assert Parameter("e", 500 * u.GeV, "TeV").value == 0.5
    assert Parameter("a", 1, "cm-2 s-1 TeV-1", min="1e-4 m-2 s-1 TeV-1").min == pytest.approx(1e-8)
    parameter = Parameter("e", 1.0, "TeV")
    parameter.quantity = "2 GeV"
    assert (parameter.value, str(parameter.unit)) == (2.0, "GeV")


def test_a_number_that_yaml_reads_as_text_is_accepted():
    assert Parameter("a", "1e-12").value == 1e-12


@pytest.mark.parametrize("value", ["fast", "1 parsnip", [1, 2] * u.TeV, True, None])
def test_a_value_that_is_not_one_number_raises_with_the_name(value):
    with pytest.raises(ConfigError, match="ebreak"):
        Parameter("ebreak", value, "TeV" if value is True or value is None else "")


def test_a_unit_of_another_dimension_raises():
    with pytest.raises(ConfigError, match="'reference': expected a value in TeV, got one in deg"):
        PowerLawSpectralModel(reference="1 deg")


def test_a_number_without_its_unit_raises_with_what_to_write():
    with pytest.raises(ConfigError, match="write '1 TeV'"):
        PowerLawSpectralModel(reference=1)


def test_a_parameter_cannot_be_overwritten_by_a_number():
    model = PowerLawSpectralModel()
    with pytest.raises(ConfigTypeError, match=r"model\.index\.value = 2\.5"):
        model.index = 2.5


def test_a_value_outside_its_limits_gives_a_warning(caplog):
    parameter = Parameter("index", 5.0, min=0, max=4)
    with caplog.at_level(logging.WARNING):
        parameter.check_limits()
    assert "outside its limits [0, 4]" in caplog.text
    caplog.clear()
    parameter.frozen = True
    parameter.check_limits()
    assert not caplog.text


def test_parameters_are_found_by_name_position_and_themselves():
    parameters = PowerLawSpectralModel().parameters
    assert parameters["index"] is parameters[0] is parameters[parameters[0]]
    assert parameters[-1].name == "reference"
    assert parameters[:2].names == ["index", "amplitude"]
    assert "index" in parameters
    with pytest.raises(UnknownNameError, match="Did you mean 'index'"):
        parameters["indx"]
    with pytest.raises(IndexError):
        parameters[7]


def test_the_order_is_that_of_the_models_and_a_linked_parameter_is_free_once():
    first, second = PowerLawSpectralModel(), LogParabolaSpectralModel()
    second.alpha = first.index
    models = Models([SkyModel(first, name="a"), SkyModel(second, name="b")])
    assert models.parameters_unique_names == [
        "a.spectral.index", "a.spectral.amplitude", "a.spectral.reference",
        "b.spectral.amplitude", "b.spectral.reference", "b.spectral.alpha", "b.spectral.beta",
    ]  # fmt: skip
    assert len(models.parameters) == 7
    assert len(models.parameters.unique_parameters) == 6
    assert models.parameters.free_parameters.names == ["index", "amplitude", "amplitude", "beta"]
    assert list(models.to_parameters_table()["name"])[5] == "alpha"
    assert list(models.to_parameters_table()["link"]) == ["index@0001", "", "", "", "", "index@0001", ""]


def test_restore_status_puts_back_values_and_flags():
    parameters = Parameters([Parameter("a", 1.0), Parameter("b", 2.0, frozen=True)])
    with parameters.restore_status():
        parameters.value = [5, 6]
        parameters.unfreeze_all()
        assert len(parameters.free_parameters) == 2
    assert parameters.value.tolist() == [1, 2]
    assert parameters.free_parameters.names == ["a"]


def test_the_table_has_the_columns_and_formats_of_the_tutorial():
    model = PowerLawSpectralModel(index=2.676836990200946)
    table = model.parameters.to_table()
    assert table.colnames == ["type", "name", "value", "unit", "error", "min", "max", "frozen", "is_norm", "link"]
    lines = table.pformat(max_width=-1)
    assert lines[2].split() == ["spectral", "index", "2.6768e+00", "0.000e+00", "nan", "nan", "False", "False"]
    assert "cm-2 s-1 TeV-1" in lines[3]


def test_a_copy_shares_no_parameter():
    model = PowerLawSpectralModel()
    copied = model.copy(index=3)
    assert (copied.index.value, model.index.value) == (3, 2)
    assert not {id(p) for p in copied.parameters} & {id(p) for p in model.parameters}


def test_the_covariance_follows_the_errors_and_reaches_the_parts():
    model = SkyModel(PowerLawSpectralModel(), name="a")
    models = Models([model])
    models.covariance = np.array([[0.04, 1e-14, 0], [1e-14, 1e-24, 0], [0, 0, 0]])
    assert model.spectral_model.index.error == pytest.approx(0.2)
    assert model.spectral_model.covariance.data[0, 1] == 1e-14
    model.spectral_model.index.error = 0.3
    assert models.covariance.data[0, 0] == pytest.approx(0.09)
    assert models.covariance.data[0, 1] == 1e-14
    assert models.restrict_covariance(models.parameters.free_parameters).data.shape == (2, 2)
    assert models.covariance.correlation[0, 1] == pytest.approx(1e-14 / (0.3 * 1e-12))


def test_a_covariance_over_the_unique_parameters_reaches_every_model():
    first, second = PowerLawSpectralModel(), PowerLawSpectralModel()
    second.index = first.index
    models = Models([SkyModel(first, name="a"), SkyModel(second, name="b")])
    models.covariance = np.diag([0.01, 1e-26, 0, 4e-26, 0])
    assert second.covariance.data[0, 0] == pytest.approx(0.01)
    assert models.covariance.data[0, 3] == pytest.approx(0.01)
    with pytest.raises(ConfigError, match="one row a parameter"):
        models.covariance = np.eye(4)
