"""The IRF room: look-up in tables, and containment and dispersion against the formulas of the simulator."""

import dataclasses

import numpy as np
import pytest
import xarray as xr
from scipy.special import ndtr

from xgamma.axes import Axis
from xgamma.irf import CONTAINMENT, edisp_kernel, effective_area, interpolation_weights, read_table
from xgamma.simulate import AnalyticResponse
from xgamma.simulate.responses import analytic_area as true_area
from xgamma.simulate.responses import containment, log_migration, psf_width
from xgamma.simulate.tables import MIGRA, response_tables

RESPONSE = AnalyticResponse()
PSFS = ["psf_table", "psf_3gauss", "psf_king"]


def table_of(kind, response=RESPONSE, efficiencies=(1.0,)):
    """Return a response as a stored table: dims (irf, offset, ..., energy_true), single precision as in files."""
    tables = [
        next(table for table in response_tables(response, efficiency) if table.kind == kind)
        for efficiency in efficiencies
    ]
    axes = {axis.name: axis for axis in tables[0].axes}
    order = ["offset", *(name for name in axes if name not in ("offset", "energy_true")), "energy_true"]
    coords = {}
    for axis in axes.values():
        coords |= axis.coords()
    places = [list(axes).index(name) for name in order]
    variables = {
        name: (("irf", *order), np.stack([table.values[name].transpose(places) for table in tables]).astype(np.float32))
        for name in tables[0].values
    }
    return xr.Dataset(variables, coords, {"hdu_class": kind})


def at(table, offset, rows=None):
    """Return the responses as a block reads them: one row for each offset, one region."""
    offset = np.atleast_1d(offset).astype(float)[:, None]
    return read_table(table, np.zeros(len(offset), int) if rows is None else np.array(rows), offset)


def nodes(table, name):
    return Axis.from_coords(table.coords, name).center


def edges(table, name):
    return Axis.from_coords(table.coords, name).edges


# --- interpolation


def test_interpolation_at_the_nodes_is_the_table():
    table = table_of("aeff_2d")
    offset, energy = nodes(table, "offset"), nodes(table, "energy_true")
    found = effective_area(at(table, offset), energy)
    assert found.shape == (len(offset), 1, len(energy))
    np.testing.assert_allclose(found[:, 0], table["aeff"].values[0], rtol=1e-12)


def test_each_row_is_read_from_its_own_response():
    table = table_of("aeff_2d", efficiencies=(1.0, 0.5, 0.25))
    energy = np.array([0.7, 3.0, 12.0])
    one = effective_area(at(table, [0.4, 0.4, 0.4, 0.4], rows=[2, 0, 1, 0]), energy)[:, 0]
    np.testing.assert_allclose(one / one[1], np.array([[0.25], [1.0], [0.5], [1.0]]) * np.ones(3), rtol=1e-6)


def test_scattered_rows_are_read_as_neighbours_are():
    table = table_of("aeff_2d", efficiencies=tuple(np.linspace(1, 2, 12)))
    energy = np.array([0.7, 3.0])
    rows = [0, 11, 3]
    apart = effective_area(at(table, [0.1, 0.7, 1.9], rows), energy)
    near = [effective_area(at(table, offset, [row]), energy) for offset, row in zip([0.1, 0.7, 1.9], rows, strict=True)]
    np.testing.assert_array_equal(apart, np.concatenate(near))


def test_interpolation_between_nodes_is_linear_in_offset_and_log_energy():
    table = table_of("aeff_2d")
    offset, energy = nodes(table, "offset"), nodes(table, "energy_true")
    stored = table["aeff"].values[0].astype(float)
    middle_offset, middle_energy = 0.5 * (offset[2] + offset[3]), np.sqrt(energy[10] * energy[11])
    found = effective_area(at(table, middle_offset), np.array([middle_energy]))[0, 0, 0]
    assert found == pytest.approx(stored[2:4, 10:12].mean(), rel=1e-9)


def test_interpolation_between_last_node_and_edge_is_extrapolated_linearly():
    table = table_of("aeff_2d")
    offset, energy = nodes(table, "offset"), nodes(table, "energy_true")
    stored = table["aeff"].values[0].astype(float)
    beyond = 0.3 * edges(table, "offset")[-1] + 0.7 * offset[-1]
    assert beyond > offset[-1]
    share = (beyond - offset[-2]) / (offset[-1] - offset[-2])
    found = effective_area(at(table, beyond), energy)[0, 0]
    np.testing.assert_allclose(found, np.maximum(stored[-2] + share * (stored[-1] - stored[-2]), 0), rtol=1e-9)
    high = edges(table, "energy_true")[-1]
    slope = (np.log(high) - np.log(energy[-2])) / (np.log(energy[-1]) - np.log(energy[-2]))
    found = effective_area(at(table, offset[1]), np.array([high]))[0, 0, 0]
    assert found == pytest.approx(stored[1, -2] + slope * (stored[1, -1] - stored[1, -2]), rel=1e-9)


