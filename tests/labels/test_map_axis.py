"""``MapAxis``: bins with units, as a user of Gammapy asks for them."""

import copy
import pickle
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st

from xgamma.axes import Axis
from xgamma.datasets import MapDataset, SpectrumDataset
from xgamma.errors import ConfigError
from xgamma.maps import Map, MapAxes, MapAxis, RegionGeom, WcsGeom
from xgamma.modeling.models import PowerLawSpectralModel

ENERGY = MapAxis.from_energy_bounds("1 TeV", "100 TeV", nbin=4)
OFFSET = MapAxis.from_edges([0, 1, 3, 4], unit="deg", name="offset")


def test_numbers_have_units():
    assert ENERGY.edges.unit == ENERGY.center.unit == ENERGY.bin_width.unit == ENERGY.unit == u.TeV
    np.testing.assert_allclose(ENERGY.edges.to_value("GeV"), [1e3, 1e3 * 10**0.5, 1e4, 1e4 * 10**0.5, 1e5])
    np.testing.assert_array_equal(ENERGY.edges_min, ENERGY.edges[:-1])
    np.testing.assert_array_equal(ENERGY.edges_max - ENERGY.edges_min, ENERGY.bin_width)
    np.testing.assert_array_equal(ENERGY.bounds, ENERGY.edges[[0, -1]])
    assert (ENERGY.nbin, ENERGY.nbin_per_decade, ENERGY.interp, ENERGY.node_type) == (4, 2.0, "log", "edges")
    assert [low < high for low, high in ENERGY.iter_by_edges] == [True] * 4
    assert (ENERGY.is_energy_axis, OFFSET.is_energy_axis) == (True, False)


def test_models_take_them_as_they_are():
    model = PowerLawSpectralModel(index=2)
    np.testing.assert_allclose(model(ENERGY.center), model.amplitude.quantity / ENERGY.center.value**2)
    assert (model.integral(ENERGY.edges_min, ENERGY.edges_max) > 0).all()


def test_the_plain_axis_has_the_same_bits_and_is_no_copy():
    axis = Axis.from_bounds("energy", 0.3, 70.0, 7)
    assert MapAxis.of(axis).plain is axis
    assert MapAxis.of(axis).edges.value.tobytes() == axis.edges.tobytes()
    assert MapAxis.of(ENERGY) is ENERGY
    assert WcsGeom.create(npix=3, axes=[axis]).axes.plain[0] is axis
    ENERGY.edges[0] = 7 * u.TeV
    assert ENERGY.edges[0] == 1 * u.TeV


def test_energies_are_kept_in_tev_and_other_numbers_in_their_unit():
    for axis in (
        MapAxis([100, 1000] * u.GeV, name="energy"),
        MapAxis.from_edges([100, 1000] * u.GeV, interp="log", name="energy"),
        MapAxis.from_energy_bounds(100, 1000, 1, unit="GeV"),
        MapAxis.from_bounds(100, 1000, nbin=1, unit=u.GeV, name="energy", interp="log"),
    ):
        np.testing.assert_allclose(axis.edges, [100, 1000] * u.GeV)
        assert axis.plain.unit == "TeV"
    assert MapAxis.from_edges([1, 2] * u.arcmin).unit == u.arcmin


def test_a_dataset_of_bins_in_another_unit_has_those_energies():
    axis = Axis("energy", np.array([100.0, 1e3, 1e4]), "GeV")
    spectrum = SpectrumDataset.create(RegionGeom.create(None, axes=[axis]))
    image = MapDataset.create(WcsGeom.create(npix=4, binsz=0.1, axes=[axis]))
    for made in (spectrum, image):
        np.testing.assert_allclose(made.energy_axis.edges, [0.1, 1, 10])
        assert made.energy_axis.unit == "TeV"


