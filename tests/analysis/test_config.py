import copy
import datetime
import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st

from xgamma.axes import Axis
from xgamma.config.config import AnalysisConfig
from xgamma.config.fields import PathOrUrl
from xgamma.config.section import key_paths, subsections
from xgamma.errors import ConfigError, MissingInputError, OutputError, OutputExistsError
from xgamma.grid import Circle

CRAB = """
observations:
    datastore: $GAMMAPY_DATA/hess-dl3-dr1
    obs_cone: {frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 5 deg}

datasets:
    type: 1d
    stack: true
    geom:
        axes:
            energy: {min: 0.5 TeV, max: 30 TeV, nbins: 20}
            energy_true: {min: 0.1 TeV, max: 50 TeV, nbins: 40}
    on_region: {frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 0.11 deg}
    containment_correction: true
    safe_mask:
       methods: ['aeff-default', 'aeff-max']
       parameters: {aeff_percent: 0.1}
    background:
        method: reflected
fit:
    fit_range: {min: 1 TeV, max: 20 TeV}

flux_points:
    energy: {min: 1 TeV, max: 20 TeV, nbins: 8}
    source: 'crab'
"""

PRINTED = """AnalysisConfig

    general:
        log: {level: info, filename: null, filemode: null, format: null, datefmt: null}
        outdir: .
        n_jobs: 1
        datasets_file: null
        models_file: null
    observations:
        datastore: $GAMMAPY_DATA/hess-dl3-dr1
        obs_ids: []
        obs_file: null
        obs_cone: {frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 5.0 deg}
        obs_time: {start: null, stop: null}
        required_irf: [aeff, edisp, psf, bkg]
    datasets:
        type: 1d
        stack: true
        geom:
            wcs:
                skydir: {frame: null, lon: null, lat: null}
                binsize: 0.02 deg
                width: {width: 5.0 deg, height: 5.0 deg}
                binsize_irf: 0.2 deg
            selection: {offset_max: 2.5 deg}
            axes:
                energy: {min: 0.5 TeV, max: 30.0 TeV, nbins: 20}
                energy_true: {min: 0.1 TeV, max: 50.0 TeV, nbins: 40}
        map_selection: [counts, exposure, background, psf, edisp]
        background:
            method: reflected
            exclusion: $GAMMAPY_DATA/joint-crab/exclusion/exclusion_mask_crab.fits.gz
            parameters: {}
        safe_mask:
            methods: [aeff-default, aeff-max]
            parameters: {aeff_percent: 0.1}
        on_region: {frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 0.11 deg}
        containment_correction: true
    fit:
        fit_range: {min: 1.0 TeV, max: 20.0 TeV}
    flux_points:
        energy: {min: 1.0 TeV, max: 20.0 TeV, nbins: 8}
        source: crab
        parameters: {selection_optional: all}
    excess_map:
        correlation_radius: 0.1 deg
        parameters: {}
        energy_edges: {min: null, max: null, nbins: null}
    light_curve:
        time_intervals: {start: null, stop: null}
        energy_edges: {min: null, max: null, nbins: null}
        source: source
        parameters: {selection_optional: all}
"""

OWN_KEYS = """
general: {store: 's3://bucket/store', scheduler: 'tcp://127.0.0.1:8786'}
models: {components: [{name: crab, type: SkyModel, spectral: {type: pl}}]}
steps: [observations, datasets, fit]
"""

EXCLUSION = "$GAMMAPY_DATA/joint-crab/exclusion/exclusion_mask_crab.fits.gz"


def crab() -> AnalysisConfig:
    config = AnalysisConfig.from_yaml(CRAB)
    config.datasets.background.exclusion = EXCLUSION
    return config


def test_the_tutorial_config_prints_as_in_the_tutorial():
    assert str(crab()) == PRINTED


def test_every_section_knows_its_own_path():
    def paths(section, path):
        yield section.where, path
        for name, below in subsections(section):
            yield from paths(below, f"{path}.{name}".lstrip("."))

    told, true = zip(*paths(AnalysisConfig, ""), strict=True)
    assert told == true
    assert len(list(key_paths(AnalysisConfig))) > 80


def test_fields_are_quantities_in_the_unit_given():
    config = AnalysisConfig.from_yaml("datasets: {geom: {axes: {energy: {min: 500 GeV}}}}")
    energy = config.datasets.geom.axes.energy
    assert energy.min == 500 * u.GeV and energy.min.unit == u.GeV
    assert energy.max == 10 * u.TeV and energy.nbins == 5
    assert "energy: {min: 500.0 GeV, max: 10.0 TeV, nbins: 5}" in config.to_yaml()