def test_an_extrapolation_below_zero_is_zero():
    table = table_of("aeff_2d")
    steep = np.zeros_like(table["aeff"].values)
    steep[:, -2] = 1.0
    table["aeff"].values[:] = steep
    beyond = edges(table, "offset")[-1]
    assert np.all(effective_area(at(table, beyond), nodes(table, "energy_true")) == 0)


@pytest.mark.parametrize("side", [0, -1])
def test_interpolation_outside_the_edges_is_zero(side):
    table = table_of("aeff_2d")
    outward = np.nextafter(edges(table, "energy_true")[side], -np.inf if side == 0 else np.inf)
    found = effective_area(at(table, 0.5), np.array([outward, 1.0]))[0, 0]
    assert found[0] == 0
    assert found[1] > 0
    far = np.nextafter(edges(table, "offset")[-1], np.inf)
    assert np.all(effective_area(at(table, far), np.array([1.0])) == 0)


def test_interpolation_agrees_with_the_formula_of_the_simulator():
    table = table_of("aeff_2d")
    energy = np.geomspace(0.3, 50, 40)
    found = effective_area(at(table, [0.0, 0.4, 1.1]), energy)[:, 0]
    wanted = true_area(RESPONSE, energy, np.array([[0.0], [0.4], [1.1]]))
    np.testing.assert_allclose(found, wanted, rtol=2e-2)


def test_one_node_is_a_constant():
    axis = Axis.from_nodes("offset", [0.5], "deg", "lin")
    weights = interpolation_weights(axis, [0.3, 0.5, 0.8])
    assert weights.upper.tolist() == [0, 0, 0]
    assert weights.inside.tolist() == [True, True, False]


# --- unknown values


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["aeff_2d", "edisp_2d", *PSFS])
def test_what_is_not_finite_is_nan_where_it_has_a_weight_and_nowhere_else(kind, value):
    response = dataclasses.replace(RESPONSE, psf=kind) if kind in PSFS else RESPONSE
    table = table_of(kind, response)
    offset, energy = nodes(table, "offset"), nodes(table, "energy_true")

    def evaluated():
        found = at(table, [offset[1], 0.5 * (offset[0] + offset[1]), 0.5 * (offset[1] + offset[2])])
        if kind in PSFS:
            return CONTAINMENT[kind](found, energy, np.array([0.11]))[:, 0]
        if kind == "aeff_2d":
            return effective_area(found, energy)[:, 0]
        return edisp_kernel(found, energy, np.geomspace(0.5, 30, 9))[:, 0].sum(axis=-1)

    whole = evaluated()
    for name in table.data_vars:
        table[name].values[:, 0] = value
        table[name].values[:, 1:, ..., 9] = value
    found, wanted = evaluated(), whole.copy()
    wanted[:, 9], wanted[1] = np.nan, np.nan
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("kind", ["edisp_2d", *PSFS])
def test_a_response_without_any_entry_is_unknown(kind):
    table = table_of(kind, dataclasses.replace(RESPONSE, psf=kind) if kind in PSFS else RESPONSE)
    for name in table.data_vars:
        table[name].values[..., :4] = 1 if name.startswith("sigma") and kind != "psf_king" else 0
    energy = nodes(table, "energy_true")[:6]
    if kind == "edisp_2d":
        found = edisp_kernel(at(table, 0.5), energy, np.geomspace(0.01, 300, 4))[0, 0, :, 0]
    else:
        found = CONTAINMENT[kind](at(table, 0.5), energy, np.array([0.11]))[0, 0]
    assert np.isnan(found).tolist() == [True] * 4 + [False] * 2


# --- containment


@pytest.mark.parametrize("kind", PSFS)
def test_containment_at_the_nodes_is_that_of_the_simulator(kind):
    response = dataclasses.replace(RESPONSE, psf=kind)
    table = table_of(kind, response)
    energy, offset = nodes(table, "energy_true"), nodes(table, "offset")
    radius = 0.11
    found = CONTAINMENT[kind](at(table, offset), energy, np.array([radius]))[:, 0]
    wanted = containment(response, psf_width(response, energy, offset[:, None]), radius)
    assert found.shape == (len(offset), len(energy))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert 0.4 < wanted.min() < wanted.max() < 1


@pytest.mark.parametrize(("kind", "tolerance"), [("psf_table", 3e-3), ("psf_3gauss", 1e-5), ("psf_king", 1e-5)])
def test_containment_between_the_nodes_is_that_of_the_simulator(kind, tolerance):
    """Widths are linear in log energy and offset: analytic tables are exact, a tabulated profile is interpolated."""
    response = dataclasses.replace(RESPONSE, psf=kind)
    table = table_of(kind, response)
    energy, offset = np.geomspace(0.1, 60, 37), np.array([0.13, 0.7, 1.31])
    for radius in (0.06, 0.11, 0.2):
        found = CONTAINMENT[kind](at(table, offset), energy, np.array([radius]))[:, 0]
        wanted = containment(response, psf_width(response, energy, offset[:, None]), radius)
        np.testing.assert_allclose(found, wanted, rtol=tolerance)


