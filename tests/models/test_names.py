"""Names of models and parameters: any text survives writing and reading; no two parameters share one."""

from __future__ import annotations

import fnmatch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgamma.models import Models, PowerLawNormSpectralModel, PowerLawSpectralModel, SkyModel
from xgamma.models.files import covariance_text, read_covariance


def two_power_laws():
    """Return two sources that share an index, the first of them a sum of two power laws."""
    both = PowerLawSpectralModel(index=2.0) + PowerLawSpectralModel(index=3.0)
    second = PowerLawSpectralModel()
    second.index = both.model1.index
    return Models([SkyModel(both, name="sum"), SkyModel(second, name="other")])


NAMES = [
    "HESS J0|A",
    "|",
    "a | b",
    "Crab-ä",
    "日本",
    "a \"b\" 'c'",
    " blanks ",
    "a.model1.b",
    "x: y # z",
    "null",
    "1e3",
]


@given(st.lists(st.sampled_from(["*", "a", "b", "-", ".", "[a]", "?"]), max_size=5), st.text("ab-.[]?*", max_size=8))
def test_a_star_in_the_name_of_datasets_stands_for_any_text(parts, name):
    pattern = "".join(parts)
    model = SkyModel(PowerLawSpectralModel(), name="any", datasets_names=[pattern])
    plain = pattern.replace("[", "[[]").replace("?", "[?]")
    assert model.applies_to(name) == fnmatch.fnmatchcase(name, plain)
    assert model.applies_to(pattern)


@pytest.mark.parametrize("name", NAMES)
def test_any_name_survives_the_document_and_its_covariance(name, tmp_path):
    models = Models([SkyModel(PowerLawSpectralModel(), name=name), SkyModel(PowerLawSpectralModel(), name="other")])
    matrix = np.diag(np.arange(1.0, 7.0))
    matrix[0, 4] = matrix[4, 0] = 0.5
    models.covariance = matrix
    models.write(tmp_path / "models.yaml")
    back = Models.read(tmp_path / "models.yaml")
    assert back.names == [name, "other"]
    np.testing.assert_array_equal(back.covariance.data, matrix)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=3, unique=True))
def test_a_covariance_file_holds_any_names(tmp_path_factory, names):
    path = tmp_path_factory.getbasetemp() / "covariance.dat"
    matrix = np.arange(len(names) ** 2, dtype=float).reshape(len(names), len(names))
    path.write_text(covariance_text([f"m{name}.spectral.index" for name in names], matrix), encoding="utf-8")
    np.testing.assert_array_equal(read_covariance(path, [f"m{name}.spectral.index" for name in names]), matrix)


def test_parts_of_a_compound_have_names_of_their_own():
    models = two_power_laws()
    assert models.parameters_unique_names == [
        *(f"sum.spectral.model{part}.{name}" for part in (1, 2) for name in ("index", "amplitude", "reference")),
        *(f"other.spectral.{name}" for name in ("index", "amplitude", "reference")),
    ]
    nested = models["sum"].spectral_model * PowerLawNormSpectralModel()
    assert nested.qualified_names[3:7] == ["model1.model2.index", "model1.model2.amplitude", "model1.model2.reference",
                                           "model2.tilt"]  # fmt: skip
    table = models.to_parameters_table()
    assert list(table["name"][:2]) == ["model1.index", "model1.amplitude"]
    assert list(table["name"][6:]) == ["index", "amplitude", "reference"]


def test_a_name_that_only_one_part_of_a_compound_has_is_shown_alone():
    source = SkyModel(PowerLawSpectralModel() * PowerLawNormSpectralModel(), name="x")
    shown = [name for *_, name in source.parameter_places]
    assert shown == ["index", "amplitude", "model1.reference", "tilt", "norm", "model2.reference"]


def test_the_covariance_of_a_compound_is_read_by_either_kind_of_name(tmp_path):
    models = two_power_laws()
    matrix = np.diag([1.0, 2, 0, 4, 5, 0, 1, 8, 0])
    matrix[0, 6] = matrix[6, 0] = 1.0
    models.covariance = matrix
    models.write(tmp_path / "models.yaml")
    text = (tmp_path / "models_covariance.dat").read_text()
    assert "sum.spectral.model2.index" in text
    np.testing.assert_array_equal(Models.read(tmp_path / "models.yaml").covariance.data, matrix)
    # Gammapy 1 and earlier versions of xgamma left the part out.
    plain = text.replace(".model1", "").replace(".model2", "")
    (tmp_path / "models_covariance.dat").write_text(plain)
    np.testing.assert_array_equal(Models.read(tmp_path / "models.yaml").covariance.data, matrix)


def test_a_link_between_two_models_is_printed_at_both():
    models = two_power_laws()
    lines = [line.split(":")[0].strip() for line in str(models).splitlines() if "@" in line]
    assert lines == ["index@0001", "index@0001"]
    back = Models.from_yaml(models.to_yaml())
    assert back["other"].spectral_model.index is back["sum"].spectral_model.model1.index
    assert str(back) == str(models)
