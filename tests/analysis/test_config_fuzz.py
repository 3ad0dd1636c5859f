"""Any text gives a configuration or a ConfigError, and a short text never expands to a huge document."""

import tracemalloc

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from xgamma.analysis import AnalysisConfig
from xgamma.config.section import key_paths
from xgamma.errors import ConfigError, XgammaError
from xgamma.formats.yaml_documents import MAX_NODES, sections_of_yaml

PATHS = sorted(path for path in key_paths(AnalysisConfig) if not path.startswith("models"))
WHOLE = AnalysisConfig().to_yaml()


def config_or_error(text):
    """Return the configuration, or the error of ours that was raised."""
    try:
        return AnalysisConfig.from_yaml(text)
    except XgammaError as error:
        assert str(error)
        return error


def bomb(levels=12, width=10):
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines)


def merge_bomb(levels=12, width=10):
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * width)}]}}" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        bomb(),
        merge_bomb(),
        bomb() + "\n? *a11\n: x",
        "general: &a {log: *a}",
        "&a [*a]",
        "general: &a {<<: *a}",
    ],
)
def test_aliases_do_not_make_a_short_text_a_huge_document(text):
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError, match=f"line [0-9]+: there are more than {MAX_NODES} values with all aliases"):
            sections_of_yaml(text)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


def test_an_alias_is_a_shorthand():
    config = AnalysisConfig.from_yaml(
        "fit: {fit_range: &range {min: 1 TeV, max: 10 TeV}}\nflux_points: {energy: {<<: *range, nbins: 4}}"
    )
    assert config.flux_points.energy.min == config.fit.fit_range.min


@pytest.mark.parametrize("text", ["[" * 20_000, "{a: " * 5_000, "general: " + "[" * 3_000 + "]" * 3_000])
def test_deep_nesting_raises(text):
    with pytest.raises(ConfigError, match="nested too deeply"):
        AnalysisConfig.from_yaml(text)


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system ['touch harm']",
        "!!python/name:os.system",
        "!!python/object/new:os.system [touch harm]",
        "!xgamma thing",
    ],
)
def test_yaml_tags_of_python_objects_raise(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="could not determine a constructor for the tag"):
        AnalysisConfig.from_yaml(f"general: {value}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["!!timestamp x", "!!int ''", "!!float ''", "!!bool x", "!!binary 'ä'", "9" * 5000])
def test_a_value_that_does_not_match_its_tag_raises(value):
    with pytest.raises(ConfigError):
        AnalysisConfig.from_yaml(f"general: {{n_jobs: {value}}}")


# --- any text

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.datetimes(),
    st.binary(max_size=5),
    st.text(max_size=12),
    st.sampled_from(
        ["1 TeV", "-1 TeV", "nan TeV", "1e400 deg", "1 " + "m" * 30, "5h34m", "1d2d", "", "$HOME", "~", "\0"]
    ),
    st.sampled_from(["1d", "3d", "icrs", "reflected", "aeff-max", "2005-01-01", "99999-01-01", "mjd 5e300", "all"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda below: st.one_of(
        st.lists(below, max_size=3),
        st.dictionaries(
            st.sampled_from(["min", "max", "nbins", "lon", "lat", "name", "components", "x"]), below, max_size=4
        ),
    ),
    max_leaves=6,
)


@st.composite
def documents(draw):
    """Texts of documents in which some of the known keys have arbitrary values."""
    document = {}
    for path in draw(st.lists(st.sampled_from(PATHS), min_size=1, max_size=4)):
        place = document
        *sections, name = path.split(".")
        for section in sections:
            place = place.setdefault(section, {}) if isinstance(place, dict) else {}
        if isinstance(place, dict):
            place[name] = draw(VALUES)
    return yaml.safe_dump(document)


@st.composite
def damaged(draw):
    """Texts of the default document with a piece replaced."""
    first, last = sorted(draw(st.lists(st.integers(0, len(WHOLE)), min_size=2, max_size=2)))
    piece = draw(st.text("&*!|>{}[]:,?-#'\"% \n\t0e.a~<", max_size=12))
    return WHOLE[:first] + piece + WHOLE[min(last, first + 40) :]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@settings(max_examples=250)
@given(st.one_of(st.text(max_size=60), documents(), documents(), damaged()))
def test_any_text_gives_a_configuration_or_a_config_error(text):
    config = config_or_error(text)
    if isinstance(config, AnalysisConfig):
        assert AnalysisConfig.from_yaml(config.to_yaml()) == config


def test_a_text_without_aliases_has_no_limit_of_length(monkeypatch):
    monkeypatch.setattr("xgamma.formats.yaml_documents.MAX_NODES", 10)
    text = f"a: &a {list(range(100))}"
    assert sections_of_yaml(text) == {"a": list(range(100))}
    multiplied = f"{text}\nb: [{', '.join(['*a'] * 10)}]"
    with pytest.raises(ConfigError, match=f"more than {len(multiplied)} values with all aliases written out"):
        sections_of_yaml(multiplied)