@pytest.mark.parametrize("kind", PSFS)
def test_each_region_has_the_containment_of_its_radius(kind):
    response = dataclasses.replace(RESPONSE, psf=kind)
    table = table_of(kind, response)
    energy, radius = np.array([0.5, 5.0]), np.array([0.05, 0.11, 0.3])
    both = CONTAINMENT[kind](read_table(table, np.zeros(1, int), np.full((1, 3), 0.5)), energy, radius)
    alone = [CONTAINMENT[kind](at(table, 0.5), energy, radius[[number]])[:, 0] for number in range(3)]
    np.testing.assert_allclose(both[0], np.concatenate(alone), rtol=1e-12)
    assert np.all(np.diff(both[0], axis=0) > 0)


def test_a_component_of_width_zero_adds_nothing():
    table = table_of("psf_3gauss", dataclasses.replace(RESPONSE, psf="psf_3gauss"))
    for name in ("ampl_2", "ampl_3", "sigma_2", "sigma_3"):
        table[name].values[:] = 0
    energy = np.array([1.0])
    found = CONTAINMENT["psf_3gauss"](at(table, 0.0), energy, np.array([0.1]))[0, 0, 0]
    assert found == pytest.approx(-np.expm1(-0.5 * (0.1 / psf_width(RESPONSE, 1.0, 0.0)) ** 2), rel=1e-5)


# --- energy dispersion


def true_kernel(energy_true, offset, energy_edges):
    """Integrate the simulator's migration, which is cut at the ends of the table and normalised there."""
    mean, width = log_migration(RESPONSE, energy_true, offset)

    def cumulative(migra):
        return ndtr((np.log(np.clip(migra, MIGRA.edges[0], MIGRA.edges[-1])) - mean[:, None]) / width[:, None])

    total = cumulative(np.full((1, 1), 3.0)) - cumulative(np.full((1, 1), 0.2))
    return np.diff(cumulative(energy_edges / energy_true[:, None]), axis=1) / total


def test_the_kernel_is_exact_where_edges_meet_edges():
    table = table_of("edisp_2d")
    energy = nodes(table, "energy_true")[[20]]
    energy_edges = MIGRA.edges[::8] * energy
    found = edisp_kernel(at(table, nodes(table, "offset")[1]), energy, energy_edges)[0, 0]
    wanted = true_kernel(energy, nodes(table, "offset")[1], energy_edges)
    np.testing.assert_allclose(found, wanted, atol=2e-7)


@pytest.mark.parametrize("offset", [0.0, 0.5, 1.2])
def test_the_kernel_is_the_integral_of_the_migration(offset):
    table = table_of("edisp_2d")
    energy = np.geomspace(0.3, 50, 30)
    energy_edges = np.geomspace(0.5, 30, 13)
    found = edisp_kernel(at(table, offset), energy, energy_edges)[0, 0]
    np.testing.assert_allclose(found, true_kernel(energy, offset, energy_edges), atol=2e-3)


def test_rows_of_the_kernel_sum_to_at_most_one_and_to_one_on_a_wide_axis():
    table = table_of("edisp_2d")
    energy = np.geomspace(0.06, 90, 60)
    found = edisp_kernel(at(table, [0.0, 0.9, 2.4]), energy, np.geomspace(0.5, 30, 21))
    total = found.sum(axis=-1)
    assert np.all(total <= 1 + 1e-12)
    assert np.all(found >= 0)
    seen = (energy > 3) & (energy < 9)
    np.testing.assert_allclose(total[:, 0, seen], 1.0, rtol=1e-12)
    assert total[0, 0, 0] < 1e-6


def test_a_kernel_outside_the_offsets_of_its_table_is_unknown():
    table = table_of("edisp_2d")
    far = edges(table, "offset")[-1] + 0.01
    assert np.isnan(edisp_kernel(at(table, far), np.array([1.0]), np.array([0.1, 10.0]))).all()


def test_finer_bins_add_up_to_coarser_ones():
    table = table_of("edisp_2d")
    energy, fine = np.geomspace(0.3, 50, 11), np.geomspace(0.5, 30, 25)
    found = edisp_kernel(at(table, 0.5), energy, fine)[0, 0]
    coarse = edisp_kernel(at(table, 0.5), energy, fine[::4])[0, 0]
    np.testing.assert_allclose(found.reshape(11, 6, 4).sum(axis=-1), coarse, atol=1e-12)
