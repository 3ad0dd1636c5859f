"""Every reader of YAML, of a text or a file, reads by the same strict rules and within the same bounds."""

import pytest

from xgamma.analysis import AnalysisConfig
from xgamma.datasets import Datasets
from xgamma.errors import ConfigError, InputError
from xgamma.formats import local_files, yaml_documents
from xgamma.formats.ogip.files import read_ogip
from xgamma.formats.yaml_documents import MAX_DEPTH, block_yaml, mixed_yaml, parsed_yaml, read_yaml
from xgamma.models import Models
from xgamma.releases import read_catalog
from xgamma.simulate import read_plan

TEXTS = {
    "configuration": AnalysisConfig.from_yaml,
    "update": AnalysisConfig().update,
    "models": Models.from_yaml,
    "any": parsed_yaml,
}
FILES = {
    "configuration": AnalysisConfig.read,
    "models": Models.read,
    "catalogue": read_catalog,
    "simulation plan": read_plan,
    "index of spectra": read_ogip,
    "datasets": Datasets.read,
    "any": lambda path: read_yaml(path, "document"),
}
BOMB = "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))])
REFUSED = {
    "a key twice": ("components: []\na:\n  x: 1\n  y: 2\n  x: 3\n", "line 5: the key 'x' stands twice in one section"),
    "a key twice at the top": ("components: []\ncomponents: []\n", "line 2: the key 'components' stands twice"),
    "a number as a key": ("a: {1: 2}", "line 1: expected a name as key, got '1'"),
    "aliases": (BOMB, "line [0-9]+: there are more than 100000 values with all aliases written out"),
    "an alias of itself": ("a: &a [*a]", "values with all aliases written out"),
    "nesting": ("a: " + "[" * 5000 + "]" * 5000, "line 1: the YAML is nested too deeply; expected at most 100 levels"),
    "a tag": ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor for the tag"),
    "no YAML": ("a: [", "The text is not YAML: line 1, column 5"),
}


@pytest.mark.some_long(5)
@pytest.mark.parametrize("reader", TEXTS)
@pytest.mark.parametrize("case", REFUSED)
def test_every_reader_of_texts_refuses_what_is_ambiguous_or_without_bounds(reader, case):
    text, message = REFUSED[case]
    with pytest.raises(ConfigError, match=message):
        TEXTS[reader](text)


@pytest.mark.some_long(5)
@pytest.mark.parametrize("reader", FILES)
@pytest.mark.parametrize("case", REFUSED)
def test_every_reader_of_files_refuses_the_same_and_names_the_file(tmp_path, reader, case):
    text, message = REFUSED[case]
    path = tmp_path / "document.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises((ConfigError, InputError), match=message) as caught:
        FILES[reader](path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("reader", TEXTS)
def test_every_reader_of_texts_bounds_their_size(monkeypatch, reader):
    monkeypatch.setattr(yaml_documents, "LARGEST_TEXT", 1000)
    with pytest.raises(ConfigError, match="The YAML has 1006 characters; expected at most 1000"):
        TEXTS[reader]("a: 1 #" + "x" * 1000)


@pytest.mark.parametrize("reader", FILES)
def test_every_reader_of_files_bounds_their_size_and_refuses_what_is_no_text(tmp_path, monkeypatch, reader):
    monkeypatch.setattr(local_files, "LARGEST_TEXT", 1 << 20)
    path = tmp_path / "large.yaml"
    path.write_bytes(b"a: 1 #".ljust((1 << 20) + 1, b"x"))
    with pytest.raises(InputError, match="it is larger than 1 MB"):
        FILES[reader](path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no text in UTF-8, by byte 0"):
        FILES[reader](path)


def test_nesting_up_to_the_limit_is_read():
    levels = MAX_DEPTH - 1
    assert parsed_yaml("[" * levels + "]" * levels) is not None
    with pytest.raises(ConfigError, match="nested too deeply"):
        parsed_yaml("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


@pytest.mark.parametrize("written", [block_yaml, mixed_yaml])
@pytest.mark.parametrize(
    "text", ["1e5", "-2E-3", "1.5", "yes", "null", "2005-01-01", "a: b", "ä", "", " x ", "#", "*a"]
)
def test_texts_that_look_like_something_else_are_read_back_as_texts(written, text):
    assert parsed_yaml(written({"name": text, "list": [text]})) == {"name": text, "list": [text]}


def test_a_number_without_a_point_is_a_number_in_models_as_in_a_configuration():
    text = (
        "components: [{name: a, type: SkyModel, spectral: {type: PowerLawSpectralModel, parameters: ["
        "{name: amplitude, value: 1e-12, unit: cm-2 s-1 TeV-1}]}}]"
    )
    assert Models.from_yaml(text)[0].spectral_model.amplitude.value == 1e-12
