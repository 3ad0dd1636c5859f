"""Regions of any shape in the configuration: what is accepted, several at once, and sentences about the rest."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from regions import CirclePixelRegion as Pixels
from regions import CircleSkyRegion, EllipseSkyRegion, PixCoord, Regions

from releases import config_of, until_datasets, whole
from xgamma.analysis import AnalysisConfig
from xgamma.analysis.preview import preview
from xgamma.analysis.run import run
from xgamma.config.requests import recipe_of
from xgamma.errors import ConfigError, DataError, InputError, XgammaError
from xgamma.masks import ExcludedShapes
from xgamma.shapes import Annulus, Circle, Ellipse, Polygon, Rectangle

CRAB = {"frame": "icrs", "lon": "83.633 deg", "lat": "22.014 deg", "radius": "0.11 deg"}
PLACE = {"frame": "icrs", "lon": "83.633 deg", "lat": "22.014 deg"}
CENTER = SkyCoord(83.633, 22.014, unit="deg")
RING = {**PLACE, "shape": "annulus", "inner_radius": "0.15 deg", "outer_radius": "0.25 deg", "name": "ring"}
NO_CORRECTION = "datasets: {containment_correction: false}"


def space_of(given):
    config = AnalysisConfig()
    config.datasets.on_region = given
    config.datasets.containment_correction = False
    config.check(complete=True)
    assert AnalysisConfig.from_yaml(config.to_yaml()) == config
    return recipe_of(config).grid.space


@pytest.mark.some_long(3)
@pytest.mark.parametrize(
    ("given", "shape"),
    [
        (CRAB, Circle(83.633, 22.014, 0.11)),
        ({**PLACE, "shape": "point"}, Circle(83.633, 22.014, 0.0)),
        ({**PLACE, "radius": "0 deg"}, Circle(83.633, 22.014, 0.0)),
        (
            {**PLACE, "shape": "ellipse", "width": "0.4 deg", "height": "12 arcmin", "angle": "30 deg"},
            Ellipse(83.633, 22.014, 0.4, 0.2, 30.0),
        ),
        (
            {**PLACE, "shape": "rectangle", "width": "0.4 deg", "height": "0.2 deg"},
            Rectangle(83.633, 22.014, 0.4, 0.2),
        ),
        (RING | {"name": None}, Annulus(Circle(83.633, 22.014, 0.25), Circle(83.633, 22.014, 0.15))),
        (
            {"shape": "polygon", "vertices": [["83 deg", "22 deg"], ["84 deg", "22 deg"], ["84 deg", "23 deg"]]},
            Polygon((83.0, 84.0, 84.0), (22.0, 22.0, 23.0)),
        ),
        ("galactic; box(184.5, -5.8, 0.2, 0.1, 30)", Rectangle(184.5, -5.8, 0.2, 0.1, 30.0, "galactic")),
        (CircleSkyRegion(CENTER, 0.11 * u.deg), Circle(83.633, 22.014, 0.11)),
        (EllipseSkyRegion(CENTER, 0.4 * u.deg, 0.2 * u.deg), Ellipse(83.633, 22.014, 0.4, 0.2)),
    ],
)
def test_an_on_region_is_written_in_many_ways(given, shape):
    assert space_of(given).regions == (shape,) and space_of(given).names == ()


def test_a_file_or_a_list_gives_several_on_regions_with_names(tmp_path):
    path = tmp_path / "a.reg"
    path.write_text("galactic\nellipse(184.5,-5.8,0.2,0.1,30) # text={shell}\ncircle(184.6,-5.2,0.1)\n")
    assert space_of(str(path)).names == space_of({"file": path}).names == ("shell", "region-2")
    assert space_of([CRAB, RING]).names == ("region-1", "ring")
    assert space_of({**CRAB, "name": "nebula"}).names == ("nebula",)
    assert (
        len(space_of(Regions([CircleSkyRegion(CENTER, 0.1 * u.deg), CircleSkyRegion(CENTER, 0.2 * u.deg)])).regions)
        == 2
    )


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("circle(83.6, 22.0, 0.1)", "datasets.on_region.ds9: circle(83.6, 22.0, 0.1) has no frame on the sky"),
        (
            {**PLACE, "shape": "ellipse", "width": "0.2 deg"},
            "datasets.on_region: expected lon, lat, width and height of",
        ),
        (
            {**CRAB, "width": "2 deg"},
            "datasets.on_region: a circle has no width; leave it out, or write another shape.",
        ),
        ({**RING, "inner_radius": "0.3 deg"}, "datasets.on_region: annulus: expected an inner edge above 0 deg inside"),
        ({"shape": "polygon", "vertices": [["1 deg", "2 deg"]]}, "datasets.on_region.vertices: expected three corners"),
        ({"shape": "blob"}, "datasets.on_region.shape: expected one of circle, ellipse, annulus"),
        ({"ds9": "icrs; circle(1, 2, 3)", "lon": "3 deg"}, "datasets.on_region: expected ds9 alone, got lon too"),
        ([CRAB, {"lon": "3 deg"}], "datasets.on_region[1]: expected lon, lat and radius, or none of them"),
        ([CRAB | {"name": "a"}, CRAB | {"name": "a"}], "datasets.on_region: two regions are called 'a'"),
        (Pixels(PixCoord(1, 2), 3), "datasets.on_region: Expected a region on the sky, got a CirclePixelRegion"),
    ],
)
def test_what_is_no_region_is_one_sentence(given, problem):
    with pytest.raises(ConfigError) as error:
        space_of(given)
    assert str(error.value).splitlines()[0].startswith(problem)


def test_a_region_file_without_a_frame_is_one_sentence_in_check_and_run(tiny_release, tmp_path):
    path = tmp_path / "a.reg"
    path.write_text("circle(83.633, 22.014, 0.11)\n")
    refused_alike(
        config_of(tiny_release, tmp_path / "store"), path, InputError, "circle(83.633, 22.014, 0.11) has no frame"
    )
    refused_alike(config_of(tiny_release, tmp_path / "store"), tmp_path / "b.reg", InputError, "there is no")


def refused_alike(config, region, kind, problem):
    config.datasets.on_region = region
    said = []
    for verb in (preview, run):
        with pytest.raises(XgammaError) as error:
            verb(config)
        said.append(str(error.value))
    assert said[0] == said[1] and problem in said[0] and "\n" not in said[0], said


def test_a_region_outside_of_every_run_is_one_sentence_in_check_and_run(tiny_release, tmp_path):
    far = {**CRAB, "lat": "40 deg", "name": "far"}
    config = config_of(tiny_release, tmp_path / "store")
    refused_alike(config, [CRAB, far], DataError, "far is 17.5 deg from the nearest pointing, more than 2.5 deg")
    refused_alike(config, far, DataError, "No run can be used")


def test_containment_of_what_is_no_circle_is_one_sentence_in_check_and_run(tiny_release, tmp_path):
    refused_alike(
        config_of(tiny_release, tmp_path / "store"), RING, ConfigError, "and on-region ring is of the kind annulus"
    )


@pytest.mark.parametrize(
    ("given", "shapes"),
    [
        ("icrs; circle(83.6,23,0.2)\ncircle(84,22,0.1)", (Circle(83.6, 23.0, 0.2), Circle(84.0, 22.0, 0.1))),
        (
            [{**PLACE, "radius": "0.3 deg"}, "icrs; circle(84,22,0.1)"],
            (Circle(83.633, 22.014, 0.3), Circle(84.0, 22.0, 0.1)),
        ),
        (CircleSkyRegion(CENTER, 0.3 * u.deg), (Circle(83.633, 22.014, 0.3),)),
        ("FILE", (Circle(83.6, 23.0, 0.2),)),
    ],
)
def test_the_exclusion_is_regions_of_any_spelling(tiny_release, tmp_path, given, shapes):
    config = config_of(tiny_release, tmp_path / "store")
    if given == "FILE":
        (tmp_path / "a.reg").write_text("icrs; circle(83.6,23,0.2)\n")
        given = str(tmp_path / "a.reg")
    config.datasets.background.exclusion = given
    assert AnalysisConfig.from_yaml(config.to_yaml()) == config
    assert recipe_of(config).exclusion == ExcludedShapes(shapes)


@pytest.mark.parametrize("given", [3, [], {}, [{"lon": "3 deg"}], "circle(1, 2, 3)"])
def test_an_exclusion_that_is_none_is_one_sentence(given):
    config = AnalysisConfig()
    with pytest.raises(ConfigError, match=r"datasets.background.exclusion(.ds9)?: ") as error:
        config.datasets.background.exclusion = given
    assert "\n" not in str(error.value)


def test_each_of_several_regions_is_a_spectrum_with_a_name(tiny_release, tmp_path):
    config = config_of(tiny_release, tmp_path / "store", NO_CORRECTION)
    config.datasets.on_region = [{**CRAB, "name": "nebula"}, RING]
    stacked = until_datasets(config)
    assert stacked.datasets.names == ["stacked-nebula", "stacked-ring"]
    config.datasets.stack = False
    runs = until_datasets(config)
    assert runs.datasets.names == [f"{run}-{region}" for region in ("nebula", "ring") for run in (1, 2, 3)]
    for number, name in enumerate(("nebula", "ring")):
        total = sum(float(view.counts.sum()) for view in runs.datasets if view.name.endswith(name))
        assert float(stacked.datasets[number].counts.sum()) == total > 0
    alone = config.model_copy(deep=True)
    alone.datasets.on_region = {**CRAB}
    # The ring is left out of the off regions of the nebula, and no event of the nebula is lost.
    np.testing.assert_array_equal(until_datasets(alone).datasets[0].counts, runs.datasets[0].counts)


def test_spectra_of_regions_are_written_and_come_back(tiny_release, tmp_path):
    config = config_of(tiny_release, tmp_path / "store", NO_CORRECTION)
    config.datasets.on_region = [{**CRAB, "name": "nebula"}, RING]
    datasets = until_datasets(config).datasets
    datasets.write(tmp_path / "all.zarr")
    datasets[1].write(tmp_path / "ring.yaml")
    datasets[1].write(tmp_path / "ring.fits")
    assert type(datasets).read(tmp_path / "all.zarr").names == ["stacked-nebula", "stacked-ring"]
    for name in ("all.zarr", "ring.yaml", "ring.fits"):
        back = type(datasets).read(tmp_path / name)["stacked-ring"]
        np.testing.assert_array_equal(back.counts, datasets[1].counts)
        assert str(back.data["region_shape"].values[0]).startswith("icrs; annulus(83.633")


def test_each_region_is_fitted_with_the_model_that_names_it(tiny_release, tmp_path):
    config = config_of(tiny_release, tmp_path / "store", NO_CORRECTION)
    [component] = config.models["components"]
    config.datasets.on_region = {**CRAB, "name": "nebula"}
    alone = whole(config)
    config.datasets.on_region = [{**CRAB, "name": "nebula"}, RING]
    assert any("will be fitted to the on-regions nebula, ring together" in remark for remark in preview(config).remarks)
    config.models = {
        "components": [
            {**component, "name": name, "datasets_names": [f"stacked-{region}"]}
            for name, region in ((component["name"], "nebula"), ("rest", "ring"))
        ]
    }
    assert not any("together" in remark for remark in preview(config).remarks)
    both = whole(config)
    found, expected = both.datasets.models.parameters["index"].value, alone.datasets.models.parameters["index"].value
    # The off regions of the nebula are others where the ring is left out of them.
    assert found == pytest.approx(expected, abs=0.2)


def test_regions_are_drawn_with_their_off_regions(tiny_release, tmp_path):
    config = config_of(tiny_release, tmp_path / "store", NO_CORRECTION)
    config.datasets.on_region = [{**CRAB, "name": "nebula"}, RING]
    config.datasets.stack = False
    axes = until_datasets(config).datasets.plot_regions()
    off = [line for line in axes.get_lines() if line.get_linewidth() == 0.8]
    on = [line for line in axes.get_lines() if line.get_linewidth() == 2.0]
    # An annulus has two edges.
    assert len(on) == 3 and len(off) > 6
    config.datasets.stack = True
    config.general.outdir = str(tmp_path / "out")
    config.steps = ["observations", "datasets"]
    written = run(config).files
    assert written["regions (picture)"].exists()


def test_each_region_is_fitted_by_itself_where_each_is_asked_for(tiny_release, tmp_path):
    config = config_of(tiny_release, tmp_path / "store", NO_CORRECTION, "fit: {each: dataset}")
    config.datasets.on_region = [{**CRAB, "name": "nebula"}, RING]
    both = whole(config)
    assert both.fit_each.groups == ["stacked-nebula", "stacked-ring"]
    config.datasets.on_region = [{**CRAB, "name": "nebula"}, RING]
    config.datasets.stack, config.fit.each = False, "night"
    nights = whole(config)
    assert {group.rsplit("-", 1)[1] for group in nights.fit_each.groups} == {"nebula", "ring"}
