"""``xgamma init DATASTORE`` writes a configuration that ``check`` and ``run`` accept."""

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table, vstack

import faults
from releases import TINY, release_of
from xgamma.analysis import AnalysisConfig
from xgamma.ingest import release as releases_of_files
from xgamma.simulate import AnalyticResponse

POINT_LIKE = dataclasses.replace(
    TINY, name="point-like", response=AnalyticResponse(energy_bins=16, enclosure="point-like", rad_max=0.14)
)
OF_ENERGY = dataclasses.replace(
    TINY,
    name="of-energy",
    runs=1,
    response=dataclasses.replace(POINT_LIKE.response, rad_max_2d=True),
)
REAL = (
    "hess-dl3-dr1",
    "joint-crab/dl3/magic",
    "veritas/crab-point-like-ED",
    "cta-1dc/index/gps",
    "tests/minimal_datastore",
)


def merge_releases(folder, *releases):
    """Put several releases into one, as a survey is."""
    (folder / "data").mkdir(parents=True)
    for name in ("hdu-index.fits.gz", "obs-index.fits.gz"):
        vstack([Table.read(release / name) for release in releases], metadata_conflicts="silent").write(folder / name)
    for path in (path for release in releases for path in (release / "data").iterdir()):
        shutil.copy(path, folder / "data")


def suggested(xgamma, folder, *words):
    """Write a configuration; it has to be well for check, and to run."""
    path = folder / "analysis.yaml"
    done = xgamma("init", *words, path, "--outdir", folder / "out")
    assert (done.code, done.out) == (0, f"{path}\n"), done.err
    config = AnalysisConfig.read(path)
    checked = xgamma("check", path)
    assert checked.code == 0
    assert checked.out.startswith("All is well with:")
    assert "given and not used" not in checked.err
    assert "flux_points.energy" not in checked.err
    assert "energy_true" not in checked.err
    axes = config.datasets.geom.axes
    edges, points = axes.energy.axis("energy").edges, config.flux_points.energy.axis("energy").edges
    assert all(np.isclose(edges, point, rtol=1e-12).any() for point in points)
    return config, path


def test_init_writes_a_configuration_that_runs_on_a_simulated_release(xgamma, tiny_release, tmp_path):
    config, path = suggested(xgamma, tmp_path, tiny_release)
    region = config.datasets.on_region.circle()
    assert (region.lon, region.lat, region.radius) == (83.633, 22.014, 0.11)
    assert config.observations.required_irf == ["aeff", "edisp", "psf"]
    assert config.datasets.containment_correction
    assert config.observations.obs_ids == []
    assert xgamma("run", path).code == 0


def test_init_reads_the_index_once_also_where_runs_are_left_out(xgamma, own_release, tmp_path, monkeypatch):
    faults.truncate_file(own_release, 2)
    read, count = releases_of_files.read_index, []
    monkeypatch.setattr(releases_of_files, "read_index", lambda *given: count.append(given) or read(*given))
    done = xgamma("init", own_release, tmp_path / "my.yaml")
    assert (done.code, len(count)) == (0, 1)
    assert "Run 2 is left out" in done.err


def test_init_takes_the_radius_of_point_like_responses(xgamma, tmp_path):
    config, path = suggested(xgamma, tmp_path, release_of(POINT_LIKE, tmp_path))
    assert config.observations.required_irf == ["aeff", "edisp"]
    assert config.datasets.on_region.radius.to_value("deg") == 0.14
    assert not config.datasets.containment_correction
    assert xgamma("run", path).code == 0


def test_init_takes_a_store_as_datastore(xgamma, tiny_release, tmp_path):
    assert xgamma("ingest", tiny_release, tmp_path / "store").code == 0
    config, _ = suggested(xgamma, tmp_path, tmp_path / "store")
    # Only headers say where the source is: the runs of a store say it by their pointings.
    region = config.datasets.on_region.circle()
    assert abs(region.lat - 22.014) < 0.6


def test_runs_that_cannot_be_used_are_left_out(xgamma, own_release, tmp_path):
    faults.truncate_file(own_release, 2)
    config, path = suggested(xgamma, tmp_path, own_release)
    assert config.observations.obs_ids == [1, 3]
    assert xgamma("run", path, "--until", "fit").code == 0


