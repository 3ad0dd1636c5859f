"""Simulated releases: bytes, counts, times, positions, energies, and their readers."""

import dataclasses
import hashlib

import numpy as np
import pytest
import yaml
from astropy.io import fits
from astropy.table import Table

from xgamma.errors import OutputError, OutputExistsError, UnknownNameError
from xgamma.formats.gadf.index import read_index
from xgamma.formats.gadf.run import read_run
from xgamma.geometry import separation
from xgamma.models import Models, PowerLawSpectralModel
from xgamma.simulate import AnalyticResponse, Plan, Source, expected_counts, power_law, read_plan, simulate

SHORT = Plan(runs=3, duration=300.0)
DEMO_EVENTS = 5000, 8000


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def events_of(release, obs_id):
    [path] = (release.path / "data").glob(f"run_{obs_id:06d}.*")
    with fits.open(path, memmap=False) as hdus:
        return np.array(hdus["EVENTS"].data), dict(hdus["EVENTS"].header), np.array(hdus["GTI"].data)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return simulate(Plan(), tmp_path_factory.mktemp("simulated") / "demo")


def test_the_demo_is_small_and_crab_like(demo):
    assert len(demo.obs_ids) == 6
    for obs_id in demo.obs_ids:
        assert DEMO_EVENTS[0] < len(events_of(demo, obs_id)[0]) < DEMO_EVENTS[1]
    assert sum(path.stat().st_size for path in demo.path.rglob("*.*")) < 5e6
    assert str(demo).startswith("simulated-crab: 6 runs, 37,")


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    simulate(SHORT, tmp_path / "one")
    simulate(SHORT, tmp_path / "two")
    simulate(dataclasses.replace(SHORT, seed=3), tmp_path / "other")
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    same = digests(tmp_path / "one").items() & digests(tmp_path / "other").items()
    assert {name for name, _ in same} == {"models.yaml"}


def test_a_run_keeps_its_bytes_when_there_are_more_runs(tmp_path):
    few, many = simulate(SHORT, tmp_path / "few"), simulate(dataclasses.replace(SHORT, runs=5), tmp_path / "many")
    assert len(many.obs_ids) == 5
    name = "data/run_000003.fits.gz"
    assert digests(few.path)[name] == digests(many.path)[name]


def test_runs_are_independent(demo):
    first, second = (events_of(demo, obs_id)[0] for obs_id in demo.obs_ids[:2])
    assert len(first) != len(second)
    assert not set(first["ENERGY"].tolist()) & set(second["ENERGY"].tolist()[:1000])
    number = min(len(first), len(second))
    logarithms = [np.log(events["ENERGY"][:number]) for events in (first, second)]
    assert abs(np.corrcoef(*logarithms)[0, 1]) < 0.05


@pytest.mark.long
@pytest.mark.parametrize(
    "plan",
    [
        Plan(runs=10),
        Plan(runs=10, response=AnalyticResponse(background="bkg_2d", background_rate=1.0), efficiencies=(1.0, 0.5)),
        Plan(runs=10, source=Source(sigma=0.4), response=AnalyticResponse(background_rate=1.0), wobble=1.2),
    ],
    ids=["point", "efficiencies", "extended"],
)
def test_the_numbers_of_events_are_as_expected(tmp_path, plan):
    release = simulate(plan, tmp_path / "release")
    expected = expected_counts(plan)
    found = np.array(
        [np.bincount(events_of(release, obs_id)[0]["MC_ID"], minlength=2)[::-1] for obs_id in release.obs_ids]
    )
    assert expected.shape == found.shape == (10, 2)
    np.testing.assert_array_less(np.abs(found - expected) / np.sqrt(expected), 5.0)
    # The mean over positions of an extended source is good to 1e-3.
    total = expected.sum(axis=0)
    np.testing.assert_array_less(np.abs(found.sum(axis=0) - total), 4 * np.sqrt(total) + 1e-3 * total)


def test_events_lie_inside_good_time_in_order(tmp_path):
    plan = Plan(runs=2, intervals=4, gap=100.0, duration=400.0)
    release = simulate(plan, tmp_path / "release")
    for obs_id in release.obs_ids:
        events, header, gti = events_of(release, obs_id)
        assert len(gti) == 4
        assert np.all(np.diff(events["TIME"]) >= 0)
        inside = (events["TIME"][:, None] >= gti["START"]) & (events["TIME"][:, None] < gti["STOP"])
        assert np.all(inside.sum(axis=1) == 1)
        assert inside.sum(axis=0).min() > 0.15 * len(events)
        assert header["ONTIME"] == pytest.approx((gti["STOP"] - gti["START"]).sum())
        assert header["LIVETIME"] == pytest.approx(header["ONTIME"] * header["DEADC"])
        assert (header["TSTART"], header["TSTOP"]) == (gti["START"][0], gti["STOP"][-1])


