"""``check`` refuses what ``run`` refuses, with the same message and exit code, before any work."""

import dataclasses
import logging
import os
import shutil

import pytest
import yaml

import faults
from releases import TINY, config_of, release_of
from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.config.requests import models_of
from xgamma.errors import XgammaError
from xgamma.formats.yaml_documents import mixed_yaml
from xgamma.simulate import AnalyticResponse

NARROW = AnalyticResponse(energy_bins=8, enclosure="point-like", rad_max=0.11)
PLANS = {
    "tiny": TINY,
    "point-like": dataclasses.replace(TINY, name="point-like", runs=1, response=NARROW),
    "rad_max of energy": dataclasses.replace(
        TINY, name="rad-max", runs=1, response=dataclasses.replace(NARROW, rad_max_2d=True)
    ),
}
POINT_LIKE = "observations: {required_irf: [aeff, edisp]}\ndatasets: {containment_correction: false"
WIDE = ", on_region: {frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 0.2 deg}"
FROZEN = (
    "models: {components: [{name: crab, type: SkyModel, spectral: {type: PowerLawSpectralModel, parameters: "
    "[{name: index, value: 2, frozen: true}, {name: amplitude, value: 1e-11, unit: cm-2 s-1 TeV-1, frozen: true}]}}]}"
)
SPATIAL = (
    "models: {components: [{name: crab, type: SkyModel, spectral: {type: PowerLawSpectralModel}, "
    "spatial: {type: PointSpatialModel, parameters: [{name: lon_0, value: 83.6, unit: deg, frozen: false}, "
    "{name: lat_0, value: 22.0, unit: deg}]}}]}"
)

INDEX = (
    "models: {components: [{name: crab, type: SkyModel, spectral: {type: PowerLawSpectralModel, parameters: "
    "[{name: index, value: %s}, {name: amplitude, value: 1e-11, unit: cm-2 s-1 TeV-1}]}}]}"
)
MAPS = (
    "datasets: {type: 3d, map_selection: [counts, exposure, background, edisp], background: {method: fov_background}, "
    "geom: {wcs: {skydir: {frame: icrs, lon: 83.633 deg, lat: 22.014 deg}, width: {width: 1 deg, height: 1 deg}, "
    "binsize: 0.1 deg}}}\n"
    "models: {components: [{name: crab, type: SkyModel, apply_irf: {psf: false}, spectral: {type: pl, parameters: ["
    "{name: index, value: %s}, {name: amplitude, value: %s, unit: cm-2 s-1 TeV-1}, {name: reference, value: %s, "
    "unit: TeV}]}, spatial: {type: gauss, frame: icrs, parameters: [{name: lon_0, value: 83.63, unit: deg}, "
    "{name: lat_0, value: 22.0, unit: deg}, {name: sigma, value: %s, unit: deg}]}}]}"
)
NAMED = (
    "models: {components: [{name: crab, type: SkyModel, datasets_names: [other], "
    "spectral: {type: PowerLawSpectralModel}}]}"
)

LINKED = (
    "models: {components: [{name: crab, type: SkyModel, spectral: {type: pl, parameters: "
    "[{name: index, value: 2.2, link: shared%s}]}}, {name: wing, type: SkyModel, spectral: {type: pl, parameters: "
    "[{name: index, value: %s, link: shared, prior: {type: GaussianPrior, parameters: [{name: mu, value: 2}]}}]}}]}"
)
TEMPORAL = (
    "models: {components: [{name: crab, type: SkyModel, spectral: {type: PowerLawSpectralModel}, temporal: {type: %s, "
    "%s parameters: [{name: t_ref, value: %s, unit: d}]}}]}"
)

