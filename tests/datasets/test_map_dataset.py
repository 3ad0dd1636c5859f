"""Windows of the sky as maps: views of arrays that are there, and maps made of maps, pixel by pixel."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import xarray as xr
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from regions import CircleSkyRegion, PolygonSkyRegion, RectangleSkyRegion

from releases import rows_in
from xgamma.axes import Axis
from xgamma.datasets import Datasets, MapDataset, MapDatasetOnOff, SpectrumDataset, SpectrumDatasetOnOff
from xgamma.errors import ConfigError, ConfigTypeError, DataError, LaterError
from xgamma.formats.gadf.index import read_index
from xgamma.grid import Grid, RegionSpace, SkySpace
from xgamma.ingest.part import part_of, read_runs
from xgamma.maps import WcsGeom
from xgamma.modeling.models import PowerLawSpectralModel, SkyModel
from xgamma.reduce import Recipe, method, reduce_block, stack
from xgamma.shapes.objects import normalize_shape
from xgamma.simulate import Plan, simulate

ENERGY, ENERGY_TRUE = Axis.from_bounds("energy", 0.5, 30, 4), Axis.from_bounds("energy_true", 0.2, 50, 6)
CRAB = SkyCoord(83.633, 22.014, unit="deg")
# Windows of 2 deg in an image of 4.2 by 3.6 deg.
SPACE = SkySpace(83.633, 22.014, "icrs", 0.06, (70, 60), (34, 32))
MASKS = (method("safe mask", "offset-max", offset_max=0.9),)


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    path = tmp_path_factory.mktemp("sky") / "release"
    simulate(Plan(runs=3, duration=900.0), path)
    runs, _ = read_runs(read_index(path).runs.values(), lambda: None)
    return part_of(runs, "sky")


@pytest.fixture(scope="module")
def rows(part):
    """Return the windows of three runs, with a background and safe masks."""
    recipe = Recipe(Grid(ENERGY, ENERGY_TRUE, SPACE), False, method("background", "irf"), safe_masks=MASKS)
    return reduce_block(part, rows_in(part), recipe)


@pytest.fixture
def datasets(rows):
    return Datasets.from_xarray(rows)


@pytest.fixture
def geom():
    return WcsGeom.create(skydir=CRAB, npix=(70, 60), binsz=0.06, axes=[ENERGY])


def on_off(dataset, seed=0):
    """Return a map with off counts of its background, twenty times as wide."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(20 * np.asarray(dataset.background.data, dtype=float))
    acceptance = np.asarray(dataset.background.data, dtype=float)
    return MapDatasetOnOff.from_map_dataset(dataset, acceptance, 20 * acceptance, counts)


# --- what a view shows


def test_maps_are_views_of_the_arrays_that_are_there(datasets, rows):
    first = datasets[0]
    assert isinstance(first, MapDataset)
    assert [view.name for view in datasets] == rows["dataset"].values.tolist()
    assert repr(first) == f"<MapDataset {first.name!r}: 4 x 32 x 34 bins, cash>"
    np.testing.assert_array_equal(first.counts.data, rows["counts"].values[0])
    for name in ("counts", "background", "mask_safe"):
        assert np.shares_memory(getattr(first, name).data, rows[name].values), name
    assert first.counts.geom.data_shape == (4, 32, 34)
    np.testing.assert_array_equal(first.mask_safe.data, rows["mask_safe"].values[0])
    np.testing.assert_array_equal(first.npred_background().data, rows["background"].values[0])
    np.testing.assert_array_equal(first.npred().data, first.background.data)
    assert not first.npred_signal().data.any()
    assert first.mask_fit is None
    np.testing.assert_array_equal(first.excess.data, first.counts.data - first.background.data)


def test_a_pixel_of_a_view_lies_where_the_window_lies_in_its_image(datasets, rows):
    for number, view in enumerate(datasets):
        v, u = int(rows["origin_v"][number]), int(rows["origin_u"][number])
        lon, lat = SPACE.image.sky_of(u + np.arange(34), (v + np.arange(32))[:, None])
        sky = view.counts.geom.get_coord().skycoord[0]
        np.testing.assert_allclose(sky.icrs.ra.deg, lon, rtol=0, atol=1e-9)
        np.testing.assert_allclose(sky.icrs.dec.deg, lat, rtol=0, atol=1e-9)