def test_assignment_takes_text_quantities_and_mappings():
    config = AnalysisConfig()
    config.fit.fit_range.min = "1 TeV"
    config.fit.fit_range.max = 20000 * u.GeV
    config.observations.obs_cone = {"frame": "icrs", "lon": "83.633 deg", "lat": 22.014 * u.deg, "radius": "5 deg"}
    config.datasets.geom.axes.energy = {"nbins": 7}
    assert config.fit.fit_range.bounds() == (1.0, 20.0)
    assert config.observations.obs_cone.circle() == Circle(83.633, 22.014, 5.0, "icrs")
    assert config.datasets.geom.axes.energy.document() == {"min": "1.0 TeV", "max": "10.0 TeV", "nbins": 7}


def test_a_null_in_a_dataset_axis_of_a_file_is_the_default_of_its_section():
    config = AnalysisConfig.from_yaml("datasets: {geom: {axes: {energy: {min: null, max: null, nbins: 7}}}}")
    assert config.datasets.geom.axes.energy.document() == {"min": "1.0 TeV", "max": "10.0 TeV", "nbins": 7}


def test_defaults_are_not_shared_between_configurations():
    first, second = AnalysisConfig(), AnalysisConfig()
    first.observations.obs_ids.append(23523)
    first.flux_points.parameters["n_sigma"] = 2
    first.datasets.geom.axes.energy.min *= 2
    assert second == AnalysisConfig()
    assert first != second


def test_a_deep_copy_is_independent():
    config = crab()
    frozen = copy.deepcopy(config)
    config.fit.fit_range.min = "2 TeV"
    assert frozen == crab() and config != frozen


def test_paths_are_written_as_given_and_expanded_when_used(monkeypatch, tmp_path):
    monkeypatch.setenv("SOME_DATA", str(tmp_path))
    config = AnalysisConfig()
    config.datasets.background.exclusion = Path("$SOME_DATA/mask.fits")
    place = config.datasets.background.exclusion
    assert str(place) == "$SOME_DATA/mask.fits" and place == "$SOME_DATA/mask.fits"
    assert os.fspath(place) == str(tmp_path / "mask.fits")
    assert Path(place) == tmp_path / "mask.fits"
    assert hash(place) == hash(PathOrUrl("$SOME_DATA/mask.fits"))


INDEXED = {"path": "$GAMMAPY_DATA/x", "hdu_index": "hdu-index-b.fits.gz", "obs_index": "obs-index-b.fits.gz"}


@pytest.mark.parametrize("names", [("hdu_index",), ("obs_index",), ("hdu_index", "obs_index")])
def test_a_datastore_may_name_its_index_files(names):
    given = {key: INDEXED[key] for key in ("path", *names)}
    config = AnalysisConfig(observations={"datastore": given})
    place = config.observations.datastore
    assert (str(place), place.hdu_index, place.obs_index) == (
        "$GAMMAPY_DATA/x", given.get("hdu_index"), given.get("obs_index")
    )  # fmt: skip
    assert config.document()["observations"]["datastore"] == given
    assert (
        AnalysisConfig.from_yaml(config.to_yaml())
        == config
        != AnalysisConfig(observations={"datastore": "$GAMMAPY_DATA/x"})
    )
    assert config.update("observations: {obs_ids: [1]}").observations.datastore == place


def test_a_datastore_without_such_names_is_written_as_its_path():
    config = AnalysisConfig(observations={"datastore": {"path": "/data", "hdu_index": None}})
    assert config.document()["observations"]["datastore"] == "/data"
    config.observations.datastore = INDEXED
    config.observations.datastore = Path("/data")
    assert config == AnalysisConfig(observations={"datastore": "/data"})


@pytest.mark.parametrize(
    "given", [{}, {"hdu_index": "x"}, {"path": "/data", "index": "x"}, {"path": "/data", "hdu_index": 3}, 3]
)
def test_a_datastore_that_is_not_set_raises_with_an_example(given):
    with pytest.raises(ConfigError, match=r"^observations\.datastore: expected "):
        AnalysisConfig(observations={"datastore": given})


def test_a_url_is_not_changed():
    config = AnalysisConfig.from_yaml("general: {store: 's3://bucket//a'}")
    assert config.general.store_location() == "s3://bucket//a"


