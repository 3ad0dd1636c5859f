"""Bad input raises one clear error with the path of the key; each case here is the whole message."""

import datetime

import pytest
from astropy import units as u

from xgamma.config.config import AnalysisConfig
from xgamma.config.parameters import SPACES, backgrounds_for
from xgamma.errors import ConfigError, ConfigTypeError, InputError, MissingInputError

AXIS = "datasets.geom.axes.energy"
REGION = "{frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 0.11 deg}"
MODELS = "{components: [{name: crab, type: SkyModel, spectral: {type: PowerLawSpectralModel}}]}"


def axis(content: str) -> str:
    return f"datasets: {{geom: {{axes: {{energy: {{{content}}}}}}}}}"


def _why_not(*day):
    """Return what Python says of a day that there is not; each version in words of its own."""
    try:
        return str(datetime.date(*day))
    except ValueError as error:
        return str(error)


CASES = {
    "nbins 0": (axis("nbins: 0"), f"{AXIS}.nbins: expected a whole number of at least 1, got 0."),
    "nbins 3.7": (axis("nbins: 3.7"), f"{AXIS}.nbins: expected a whole number, got 3.7."),
    "nbins yes": (axis("nbins: yes"), f"{AXIS}.nbins: expected a whole number, got true."),
    "min above max": (
        axis("min: 30 TeV, max: 1 TeV"),
        f"{AXIS}: expected min < max, got min: 30.0 TeV and max: 1.0 TeV.",
    ),
    "min is max": (
        axis("min: 1 TeV, max: 1000 GeV"),
        f"{AXIS}: expected min < max, got min: 1.0 TeV and max: 1000.0 GeV.",
    ),
    "wrong unit": (axis("min: 1 deg"), f"{AXIS}.min: expected an energy with a unit such as '1 TeV', got '1 deg'."),
    "unknown unit": (axis("min: 1 Tev"), f"{AXIS}.min: expected an energy with a unit such as '1 TeV', got '1 Tev'."),
    "plain number": (axis("min: 0.5"), f"{AXIS}.min: expected an energy with a unit such as '0.5 TeV', got 0.5."),
    "zero energy": (axis("min: 0 TeV"), f"{AXIS}.min: expected an energy above 0 TeV, got '0 TeV'."),
    "not a number": (axis("min: foo"), f"{AXIS}.min: expected an energy with a unit such as '1 TeV', got 'foo'."),
    "several problems": (
        axis("min: foo, nbins: 0, nbin: 3"),
        f"{AXIS}.min: expected an energy with a unit such as '1 TeV', got 'foo'.\n"
        f"{AXIS}.nbins: expected a whole number of at least 1, got 0.\n"
        f"{AXIS}.nbin: there is no such key. Did you mean 'nbins'?",
    ),
    "true energy beside energy": (
        axis("min: 20 TeV, max: 100 TeV"),
        "datasets.geom.axes.energy_true: expected to overlap with datasets.geom.axes.energy (20.0 TeV to 100.0 TeV), "
        "got 0.5 TeV to 20.0 TeV; write a range that is wider than energy on both sides.",
    ),
    "true energy below energy": (
        "datasets: {geom: {axes: {energy_true: {min: 1 GeV, max: 900 GeV}}}}",
        "datasets.geom.axes.energy_true: expected to overlap with datasets.geom.axes.energy (1.0 TeV to 10.0 TeV), "
        "got 1.0 GeV to 900.0 GeV; write a range that is wider than energy on both sides.",
    ),
    "a billion bins": (
        axis("nbins: 1e9"),
        f"{AXIS}.nbins: expected a whole number of at most 10000, got 1000000000.0.",
    ),
    "a million bins of true energy": (
        "datasets: {geom: {axes: {energy_true: {nbins: 1000000}}}}",
        "datasets.geom.axes.energy_true.nbins: expected a whole number of at most 10000, got 1000000.",
    ),
    "bins that are many together": (
        "datasets: {geom: {axes: {energy: {nbins: 5000}, energy_true: {nbins: 8000}}}}",
        "datasets.geom.axes: the energy dispersion of one run would have 8000 x 5000 bins, 320 MB; expected at most "
        "100 MB. Write fewer nbins of energy_true or energy.",
    ),
    "a million flux points": (
        "flux_points: {energy: {min: 1 TeV, max: 10 TeV, nbins: 1000000}}",
        "flux_points.energy.nbins: expected a whole number of at most 10000, got 1000000.",
    ),
    "a billion processes": (
        "general: {n_jobs: 1000000000}",
        "general.n_jobs: expected a whole number of at most 1024, got 1000000000.",
    ),
    "an id beyond 64 bits": (
        "observations: {obs_ids: [1, 99999999999999999999]}",
        "observations.obs_ids[1]: expected a whole number of at most 9223372036854775807, got 99999999999999999999.",
    ),
    "infinite energy": (
        axis("max: inf TeV"),
        f"{AXIS}.max: expected an energy with a unit such as '1 TeV', got 'inf TeV'.",
    ),
    "an energy of no particle": (
        axis("max: 1e300 TeV"),
        f"{AXIS}.max: expected an energy from 1e-12 to 1e+12 TeV, got '1e300 TeV'.",
    ),
    "a radius beyond the sky": (
        "datasets: {on_region: {lon: 83 deg, lat: 22 deg, radius: 1000 deg}}",
        "datasets.on_region.radius: expected an angle from 0 to 360 deg, got '1000 deg'.",
    ),
    "pixels without number": (
        "datasets: {geom: {wcs: {binsize: 1e-6 deg}}}",
        "datasets.geom.wcs.binsize: a map of this width would have 2.5e+13 pixels; expected at most 1e+08. "
        "Write a larger binsize or a smaller width.",
    ),
    "a scan of a billion norms": (
        "flux_points: {parameters: {norm_n_values: 1000000000}}",
        "flux_points.parameters.norm_n_values: expected at most 10000, got 1000000000.",
    ),
    "a confidence that is infinite": (
        "flux_points: {parameters: {n_sigma_ul: .inf}}",
        "flux_points.parameters.n_sigma_ul: expected a finite number, got inf.",
    ),
    "steps without number around a pointing": (
        "datasets: {background: {method: reflected, parameters: {angle_increment: 1e-12}}}",
        "datasets.background.parameters.angle_increment: expected at least 0.0001 rad, got 1e-12.",
    ),
    "pixels of the off regions without number": (
        "datasets: {background: {method: reflected, parameters: {binsz: 1e-9 deg}}}",
        "datasets.background.parameters.binsz: expected at least 0.001 deg, got 1e-09.",
    ),
    "a memory of all the world": (
        f"general: {{memory_limit: {'9' * 400} GB}}",
        f"general.memory_limit: expected a size such as 4 GB, 500 MB or 1.5 GiB, got '{'9' * 76}....",
    ),
    "negative radius": (
        "datasets: {on_region: {lon: 83 deg, lat: 22 deg, radius: -0.1 deg}}",
        "datasets.on_region.radius: expected an angle from 0 to 360 deg, got '-0.1 deg'.",
    ),
    "latitude": (
        "observations: {obs_cone: {lon: 83 deg, lat: 95 deg, radius: 1 deg}}",
        "observations.obs_cone.lat: expected a latitude from -90 to 90 deg, got '95 deg'.",
    ),
    "part of a region": (
        "datasets: {on_region: {lon: 83 deg, radius: 0.1 deg}}",
        "datasets.on_region: expected lon, lat and radius, or none of them; lat not given. "
        f"Write for example {REGION}.",
    ),
    "part of the centre": (
        "datasets: {geom: {wcs: {skydir: {frame: icrs, lon: 83 deg}}}}",
        "datasets.geom.wcs.skydir: expected lon and lat, or none of them; "
        "write for example {frame: icrs, lon: 83.633 deg, lat: 22.014 deg}.",
    ),
    "frame": (
        "datasets: {on_region: {frame: ICRS}}",
        "datasets.on_region.frame: expected one of icrs, galactic, got 'ICRS'. Did you mean 'icrs'?",
    ),
    "ids and file": (
        "observations: {obs_ids: [1, 2], obs_file: ids.txt}",
        "observations: both obs_ids and obs_file are given; leave one of them out.",
    ),
    "ids twice": (
        "observations: {obs_ids: [1, 2, 1]}",
        "observations.obs_ids: expected each observation once, got 1 more than once.",
    ),
    "one id": ("observations: {obs_ids: 12}", "observations.obs_ids: expected a list such as [12], got 12."),
    "ids that are not numbers": (
        "observations: {obs_ids: ['12', 12a, 1.5]}",
        "observations.obs_ids[1]: expected a whole number, got '12a'.\n"
        "observations.obs_ids[2]: expected a whole number, got 1.5.",
    ),
    "one response": (
        "observations: {required_irf: aeff}",
        "observations.required_irf: expected a list such as [aeff], got 'aeff'.",
    ),
    "one thing that is no response": (
        "observations: {required_irf: 3}",
        "observations.required_irf: expected a list of events, gti, aeff, bkg, edisp, psf, rad_max, point-like, "
        "full-enclosure, all-optional, got 3.",
    ),
    "one thing that is no id": (
        "observations: {obs_ids: crab}",
        "observations.obs_ids: expected a list such as [1, 2], got 'crab'.",
    ),
    "required_irf": (
        "observations: {required_irf: [aef]}",
        "observations.required_irf[0]: expected one of events, gti, aeff, bkg, edisp, psf, rad_max, point-like, "
        "full-enclosure, all-optional, got 'aef'. Did you mean 'aeff'?",
    ),
    "time": (
        "observations: {obs_time: {start: foo}}",
        "observations.obs_time.start: expected a time such as '2004-12-04T22:00:00' (UTC), or a list of times, "
        "got 'foo'.",
    ),
    "a time before all calendars": (
        "observations: {obs_time: {start: 0111-01-01}}",
        "observations.obs_time.start: expected a time such as '2004-12-04T22:00:00' (UTC), or a list of times, "
        "got '0111-01-01'.",
    ),
    "number as time": (
        "observations: {obs_time: {start: 53000.0}}",
        "observations.obs_time.start: expected a time such as '2004-12-04T22:00:00' (UTC), or a list of times, "
        "got 53000.0.",
    ),
    "no stop": (
        "observations: {obs_time: {start: 2004-12-04}}",
        "observations.obs_time: expected a stop for every start, got 1 of start and 0 of stop.",
    ),
    "stop before start": (
        "light_curve: {time_intervals: {start: [2004-12-01, 2004-12-04], stop: [2004-12-02, 2004-12-03]}}",
        "light_curve.time_intervals: expected start before stop, got start 2004-12-04T00:00:00.000 "
        "and stop 2004-12-03T00:00:00.000.",
    ),
    "no such day": (
        "observations: {obs_time: {start: 2005-02-30}}",
        f"A date or number of the YAML cannot be read: {_why_not(2005, 2, 30)}; quote it if it is text.",
    ),
    "type": ("datasets: {type: 3D}", "datasets.type: expected one of 1d, 3d, got '3D'. Did you mean '3d'?"),
    "stack": ("datasets: {stack: 2}", "datasets.stack: expected true or false, got 2."),
    "unknown background": (
        "datasets: {background: {method: reflectd}}",
        f"datasets.background.method: expected one of {', '.join(SPACES)}, got 'reflectd'. Did you mean 'reflected'?",
    ),
    "field-of-view background in 1d": (
        "datasets: {background: {method: fov_background}}",
        "datasets.background.method: 'fov_background' is made for datasets.type 3d, got 1d; "
        f"write {backgrounds_for('1d')}, or type: 3d.",
    ),
    "ring in 1d": (
        "datasets: {geom: {axes: {energy: {nbins: 1}}},"
        " background: {method: ring, parameters: {r_in: 0.5 deg, width: 0.3 deg}}}",
        "datasets.background.method: 'ring' is made for datasets.type 3d, got 1d; "
        f"write {backgrounds_for('1d')}, or type: 3d.",
    ),
    "reflected in 3d": (
        "datasets: {type: 3d, background: {method: reflected}}",
        "datasets.background.method: 'reflected' is made for datasets.type 1d, got 3d; "
        "write adaptive_ring, fov_background or ring, or type: 1d.",
    ),
    "ring in many bins without its radius": (
        "datasets: {type: 3d, background: {method: ring, parameters: {width: 0.3 deg}}}",
        "datasets.background.parameters: background 'ring' needs r_in.\n"
        f"{AXIS}.nbins: the ring background is made in one energy bin, got 5; "
        "write nbins: 1, or method: fov_background.",
    ),
    "background parameters": (
        "datasets: {background: {method: reflected,"
        " parameters: {min_distanc: 0.1, angle_increment: 1 TeV, max_region_number: 0}}}",
        "datasets.background.parameters: background 'reflected' has no parameter 'min_distanc'. "
        "Did you mean 'min_distance'?\n"
        "datasets.background.parameters.angle_increment: expected a value in rad, got '1 TeV' (TeV).\n"
        "datasets.background.parameters.max_region_number: expected at least 1, got 0.",
    ),
    "field-of-view method": (
        "datasets: {type: 3d, background: {method: fov_background, parameters: {method: scal}}}",
        "datasets.background.parameters.method: expected scale or fit, got 'scal'.",
    ),
    "parameters without a method": (
        "datasets: {background: {parameters: {min_distance: 0.1}}}",
        "datasets.background.parameters: min_distance given, but background.method is null; choose a method.",
    ),
    "parameters that are null": (
        "datasets: {background: {parameters: null}}",
        "datasets.background.parameters: expected a mapping such as {name: value}, got null.",
    ),
    "mask method": (
        "datasets: {safe_mask: {methods: [aeff-max, aeffdefault]}}",
        "datasets.safe_mask.methods[1]: expected one of aeff-default, aeff-max, edisp-bias, offset-max, bkg-peak, "
        "got 'aeffdefault'. Did you mean 'aeff-default'?",
    ),
    "mask methods that are no list": (
        "datasets: {safe_mask: {methods: aeff-max}}",
        "datasets.safe_mask.methods: expected a list such as [aeff-max], got 'aeff-max'.",
    ),
    "mask parameter": (
        "datasets: {safe_mask: {parameters: {aeff_percnt: 0.1}}}",
        "datasets.safe_mask.parameters: safe mask 'any method' has no parameter 'aeff_percnt'. "
        "Did you mean 'aeff_percent'?",
    ),
    "more than all": (
        "datasets: {safe_mask: {parameters: {aeff_percent: 110}}}",
        "datasets.safe_mask.parameters.aeff_percent: expected at most 100, got 110.0.",
    ),
    "two places of a mask": (
        "datasets: {safe_mask: {parameters: {fixed_offset: 1 deg, position: {lon: 1 deg, lat: 2 deg}}}}",
        "datasets.safe_mask.parameters: fixed_offset and position exclude each other; leave one of them out.",
    ),
    "position that is none": (
        "datasets: {safe_mask: {parameters: {position: [1, 2]}}}",
        "datasets.safe_mask.parameters.position: expected {frame: icrs, lon: 83.633 deg, lat: 22.014 deg} or a "
        "SkyCoord, got [1, 2].",
    ),
    "position without latitude": (
        "datasets: {safe_mask: {parameters: {position: {lon: 1 deg}}}}",
        "datasets.safe_mask.parameters.position: expected lon and lat, for example "
        "{frame: icrs, lon: 83.633 deg, lat: 22.014 deg}.",
    ),
    "estimator parameter": (
        "flux_points: {parameters: {selection_optionl: all}}",
        "flux_points.parameters: estimator 'flux_points' has no parameter 'selection_optionl'. "
        "Did you mean 'selection_optional'?",
    ),
    "norms upside down": (
        "flux_points: {parameters: {norm_min: 3, norm_max: 1}}",
        "flux_points.parameters: expected norm_min < norm_max, got 3 and 1.",
    ),
    "no such selection": (
        "light_curve: {parameters: {selection_optional: [ul, scn]}}",
        "light_curve.parameters.selection_optional: 'scn' is not an optional result. Did you mean 'scan'?",
    ),
    "light curve in unknown bins": (
        "light_curve: {time_bins: nigth}",
        "light_curve.time_bins: there is no binning 'nigth'; write observation, night, blocks, a width such as "
        "{width: 7 d}, or {blocks: 0.01}. Did you mean 'night'?",
    ),
    "light curve in bins of no width": (
        "light_curve: {time_bins: {width: 0 s}}",
        "light_curve.time_bins.width: expected a time above 0 such as 1 h or 7 d, got '0 s'.",
    ),
    "light curve in bins of another kind": (
        "light_curve: {time_bins: 3}",
        "light_curve.time_bins: expected observation, night, blocks, or a mapping such as {width: 7 d}, got 3.",
    ),
    "light-curve parameter": (
        "light_curve: {parameters: {atl: 1 s}}",
        "light_curve.parameters: estimator 'light_curve' has no parameter 'atl'. Did you mean 'atol'?",
    ),
    "excess-map selection": (
        "excess_map: {parameters: {selection_optional: [errn-erp]}}",
        "excess_map.parameters.selection_optional: 'errn-erp' is not an optional result. Did you mean 'errn-errp'?",
    ),
    "part of a requested axis": (
        "flux_points: {energy: {min: 1 TeV}}",
        "flux_points.energy: expected min, max and nbins, or none of them; max and nbins not given. "
        "Write for example {min: 1 TeV, max: 20 TeV, nbins: 8}.",
    ),
    "a requested axis upside down": (
        "light_curve: {energy_edges: {min: 2 TeV, max: 1 TeV, nbins: 1}}",
        "light_curve.energy_edges: expected min < max, got min: 2.0 TeV and max: 1.0 TeV.",
    ),
    "fit range": (
        "fit: {fit_range: {min: 20 TeV, max: 1 TeV}}",
        "fit.fit_range: expected min < max, got min: 20.0 TeV and max: 1.0 TeV.",
    ),
    "a number as source": (
        "flux_points: {source: 3}",
        "flux_points.source: expected text, got 3. Quote it: '3'.",
    ),
    "misspelt section": ("fitt: {}", "fitt: there is no such key. Did you mean 'fit'?"),
    "misspelt key": (
        "datasets: {safe_mask: {method: [aeff-max]}}",
        "datasets.safe_mask.method: there is no such key. Did you mean 'methods'?",
    ),
    "key at the wrong place": (
        "fit_range: {min: 1 TeV}",
        "fit_range: there is no such key. Write it as fit.fit_range.",
    ),
    "section of nothing": (
        "fit:",
        "fit: expected a mapping of keys, got null; leave the key out to keep its defaults.",
    ),
    "section of text": ("fit: foo", "fit: expected a mapping of keys, got 'foo'."),
    "log level": (
        "general: {log: {level: inof}}",
        "general.log.level: expected one of critical, error, warning, info, debug, got 'inof'. Did you mean 'info'?",
    ),
    "log format": (
        "general: {log: {format: '%s'}}",
        "general.log.format: expected a logging format such as '%(asctime)s %(message)s', got '%s'.",
    ),
    "jobs": ("general: {n_jobs: 0}", "general.n_jobs: expected a whole number of at least 1, got 0."),
    "outdir": ("general: {outdir: null}", "general.outdir: expected a path or a URL, got null."),
    "unknown step": (
        "steps: [observations, fitt]",
        "steps[1]: expected one of observations, datasets, excess_map, fit, flux_points, light_curve, got 'fitt'. "
        "Did you mean 'fit'?",
    ),
    "flux points without energies": (
        "steps: [flux_points]",
        "flux_points.energy: the steps ask for flux points, and no energies are given. "
        "Write for example {min: 1 TeV, max: 20 TeV, nbins: 8}.",
    ),
    "models": (
        "models: 3",
        f"models: expected a mapping such as {MODELS} or the path of a YAML file, got 3.",
    ),
    "models without components": (
        "models: {component: []}",
        "models.component: there is no such key. Did you mean 'components'?\n"
        f"models.components: expected a list of models such as {MODELS}, got null.",
    ),
    "bad components": (
        "models: {components: [{name: a, type: SkyModel, spectral: 3}, {type: SkyModel}, 3, {name: b}]}",
        "models.components[0].spectral: expected a mapping with a type such as PowerLawSpectralModel, got 3.\n"
        "models.components[1].name: expected the name of the model, got null.\n"
        "models.components[2]: expected a mapping with name, type and spectral, got 3.\n"
        "models.components[3].type: expected the type of the model such as SkyModel, got null.",
    ),
    "two models of one name": (
        "models: {components: [{name: a, type: SkyModel}, {name: a, type: SkyModel}]}",
        "models.components: two models are called 'a'; give each model a name of its own.",
    ),
    "unknown source": (
        "models: {components: [{name: crab, type: SkyModel}]}\n"
        "flux_points: {energy: {min: 1 TeV, max: 2 TeV, nbins: 2}, source: carb}",
        "flux_points.source: there is no model 'carb'. Did you mean 'crab'?",
    ),
    "empty": ("# nothing", "The YAML is empty; expected a mapping of sections such as 'datasets: {type: 1d}'."),
    "list": ("- fit", "Expected a mapping of sections such as 'datasets: {type: 1d}', got a list."),
    "path": (
        "config.yaml",
        "Expected a mapping of sections such as 'datasets: {type: 1d}', got text. "
        "To read a file, use AnalysisConfig.read(path).",
    ),
    "not YAML": (
        "fit: [",
        "The text is not YAML: line 1, column 7: expected the node content, but found '<stream end>'.",
    ),
    "key twice": (
        "fit: {}\ndatasets: {}\nfit: {}",
        "line 3: the key 'fit' stands twice in one section; keep one of them.",
    ),
    "number as key": ("fit: {1: 2}", "line 1: expected a name as key, got '1'."),
}