# What is wrong: release, the change of a good configuration, exit code, how the sentence goes on.
CONFIGURATIONS = {
    "fit range above the axis": (
        "tiny",
        "fit: {fit_range: {min: 40 TeV, max: 60 TeV}}",
        2,
        "fit.fit_range: it lies ou",
    ),
    "fit range below the axis": (
        "tiny",
        "fit: {fit_range: {min: 1 GeV, max: 90 GeV}}",
        2,
        "fit.fit_range: it lies out",
    ),
    "fit range inside of a bin": ("tiny", "fit: {fit_range: {min: 10 TeV, max: 14 TeV}}", 5, "No bin is left to fit: "),
    "flux points off the axis": (
        "tiny",
        "flux_points: {energy: {min: 40 TeV, max: 90 TeV, nbins: 2}}",
        2,
        "flux_points.energy: all points lie outside of the energies of the datasets, 0.5 to 30 TeV; ",
    ),
    "flux points of another source": ("tiny", "flux_points: {source: vela}", 2, "flux_points.source: there is no mod"),
    "frozen models": (
        "tiny",
        FROZEN + "\nflux_points: {energy: {min: null, max: null, nbins: null}}",
        2,
        "No free par",
    ),
    "frozen amplitude": ("tiny", FROZEN, 2, "No free parameters for fitting"),
    "models for maps": ("tiny", SPATIAL, 2, "The model 'crab' has a free position or size (lon_0, lat_0)"),
    "prior of a linked parameter": (
        "tiny",
        LINKED % (", prior: {type: GaussianPrior, parameters: [{name: mu, value: 2}]}", "2.2"),
        2,
        "The parameter crab.spectral.index = wing.spectral.index is linked and has a prior, of which it is not said ",
    ),
    "prior at the second place of a linked parameter": (
        "tiny",
        LINKED % ("", "2.2"),
        2,
        "The parameter crab.spectral.index = wing.spectral.index is linked and has a prior, of which it is not said ",
    ),
    "linked parameter of two values": (
        "tiny",
        LINKED % ("", "2.5"),
        2,
        "PowerLawSpectralModel.index: it is linked as 'shared' and has the value 2.5 here, 2.2 at its first place",
    ),
    "good time before a power law in time": (
        "tiny",
        TEMPORAL % ("PowerLawTemporalModel", "", "70000.0"),
        2,
        "The model 'crab': its PowerLawTemporalModel counts from t_ref on, and good time begins ",
    ),
    "phases outside of a turn": (
        "tiny",
        TEMPORAL % ("TemplatePhaseCurveTemporalModel", "phase: {data: [0.1, 1.2]}, norm: {data: [1, 2]},", "55000.0"),
        2,
        "TemplatePhaseCurveTemporalModel: expected phases from 0 to 1, got 0.1 to 1.2; give them as fractions",
    ),
    "light curve that is not there": (
        "tiny",
        TEMPORAL % ("LightCurveTemplateTemporalModel", "filename: '{0}/none.fits',", "55000.0"),
        3,
        "There is no light-curve template at {0}/none.fits; ",
    ),
    "start that is no number": (
        "tiny",
        INDEX % ".nan",
        5,
        "The statistic is not a number at the start values (index = nan)",
    ),
    "start whose counts are no number": (
        "tiny",
        INDEX % "1000, frozen: true",
        5,
        "The model 'crab' predicts counts that are no numbers at the start values (index = 1000, ",
    ),
    "start of a joint fit that is too steep": (
        "tiny",
        INDEX % "1000" + "\ndatasets: {stack: false}",
        5,
        "The model 'crab' predicts counts that are no numbers at the start values (index = 1000, ",
    ),
    "start of more counts than there are": (
        "tiny",
        INDEX % "100",
        5,
        "The model 'crab' predicts more than 9e+15 counts at the start values (index = 100, amplitude = 1e-11, ",
    ),
    "start on maps that is too steep": (
        "tiny",
        MAPS % (100, 1e-11, 1, 0.1),
        5,
        "The model 'crab' predicts more than 9e+15 counts at the start values (index = 100, ",
    ),
    "start on maps that is too bright": (
        "tiny",
        MAPS % (2, 1e300, 1, 0.1),
        5,
        "The model 'crab' predicts counts that are no numbers at the start values (index = 2, amplitude = 1e+300, ",
    ),
    "start on maps without a flux": (
        "tiny",
        MAPS % (2, 1e-11, 0, 0.1),
        5,
        "The model 'crab' is 0 at all energies of the datasets at the start values (index = 2, amplitude = 1e-11, "
        "reference = 0); start elsewhere.",
    ),
    "start on maps of a negative size": (
        "tiny",
        MAPS % (2, 1e-11, 1, -1),
        2,
        "The model 'crab' expects sigma from 0 deg, got -1; start within its limits.",
    ),
    "models for no dataset": ("tiny", NAMED, 2, "datasets_names: no model names the dataset stacked; crab is for oth"),
    "models for no row": (
        "tiny",
        NAMED + "\ndatasets: {stack: false}",
        2,
        "datasets_names: no model names the datasets ",
    ),
    "intervals off the data": (
        "tiny",
        "observations: {obs_time: {start: 2010-01-01, stop: 2010-01-02}}",
        2,
        "observations: the selection holds no run; widen obs_cone or obs_time, or give other obs_ids.",
    ),
    "expression of nothing": (
        "tiny",
        'observations: {expression: "events > 100000"}',
        2,
        "observations: the selection",
    ),
    "cone of nothing": (
        "tiny",
        "observations: {obs_cone: {frame: icrs, lon: 10 deg, lat: 10 deg, radius: 1 deg}}",
        2,
        "observations: the selection holds no run;",
    ),
    "unknown run": ("tiny", "observations: {obs_ids: [7]}", 2, "observations.obs_ids: the datastore has no run 7; "),
    "response that no run has": (
        "tiny",
        "observations: {required_irf: [rad_max]}",
        3,
        "No run can be used. Run 1 and 2 more: it ",
    ),
    "region that no run sees": (
        "tiny",
        "datasets: {on_region: {frame: icrs, lon: 60 deg, lat: 22 deg, radius: 0.11 deg}}",
        3,
        "No run can be used. Run 1 and 1 more: the region is 21.9 deg from its pointing, more than 2.5 deg ",
    ),
    "region at the pointings": (
        "tiny",
        "datasets: {on_region: {frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 1 deg}}",
        3,
        "No run can be used. Run 1 and 2 more: no off region fits on the ring",
    ),
    "energies without response": (
        "tiny",
        "datasets: {geom: {axes: {energy: {min: 1e5 TeV, max: 1e6 TeV, nbins: 2}, "
        "energy_true: {min: 1e4 TeV, max: 1e7 TeV, nbins: 4}}}}\n"
        "fit: {fit_range: {min: null, max: null}}\nflux_points: {energy: {min: 1e5 TeV, max: 1e6 TeV, nbins: 1}}",
        3,
        "No run can be used. Run 1 and 2 more: the on-region lies outside the field of view",
    ),
    "safe masks that leave nothing": (
        "tiny",
        "datasets: {safe_mask: {methods: [offset-max], parameters: {offset_max: 0.1 deg}}}",
        3,
        "No run can be used. Run 1 and 2 more: the safe masks leave no energy",
    ),
    "disjoint axes": (
        "tiny",
        None,
        2,
        "datasets.geom.axes.energy_true: expected to overlap with datasets.geom.axes.energy",
    ),
    "point-like with containment": (
        "point-like",
        "observations: {required_irf: [aeff, edisp]}",
        2,
        "datasets.containment_correction: the responses are point-like",
    ),
    "point-like of another radius": (
        "point-like",
        POINT_LIKE + WIDE + "}",
        2,
        "datasets.on_region.radius: the responses are point-like for a radius of 0.11 deg (RAD_MAX), got 0.2 deg",
    ),
    "radius of energy": (
        "rad_max of energy",
        POINT_LIKE + "}",
        2,
        "datasets.on_region: the responses are point-like for a radius that depends on energy or offset ",
    ),
    "missing datastore": (
        "tiny",
        "observations: {datastore: {0}/none}",
        3,
        "observations.datastore: expected a file or",
    ),
    "datastore that is text": ("tiny", "observations: {datastore: {0}/text}", 3, "{0}/text is not a FITS file"),
    "folder without runs": ("tiny", "observations: {datastore: {0}/empty}", 3, "{0}/empty holds neither hdu-index"),
    "tag of a FITS release": ("tiny", "observations: {tag: first}", 2, "observations.tag: "),
    "ids in a pipe": (
        "tiny",
        "observations: {obs_file: {0}/pipe}",
        3,
        "observations.obs_file: {0}/pipe cannot be read",
    ),
    "ids in a device": (
        "tiny",
        "observations: {obs_file: /dev/zero}",
        3,
        "observations.obs_file: /dev/zero cannot be re",
    ),
    "ids in a folder": (
        "tiny",
        "observations: {obs_file: {0}/empty}",
        3,
        "observations.obs_file: {0}/empty cannot be rea",
    ),
    "models in a device": (
        "tiny",
        "models: /dev/zero",
        3,
        "The model document /dev/zero cannot be read: it is a device",
    ),
    "exclusion in a device": (
        "tiny",
        "datasets: {background: {exclusion: /dev/zero}}",
        3,
        "The exclusion mask /dev/zero cannot be read",
    ),
    "results in a file": (
        "tiny",
        "general: {outdir: {0}/text}",
        2,
        "general.outdir: expected a folder, but {0}/text is",
    ),
    "results under too long a name": (
        "tiny",
        "general: {outdir: {0}/" + 300 * "a" + "}",
        2,
        "cannot be written (File name too long); give another folder.",
    ),
    "store of an unknown kind": (
        "tiny",
        "general: {store: 'ftp://127.0.0.1/x'}",
        3,
        "ftp://127.0.0.1/x cannot be opened: expected s3://, gs://, az://, ",
    ),
    "store in a file": ("tiny", "general: {store: {0}/text}", 3, "The store {0}/text cannot be opened as a folder: "),
    "store below a file": (
        "tiny",
        "general: {store: {0}/text/a/b}",
        3,
        "The store {0}/text/a/b cannot be opened as a fol",
    ),
    "store that processes share": (
        "tiny",
        "general: {store: 'memory://', n_jobs: 2}",
        2,
        "general.n_jobs: processes ca",
    ),
    "memory that is too small": ("tiny", "general: {memory_limit: 1 kB}", 2, "general.memory_limit: "),
    "maps among the steps": (
        "tiny",
        "steps: [observations, datasets, excess_map]",
        2,
        "steps: excess_map is made of maps, and datasets have type 1d",
    ),
    "light curve in intervals that hold no run": (
        "tiny",
        "datasets: {stack: false}\nlight_curve: {energy_edges: {min: 1 TeV, max: 10 TeV, nbins: 1}, source: crab, "
        "time_intervals: {start: 2004-01-01, stop: 2004-01-02}}",
        2,
        "light_curve.time_intervals: expected intervals that hold a dataset, and none of 3 lies inside of ",
    ),
    "light curve of a stack in intervals that cut it": (
        "tiny",
        "light_curve: {energy_edges: {min: 1 TeV, max: 10 TeV, nbins: 1}, source: crab, "
        "time_intervals: {start: '2023-12-01', stop: '2024-03-19T22:01:00'}}",
        2,
        "light_curve.time_intervals: expected intervals that hold a dataset, and none of 1 lies inside of ",
    ),
    "light curve in intervals that overlap": (
        "tiny",
        "light_curve: {energy_edges: {min: 1 TeV, max: 10 TeV, nbins: 1}, source: crab, "
        "time_intervals: {start: [2004-01-01, 2004-01-02], stop: [2004-01-03, 2004-01-04]}}",
        2,
        "light_curve.time_intervals: expected intervals that do not overlap, so that each event counts once, ",
    ),
    "light curve in intervals that run backwards": (
        "tiny",
        "light_curve: {energy_edges: {min: 1 TeV, max: 10 TeV, nbins: 1}, source: crab, "
        "time_intervals: {start: 2004-01-03, stop: 2004-01-02}}",
        2,
        "light_curve.time_intervals: expected start before stop, got start 2004-01-03T00:00:00.000 and stop ",
    ),
    "light curve of another source": (
        "tiny",
        "light_curve: {energy_edges: {min: 1 TeV, max: 10 TeV, nbins: 1}, source: vela}",
        2,
        "light_curve.source: there is no model 'vela'",
    ),
    "light curve outside of the energies": (
        "tiny",
        "light_curve: {energy_edges: {min: 100 TeV, max: 200 TeV, nbins: 1}, source: crab}",
        2,
        "light_curve.energy_edges: all points lie outside of the energies of the datasets, 0.5 to 30 TeV",
    ),
    "light curve of a source without a free norm": (
        "tiny",
        "light_curve: {energy_edges: {min: 1 TeV, max: 10 TeV, nbins: 1}, source: crab}\n"
        "models: {components: [{name: crab, type: SkyModel, spectral: {type: PowerLawSpectralModel, parameters: ["
        "{name: index, value: 2.5}, {name: amplitude, value: 3.e-11, unit: cm-2 s-1 TeV-1, frozen: true}]}}]}",
        2,
        "light_curve.source: expected a free norm of 'crab', and amplitude is frozen; set frozen: false.",
    ),
    "light curve without energies": (
        "tiny",
        "steps: [observations, datasets, light_curve]\nlight_curve: {source: crab}",
        2,
        "light_curve.energy_edges: the steps ask for a light curve, and no energies are given. ",
    ),
    "step without the one it needs": (
        "tiny",
        "steps: [observations, flux_points]",
        2,
        "steps: flux_points needs datas",
    ),
}
# Of these an analysis that is driven by hand knows nothing: they are about steps, folders and the plan.
OF_RUN_ALONE = {
    "results in a file", "results under too long a name", "memory that is too small",
    "maps among the steps", "light curve of another source", "light curve outside of the energies",
    "light curve of a source without a free norm", "start on maps without a flux",
    "step without the one it needs",
    "region that no run sees", "flux points of another source", "frozen amplitude", "disjoint axes",
}  # fmt: skip

