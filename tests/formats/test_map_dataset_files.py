"""Datasets of maps in files: rows of windows written and read back, and read as Gammapy, Fermi and HAWC write them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr
from astropy import units as u
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fits_security import growth, said, with_cards, with_changes

from releases import rows_in
from xgamma import schema
from xgamma.axes import Axis
from xgamma.datasets import Datasets
from xgamma.datasets.files import read_datasets, write_datasets
from xgamma.datasets.inputs import normalize_rows, with_mask_fit
from xgamma.datasets.map_files import coarse_image, map_row_of
from xgamma.errors import ConfigError, DataError, InputError, LaterError
from xgamma.formats.gadf.index import read_index
from xgamma.formats.sky_maps.files import map_header, maps_content, read_maps
from xgamma.formats.sky_maps.map_dataset import map_row_content, maps_of_row
from xgamma.formats.sky_maps.map_row import MapRow, ResponseGrid
from xgamma.formats.sky_maps.response_maps import kernels_of_migra
from xgamma.formats.sky_maps.sky_map import SkyMap
from xgamma.grid import Grid
from xgamma.ingest.part import part_of, read_runs
from xgamma.reduce import Recipe, reduce_block, select_rows, stack
from xgamma.reduce.energy_bins import merge_bins
from xgamma.reduce.nodes import RAD, responses_at
from xgamma.schema.response_grids import BINSIZE_IRF
from xgamma.simulate import Plan, simulate
from xgamma.sky import SkySpace
from xgamma.sky_sampling import corners, nearest
from xgamma.store.conformance import validate

ENERGY, TRUE = Axis.from_bounds("energy", 0.5, 30, 4), Axis.from_bounds("energy_true", 0.2, 50, 5)
CRAB = SkySpace(83.633, 22.014, "icrs", 0.1, (42, 36), (30, 28))
RINGS = 2 * np.pi * np.deg2rad(RAD.center) * np.deg2rad(RAD.width)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "release"
    simulate(Plan(runs=2, duration=600.0), path)
    runs, _ = read_runs(read_index(path).runs.values(), lambda: None)
    part = part_of(runs, "sky")
    return reduce_block(part, rows_in(part), Recipe(Grid(ENERGY, TRUE, CRAB), containment=False))


def grid_row(name="made", **changes):
    """Return a dataset of maps with responses on a coarse image, in plain numbers."""
    space = SkySpace(83.633, 22.014, "icrs", 0.5, (6, 4))
    coarse = SkySpace(83.633, 22.014, "icrs", 1.5, (2, 1))
    numbers = np.random.default_rng(3)
    psf = numbers.uniform(1, 2, size=(TRUE.nbin, RAD.nbin, *coarse.shape))
    edisp = numbers.uniform(size=(TRUE.nbin, ENERGY.nbin, *coarse.shape))
    responses = ResponseGrid(
        coarse,
        numbers.uniform(1, 2, size=(TRUE.nbin, *coarse.shape)),
        edisp / edisp.sum(axis=1, keepdims=True),
        psf / np.einsum("erij,r->eij", psf, RINGS)[:, None],
        None,
        RAD,
    )
    bins = (ENERGY.nbin, *space.shape)
    made = MapRow(
        name, space, ENERGY, TRUE,
        counts=numbers.poisson(3, size=bins).astype(float),
        mask_safe=numbers.uniform(size=bins) > 0.2,
        exposure=numbers.uniform(1, 2, size=(TRUE.nbin, *space.shape)),
        background=numbers.uniform(size=bins),
        responses=responses,
        gti=np.array([[10.0, 20.0], [30.0, 50.0]]),
        livetime=29.0, obs_id=7, telescope="CTA", pointing=(83.0, 22.0),
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def written(path, row, **changes):
    path.write_bytes(map_row_content(dataclasses.replace(row, **changes)))
    return path


# --- ours


@pytest.mark.some_long(4)
@pytest.mark.parametrize("name", ["data.fits", "data.fits.gz", "data.zarr"])
@pytest.mark.parametrize("kind", ["row", "stack", "masked"])
def test_windows_read_back_identical(tmp_path, rows, name, kind):
    ds = stack(rows) if kind == "stack" else select_rows(rows, [1])
    if kind == "masked":
        ds = with_mask_fit(ds, np.arange(ds["counts"].size).reshape(ds["counts"].shape) % 2 == 0)
    write_datasets([ds], tmp_path / name)
    [again] = read_datasets(tmp_path / name)
    xr.testing.assert_identical(again, ds)


def test_rows_and_stacks_go_beside_an_index(tmp_path, rows):
    stacked = stack(rows)
    write_datasets([rows, stacked], tmp_path / "all.yaml")
    names = [str(name) for name in rows["dataset"].values]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["all.yaml", "stacked.fits", *(f"{name}.fits" for name in names)]
    )
    again = read_datasets(tmp_path / "all.yaml")
    assert [len(ds["dataset"]) for ds in again] == [2, 1]
    xr.testing.assert_identical(again[0], rows)
    xr.testing.assert_identical(again[1], stacked)
    xr.testing.assert_identical(stack(again[0]), stacked)


def test_a_row_is_written_as_the_image_of_its_window(tmp_path, rows):
    row = select_rows(rows, [0])
    write_datasets([row], tmp_path / "row.fits")
    counts = read_maps(tmp_path / "row.fits")["COUNTS"]
    lon, lat = counts.space.positions()
    origin = np.stack([row[name].values for name in ("origin_v", "origin_u")], axis=-1)
    expected = CRAB.positions(origin[0])
    np.testing.assert_allclose([lon, lat], expected, rtol=0, atol=1e-9)


def test_responses_of_runs_are_written_as_their_means_on_a_coarse_image(tmp_path, rows):
    ds = stack(rows)
    write_datasets([ds], tmp_path / "stack.fits")
    maps = read_maps(tmp_path / "stack.fits")
    psf, edisp, weight = maps["PSF"], maps["EDISP"], maps["PSF_EXPOSURE"]
    assert (psf.space.binsize, psf.unit, weight.unit) == (BINSIZE_IRF, "sr-1", "m2 s")
    lon, lat = psf.space.positions()
    expected = responses_at(ds, 0, lon, lat)
    flat = psf.values.reshape(TRUE.nbin, RAD.nbin, -1)
    np.testing.assert_array_equal(np.moveaxis(flat, -1, 0), expected.psf)
    np.testing.assert_array_equal(np.moveaxis(edisp.values.reshape(TRUE.nbin, ENERGY.nbin, -1), -1, 0), expected.edisp)
    np.testing.assert_array_equal(weight.values.reshape(TRUE.nbin, -1).T, expected.exposure)
    covered = weight.values[2].ravel() > 0
    np.testing.assert_allclose((flat[2].T @ RINGS)[covered], 1, rtol=1e-12)


@pytest.mark.parametrize("space", [CRAB.image, CRAB.cut((3, 11)), SkySpace(10, -70, "galactic", 0.02, (101, 57))])
def test_the_coarse_image_has_the_middle_and_the_width_of_the_image(space):
    coarse = coarse_image(space, 0.2)
    for one, other in zip(space.npix, coarse.npix, strict=True):
        assert abs(one * space.binsize - other * 0.2) <= 0.1
    middles = [each.sky_of(0.5 * (each.npix[0] - 1), 0.5 * (each.npix[1] - 1)) for each in (space, coarse)]
    np.testing.assert_allclose(*middles, rtol=0, atol=1e-9)


def test_raises_for_several_rows_in_one_fits_file_and_for_two_of_one_name(tmp_path, rows):
    with pytest.raises(ConfigError, match=r"holds one dataset, got 2; choose a name that ends in \.yaml"):
        write_datasets([rows], tmp_path / "rows.fits")
    ds = stack(rows)
    with pytest.raises(ConfigError, match=r"two datasets would be the file stacked\.fits"):
        write_datasets([ds, ds], tmp_path / "all.yaml")
    with pytest.raises(ConfigError, match="cannot be part of a file name"):
        write_datasets([ds.assign_coords(dataset=["a/b"])], tmp_path / "all.yaml")
    assert list(tmp_path.iterdir()) == []


# --- of others


def test_a_dataset_without_our_table_is_a_row_with_responses_on_its_coarse_image(tmp_path):
    row = grid_row()
    [ds] = read_datasets(written(tmp_path / "made.fits", row))
    schema.validate(ds)
    assert (ds["dataset"].values.tolist(), ds.attrs["telescope"], int(ds["obs_id"][0])) == (["made"], "CTA", 7)
    assert (float(ds["livetime"][0]), float(ds["ontime"][0])) == (29.0, 30.0)
    for name in ("counts", "mask_safe", "exposure", "background"):
        np.testing.assert_array_equal(ds[name].values[0], getattr(row, name))
    for name, values in (("exposure", "exposure"), ("edisp", "edisp"), ("psf", "psf")):
        np.testing.assert_array_equal(ds[f"{name}_grid"].values[0], getattr(row.responses, values))
    assert Axis.from_coords(ds.coords, "rad").is_close(RAD)
    assert ds["image_irf"].attrs["npix"] == [2, 1]


def test_what_was_read_is_written_again_and_read_back_identical(tmp_path):
    [ds] = read_datasets(written(tmp_path / "made.fits", grid_row()))
    write_datasets([ds], tmp_path / "again.fits")
    xr.testing.assert_identical(read_datasets(tmp_path / "again.fits")[0], ds)
    for one, other in zip(maps_of_row(grid_row()), read_maps(tmp_path / "again.fits").values(), strict=True):
        np.testing.assert_array_equal(one.values, other.values)


def test_off_counts_and_the_mask_of_a_fit_are_read(tmp_path):
    row = grid_row(background=None)
    off = {"counts_off": row.counts + 1, "acceptance": row.counts + 2, "acceptance_off": row.counts + 3}
    [ds] = read_datasets(written(tmp_path / "off.fits", row, **off, mask_fit=~row.mask_safe))
    for name, values in off.items():
        np.testing.assert_array_equal(ds[name].values[0], values)
    np.testing.assert_array_equal(ds["mask_fit"].values[0], ~row.mask_safe)
    assert "background" not in ds


def test_bins_that_are_no_numbers_are_masked(tmp_path):
    counts = grid_row().counts.copy()
    counts[1, 2, 3] = np.nan
    [ds] = read_datasets(
        written(tmp_path / "nan.fits", grid_row(), counts=counts, mask_safe=np.ones(counts.shape, bool))
    )
    assert (ds["counts"].values[0, 1, 2, 3], ds["mask_safe"].values[0, 1, 2, 3]) == (0, False)
    assert ds["mask_safe"].values.sum() == counts.size - 1


def test_without_a_safe_mask_every_bin_is_used(tmp_path):
    maps = [each for each in maps_of_row(grid_row()) if each.name != "MASK_SAFE"]
    path = tmp_path / "bare.fits"
    path.write_bytes(maps_content(maps))
    [ds] = read_datasets(path)
    assert ds["mask_safe"].values.all()
    assert ds["dataset"].values.tolist() == ["bare"]
    assert np.isnan(ds["gti"].values).all()


def test_an_index_of_gammapy_joins_datasets_of_one_image(tmp_path):
    for name in ("a", "b"):
        written(tmp_path / f"{name}.fits", grid_row(name))
    other = SkySpace(83.633, 22.014, "icrs", 0.25, (6, 4))
    written(tmp_path / "c.fits", grid_row("c", space=other))
    listed = "".join(f"- {{name: {n}, type: MapDataset, filename: {n}.fits}}\n" for n in "abc")
    (tmp_path / "all.yaml").write_text(f"datasets:\n{listed}")
    found = read_datasets(tmp_path / "all.yaml")
    assert [ds["dataset"].values.tolist() for ds in found] == [["a", "b"], ["c"]]
    (tmp_path / "twice.yaml").write_text(f"datasets:\n{listed.replace('name: b', 'name: a')}")
    with pytest.raises(ConfigError, match="Two datasets are called 'a'"):
        read_datasets(tmp_path / "twice.yaml")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_stack_of_files_weighs_responses_with_the_exposure_of_safe_pixels(tmp_path, order):
    made = [grid_row("a"), grid_row("b", mask_safe=np.zeros_like(grid_row().mask_safe))]
    made[1].mask_safe[1, 0, 0] = True
    for row in made:
        written(tmp_path / f"{row.name}.fits", row)
    listed = "".join(f"- {{name: {made[n].name}, type: MapDataset, filename: {made[n].name}.fits}}\n" for n in order)
    (tmp_path / "all.yaml").write_text(f"datasets:\n{listed}")
    [ds] = read_datasets(tmp_path / "all.yaml")
    found = stack(normalize_rows(ds))
    schema.validate(found)
    expected = sum(np.where(row.mask_safe, row.counts, 0) for row in made)
    np.testing.assert_array_equal(found["counts"].values[0], expected)
    # The second is safe in no pixel that is nearest to a coarse one.
    coarse, safe = made[0].responses, []
    for lon, lat in zip(*coarse.space.positions(), strict=True):
        cell = made[0].space.cells(np.array([lon]), np.array([lat])).cell[0]
        safe.append(made[0].mask_safe.reshape(ENERGY.nbin, -1)[:, cell])
    safe = np.array(safe).T.reshape(ENERGY.nbin, *coarse.space.shape)
    used = safe.any(axis=0)
    np.testing.assert_allclose(found["exposure_grid"].values[0], coarse.exposure * used, rtol=1e-14)
    np.testing.assert_allclose(found["psf_grid"].values[0], coarse.psf * used, rtol=1e-14)
    np.testing.assert_allclose(found["edisp_grid"].values[0], coarse.edisp * safe, rtol=1e-14)


def test_energies_of_files_are_merged_over_the_bins_that_are_safe_nearby(tmp_path):
    safe = grid_row().mask_safe.copy()
    safe[0, :, 2:] = False
    row = grid_row(mask_safe=safe)
    [ds] = read_datasets(written(tmp_path / "made.fits", row))
    merged = merge_bins(normalize_rows(ds), np.array([0, ENERGY.nbin]))
    schema.validate(merged)
    coarse = row.responses
    cells = row.space.cells(*coarse.space.positions())
    near = np.zeros((ENERGY.nbin, coarse.space.npix[0] * coarse.space.npix[1]), dtype=bool)
    near[:, cells.event] = safe.reshape(ENERGY.nbin, -1)[:, cells.cell]
    expected = (coarse.edisp * near.reshape(ENERGY.nbin, *coarse.space.shape)).sum(axis=1)
    np.testing.assert_allclose(merged["edisp_grid"].values[0, :, 0], expected, rtol=1e-14)
    np.testing.assert_array_equal(merged["psf_grid"], ds["psf_grid"])


def test_responses_of_files_are_asked_for_as_those_of_runs(tmp_path):
    row = grid_row()
    [ds] = read_datasets(written(tmp_path / "made.fits", row))
    grid = row.responses
    lon, lat = grid.space.sky_of(np.array([0.0, 0.25, 0.75, 9.0]), np.zeros(4))
    found = responses_at(ds, 0, lon, lat)
    for place, share in enumerate((0.0, 0.25, 0.75, 1.0)):
        weight = grid.exposure[:, 0] * np.array([1 - share, share])
        mean = (grid.psf[:, :, 0] * weight[:, None]).sum(axis=-1) / weight.sum(axis=-1)[:, None]
        np.testing.assert_allclose(found.psf[place], mean, rtol=1e-9)
        np.testing.assert_array_equal(found.edisp[place], grid.edisp[:, :, 0, round(share)])
    np.testing.assert_allclose(found.psf @ RINGS, 1, rtol=1e-12)


def test_a_migration_matrix_becomes_kernels():
    migra = Axis.from_bounds("migra", 0.2, 5.0, 480, "", "lin")
    density = np.exp(-0.5 * ((migra.center - 1) / 0.2) ** 2)
    density = np.tile(density / (density * migra.width).sum(), (TRUE.nbin, 1))[..., None, None]
    energy = Axis.from_bounds("energy", 0.01, 1000, 60)
    kernels = kernels_of_migra(density, TRUE, migra, energy)
    assert kernels.shape == (TRUE.nbin, 60, 1, 1)
    np.testing.assert_allclose(kernels.sum(axis=1), 1, rtol=1e-12)
    mean = (kernels[..., 0, 0] * energy.center).sum(axis=1) / TRUE.center
    np.testing.assert_allclose(mean, 1, atol=0.02)


def replaced(row, *maps):
    """Return the maps of a dataset with others in the place of those of the same name."""
    names = [each.name for each in maps]
    return [*(each for each in maps_of_row(row) if each.name not in names), *maps]


def test_responses_on_other_images_come_to_the_finer_one(tmp_path):
    row = grid_row()
    # Two pixels for the whole sky, as HAWC writes its point spread functions.
    whole = SkySpace(0.0, 0.0, "icrs", 180.0, (2, 1), None, "CAR", None, 2.0)
    theta = Axis.from_nodes("theta", np.deg2rad([0.1, 0.2, 0.3]), "rad", "lin")
    psf = SkyMap.of_space(np.ones((TRUE.nbin, 3, 1, 2)), (TRUE, theta), whole, "deg-2", "PSF")
    fine = SkySpace(83.633, 22.014, "icrs", 1.0, (3, 2))
    edisp = SkyMap.of_space(np.full((TRUE.nbin, ENERGY.nbin, 2, 3), 0.25), (TRUE, ENERGY), fine, "", "EDISP")
    path = tmp_path / "hawc.fits"
    path.write_bytes(maps_content(replaced(row, psf, edisp)))
    [ds] = read_datasets(path)
    assert ds["image_irf"].attrs["npix"] == [3, 2]
    np.testing.assert_allclose(ds["psf_grid"].values, np.rad2deg(1) ** 2, rtol=1e-12)
    np.testing.assert_array_equal(ds["edisp_grid"].values, 0.25)
    np.testing.assert_allclose(ds["rad"].values, [0.1, 0.2, 0.3], rtol=1e-12)


def test_a_point_spread_function_of_reconstructed_energy_is_kept_as_such(tmp_path):
    row = grid_row()
    reco = np.ones((ENERGY.nbin, RAD.nbin, 1, 2))
    psf = SkyMap.of_space(reco, (ENERGY, RAD), row.responses.space, "sr-1", "PSF")
    path = tmp_path / "hawc.fits"
    path.write_bytes(maps_content(replaced(row, psf)))
    [ds] = read_datasets(path)
    assert "psf_grid" not in ds
    np.testing.assert_array_equal(ds["psf_reco_grid"].values[0], reco)
    write_datasets([ds], tmp_path / "again.fits")
    xr.testing.assert_identical(read_datasets(tmp_path / "again.fits")[0], ds)
    with pytest.raises(LaterError, match="one of reconstructed energy, which is not used yet"):
        responses_at(ds, 0, 83.6, 22.0)


def test_a_dataset_of_the_fermi_tools_has_exposure_at_nodes_in_cm2(tmp_path):
    row = grid_row(responses=None)
    nodes = Axis.from_nodes("energy_true", TRUE.center, "TeV", "log")
    wide = SkySpace(83.633, 22.014, "icrs", 1.0, (20, 10))
    exposure = SkyMap.of_space(np.full((TRUE.nbin, 10, 20), 3e4), (nodes,), wide, "", "EXPOSURE")
    path = tmp_path / "fermi.fits"
    path.write_bytes(maps_content(replaced(row, exposure)))
    [ds] = read_datasets(path)
    assert ds["exposure"].shape == (1, TRUE.nbin, *row.space.shape)
    np.testing.assert_allclose(ds["exposure"].values, 3.0, rtol=1e-12)
    np.testing.assert_allclose(ds["energy_true"].values, TRUE.center, rtol=1e-12)
    assert "exposure_grid" not in ds


# --- damage


def plane(each):
    """Return the first plane of a map, with one axis less."""
    return dataclasses.replace(each, values=each.values[:, 0] if each.axes[1:] else each.values[0], axes=each.axes[:-1])


def in_unit(unit):
    return lambda each: dataclasses.replace(each, unit=unit)


def of_other_pixels(each):
    return SkyMap.of_space(np.ones((ENERGY.nbin, 2, 2)), (ENERGY,), SkySpace(0, 0, "icrs", 1, (2, 2)), "", each.name)


def of_other_energies(each):
    return dataclasses.replace(each, axes=(Axis.from_bounds("energy_true", 1, 2, TRUE.nbin), *each.axes[1:]))


@pytest.mark.some_long(3)
@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("COUNTS", plane, "counts have the axes none"),
        ("BACKGROUND", in_unit("TeV-1 sr-1"), "unit 'TeV-1 sr-1'; expected one that converts to"),
        ("MASK_SAFE", of_other_pixels, "MASK_SAFE has other pixels or energies than COUNTS"),
        ("EXPOSURE", in_unit("s"), "expected one that converts to 'm2 s'"),
        ("PSF", in_unit("m"), "expected one that converts to 'sr-1'"),
        ("PSF", plane, "its PSF has the axes energy_true"),
        ("EDISP", plane, "its EDISP has the axes energy_true"),
        ("EDISP", of_other_energies, "its exposure others"),
    ],
)
def test_raises_for_maps_that_do_not_fit(tmp_path, name, change, words):
    [given] = [each for each in maps_of_row(grid_row()) if each.name == name]
    path = tmp_path / "bad.fits"
    path.write_bytes(maps_content(replaced(grid_row(), change(given))))
    with pytest.raises(InputError, match=words):
        read_datasets(path)


def test_raises_for_a_file_of_ours_that_lost_an_image_or_its_table(tmp_path, rows):
    write_datasets([stack(rows)], tmp_path / "stack.fits")
    for name, words in (("MASK_SAFE", "lost its image MASK_SAFE"), ("XGAMMA", "lost its table XGAMMA")):
        with fits.open(tmp_path / "stack.fits") as hdus:
            del hdus[name]
            hdus.writeto(tmp_path / "lost.fits", overwrite=True)
        with pytest.raises(InputError, match=words):
            read_datasets(tmp_path / "lost.fits")


CONTENT = map_row_content(grid_row())


@pytest.mark.filterwarnings("ignore")
@settings(deadline=None)
@given(st.one_of(with_changes(CONTENT), with_cards(CONTENT)))
def test_any_bytes_are_read_as_a_dataset_or_raise_an_error_of_ours(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "dataset.fits"
    path.write_bytes(content)
    said(lambda: read_datasets(path))


# --- sampling


@given(st.integers(1, 5), st.integers(1, 4), st.floats(-3, 8), st.floats(-3, 8))
def test_weights_of_corners_add_up_to_one_and_give_back_what_is_linear(nx, ny, x, y):
    space = SkySpace(83.633, 22.014, "icrs", 0.1, (nx, ny))
    lon, lat = space.sky_of(np.array([x]), np.array([y]))
    found = corners(space, lon, lat)
    assert found.weight.sum() == pytest.approx(1)
    inside_x, inside_y = np.clip(x, 0, nx - 1), np.clip(y, 0, ny - 1)
    columns = np.tile(np.arange(nx, dtype=float), ny)
    lines = np.repeat(np.arange(ny, dtype=float), nx)
    np.testing.assert_allclose(found.mean(np.stack([columns, lines]))[:, 0], [inside_x, inside_y], atol=1e-6)
    assert abs(nearest(space, lon, lat).mean(columns)[0] - inside_x) <= 0.5 + 1e-6


def test_the_other_side_of_the_sky_has_no_value():
    space = SkySpace(83.633, 22.014, "icrs", 0.1, (3, 3), projection="TAN")
    for sample in (corners, nearest):
        assert sample(space, np.array([263.633]), np.array([-22.014])).mean(np.ones(9))[0] == 0


def test_a_row_in_plain_arrays_has_the_window_of_the_dataset(rows):
    made = map_row_of(rows, 1)
    assert made.space == CRAB.cut((int(rows["origin_v"][1]), int(rows["origin_u"][1])))
    assert made.exposure.shape == (TRUE.nbin, *CRAB.shape)


@pytest.mark.parametrize(("size", "npix"), [(None, [8, 7]), ("1 deg", [4, 4]), (0.2 * u.deg, [21, 18])])
def test_the_pixels_of_responses_have_the_size_that_is_asked_for(tmp_path, rows, size, npix):
    Datasets.from_xarray(stack(rows)).write(tmp_path / "stack.fits", binsize_irf=size)
    assert list(read_maps(tmp_path / "stack.fits")["PSF"].npix) == npix


def test_raises_for_pixels_of_responses_without_a_size(tmp_path, rows):
    with pytest.raises(ConfigError, match="binsize_irf: expected a size above 0 deg"):
        Datasets.from_xarray(stack(rows)).write(tmp_path / "stack.fits", binsize_irf="0 deg")
    assert list(tmp_path.iterdir()) == []


def test_absurd_sizes_are_refused_before_memory_is_allocated(tmp_path):
    path = tmp_path / "huge.fits"
    content = CONTENT
    for number, size in ((1, 6), (2, 4), (3, 4)):
        card, huge = f"NAXIS{number}  = {size:20d}".encode(), f"NAXIS{number}  = {10**6:20d}".encode()
        assert card in content
        content = content.replace(card, huge)
    path.write_bytes(content)
    with pytest.raises(InputError, match="ends after the file does"):
        read_datasets(path)
    assert growth(lambda: read_datasets(path)) < 3_000_000


def test_a_compressed_image_is_read_and_bounded_by_the_size_of_its_file(tmp_path):
    counts = next(each for each in maps_of_row(grid_row()) if each.name == "BACKGROUND")
    header = fits.Header()
    header.update(map_header(dataclasses.replace(counts, values=counts.values[0], axes=())))
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(np.ones((4, 6), np.int16), header, name="MASK")]).writeto(
        tmp_path / "small.fits"
    )
    assert read_maps(tmp_path / "small.fits")["MASK"].values.all()
    content = (tmp_path / "small.fits").read_bytes()
    for axis, size in (("ZNAXIS1", 6), ("ZNAXIS2", 4)):
        card = f"{axis:8}= {size:20d}".encode()
        assert card in content
        content = content.replace(card, f"{axis:8}= {2**30:20d}".encode())
    (tmp_path / "huge.fits").write_bytes(content)
    with pytest.raises(InputError, match="is too large for the file"):
        read_maps(tmp_path / "huge.fits")


def test_rows_of_files_and_rows_of_runs_are_not_stacked_with_each_other(tmp_path, rows):
    own = stack(rows, name="own")
    [other] = read_datasets(written(tmp_path / "made.fits", grid_row(space=CRAB.image, **of_shape(CRAB.image))))
    for mixed in ([own, other], [other, own]):
        with pytest.raises(DataError, match="stack each kind by itself"):
            Datasets.from_xarray(mixed).stack_reduce()
    first, second = (Datasets.from_xarray([ds])[0] for ds in (own, other))
    with pytest.raises(DataError, match="stack each kind by itself"):
        first.stack(second)


def of_shape(space):
    bins, true = (ENERGY.nbin, *space.shape), (TRUE.nbin, *space.shape)
    safe = np.ones(bins, dtype=bool)
    return {"counts": np.ones(bins), "background": np.ones(bins), "mask_safe": safe, "exposure": np.ones(true)}


def test_raises_for_maps_of_fluxes(tmp_path):
    path = tmp_path / "fluxes.fits"
    path.write_bytes(map_row_content(grid_row(), (), {"SED_TYPE": "likelihood"}))
    with pytest.raises(InputError, match=r"holds maps of fluxes; expected a dataset\. Read it with FluxMaps\.read"):
        read_datasets(path)


def test_a_point_spread_function_at_other_energies_is_interpolated_in_their_logarithm(tmp_path):
    row = grid_row()
    other = Axis.from_nodes("energy_true", [0.01, 1000.0], "TeV", "log")
    psf = np.stack([np.full((RAD.nbin, 1, 2), value) for value in (1.0, 6.0)])
    path = tmp_path / "fermi.fits"
    path.write_bytes(
        maps_content(replaced(row, SkyMap.of_space(psf, (other, RAD), row.responses.space, "sr-1", "PSF")))
    )
    [ds] = read_datasets(path)
    expected = 1 + np.log10(TRUE.center / 0.01)
    np.testing.assert_allclose(ds["psf_grid"].values[0, :, 5, 0, 1], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda ds: ds.drop_vars("exposure_grid"), "exposure_grid"),
        (lambda ds: ds.drop_vars("image_irf"), "image_irf"),
        (lambda ds: ds.isel(x_irf=slice(1)), r"image_irf attrs npix.*\[1, 1\]"),
    ],
)
def test_responses_without_their_weight_or_image_do_not_match_the_schema(tmp_path, change, words):
    [ds] = read_datasets(written(tmp_path / "made.fits", grid_row()))
    with pytest.raises(DataError, match=words):
        schema.validate(change(ds))


def test_rows_of_files_in_zarr_match_the_format(tmp_path):
    [ds] = read_datasets(written(tmp_path / "made.fits", grid_row()))
    write_datasets([ds], tmp_path / "made.zarr")
    assert validate(tmp_path / "made.zarr").violations == []