def test_the_exposure_of_a_run_is_that_of_its_stack(datasets):
    alone = datasets[:1].stack_reduce()
    view = datasets[0].exposure
    assert view.geom.axes.names == ["energy_true"]
    whole = alone.cutout(datasets[0].counts.geom.center_skydir, (34 * 0.06, 32 * 0.06))
    safe = datasets[0].mask_safe.data.any(axis=0)
    np.testing.assert_allclose(whole.exposure.data[:, safe], view.data[:, safe], rtol=1e-6)
    assert not whole.exposure.data[:, ~safe].any()


def test_a_row_tells_what_it_adds_up_to(datasets, rows):
    first = datasets[0]
    safe = rows["mask_safe"].values[0]
    found = first.info_dict()
    assert found["counts"] == rows["counts"].values[0][safe].sum()
    assert found["background"] == pytest.approx(rows["background"].values[0][safe].sum(dtype=float), rel=1e-12)
    assert (found["n_bins"], found["n_fit_bins"]) == (4 * 32 * 34, safe.sum())
    assert found["exposure_max"].to_value("m2 s") == pytest.approx(first.exposure.data.max(), rel=1e-6)
    table = datasets.info_table()
    assert table["name"].tolist() == datasets.names
    assert first.meta_table["TYPE"][0] == "MapDataset"
    text = str(first)
    assert text.splitlines()[0] == "MapDataset"
    assert f"{found['counts']}" in text


def test_a_cumulative_table_is_that_of_the_stacks(datasets):
    table = datasets.info_table(cumulative=True)
    for number in range(3):
        alone = datasets[: number + 1].stack_reduce().info_dict()
        for name in ("counts", "background", "livetime", "sqrt_ts", "exposure_max"):
            wanted = alone[name].value if isinstance(alone[name], u.Quantity) else alone[name]
            assert table[name][number] == pytest.approx(wanted, rel=1e-9), name


def test_a_model_on_a_map_needs_a_place(datasets):
    datasets.models = SkyModel(PowerLawSpectralModel(), name="nowhere")
    with pytest.raises(ConfigError, match="'nowhere' has no spatial model, which a map needs"):
        datasets[0].npred()


def test_a_row_of_windows_is_no_spectrum_and_the_reverse(rows):
    with pytest.raises(DataError, match=r"SpectrumDataset holds cells with the dims region and the Dataset has v, u"):
        SpectrumDataset(rows.isel(dataset=[0]))
    with pytest.raises(DataError, match="Expected a Dataset with one row, got 3 rows"):
        MapDataset(rows)
    with pytest.raises(DataError, match="has no counts_off"):
        MapDatasetOnOff(stack(rows))


# --- masks


def test_a_fit_mask_is_a_map_or_an_array(datasets):
    first = datasets[0]
    first.mask_fit = first.counts.geom.energy_mask(energy_min="1.4 TeV")
    low = np.searchsorted(ENERGY.edges, 1.4)
    assert not first.mask_fit.data[:low].any()
    assert first.mask_fit.data[low:].all()
    np.testing.assert_array_equal(first.mask.data, first.mask_safe.data & first.mask_fit.data)
    np.testing.assert_array_equal(first.mask_image.data[0], first.mask.data.any(axis=0))
    assert first.energy_range_total[0].to_value("TeV") == ENERGY.edges[low]
    first.mask_fit = np.arange(4)[:, None, None] > 2
    assert first.mask_fit.data.sum() == 32 * 34
    with pytest.raises(ConfigError, match=r"mask_fit: expected the shape \(4, 32, 34\)"):
        first.mask_fit = np.ones((5, 1, 1), bool)
    with pytest.raises(ConfigTypeError, match="expected an array of bool"):
        first.mask_fit = np.ones((4, 32, 34))
    elsewhere = datasets[1].counts.geom.energy_mask(energy_min="1.4 TeV")
    assert elsewhere.geom.data_shape == first.counts.geom.data_shape
    with pytest.raises(ConfigError, match="expected a mask_fit in the pixels of the counts, got a map of others"):
        first.mask_fit = elsewhere
    first.mask_fit = elsewhere.interp_to_geom(first.counts.geom)


def test_masked_bins_are_taken_out(datasets):
    first = datasets[0]
    masked = first.to_masked()
    safe = first.mask_safe.data
    np.testing.assert_array_equal(masked.counts.data, np.where(safe, first.counts.data, 0))
    assert not masked.background.data[~safe].any()
    np.testing.assert_array_equal(masked.mask_safe.data, safe)


