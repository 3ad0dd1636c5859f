from __future__ import annotations

import logging

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st

from xgamma.errors import (
    ConfigError,
    ConfigTypeError,
    LaterError,
    MissingInputError,
    OutputError,
    OutputExistsError,
    UnknownNameError,
)
from xgamma.modeling import Parameters
from xgamma.modeling.models import (
    EBLAbsorptionNormSpectralModel,
    ExpDecayTemporalModel,
    FoVBackgroundModel,
    GaussianSpatialModel,
    LogParabolaNormSpectralModel,
    LogParabolaSpectralModel,
    Models,
    PiecewiseNormSpectralModel,
    PointSpatialModel,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    ScaleSpectralModel,
    SkyModel,
    TemplateNPredModel,
    TemplateSpectralModel,
)

TUTORIAL = """
components:
- name: crab
  type: SkyModel
  spectral:
    type: PowerLawSpectralModel
    parameters:
      - name: index
        frozen: false
        scale: 1.0
        unit: ''
        value: 2.6
      - name: amplitude
        frozen: false
        scale: 1.0
        unit: cm-2 s-1 TeV-1
        value: 5.0e-11
      - name: reference
        frozen: true
        scale: 1.0
        unit: TeV
        value: 1.0
"""

PRINTED = """Models

Component 0: SkyModel

  Name                      : crab
  Datasets names            : None
  Spectral model type       : PowerLawSpectralModel
  Spatial  model type       :
  Temporal model type       :
  Parameters:
    index                         : 2.6
    amplitude                     : 5e-11 cm-2 s-1 TeV-1
    reference             (frozen): 1 TeV
"""

WRITTEN = """components:
-   name: crab
    type: SkyModel
    spectral:
        type: PowerLawSpectralModel
        parameters:
        -   name: index
            value: 2.676836990200946
            error: 0.10350022010048233
        -   name: amplitude
            value: 4.679478012946556e-11
            unit: cm-2 s-1 TeV-1
            error: 4.678684168406788e-12
        -   name: reference
            value: 1.0
            unit: TeV
covariance: model-best-fit_covariance.dat
"""

# As Gammapy 2.1 writes it: units in another order, metadata, the half of a compound in the names of the covariance.
OTHER_VERSION = """
components:
-   name: q
    type: SkyModel
    spectral:
        type: CompoundSpectralModel
        model1:
            type: PowerLawSpectralModel
            parameters:
            -   name: index
                value: 2.0
            -   name: amplitude
                value: 1.0e-12
                unit: TeV-1 s-1 cm-2
            -   name: reference
                value: 1.0
                unit: TeV
        model2:
            type: PowerLawNormSpectralModel
            parameters:
            -   name: tilt
                value: 0.0
            -   name: norm
                value: 1.0
                prior: null
            -   name: reference
                value: 1.0
                unit: TeV
        operator: mul
    spatial:
        type: TemplateSpatialModel
        frame: icrs
        parameters:
        -   name: lon_0
            value: 0.0
            unit: deg
        filename: diffuse.fits
        normalize: false
        unit: 1 / (TeV s cm2)
    temporal:
        type: LightCurveTemplateTemporalModel
        parameters:
        -   name: t_ref
            value: 55197.0
            unit: d
        scale: utc
        filename: lc.fits
covariance: other_covariance.dat
metadata:
    creator: Gammapy 2.1
    origin: null
checksum: abc
"""