def test_the_default_store_is_in_the_output_folder():
    config = AnalysisConfig()
    assert config.general.store_location() == "./xgamma-store"
    config.general.outdir = "/results/"
    assert config.general.store_location() == "/results/xgamma-store"


def test_axes_are_in_tev():
    config = AnalysisConfig.from_yaml("flux_points: {energy: {min: 1000 GeV, max: 20 TeV, nbins: 8}}")
    assert config.flux_points.energy.axis("energy") == Axis.from_bounds("energy", 1.0, 20.0, 8)
    assert config.datasets.geom.axes.energy_true.axis("energy_true").nbin == 16


def test_an_axis_that_is_not_set_raises_with_an_example():
    with pytest.raises(ConfigError, match=r"^flux_points.energy: min, max, nbins not given; write for example {min: 1"):
        AnalysisConfig().flux_points.energy.axis("energy")


def test_a_circle_without_a_frame_is_icrs():
    config = AnalysisConfig.from_yaml("datasets: {on_region: {lon: 10 arcmin, lat: -1 deg, radius: 6 arcmin}}")
    circle = config.datasets.on_region.circle()
    assert (circle.frame, circle.lat) == ("icrs", -1.0)
    assert (circle.lon, circle.radius) == pytest.approx((1 / 6, 0.1), rel=1e-15)


def test_a_region_that_is_not_set_raises_with_an_example():
    with pytest.raises(ConfigError, match=r"^datasets.on_region: expected lon, lat and radius, for example {frame"):
        AnalysisConfig().datasets.on_region.circle()


def test_a_time_interval_is_a_pair():
    config = AnalysisConfig.from_yaml("observations: {obs_time: {start: '2004-12-01', stop: '2004-12-02T12:00:00'}}")
    ((start, stop),) = config.observations.obs_time.intervals()
    assert (start.scale, start.isot, stop.isot) == ("utc", "2004-12-01T00:00:00.000", "2004-12-02T12:00:00.000")
    assert AnalysisConfig().observations.obs_time.intervals() == []


def test_lists_of_times_are_pairs_in_their_order():
    config = AnalysisConfig()
    config.light_curve.time_intervals.start = ["2004-12-03", "2004-12-01"]
    config.light_curve.time_intervals.stop = Time([53343.0, 53341.0], format="mjd")
    intervals = config.light_curve.time_intervals.intervals()
    assert [(start.mjd, stop.mjd) for start, stop in intervals] == [(53342.0, 53343.0), (53340.0, 53341.0)]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2004-12-01", "2004-12-01 00:00:00.000"),
        ("2004-12-01 22:10:00", "2004-12-01T22:10:00.000"),
        ("2004-12-01T22:10:00+01:00", "2004-12-01T21:10:00.000"),
        ("'2004-12-01T22:10:00.123456789'", "2004-12-01T22:10:00.123456789"),
        ("J2005.0", "2004-12-31T17:58:55.816"),
        ("2061-01-01", "2061-01-01 00:00:00.000"),
    ],
)
def test_times_survive_the_round_trip_through_yaml(written, read):
    config = AnalysisConfig.from_yaml(f"observations: {{obs_time: {{start: {written}, stop: '2062-01-01'}}}}")
    assert config.document()["observations"]["obs_time"]["start"] == read
    assert AnalysisConfig.from_yaml(config.to_yaml()) == config


def test_times_of_another_scale_are_written_in_utc():
    config = AnalysisConfig()
    config.observations.obs_time = {"start": Time(53340.0, format="mjd", scale="tt"), "stop": "2004-12-02"}
    assert config.document()["observations"]["obs_time"]["start"] == "2004-11-30T23:58:55.816"


def test_observation_ids_may_be_numeric_text_or_an_array():
    assert AnalysisConfig.from_yaml("observations: {obs_ids: ['23523', 23526]}").observations.obs_ids == [23523, 23526]
    config = AnalysisConfig()
    config.observations.obs_ids = np.array([1, 2])
    assert config.to_yaml().count("obs_ids: [1, 2]\n") == 1


def test_own_keys_are_written_only_if_they_are_set():
    text = AnalysisConfig().to_yaml()
    assert not any(key in text for key in (" store:", "scheduler:", "models:", "steps:"))
    config = AnalysisConfig.from_yaml(OWN_KEYS)
    assert "    store: s3://bucket/store\n    scheduler: tcp://127.0.0.1:8786\n" in config.to_yaml()
    assert "\nsteps: [observations, datasets, fit]\n" in config.to_yaml()
    assert AnalysisConfig.from_yaml(config.to_yaml()) == config


