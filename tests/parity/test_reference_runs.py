"""The numbers of the field's reference analyses, stage by stage, on real data."""

from __future__ import annotations

import json

import numpy as np
import pytest

from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.modeling.models import Models

CRAB = """
observations:
    datastore: $GAMMAPY_DATA/hess-dl3-dr1
    obs_cone: {frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 5 deg}
datasets:
    type: 1d
    geom:
        axes:
            energy: {min: 0.5 TeV, max: 30 TeV, nbins: 20}
            energy_true: {min: 0.1 TeV, max: 50 TeV, nbins: 40}
    on_region: {frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 0.11 deg}
    containment_correction: true
    safe_mask: {methods: [aeff-default, aeff-max], parameters: {aeff_percent: 0.1}}
    background:
        method: reflected
        exclusion: $GAMMAPY_DATA/joint-crab/exclusion/exclusion_mask_crab.fits.gz
fit:
    fit_range: {min: 1 TeV, max: 20 TeV}
flux_points:
    energy: {min: 1 TeV, max: 20 TeV, nbins: 8}
    source: crab
"""


def analysis_of(text, folder, **datasets):
    config = AnalysisConfig.from_yaml(text)
    config.general.store = str(folder / "store")
    for name, value in datasets.items():
        setattr(config.datasets, name, value)
    analysis = Analysis(config)
    analysis.get_observations()
    analysis.get_datasets()
    return analysis


@pytest.fixture(scope="module")
def crab(gammapy_data, reference_numbers, tmp_path_factory):
    reference = json.loads((reference_numbers / "crab_1d_stages.json").read_text())
    return analysis_of(CRAB, tmp_path_factory.mktemp("crab"), stack=False), reference


@pytest.fixture(scope="module")
def stacked(gammapy_data, reference_numbers, tmp_path_factory):
    reference = json.loads((reference_numbers / "crab_1d_stages.json").read_text())
    return analysis_of(CRAB, tmp_path_factory.mktemp("stack")), reference


@pytest.fixture(scope="module")
def msh(gammapy_data, reference_numbers, tmp_path_factory):
    reference = json.loads((reference_numbers / "msh_1552_gp21.json").read_text())["spectrum_1d"]
    text = reference["config"].replace("exclusion_msh.fits.gz", str(reference_numbers / "exclusion_msh.fits.gz"))
    return analysis_of(text, tmp_path_factory.mktemp("msh"), stack=False), reference


def validate_runs(rows, runs):
    assert rows.sizes["dataset"] == len(runs)
    for number, run in enumerate(runs):
        row = rows.isel(dataset=number, region=0)
        assert int(row["obs_id"]) == run["obs_id"]
        for name in ("counts", "counts_off", "mask_safe", "acceptance_off"):
            np.testing.assert_array_equal(row[name], np.array(run[name], float), err_msg=f"{name} of {run['obs_id']}")
        np.testing.assert_allclose(row["exposure"], run["exposure_m2_s"], rtol=1e-12)


def test_runs_of_the_crab_agree_to_the_last_bits(crab):
    analysis, reference = crab
    rows = analysis.datasets.to_xarray()[0]
    validate_runs(rows, reference["runs"])
    for number, run in enumerate(reference["runs"]):
        row = rows.isel(dataset=number, region=0)
        np.testing.assert_allclose(row["exposure_edisp"], run["edisp_exposure_map_m2_s"], rtol=1e-12)
        np.testing.assert_allclose(row["edisp"], run["edisp_kernel_true_by_reco"], rtol=0, atol=1e-12)
        exposed = row["exposure_edisp"].values > 0
        contained = row["exposure"].values[exposed] / row["exposure_edisp"].values[exposed]
        np.testing.assert_allclose(contained, np.array(run["containment_factor"])[exposed], rtol=1e-12)
        assert int(row["off_number"]) == run["n_off_regions"]
        wanted = np.array([[off["ra_deg"], off["dec_deg"], off["radius_deg"]] for off in run["off_regions"]])
        found = np.stack([row[name].values[: len(wanted)] for name in ("off_lon", "off_lat", "off_radius")], axis=1)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10)


def test_runs_of_msh_15_52_agree_to_the_last_bits(msh):
    analysis, reference = msh
    validate_runs(analysis.datasets.to_xarray()[0], reference["runs"])


def test_the_stack_of_msh_15_52_agrees_to_single_precision(msh):
    analysis, reference = msh
    stack, wanted = analysis.datasets.stack_reduce(), reference["stacked"]
    validate_stack(stack, wanted)


def validate_stack(stack, wanted):
    for name in ("counts", "counts_off", "mask_safe"):
        np.testing.assert_array_equal(np.squeeze(getattr(stack, name).data), np.array(wanted[name], float))
    background = np.squeeze((stack.counts_off * stack.acceptance / stack.acceptance_off).data)
    np.testing.assert_allclose(background, wanted["background"], rtol=1e-6)
    np.testing.assert_allclose(np.squeeze(stack.exposure.data), wanted["exposure_m2_s"], rtol=1e-6)
    np.testing.assert_allclose(np.squeeze(stack.edisp.data), wanted["edisp_kernel_true_by_reco"], rtol=0, atol=1e-6)


