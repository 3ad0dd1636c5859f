"""Backgrounds of maps from a configuration: what rows hold, and what is said of exclusions, by check as by run."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

import faults
from releases import config_of, map_config_of, warnings_of
from xgamma.analysis import Analysis
from xgamma.analysis.preview import preview
from xgamma.analysis.run import run
from xgamma.config.requests import recipe_of
from xgamma.errors import DataError, XgammaError
from xgamma.store import Store

SOURCE = "[{frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 0.4 deg}]"
BACKGROUND = f"datasets: {{background: {{exclusion: {SOURCE}, "
FOV = f"{BACKGROUND}method: fov_background, parameters: {{method: fit, fit_tilt: true}}}}}}"
ONE_BIN = "geom: {axes: {energy: {nbins: 1}}}}"
RING = f"{BACKGROUND}method: ring, parameters: {{r_in: 0.6 deg, width: 0.4 deg}}}}, {ONE_BIN}"
ADAPTIVE = RING.replace("method: ring, parameters: {", "method: adaptive_ring, parameters: {r_out_max: 1.8 deg, ")


def until_datasets(config):
    analysis = Analysis(config)
    analysis.get_observations()
    analysis.get_datasets()
    return analysis


@pytest.mark.parametrize("text", [FOV, RING, ADAPTIVE], ids=["fov_background", "ring", "adaptive_ring"])
def test_a_configuration_measures_the_background_of_maps_once(tiny_release, tmp_path, text):
    config = map_config_of(tiny_release, tmp_path / "store", text, "datasets: {stack: false}")
    until_datasets(config)
    store = Store(config.general.store)
    [record] = store.records("rows")
    rows = store.get("rows", record.key)
    assert rows.sizes["dataset"] == 3
    if text is FOV:
        for name, truth in (("norm", 1.0), ("tilt", 0.0)):
            pull = (rows[f"background_{name}"] - truth) / rows[f"background_{name}_error"]
            assert (np.abs(pull) < 4).all()
    else:
        assert "background" not in rows
        assert (rows["acceptance_off"].values[rows["mask_safe"].values] > 0).all()
    until_datasets(config)
    assert [each.key for each in store.records("rows")] == [record.key]


def mask_file(path, center, shape):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt = ["GLON-TAN", "GLAT-TAN"], center, [-0.1, 0.1]
    wcs.wcs.crpix = [0.5 * (size + 1) for size in shape[::-1]]
    pixels = np.ones(shape, dtype=np.int16)
    pixels[shape[0] // 2, shape[1] // 2] = 0
    fits.PrimaryHDU(pixels, wcs.to_header()).writeto(path)
    return str(path)


def remarks_on_exclusion(config):
    return [remark for remark in preview(config).remarks if remark.startswith("datasets.background.exclusion: ")]


def test_a_mask_that_covers_a_part_of_the_map_is_said_by_check_and_in_the_log(tiny_release, tmp_path, caplog):
    config = map_config_of(tiny_release, tmp_path / "store", FOV)
    config.datasets.background.exclusion = mask_file(tmp_path / "part.fits", (184.5575, -5.7844), (20, 20))
    [said] = remarks_on_exclusion(config)
    assert said.startswith("datasets.background.exclusion: the mask has no pixel in 68.8 % of the map")
    assert said.endswith("add what is to be excluded to it.")
    until_datasets(config)
    assert said in warnings_of(caplog)
    config.datasets.background.exclusion = mask_file(tmp_path / "all.fits", (184.5575, -5.7844), (90, 90))
    assert remarks_on_exclusion(config) == []


@pytest.mark.some_long(3)
@pytest.mark.parametrize("beside", ["", ", {lon: 83.633 deg, lat: 22.014 deg, radius: 0.4 deg, frame: icrs}"])
@pytest.mark.parametrize("make", [map_config_of, config_of], ids=["maps", "spectra"])
def test_a_table_without_sources_is_said_by_check_and_in_the_log(tiny_release, tmp_path, caplog, make, beside):
    Table({"ra": np.zeros(0), "dec": np.zeros(0)}).write(tmp_path / "none.ecsv")
    method = "reflected" if make is config_of else "fov_background"
    excluded = f"exclusion: [{{catalog: {tmp_path / 'none.ecsv'}, radius: 0.3 deg}}{beside}]"
    config = make(tiny_release, tmp_path / "store", f"datasets: {{background: {{method: {method}, {excluded}}}}}")
    [said] = remarks_on_exclusion(config)
    assert "a part of it excludes nothing, as a table without sources" in said
    until_datasets(config)
    assert warnings_of(caplog).count(said) == 1


def test_check_names_the_runs_off_the_map_that_run_does_not_use(own_release, tmp_path):
    faults.point_away(own_release, 2)
    config = map_config_of(own_release, tmp_path / "store", FOV)
    assert list(preview(config).unusable) == [run.obs_id for run in run(config).unused] == [2]


def test_exclusions_that_leave_nothing_are_one_sentence_in_check_and_run(tiny_release, tmp_path):
    config = map_config_of(tiny_release, tmp_path / "store", FOV)
    for excluded, kind, problem in (
        (mask_file(tmp_path / "away.fits", (20.0, 30.0), (20, 20)), XgammaError, "got one that has no pixel in it"),
        ("icrs; circle(83.633, 22.014, 9)", DataError, "No run can be used"),
    ):
        config.datasets.background.exclusion = excluded
        said = []
        for verb in (preview, run):
            with pytest.raises(kind) as error:
                verb(config)
            said.append(str(error.value))
        assert said[0].splitlines()[0] == said[1].splitlines()[0]
        assert problem in said[0]


def test_the_parameters_of_the_field_of_view_reach_the_recipe(tiny_release, tmp_path):
    recipe = recipe_of(map_config_of(tiny_release, tmp_path / "store", FOV))
    parameters = recipe.background.parameters
    assert (parameters.method, parameters.fit_tilt, parameters.min_counts) == ("fit", True, 0.0)