@pytest.mark.parametrize(("text", "message"), CASES.values(), ids=CASES)
def test_bad_yaml_raises_with_what_to_write_instead(text, message):
    with pytest.raises(ConfigError) as error:
        AnalysisConfig.from_yaml(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("assign", "message"),
    [
        (lambda c: setattr(c.datasets.geom.axes.energy, "nbins", 0), f"{AXIS}.nbins: expected a whole number of at"),
        (lambda c: setattr(c.datasets.geom.axes.energy, "min", None), f"{AXIS}.min: expected an energy with a unit"),
        (lambda c: setattr(c.datasets.geom.axes, "energy", {"nbin": 3}), f"{AXIS}.nbin: there is no such key. Did"),
        (lambda c: setattr(c.fit.fit_range, "max", 1 * u.m), "fit.fit_range.max: expected an energy with a unit such "),
        (lambda c: setattr(c.fit.fit_range, "max", [1, 2] * u.TeV), "fit.fit_range.max: expected an energy with a un"),
        (lambda c: setattr(c.fit, "fit_rang", 3), "fit.fit_rang: there is no such key. Did you mean 'fit_range'?"),
        (lambda c: setattr(c, "datasets", 3), "datasets: expected a mapping of keys, got 3."),
        (lambda c: setattr(c.flux_points, "parameters", {"n_sgma": 1}), "flux_points.parameters: estimator 'flux_p"),
        (lambda c: setattr(c.observations, "obs_ids", "12"), "observations.obs_ids: expected a list such as [12], go"),
    ],
)
def test_a_bad_assignment_raises_and_changes_nothing(assign, message):
    config = AnalysisConfig()
    with pytest.raises(ConfigError) as error:
        assign(config)
    assert str(error.value).startswith(message)
    assert config == AnalysisConfig()