def test_models_are_a_document_or_the_path_of_one():
    assert AnalysisConfig.from_yaml("models: crab.yaml").models == "crab.yaml"
    document = AnalysisConfig.from_yaml(OWN_KEYS).models
    assert document == {"components": [{"name": "crab", "type": "SkyModel", "spectral": {"type": "pl"}}]}


def test_numbers_without_a_point_are_numbers():
    config = AnalysisConfig.from_yaml("datasets: {safe_mask: {parameters: {aeff_percent: 1e-1}}}")
    assert config.datasets.safe_mask.parameters == {"aeff_percent": 0.1}
    text = AnalysisConfig.from_yaml("flux_points: {source: '1e3'}").to_yaml()
    assert AnalysisConfig.from_yaml(text).flux_points.source == "1e3"


def test_parameters_are_typed_and_written_as_given():
    config = AnalysisConfig.from_yaml(
        "datasets: {background: {method: reflected, parameters: {min_distance: 1 deg, max_region_number: 6}},"
        " safe_mask: {methods: [offset-max], parameters: {offset_max: 90 arcmin}}}"
    )
    settings_ = config.datasets.background.settings().parameters
    assert settings_.min_distance == pytest.approx(np.pi / 180, rel=1e-15)
    assert (settings_.max_region_number, settings_.angle_increment) == (6, 0.1)
    assert [mask.parameters.offset_max for mask in config.datasets.safe_mask.settings()] == [1.5]
    assert "parameters: {min_distance: 1 deg, max_region_number: 6}" in config.to_yaml()
    assert AnalysisConfig().datasets.background.settings() is None


def test_parameters_given_as_quantities_are_written_as_text():
    config = AnalysisConfig()
    config.datasets.safe_mask.parameters = {"offset_max": 2 * u.deg, "aeff_percent": np.float64(5)}
    config.flux_points.parameters = {"norm_values": np.array([0.5, 2.0])}
    assert "parameters: {offset_max: 2.0 deg, aeff_percent: 5.0}" in config.to_yaml()
    assert "norm_values: [0.5, 2.0]" in config.to_yaml()
    assert AnalysisConfig.from_yaml(config.to_yaml()) == config


def test_gammapy_metadata_is_not_used():
    config = AnalysisConfig.from_yaml("metadata: {creator: Gammapy 2.1, date: '2026-01-01', origin: null}\nfit: {}")
    assert config == AnalysisConfig()


def test_a_list_of_times_as_gammapy_1_writes_it_is_read():
    text = """light_curve:
    time_intervals: {start: '[''2012-01-01 00:00:00.000'' ''2012-02-01 00:00:00.000'']',
        stop: '[''2012-01-02 00:00:00.000'' ''2012-02-02 00:00:00.000'']'}"""
    assert len(AnalysisConfig.from_yaml(text).light_curve.time_intervals.intervals()) == 2


def test_update_with_text_or_a_mapping_merges_what_it_holds():
    config = crab()
    text = config.update("datasets: {stack: true, geom: {axes: {energy: {nbins: 7}}}}")
    assert text.datasets.geom.axes.energy.document() == {"min": "0.5 TeV", "max": "30.0 TeV", "nbins": 7}
    assert text.observations == config.observations
    unstacked = config.update({"datasets": {"stack": False}}, general={"n_jobs": 2})
    assert (unstacked.datasets.stack, unstacked.general.n_jobs) == (False, 2)
    assert unstacked.update("datasets: {stack: true}").datasets.stack is True
    assert config == crab()


def test_update_with_a_configuration_merges_what_is_not_default():
    other = AnalysisConfig(datasets={"stack": False}, fit={"fit_range": {"max": "3 TeV"}})
    merged = crab().update(other)
    assert (merged.datasets.stack, merged.datasets.type) == (False, "1d")
    assert merged.fit.fit_range.bounds() == (1.0, 3.0)
    assert merged.flux_points == crab().flux_points


def test_update_with_nothing_is_a_copy():
    config = crab()
    assert config.update() == config and config.update() is not config


def test_update_replaces_models_and_lists_whole():
    config = AnalysisConfig.from_yaml(OWN_KEYS).update({"models": {"components": []}, "steps": ["fit"]})
    assert config.models == {"components": []} and config.steps == ["fit"]


def test_written_then_read_is_the_identity(tmp_path):
    crab().write(tmp_path / "config.yaml")
    assert AnalysisConfig.read(tmp_path / "config.yaml") == crab()
    assert AnalysisConfig.read(str(tmp_path / "config.yaml")) == crab()