@given(st.floats(1.0, 99.9))
def test_a_place_in_bins_and_back_is_the_value(energy):
    assert ENERGY.pix_to_coord(ENERGY.coord_to_pix(energy * u.TeV)).to_value("TeV") == pytest.approx(energy)
    found = int(ENERGY.coord_to_idx(energy * u.TeV)[0])
    assert ENERGY.edges[found] * (1 - 1e-9) <= energy * u.TeV < ENERGY.edges[found + 1] * (1 + 1e-9)


def test_values_outside_are_in_no_bin_or_in_the_nearest():
    values = [0.5, 1, 100, 200] * u.TeV
    assert ENERGY.coord_to_idx(values).tolist() == [-1, 0, -1, -1]
    assert ENERGY.coord_to_idx(values, clip=True).tolist() == [0, 0, 3, 3]
    assert OFFSET.coord_to_idx([-1, 0, 2, 3.5, 4, np.nan], clip=True).tolist() == [0, 0, 1, 2, 2, 0]
    assert OFFSET.coord_to_idx([-1, 0, 2, 3.5, 4, np.nan]).tolist() == [-1, 0, 1, 2, -1, -1]
    assert np.isnan(ENERGY.pix_to_coord([-2, 9])).all()
    with pytest.raises(ConfigError, match=r"energy: expected values in TeV, got <Quantity 3\. deg>"):
        ENERGY.coord_to_idx(3 * u.deg)


def test_edges_are_moved_to_the_nearest():
    np.testing.assert_array_equal(ENERGY.round([0.1, 1.2, 80, 500] * u.TeV), ENERGY.edges[[0, 0, 4, 4]])
    np.testing.assert_array_equal(OFFSET.round([0.4, 2.1] * u.deg), [0, 3] * u.deg)
    table = ENERGY.group_table([3, 35] * u.TeV)
    assert table.colnames == ["group_idx", "energy_min", "energy_max", "idx_min", "idx_max", "bin_type"]
    assert table["bin_type"].tolist() == ["underflow", "normal   ", " overflow"]
    assert (table["idx_min"].tolist(), table["idx_max"].tolist()) == ([0, 1, 3], [0, 2, 3])
    np.testing.assert_array_equal(table["energy_min"].quantity, ENERGY.edges[[0, 1, 3]])
    assert len(ENERGY.group_table(ENERGY.edges)) == 4
    with pytest.raises(ConfigError, match=r"^Axis 'energy': there is no bin between "):
        ENERGY.group_table([1, 1.1] * u.TeV)


def test_axes_are_cut_joined_and_named():
    np.testing.assert_array_equal(ENERGY.slice(slice(1, 3)).edges, ENERGY.edges[1:4])
    np.testing.assert_array_equal(ENERGY.slice(-1).edges, ENERGY.edges[3:])
    np.testing.assert_array_equal(ENERGY.downsample(2).edges, ENERGY.edges[::2])
    assert ENERGY.upsample(2).downsample(2).is_allclose(ENERGY)
    assert ENERGY.squash().nbin == 1
    assert ENERGY.rename("energy_true").name == "energy_true"
    first, second = ENERGY.slice(slice(0, 2)), ENERGY.slice(slice(2, 4))
    assert first.concatenate(second) == MapAxis.from_stack([first, second]) == ENERGY
    with pytest.raises(
        ConfigError, match="expected axes that follow each other, got one to 100 TeV and one from 1 TeV"
    ):
        second.concatenate(first)


@pytest.mark.parametrize("axis", [ENERGY, OFFSET, MapAxis.from_nodes([1, 2, 4], "log", "deg", "rad")])
def test_copies_are_equal(axis):
    for one in (axis.copy(), copy.copy(axis), pickle.loads(pickle.dumps(axis))):
        assert one == axis
        assert hash(one) == hash(axis)
    assert axis.copy(name="other").name == "other"
    assert axis != axis.copy(name="other")
    assert MapAxis(axis.plain.edges, axis.interp, axis.name, unit=axis.unit).is_allclose(axis.copy())