def test_what_is_changed_in_place_is_seen_by_check():
    config = AnalysisConfig()
    config.observations.obs_ids.append("x")
    config.datasets.safe_mask.parameters["aeff_percnt"] = 3
    with pytest.raises(ConfigError) as error:
        config.check()
    assert str(error.value).splitlines() == [
        "observations.obs_ids[0]: expected a whole number, got 'x'.",
        "datasets.safe_mask.parameters: safe mask 'any method' has no parameter 'aeff_percnt'. "
        "Did you mean 'aeff_percent'?",
    ]


def test_a_section_made_alone_knows_its_path():
    section = type(AnalysisConfig().flux_points.energy)
    with pytest.raises(ConfigError, match=r"^flux_points.energy.nbins: expected a whole number of at least 1, got 0\."):
        section(nbins=0)


def test_a_spectrum_needs_a_region_when_it_is_to_be_made():
    config = AnalysisConfig()
    config.check()
    with pytest.raises(ConfigError) as error:
        config.check(complete=True)
    assert str(error.value) == (
        f"datasets.on_region: datasets.type 1d needs a region, and none is given. Write for example {REGION}."
    )


def test_maps_need_no_centre_as_their_runs_have_one():
    AnalysisConfig.from_yaml("datasets: {type: 3d}").check(complete=True)