# What is wrong with files: a change of all runs of a release, exit code, how the sentence goes on.
FILES = {
    "missing": (faults.remove_file, 3, "No run can be used. Run 1: There is no file "),
    "cut off": (faults.truncate_file, 3, "No run can be used. Run 1: "),
    "empty": (faults.empty_file, 3, "No run can be used. Run 1: "),
    "without good time": (faults.remove_hdu, 3, "No run can be used. Run 1: "),
    "without events": (faults.remove_events, 3, "No run can be used. Run 1 and 2 more: the event list is empty"),
    "of energies that are no numbers": (
        faults.spoil_energies,
        3,
        "No run can be used. Run 1 and 2 more: the event list holds ene",
    ),
    "misnamed": (faults.misname_file, 3, "No run can be used. Run 1 and 2 more: "),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The releases, made when they are first asked for."""
    folder, known = tmp_path_factory.mktemp("promised"), {}

    def release(name):
        if name not in known:
            known[name] = release_of(PLANS[name], folder)
        return known[name]

    return release


@pytest.fixture
def place(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("words")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def written(release, place, text):
    """Write a configuration that is changed by a text; without one, one that no configuration can hold."""
    document = config_of(release, place / "out" / "store").document()
    path = place / "asked.yaml"
    if text is None:
        document["datasets"]["geom"]["axes"]["energy_true"] = {"min": "40 TeV", "max": "90 TeV", "nbins": 4}
    else:
        document = config_of(release, place / "out" / "store").update(text.replace("{0}", str(place))).document()
    path.write_text(mixed_yaml(document))
    return path


def by_hand(path):
    """Run an analysis by the methods of its session."""
    analysis = Analysis(AnalysisConfig.read(path))
    analysis.get_observations()
    analysis.get_datasets()
    analysis.set_models(models_of(analysis.config))
    analysis.run_fit()
    analysis.get_flux_points()
    if analysis.config.light_curve.energy_edges.is_set:
        analysis.get_light_curve()


@pytest.mark.some_long(6)
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_check_and_run_refuse_a_wrong_configuration_with_the_same_message(name, made, place, xgamma):
    release, text, code, sentence = CONFIGURATIONS[name]
    path = written(made(release), place, text)
    before = set(place.rglob("*"))
    checked = xgamma("check", path)
    assert (checked.code, checked.out) == (code, "")
    assert sentence.replace("{0}", str(place)) in checked.err
    assert checked.err.startswith(f"Error: {path}: ")
    assert checked.err.count("\n") == 1
    assert set(place.rglob("*")) == before
    done = xgamma("run", path)
    assert (done.code, done.err) == (checked.code, checked.err)
    if name not in OF_RUN_ALONE:
        with pytest.raises(XgammaError) as error:
            by_hand(path)
        assert error.value.exit_code == code
        # The command names the file of a key.
        assert checked.err.replace(f"{path}: ", "") == f"Error: {str(error.value).replace(f'{path}: ', '')}\n"


@pytest.mark.some_long(3)
@pytest.mark.parametrize("name", FILES)
def test_check_and_run_refuse_unusable_files_with_the_same_message(name, tiny_release, place, xgamma):
    fault, code, sentence = FILES[name]
    release = shutil.copytree(tiny_release, place / "tiny")
    for obs_id in (1, 2, 3):
        fault(release, obs_id)
    path = written(release, place, "{}")
    checked = xgamma("check", path)
    assert checked.code == code
    assert checked.err.startswith(f"Error: {path}: {sentence}")
    assert xgamma("run", path) == checked


def test_check_and_run_refuse_the_first_bad_run_with_fail_fast(own_release, place, xgamma):
    faults.truncate_file(own_release, 2)
    path = written(own_release, place, "general: {fail_fast: true}")
    checked = xgamma("check", path)
    assert checked.code == 3
    assert checked.err.startswith(f"Error: {path}: Run 2 cannot be read: ")
    assert xgamma("run", path) == checked


# What is wrong with models, whichever file they are in: how the sentence goes on.
MODELS = {
    "that overflow": (INDEX % "1000", "The model 'crab' predicts counts that are no numbers"),
    "without a number": (INDEX % ".nan", "The statistic is not a number at the start values (index = nan)"),
    "that are frozen": (FROZEN, "No free parameters for fitting"),
    "with a place": (SPATIAL, "The model 'crab' has a free position or size"),
    "of other datasets": (NAMED, "datasets_names: no model names the dataset stacked"),
    "linked with two values": (LINKED % ("", "2.5"), "components[1]: PowerLawSpectralModel.index: it is linked"),
    "linked with a prior": (LINKED % ("", "2.2"), "The parameter crab.spectral.index = wing.spectral.index is linked"),
    "of an unknown kind": (
        INDEX.replace("PowerLaw", "PowrLaw") % 2,
        "components[0]: There is no spectral model called",
    ),
    "without room": (INDEX % "2, min: 4, max: 1", "crab.spectral.index: expected min < max, got 4 and 1"),
}


@pytest.mark.some_long(3)
@pytest.mark.parametrize("key", ["models", "general.models_file"])
@pytest.mark.parametrize("name", MODELS)
def test_an_error_of_models_names_their_file_and_the_configuration(name, key, made, place, xgamma):
    text, sentence = MODELS[name]
    models = place / "sources.yaml"
    models.write_text(mixed_yaml(yaml.safe_load(text)["models"]))
    entry = f"general: {{models_file: {models}}}\nmodels: null" if "." in key else f"models: {models}"
    path = written(made("tiny"), place, entry)
    checked = xgamma("check", path)
    assert checked.err.startswith(f"Error: {path}: {models}: {sentence}")
    assert checked.err.count(str(models)) == 1


def test_check_names_one_bad_run_with_the_reason_of_run(own_release, place, xgamma):
    faults.remove_events(own_release, 3)
    path = written(own_release, place, "{}")
    checked, done = xgamma("check", path), xgamma("run", path)
    assert (checked.code, done.code) == (0, 4)
    assert "Run 3 will not be used: the event list is empty." in checked.err
    assert "Run 3 was not used: the event list is empty." in done.err


def test_check_reads_a_sample_of_many_runs_and_looks_for_the_other_files(own_release, place, xgamma, monkeypatch):
    monkeypatch.setattr("xgamma.analysis.look.LOOKED_AT", 2)
    faults.remove_file(own_release, 2)
    done = xgamma("check", written(own_release, place, "{}"))
    assert done.code == 0
    assert "looked into           2 of 3, evenly spaced; of the others, whether their files are there" in done.out
    assert "Run 2 will not be used: There is no file " in done.err


@pytest.mark.some_long(3)
@pytest.mark.parametrize(
    "text",
    [
        "observations: {obs_time: {start: 2010-01-01, stop: 2010-01-02}}",
        'observations: {expression: "events > 100000"}',
        "datasets: {safe_mask: {methods: [offset-max], parameters: {offset_max: 0.1 deg}}}",
    ],
)
def test_check_reads_all_runs_where_none_of_the_sample_can_be_used(tiny_release, place, xgamma, monkeypatch, text):
    monkeypatch.setattr("xgamma.analysis.look.LOOKED_AT", 1)
    path = written(tiny_release, place, text)
    checked = xgamma("check", path)
    assert checked.code in (2, 3)
    assert xgamma("run", path) == checked


def test_check_reads_events_and_stores_none(tiny_release, place, xgamma):
    path = written(tiny_release, place, "{}")
    assert xgamma("check", path).code == 0
    assert not (place / "out").exists()


@pytest.mark.some_long(3)
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("light_curve: {source: crab}", "light_curve: given and not used, as no step makes a light curve; "),
        ("light_curve: {time_intervals: {start: 2024-01-01, stop: 2024-01-02}}", "light_curve: given and not used"),
        ("excess_map: {correlation_radius: 0.2 deg}", "excess_map: given and not used, as no step makes excess maps"),
        ("steps: [observations, datasets]", "fit: given and not used, as no step fits; "),
        ("steps: [observations, datasets, fit]", "flux_points: given and not used, as no step makes flux points; "),
        ("steps: [observations]", "datasets: given and not used, as no step makes datasets."),
        ("datasets: {geom: {wcs: {binsize: 0.05 deg}}}", "datasets.geom.wcs: given and not used, as datasets.type 1d "),
        ("datasets: {map_selection: [counts]}", "datasets.map_selection: given and not used, as datasets.type 1d make"),
        ("observations: {obs_cone: {frame: icrs}}", "observations.obs_cone: given and not used, as it has no lon, lat"),
        ("general: {datasets_file: a.yaml}", "general.datasets_file: given and not used, as datasets are reduced from"),
        ("general: {models_file: a.yaml}", "general.models_file: given and not used, as the section models holds the "),
        ("general: {log: {filemode: w}}", "general.log.filemode: given and not used, as general.log.filename is null."),
        (
            "datasets: {safe_mask: {parameters: {bias_percent: 5}}}",
            "datasets.safe_mask.parameters.bias_percent: given and not used, as no method of aeff-default, aeff-max ",
        ),
        (
            "flux_points: {parameters: {selection_optional: [ul], norm_n_values: 5}}",
            "flux_points.parameters.norm_n_values: given and not used, as selection_optional does not include scan.",
        ),
    ],
)
def test_keys_that_no_step_uses_are_named(text, sentence, tiny_release, place, xgamma):
    path = written(tiny_release, place, text)
    remarks = xgamma("check", path, "--json").document["remarks"]
    assert [remark for remark in remarks if remark.startswith(sentence)]
    if "steps" not in text:
        assert sentence in xgamma("run", path, "--until", "observations").err


def test_keys_at_their_defaults_are_not_named(tiny_release, place, xgamma):
    path = written(tiny_release, place, "light_curve: {source: source}\nexcess_map: {correlation_radius: 0.1 deg}")
    remarks = xgamma("check", path, "--json").document["remarks"]
    assert [remark for remark in remarks if "given and not used" in remark] == []


def test_check_warns_of_flux_points_partly_outside_of_the_axis(tiny_release, place, xgamma):
    path = written(tiny_release, place, "flux_points: {energy: {min: 10 TeV, max: 90 TeV, nbins: 2}}")
    remarks = xgamma("check", path, "--json").document["remarks"]
    said = "flux_points.energy: 1 of 2 points lie outside of the energies of the datasets, 0.5 to 30 TeV, and will be "
    assert [remark for remark in remarks if remark.startswith(said)]


def test_check_leaves_the_log_of_a_configuration_alone(tiny_release, place, xgamma):
    level = logging.getLogger("xgamma").level
    path = written(tiny_release, place, f"general: {{log: {{filename: {place}/run.log, level: debug}}}}")
    assert xgamma("check", path).code == 0
    assert not (place / "run.log").exists()
    assert logging.getLogger("xgamma").level == level


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (MAPS % (2, 1e-6, 1, 0.1), "far more than are"),
        (MAPS % (2, 1e-25, 1, 0.1), "fewer than can be"),
        (INDEX.replace("1e-11", "1e-5") % 2, "far more than are"),
        (INDEX.replace("1e-11", "1e-25") % 2, "fewer than can be"),
    ],
)
def test_check_names_a_start_far_from_the_counts_and_where_the_fit_begins(text, seen, made, place, xgamma):
    checked = xgamma("check", written(made("tiny"), place, text))
    assert checked.code == 0
    [line] = [line for line in checked.err.splitlines() if "predicts" in line]
    assert line.startswith("The model 'crab' predicts ")
    assert f" counts at the start values, {seen} seen: the fit begins at amplitude = " in line


def test_check_says_nothing_about_an_ordinary_start(made, place, xgamma):
    assert "predicts" not in xgamma("check", written(made("tiny"), place, MAPS % (2, 1e-11, 1, 0.1))).err
