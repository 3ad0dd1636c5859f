"""What maps cannot be made of is said before any work, in the same words by check, plan and run."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from astropy.io import fits

from releases import COARSE, TINY, config_of, map_config_of, release_of
from xgamma.analysis import Analysis
from xgamma.analysis.plan import plan
from xgamma.analysis.preview import preview
from xgamma.analysis.run import run
from xgamma.config.requests import recipe_of
from xgamma.errors import ConfigError, DataError, XgammaError
from xgamma.geometry import to_frame

WCS = "datasets.geom.wcs"
RING = (
    "geom: {{axes: {{energy: {{nbins: {}}}}}}}, background: {{method: ring, parameters: {{r_in: {}, width: 0.3 deg}}}}"
)
FIT = "steps: [observations, datasets, fit]"
POWER_LAW = (
    "spectral: {{type: PowerLawSpectralModel, parameters: [{{name: index, value: 2, frozen: {0}}}, "
    "{{name: amplitude, value: 1.0e-11, unit: cm-2 s-1 TeV-1, frozen: {0}}}]}}"
)
SPECTRUM = f"{{name: crab, type: SkyModel, {POWER_LAW.format('false')}}}"


def at(lon, is_fixed="false", is_frozen="false"):
    """Return a point of a power law at a longitude, as YAML."""
    place = f"{{name: lon_0, value: {lon}, unit: deg, frozen: {is_fixed}}}"
    place += f", {{name: lat_0, value: 22, unit: deg, frozen: {is_fixed}}}"
    spatial = f"{{type: PointSpatialModel, frame: icrs, parameters: [{place}]}}"
    return f"{{name: crab, type: SkyModel, spatial: {spatial}, {POWER_LAW.format(is_frozen)}}}"


def background(name, dataset, is_frozen="false"):
    """Return the norm of the background of a dataset, as YAML."""
    spectral = f"{{type: PowerLawNormSpectralModel, parameters: [{{name: norm, value: 1, frozen: {is_frozen}}}]}}"
    return f"{{name: {name}, type: FoVBackgroundModel, datasets_names: [{dataset}], spectral: {spectral}}}"


CASES = {
    "skydir without frame": (
        "datasets: {geom: {wcs: {skydir: {frame: null}}}}",
        ConfigError,
        f"{WCS}.skydir.frame: expected icrs or galactic beside lon and lat, got null; write for example "
        "{frame: icrs, lon: 83.633 deg, lat: 22.014 deg}.",
    ),
    "longitude alone": (
        "datasets: {geom: {wcs: {skydir: {lat: null}}}}",
        ConfigError,
        f"{WCS}.skydir: expected lon and lat, or none of them; write for example "
        "{frame: icrs, lon: 83.633 deg, lat: 22.014 deg}.",
    ),
    "skydir outside of all runs": (
        "datasets: {geom: {wcs: {skydir: {lon: 120 deg}}}}",
        DataError,
        f"{WCS}.skydir: no run reaches the map: its nearest pixel is 31.1 deg from the nearest pointing, more than "
        "1.4 deg (datasets.geom.selection.offset_max); write another skydir, a larger width, or select other runs.",
    ),
    "pixels larger than the map": (
        "datasets: {geom: {wcs: {binsize: 3.5 deg}}}",
        ConfigError,
        f"{WCS}.binsize: expected a pixel that is smaller than the map, got 3.5 deg and height: 3.2 deg; write a "
        "smaller binsize or a larger height.",
    ),
    "map beyond the poles": (
        "datasets: {geom: {wcs: {width: {height: 200 deg}, binsize: 1 deg}}}",
        ConfigError,
        f"{WCS}.width.height: expected at most 180 deg of the projection CAR, got 200 pixels, 200 deg; write a "
        "smaller height.",
    ),
    "tangential map of the whole sky": (
        "datasets: {geom: {wcs: {width: {width: 200 deg}, binsize: 1 deg, proj: TAN}}}",
        ConfigError,
        f"{WCS}.width.width: expected at most 180 deg of the projection TAN, got 200 pixels, 200 deg; write a "
        "smaller width.",
    ),
    "another projection": (
        "datasets: {geom: {wcs: {proj: SIN}}}",
        ConfigError,
        f"{WCS}.proj: expected one of CAR, TAN, AIT, got 'SIN'.",
    ),
    "no field of view": (
        "datasets: {geom: {selection: {offset_max: 0 deg}}}",
        ConfigError,
        "datasets.geom.selection.offset_max: expected an angle above 0 deg, got '0 deg'.",
    ),
    "ring in several bins": (
        f"datasets: {{{RING.format(3, '0.5 deg')}}}",
        ConfigError,
        "datasets.geom.axes.energy.nbins: the ring background is made in one energy bin, got 3; write nbins: 1, or "
        "method: fov_background.",
    ),
    "ring larger than the map": (
        f"datasets: {{{RING.format(1, '2.5 deg')}}}",
        ConfigError,
        "datasets.background.parameters.r_in: expected a ring inside of the map, got 2.5 deg, and what a run fills of "
        "it ends 1.98 deg from its centre; write a smaller r_in, or larger maps.",
    ),
    "background without its map": (
        "datasets: {map_selection: [counts, exposure], background: {method: fov_background}}",
        ConfigError,
        "datasets.map_selection: fov_background needs the map of the background, and the maps are counts, exposure; "
        "add background, or write background.method: null.",
    ),
    "reflected in 3d": (
        "datasets: {background: {method: reflected}}",
        ConfigError,
        "datasets.background.method: 'reflected' is made for datasets.type 1d, got 3d; write adaptive_ring, "
        "fov_background or ring, "
        "or type: 1d.",
    ),
    "maps of files": (
        "datasets: {read: spectra.fits}",
        ConfigError,
        "datasets.type: 3d given beside read, and files of spectra are no maps; leave one of them out.",
    ),
    "a source without a place": (
        f"{{{FIT}, models: {{components: [{SPECTRUM}]}}}}",
        ConfigError,
        "The model 'crab' has no spatial model, which a map needs; give it one, such as a point.",
    ),
    "a source outside of the map": (
        f"{{{FIT}, models: {{components: [{at(90.0)}]}}}}",
        ConfigError,
        "The model 'crab' is outside of the map, and its position is free: it lies at 90, 22 deg (icrs); start it "
        "inside of the map, or freeze its position.",
    ),
    "a free flux of a fixed source outside of the map": (
        f"{{{FIT}, models: {{components: [{at(90.0, 'true')}]}}}}",
        ConfigError,
        "The model 'crab' is outside of the map, which says nothing about index, amplitude: it lies at 90, 22 deg "
        "(icrs); make the map larger, freeze all of the model, or remove it.",
    ),
    "no point spread function": (
        f"{{{FIT}, models: {{components: [{at(83.6)}]}}, datasets: {{map_selection: [counts, exposure, background]}}}}",
        ConfigError,
        "The model 'crab' is seen behind the point spread function, and the maps have none; reduce with psf in "
        "map_selection, or write 'psf: false' in its apply_irf.",
    ),
    "two models of one background": (
        f"{{{FIT}, models: {{components: [{at(83.6)}, {background('a', 'stacked')}, {background('b', 'stacked')}]}}}}",
        ConfigError,
        "The dataset 'stacked' has two models of its background, 'a' and 'b'; keep one.",
    ),
    "a model of a background that is not there": (
        f"{{{FIT}, models: {{components: [{at(83.6)}, {background('a', 'other')}]}}}}",
        ConfigError,
        "The model 'a' is of the background of the dataset 'other', and the datasets are stacked; correct its "
        "datasets_names, or remove the model.",
    ),
    "nothing free": (
        f"{{{FIT}, models: {{components: [{at(83.6, 'true', 'true')}, {background('a', 'stacked', 'true')}]}}}}",
        ConfigError,
        "No free parameters for fitting: every parameter of the models on these datasets is frozen. Set frozen: false "
        "for at least one.",
    ),
}


@pytest.mark.some_long(3)
@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_made_raises_before_any_work(name, tiny_release, tmp_path):
    text, kind, message = CASES[name]
    said = []
    for command in (preview, plan, run):
        with pytest.raises(XgammaError) as error:
            command(map_config_of(tiny_release, tmp_path / "out" / "store", text))
        assert type(error.value) is kind
        said.append(str(error.value))
    assert said == [message] * 3
    assert list(tmp_path.iterdir()) == []


def test_spectra_and_maps_are_told_apart(tiny_release, tmp_path):
    config = config_of(tiny_release, tmp_path / "store")
    config.datasets = [config.datasets, map_config_of(tiny_release, tmp_path / "store").datasets]
    with pytest.raises(ConfigError, match=r"^The model 'crab' has no spatial model, which a map needs"):
        plan(config)
    config.datasets[0].name, config.datasets[1].name = "spectra", "maps"
    of_spectra = background("a", "spectra")
    text = f"{{steps: [observations, datasets, fit], models: {{components: [{at(83.6)}, {of_spectra}]}}}}"
    with pytest.raises(ConfigError, match=r"'a' is a FoVBackgroundModel, .* 'spectra' is the spectrum of a region"):
        plan(config.update(text))
    both = config.update(text.replace(of_spectra, background("a", "maps")))
    assert [step.step for step in plan(both)][-1] == "fit"


def test_excess_maps_of_spectra_raise(tiny_release, tmp_path):
    config = config_of(tiny_release, tmp_path / "store")
    config.steps = ["observations", "datasets", "excess_map"]
    with pytest.raises(ConfigError, match=r"^steps: excess_map is made of maps, and datasets have type 1d; write type"):
        plan(config)


def test_keys_of_regions_are_told_to_be_unused(tiny_release, tmp_path):
    text = "{datasets: {on_region: {lon: 83.6 deg, lat: 22 deg, radius: 0.1 deg}, containment_correction: false}}"
    said = preview(map_config_of(tiny_release, tmp_path / "store", text)).remarks
    assert said[:2] == [
        "datasets.on_region: given and not used, as datasets.type 3d makes maps, which have no on-region.",
        "datasets.containment_correction: given and not used, as datasets.type 3d makes maps, which have no on-region.",
    ]


def test_maps_beyond_the_memory_of_the_machine_raise_before_any_work(tiny_release, tmp_path, monkeypatch):
    monkeypatch.setattr("xgamma.analysis.memory.machine_bytes", lambda: 1_000_000_000)
    text = "datasets: {geom: {wcs: {binsize: 0.002 deg, width: {width: 6 deg, height: 6 deg}}}}"
    config = map_config_of(tiny_release, tmp_path / "out" / "store", text)
    for command in (preview, run):
        with pytest.raises(ConfigError) as error:
            command(config)
        said = str(error.value)
        assert said.startswith("datasets.geom: stack would need about ")
        assert " of memory at its peak, and this machine has 1 GB. " in said
        assert said.endswith(
            "Take larger pixels than 0.002 deg, a smaller width or offset_max, coarser energy axes than 6 x 3 bins, "
            "fewer runs, or a larger machine."
        )
    monkeypatch.setattr("xgamma.analysis.memory.machine_bytes", lambda: 1 << 60)
    config.general.memory_limit = "1 GB"
    with pytest.raises(ConfigError, match=r"^general\.memory_limit: stack would .*, a smaller width or offset"):
        run(config)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("method", "count"), [("aeff-max", 0), ("offset-max", 1)])
def test_a_position_is_used_by_methods_that_look_at_responses(tiny_release, tmp_path, method, count):
    masks = f"{{methods: [{method}], parameters: {{position: {{lon: 83.6 deg, lat: 22 deg}}}}}}"
    remarks = preview(map_config_of(tiny_release, tmp_path / "store", f"datasets: {{safe_mask: {masks}}}")).remarks
    assert len([said for said in remarks if "parameters.position: given and not used" in said]) == count


# --- the centre


def test_maps_without_a_centre_have_the_mean_pointing(tiny_release, tmp_path):
    text = "datasets: {geom: {wcs: {skydir: {frame: null, lon: null, lat: null}}}}"
    config = map_config_of(tiny_release, tmp_path / "store", text)
    pointings = Analysis(config)
    pointings.get_observations()
    lon, lat = (
        np.mean([getattr(run.get_pointing_icrs(run.tmid), axis).deg for run in pointings.observations])
        for axis in ("ra", "dec")
    )
    report = run(config)
    skydir = report.analysis.config.datasets.geom.wcs.skydir
    assert (skydir.lon.value, skydir.lat.value) == (pytest.approx(lon, abs=2e-4), pytest.approx(lat, abs=2e-4))
    assert skydir.frame == "icrs"
    # What was made is found again: by the plan, by a session, and by the configuration that was written.
    assert [step.state for step in plan(config)] == ["found"] * 3
    again = Analysis(config)
    again.get_observations()
    again.get_datasets()
    assert again.computed == set()
    written = type(config).read(report.files["configuration"])
    assert recipe_of(written).key == recipe_of(report.analysis.config).key
    with pytest.raises(ConfigError, match=r"^datasets\.geom\.wcs\.skydir: expected the centre of the maps; without"):
        recipe_of(config)


def test_the_centre_in_a_frame_is_the_same_place(tiny_release, tmp_path):
    text = "datasets: {{geom: {{wcs: {{skydir: {{frame: {}, lon: null, lat: null}}}}}}}}"
    icrs, galactic = (
        run(map_config_of(tiny_release, tmp_path / frame / "store", text.format(frame))).analysis.config
        for frame in ("icrs", "galactic")
    )
    one, other = (recipe_of(config).grid.space.image for config in (icrs, galactic))
    assert other.frame == "galactic"
    middles = [np.array(space.positions()).reshape(2, 16, 20)[:, 7:9, 9:11].mean(axis=(1, 2)) for space in (one, other)]
    np.testing.assert_allclose(*middles, atol=5e-4)


# --- backgrounds


def mask_file(folder, center, width, *, value=1, projection="TAN"):
    """Write a mask of 0.1 deg pixels, usable where it has a pixel, and return its path."""
    count = round(width / 0.1)
    image = fits.PrimaryHDU(np.full((count, count), value, dtype=np.int16))
    names = {"TAN": ("RA---TAN", "DEC--TAN"), "CAR": ("GLON-CAR", "GLAT-CAR")}[projection]
    cards = {"CTYPE1": names[0], "CTYPE2": names[1], "CRVAL1": center[0], "CRVAL2": center[1], "CUNIT1": "deg"}
    cards |= {"CUNIT2": "deg", "CDELT1": -0.1, "CDELT2": 0.1, "CRPIX1": (count + 1) / 2, "CRPIX2": (count + 1) / 2}
    if projection == "TAN":
        cards["RADESYS"] = "ICRS"
    image.header.update(cards)
    path = folder / f"mask-{projection}-{width}-{value}.fits"
    image.writeto(path)
    return path


FOV = "datasets: {{background: {{method: fov_background, exclusion: {}}}}}"
ONE_BIN = "geom: {axes: {energy: {nbins: 1}}}"
CRAB = (83.633, 22.014)


def test_a_mask_that_does_not_cover_the_field_is_a_remark(tiny_release, tmp_path, caplog):
    config = map_config_of(tiny_release, tmp_path / "store", FOV.format(mask_file(tmp_path, CRAB, 2.0)))
    [said] = [remark for remark in preview(config).remarks if "exclusion" in remark]
    assert said.startswith("datasets.background.exclusion: the mask has no pixel in 68.8 % of the map, and nothing is ")
    run(config)
    assert said in [record.getMessage() for record in caplog.records]


def test_a_mask_of_another_part_of_the_sky_raises(tiny_release, tmp_path):
    config = map_config_of(tiny_release, tmp_path / "store", FOV.format(mask_file(tmp_path, (10.0, 0.0), 2.0)))
    for command in (preview, plan, run):
        with pytest.raises(ConfigError, match=r"^datasets\.background\.exclusion: expected a mask that covers the map"):
            command(config)


@pytest.mark.long
def test_a_mask_in_another_projection_is_that_mask(tiny_release, tmp_path):
    galactic = to_frame(*CRAB, "icrs", "galactic")
    masks = [mask_file(tmp_path, CRAB, 12.0), mask_file(tmp_path, galactic, 12.0, projection="CAR")]
    norms = []
    for number, mask in enumerate(masks):
        rows = "datasets: {stack: false}"
        config = map_config_of(tiny_release, tmp_path / f"{number}" / "store", FOV.format(mask), rows)
        report = run(config)
        assert report.remarks == []
        norms.append(report.analysis.results.reductions[0].product.data["background_norm"].values)
    np.testing.assert_array_equal(*norms)
    assert np.isfinite(norms[0]).all()


@pytest.mark.parametrize("method", ["fov_background", "ring"])
def test_a_map_that_is_wholly_excluded_has_no_background(tiny_release, tmp_path, method):
    mask = mask_file(tmp_path, CRAB, 12.0, value=0)
    parameters = "{r_in: 0.5 deg, width: 0.3 deg}" if method == "ring" else "{}"
    background = f"{{method: {method}, exclusion: {mask}, parameters: {parameters}}}"
    config = map_config_of(tiny_release, tmp_path / "store", f"datasets: {{{ONE_BIN}, background: {background}}}")
    said = []
    for command in (preview, run):
        with pytest.raises(DataError) as error:
            command(config)
        said.append(str(error.value))
    assert said[0] == said[1]
    why = {
        "fov_background": "outside of the exclusion 0 background counts are expected, wanted more than 0",
        "ring": "no safe pixel has a ring with a part in the map that is not excluded",
    }
    assert said[0].startswith(
        f"No run can be used. Run 1 and 2 more: its background cannot be measured: {why[method]}."
    )


@pytest.mark.long
def test_one_bin_of_energy_is_enough_for_every_background(tiny_release, tmp_path):
    backgrounds = [
        "{method: null}",
        "{method: fov_background}",
        "{method: ring, parameters: {r_in: 0.4 deg, width: 0.4 deg}}",
    ]
    for number, background in enumerate(backgrounds):
        text = f"datasets: {{{ONE_BIN}, background: {background}}}"
        config = map_config_of(tiny_release, tmp_path / f"{number}" / "store", text)
        data = run(config).analysis.results.reductions[0].product.data
        assert data.sizes["energy"] == 1
        assert float(data["counts"].sum()) > 100


def test_a_background_that_is_zero_everywhere_leaves_no_run(tmp_path):
    dark = dataclasses.replace(TINY, name="dark", response=dataclasses.replace(COARSE, background_rate=1e-300))
    release = release_of(dark, tmp_path)
    said = []
    for method in ("null", "fov_background"):
        config = map_config_of(release, tmp_path / "store", f"datasets: {{background: {{method: {method}}}}}")
        for command in (preview, run):
            with pytest.raises(DataError) as error:
                command(config)
            said.append(str(error.value))
    runs = (
        "Run 1 and 2 more: the safe masks leave no energy: its release expects no background in any pixel of the map."
    )
    assert all(each.startswith(f"No run can be used. {runs}") for each in said), said