def test_an_output_that_exists_is_not_overwritten_by_default(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("mine")
    with pytest.raises(OutputExistsError, match="exists already"):
        crab().write(path)
    assert path.read_text() == "mine"
    crab().write(path, overwrite=True)
    assert AnalysisConfig.read(path) == crab()


def test_a_missing_folder_is_named_in_the_error(tmp_path):
    with pytest.raises(OutputError, match="there is no folder"):
        crab().write(tmp_path / "no" / "config.yaml")


def test_a_broken_configuration_is_not_written(tmp_path):
    config = AnalysisConfig(fit={"fit_range": {"min": "2 TeV", "max": "1 TeV"}})
    with pytest.raises(ConfigError, match=r"fit.fit_range: expected min < max"):
        config.write(tmp_path / "config.yaml")
    assert not (tmp_path / "config.yaml").exists()


def test_a_configuration_can_be_written_without_the_data(tmp_path, monkeypatch):
    monkeypatch.delenv("GAMMAPY_DATA", raising=False)
    crab().write(tmp_path / "config.yaml")
    with pytest.raises(MissingInputError, match=r"observations.datastore: the environment variable \$GAMMAPY_DATA"):
        AnalysisConfig.read(tmp_path / "config.yaml").check(files=True)


def test_a_complete_configuration_with_its_files_passes(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMMAPY_DATA", str(tmp_path))
    (tmp_path / "hess-dl3-dr1").mkdir()
    exclusion = tmp_path / "joint-crab" / "exclusion" / "exclusion_mask_crab.fits.gz"
    exclusion.parent.mkdir(parents=True)
    exclusion.touch()
    crab().check(complete=True, files=True)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("general: {n_jobs: 1}", ["observations", "datasets"]),
        ("models: crab.yaml", ["observations", "datasets", "fit"]),
        ("general: {models_file: crab.yaml}", ["observations", "datasets", "fit"]),
        (
            "models: m.yaml\nflux_points: {energy: {min: 1 TeV, max: 2 TeV, nbins: 1}}",
            ["observations", "datasets", "fit", "flux_points"],
        ),
        (
            "light_curve: {energy_edges: {min: 1 TeV, max: 2 TeV, nbins: 1}}",
            ["observations", "datasets", "light_curve"],
        ),
        ("datasets: {type: 3d}", ["observations", "datasets"]),
        (
            "datasets: {type: 3d}\nexcess_map: {correlation_radius: 0.2 deg}",
            ["observations", "datasets", "excess_map"],
        ),
        ("steps: [fit, observations]", ["observations", "fit"]),
    ],
)
def test_planned_steps_are_what_the_configuration_requests(text, steps):
    assert AnalysisConfig.from_yaml(text).planned_steps() == steps


@pytest.fixture
def xgamma_logger():
    logger = logging.getLogger("xgamma")
    level, handlers = logger.level, list(logger.handlers)
    yield logger
    for handler in [known for known in logger.handlers if known not in handlers]:
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(level)


def test_messages_are_logged_to_the_configured_file(tmp_path, xgamma_logger):
    config = AnalysisConfig()
    config.general.log = {
        "level": "WARNING",
        "filename": str(tmp_path / "a.log"),
        "format": "%(levelname)s|%(message)s",
    }
    config.set_logging()
    xgamma_logger.info("not shown")
    xgamma_logger.warning("shown")
    config.general.log.filename = tmp_path / "b.log"
    config.general.log.level = "info"
    config.general.log.filemode = "w"
    config.set_logging()
    logging.getLogger("xgamma.reduce").info("elsewhere")
    assert (tmp_path / "a.log").read_text() == "WARNING|shown\n"
    assert (tmp_path / "b.log").read_text() == "INFO|elsewhere\n"


def test_set_logging_called_twice_logs_each_message_once(xgamma_logger, monkeypatch, capsys):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    config = AnalysisConfig.from_yaml("general: {log: {format: '%(asctime)s %(message)s', datefmt: year %Y}}")
    config.set_logging()
    config.set_logging()
    xgamma_logger.info("shown")
    assert capsys.readouterr().err.count("shown") == 1


