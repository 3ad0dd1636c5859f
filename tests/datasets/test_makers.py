"""Runs without an analysis, reduced step by step: the numbers of an analysis, and sentences for what does not fit."""

import logging

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from regions import CircleSkyRegion

from releases import config_of, until_datasets
from xgamma import data
from xgamma.axes import Axis
from xgamma.data import DataStore
from xgamma.datasets import MapDataset, MapDatasetOnOff, RegionGeom, SpectrumDataset
from xgamma.datasets.reduced import normalize_exclusion
from xgamma.errors import ConfigError, ConfigTypeError, DataError, LaterNameError, UnknownNameError
from xgamma.grid import Grid
from xgamma.makers import (
    AdaptiveRingBackgroundMaker,
    DatasetsMaker,
    FoVBackgroundMaker,
    MapDatasetMaker,
    ReflectedRegionsBackgroundMaker,
    ReflectedRegionsFinder,
    RingBackgroundMaker,
    SafeMaskMaker,
    SpectrumDatasetMaker,
    WobbleRegionsFinder,
)
from xgamma.maps import WcsGeom
from xgamma.reduce import Recipe, method, reduce_block

CRAB = SkyCoord(83.633, 22.014, unit="deg")
ENERGY, ENERGY_TRUE = Axis.from_bounds("energy", 0.5, 30, 8), Axis.from_bounds("energy_true", 0.2, 60, 14)
EVERYWHERE = "datasets: {stack: false, background: {exclusion: null}}"


def empty(radius=0.11, **options):
    region = CircleSkyRegion(CRAB, radius * u.deg)
    geom = RegionGeom.create(region, axes=[ENERGY])
    return SpectrumDataset.create(geom, energy_axis_true=ENERGY_TRUE, **options)


@pytest.fixture(scope="module")
def store(tiny_release):
    return DataStore.from_dir(tiny_release)


@pytest.fixture(scope="module")
def run(store):
    return store.obs(store.obs_ids[0], required_irf="all-optional")


@pytest.mark.parametrize("containment", [False, True])
def test_steps_make_the_rows_of_an_analysis(store, tiny_release, tmp_path, containment):
    config = config_of(tiny_release, tmp_path / "store", EVERYWHERE)
    config.datasets.containment_correction = containment
    rows = until_datasets(config).datasets
    chain = DatasetsMaker(
        [
            SpectrumDatasetMaker(containment_correction=containment),
            ReflectedRegionsBackgroundMaker(),
            SafeMaskMaker(["aeff-default", "aeff-max"], aeff_percent=1),
        ],
        stack_datasets=False,
    )
    made = chain.run(empty(), store.get_observations())
    assert [each.name for each in made] == rows.names
    for one, row in zip(made, rows, strict=True):
        for name in row.data.data_vars:
            np.testing.assert_array_equal(one.data[name], row.data[name], err_msg=str(name))
    [stacked] = DatasetsMaker(chain.makers).run(empty(), store.get_observations())
    at_once = rows.stack_reduce()
    assert stacked.name == "empty"
    np.testing.assert_array_equal(stacked.counts_off.values, at_once.counts_off.values)
    np.testing.assert_allclose(stacked.alpha.values, at_once.alpha.values, rtol=1e-12)


def test_what_is_not_selected_is_not_made(run):
    made = SpectrumDatasetMaker(["exposure", "edisp", "background"]).run(empty(), run)
    assert made.counts.sum() == 0
    assert made.background.sum() > 0
    assert made.exposure.sum() > 0


def test_a_finder_holds_the_parameters_of_its_background(run):
    made = SpectrumDatasetMaker().run(empty(), run)
    few = ReflectedRegionsBackgroundMaker(ReflectedRegionsFinder(max_region_number=2)).run(made, run)
    three = ReflectedRegionsBackgroundMaker(WobbleRegionsFinder(n_off_regions=3)).run(made, run)
    assert (int(few.data["off_number"].item()), int(three.data["off_number"].item())) == (2, 3)
    with pytest.raises(ConfigError, match="binsize"):
        ReflectedRegionsBackgroundMaker(ReflectedRegionsFinder(binsize=0.1))