# --- stacks


def test_stacking_does_not_depend_on_the_order_and_masks_both(datasets):
    """Gammapy 2.1 masks the second only, and marks what the first has in its unsafe bins as safe."""
    one, other = datasets[0].copy("a"), datasets[1].cutout(datasets[1].counts.geom.center_skydir, 3 * u.deg, name="b")
    geom = WcsGeom.create(skydir=CRAB, npix=(70, 60), binsz=0.06, axes=[ENERGY])
    sums = []
    for pair in ((one, other), (other, one)):
        total = MapDataset.create(geom, ENERGY_TRUE, name="sum")
        for each in pair:
            total.stack(each)
        sums.append(total)
    first, second = sums
    for name in ("counts", "mask_safe"):
        np.testing.assert_array_equal(getattr(first, name).data, getattr(second, name).data)
    for name in ("background", "exposure"):
        np.testing.assert_allclose(getattr(first, name).data, getattr(second, name).data, rtol=1e-12)
    safe = sum(int(each.counts.data[each.mask_safe.data].sum()) for each in (one, other))
    assert first.counts.data.sum() == safe < one.counts.data.sum() + other.counts.data.sum()


def test_rows_stacked_one_by_one_are_the_stack_of_all(datasets, geom):
    total = MapDataset.create(geom, ENERGY_TRUE, name="stacked")
    for each in datasets:
        total.stack(each)
    at_once = datasets.stack_reduce()
    assert total.counts.geom.is_close(at_once.counts.geom)
    for name in ("counts", "mask_safe"):
        np.testing.assert_array_equal(getattr(total, name).data, getattr(at_once, name).data)
    for name in ("background", "exposure"):
        np.testing.assert_allclose(getattr(total, name).data, getattr(at_once, name).data, rtol=1e-12)
    assert total.gti.time_sum == at_once.gti.time_sum
    assert total.livetime.value == pytest.approx(at_once.livetime.value, rel=1e-12)
    place = SkyCoord(83.7, 22.3, unit="deg")
    for one, other in ((total.psf, at_once.psf), (total.edisp, at_once.edisp)):
        assert one is not None
        assert other is not None
    np.testing.assert_allclose(total.psf.at(place), at_once.psf.at(place), rtol=1e-9)
    kernels = [each.edisp.get_edisp_kernel(place).pdf_matrix for each in (total, at_once)]
    np.testing.assert_allclose(*kernels, rtol=1e-9, atol=1e-12)
    energy = total.counts.geom.axes["energy"]
    np.testing.assert_array_equal(total.edisp.get_edisp_kernel(place, energy_axis=energy).pdf_matrix, kernels[0])
    with pytest.raises(ConfigError, match="get_edisp_kernel: expected the energies of the dataset, "):
        total.edisp.get_edisp_kernel(place, energy_axis=energy.squash())


def test_a_smaller_map_takes_what_lies_in_it(datasets):
    small = datasets[0].cutout(CRAB, 0.6 * u.deg)
    before = small.counts.data[small.mask_safe.data].sum()
    small.stack(datasets[1])
    inside = datasets[1].cutout(CRAB, 0.6 * u.deg)
    assert small.counts.geom.is_close(inside.counts.geom)
    assert small.counts.data.sum() == before + inside.counts.data[inside.mask_safe.data].sum()


def test_maps_with_other_pixels_are_not_stacked(datasets):
    shifted = WcsGeom.create(skydir=SkyCoord(83.64, 22.014, unit="deg"), npix=(70, 60), binsz=0.06, axes=[ENERGY])
    total = MapDataset.create(shifted, ENERGY_TRUE, name="shifted")
    with pytest.raises(DataError, match=r"Expected maps with the same pixels, got CAR about 83\.64, 22\.014 deg"):
        total.stack(datasets[0])
    with pytest.raises(ConfigTypeError, match="expected a MapDataset to stack, got MapDatasetOnOff"):
        datasets[0].copy().stack(on_off(datasets[1]))


def test_a_row_without_good_time_may_be_stacked(datasets, geom, caplog):
    empty = MapDataset.create(geom, ENERGY_TRUE, name="empty")
    assert len(empty.gti) == 0
    with caplog.at_level(logging.WARNING):
        empty.stack(MapDataset.create(geom, ENERGY_TRUE, name="other"))
    assert "nothing is stacked" in caplog.text
    empty.stack(datasets[0])
    assert empty.gti.time_sum == datasets[0].gti.time_sum


