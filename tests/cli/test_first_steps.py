"""The first commands of a new user, in the order of the help: each verb works and names the next one."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from astropy.table import Table

from releases import config_of
from xgamma.analysis import AnalysisConfig
from xgamma.analysis.run import run
from xgamma.datasets import Datasets, FluxPoints
from xgamma.formats.gadf.index import read_index
from xgamma.models import Models
from xgamma.schema import Kind


def is_narrow(text):
    """Whether all table lines fit a terminal of 80 columns."""
    return max(len(line) for line in text.splitlines() if "/" not in line) <= 80


@pytest.fixture
def narrow(monkeypatch):
    """A terminal of 80 columns; what is piped is as wide as it needs to be."""
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="module")
def finished(tiny_release, tmp_path_factory):
    """A store with the results of one run of the configuration."""
    folder = tmp_path_factory.mktemp("finished")
    run(config_of(tiny_release, folder / "out" / "store"))
    return folder / "out" / "store"


# --- init


def test_init_writes_a_configuration_with_comments(xgamma, tmp_path):
    path = tmp_path / "mine.yaml"
    done = xgamma("init", path, "--datastore", "there/release", "--outdir", "results")
    assert done == (0, f"{path}\n", f"Next: edit {path}, then xgamma check {path}\n")
    config = AnalysisConfig.read(path)
    config.check(complete=True)
    assert str(config.observations.datastore) == "there/release"
    assert str(config.general.outdir) == "results"
    assert config.planned_steps() == ["observations", "datasets", "fit", "flux_points"]
    assert path.read_text().count("#") > 15


def test_init_does_not_replace_a_file(xgamma, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("precious")
    done = xgamma("init", path)
    assert done.code == 2
    assert done.err == (f"Error: {path} exists already. Choose another name, or write with --overwrite.\n")
    assert path.read_text() == "precious"
    assert xgamma("init", path, "--overwrite").code == 0
    assert path.read_text() != "precious"


def test_the_template_runs_on_simulated_observations(xgamma, tiny_release, tmp_path):
    path = tmp_path / "mine.yaml"
    xgamma("init", path, "--datastore", tiny_release, "--outdir", tmp_path / "out")
    assert xgamma("check", path).code == 0
    assert xgamma("run", path, "--until", "fit").code == 0


# --- check


def test_check_prints_what_it_found_and_writes_nothing(xgamma, config, tmp_path):
    before = set(tmp_path.rglob("*"))
    done = xgamma("check", config)
    assert done.code == 0
    assert done.out.splitlines() == [
        "All is well with:",
        "  datastore             tiny: 3 runs",
        "  selected runs         3",
        "  offset of the region  0.50 to 0.50 deg",
        "  energies              8 bins, 0.5 to 30 TeV",
        "  background            reflected regions",
        "  models                crab",
        "  steps                 observations, datasets, fit, flux_points",
        f"  results               {tmp_path / 'out'}",
    ]
    # Fourteen bins of true energy are coarse, and that is said.
    remark, following = done.err.splitlines()
    assert remark.startswith(
        "datasets.geom.axes.energy_true: 14 bins from 0.2 to 60 TeV change the predicted counts of "
    )
    assert following == f"Next: xgamma plan {config}, xgamma run {config}"
    assert set(tmp_path.rglob("*")) == before


def test_check_as_json(xgamma, config):
    document = xgamma("check", config, "--json").document
    assert document["runs"] == [1, 2, 3]
    assert document["unusable_runs"] == {}


# --- plan


def test_plan_prints_reasons_and_writes_nothing(xgamma, config, tmp_path, narrow):
    before = set(tmp_path.rglob("*"))
    done = xgamma("plan", config)
    assert done.code == 0
    assert [line.split()[:2] for line in done.out.splitlines() if "compute" in line] == [
        ["ingest", "compute"],
        ["reduce", "compute"],
        ["stack", "compute"],
        ["fit", "compute"],
        ["flux", "points"],
    ]
    assert "3 of 3 runs are new or have changed" in " ".join(done.out.split())
    assert is_narrow(done.out)
    assert done.err == f"Next: xgamma run {config}\n"
    assert set(tmp_path.rglob("*")) == before


def test_plan_after_a_run_finds_everything(xgamma, config, tmp_path):
    assert xgamma("run", config).code == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    done = xgamma("plan", config, "--json")
    assert [(step["step"], step["state"]) for step in done.document] == [
        (step, "found") for step in ("ingest", "reduce", "stack", "fit", "flux points")
    ]
    assert done.err == ""
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_plan_of_another_stacking_writes_nothing(xgamma, config, changed, tmp_path):
    joint = changed("datasets: {stack: false}")
    assert xgamma("run", joint, "--until", "datasets").code == 0
    before = set(tmp_path.rglob("*"))
    states = {step["step"]: step["state"] for step in xgamma("plan", config, "--json").document}
    assert states == {
        "ingest": "found",
        "reduce": "found",
        "stack": "compute",
        "fit": "compute",
        "flux points": "compute",
    }
    assert set(tmp_path.rglob("*")) == before


def test_plan_does_not_write_the_log_of_the_analysis(xgamma, changed, tmp_path):
    path = changed(f"general: {{log: {{filename: {tmp_path}/run.log}}}}")
    assert xgamma("run", path).code == 0
    said = (tmp_path / "run.log").read_text()
    assert "Fetching observations." in said
    xgamma("plan", path)
    assert (tmp_path / "run.log").read_text() == said


# --- ingest


def test_ingest_reads_each_run_once(xgamma, tiny_release, tmp_path):
    store = tmp_path / "store"
    first = xgamma("ingest", tiny_release, store, "--obs-id", 1)
    assert first == (0, "1 run ingested, 0 were there, 0 could not be read.\n", f"Next: xgamma ls {store}\n")
    assert xgamma("ingest", tiny_release, store).out == "2 runs ingested, 1 were there, 0 could not be read.\n"
    assert xgamma("ingest", tiny_release, store).out == "0 runs ingested, 3 were there, 0 could not be read.\n"
    runs = xgamma("ls", store, "--runs", "--json").document
    assert [run["obs_id"] for run in runs] == [1, 2, 3]
    assert runs[0]["has"] == ["aeff", "bkg", "edisp", "events", "gti", "psf"]


def test_a_store_is_a_datastore_and_is_not_ingested_again(xgamma, tiny_release, changed, tmp_path):
    xgamma("ingest", tiny_release, tmp_path / "store")
    done = xgamma("ingest", tmp_path / "store", tmp_path / "other")
    assert done.code == 2
    assert done.err.startswith(
        f"Error: {tmp_path / 'store'} is an xgamma store already; use it as observations.datasto"
    )
    assert xgamma("check", changed(release=tmp_path / "store")).code == 0


# --- run


def test_run_prints_results_and_the_paths_of_files(xgamma, config, tmp_path, narrow):
    done = xgamma("run", config)
    assert done.code == 0
    titles = [line.strip() for line in done.out.splitlines() if line[:4] in ("Data", "Fit:", "Flux", "File")]
    assert titles == [
        "Datasets: live time in h, safe energies in TeV",
        "Fit: converged, statistic 6.86",
        "Flux points of crab: energies in TeV, dnde in cm-2 s-1 TeV-1, limits at 95.45 %",
        "Files",
    ]
    assert "frozen" in done.out
    assert is_narrow(done.out)
    out = tmp_path / "out"
    files = {line.split()[-1] for line in done.out.partition("Files\n")[2].splitlines()}
    assert files == {
        str(out / name)
        for name in (
            "config.yaml",
            "datasets.fits.gz",
            "counts.png",
            "models.yaml",
            "fit.png",
            "flux-points.fits",
            "flux-points.png",
            "store",
        )
    }
    assert all(Path(name).exists() for name in files)
    assert "nothing was computed" not in done.err


def test_a_second_run_computes_nothing_and_prints_that(xgamma, config):
    first = xgamma("run", config)
    again = xgamma("run", config)
    assert again.code == 0
    assert again.err.startswith("Everything was found in the store; nothing was computed.\nNext: xgamma report ")
    assert again.out == first.out
    assert xgamma("run", config, "--json").document["computed"] == []


def test_run_as_json(xgamma, config, tmp_path):
    done = xgamma("run", config, "--json")
    document = done.document
    assert document["computed"] == ["datasets", "fit", "flux_points", "observations"]
    assert document["converged"] is True
    assert document["unused_runs"] == []
    assert document["store"] == str(tmp_path / "out" / "store")
    assert document["models"]["crab"]["index"]["value"] == pytest.approx(2.6, abs=0.3)
    assert document["models"]["crab"]["reference"] == {"value": 1.0, "error": 0.0, "unit": "TeV", "frozen": True}


def test_run_until_a_step(xgamma, config, tmp_path):
    done = xgamma("run", config, "--until", "datasets", "--json")
    assert set(done.document["files"]) == {"configuration", "datasets", "counts (picture)"}
    assert done.document["converged"] is None
    assert not (tmp_path / "out" / "fit.png").exists()


def test_run_writes_to_the_outdir_and_store_of_its_options(xgamma, config, tmp_path):
    other = tmp_path / "elsewhere"
    options = ("--outdir", other, "--store", tmp_path / "shared", "--until", "datasets", "--json")
    document = xgamma("run", config, *options).document
    assert document["store"] == str(tmp_path / "shared")
    assert {Path(file).parent for file in document["files"].values()} == {other}
    assert not (tmp_path / "out").exists()


def test_of_many_rows_the_first_are_printed(xgamma, changed, nights_release, monkeypatch):
    monkeypatch.setattr("xgamma.analysis.steps.reduce.ROWS_SHOWN", 4)
    path = changed("datasets: {stack: false}", release=nights_release)
    done = xgamma("run", path, "--until", "datasets")
    assert done.code == 0
    assert "Datasets, the first 4 of 7: live time in h, safe energies in TeV" in done.out
    assert [line.split()[0] for line in done.out.partition("Files")[0].splitlines()[4:] if line.strip()] == list("1234")


def test_flux_points_with_other_energies_than_requested_show_them_in_the_table(xgamma, changed, narrow):
    honest = xgamma("run", changed("fit: {fit_range: {min: 1 TeV, max: 31 TeV}}"))
    header = next(line for line in honest.out.splitlines() if "sqrt_ts" in line and "energy" in line)
    assert header.split() == ["energy", "used", "left", "out", "dnde", "limit", "sqrt_ts", "counts"]
    assert honest.out.count("1.39-3.87") == 1
    assert is_narrow(honest.out)
    plain = xgamma("run", changed("fit: {fit_range: {min: 0.5 TeV, max: 31 TeV}}"))
    assert "left out" not in plain.out


# --- ls, show


def test_ls_lists_products(xgamma, finished, narrow):
    done = xgamma("ls", finished)
    assert done.code == 0
    kinds = [
        line.split()[0]
        for line in done.out.splitlines()
        if line.startswith((" dl3", " fit", " flux", " p", " r", " s"))
    ]
    assert kinds == ["dl3", "fit", "flux-points", "picture", "picture", "picture", "rows", "stack"]
    assert is_narrow(done.out)
    assert done.err == f"8 products. Next: xgamma show {finished} KIND/KEY\n"
    [stack] = xgamma("ls", finished, "--kind", "stack", "--json").document
    assert stack["kind"] == "stack"
    assert len(stack["inputs"]) == 3
    assert xgamma("ls", finished, "--runs").out.count("aeff edisp psf bkg") == 3


def test_an_unknown_kind_is_refused(xgamma, finished):
    done = xgamma("ls", finished, "--kind", "stacks")
    assert done.code == 2
    assert f"'stacks' is not one of {', '.join(repr(kind) for kind in Kind)}." in done.err


def named(xgamma, store, kind):
    record = xgamma("ls", store, "--kind", kind, "--json").document[0]
    return f"{kind}/{record['key']}"


@pytest.mark.parametrize("kind", ["dl3", "rows", "stack", "fit", "flux-points", "picture"])
def test_show_prints_the_origin_of_each_kind_of_product(xgamma, finished, kind):
    name = named(xgamma, finished, kind)
    done = xgamma("show", finished, name[: len(kind) + 7])
    assert done.code == 0
    facts = [line for line in done.out.splitlines() if not line.startswith("Warning when it was made: ")]
    product, made, command = facts[-3:]
    assert product.startswith(f"  product    {name}, ")
    assert made.startswith("  made       ")
    assert command.startswith("  open with  xr.open_zarr(")
    with xr.open_zarr(command.split("'")[1]) as opened:
        assert opened.sizes
    document = xgamma("show", finished, name, "--json").document
    assert f"{document['kind']}/{document['key']}" == name
    assert document["provenance"]["software"]["xgamma"]


def test_a_product_that_is_not_there_is_not_shown(xgamma, finished):
    done = xgamma("show", finished, "light-curve/zzz")
    assert done.code == 2
    assert done.err == (
        f"Error: The store {finished} has no product 'light-curve/zzz'. "
        f"It has dl3, fit, flux-points, picture, rows, stack. Look with xgamma ls {finished}.\n"
    )


def test_a_store_that_is_not_there_is_not_made(xgamma, tmp_path):
    for verb in (["ls"], ["show"], ["export"]):
        more = {"ls": [], "show": ["fit/1"], "export": ["fit/1", "x.fits"]}[verb[0]]
        done = xgamma(*verb, tmp_path / "nowhere", *more)
        assert done.code == 3
        assert done.err.startswith(f"Error: There is no store at {tmp_path / 'nowhere'}. Make one with xgamma ingest")
    assert not (tmp_path / "nowhere").exists()


# --- export


@pytest.mark.some_long(3)
@pytest.mark.parametrize("ending", [".zarr", ".fits", ".fits.gz", ".yaml"])
@pytest.mark.parametrize("kind", ["rows", "stack"])
def test_spectra_are_exported_in_every_format(xgamma, finished, tmp_path, kind, ending):
    path = tmp_path / f"spectra{ending}"
    done = xgamma("export", finished, named(xgamma, finished, kind), path)
    assert done == (0, f"{path}\n", "")
    held = Datasets.read(path)
    assert held.names == (["1", "2", "3"] if kind == "rows" else ["stacked"])
    again = xgamma("export", finished, named(xgamma, finished, kind), path)
    assert again.code == 2
    assert "exists already" in again.err
    assert xgamma("export", finished, named(xgamma, finished, kind), path, "--overwrite").code == 0


@pytest.mark.parametrize("ending", [".fits", ".ecsv"])
def test_flux_points_are_exported_as_tables(xgamma, finished, tmp_path, ending):
    path = tmp_path / f"points{ending}"
    assert xgamma("export", finished, named(xgamma, finished, "flux-points"), path).code == 0
    assert len(Table.read(path, **({"hdu": 1} if ending == ".fits" else {}))) == 4
    assert np.isfinite(FluxPoints.read(path).to_table(sed_type="dnde")["dnde"]).any()


def test_an_unknown_file_ending_is_refused(xgamma, finished, tmp_path):
    done = xgamma("export", finished, named(xgamma, finished, "stack"), tmp_path / "spectrum.txt")
    assert done.code == 2
    assert done.err.startswith("Error: spectrum.txt: expected a name that ends in .zarr, .fits, ")
    done = xgamma("export", finished, named(xgamma, finished, "fit"), tmp_path / "fit.fits")
    assert done.code == 2
    assert done.err == "Error: The models of a fit: expected a name that ends in .yaml or .yml, got 'fit.fits'.\n"


# --- simulate


def test_simulate_makes_a_release(xgamma, tmp_path):
    done = xgamma("simulate", tmp_path / "release", "--runs", 2, "--seed", 3)
    assert done.code == 0
    assert done.out.startswith("2 runs, ")
    assert "Next: xgamma init" in done.err
    assert list(read_index(tmp_path / "release").runs) == [1, 2]
    again = xgamma("simulate", tmp_path / "release", "--runs", 2)
    assert again.code == 2
    assert again.err == (
        f"Error: {tmp_path / 'release'} is not empty. "
        "Choose another folder, or replace the release in it with --overwrite.\n"
    )
    assert xgamma("simulate", tmp_path / "release", "--runs", 1, "--overwrite").code == 0


def test_simulate_takes_a_models_file(xgamma, tmp_path):
    assert xgamma("simulate", tmp_path / "one", "--runs", 1).code == 0
    done = xgamma("simulate", tmp_path / "two", "--runs", 1, "--models", tmp_path / "one" / "models.yaml")
    assert done.code == 0
    one, two = (Models.read(tmp_path / name / "models.yaml").to_dict() for name in ("one", "two"))
    assert one == two
    done = xgamma("simulate", tmp_path / "three", "--models", tmp_path / "none.yaml")
    assert (done.code, "none.yaml" in done.err) == (3, True)


def test_simulate_refuses_an_invalid_and_a_missing_plan(xgamma, tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text(json.dumps({"simulation": {"runz": 3}}))
    done = xgamma("simulate", tmp_path / "release", "--plan", plan)
    assert done.code == 2
    assert "Did you mean 'runs'?" in done.err
    assert xgamma("simulate", tmp_path / "release", "--plan", tmp_path / "no.yaml").code == 3
    assert xgamma("simulate", tmp_path / "release", "--runs", 0).code == 2
    assert not (tmp_path / "release").exists()