def test_a_run_without_an_off_region_is_masked_with_a_warning(run, caplog):
    made = SpectrumDatasetMaker().run(empty(), run)
    hidden = CircleSkyRegion(run.pointing.fixed_icrs, 3 * u.deg)
    for exclusion in ([hidden], f"icrs; circle({run.ra}, {run.dec}, 3)"):
        with caplog.at_level(logging.WARNING):
            masked = ReflectedRegionsBackgroundMaker(exclusion_mask=exclusion).run(made, run)
        assert not masked.mask_safe.any()
        assert f"Run {run.name} is masked:" in caplog.text


def test_what_does_not_fit_raises(run):
    with pytest.raises(ConfigError, match="expected some of counts, exposure, edisp, background, got 'psf'"):
        SpectrumDatasetMaker(["counts", "psf"])
    with pytest.raises(UnknownNameError, match="aeff-mx"):
        SafeMaskMaker(["aeff-mx"])
    with pytest.raises(ConfigTypeError, match="Expected a run, got a str; take one of Observations"):
        SpectrumDatasetMaker().run(empty(), "23523")
    nowhere = SpectrumDataset.create(RegionGeom.create(None, axes=[ENERGY]))
    with pytest.raises(ConfigError, match="empty: expected a dataset that has a region; create it with one"):
        SpectrumDatasetMaker().run(nowhere, run)


def test_a_store_says_which_runs_there_are(store):
    table = store.obs_table
    assert table["OBS_ID"].tolist() == store.obs_ids
    assert table["RA_PNT"].unit == "deg"
    assert f"{len(store.obs_ids)} runs" in repr(store)
    assert store.get_observations(store.obs_ids[:1]).ids == [str(store.obs_ids[0])]
    with pytest.raises(UnknownNameError, match="99999"):
        store.get_observations([99999])
    with pytest.raises(LaterNameError, match="reads the index of a release"):
        data.ObservationTable  # noqa: B018


# --- maps


def empty_map(name="map", width=3.0, offset=0.0):
    center = SkyCoord(CRAB.ra.deg + offset, CRAB.dec.deg, unit="deg")
    geom = WcsGeom.create(skydir=center, width=width, binsz=0.1, axes=[ENERGY])
    return MapDataset.create(geom, energy_axis_true=ENERGY_TRUE, name=name)


MAP_MASKS = {"methods": ["offset-max", "aeff-max"], "aeff_percent": 5, "offset_max": 1.2 * u.deg}


def test_maps_made_step_by_step_are_those_of_a_reduction(store):
    masks = SafeMaskMaker(**MAP_MASKS)
    made = DatasetsMaker([MapDatasetMaker(), masks], stack_datasets=False).run(empty_map(), store.get_observations())
    grid = Grid(ENERGY, ENERGY_TRUE, empty_map().image)
    recipe = Recipe(grid, False, method("background", "irf"), safe_masks=masks.methods, offset_max=90.0)
    for one, observation in zip(made, store.get_observations(), strict=True):
        row = reduce_block(observation.part, observation.rows, recipe)
        assert one.name == observation.name
        for name in ("counts", "background", "mask_safe", "psf", "edisp", "exposure_edisp", "safe_offset"):
            np.testing.assert_array_equal(one.data[name], row[name], err_msg=name)
        assert 0 < one.mask_safe.data.sum() < one.mask_safe.data.size


def test_safe_energies_are_those_of_a_position_or_an_offset(run):
    made = MapDatasetMaker().run(empty_map(), run)
    pointing = run.pointing.fixed_icrs
    far = pointing.directional_offset_by(0 * u.deg, 1.4 * u.deg)
    settings = {"methods": ["aeff-max"], "aeff_percent": 30}
    there = SafeMaskMaker(**settings, position=far).run(made, run)
    offset = SafeMaskMaker(**settings, fixed_offset=1.4 * u.deg).run(made, run)
    np.testing.assert_array_equal(there.mask_safe.data, offset.mask_safe.data)
    middle = SafeMaskMaker(**settings, position=CRAB).run(made, run)
    np.testing.assert_array_equal(middle.mask_safe.data, SafeMaskMaker(**settings).run(made, run).mask_safe.data)
    with pytest.raises(ConfigError, match="expected a position or a fixed_offset, got both"):
        SafeMaskMaker(**settings, position=far, fixed_offset=1.4 * u.deg)
    with pytest.raises(ConfigError, match=r"there is no parameter 'aeff_percnt'\. Did you mean 'aeff_percent'"):
        SafeMaskMaker(["aeff-max"], aeff_percnt=3)