OTHER_COVARIANCE = """
|                 Parameters |    0 |     1 |   2 |   3 |     4 |   5 |   6 |   7 |
|      q.spectral.model1.index | 0.04 | 1e-14 | 0.0 | 0.0 |   0.0 | 0.0 | 0.0 | 0.0 |
|  q.spectral.model1.amplitude | 1e-14 | 1e-24 | 0.0 | 0.0 |   0.0 | 0.0 | 0.0 | 0.0 |
|  q.spectral.model1.reference | 0.0 |   0.0 | 0.0 | 0.0 |   0.0 | 0.0 | 0.0 | 0.0 |
|       q.spectral.model2.tilt | 0.0 |   0.0 | 0.0 | 0.0 |   0.0 | 0.0 | 0.0 | 0.0 |
|       q.spectral.model2.norm | 0.0 |   0.0 | 0.0 | 0.0 |  0.25 | 0.0 | 0.0 | 0.0 |
|  q.spectral.model2.reference | 0.0 |   0.0 | 0.0 | 0.0 |   0.0 | 0.0 | 0.0 | 0.0 |
|              q.spatial.lon_0 | 0.0 |   0.0 | 0.0 | 0.0 |   0.0 | 0.0 | 0.0 | 0.0 |
|             q.temporal.t_ref | 0.0 |   0.0 | 0.0 | 0.0 |   0.0 | 0.0 | 0.0 | 0.0 |
"""


def crab() -> Models:
    return Models.from_yaml(TUTORIAL)


def rich() -> Models:
    first = PowerLawSpectralModel(index=2.4)
    first.index.min, first.index.max = 1, 4
    first.amplitude.frozen = True
    second = LogParabolaSpectralModel() * LogParabolaNormSpectralModel(alpha=0.1)
    second.model1.alpha = first.index
    nodes = [1, 10] * u.TeV
    return Models(
        [
            SkyModel(first, name="a", datasets_names="x", apply_irf={"psf": False}),
            SkyModel(second, GaussianSpatialModel("galactic", lon_0="83.6 deg"), ExpDecayTemporalModel(), name="b"),
            SkyModel(TemplateSpectralModel(nodes, [2, 1] * u.Unit("cm-2 s-1 TeV-1")), name="c"),
            SkyModel(PowerLawSpectralModel() * PiecewiseNormSpectralModel(nodes), PointSpatialModel(), name="d"),
            SkyModel(ScaleSpectralModel(PowerLawSpectralModel(), norm=2), name="e"),
            SkyModel(
                PowerLawSpectralModel() * EBLAbsorptionNormSpectralModel(nodes, [0.1, 0.2], [[0.9, 0.8], [0.7, 0.6]]),
                name="f",
            ),
            FoVBackgroundModel(dataset_name="x"),
            TemplateNPredModel(None, PowerLawNormSpectralModel(), "npred", "b.fits", ["x"]),
        ]
    )


