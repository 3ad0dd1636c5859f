"""Several sources, extended sources and the background: what is drawn is what the responses predict."""

import dataclasses

import numpy as np
import pytest
import yaml

from releases import map_config_of, until_datasets
from xgamma.axes import Axis
from xgamma.closure import runs_of_set, simulator_of
from xgamma.errors import ConfigError, MissingInputError
from xgamma.events import Rows
from xgamma.geometry import from_field, position_angle, separation, to_field, to_frame
from xgamma.grid import Circle, Grid, RegionSpace, SkySpace
from xgamma.ingest.part import part_of
from xgamma.maps import Map, MapAxis, WcsGeom
from xgamma.models import (
    ConstantSpatialModel,
    DiskSpatialModel,
    FoVBackgroundModel,
    GaussianSpatialModel,
    GeneralizedGaussianSpatialModel,
    LinearTemporalModel,
    Models,
    PointSpatialModel,
    PowerLawSpectralModel,
    Shell2SpatialModel,
    ShellSpatialModel,
    SkyModel,
    TemplateSpatialModel,
)
from xgamma.predict import npred_signal
from xgamma.reduce import Recipe, method, reduce_spectra, stack
from xgamma.simulate import (
    AnalyticResponse,
    Plan,
    Source,
    about_first_model,
    expected_counts,
    plan_document,
    plan_from_document,
    power_law,
    read_plan,
    simulate,
)
from xgamma.simulate.events import event_columns
from xgamma.simulate.places import GridPlace, RoundPlace, gauss_radius, point_radius, profile_radius
from xgamma.simulate.release import emissions_of
from xgamma.simulate.responses import GAUSS_WEIGHTS, SIGMA_RATIOS

NOTHING = Source(spectral=power_law(amplitude=1e-30))
PROBABILITY = np.linspace(0.0, 1.0, 1001)


def source(name, spatial, amplitude=3e-11):
    return SkyModel(PowerLawSpectralModel(index=2.3, amplitude=f"{amplitude} cm-2 s-1 TeV-1"), spatial, name=name)


POINT = source("point", PointSpatialModel(lon_0="83.6 deg", lat_0="22.0 deg"))
WIDE = source("wide", GaussianSpatialModel(lon_0="84.4 deg", lat_0="21.6 deg", sigma="0.2 deg"), 6e-11)
THREE = [POINT, WIDE, source("other", PointSpatialModel(frame="galactic", lon_0="184.0 deg", lat_0="-6.2 deg"))]


def drawn(plan, runs=None):
    """Return the events of a plan, those of all runs together."""
    emissions = emissions_of(plan)
    planned = [plan.run(number) for number in range(plan.runs if runs is None else runs)]
    columns = [event_columns(emissions[run.efficiency], run, plan.generator(run.number)) for run in planned]
    return {name: np.concatenate([one[name] for one in columns]) for name in columns[0]}


def reduced(plan, seeds, grid, **changes):
    """Return the stack of the runs of some seeds."""
    runs = [run for seed in seeds for run in runs_of_set(simulator_of(plan), seed)]
    unlimited = np.full(len(runs), np.inf)
    rows = Rows(np.arange(len(runs)), -unlimited, unlimited, tuple(f"row-{number}" for number in range(len(runs))))
    return stack(reduce_spectra(part_of(runs, plan.name), rows, Recipe(grid, **changes)), ["all"] * len(runs))


# --- plans


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (1132, 51, 83.55244006074827, 20.665969633206505, 52.38821633160114, 755558937.0838629)),
        (
            {"source": Source(sigma=0.3), "response": AnalyticResponse(background="bkg_2d", psf="psf_king")},
            (1147, 48, 83.60516659827768, 24.75147324196565, 16.812102776020765, 755558937.4611932),
        ),
    ],
)
def test_plans_of_one_source_draw_the_events_that_they_always_drew(changes, expected):
    events = drawn(Plan(runs=1, duration=300.0, **changes))
    found = (
        len(events["TIME"]), events["MC_ID"].sum(), events["RA"].mean(), events["DEC"][7],
        events["ENERGY"][:50].astype(float).sum(), events["TIME"][3],
    )  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert not {"models"} & set(plan_document(Plan())) | {"background_drawn"} & set(plan_document(Plan())["response"])