def test_cutouts_are_stacked_in_the_image_that_holds_them(datasets):
    cut = Datasets([each.cutout(each.counts.geom.center_skydir, 1.5 * u.deg) for each in datasets])
    stacked, table = cut.stack_reduce(), cut.info_table(cumulative=True)
    safe = sum(int(each.counts.data[each.mask_safe.data].sum()) for each in cut)
    assert stacked.counts.data.sum() == safe == table["counts"][-1]
    places = np.array([each.image.reference_pixel for each in cut])
    size = np.array([each.image.npix for each in cut])
    assert stacked.counts.geom.npix == tuple((places.max(axis=0) + (size - places).max(axis=0)).astype(int).tolist())
    whole = datasets.stack_reduce().cutout(stacked.counts.geom.center_skydir, stacked.counts.geom.width.ravel())
    inside = whole.mask_safe.data & stacked.mask_safe.data
    assert whole.counts.geom.is_close(stacked.counts.geom)
    assert np.all(whole.counts.data[inside] >= stacked.counts.data[inside])


def test_the_masks_of_fits_are_stacked_where_their_windows_lie(datasets):
    for each in datasets:
        each.mask_fit = each.counts.geom.energy_mask(energy_min="1.4 TeV")
    stacked = datasets.stack_reduce()
    np.testing.assert_array_equal(stacked.mask_fit.data[:2].any(), False)
    seen = np.zeros((60, 70), dtype=bool)
    for each in datasets:
        v, u_ = (int(each.data[name].item()) for name in ("origin_v", "origin_u"))
        seen[v : v + 32, u_ : u_ + 34] = True
    np.testing.assert_array_equal(stacked.mask_fit.data[3], seen)
    total = MapDataset.create(stacked.counts.geom, ENERGY_TRUE, name="sum")
    for each in datasets:
        total.stack(each)
    np.testing.assert_array_equal(total.mask_fit.data, stacked.mask_fit.data)


def test_maps_with_and_without_off_counts_are_stacked_with_their_backgrounds(datasets):
    mixed = Datasets([datasets[0], on_off(datasets[1])])
    found, plain = mixed.stack_reduce(), datasets[:2].stack_reduce()
    assert type(found) is MapDataset
    expected = datasets[0].to_masked().background.data.sum() + on_off(datasets[1]).to_masked().background.data.sum()
    assert found.background.data.sum() == pytest.approx(expected, rel=1e-6)
    np.testing.assert_array_equal(found.counts.data, plain.counts.data)


# --- off counts


def test_off_maps_keep_their_counts_and_their_alpha(datasets, geom):
    rows = [on_off(each, number) for number, each in enumerate(datasets)]
    total = MapDatasetOnOff.create(geom, ENERGY_TRUE, name="off")
    for each in rows:
        total.stack(each)
    assert total.stat_type == "wstat"
    expected = sum(float(each.background.data[each.mask_safe.data].sum(dtype=float)) for each in rows)
    safe = total.mask_safe.data
    assert total.background.data[safe].sum() == pytest.approx(expected, rel=1e-6)
    off = sum(int(each.counts_off.data[each.mask_safe.data].sum()) for each in rows)
    assert total.counts_off.data.sum() == off
    assert total.info_dict()["alpha"] == pytest.approx(1 / 20, rel=1e-6)
    again = Datasets(rows).stack_reduce("off")
    assert isinstance(again, MapDatasetOnOff)
    np.testing.assert_allclose(again.acceptance_off.data, total.acceptance_off.data, rtol=1e-9)


def test_alpha_is_known_where_no_off_count_is(datasets, geom):
    rows = [on_off(each, number) for number, each in enumerate(datasets[:2])]
    total = MapDatasetOnOff.create(geom, ENERGY_TRUE, name="off")
    for each in rows:
        total.stack(each)
    blank = total.mask_safe.data & (total.counts_off.data == 0) & (total.acceptance.data > 0)
    assert blank.any()
    np.testing.assert_allclose(total.alpha.data[blank], 1 / 20, rtol=1e-6)


def test_a_known_background_becomes_off_counts_and_back(datasets):
    first = datasets[0]
    off = MapDatasetOnOff.from_map_dataset(first, acceptance=1, acceptance_off=5)
    np.testing.assert_allclose(off.counts_off.data, 5 * first.background.data, rtol=1e-6)
    back = off.to_map_dataset(name="back")
    assert type(back) is MapDataset
    np.testing.assert_allclose(back.background.data, first.background.data, rtol=1e-6)