def strip(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip() + "\n"


# --- as the tutorial shows it


def test_models_are_printed_in_the_layout_of_the_tutorial():
    assert strip(str(crab())) == PRINTED
    assert strip(str(crab()["crab"])) == strip(PRINTED.split("Component 0: ")[1])


def test_values_are_printed_in_the_digits_of_their_errors():
    model = SkyModel(PowerLawSpectralModel(), PointSpatialModel(lon_0="1e-5 deg", lat_0="22.0145 deg"), name="a")
    model.spatial_model.lat_0.error, model.spectral_model.amplitude.error = 0.00312, 1.54e-13
    for line in (
        "    lon_0                         : 1e-05 deg\n",
        "    lat_0                         : 22.0145 ± 0.0031 deg\n",
        "    amplitude                     : (1.00 ± 0.15)e-12 cm-2 s-1 TeV-1\n",
    ):
        assert line in str(model)


def test_the_best_fit_is_written_as_in_the_tutorial(tmp_path):
    models = crab()
    index, amplitude, _ = models.parameters
    index.value, amplitude.value = 2.676836990200946, 4.679478012946556e-11
    index.error, amplitude.error = 0.10350022010048233, 4.678684168406788e-12
    models.write(tmp_path / "model-best-fit.yaml")
    assert (tmp_path / "model-best-fit.yaml").read_text() == WRITTEN
    first = (tmp_path / "model-best-fit_covariance.dat").read_text().splitlines()[:2]
    assert first[0] == "|              Parameters |                    0 |                     1 |   2 |"
    assert first[1].startswith("|     crab.spectral.index | 0.0107122955")


def test_the_table_of_parameters_has_the_columns_of_the_tutorial():
    table = crab().to_parameters_table()
    assert table.colnames[:4] == ["model", "type", "name", "value"]
    assert table.pformat(max_width=-1)[3].split()[:5] == ["crab", "spectral", "amplitude", "5.0000e-11", "cm-2"]


# --- file -> object -> file


def test_a_file_read_and_written_is_the_same_file(tmp_path):
    models = rich()
    rng = np.random.default_rng(1)
    free = np.array([not p.frozen for p in models.parameters])
    values = rng.normal(size=(len(free), len(free))) * 0.01 * free[:, None]
    names = [id(p) for p in models.parameters]
    first = [names.index(name) for name in names]
    models.covariance = (values @ values.T)[np.ix_(first, first)]
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    models.write(tmp_path / "1" / "m.yaml")
    read = Models.read(tmp_path / "1" / "m.yaml")
    read.write(tmp_path / "2" / "m.yaml")
    for name in ("m.yaml", "m_covariance.dat"):
        assert (tmp_path / "1" / name).read_text() == (tmp_path / "2" / name).read_text()
    np.testing.assert_allclose(read.covariance.data, models.covariance.data, rtol=1e-14)
    assert read.parameters_unique_names == models.parameters_unique_names
    assert read["b"].spectral_model.model1.alpha is read["a"].spectral_model.index
    assert read.to_dict(full_output=True) == models.to_dict(full_output=True) or np.isnan(read.parameters[1].min)


def test_everything_is_written_on_request_and_read_back():
    text = rich().to_yaml(full_output=True)
    assert "scale_method: scale10" in text
    assert Models.from_yaml(text).to_yaml(full_output=True) == text


@given(
    index=st.floats(-10, 10),
    amplitude=st.floats(1e-30, 1e3),
    error=st.floats(0, 10),
    limit=st.floats(-100, 100),
    frozen=st.booleans(),
    unit=st.sampled_from(["cm-2 s-1 TeV-1", "m-2 s-1 GeV-1", "cm-2 s-1 MeV-1"]),
)
def test_any_value_survives_the_document(index, amplitude, error, limit, frozen, unit):
    spectrum = PowerLawSpectralModel(index=index, amplitude=amplitude * u.Unit(unit))
    spectrum.index.error, spectrum.index.max, spectrum.reference.frozen = error, limit, frozen
    models = Models([SkyModel(spectrum, name="x")])
    text = models.to_yaml()
    read = Models.from_yaml(text)
    assert read.to_yaml() == text
    for ours, theirs in zip(read.parameters, models.parameters, strict=True):
        assert repr(ours) == repr(theirs)


def test_documents_of_another_version_are_read_and_written_unchanged(tmp_path):
    (tmp_path / "other.yaml").write_text(OTHER_VERSION)
    (tmp_path / "other_covariance.dat").write_text(OTHER_COVARIANCE.strip())
    models = Models.read(tmp_path / "other.yaml")
    spectrum = models["q"].spectral_model
    assert spectrum.model1.index.error == pytest.approx(0.2)
    assert spectrum.model1.covariance.data[0, 1] == 1e-14
    assert spectrum.model2.norm.error == 0.5
    assert spectrum.model2.tilt.error == 0
    document = models.to_dict()
    assert document["metadata"] == {"creator": "Gammapy 2.1", "origin": None}
    assert document["components"][0]["spatial"] == {
        "type": "TemplateSpatialModel", "frame": "icrs", "parameters": [{"name": "lon_0", "value": 0.0, "unit": "deg"}],
        "filename": "diffuse.fits", "normalize": False, "unit": "1 / (TeV s cm2)",
    }  # fmt: skip
    assert list(document["components"][0]["temporal"]) == ["type", "parameters", "scale", "filename"]


def test_a_frame_is_the_first_argument_of_a_spatial_model():
    assert GaussianSpatialModel("galactic").frame == "galactic"


@pytest.mark.parametrize(
    ("later", "sentence"),
    [
        ("value: 2.5", "has the value 2.5 here, 2 at its first place; say the same, or leave it out here"),
        ("frozen: false", "has the frozen false here, true at its first place"),
        ("max: 5", "has the max 5 here, 4 at its first place"),
        ("value: 2, min: 1", "has the min 1 here, nan at its first place"),
    ],
)
def test_a_later_place_of_a_linked_parameter_cannot_say_something_else(later, sentence):
    def text(later):
        first = "{name: a, type: SkyModel, spectral: {type: pl, parameters: [{name: index, value: 2, max: 4, "
        second = f"{{name: b, type: SkyModel, spectral: {{type: pl, parameters: [{{name: index, link: x, {later}}}]}}}}"
        return f"components: [{first}frozen: true, link: x}}]}}}}, {second}]"

    with pytest.raises(ConfigError, match=f"PowerLawSpectralModel.index: it is linked as 'x' and {sentence}"):
        Models.from_yaml(text(later))
    for same in ("max: 4", "value: 2.0, frozen: true", "error: 3"):
        models = Models.from_yaml(text(same))
        assert models["a"].spectral_model.index is models["b"].spectral_model.index


def test_linked_parameters_are_one_object_after_reading_and_copying():
    models = rich()
    assert models.to_yaml().count("link: index@0001") == 2
    for copied in (Models.from_yaml(models.to_yaml()), models.copy()):
        copied["a"].spectral_model.index.value = 3
        assert copied["b"].spectral_model.model1.alpha.value == 3
    assert models["a"].spectral_model.index.value == 2.4
    assert "link" not in Models([models["a"]]).to_yaml()


def test_labels_of_a_document_survive():
    text = rich().to_yaml().replace("index@0001", "index@IaLl")
    assert Models.from_yaml(text).to_yaml() == text


def test_missing_parameters_take_their_default_with_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        models = Models.from_yaml("components: [{name: x, type: SkyModel, spectral: {type: pl}}]")
    assert models.parameters.value.tolist() == [2, 1e-12, 1]
    assert "parameter 'reference' is not in the document; using its default 1.0 TeV" in caplog.text


def test_a_missing_covariance_file_gives_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        models = Models.from_yaml(WRITTEN.replace("model-best-fit_covariance.dat", "nowhere.dat"))
    assert "nowhere.dat" in caplog.text
    assert models.covariance.data[0, 0] == pytest.approx(0.10350022**2)


# --- a list with names


def test_models_are_a_list_with_names():
    models = rich()
    assert models.names == ["a", "b", "c", "d", "e", "f", "x-bkg", "npred"]
    assert models["b"] is models[1] is models[models[1]]
    assert models[1:3].names == ["b", "c"]
    assert [model.name for model in models] == models.names
    assert "b" in models
    assert "z" not in models
    models.remove("b")
    del models[-1]
    assert models.pop().name == "x-bkg"
    models.append(SkyModel(PowerLawSpectralModel(), name="z"))
    models.extend([SkyModel(PowerLawSpectralModel(), name="y")])
    assert (models[:1] + models[-2:]).names == ["a", "z", "y"]
    models["y"] = SkyModel(PowerLawSpectralModel(), name="w")
    assert models.names == ["a", "c", "d", "e", "f", "z", "w"]
    assert Models(models["a"]).names == Models(models[:1]).names == ["a"]
    assert len(Models()) == 0
    models.clear()
    assert str(models) == "Models\n"


def test_models_are_selected_by_name_dataset_kind_and_frozen():
    models = rich()
    assert models.select(name_substring="b").names == ["b", "x-bkg"]
    assert models.select(datasets_names="y").names == ["b", "c", "d", "e", "f"]
    assert models.select(tag="pl-norm").names == ["x-bkg", "npred"]
    assert models.select(tag="pl-norm", model_type="spectral").names == ["x-bkg", "npred"]
    assert models.select(tag="pl-norm", model_type="spatial").names == []
    assert models.select(tag="SkyModel", datasets_names=["x"]).names == ["a", "b", "c", "d", "e", "f"]
    models["a"].freeze()
    assert models.select(frozen=True).names == ["a", "c"]


def test_freezing_and_unfreezing_know_the_defaults():
    models = rich()
    models.freeze("spectral")
    assert models.parameters.free_parameters.names == ["lon_0", "lat_0", "sigma", "t0", "lon_0", "lat_0"]
    models.freeze()
    assert models.frozen
    models.unfreeze()
    assert models["a"].parameters.free_parameters.names == ["index", "amplitude"]
    with pytest.raises(ConfigError, match="Did you mean 'spectral'"):
        models.freeze("spectra")


def test_a_slice_keeps_what_a_fit_found():
    models = Models([SkyModel(PowerLawSpectralModel(), name=name) for name in "ab"])
    matrix = np.zeros((6, 6))
    matrix[0, 0], matrix[3, 3], matrix[0, 3] = 0.04, 0.09, 0.01
    matrix[3, 0] = 0.01
    models.covariance = matrix
    assert models.copy().covariance.data.tolist() == matrix.tolist()
    assert models[::-1].covariance.data[0, 3] == 0.01
    assert models["b"].copy(name="c").parameters["index"].error == pytest.approx(0.3)


def test_a_source_with_one_norm_is_recognised():
    assert SkyModel(PowerLawSpectralModel(), name="a").validate_norm().name == "amplitude"
    two = SkyModel(PowerLawSpectralModel() + PowerLawSpectralModel(), name="b")
    assert two.norm_parameter is None
    with pytest.raises(ConfigError, match=r"Model 'b': expected exactly one .* found 2 \(amplitude, amplitude\)"):
        two.validate_norm()
    assert SkyModel(ScaleSpectralModel(two.spectral_model), name="c").validate_norm().name == "norm"


def test_a_model_is_made_from_tags_and_numbered_without_a_name():
    model = SkyModel.create("pl", "point", "exp-decay", name="x")
    assert model.parameters.types == ["spectral"] * 3 + ["spatial"] * 2 + ["temporal"] * 2
    assert SkyModel("lp").name != SkyModel("lp").name
    assert isinstance(model.parameters, Parameters)


# --- errors


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        ("- a\n- b", ConfigError, "expected a mapping with 'components'"),
        ("just words", ConfigError, "expected a mapping with 'components'"),
        ("", ConfigError, "expected a mapping"),
        ("a: [", ConfigError, "not YAML"),
        ("component: []", ConfigError, "Did you mean 'components'"),
        ("components: {a: 1}", ConfigError, "a list, one entry a model"),
        ("components: [crab]", ConfigError, "expected mappings"),
        ("components: [{name: x, type: SkyModl}]", UnknownNameError, "Did you mean 'SkyModel'"),
        ("components: [{name: x, type: SkyModel}]", ConfigError, "expected a 'spectral' part"),
        ("components: [{name: x, type: SkyModel, spectral: pl}]", ConfigError, "a mapping with a 'type'"),
        ("components: [{name: x, type: SkyModel, spectral: {type: PowerLaw}}]", UnknownNameError, "Did you mean"),
        ("components: [{name: x, type: SkyModel, spectrl: {type: pl}}]", ConfigError, "Did you mean 'spectral'"),
        ("components: [{name: x, type: SkyModel, spectral: {type: pl}, apply_irf: {pfs: false}}]", ConfigError, "psf"),
        (
            "components: [{name: x, type: SkyModel, spectral: {type: pl}, spatial: {type: pnt}}]",
            UnknownNameError,
            "Did you mean 'point'",
        ),
        ("components: [{type: FoVBackgroundModel}]", ConfigError, "exactly one dataset"),
        ("components: [{name: x, type: SkyModel, spectral: {type: pl-norm}}]", ConfigError, "in cm-2 s-1 TeV-1"),
        ("components: [{name: x, type: SkyModel, spectral: {type: compound}}]", ConfigError, "no 'model1'"),
        ("components: [{name: x, type: SkyModel, spectral: {type: template}}]", ConfigError, "'energy' with 'data'"),
        ("components: [{name: x, type: SkyModel, spectral: {type: naima}}]", LaterError, "naima"),
    ],
)
def test_a_wrong_document_raises_one_clear_error(text, error, sentence):
    with pytest.raises(error, match=sentence):
        Models.from_yaml(text)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("{name: amplitud, value: 1}", "no parameter 'amplitud'. Did you mean 'amplitude'"),
        ("{name: index, value: steep}", "PowerLawSpectralModel.index.value: expected a number"),
        ("{name: index, valu: 2}", "unknown key 'valu'. Did you mean 'value'"),
        ("{name: index, value: 2, frozen: maybe}", "expected true or false"),
        ("{name: index, value: 2}, {name: index, value: 3}", "'index' stands twice"),
        ("{name: reference, value: 1, unit: deg}", "expected a value in TeV, got one in deg"),
        ("{name: reference, value: 1, unit: parsnip}", "'parsnip' is not a unit"),
        ("{value: 1}", "entries with a name"),
    ],
)
def test_a_wrong_parameter_raises_one_clear_error(entry, sentence):
    text = f"components: [{{name: x, type: SkyModel, spectral: {{type: pl, parameters: [{entry}]}}}}]"
    with pytest.raises(ConfigError, match=sentence):
        Models.from_yaml(text)