def test_a_plan_of_models_is_the_same_from_models_documents_and_files(tmp_path):
    models = Models(THREE)
    plan = Plan(runs=1, models=models)
    models.write(tmp_path / "three.yaml")
    assert plan.models == models.to_dict()
    assert plan == Plan(runs=1, models=THREE) == Plan(runs=1, models=tmp_path / "three.yaml")
    assert plan_from_document(yaml.safe_load(yaml.safe_dump(plan_document(plan)))) == plan
    (tmp_path / "plan.yaml").write_text("simulation: {runs: 1, models: three.yaml}\n")
    assert read_plan(tmp_path / "plan.yaml") == plan


def test_the_truth_of_several_sources_is_their_models(tmp_path):
    plan = Plan(runs=1, duration=60.0, models=THREE)
    release = simulate(plan, tmp_path / "release").path
    assert read_plan(release / "truth.yaml") == plan
    assert Models.read(release / "models.yaml").to_dict() == Models(THREE).to_dict()


def test_pointings_lie_about_the_source_of_a_plan_or_the_first_model():
    plan = about_first_model(Plan(models=[WIDE, POINT]))
    assert (plan.source.name, plan.source.lon, plan.source.lat) == ("wide", 84.4, 21.6)
    run = plan.run(0)
    assert separation(run.lon, run.lat, 84.4, 21.6) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("models", "sentence"),
    [
        ([], "simulation.models: expected at least one source, got none."),
        ([SkyModel(PowerLawSpectralModel(), name="x")], "simulation.models: x: expected a spatial model, which says"),
        (
            [SkyModel(PowerLawSpectralModel(), PointSpatialModel(), LinearTemporalModel(), name="x")],
            "simulation.models: x: expected a source that is constant in time",
        ),
        (
            [SkyModel(PowerLawSpectralModel(), PointSpatialModel(), name="x", apply_irf={"psf": False})],
            "simulation.models: x: expected a source that is seen with all responses",
        ),
        ([FoVBackgroundModel(dataset_name="d")], "simulation.models: d-bkg: expected a SkyModel, got a FoVBackground"),
        ({"components": [{"name": "x", "type": "SkyModle"}]}, "There is no"),
    ],
)
def test_models_that_cannot_be_drawn_from_raise(models, sentence):
    with pytest.raises(ConfigError) as error:
        Plan(models=models)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("spatial", "sentence"),
    [
        (GaussianSpatialModel(sigma="0 deg"), "x: expected a size above 0 deg"),
    ],
)
def test_shapes_that_cannot_be_drawn_from_raise(spatial, sentence):
    with pytest.raises(ConfigError, match=sentence):
        expected_counts(Plan(models=[POINT, source("x", spatial)]))


def test_models_that_are_not_there_raise(tmp_path):
    with pytest.raises(MissingInputError):
        Plan(models=tmp_path / "none.yaml")


def test_sources_outside_of_every_field_of_view_raise_before_anything_is_written(tmp_path):
    far = source("far", PointSpatialModel(lon_0="10.0 deg", lat_0="20.0 deg"))
    with pytest.raises(ConfigError, match=r"the nearest source begins 67\.6 deg from the pointings"):
        simulate(Plan(models=[far]), tmp_path / "release")
    assert not (tmp_path / "release").exists()
    assert drawn(Plan(runs=1, duration=60.0, models=[far, POINT]))["MC_ID"].max() == 2


# --- places


def gauss_density(distance):
    """Return the density in sr-1 of a Gaussian of 0.3 deg."""
    a = 1.0 - np.cos(np.deg2rad(0.3))
    return np.exp((np.cos(np.deg2rad(distance)) - 1.0) / (2 * a)) / (4 * np.pi * a)


def test_points_and_gaussians_of_models_are_those_of_sources():
    gauss = Source(name="wide", lon=84.4, lat=21.6, sigma=0.2, spectral=WIDE.spectral_model)
    plan = Plan(runs=2, duration=200.0, source=gauss)
    one, other = drawn(plan), drawn(dataclasses.replace(plan, models=[WIDE]))
    for name, values in one.items():
        np.testing.assert_allclose(other[name], values, rtol=1e-12)


def test_a_profile_gives_the_distances_of_its_closed_form():
    inner = PROBABILITY[:-2]
    radius, total = profile_radius(gauss_density, 3.0)
    np.testing.assert_allclose(radius(inner), gauss_radius(0.3)(inner), atol=2e-5)
    assert total == pytest.approx(1.0, rel=1e-7)
    assert np.all(point_radius(PROBABILITY) == 0)


RUN = Plan().run(0)