def test_the_json_schema_holds_every_key_with_its_description():
    schema = AnalysisConfig.json_schema()
    assert json.loads(json.dumps(schema)) == schema
    definitions = schema["$defs"]

    def validate(node, document):
        for name, value in document.items():
            key = node["properties"][name]
            # One mapping, or a list of them.
            key = {**key, **key.get("oneOf", [{}])[0]}
            below = definitions[key["$ref"].rsplit("/", 1)[1]] if "$ref" in key else key
            assert below["description"]
            if "$ref" in key:
                assert below["additionalProperties"] is False
                validate(below, value)

    validate(schema, AnalysisConfig.from_yaml(OWN_KEYS).document())
    axis = definitions["RecoAxisConfig"]["properties"]
    assert axis["min"]["default"] == "1 TeV" and "unit such as TeV" in axis["min"]["description"]
    assert definitions["DatasetsConfig"]["properties"]["type"]["enum"] == ["1d", "3d"]
    mask = definitions["SafeMaskConfig"]["properties"]["parameters"]
    assert set(mask["properties"]) == {"aeff_percent", "bias_percent", "offset_max", "fixed_offset", "position"}


energies = st.floats(1e-3, 1e3, allow_nan=False).map(lambda value: round(value, 6))
energy_units = st.sampled_from(["TeV", "GeV", "erg"])
degrees = st.floats(1e-3, 80).map(lambda value: f"{value!r} deg")
moments = st.datetimes(datetime.datetime(1973, 1, 1), datetime.datetime(2089, 12, 31))
names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@st.composite
def axes(draw, low=1e-3, high=1e3):
    unit = u.Unit(draw(energy_units))
    first, second = sorted(
        draw(st.lists(st.floats(low, high), min_size=2, max_size=2, unique_by=lambda x: round(x, 6)))
    )
    to = u.TeV.to(unit)
    return {"min": f"{first * to!r} {unit}", "max": f"{second * to!r} {unit}", "nbins": draw(st.integers(1, 99))}


@st.composite
def documents(draw):
    start = draw(moments)
    return {
        "general": {
            "log": {"level": draw(st.sampled_from(["info", "DEBUG"])), "filename": draw(st.none() | names)},
            "outdir": draw(names),
            "n_jobs": draw(st.integers(1, 64)),
            "store": draw(st.none() | names),
        },
        "observations": {
            "obs_ids": draw(st.lists(st.integers(0, 10**12), unique=True)),
            "obs_cone": {key: draw(degrees) for key in ("lon", "lat", "radius")} | {"frame": "galactic"},
            "obs_time": {"start": start.isoformat(), "stop": start.replace(year=start.year + 5, day=1).isoformat()},
            "required_irf": draw(st.lists(st.sampled_from(["aeff", "edisp", "rad_max"]), unique=True)),
        },
        "datasets": {
            "stack": draw(st.booleans()),
            "geom": {"axes": {"energy": draw(axes(1e-2, 1e2)), "energy_true": {"min": "5 GeV", "max": "2e2 TeV"}}},
            "safe_mask": {"parameters": {"aeff_percent": draw(st.floats(0, 100)), "offset_max": draw(degrees)}},
            "background": {"method": draw(st.none() | st.just("reflected")), "exclusion": draw(st.none() | names)},
        },
        "flux_points": {"energy": draw(axes()), "source": draw(names)},
        "steps": draw(st.none() | st.permutations(["observations", "fit"])),
    }


@pytest.mark.long
@settings(deadline=None)
@given(documents())
def test_yaml_round_trip_is_the_identity(document):
    config = AnalysisConfig(**document)
    again = AnalysisConfig.from_yaml(config.to_yaml())
    assert again == config
    assert again.to_yaml() == config.to_yaml()
    assert again.datasets.geom.axes.energy.axis("energy") == config.datasets.geom.axes.energy.axis("energy")


@pytest.mark.parametrize(
    ("energy", "energy_true"),
    [
        ((0.1, 30), (0.5, 20)),
        ((0.01, 100), (0.03, 100)),
        ((0.1, 30), (0.03, 25)),
        ((1, 10), (1, 10)),
        ((1, 10), (9.9, 30)),
    ],
)
def test_true_energies_need_not_cover_the_others(energy, energy_true):
    low, high = (f"{{min: {ends[0]} TeV, max: {ends[1]} TeV}}" for ends in (energy, energy_true))
    config = AnalysisConfig.from_yaml(f"datasets: {{geom: {{axes: {{energy: {low}, energy_true: {high}}}}}}}")
    axis = config.datasets.geom.axes.energy_true.axis("energy_true")
    assert (axis.edges[0], axis.edges[-1]) == pytest.approx(energy_true, rel=1e-12)
