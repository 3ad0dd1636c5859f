"""The expected background of windows: the same number as that of regions, in single precision and for all pixels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from releases import TINY, part_in_memory, recipe, release_of, rows_in
from xgamma.axes import Axis
from xgamma.events import Part
from xgamma.formats.gadf.index import read_index
from xgamma.geometry import from_field, separation, to_field, unit_vector
from xgamma.grid import Circle, Grid, RegionSpace, SkySpace
from xgamma.ingest.part import part_of, read_runs
from xgamma.irf import FOV_ALIGNMENTS, LOG_OF_NO_RATE, background_rate, log_rates
from xgamma.reduce import lazy_spectra, method, reduce_block, reduce_spectra
from xgamma.reduce.background.irf import _integral
from xgamma.reduce.background.windows import FieldOfView, RateTable, expected_in_window, sinhc

ENERGY, ENERGY_TRUE = Axis.from_bounds("energy", 0.5, 30.0, 5), Axis.from_bounds("energy_true", 0.2, 60.0, 8)
IMAGE = SkySpace(83.633, 22.014, "icrs", 0.1, (60, 50), (40, 36))
FIRST = np.zeros(2, dtype=np.int64)


def wanted(space, **changes):
    grid = Grid(ENERGY, ENERGY_TRUE, space)
    return recipe(
        **{"background": method("background", "irf"), "safe_masks": (), "containment": False, **changes, "grid": grid}
    )


def planes(ds):
    """Return the background of rows, shape (row, energy, v, u)."""
    return ds["background"].transpose("dataset", "energy", "v", "u").values


def cube(rate, half=2.5, nodes=9, energy_nodes=6, axis="fov"):
    """Return a table of one response that holds ``rate(energy, fov_lon, fov_lat)``, or of the offset."""
    energy = Axis.from_bounds("energy", 0.3, 50.0, energy_nodes)
    if axis == "offset":
        own = [Axis.from_bounds("offset", 0.0, half, nodes, "deg", "lin")]
    else:
        own = [Axis.from_bounds(name, -half, half, nodes, "deg", "lin") for name in ("fov_lon", "fov_lat")]
    axes = [energy, *own]
    values = rate(*np.meshgrid(*(each.center for each in axes), indexing="ij"))[None].astype(np.float32)
    coords = {each.name: (each.name, each.center, {"units": each.unit, "scale": each.scale}) for each in axes}
    coords |= {f"{each.name}_bounds": ((each.name, "bound"), each.bounds) for each in axes}
    for each in axes:
        coords[each.name][2]["bounds"] = f"{each.name}_bounds"
    return xr.Dataset({"bkg": (("irf", *(each.name for each in axes)), values)}, coords)


def rates_of(table, edges):
    """Return the one response of a table."""
    [rates] = RateTable.read(table, np.array([0]), edges)
    return rates


def both(table, view, edges, oversampling=1, pointing=(83.0, 21.5), space=IMAGE.image):
    """Return the planes of a window, and the same by the formula of regions in double precision."""
    out = np.full(((len(edges) - 1) // oversampling, *space.shape), np.nan, dtype=np.float32)
    areas = 1e3 * space.solid_angles().reshape(space.shape)
    expected_in_window(rates_of(table, edges), view, space, FIRST, 1e3, out)
    lon, lat = space.positions()
    names = [name for name in table["bkg"].dims if name not in ("irf", "energy")]
    total = 0.0
    for angle in view.angles:
        x, y = to_field(lon, lat, *pointing, angle)
        at = {"fov_lon": view.sign * x, "fov_lat": y, "offset": separation(lon, lat, *pointing)}
        places = {name: at[name][None] for name in names}
        total = total + background_rate(table, np.array([0]), places, edges)[0] / len(view.angles)
    counts = _integral(edges, total).reshape(len(lon), -1, oversampling)
    exact = np.where((counts > 0).all(axis=-1), counts.sum(axis=-1), 0.0) * areas.reshape(-1, 1)
    return out, exact.T.reshape(out.shape)


def assert_near(found, exact):
    """Assert that planes are those of the formula within 2e-6 of their largest, and are 0 where it is."""
    assert found.dtype == np.float32
    apart = np.abs(found - exact).max(axis=(1, 2))
    np.testing.assert_array_less(apart, 2e-6 * exact.max(axis=(1, 2)) + 1e-37)
    is_normal = exact > 1e-37
    np.testing.assert_array_equal(found[is_normal] > 0, True)
    assert not found[exact == 0].any()


def falling(energy, lon, lat):
    """Return a rate that falls with energy and to the rim, unlike in both directions."""
    return 100 * energy**-2.7 * np.exp(-0.4 * (lon - 0.3) ** 2 - 0.3 * (lat + 0.2) ** 2 - 0.1 * lon * lat)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("angles", [(0.0,), (30.0,), (20.0, 50.0, 80.0)])
@pytest.mark.parametrize("oversampling", [1, 3])
def test_a_window_has_the_numbers_of_the_formula(sign, angles, oversampling):
    edges = np.geomspace(0.5, 30.0, 4 * oversampling + 1)
    view = FieldOfView(83.0, 21.5, sign, angles)
    found, exact = both(cube(falling), view, edges, oversampling)
    assert_near(found, exact)
    assert (found == 0).any(), "the window reaches beyond the table"


@given(
    power=st.floats(-12.0, 8.0),
    slope=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    holes=st.sets(st.integers(0, 6 * 81 - 1), max_size=120),
    dark=st.integers(0, 4),
    bins=st.integers(1, 6),
    offset=st.tuples(st.floats(-2.0, 2.0), st.floats(-1.0, 1.0)),
)
def test_a_window_has_the_numbers_of_the_formula_whatever_the_table(power, slope, holes, dark, bins, offset):
    """Also rates that grow, steep ones, entries without a rate, and energies at which none is known."""

    def rate(energy, lon, lat):
        values = energy**power * np.exp(slope[0] * lon + slope[1] * lat)
        values.ravel()[sorted(holes)] = 0.0
        values[:dark] = 0.0
        return values

    pointing = (83.0 + offset[0], 21.5 + offset[1])
    space = SkySpace(83.633, 22.014, "icrs", 0.21, (30, 27))
    edges = np.geomspace(0.3, 50.0, bins + 1)
    assert_near(*both(cube(rate), FieldOfView(*pointing), edges, 1, pointing, space))


@pytest.mark.parametrize("nodes", [1, 2, 7])
def test_a_rate_by_offset_has_the_numbers_of_the_formula(nodes):
    table = cube(lambda energy, offset: 50 * energy**-2.5 * np.exp(-(offset**2)), nodes=nodes, axis="offset", half=2.0)
    found, exact = both(table, FieldOfView(83.0, 21.5), np.geomspace(0.5, 30.0, 6))
    assert_near(found, exact)
    assert (exact[0] > 0).mean() > 0.2


def test_bins_beyond_the_energies_of_the_table_are_0():
    found, exact = both(cube(falling), FieldOfView(83.0, 21.5), np.geomspace(0.01, 1000.0, 12))
    assert_near(found, exact)
    assert [bool(plane.any()) for plane in found] == [False] * 4 + [True] * 4 + [False] * 3


@given(st.floats(0.1, 2.0))
def test_the_ratio_of_sinh_to_its_argument_is_exact_to_single_precision(largest):
    z = np.linspace(-largest, largest, 4001, dtype=np.float32)
    exact = z.astype(float)
    expected = np.divide(np.sinh(exact), exact, out=np.ones_like(exact), where=exact != 0)
    np.testing.assert_allclose(sinhc(z, largest), expected, rtol=3e-7)


def test_logarithms_at_the_nodes_are_those_that_are_interpolated():
    table = cube(falling)
    table["bkg"].values[0, 2, 3:5] = 0.0
    energy = np.array([0.2, 0.35, 1.0, 7.0, 60.0])
    lon, lat = np.meshgrid(table["fov_lon"].values, table["fov_lat"].values, indexing="ij")
    at = {"fov_lon": lon.reshape(1, -1), "fov_lat": lat.reshape(1, -1)}
    rate = background_rate(table, np.array([0]), at, energy)[0].T.reshape(5, 9, 9)
    logs = log_rates(Axis.from_coords(table.coords, "energy"), table["bkg"].values[0], energy)
    assert not rate[[0, 4]].any()
    assert (logs[[0, 4]] < LOG_OF_NO_RATE).all()
    np.testing.assert_allclose(np.exp(logs[1:4]), rate[1:4], rtol=1e-12)


# --- of runs


def with_field(part, alignment, rate=None):
    """Return a part whose background lies on the sky as ``alignment`` says, and is uneven."""
    groups = dict(part.groups)
    for name in part.obs.attrs["irf_tables"]:
        if name.startswith("irf/bkg_3d"):
            table = groups[name]
            uneven = np.exp(0.3 * table["fov_lon"] + 0.2 * table["fov_lat"]) if rate is None else rate(table)
            values = (table["bkg"] * uneven).transpose(*table["bkg"].dims).astype(np.float32)
            groups[name] = table.assign(bkg=values)
    fields = [{"alignment": alignment, "site_lat": -23.27}] * part.obs.sizes["obs"]
    groups[""] = part.obs.assign_attrs(bkg_field=fields)
    return Part(groups)


@pytest.mark.parametrize("alignment", FOV_ALIGNMENTS)
@pytest.mark.parametrize("oversampling", [1, 2])
def test_a_pixel_has_the_background_of_a_region_at_its_centre(nights_part, alignment, oversampling):
    part = with_field(nights_part, alignment)
    background = method("background", "irf", oversampling=oversampling)
    window = reduce_block(part, rows_in(part, [0, 3]), wanted(IMAGE, background=background))
    found, image = planes(window), IMAGE.image
    lon, lat = (values.reshape(image.shape) for values in image.positions())
    for row in range(2):
        first = window["origin_v"].values[row], window["origin_u"].values[row]
        for v, u in ((18, 20), (3, 35), (30, 9)):
            at = first[0] + v, first[1] + u
            circle = Circle(float(lon[at]), float(lat[at]), 0.05)
            region = reduce_block(
                part, rows_in(part, [[0, 3][row]]), wanted(RegionSpace((circle,)), background=background)
            )
            area = image.solid_angles().reshape(image.shape)[at] / circle.solid_angle
            expected = region["background"].values[0, 0] * area
            assert (expected > 0).all()
            np.testing.assert_array_less(np.abs(found[row, :, v, u] - expected), 2e-6 * found[row].max(axis=(1, 2)))


def test_a_field_that_turns_lies_for_a_moment_as_one_that_is_turned(nights_part):
    turning = with_field(nights_part, "ALTAZ")
    start = float(turning.obs["tstart"].values[0])
    moment = reduce_block(turning, rows_in(turning, [0], start, start + 1.0), wanted(IMAGE))
    whole = reduce_block(turning, rows_in(turning, [0]), wanted(IMAGE))
    table = turning.table_of(int(turning.obs["bkg_table"].values[0]))
    pointing = [float(turning.obs[name].values[0]) for name in ("ra_pnt", "dec_pnt")]
    origin = np.array([moment["origin_v"].item(), moment["origin_u"].item()])

    def turned(angle):
        out = np.zeros((ENERGY.nbin, *IMAGE.shape), dtype=np.float32)
        [rates] = RateTable.read(table, turning.obs["bkg_row"].values[:1], ENERGY.edges)
        expected_in_window(rates, FieldOfView(*pointing, 1.0, (angle,)), IMAGE, origin, 1.0, out)
        return out

    found = planes(moment)[0] / moment["ontime"].item()
    off = [np.abs(turned(angle) - found).max() for angle in np.arange(0.0, 360.0, 15.0)]
    near = 15.0 * int(np.argmin(off))
    angles = near + np.linspace(-15.0, 15.0, 601)
    best = min(np.abs(turned(angle) - found).max() for angle in angles[::10])
    assert best < 0.02 * found.max() < 0.5 * max(off)
    # Over the whole run the field turns on.
    assert np.abs(planes(whole)[0] / whole["ontime"].item() - found).max() > 1e-4 * found.max()


def test_windows_do_not_depend_on_blocks_and_on_the_order_of_runs(nights_part):
    rows = rows_in(nights_part)
    whole = planes(reduce_block(nights_part, rows, wanted(IMAGE)))
    single = [planes(reduce_block(nights_part, rows[n : n + 1], wanted(IMAGE))) for n in range(7)]
    np.testing.assert_array_equal(whole, np.concatenate(single))
    back = planes(reduce_block(nights_part, rows_in(nights_part, list(range(7))[::-1]), wanted(IMAGE)))
    np.testing.assert_array_equal(back[::-1], whole)
    lazy = lazy_spectra([(nights_part, rows)], wanted(IMAGE))
    np.testing.assert_array_equal(planes(lazy), whole)


def test_directions_of_windows_are_cut_out_of_those_of_their_image():
    for own in np.array([[0, 0], [7, 4], [3, 9]]):
        found = np.einsum("ij,ivu->jvu", IMAGE.rotation, IMAGE.directions(own))
        expected = unit_vector(*IMAGE.positions(own)).T.reshape(3, *IMAGE.shape)
        np.testing.assert_allclose(found, expected, atol=1e-15)


def test_pixels_that_are_not_on_the_sky_have_no_background():
    space = SkySpace(83.0, 21.5, "icrs", 9.0, (40, 20), projection="AIT")
    out = np.full((3, *space.shape), np.nan, dtype=np.float32)
    rates = rates_of(cube(falling, half=25.0), np.geomspace(1, 20, 4))
    expected_in_window(rates, FieldOfView(83.0, 21.5), space, FIRST, 1.0, out)
    is_sky = np.isfinite(space.directions(FIRST)).all(axis=0)
    assert 0 < is_sky.sum() < is_sky.size
    assert not out[:, ~is_sky].any()
    assert out[:, is_sky].any()


def test_a_window_of_a_rate_by_offset(tmp_path):
    response = dataclasses.replace(TINY.response, background="bkg_2d")
    part = part_in_memory(release_of(dataclasses.replace(TINY, name="by-offset", response=response), tmp_path))
    rows = reduce_spectra(part, rows_in(part, [0]), wanted(IMAGE))
    pointing = [float(part.obs[name].values[0]) for name in ("ra_pnt", "dec_pnt")]
    lon, lat = IMAGE.positions(np.array([rows["origin_v"].item(), rows["origin_u"].item()]))
    circle = Circle(*(float(one) for one in from_field(0.8, 0.3, *pointing)), 0.05)
    region = reduce_spectra(part, rows_in(part, [0]), wanted(RegionSpace((circle,))))
    offset = separation(lon, lat, *pointing)
    same = np.flatnonzero(np.abs(offset - float(separation(*circle.center, *pointing))) < 0.01)
    found = planes(rows)[0].reshape(ENERGY.nbin, -1)[:, same].mean(axis=1) / IMAGE.solid_angles()[0].mean()
    np.testing.assert_allclose(found, region["background"].values[0, 0] / circle.solid_angle, rtol=0.01)


def test_a_rate_beside_none_is_interpolated_to_the_smallest_number_of_files():
    """As Gammapy does: half way between none and a rate is the geometric mean of it and 1.2e-38 s-1 MeV-1 sr-1."""
    table = cube(lambda energy, lon, lat: 4.0 * (lon > 0) + 0 * energy)
    edge = float(table["fov_lon"].values[5])
    at = {"fov_lon": np.array([[0.5 * edge, edge, 0.0]]), "fov_lat": np.zeros((1, 3))}
    found = background_rate(table, np.array([0]), at, np.array([1.0]))[0, :, 0]
    smallest = float(np.finfo(np.float32).tiny) * 1e6
    np.testing.assert_allclose(found[:2], [np.sqrt(4.0 * smallest), 4.0], rtol=1e-6)
    assert found[2] == 0


def test_public_runs_have_the_numbers_of_the_formula(gammapy_data):
    """H.E.S.S. and CTA-1DC, whose tables have entries without a rate."""
    for release, run, center in (
        ("hess-dl3-dr1", 20136, (228.529, -59.1575)),
        ("cta-1dc/index/gps", 110380, (266.4, -29.0)),
    ):
        runs, _ = read_runs([read_index(gammapy_data / release).runs[run]], lambda: None)
        part = part_of(runs, "public")
        table = part.table_of(int(part.obs["bkg_table"].values[0]))
        pointing = tuple(float(part.obs[name].values[0]) for name in ("ra_pnt", "dec_pnt"))
        space = SkySpace(*center, "icrs", 0.05, (120, 100))
        edges = np.geomspace(0.1, 60.0, 13)
        assert_near(*both(table, FieldOfView(*pointing), edges, 1, pointing, space))