def test_a_grid_gives_a_round_source_as_its_closed_form_does():
    place = GridPlace(lambda lon, lat: gauss_density(separation(lon, lat, 10.0, 60.0)), 1.5, (10.0, 60.0))
    assert place.share(RUN) == pytest.approx(1.0, abs=1e-4)
    lon, lat = place.draw(RUN, 100_000, np.random.default_rng(1))
    distance = np.sort(separation(lon, lat, 10.0, 60.0))
    expected = gauss_radius(0.3)((np.arange(100_000) + 0.5) / 100_000)
    inside = np.searchsorted(distance, expected) / 100_000
    assert np.abs(inside - (np.arange(100_000) + 0.5) / 100_000).max() < 1.95 / np.sqrt(100_000)
    angle = position_angle(lon, lat, 10.0, 60.0) % 360.0
    assert np.abs(np.histogram(angle, 12, (0, 360))[0] - 100_000 / 12).max() < 4 * np.sqrt(100_000 / 12)
    mean = separation(*place.spots(RUN), 10.0, 60.0).mean()
    assert mean == pytest.approx(0.3 * np.sqrt(np.pi / 2), rel=2e-3)


def test_a_grid_about_the_pointing_draws_what_of_a_sky_lies_in_the_field_of_view():
    flat = GridPlace(lambda lon, lat: np.full(np.shape(lon), 0.25 / np.pi), 2.5, None)
    assert flat.share(RUN) == pytest.approx(0.5 * (1 - np.cos(np.deg2rad(2.5))), rel=1e-9)
    offset = separation(*flat.draw(RUN, 50_000, np.random.default_rng(2)), RUN.lon, RUN.lat)
    assert offset.max() <= 2.5
    assert np.mean(offset < 2.5 * np.sqrt(0.5)) == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(50_000))


def test_spots_stand_for_all_positions():
    place = RoundPlace(84.4, 21.6, gauss_radius(0.2))
    assert np.mean(separation(*place.spots(RUN), 84.4, 21.6)) == pytest.approx(0.2 * np.sqrt(np.pi / 2), rel=0.02)