def test_energies_and_positions_are_in_range(demo):
    for obs_id in demo.obs_ids:
        events, header, _ = events_of(demo, obs_id)
        background = events[events["MC_ID"] == 0]
        assert background["ENERGY"].min() >= np.float32(0.05)
        assert background["ENERGY"].max() <= np.float32(100.0)
        assert events["ENERGY"].min() >= 0.05 * 0.2
        offset = separation(background["RA"], background["DEC"], header["RA_PNT"], header["DEC_PNT"])
        assert offset.max() < 2.5 * np.sqrt(2)
        assert np.array_equal(events["EVENT_ID"], np.arange(1, len(events) + 1))


def test_source_events_surround_the_source(demo):
    events = np.concatenate([events_of(demo, obs_id)[0] for obs_id in demo.obs_ids])
    source = events[events["MC_ID"] == 1]
    radius = separation(source["RA"], source["DEC"], 83.633, 22.014)
    assert 0.60 < np.mean(radius < 0.11) < 0.80
    center = np.array([np.mean(source["RA"] - 83.633) * np.cos(np.deg2rad(22.014)), np.mean(source["DEC"] - 22.014)])
    assert np.hypot(*center) < 4 * 0.1 / np.sqrt(len(source))


def test_a_gaussian_source_has_its_width(tmp_path):
    plan = Plan(
        runs=6,
        source=Source(sigma=0.3),
        response=AnalyticResponse(background_rate=0.0, psf_sigma=1e-4, area_width=50.0),
    )
    release = simulate(plan, tmp_path / "release")
    events = np.concatenate([events_of(release, obs_id)[0] for obs_id in release.obs_ids])
    square = separation(events["RA"], events["DEC"], 83.633, 22.014) ** 2
    assert np.sqrt(square.mean() / 2) == pytest.approx(0.3, rel=4 / np.sqrt(4 * len(events)))


def test_any_spectral_model_can_be_simulated(tmp_path):
    spectral = {
        "type": "ExpCutoffPowerLawSpectralModel",
        "parameters": [
            {"name": "index", "value": 2.0},
            {"name": "amplitude", "value": 2e-10, "unit": "cm-2 s-1 TeV-1"},
            {"name": "reference", "value": 1.0, "unit": "TeV"},
            {"name": "lambda_", "value": 1.0, "unit": "TeV-1"},
            {"name": "alpha", "value": 1.0},
        ],
    }
    plan = dataclasses.replace(SHORT, source=Source(spectral=spectral), response=AnalyticResponse(background_rate=0.0))
    release = simulate(plan, tmp_path / "release")
    energies = np.concatenate([events_of(release, obs_id)[0]["ENERGY"] for obs_id in release.obs_ids])
    assert len(energies) == pytest.approx(expected_counts(plan)[:, 0].sum(), abs=4 * np.sqrt(len(energies)))
    assert np.mean(energies > 10) < 0.01


def test_a_spectral_model_that_is_not_known_raises_before_anything_is_written(tmp_path):
    source = Source(spectral={"type": "PowerLawSpectralModl", "parameters": []})
    with pytest.raises(UnknownNameError, match="Did you mean 'PowerLawSpectralModel'"):
        simulate(Plan(source=source), tmp_path / "release")
    assert not (tmp_path / "release").exists()


def test_a_source_without_flux_gives_background_only(tmp_path):
    plan = dataclasses.replace(SHORT, source=Source(spectral=power_law(amplitude=1e-30)))
    assert set(events_of(simulate(plan, tmp_path / "release"), 1)[0]["MC_ID"].tolist()) == {0}


def test_a_run_without_any_event_is_a_valid_run(tmp_path):
    plan = dataclasses.replace(
        SHORT, source=Source(spectral=power_law(amplitude=1e-30)), response=AnalyticResponse(background_rate=0.0)
    )
    release = simulate(plan, tmp_path / "release")
    assert (release.events, len(events_of(release, 1)[0])) == (0, 0)


