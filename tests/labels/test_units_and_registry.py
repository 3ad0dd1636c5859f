"""Quantities on input, and parameters of registered functions."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field

import pytest
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st

from registries import own_registry
from xgamma.errors import ConfigError, UnknownNameError
from xgamma.registry import lookup, names, normalize_parameters, provide, register
from xgamma.units import canonical, quantity_string, unit_string


@given(st.floats(1e-6, 1e6))
def test_a_change_of_unit_changes_nothing(value):
    in_gev = canonical(value * 1e3 * u.GeV, "TeV", "energy")
    assert canonical(f"{value!r} TeV", "TeV", "energy") == pytest.approx(in_gev)


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("TeV-1 s-1 cm-2", "cm-2 s-1 TeV-1"),
        ("cm-2 s-1 erg", "erg cm-2 s-1"),
        ("m2 s", "m2 s"),
        ("", ""),
        ("deg", "deg"),
    ],
)
def test_units_are_written_in_the_order_of_the_field(unit, text):
    assert unit_string(u.Unit(unit)) == text


def test_quantities_are_written_as_numbers_with_a_point():
    assert quantity_string(u.Quantity(30, "TeV")) == "30.0 TeV"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("1 deg", "expected a value in TeV"),
        (1.0, "no unit"),
        ("foo", "expected a number and a unit"),
        ("1 parsnips", "not a unit"),
        ("inf TeV", "expected a number and a unit"),
        (float("nan") * u.TeV, "finite"),
        (True, "expected a number and a unit"),
    ],
)
def test_a_quantity_that_is_not_an_energy_raises(value, words):
    with pytest.raises(ConfigError, match=words):
        canonical(value, "TeV", "energy")


def test_angles_may_be_sexagesimal():
    assert canonical("5h34m31.94s", "deg", "lon") == pytest.approx(83.633083, abs=1e-6)
    assert canonical("-22d00m52s", "deg", "lat") == pytest.approx(-22.014444, abs=1e-6)


@dataclass(frozen=True)
class _Settings:
    angle: float = field(default=0.1, metadata={"unit": "rad", "above": 0})
    count: int = field(default=3, metadata={"minimum": 1, "maximum": 5})
    flag: bool = False
    maybe: float | None = None


@register("test", "thing", parameters=_Settings)
def _thing() -> None:
    """Do nothing."""


def test_parameters_are_converted_and_defaults_filled_in():
    settings = normalize_parameters(lookup("test", "thing"), {"angle": "180 deg", "maybe": None}, "here")
    assert settings == _Settings(angle=pytest.approx(3.141592653589793))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"angel": 1}, "Did you mean 'angle'"),
        ({"angle": "1 TeV"}, "expected a value in rad"),
        ({"angle": -1}, "more than 0"),
        ({"count": 3.7}, "whole number"),
        ({"count": 0}, "at least 1"),
        ({"count": 6}, "at most 5"),
        ({"flag": "yes"}, "true or false"),
    ],
)
def test_wrong_parameters_raise_with_their_path(given, words):
    with pytest.raises(ConfigError, match=words) as caught:
        normalize_parameters(lookup("test", "thing"), given, "datasets.parameters")
    assert "datasets.parameters" in str(caught.value)


def test_an_unknown_name_raises_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'thing'"):
        lookup("test", "thnig")
    assert "thing" in names("test")


def test_modules_are_loaded_until_the_name_that_is_looked_up_is_there(tmp_path, monkeypatch):
    for name in ("first", "second"):
        text = f"from xgamma.registry import NoParameters, register\nregister('provided', '{name}')(NoParameters)\n"
        (tmp_path / f"registers_{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    own_registry(monkeypatch)
    provide("provided", "registers_first", "registers_second")
    assert lookup("provided", "first").name == "first"
    assert "registers_second" not in sys.modules
    assert names("provided") == ["first", "second"]


def test_a_name_of_xgamma_is_refused_before_its_module_is_loaded():
    code = (
        "from xgamma.errors import ConfigError\nfrom xgamma.reduce import Background, register\nimport sys\n"
        "assert 'xgamma.reduce.background.reflected' not in sys.modules\n"
        "try:\n    register('background', 'reflected')(type('Mine', (), {}))\n"
        "except ConfigError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "background 'reflected' is one of xgamma; register yours under another name.\n"