SHAPES = {
    "disk": DiskSpatialModel(lon_0="84.2 deg", lat_0="22.4 deg", r_0="0.4 deg", edge_width=0.1),
    "shell": ShellSpatialModel(lon_0="84.2 deg", lat_0="22.4 deg", radius="0.3 deg", width="0.05 deg"),
    "shell2": Shell2SpatialModel(lon_0="84.2 deg", lat_0="22.4 deg", r_0="0.4 deg", eta=0.3),
    "general": GeneralizedGaussianSpatialModel(lon_0="84.2 deg", lat_0="22.4 deg", r_0="0.2 deg", eta=0.4),
    "elongated": GaussianSpatialModel(lon_0="84.2 deg", lat_0="22.4 deg", sigma="0.2 deg", e=0.9, phi="30 deg"),
    "oval": DiskSpatialModel(lon_0="84.2 deg", lat_0="22.4 deg", r_0="0.4 deg", e=0.8, phi="-50 deg", edge_width=0.1),
    "galactic": GaussianSpatialModel(
        frame="galactic", lon_0="184.4 deg", lat_0="-5.4 deg", sigma="0.2 deg", e=0.9, phi="30 deg"
    ),
    "everywhere": ConstantSpatialModel(value="0.5 sr-1"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_events_of_a_shape_lie_as_its_density_says(name):
    share = share_of_events_that_lie_as_they_should(SHAPES[name])
    if name != "everywhere":
        assert share == pytest.approx(1.0, rel=2e-3)


def test_a_map_that_changes_with_energy_raises(tmp_path):
    geom = WcsGeom.create(npix=4, axes=[MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=2, name="energy_true")])
    cube = Map.from_geom(geom, data=np.ones((2, 4, 4)), unit="sr-1")
    model = TemplateSpatialModel(cube, filename=tmp_path / "cube.fits")
    model.write()
    with pytest.raises(ConfigError, match="x: expected a shape that is the same at all energies"):
        expected_counts(Plan(models=[POINT, source("x", model)]))


def test_events_of_a_map_lie_as_its_values_say(tmp_path):
    geom = WcsGeom.create(skydir=(84.2, 22.4), binsz=0.1, npix=(15, 13))
    lon, lat = (values.reshape(geom.space.shape) for values in geom.space.positions())
    bright = (np.exp(-20 * separation(lon, lat, *place) ** 2) for place in ((84.0, 22.3), (84.5, 22.5)))
    values = next(bright) + 2 * next(bright)
    image = Map.from_geom(geom, data=values, unit="sr-1")
    model = TemplateSpatialModel(image, interp="lin", filename=tmp_path / "map.fits")
    model.write()
    assert share_of_events_that_lie_as_they_should(model) == pytest.approx(1.0, rel=0.02)


def share_of_events_that_lie_as_they_should(model):
    """Compare 40,000 positions with the density of a model, and return the part of it that is drawn."""
    # A response that neither moves events nor loses any.
    response = AnalyticResponse(psf_sigma=1e-6, area_width=1e4, background_rate=0.0)
    plan = Plan(runs=1, wobble=0.5, models=[source("x", model)], response=response)
    place = emissions_of(plan)[1.0].sources[0].place
    lon, lat = place.draw(plan.run(0), 40_000, np.random.default_rng(5))
    x, y = to_field(lon, lat, 84.2, 22.4)
    edges = np.linspace(-0.8, 0.8, 17)
    found = np.histogram2d(x, y, (edges, edges))[0]
    fine = (np.arange(320) + 0.5) * 0.005 - 0.8
    at = from_field(fine[:, None], fine, 84.2, 22.4)
    density = model.density(*to_frame(*at, "icrs", model.frame)) * np.cos(np.deg2rad(fine)) * np.deg2rad(0.005) ** 2
    expected = 40_000 / place.share(plan.run(0)) * density.reshape(16, 20, 16, 20).sum(axis=(1, 3))
    filled = expected > 20
    assert filled.sum() > 20
    chi2 = ((found - expected)[filled] ** 2 / expected[filled]).sum()
    assert abs(chi2 - filled.sum()) < 4 * np.sqrt(2 * filled.sum())
    assert abs(found[~filled].sum() - expected[~filled].sum()) < 4 * np.sqrt(expected[~filled].sum() + 1)
    return place.share(plan.run(0))


# --- counts


def test_each_source_gives_the_counts_that_are_expected_of_it():
    plan = Plan(runs=4, duration=5000.0, models=THREE)
    found = np.bincount(drawn(plan)["MC_ID"], minlength=4)
    alone = [expected_counts(dataclasses.replace(plan, models=[one])).sum(axis=0) for one in THREE]
    expected = np.array([alone[0][1], *(signal for signal, _ in alone)])
    np.testing.assert_allclose(expected_counts(plan).sum(), expected.sum(), rtol=1e-9)
    assert np.all(np.abs(found - expected) < 3 * np.sqrt(expected) + 1e-3 * expected)


def test_the_profile_of_a_source_is_its_model_convolved_with_the_point_spread_function():
    # Neither the width of the PSF nor the acceptance varies here: three Gaussians, each with that of the source.
    response = AnalyticResponse(background_rate=0.0, area_width=500.0, energy_min=2.0, energy_max=2.1, bias=0.0)
    gauss = GaussianSpatialModel(lon_0="83.633 deg", lat_0="22.014 deg", sigma="0.1 deg")
    plan = Plan(runs=60, wobble=0.0, models=[source("x", gauss, 2e-9)], response=response)
    events = drawn(plan)
    distance = separation(events["RA"], events["DEC"], 83.633, 22.014)
    width = 0.05 * (1 - 0.06 * np.log(2.05)) * (1 + 0.1 * 0.12)
    edges = np.arange(0.0, 0.61, 0.05)
    inside = sum(
        weight * -np.expm1(-0.5 * edges**2 / (0.1**2 + (ratio * width) ** 2))
        for weight, ratio in zip(GAUSS_WEIGHTS, SIGMA_RATIOS, strict=True)
    )
    expected = len(distance) * np.diff(inside)
    assert len(distance) > 10_000
    assert np.all(np.abs(np.histogram(distance, edges)[0] - expected) < 3.5 * np.sqrt(expected) + 0.01 * expected)


def test_the_spectrum_of_a_point_among_others_is_what_is_predicted_for_its_region():
    grid = Grid(
        Axis.from_bounds("energy", 0.5, 30.0, 8),
        Axis.from_bounds("energy_true", 0.1, 100.0, 200),
        RegionSpace((Circle(83.6, 22.0, 0.15),)),
    )
    far = source("far", GaussianSpatialModel(lon_0="82.0 deg", lat_0="22.0 deg", sigma="0.1 deg"), 1e-10)
    bright = source("point", PointSpatialModel(lon_0="83.6 deg", lat_0="22.0 deg"), 1e-9)
    plan = Plan(runs=10, wobble=0.8, models=[bright, far], response=AnalyticResponse(background_rate=0.0))
    row = reduced(plan, range(3), grid)
    expected = npred_signal(row, Models([SkyModel(bright.spectral_model, name="point")])).values.ravel()
    counts = row["counts"].values.ravel()
    assert np.all(np.abs(counts - expected) < 3 * np.sqrt(expected) + 3e-3 * expected)
    assert counts.sum() == pytest.approx(expected.sum(), rel=3 / np.sqrt(expected.sum()))


@pytest.mark.long
@pytest.mark.parametrize("kind", ["bkg_3d", "bkg_2d"])
def test_the_background_of_maps_is_right_in_every_energy_and_ring(kind):
    response = AnalyticResponse(
        background=kind, background_drawn="table", background_turn=0.0, energy_min=0.2, background_rate=40.0
    )
    plan = Plan(runs=10, wobble=0.0, efficiencies=(1.0, 0.7), source=NOTHING, response=response)
    space = SkySpace(83.633, 22.014, "icrs", 0.1, (52, 52))
    grid = Grid(Axis.from_bounds("energy", 0.3, 30.0, 6), Axis.from_bounds("energy_true", 0.2, 60.0, 6), space)
    row = reduced(plan, range(4), grid, background=method("background", "irf"), offset_max=2.6, maps=("background",))
    side = (np.arange(52) + 0.5) * 0.1 - 2.6
    ring = (np.hypot(*np.meshgrid(side, side)) / 0.3).astype(int)
    # A pixel on the edge of a round field of view is half empty.
    counts, expected = (row[name].values[0][:, ring < 8].astype(float) for name in ("counts", "background"))
    assert expected.sum() > 9e5
    pulls = (counts.sum(axis=1) - expected.sum(axis=1)) / np.sqrt(expected.sum(axis=1))
    assert np.abs(pulls).max() < 3
    found, wanted = (np.bincount(ring[ring < 8], plane.sum(axis=0)) for plane in (counts, expected))
    assert np.abs((found - wanted) / np.sqrt(wanted)).max() < 3
    assert abs(counts.sum() - expected.sum()) < 3 * np.sqrt(expected.sum())


@pytest.mark.some_long(2)
@pytest.mark.parametrize("alignment", ["RADEC", "ALTAZ"])
def test_a_background_with_a_gradient_is_right_on_every_side(alignment):
    response = AnalyticResponse(
        background_drawn="table", background_turn=0.0, background_gradient=0.4, fov_alignment=alignment,
        energy_min=0.2, background_rate=40.0,
    )  # fmt: skip
    plan = Plan(runs=3, wobble=0.0, duration=5000.0, runs_per_night=3, source=NOTHING, response=response)
    space = SkySpace(83.633, 22.014, "icrs", 0.1, (40, 40))
    grid = Grid(Axis.from_bounds("energy", 0.3, 30.0, 2), Axis.from_bounds("energy_true", 0.2, 60.0, 6), space)
    row = reduced(plan, [1], grid, background=method("background", "irf"), maps=("background",))
    counts, expected = (row[name].values[0].sum(axis=0).astype(float) for name in ("counts", "background"))
    side = (np.arange(40) + 0.5) * 0.1 - 2.0
    sector = ((np.rad2deg(np.arctan2(*np.meshgrid(side, side))) % 360.0) // 30.0).astype(int)
    found, wanted = (np.bincount(sector.ravel(), plane.ravel()) for plane in (counts, expected))
    assert np.abs((found - wanted) / np.sqrt(wanted)).max() < 3
    assert wanted.max() > 1.5 * wanted.min()


def test_a_gradient_needs_two_coordinates():
    with pytest.raises(ConfigError, match=r"response\.background: expected bkg_3d"):
        AnalyticResponse(background="bkg_2d", background_gradient="0.1 deg-1")


def test_files_of_a_field_of_three_sources_are_ingested_reduced_and_stacked(tmp_path):
    response = AnalyticResponse(background_drawn="table", background_turn=0.0, energy_min=0.2, energy_bins=24)
    plan = Plan(runs=3, models=THREE, response=response, share_irfs=True, compress=False)
    release = simulate(plan, tmp_path / "release").path
    analysis = until_datasets(map_config_of(release, tmp_path / "store"))
    view = analysis.datasets["stacked"]
    counts, background = float(view.counts.data.sum()), float(view.background.data.sum())
    excess, signal = counts - background, expected_counts(plan)[:, 0].sum()
    assert background > 1000
    assert 0 < excess < signal + 4 * np.sqrt(background + signal)