def test_two_models_of_one_name_raise_in_every_list():
    one, two = (SkyModel(PowerLawSpectralModel(), name="a") for _ in range(2))
    models = Models([one])
    for attempt in (lambda: Models([one, two]), lambda: models.append(two), lambda: models.extend([two])):
        with pytest.raises(ConfigError, match="'a' is used more than once"):
            attempt()
    assert models.names == ["a"]
    with pytest.raises(UnknownNameError, match="Did you mean 'crab'"):
        crab()["crabb"]
    for wrong in ("crab.yaml", 3, [PowerLawSpectralModel()]):
        with pytest.raises(ConfigTypeError, match="expected SkyModel objects"):
            Models(wrong)


def test_missing_files_and_existing_files_raise(tmp_path):
    with pytest.raises(MissingInputError, match=r"no\.yaml"):
        Models.read(tmp_path / "no.yaml")
    path = tmp_path / "m.yaml"
    crab().write(path)
    with pytest.raises(OutputExistsError, match="overwrite=True"):
        crab().write(path)
    crab().write(path, overwrite=True)
    with pytest.raises(OutputError, match="cannot be written"):
        crab().write(tmp_path / "no-folder" / "m.yaml")
    (tmp_path / "m_covariance.dat").write_text("| Parameters | 0 |\n| stranger.spectral.index | 1.0 |\n")
    with pytest.raises(ConfigError, match="'stranger"):
        Models.read(path)
    (tmp_path / "m_covariance.dat").unlink()
    with pytest.raises(MissingInputError, match=r"m_covariance\.dat"):
        Models.read(path)


def test_paths_may_hold_variables(tmp_path, monkeypatch):
    monkeypatch.setenv("MODELS_HERE", str(tmp_path))
    crab().write("$MODELS_HERE/m.yaml", write_covariance=False)
    assert Models.read("$MODELS_HERE/m.yaml").names == ["crab"]
    assert not (tmp_path / "m_covariance.dat").exists()