# --- other pixels and bins


def test_an_image_has_all_safe_bins_in_one(datasets):
    first = datasets[0]
    first.mask_fit = first.counts.geom.energy_mask(energy_min="1.4 TeV")
    image = first.to_image("image")
    safe = first.mask_safe.data
    assert image.counts.geom.data_shape == (1, 32, 34)
    np.testing.assert_array_equal(image.counts.data[0], np.where(safe, first.counts.data, 0).sum(axis=0))
    np.testing.assert_allclose(
        image.background.data[0], np.where(safe, first.background.data, 0).sum(axis=0, dtype=float), rtol=1e-6
    )
    np.testing.assert_array_equal(image.mask_safe.data[0], safe.any(axis=0))
    np.testing.assert_array_equal(image.exposure.data, first.exposure.data)
    np.testing.assert_allclose(
        image.edisp.get_edisp_kernel().pdf_matrix[:, 0], first.edisp.get_edisp_kernel().pdf_matrix.sum(axis=1),
        rtol=1e-9,
    )  # fmt: skip
    assert image.mask_fit.data.all()


def test_energies_are_chosen_and_merged(datasets):
    first = datasets[0]
    some = first.slice_by_energy("1.4 TeV", "10 TeV")
    assert some.counts.geom.axes["energy"].nbin == 2
    np.testing.assert_array_equal(some.counts.data, first.counts.data[1:3])
    two = first.downsample(2, axis_name="energy")
    np.testing.assert_array_equal(two.energy_axis.edges, ENERGY.edges[::2])
    with pytest.raises(ConfigError, match="expected a factor of 4 bins, got 3"):
        first.downsample(3, axis_name="energy")
    with pytest.raises(ConfigError, match=r"expected a factor that is a whole number, got 1\.5"):
        first.downsample(1.5)


def test_energies_between_the_edges_of_bins_are_moved_with_a_warning(datasets, caplog):
    first = datasets[0]
    first.resample_energy_axis(ENERGY.edges[[0, 2, 4]] * u.TeV)
    first.to_image()
    assert caplog.messages == []
    moved = first.resample_energy_axis([ENERGY.edges[0] * 1.1, 1e4] * u.TeV)
    np.testing.assert_array_equal(moved.energy_axis.edges, ENERGY.edges[[0, 4]])
    [said] = caplog.messages
    taken = f"taken: {ENERGY.edges[0]:.4g}, {ENERGY.edges[4]:.4g} TeV."
    assert said == f"{first.name}: the energies asked for are no edges of its bins; {taken}"


def test_responses_say_what_they_are(datasets):
    bins = f"{ENERGY_TRUE.nbin} true energies, {ENERGY_TRUE.edges[0]:g} to {ENERGY_TRUE.edges[-1]:g} TeV"
    assert repr(datasets[0].psf) == f"<PSFMap of {datasets[0].name}: {bins}, 1 run>"
    assert "  Made of                         : 1 run\n" in str(datasets[0].psf)
    assert repr(datasets.stack_reduce("all").edisp) == f"<EDispKernelMap of all: {bins}, {len(datasets)} runs>"