def test_nodes_are_centres():
    nodes = MapAxis([1, 2, 4], node_type="center", unit="deg", name="rad")
    assert nodes.center.value.tolist() == [1, 2, 4]
    assert nodes.node_type == "center"
    evenly = MapAxis.from_bounds(0, 1, nbin=3, unit="deg", node_type="center")
    assert evenly.center.value.tolist() == [0, 0.5, 1]
    with pytest.raises(ConfigError, match="expected a node_type of edges or center, got 'edge'"):
        MapAxis([1, 2], node_type="edge")


def test_axes_of_a_map_hand_out_the_same():
    axes = MapAxes([OFFSET, ENERGY])
    assert (axes.names, axes.shape, axes.array_shape) == (["offset", "energy"], (3, 4), (4, 3))
    assert [axis.edges.unit for axis in axes] == [u.deg, u.TeV]
    assert axes["energy"] is axes[1] is ENERGY
    assert axes.drop("energy").names == ["offset"]
    assert axes.rename_axes("energy", "energy_true").names == ["offset", "energy_true"]
    assert axes.replace(ENERGY.squash()).shape == (3, 1)
    assert axes.upsample(2, "energy").downsample(4, "energy").shape == (3, 2)
    assert axes.slice_by_idx({"energy": slice(1, 3), "offset": 0}).shape == (2,)
    assert (axes.is_flat, axes.squash("energy").squash("offset").is_flat) == (False, True)
    assert axes.drop("offset").primary_axis is ENERGY
    with pytest.raises(ConfigError, match="primary_axis: expected one axis, got offset, energy"):
        _ = axes.primary_axis


def test_a_map_is_made_of_parts_along_an_axis():
    whole = Map.create(npix=3, axes=[ENERGY], unit="s")
    whole.data += np.arange(4.0)[:, None, None]
    parts = [whole.slice_by_idx({"energy": slice(*ends)}) for ends in ((0, 1), (1, 4))]
    assert Map.from_stack(parts, axis_name="energy").is_allclose(whole)
    with pytest.raises(ConfigError, match="expected axis, one that the maps do not have, or axis_name"):
        Map.from_stack(parts)


def test_pictures_take_them():
    figure, ax = plt.subplots()
    ENERGY.format_plot_xaxis(ax)
    OFFSET.format_plot_yaxis(ax)
    assert (ax.get_xscale(), ax.get_yscale()) == (ENERGY.as_plot_scale, OFFSET.as_plot_scale) == ("log", "linear")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Energy [TeV]", "Offset from the pointing [deg]")
    points = ax.errorbar(ENERGY.as_plot_center, [1, 2, 3, 4], xerr=ENERGY.as_plot_xerr)
    np.testing.assert_allclose(points.lines[0].get_xdata(orig=False), ENERGY.center.value)
    below, above = ENERGY.as_plot_xerr
    np.testing.assert_allclose(below + above, ENERGY.bin_width)
    assert ENERGY.as_plot_labels[0] == "1.00e+00 TeV - 3.16e+00 TeV"
    plt.close(figure)
    figure = MapAxes([ENERGY, OFFSET]).peek()
    assert [ax.get_title() for ax in figure.axes] == ["4 bins (log), 1 to 100 TeV", "3 bins (lin), 0 to 4 deg"]
    assert [ax.get_title() for ax in OFFSET.peek().axes] == ["3 bins (lin), 0 to 4 deg"]
    plt.close("all")


def test_a_name_of_gammapy_that_is_not_here_says_what_to_do():
    said = "MapAxis.to_table is not part of this version of xgamma: "
    with pytest.raises(AttributeError, match=re.escape(said)):
        _ = ENERGY.to_table
    with pytest.raises(AttributeError, match="'MapAxis' object has no attribute 'edge'"):
        _ = ENERGY.edge