def test_all_missing_files_are_named_in_the_error(tmp_path, monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    config = AnalysisConfig()
    config.observations.datastore = tmp_path / "no"
    config.observations.obs_file = "s3://bucket/ids.txt"
    config.datasets.background.exclusion = "${NOT_SET}/mask.fits"
    config.models = str(tmp_path / "models.yaml")
    with pytest.raises(MissingInputError) as error:
        config.check(files=True)
    assert str(error.value).splitlines() == [
        f"observations.datastore: expected a file or folder, but there is no {tmp_path / 'no'}.",
        "datasets.background.exclusion: the environment variable $NOT_SET of '${NOT_SET}/mask.fits' is not set; "
        "set it (export NOT_SET=/path/to/it) or write the path.",
        f"models: expected a file or folder, but there is no {tmp_path / 'models.yaml'}.",
    ]


def test_an_unset_environment_variable_is_named_when_the_path_is_used(monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    config = AnalysisConfig(observations={"datastore": "$NOT_SET/data"})
    with pytest.raises(MissingInputError, match=r"\$NOT_SET of '\$NOT_SET/data' is not set. Set it \(export NOT_SET="):
        config.observations.datastore.expanded()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("datasets: []", "datasets: expected a mapping of keys or a list of them, got an empty list."),
        ("datasets: [{stak: true}]", "datasets[0].stak: there is no such key. Did you mean 'stack'?"),
        ("datasets: [{}, null]", "datasets[1]: expected a mapping of keys, got null; leave the key out to keep its"),
        (
            "datasets: [{}, {geom: {axes: {energy: {min: 3}}}}]",
            "datasets[1].geom.axes.energy.min: expected an energy with a unit such as '3 TeV', got 3.",
        ),
        (
            "datasets: [{}, {geom: {axes: {energy: {min: 3 TeV, max: 2 TeV}}}}]",
            "datasets[1].geom.axes.energy: expected min < max, got min: 3.0 TeV and max: 2.0 TeV.",
        ),
        ("datasets: [{name: a}, {name: a}]", "datasets: 2 entries are called 'a'; give each a name of its own."),
        ("datasets: [{name: datasets-2}, {}]", "datasets: 2 entries are called 'datasets-2'; give each a name of its"),
    ],
)
def test_errors_of_an_entry_of_the_datasets_name_its_path(text, sentence):
    with pytest.raises(ConfigError) as error:
        AnalysisConfig.from_yaml(text)
    assert sentence in str(error.value)