def test_the_stack_of_the_crab_agrees_to_single_precision(stacked):
    analysis, reference = stacked
    wanted = reference["datasets"][0]
    validate_stack(analysis.datasets["stacked"], wanted)
    acceptance_off = np.squeeze(analysis.datasets["stacked"].acceptance_off.data)
    np.testing.assert_allclose(acceptance_off, wanted["acceptance_off"], rtol=1e-6)


def test_the_table_of_the_stack_is_the_reference(stacked):
    analysis, reference = stacked
    table = analysis.datasets.info_table()
    for name, wanted in reference["info_table"].items():
        value = wanted["value"][0]
        if isinstance(value, float):
            assert float(table[name].value[0]) == pytest.approx(value, rel=1e-6), name
        elif value != "nan":
            assert str(table[name].value[0]) == str(value), name


def validate_fit(analysis, reference, stat_tolerance):
    analysis.run_fit()
    wanted = reference["fit"]
    free = [parameter for parameter in wanted["parameters"] if not parameter["frozen"]]
    assert analysis.fit_result.total_stat <= wanted["total_stat"] + stat_tolerance
    for parameter in free:
        found = analysis.models.parameters[parameter["name"]]
        assert found.value == pytest.approx(parameter["value"], abs=1e-3 * parameter["error"])
        assert found.error == pytest.approx(parameter["error"], rel=1e-3)
    covariance = analysis.fit_result.covariance_result.matrix
    np.testing.assert_allclose(covariance, wanted["covariance_free"], rtol=1e-3)


def test_the_stacked_fit_of_the_crab_is_the_reference(stacked):
    analysis, reference = stacked
    analysis.set_models(Models.from_yaml(reference["meta"]["model"]), extend=False)
    validate_fit(analysis, reference, 1e-4)


def test_the_joint_fit_of_the_crab_is_the_reference(crab, reference_numbers):
    analysis, _ = crab
    reference = json.loads((reference_numbers / "crab_1d_joint.json").read_text())
    analysis.set_models(Models.from_yaml(reference["meta"]["model"]), extend=False)
    validate_fit(analysis, reference, 1e-6)


def test_the_fit_of_msh_15_52_is_the_reference(msh, tmp_path_factory):
    analysis, reference = msh
    config = analysis.config.model_copy(deep=True)
    config.datasets.stack = True
    again = Analysis(config)
    again.get_observations()
    again.get_datasets()
    again.set_models(Models.from_yaml(reference["model"]))
    validate_fit(again, reference, 1e-4)


def column(table, name):
    values = table[name]
    return np.array(values["value"] if isinstance(values, dict) else values, float)


def test_flux_points_at_the_parameters_of_the_reference_are_the_reference(stacked):
    analysis, reference = stacked
    analysis.set_models(Models.from_yaml(reference["meta"]["model"]), extend=False)
    analysis.run_fit()
    for parameter in reference["fit"]["parameters"]:
        analysis.models.parameters[parameter["name"]].value = parameter["value"]
    analysis.get_flux_points()
    points, wanted = analysis.flux_points.data.data, reference["flux_points"]["likelihood"]
    error = column(wanted, "norm_err")
    np.testing.assert_allclose(points["norm"] / error, column(wanted, "norm") / error, atol=1e-2)
    np.testing.assert_allclose(points["ts"], column(wanted, "ts"), rtol=1e-5)
    np.testing.assert_allclose(points["norm_ul"], column(wanted, "norm_ul"), rtol=1e-5)
    np.testing.assert_allclose(points["stat_scan"], np.squeeze(column(wanted, "stat_scan")), rtol=1e-5)
    for name in ("norm_errn", "norm_errp"):
        np.testing.assert_allclose(points[name], column(wanted, name), rtol=1e-2)
    for name in ("ref_dnde", "ref_flux", "ref_eflux"):
        np.testing.assert_allclose(points[name], column(wanted, name), rtol=1e-6)
    np.testing.assert_array_equal(np.squeeze(points["counts"]), np.squeeze(column(wanted, "counts")))
    # The reference stops short of the minimum of each point: its predictions are those at its own norms.
    for number, norm in enumerate(column(wanted, "norm")):
        found = npred_at(analysis, norm, points["e_min_fit"].values[number], points["e_max_fit"].values[number])
        assert found == pytest.approx(np.squeeze(column(wanted, "npred"))[number], rel=1e-6)


def npred_at(analysis, norm, low, high):
    """Return the predicted counts of the bins inside [low, high] TeV for the source multiplied by ``norm``."""
    stack = analysis.datasets["stacked"].copy()
    stack.models = analysis.models.copy()
    stack.models.parameters["amplitude"].value *= norm
    inside = stack.energy_axis.mask_inside(low * (1 - 1e-9), high * (1 + 1e-9))
    return float(np.squeeze(stack.npred().data)[inside].sum())