def test_index_tables_list_every_run_and_hdu(demo):
    obs, hdu = (Table.read(demo.path / f"{name}-index.fits.gz") for name in ("obs", "hdu"))
    assert obs["OBS_ID"].tolist() == list(demo.obs_ids)
    assert len(hdu) == 6 * len(demo.obs_ids)
    assert obs["EVENT_COUNT"].sum() == demo.events
    np.testing.assert_allclose(obs["OFFSET_OBJ"], 0.5, rtol=1e-9)
    for row in hdu:
        path = demo.path / str(row["FILE_DIR"]).strip() / str(row["FILE_NAME"]).strip()
        assert path.stat().st_size == row["SIZE"]


@pytest.mark.some_long(3)
@pytest.mark.parametrize("psf", ["psf_table", "psf_3gauss", "psf_king"])
@pytest.mark.parametrize("background", ["bkg_2d", "bkg_3d"])
@pytest.mark.parametrize("share", [False, True])
def test_xgamma_reads_what_it_simulates(tmp_path, psf, background, share):
    plan = Plan(
        runs=2, duration=60.0, share_irfs=share, efficiencies=(1.0, 0.7), compress=share,
        response=AnalyticResponse(psf=psf, background=background),
    )  # fmt: skip
    release = simulate(plan, tmp_path / "release")
    entries = read_index(release.path).runs
    assert tuple(entries) == release.obs_ids
    for number, entry in enumerate(entries.values()):
        run = read_run(entry)
        kinds = {response.kind for response in run.responses.values()}
        assert kinds == {"aeff_2d", "edisp_2d", psf, background}
        area = next(response for response in run.responses.values() if response.kind == "aeff_2d").values["aeff"]
        assert area.max() == pytest.approx(7e5 * plan.efficiencies[number], rel=1e-3)
    shared = sorted(path.name for path in (release.path / "data").glob("irfs_*"))
    assert shared == (["irfs_0.fits.gz", "irfs_1.fits.gz"] if share else [])


def test_point_like_releases_have_no_psf(tmp_path):
    plan = dataclasses.replace(SHORT, response=AnalyticResponse(enclosure="point-like", rad_max_2d=True))
    hdu = Table.read(simulate(plan, tmp_path / "release").path / "hdu-index.fits.gz")
    kinds = {str(kind).strip() for kind in hdu["HDU_CLASS"]}
    assert kinds == {"events", "gti", "aeff_2d", "edisp_2d", "rad_max_2d"}


def test_the_release_holds_its_truth(demo):
    assert read_plan(demo.path / "truth.yaml") == Plan()
    [model] = Models.read(demo.path / "models.yaml")
    assert model.name == "crab"
    assert isinstance(model.spectral_model, PowerLawSpectralModel)
    assert (model.spectral_model.index.value, model.spectral_model.amplitude.value) == (2.6, 3.5e-11)


def test_the_truth_of_an_extended_source_has_its_width(tmp_path):
    simulate(dataclasses.replace(SHORT, source=Source(sigma=0.2)), tmp_path / "release")
    spatial = yaml.safe_load((tmp_path / "release" / "models.yaml").read_text())["components"][0]["spatial"]
    assert spatial["type"] == "GaussianSpatialModel"
    assert spatial["parameters"][-1] == {"name": "sigma", "value": 0.2, "unit": "deg"}


def test_progress_counts_runs(tmp_path):
    seen = []
    simulate(SHORT, tmp_path / "release", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_folder_that_is_not_empty_raises_and_stays(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"is not empty\. Choose another folder"):
        simulate(SHORT, tmp_path)
    with pytest.raises(OutputExistsError, match="it was not simulated, and is not overwritten"):
        simulate(SHORT, tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_overwriting_leaves_nothing_of_the_earlier_release(tmp_path):
    simulate(dataclasses.replace(SHORT, compress=False, share_irfs=True), tmp_path / "release")
    simulate(dataclasses.replace(SHORT, runs=1), tmp_path / "release", overwrite=True)
    simulate(dataclasses.replace(SHORT, runs=1), tmp_path / "fresh")
    assert digests(tmp_path / "release") == digests(tmp_path / "fresh")


def test_a_path_that_cannot_be_a_folder_raises(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        simulate(SHORT, tmp_path / "file" / "release")


def test_an_interrupted_simulation_is_not_a_release(tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(SHORT, tmp_path / "release", progress=interrupt)
    assert not (tmp_path / "release" / "hdu-index.fits.gz").exists()