def test_cutouts_of_runs_are_stacked_to_the_map(store):
    chain = [MapDatasetMaker(), SafeMaskMaker(**MAP_MASKS)]
    [whole] = DatasetsMaker(chain).run(empty_map(), store.get_observations())
    [cut] = DatasetsMaker(chain, cutout_width="2.6 deg").run(empty_map(), store.get_observations())
    total = empty_map()
    for observation in store.get_observations():
        part = total.cutout(observation.get_pointing_icrs(observation.tmid), width="2.6 deg")
        one = chain[1].run(chain[0].run(part, observation), observation)
        assert one.counts.geom.npix[0] < total.counts.geom.npix[0]
        total.stack(one)
    for each in (cut, total):
        np.testing.assert_array_equal(each.counts.data, whole.counts.data)
        np.testing.assert_array_equal(each.mask_safe.data, whole.mask_safe.data)
        np.testing.assert_allclose(each.exposure.data, whole.exposure.data, rtol=1e-9)
        np.testing.assert_allclose(each.background.data, whole.background.data, rtol=1e-5)
    assert whole.counts.data.sum() > 0


def test_what_is_not_selected_of_maps_is_not_made(run):
    made = MapDatasetMaker(["counts", "exposure"]).run(empty_map(), run)
    assert made.psf is None
    assert made.edisp is None
    assert not made.background.data.any()
    none = MapDatasetMaker(["background", "exposure"]).run(empty_map(), run)
    assert none.counts.data.sum() == 0
    assert none.background.data.sum() > 0
    with pytest.raises(ConfigError, match="expected some of counts, exposure, background, psf, edisp, got 'bkg'"):
        MapDatasetMaker(["bkg"])
    finer = MapDatasetMaker(background_oversampling=10).run(empty_map(), run)
    plain = MapDatasetMaker().run(empty_map(), run)
    ratio = finer.background.data.sum() / plain.background.data.sum()
    assert 0 < abs(ratio - 1) < 0.05


def test_a_run_off_the_map_is_masked_with_a_warning(run, caplog):
    with caplog.at_level(logging.WARNING):
        made = MapDatasetMaker().run(empty_map(offset=40.0), run)
    assert f"Run {run.name} is masked:" in caplog.text
    assert not made.mask_safe.data.any()


HIDDEN = CircleSkyRegion(CRAB, 0.3 * u.deg)


def reduced_with(observation, background, exclusion, energy=ENERGY, masks=()):
    grid = Grid(energy, ENERGY_TRUE, empty_map().image)
    recipe = Recipe(grid, False, background, normalize_exclusion(exclusion), safe_masks=masks, offset_max=90.0)
    return reduce_block(observation.part, observation.rows, recipe)


def exclusion_as(kind, folder):
    mask = ~WcsGeom.create(skydir=CRAB, width=4.0, binsz=0.05).region_mask([HIDDEN])
    mask.write(folder / "mask.fits")
    forms = {"region": HIDDEN, "regions": [HIDDEN], "text": "icrs; circle(83.633, 22.014, 0.3)", "map": mask}
    return (forms | {"file": folder / "mask.fits", "cube": mask.to_cube([ENERGY])})[kind]


@pytest.mark.parametrize("kind", ["region", "regions", "text", "map", "file", "cube"])
def test_an_exclusion_may_be_a_map_a_file_or_regions(run, tmp_path, kind):
    made = MapDatasetMaker().run(empty_map(), run)
    excluded = exclusion_as(kind, tmp_path)
    norm = float(FoVBackgroundMaker(exclusion_mask=excluded).run(made).data["background_norm"].item())
    pixels = made.image.positions()
    usable = normalize_exclusion(excluded).is_usable(*pixels, outside=True).reshape(30, 30)
    assert 10 < (~usable).sum() < 40
    outside = usable & made.mask_safe.data
    expected = made.counts.data[outside].sum() / made.background.data[outside].sum(dtype=float)
    assert norm == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("how", ["scale", "fit"])