def test_larger_pixels_hold_the_same_counts(datasets):
    first = datasets[0]
    large = first.downsample(2)
    assert large.counts.geom.data_shape == (4, 16, 17)
    used = first.counts.data[first.mask_safe.data].sum()
    assert large.counts.data.sum() == used
    assert large.background.data.sum() == pytest.approx(first.background.data[first.mask_safe.data].sum(), rel=1e-5)
    near = SkyCoord(83.633, 22.014, unit="deg")
    pixel = large.counts.geom.coord_to_idx({"skycoord": near, "energy": 1 * u.TeV})
    fine = first.counts.geom.coord_to_idx({"skycoord": near, "energy": 1 * u.TeV})
    assert tuple(int(each) // 2 for each in fine[:2]) == tuple(int(each) for each in pixel[:2])
    stacked = datasets.stack_reduce().downsample(5)
    mean = datasets.stack_reduce().exposure.data.reshape(6, 12, 5, 14, 5).mean(axis=(2, 4))
    np.testing.assert_allclose(stacked.exposure.data, mean, rtol=1e-9)
    with pytest.raises(ConfigError, match="downsample: expected a factor of 34 and 32 pixels, got 3"):
        first.downsample(3)


def test_a_cutout_is_a_part_and_padding_gives_it_back(datasets):
    first = datasets[0]
    first.mask_fit = first.counts.geom.energy_mask(energy_min="1.4 TeV")
    part = first.cutout(first.counts.geom.center_skydir, u.Quantity([1.2, 0.72], "deg"))
    assert part.counts.geom.data_shape == (4, 12, 20)
    np.testing.assert_array_equal(part.counts.data, first.counts.data[:, 10:22, 7:27])
    np.testing.assert_array_equal(part.mask_fit.data, first.mask_fit.data[:, 10:22, 7:27])
    np.testing.assert_allclose(part.exposure.data, first.exposure.data[:, 10:22, 7:27], rtol=1e-9)
    padded = part.pad((7, 10))
    assert padded.counts.geom.is_close(first.counts.geom)
    assert padded.counts.data.sum() == part.counts.data.sum()
    assert not padded.mask_safe.data[:, :10].any()
    with pytest.raises(DataError, match="there is nothing of the map about"):
        first.cutout(SkyCoord(10.0, 0.0, unit="deg"), 1 * u.deg)


@settings(max_examples=10)
@given(columns=st.integers(1, 33), rows_up=st.integers(1, 31))
def test_two_cutouts_that_share_no_pixel_add_up_to_the_map(rows, columns, rows_up):
    """Stacking pieces of a map is the map, over its safe bins, wherever it is cut."""
    first = Datasets.from_xarray(rows)[0]
    total = MapDataset.create(first.counts.geom, ENERGY_TRUE, name="sum")
    pixel = 0.06
    for x, y in ((0, 0), (columns, 0), (0, rows_up), (columns, rows_up)):
        width, height = (34 - columns if x else columns), (32 - rows_up if y else rows_up)
        lon, lat = first.image.sky_of(np.array(x + 0.5 * (width - 1)), np.array(y + 0.5 * (height - 1)))
        piece = first.cutout(SkyCoord(lon, lat, unit="deg"), (width * pixel, height * pixel))
        assert piece.counts.geom.npix == (width, height)
        total.stack(piece)
    masked = first.to_masked()
    np.testing.assert_array_equal(total.counts.data, masked.counts.data)
    np.testing.assert_array_equal(total.mask_safe.data, masked.mask_safe.data)


# --- spectra of regions


@pytest.fixture(scope="module")
def msh_part(gammapy_data):
    index = read_index(gammapy_data / "hess-dl3-dr1").runs
    runs, _ = read_runs([index[20136], index[20137]], lambda: None)
    return part_of(runs, "hess-dl3-dr1")


@pytest.mark.parametrize("cells", [5, 15])
@pytest.mark.parametrize("which", ["part", "msh_part"])
def test_a_spectrum_of_whole_pixels_has_the_counts_of_the_reduction_to_the_region(request, which, cells):
    """An odd number of pixels about the middle of an odd image: the edges of the region are edges of pixels."""
    runs = request.getfixturevalue(which)
    center = CRAB if which == "part" else SkyCoord(228.32, -59.08, unit="deg")
    space = SkySpace(center.ra.deg, center.dec.deg, "icrs", 0.03, (81, 81))
    recipe = Recipe(Grid(ENERGY, ENERGY_TRUE, space), False, method("background", "irf"))
    maps = Datasets.from_xarray(reduce_block(runs, rows_in(runs), recipe))
    region = RectangleSkyRegion(center, cells * 0.03 * u.deg, cells * 0.03 * u.deg)
    grid = Grid(ENERGY, ENERGY_TRUE, RegionSpace((normalize_shape(region),)))
    spectra = Datasets.from_xarray(reduce_block(runs, rows_in(runs), Recipe(grid, False, use_region_center=False)))
    total = 0
    for one, other in zip(maps, spectra, strict=True):
        found = one.to_spectrum_dataset(region)
        np.testing.assert_array_equal(found.counts.values, other.counts.values)
        np.testing.assert_allclose(found.exposure.values, other.exposure.values, rtol=1e-3)
        np.testing.assert_allclose(found.edisp.values, other.edisp.values, atol=3e-3)
        assert found.livetime == other.livetime
        total += found.counts.values.sum()
    assert total > 10


def test_a_spectrum_adds_up_the_pixels_inside(datasets):
    first = datasets[0]
    region = CircleSkyRegion(CRAB, 0.3 * u.deg)
    found = first.to_spectrum_dataset(region, name="crab")
    inside = first.counts.geom.region_mask([region]).data & first.mask_safe.data
    np.testing.assert_array_equal(found.counts.values[0], np.where(inside, first.counts.data, 0).sum(axis=(1, 2)))
    np.testing.assert_allclose(
        found.background.values[0], np.where(inside, first.background.data, 0).sum(axis=(1, 2), dtype=float), rtol=1e-6
    )
    assert (found.name, type(found)) == ("crab", SpectrumDataset)
    corrected = first.to_spectrum_dataset(region, containment_correction=True)
    share = corrected.exposure.values / found.exposure.values
    assert np.all((share > 0.8) & (share <= 1))
    both = first.to_spectrum_datasets([region, CircleSkyRegion(CRAB, 0.2 * u.deg)])
    assert [each.name for each in both] == [f"{first.name}-0", f"{first.name}-1"]
    np.testing.assert_array_equal(both[0].counts.values, found.counts.values)


def test_the_spectrum_of_off_maps_has_off_counts(datasets):
    off = on_off(datasets[0])
    found = off.to_spectrum_dataset(CircleSkyRegion(CRAB, 0.3 * u.deg))
    assert isinstance(found, SpectrumDatasetOnOff)
    known = off.to_map_dataset().to_spectrum_dataset(CircleSkyRegion(CRAB, 0.3 * u.deg))
    np.testing.assert_allclose(found.background.values, known.background.values, rtol=1e-6)


def test_a_small_region_counts_shares_of_pixels_and_one_beyond_the_map_is_refused(datasets, caplog):
    first = datasets[0]
    lon, lat = first.image.sky_of(np.array(10.5), np.array(10.5))
    between = CircleSkyRegion(SkyCoord(lon, lat, unit="deg"), 0.03 * u.deg)
    with caplog.at_level(logging.WARNING):
        small = first.to_spectrum_dataset(between)
    assert "holds few pixels of 0.06 deg" in caplog.text
    share = np.pi * 0.03**2 / 0.06**2 / 4
    four = first.counts.data[:, 10:12, 10:12].sum(axis=(1, 2))
    np.testing.assert_allclose(small.counts.values[0], four * share, rtol=0.05)
    caplog.clear()
    edge = first.counts.geom.footprint[0]
    with pytest.raises(DataError, match="lies outside of the map of 34 by 32 pixels"):
        first.to_spectrum_dataset(CircleSkyRegion(edge, 0.3 * u.deg))
    with caplog.at_level(logging.WARNING):
        first.to_spectrum_dataset(CircleSkyRegion(CRAB, 0.08 * u.deg))
    assert "few pixels" in caplog.text
    corners = SkyCoord([83.4, 83.9, 83.6], [21.9, 21.9, 22.3], unit="deg")
    triangle = first.to_spectrum_dataset(PolygonSkyRegion(corners))
    inside = first.counts.geom.region_mask([PolygonSkyRegion(corners)]).data & first.mask_safe.data
    assert triangle.counts.values.sum() == first.counts.data[inside].sum()


# --- responses


def test_kernels_of_the_point_spread_function_sum_to_one(datasets):
    stacked = datasets.stack_reduce()
    kernel = stacked.psf.get_psf_kernel(stacked.counts.geom)
    assert kernel.data.shape[0] == 6
    np.testing.assert_allclose(kernel.data.sum(axis=(1, 2)), 1, rtol=1e-12)
    np.testing.assert_allclose(kernel.data, kernel.data[:, ::-1, ::-1], atol=1e-12)
    narrow = stacked.psf.get_psf_kernel(stacked.counts.geom, max_radius="0.1 deg")
    assert narrow.data.shape[1:] == (5, 5)
    radius = stacked.psf.containment_radius(0.68, 1 * u.TeV)
    assert stacked.psf.containment(radius, 1 * u.TeV) == pytest.approx(0.68, rel=1e-9)
    with pytest.raises(ConfigError, match=r"a fraction between 0 and 1, got 1\.2"):
        stacked.psf.containment_radius(1.2, 1 * u.TeV)


def test_the_energy_dispersion_is_that_of_a_place(datasets):
    kernel = datasets[0].edisp.get_edisp_kernel(CRAB)
    assert kernel.pdf_matrix.shape == (6, 4)
    # Kernels are held in single precision.
    assert np.all(kernel.pdf_matrix.sum(axis=1) <= 1 + np.finfo(np.float32).eps)
    assert abs(float(kernel.get_bias(5 * u.TeV))) < 0.3
    with pytest.raises(ConfigError, match="position: expected one position as a SkyCoord"):
        datasets[0].edisp.get_edisp_kernel((83.6, 22.0))


def test_responses_may_be_taken_out(geom):
    empty = MapDataset.create(geom)
    empty.edisp = None
    assert empty.edisp is None
    with pytest.raises(ConfigError, match="psf: expected None"):
        empty.psf = 1


# --- files and pictures


def test_maps_are_written_and_read_back(datasets, tmp_path):
    datasets[1].mask_fit = datasets[1].counts.geom.energy_mask(energy_min="1.4 TeV")
    datasets.write(tmp_path / "maps.zarr")
    again = Datasets.read(tmp_path / "maps.zarr")
    assert again.names == datasets.names
    xr.testing.assert_identical(again[0].data, datasets[0].data)
    np.testing.assert_array_equal(again[1].mask_fit.data, datasets[1].mask_fit.data)
    datasets[0].write(tmp_path / "one.zarr")
    xr.testing.assert_identical(MapDataset.read(tmp_path / "one.zarr").data, datasets[0].data)


def test_maps_and_spectra_stand_together(datasets):
    spectrum = datasets[0].to_spectrum_dataset(CircleSkyRegion(CRAB, 0.3 * u.deg), name="crab")
    both = Datasets([*datasets, spectrum])
    assert both.names == [*datasets.names, "crab"]
    assert both.info_table()["counts"][-1] == spectrum.counts.values.sum()
    assert not both.is_all_same_type
    assert "4 rows" in repr(both)


def test_spectra_of_all_maps_have_their_names(datasets):
    spectra = datasets.to_spectrum_datasets(CircleSkyRegion(CRAB, 0.3 * u.deg))
    assert spectra.names == datasets.names
    assert spectra.stack_reduce().counts.values.sum() == sum(each.counts.values.sum() for each in spectra)
    with pytest.raises(ConfigTypeError, match="expected a MapDataset, got a SpectrumDataset"):
        spectra.to_spectrum_datasets(CircleSkyRegion(CRAB, 0.3 * u.deg))
    with pytest.raises(LaterError, match="maps are not converted"):
        datasets.to_gammapy()
    with pytest.raises(ConfigTypeError, match=r"is a map; use its plot_counts\(\)"):
        datasets.plot_regions()


def test_counts_are_drawn_of_what_is_expected(datasets):
    first = datasets[0].copy("fake")
    before = first.background.data.astype(float)
    first.fake(random_state=42)
    total = float(before.sum())
    assert first.counts.data.sum() == pytest.approx(total, abs=5 * np.sqrt(total))
    off = on_off(datasets[0])
    off.fake(npred_background=off.background, random_state=42)
    alpha = off.alpha.data[0]
    assert off.counts_off.data[0].sum() == pytest.approx((before[0] * 20).sum(), rel=0.05)
    expected = off.npred_off().data
    np.testing.assert_allclose(expected * off.alpha.data, off.npred_background().data, rtol=1e-6, atol=1e-9)
    assert np.all(alpha[before[0] > 0] == pytest.approx(1 / 20))


def test_maps_draw_themselves(datasets):
    stacked = datasets.stack_reduce()
    assert isinstance(stacked.peek(), Figure)
    spatial, spectral = stacked.plot_residuals(
        kwargs_spatial={"method": "diff/sqrt(model)"}, kwargs_spectral={"region": CircleSkyRegion(CRAB, 0.3 * u.deg)}
    )
    assert [each.get_axislabel() for each in spatial.coords] == ["Right ascension", "Declination"]
    assert stacked.plot_counts().images[0].get_array().shape == (60, 70)
    assert spectral.get_ylabel() == "Data - model"
    assert isinstance(stacked.psf.peek(), Figure)
    assert isinstance(stacked.edisp.peek(), Figure)


@pytest.mark.parametrize("kind", [MapDataset, MapDatasetOnOff, SpectrumDataset])
def test_a_dataset_of_single_arrays_is_refused_in_one_sentence(kind):
    with pytest.raises(ConfigTypeError, match=rf"^{kind.__name__}: expected one Dataset .*, got counts, psf=\.\.\.; "):
        kind(counts=1, psf=2)
    with pytest.raises(ConfigTypeError, match="got nothing; "):
        kind()
