"""The same functions fill windows of the sky: reduction, rows, stacks and the store treat regions and pixels alike."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import xarray as xr
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from releases import rows_in
from xgamma import schema
from xgamma.analysis.costs import reduction_cost, stack_cost, unknown_reduction_cost
from xgamma.axes import Axis
from xgamma.datasets import info
from xgamma.datasets.files import read_datasets, write_datasets
from xgamma.errors import ConfigError, DataError
from xgamma.execute import THIS_PROCESS
from xgamma.formats.gadf.index import read_index
from xgamma.geometry import separation, to_frame
from xgamma.grid import Circle, Grid, RegionSpace, SkySpace
from xgamma.ingest.part import part_of, read_runs
from xgamma.irf import effective_area, read_table
from xgamma.models.models import Models
from xgamma.outcome import Fate, Outcome
from xgamma.reduce import (
    Background,
    Recipe,
    blocks_of,
    joined_rows,
    lazy_spectra,
    masked_rows,
    method,
    reduce_block,
    reduce_spectra,
    row_bytes,
    select_rows,
    spectra,
    stack,
    with_names,
)
from xgamma.reduce.nodes import exposure_in_windows
from xgamma.reduce.rows import neutral_values
from xgamma.reduce.sums import leaf_sums, leaves_of
from xgamma.simulate import Plan, simulate
from xgamma.store import Store, dataset_digest, digest
from xgamma.store.conformance import validate

ENERGY, ENERGY_TRUE = Axis.from_bounds("energy", 0.5, 30, 4), Axis.from_bounds("energy_true", 0.2, 50, 5)
# Windows of 2 deg in images of 4.2 by 3.6 deg: those of two runs that point elsewhere overlap in part.
CRAB = SkySpace(83.633, 22.014, "icrs", 0.06, (70, 60), (34, 32))
MSH = SkySpace(320.3, -1.2, "galactic", 0.06, (70, 60), (34, 32))
LARGE = Recipe(
    Grid(
        Axis.from_bounds("energy", 0.1, 100, 40),
        Axis.from_bounds("energy_true", 0.1, 100, 40),
        SkySpace(83.633, 22.014, "icrs", 0.02, (200, 200)),
    )
)


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    path = tmp_path_factory.mktemp("sky") / "release"
    simulate(Plan(runs=2, duration=600.0), path)
    runs, _ = read_runs(read_index(path).runs.values(), lambda: None)
    return part_of(runs, "sky")


@pytest.fixture(scope="module")
def msh_part(gammapy_data):
    """Return two runs of MSH 15-52 that point to either side of it."""
    index = read_index(gammapy_data / "hess-dl3-dr1").runs
    runs, failures = read_runs([index[20136], index[20137]], lambda: None)
    assert failures == []
    return part_of(runs, "hess-dl3-dr1")


@pytest.fixture(scope="module", params=["simulated", "MSH 15-52"])
def sky(request):
    """Return two runs, and the recipe of windows about their pointings."""
    part = request.getfixturevalue("part" if request.param == "simulated" else "msh_part")
    return part, recipe_of(CRAB if request.param == "simulated" else MSH)


@pytest.fixture(scope="module")
def rows(sky):
    """Return the windows of the two runs."""
    part, recipe = sky
    return reduce_block(part, rows_in(part), recipe)


def recipe_of(space, **changes):
    return Recipe(Grid(ENERGY, ENERGY_TRUE, space), containment=False, **changes)


def wcs_of(space):
    """Return the plate-carree WCS of the FITS standard for an image."""
    names = ("RA---CAR", "DEC--CAR") if space.frame == "icrs" else ("GLON-CAR", "GLAT-CAR")
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt = names, [space.lon, space.lat], [-space.binsize, space.binsize]
    wcs.wcs.crpix = [(n + 1) / 2 for n in space.npix]
    return wcs


def placed(ds, name, row):
    """Return a variable of a row in the whole image, shape (y, x, ...), 0 outside of the window."""
    nx, ny = ds["image"].attrs["npix"]
    if name == "exposure" and name not in ds:
        ds = ds.assign(exposure=(schema.DL4_IN[schema.WINDOWS]["exposure"].dims, exposure_in_windows(ds)))
    values = ds[name].isel(dataset=row).transpose("v", "u", ...).values
    v, u = int(ds["origin_v"][row]), int(ds["origin_u"][row])
    image = np.zeros((ny, nx, *values.shape[2:]))
    image[v : v + values.shape[0], u : u + values.shape[1]] = values
    return image


# --- reduction


@pytest.mark.parametrize("frame", ["icrs", "galactic"])
def test_counts_are_those_of_the_nearest_pixel_of_the_wcs_standard(part, frame):
    lon, lat = to_frame(83.633, 22.014, "icrs", frame)
    space = SkySpace(float(lon), float(lat), frame, 0.02, (100, 90))
    ds = reduce_block(part, rows_in(part), recipe_of(space))
    for row in range(2):
        events = slice(
            int(part.obs["event_start"][row]), int(part.obs["event_start"][row] + part.obs["event_size"][row])
        )
        sky = to_frame(part.events["ra"][events].values, part.events["dec"][events].values, "icrs", frame)
        x, y = wcs_of(space).wcs_world2pix(*sky, 0)
        edges = [np.arange(n + 1) - 0.5 for n in space.shape]
        energy = ENERGY.index(part.events["energy"][events].values)
        for number in range(ENERGY.nbin):
            chosen = energy == number
            expected, *_ = np.histogram2d(y[chosen], x[chosen], bins=edges)
            found = ds["counts"].isel(dataset=row, energy=number).transpose("v", "u").values
            np.testing.assert_array_equal(found, expected)


def test_exposure_is_interpolated_at_every_pixel(part):
    space = SkySpace(83.633, 22.014, "icrs", 0.1, (20, 20))
    rows = rows_in(part)
    ds = reduce_block(part, rows, recipe_of(space))
    y, x = np.mgrid[:20, :20]
    lon, lat = wcs_of(space).wcs_pix2world(x.ravel(), y.ravel(), 0)
    pointing = part.column("ra_pnt", rows.obs)[:, None], part.column("dec_pnt", rows.obs)[:, None]
    table = part.table_of(int(part.obs["aeff_table"][0]))
    area = effective_area(
        read_table(table, part.column("aeff_row", rows.obs), separation(lon, lat, *pointing)), ENERGY_TRUE.center
    )
    expected = area * part.column("livetime", rows.obs)[:, None, None]
    found = exposure_in_windows(ds).reshape(2, ENERGY_TRUE.nbin, -1).swapaxes(1, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_window_has_one_ledger(sky, rows):
    part, _ = sky
    assert rows["ledger"].dims == ("dataset", "fate")
    np.testing.assert_array_equal(rows["ledger"].sum("fate"), part.obs["event_size"])
    np.testing.assert_array_equal(rows["ledger"].isel(fate=Fate.ON), rows["counts"].sum(["v", "u", "energy"]))


def test_windows_are_cut_out_of_the_image_about_the_pointings(sky, rows):
    part, recipe = sky
    space = recipe.grid.space
    whole = reduce_block(part, rows_in(part), recipe_of(space.image))
    assert whole["counts"].shape == (2, ENERGY.nbin, *space.image.shape)
    assert rows["counts"].shape == (2, ENERGY.nbin, *space.shape)
    assert len({(int(v), int(u)) for v, u in zip(rows["origin_v"], rows["origin_u"], strict=True)}) == 2
    for row, (v, u) in enumerate(zip(rows["origin_v"].values, rows["origin_u"].values, strict=True)):
        window = whole.isel(dataset=row, v=slice(v, v + space.shape[0]), u=slice(u, u + space.shape[1]))
        for name in ("counts", "mask_safe"):
            np.testing.assert_array_equal(rows[name].isel(dataset=row), window[name], err_msg=name)
        own = exposure_in_windows(rows)[row]
        whole_exposure = exposure_in_windows(whole)[row]
        np.testing.assert_array_equal(own, whole_exposure[:, v : v + space.shape[0], u : u + space.shape[1]])
    middle = rows["origin_v"].values + space.shape[0] // 2, rows["origin_u"].values + space.shape[1] // 2
    lon, lat = space.image.positions()
    pixel = middle[0] * space.npix[0] + middle[1]
    pointing = part.column("ra_pnt", np.arange(2)), part.column("dec_pnt", np.arange(2))
    assert np.all(separation(lon[pixel], lat[pixel], *pointing) <= math.sqrt(2) * space.binsize)


def test_a_window_does_not_leave_its_image():
    space = SkySpace(83.633, 22.014, "icrs", 0.1, (40, 30), (11, 10))
    lon, lat = np.array([83.633, 80.0, 90.0, 263.6, np.nan]), np.array([22.014, 30.0, 10.0, -22.0, 0.0])
    origin = space.origins(lon, lat)
    assert np.all((origin >= 0) & (origin <= [20, 29]))
    assert origin[0].tolist() == [10, 14]
    assert origin[1].tolist() == [20, 29]
    with pytest.raises(ConfigError, match="does not lie in an image"):
        dataclasses.replace(space, window=(41, 10))


def test_a_run_off_the_map_is_an_outcome_and_a_window_beyond_the_field_of_view_is_none(sky):
    part, recipe = sky
    wide = recipe_of(dataclasses.replace(recipe.grid.space, npix=(140, 60), window=(140, 60)))
    assert reduce_block(part, rows_in(part), wide)["outcome"].values.tolist() == [Outcome.USED] * 2
    away = recipe_of(dataclasses.replace(recipe.grid.space, lon=recipe.grid.space.lon + 20.0))
    ds = reduce_block(part, rows_in(part), away)
    assert ds["outcome"].values.tolist() == [Outcome.OUTSIDE_FIELD_OF_VIEW] * 2
    assert not ds["mask_safe"].any()
    assert not ds["exposure_edisp"].any()


def test_safe_masks_work_on_pixels(part):
    masked = recipe_of(CRAB, safe_masks=(method("safe mask", "offset-max", offset_max=0.5),))
    safe = reduce_block(part, rows_in(part), masked)["mask_safe"]
    area = safe.isel(energy=0).sum(["v", "u"]).values * CRAB.binsize**2
    np.testing.assert_allclose(area, np.pi * 0.5**2, rtol=0.02)
    at_region = Recipe(Grid(ENERGY, ENERGY_TRUE, RegionSpace((Circle(83.633, 22.014, 0.1),))), containment=False)
    for name, options in (("edisp-bias", {"fixed_offset": 0.5}), ("aeff-max", {"fixed_offset": 0.5})):
        masks = (method("safe mask", name, **options),)
        pixels = reduce_block(part, rows_in(part), recipe_of(CRAB, safe_masks=masks))["mask_safe"]
        region = reduce_block(part, rows_in(part), dataclasses.replace(at_region, safe_masks=masks))["mask_safe"]
        np.testing.assert_array_equal(pixels.any(["v", "u"]), region[:, 0])
        np.testing.assert_array_equal(pixels.all(["v", "u"]), region[:, 0])


@pytest.mark.some_long(2)
def test_a_lazy_reduction_of_windows_computes_to_the_eager_one(sky, rows, monkeypatch):
    part, recipe = sky
    monkeypatch.setattr(spectra, "MAX_ROWS", 1)
    lazy = lazy_spectra([(part, rows_in(part))], recipe)
    assert lazy["counts"].chunks[0] == (1, 1)
    assert set(lazy.variables) == set(rows.variables)
    for name, variable in rows.variables.items():
        assert (lazy[name].dims, lazy[name].dtype, lazy[name].attrs) == (variable.dims, variable.dtype, variable.attrs)
        np.testing.assert_array_equal(lazy[name].values, variable.values, err_msg=str(name))
    eager = reduce_spectra(part, rows_in(part), recipe)
    assert dataset_digest(eager) == dataset_digest(rows)


# --- rows, files and the store


def test_windows_match_the_schema_and_are_read_back_identical_from_the_store(rows, tmp_path):
    schema.validate(rows)
    store = Store(tmp_path / "store")
    for kind, ds in (("rows", rows), ("stack", stack(rows))):
        texts = {"recipe": "0" * 32, "rows": ["a", "b"]} if kind == "rows" else {"stacks": ["c"]}
        record = store.put(kind, digest(kind), {"": ds}, {"recipe": {}}, texts=texts)
        xr.testing.assert_identical(store.get_valid(kind, record.key), ds)
        xr.testing.assert_identical(store.open(kind, record.key).load(), ds)
        assert validate(f"{store.url}/{kind}/{record.key}").violations == []
    write_datasets([rows], tmp_path / "windows.zarr")
    assert validate(tmp_path / "windows.zarr").violations == []
    [again] = read_datasets(tmp_path / "windows.zarr")
    xr.testing.assert_identical(again, rows)
    with pytest.raises(ConfigError, match="a FITS file of maps holds one dataset, got 2"):
        write_datasets([rows], tmp_path / "windows.fits")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda ds: ds.assign_coords(origin_v=ds["origin_v"] + 1000), "origin_v: expected windows inside of 0 to 60"),
        (lambda ds: ds.drop_vars("image"), "image: expected a coordinate of the windows, got none"),
        (lambda ds: ds.transpose("dataset", "u", "v", ...), r"expected the dims \(dataset, energy, v, u\)"),
        (lambda ds: ds.drop_vars("member_lon"), "has no variable 'member_lon'"),
    ],
)
def test_windows_that_do_not_match_the_schema_are_refused(part, change, said):
    rows = reduce_block(part, rows_in(part), recipe_of(CRAB))
    with pytest.raises(DataError, match=said):
        schema.validate(change(rows))


def test_masked_rows_of_windows_are_windows_and_the_neutral_element(sky, rows):
    _, recipe = sky
    lost = masked_rows(recipe.grid, rows, np.array([7]), [Outcome.UNREADABLE_FILE], ["cut"])
    schema.validate(lost)
    assert lost["counts"].dims == ("dataset", "energy", "v", "u")
    assert set(lost.variables) == set(rows.variables)
    for joined in (joined_rows([rows, lost]), joined_rows([lost, rows])):
        found, wanted = stack(joined), stack(rows)
        assert sorted(*found.attrs.pop("rows")) == sorted([*wanted.attrs.pop("rows")[0], "7"])
        xr.testing.assert_identical(found, wanted)


def test_rows_of_another_image_are_not_joined(rows, sky):
    part, recipe = sky
    moved = recipe_of(dataclasses.replace(recipe.grid.space, lon=recipe.grid.space.lon + 0.01))
    with pytest.raises(DataError, match="Expected rows with the same cells"):
        joined_rows([rows, reduce_block(part, rows_in(part), moved)])
    with pytest.raises(DataError, match="Expected rows with the same cells"):
        joined_rows([rows, stack(rows)])


def test_windows_have_a_summary(rows):
    columns = info.summary(rows, Models())
    np.testing.assert_array_equal(columns["counts"].values, rows["counts"].sum(["v", "u", "energy"]))
    np.testing.assert_array_equal(columns["n_bins"].values, [rows["counts"][0].size] * 2)
    assert columns["name"].values.tolist() == rows["dataset"].values.tolist()
    assert columns["exposure_max"].values.tolist() == exposure_in_windows(rows).max(axis=(1, 2, 3)).tolist()
    totals = [info.summary(each, Models())["counts"].values[0] for each in info.cumulative_stacks([rows])]
    np.testing.assert_array_equal(totals, np.cumsum(columns["counts"].values))


# --- stacks


def test_a_stack_is_the_image_of_all_windows(rows):
    found = stack(rows)
    schema.validate(found)
    nx, ny = rows["image"].attrs["npix"]
    assert found["counts"].shape == (1, ENERGY.nbin, ny, nx)
    assert (found["origin_v"].values.tolist(), found["origin_u"].values.tolist()) == ([0], [0])
    for name, precision in (("counts", 0.0), ("exposure", 3e-7)):
        wanted = placed(rows, name, 0) + placed(rows, name, 1)
        np.testing.assert_allclose(found[name][0].transpose("v", "u", ...), wanted, precision, 0.0, err_msg=name)
    assert found["counts"].sum() == rows["counts"].sum()
    np.testing.assert_array_equal(
        found["mask_safe"][0].transpose("v", "u", ...),
        placed(rows, "mask_safe", 0) + placed(rows, "mask_safe", 1) > 0,
    )
    assert found["livetime"].item() == rows["livetime"].values.sum()
    np.testing.assert_array_equal(found["ledger"][0], rows["ledger"].sum("dataset"))


def ragged(rows, order):
    """Return ten windows in some order, with other safe bins and counts, one of them safe nowhere."""
    many = with_names(select_rows(rows, [0, 1] * 5), [f"row-{number}" for number in range(10)]).copy(deep=True)
    number = np.arange(10)
    safe = np.arange(ENERGY.nbin) >= (number % 3)[:, None]
    many["mask_safe"].values[:] &= safe[:, :, None, None]
    many["mask_safe"].values[9] = False
    for name, step in (("origin_v", 1), ("origin_u", -1)):
        full = many["image"].attrs["npix"][::-1][0 if name == "origin_v" else 1]
        moved = many[name].values + step * (number // 2)
        many[name].values[:] = np.clip(moved, 0, full - many.sizes[name[-1]])
    return select_rows(many, order)


@pytest.mark.some_long(2)
@settings(max_examples=15)
@given(order=st.permutations(range(10)))
def test_a_stack_of_windows_does_not_depend_on_the_order(rows, order):
    one, other = stack(ragged(rows, order)), stack(ragged(rows, range(10)))
    for name in ("counts", "mask_safe", "ledger"):
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    for name in ("exposure", "livetime", "ontime"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-12, err_msg=name)


@pytest.mark.some_long(2)
@settings(max_examples=15)
@given(labels=st.lists(st.sampled_from("abc"), min_size=10, max_size=10))
def test_a_stack_of_stacks_of_windows_is_the_stack(rows, labels):
    many = ragged(rows, range(10))
    safe = many["mask_safe"].values
    groups = stack(many, labels)
    twice, once = stack(groups), stack(many)
    for name in ("counts", "mask_safe", "ledger"):
        np.testing.assert_array_equal(twice[name], once[name], err_msg=name)
    assert once["counts"].sum() == (many["counts"].values * safe).sum()
    np.testing.assert_allclose(twice["exposure"], once["exposure"], rtol=1e-12)
    wanted = sum(placed(many, "exposure", row) for row in range(9)).transpose(2, 0, 1)
    # Terms of a stack are in single precision.
    np.testing.assert_allclose(once["exposure"][0], wanted, rtol=3e-7)


@pytest.mark.parametrize("space", [CRAB, RegionSpace((Circle(83.633, 22.014, 0.11),))], ids=["windows", "regions"])
def test_sums_have_the_same_bytes_however_the_rows_come(part, space, monkeypatch):
    rows = reduce_block(part, rows_in(part, [0, 1] * 40), recipe_of(space))
    leaf = leaves_of(np.zeros(80, dtype=np.int64)).leaf
    monkeypatch.setattr("xgamma.reduce.sums.BAND_PIXELS", 700)
    whole = leaf_sums([rows], leaf)
    monkeypatch.setattr("xgamma.reduce.sums.STEP_BYTES", 1)
    for cuts, threads in (([1] * 80, 1), ([63, 2, 15], 1), ([7, 73], 3), ([64, 1, 15], 2)):
        ends = np.cumsum(cuts)
        pieces = [select_rows(rows, range(end - size, end)) for end, size in zip(ends, cuts, strict=True)]
        found = leaf_sums(pieces, leaf, threads=threads)
        assert found.keys() == whole.keys()
        for name, sums in whole.items():
            np.testing.assert_array_equal(found[name], sums, err_msg=name)


# --- memory


def test_a_block_is_bounded_by_the_bytes_of_its_result(part):
    row = row_bytes(LARGE.grid)
    # Single counts and a bool in each bin; responses are functions of offset.
    assert 200 * 200 * 40 * 5 < row < 200 * 200 * 40 * 5 + 10_000
    rows = rows_in(part, [0, 1] * 62 + [0])
    blocks = list(blocks_of(part, rows, LARGE))
    assert [name for block in blocks for name in block.names] == list(rows.names)
    assert max(len(block) for block in blocks) * row <= spectra.MAX_BYTES
    regions = Grid(LARGE.grid.energy, LARGE.grid.energy_true, RegionSpace((Circle(83.633, 22.014, 0.11),)))
    assert [len(block) for block in blocks_of(part, rows, Recipe(regions))] == [125]


@pytest.mark.parametrize("background", [(), ("background",), Background.variables])
@pytest.mark.parametrize("space", [CRAB, RegionSpace((Circle(83.633, 22.014, 0.11), Circle(80.0, 22.0, 0.1)))])
def test_the_size_of_a_row_is_that_of_its_variables(space, background):
    grid = Grid(ENERGY, ENERGY_TRUE, space)
    values = neutral_values(grid, 3, background)
    assert 3 * row_bytes(grid, background) == sum(value.nbytes for value in values.values())


def test_a_projection_of_windows_does_not_grow_with_their_number(part, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    recipe = dataclasses.replace(LARGE, containment=False)
    few, many = (unknown_reduction_cost(recipe, runs, THIS_PROCESS) for runs in (125, 1250))
    most = spectra.MAX_BYTES // row_bytes(LARGE.grid, recipe.held)
    assert (few.tasks, many.tasks) == (-(-125 // most), -(-1250 // most))
    assert few.peak == many.peak < 1.6e9
    assert many.nbytes_out == 10 * few.nbytes_out == 1250 * row_bytes(LARGE.grid, recipe.held)
    assert reduction_cost(recipe, [(part, rows_in(part, [0, 1] * 62 + [0]))], THIS_PROCESS).tasks == few.tasks
    assert stack_cost(recipe, 125, 1, THIS_PROCESS).peak < 1.6e9