def test_a_norm_of_the_field_of_view_is_that_of_a_reduction(run, how):
    made = MapDatasetMaker().run(empty_map(), run)
    found = FoVBackgroundMaker(method=how, exclusion_mask=[HIDDEN]).run(made)
    row = reduced_with(run, method("background", "fov_background", method=how), [HIDDEN])
    for name in ("background", "background_norm", "background_norm_error", "mask_safe"):
        np.testing.assert_array_equal(found.data[name], row[name], err_msg=name)
    assert made.background.data.sum() != found.background.data.sum()


def test_rings_are_those_of_a_reduction(run):
    image = MapDatasetMaker().run(empty_map(), run).to_image()
    one_bin = ENERGY.squash()
    row = reduced_with(run, method("background", "ring", r_in=0.4, width=0.3), [HIDDEN], one_bin)
    found = RingBackgroundMaker("0.4 deg", 0.3 * u.deg, exclusion_mask=HIDDEN).run(image)
    assert isinstance(found, MapDatasetOnOff)
    np.testing.assert_array_equal(found.counts_off.data, row["counts_off"].values[0])
    # The background of one wide bin is integrated at once, that of narrow ones bin by bin: alpha says nothing of it.
    np.testing.assert_allclose(found.alpha.data, (row["acceptance"] / row["acceptance_off"]).values[0], rtol=0.05)
    wide = AdaptiveRingBackgroundMaker("0.4 deg", "1.2 deg", "0.2 deg", threshold_alpha=0.01, exclusion_mask=HIDDEN)
    more = wide.run(image)
    assert np.all(more.alpha.data[more.mask_safe.data] <= 0.01 * (1 + 1e-6))


def test_maps_that_no_background_can_be_made_of_are_refused_or_masked(run, caplog):
    made = MapDatasetMaker().run(empty_map(), run)
    with pytest.raises(ConfigError, match=rf"{made.name}: a ring background is made in one energy bin, got 8"):
        RingBackgroundMaker("0.4 deg", "0.3 deg").run(made)
    with pytest.raises(ConfigError, match="expected a ring that begins inside of the map"):
        RingBackgroundMaker("20 deg", "0.3 deg").run(made.to_image())
    with pytest.raises(ConfigTypeError, match="FoVBackgroundMaker: expected a MapDataset, got a SpectrumDataset"):
        FoVBackgroundMaker().run(empty())
    with pytest.raises(DataError, match="expected a map with background"):
        FoVBackgroundMaker().run(RingBackgroundMaker("0.4 deg", "0.3 deg").run(made.to_image()))
    everything = CircleSkyRegion(CRAB, 10 * u.deg)
    with caplog.at_level(logging.WARNING):
        hidden = FoVBackgroundMaker(exclusion_mask=everything).run(made)
        ring = RingBackgroundMaker("0.4 deg", "0.3 deg", exclusion_mask=everything).run(made.to_image())
    assert not hidden.mask_safe.data.any()
    assert not ring.mask_safe.data.any()
    assert caplog.text.count("is masked:") == 2


def test_rings_of_runs_are_stacked_as_maps_with_a_background(store):
    chain = [MapDatasetMaker(), RingBackgroundMaker("0.4 deg", "0.3 deg", exclusion_mask=HIDDEN)]
    geom = WcsGeom.create(skydir=CRAB, width=3.0, binsz=0.1, axes=[ENERGY.squash()])
    template = MapDataset.create(geom, energy_axis_true=ENERGY_TRUE, name="rings")
    [total] = DatasetsMaker(chain).run(template, store.get_observations())
    rows = DatasetsMaker(chain, stack_datasets=False).run(template, store.get_observations())
    assert type(total) is MapDataset
    expected = sum(float(each.background.data[each.mask_safe.data].sum()) for each in rows)
    assert total.background.data.sum() == pytest.approx(expected, rel=1e-6)