def test_a_radius_that_depends_on_energy_is_that_of_a_point(xgamma, tmp_path):
    config, path = suggested(xgamma, tmp_path, release_of(OF_ENERGY, tmp_path))
    assert config.datasets.on_region.circle().radius == 0
    assert config.observations.required_irf == ["aeff", "edisp", "rad_max"]
    assert not config.datasets.containment_correction
    assert (config.datasets.background.method, config.datasets.background.parameters) == (
        "wobble",
        {"n_off_regions": 3},
    )
    assert xgamma("run", path).code == 0
    text = path.read_text()
    assert "radius: 0 deg}    # a point" in text
    for region in ("radius: 0.14 deg}", "shape: ellipse, width: 0.3 deg, height: 0.2 deg}"):
        path.write_text(text.replace("radius: 0 deg}", region))
        refused = [xgamma(verb, path) for verb in ("check", "run")]
        assert [done.code for done in refused] == [2, 2]
        assert refused[0].err == refused[1].err
        assert "analysis.yaml: datasets.on_region: the responses are point-like for a radius that" in refused[0].err
        assert refused[0].err.count("\n") == 1


def test_a_datastore_that_is_not_there_is_refused_before_a_file_is_written(xgamma, tmp_path):
    done = xgamma("init", tmp_path / "nothing", tmp_path / "analysis.yaml")
    assert done.code == 3
    assert done.err.startswith(f"Error: Datastore not found: {tmp_path}/nothing.")
    assert not (tmp_path / "analysis.yaml").exists()


def test_an_existing_file_is_refused_before_the_release_is_read(xgamma, tiny_release, tmp_path, monkeypatch):
    monkeypatch.setattr("xgamma.cli.init.suggestion", None)
    (tmp_path / "analysis.yaml").write_text("precious")
    assert xgamma("init", tiny_release, tmp_path / "analysis.yaml").code == 2
    assert (tmp_path / "analysis.yaml").read_text() == "precious"


@pytest.mark.parametrize("words", [("a", "b"), ("a.yaml", "b.yaml"), ("a", "--datastore", "b")])
def test_one_datastore_and_one_file_are_expected(xgamma, tmp_path, words, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = xgamma("init", *words)
    assert done.code == 2
    assert "Expected one DATASTORE and one FILE that ends in .yaml" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.some_long(5)
@pytest.mark.parametrize("name", REAL)
def test_init_writes_a_configuration_that_runs_on_public_releases(xgamma, tmp_path, name):
    release = Path(os.environ.get("GAMMAPY_DATA", "/nonexistent")) / name
    if not release.exists():
        pytest.skip(f"$GAMMAPY_DATA holds no {name}")
    _, path = suggested(xgamma, tmp_path, release)
    assert xgamma("run", path, "--until", "fit").code == 0


def test_a_position_that_no_header_holds_is_printed_as_a_guess(xgamma, own_release, tmp_path):
    for obs_id in (1, 2, 3):
        faults.write_cards(own_release, obs_id, "EVENTS", RA_OBJ="05:34:31", DEC_OBJ="+22:00:52")
    done = xgamma("init", own_release, tmp_path / "analysis.yaml")
    assert done.code == 0
    assert "datasets.on_region: the position 83.8128, 22.0139 deg is a guess from the pointings, as no head" in done.err


def test_a_position_from_a_header_is_not_printed_as_a_guess(xgamma, tiny_release, tmp_path):
    done = xgamma("init", tiny_release, tmp_path / "analysis.yaml")
    path = done.out.strip()
    assert done.err == f"It is about 3 runs, all of tiny.\nNext: edit {path}, then xgamma check {path}\n"


def test_init_without_a_point_spread_function_prints_that_containment_is_not_corrected(xgamma, own_release, tmp_path):
    faults.remove_index_row(own_release, 2, "psf")
    config, _ = suggested(xgamma, tmp_path, own_release)
    assert not config.datasets.containment_correction
    done = xgamma("init", own_release, tmp_path / "analysis.yaml", "--overwrite")
    assert "datasets.containment_correction: false, as not all runs have a point spread function; " in done.err


def test_runs_with_full_and_point_like_responses_are_separated(xgamma, tiny_release, tmp_path):
    both = tmp_path / "both"
    other = release_of(dataclasses.replace(POINT_LIKE, runs=1, first_obs_id=11), tmp_path)
    merge_releases(both, tiny_release, other)
    done = xgamma("init", both, tmp_path / "analysis.yaml")
    assert done.code == 0
    assert "datasets.containment_correction: false, as some of the runs are point-like; fluxes of the oth" in done.err


def test_runs_that_are_left_out_are_named_with_the_reason(xgamma, own_release, tmp_path):
    faults.remove_events(own_release, 2)
    done = xgamma("init", own_release, tmp_path / "analysis.yaml")
    assert done.err.startswith("It is about 2 of the 3 runs of tiny.\nRun 2 is left out: the event list is empty.\n")