@pytest.mark.parametrize("wrong", [3, ["fit"]])
def test_update_with_a_wrong_type_raises(wrong):
    with pytest.raises(ConfigTypeError, match="Expected YAML text, a mapping or an AnalysisConfig to update from"):
        AnalysisConfig().update(wrong)
    with pytest.raises(TypeError):
        AnalysisConfig().update(wrong)


def test_yaml_that_is_not_text_raises():
    with pytest.raises(ConfigTypeError, match="Expected YAML as text, got dict"):
        AnalysisConfig.from_yaml({})


def test_a_missing_file_is_named_in_the_error(tmp_path):
    with pytest.raises(MissingInputError, match=r"There is no configuration file .*nothing.yaml"):
        AnalysisConfig.read(tmp_path / "nothing.yaml")


def test_a_binary_file_is_named_in_the_error(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"The configuration file .*a.yaml cannot be read"):
        AnalysisConfig.read(tmp_path / "a.yaml")
    with pytest.raises(InputError, match=r"The configuration file .* cannot be read"):
        AnalysisConfig.read(tmp_path)


def test_an_error_in_a_file_names_the_file(tmp_path):
    (tmp_path / "a.yaml").write_text("fitt: {}")
    with pytest.raises(ConfigError, match=r"a.yaml: fitt: there is no such key. Did you mean 'fit'\?"):
        AnalysisConfig.read(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    "key", ["general: {outdir", "general: {store", "observations: {datastore", "general: {models_file"]
)
def test_a_path_with_a_nul_byte_raises(key):
    with pytest.raises(ConfigError, match="expected a path"):
        AnalysisConfig.from_yaml(key + ': "a\\0b"}')
