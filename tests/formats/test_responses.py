"""Responses of different layouts give equal numbers, or raise where their axes are ambiguous."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_responses import (
    KINDS,
    fits_table,
    hdu_of,
    in_columns,
    is_array,
    read,
    same,
    table_of,
    transposed,
    with_columns,
    with_header,
)

from xgamma.errors import InputError
from xgamma.formats.gadf.responses import response

ORDERS = {
    "aeff_2d": ("THETA", "ENERG"),
    "edisp_2d": ("THETA", "MIGRA", "ENERG"),
    "psf_table": ("RAD", "THETA", "ENERG"),
    "psf_3gauss": ("THETA", "ENERG"),
    "psf_king": ("THETA", "ENERG"),
    "bkg_2d": ("THETA", "ENERG"),
    "rad_max_2d": ("THETA", "ENERG"),
}
ENERGY_UNITS = {"GeV": 1e3, "GEV": 1e3, "MeV": 1e6, "eV": 1e12, "TEV": 1.0}
ANGLE_UNITS = {"rad": np.pi / 180, "arcmin": 60.0, "degrees": 1.0, "arcsec": 3600.0}
VALUE_UNITS = {
    "EFFAREA": {"cm2": 1e4, "km2": 1e-6, "m^2": 1.0, "m**2": 1.0, "M2": 1.0},
    "RPSF": {"deg-2": (np.pi / 180) ** 2, "1/arcmin2": (np.pi / 180 / 60) ** 2, "sr^(-1)": 1.0, "1/sr": 1.0},
    "SIGMA_1": {"rad": np.pi / 180, "arcmin": 60.0},
    "SIGMA": {"rad": np.pi / 180, "arcmin": 60.0},
    "RAD_MAX": {"rad": np.pi / 180, "arcmin": 60.0},
    "MATRIX": {"1": 1.0, "none": 1.0},
    "BKG": {"1/s/MeV/sr": 1.0, "1/s/TeV/sr": 1e6, "s-1 GeV-1 deg-2": 1e3 * (np.pi / 180) ** 2, "": 1.0},
}


def cref(hdu, *prefixes):
    axes = ",".join(f"{prefix}_LO:{prefix}_HI" for prefix in prefixes)
    return with_header(hdu, {f"CREF{n}": f"({axes})" for n, c in enumerate(hdu.columns, 1) if is_array(c)})


def scaled(hdu, names, unit, factor):
    def change(column):
        is_one = column.name in names
        values = np.asarray(column.values * factor, column.values.dtype)
        return dataclasses.replace(column, values=values, unit=unit) if is_one else column

    return with_columns(hdu, change)


def replaced(hdu, **values):
    def change(column):
        return dataclasses.replace(column, values=np.asarray(values.get(column.name, column.values)))

    return with_columns(hdu, change)


def edges_of(hdu, prefix):
    return [column.values[0] for column in hdu.columns if column.name in (f"{prefix}_LO", f"{prefix}_HI")]


def as_nodes(hdu, prefix, shift=0.0):
    low, high = edges_of(hdu, prefix)
    middle = (0.5 * (low + high) + shift)[None]
    return replaced(hdu, **{f"{prefix}_LO": middle, f"{prefix}_HI": middle})


# --- orders


@pytest.mark.parametrize("kind", KINDS)
def test_responses_of_the_simulator_are_read_with_equal_values(kind):
    found, table = read(kind, hdu_of(kind)), table_of(kind)
    given = {axis.name: axis for axis in table.axes}
    order = [list(given).index(axis.name) for axis in found.axes]
    if kind == "bkg_3d":
        order = [2, 1, 0]
    for name, values in found.values.items():
        factor = 1e6 if kind.startswith("bkg") else 1.0
        np.testing.assert_allclose(values, table.values[name].transpose(order) * factor, rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("kind", ORDERS)
def test_cref_decides_over_the_order_of_columns(kind):
    usual = hdu_of(kind)
    moved = in_columns(usual, ORDERS[kind])
    same(read(kind, cref(moved, *_prefixes(usual))), read(kind, usual), 0)


@pytest.mark.parametrize("kind", ORDERS)
def test_arrays_in_another_order_are_read_by_cref(kind):
    usual = hdu_of(kind)
    names = _prefixes(usual)[::-1]
    same(read(kind, cref(transposed(usual), *names)), read(kind, usual), 0)


@pytest.mark.parametrize("kind", ORDERS)
def test_arrays_in_the_order_of_their_columns_are_read_by_those(kind):
    usual = hdu_of(kind)
    same(read(kind, in_columns(transposed(usual), _prefixes(usual)[::-1])), read(kind, usual), 0)


@pytest.mark.parametrize("kind", ["aeff_2d", "edisp_2d", "psf_table"])
def test_columns_moved_by_a_tool_do_not_matter_where_sizes_tell(kind):
    usual = hdu_of(kind)
    same(read(kind, in_columns(usual, ORDERS[kind])), read(kind, usual), 0)


@pytest.mark.parametrize("kind", ORDERS)
def test_raises_when_tdim_contradicts_cref(kind):
    usual = hdu_of(kind)
    with pytest.raises(InputError, match=r"has the sizes .* \(TDIM\) where its axes are .* \(CREF\)"):
        read(kind, cref(transposed(usual), *_prefixes(usual)))


@pytest.mark.parametrize("kind", ORDERS)
def test_raises_when_tdim_contradicts_the_columns(kind):
    with pytest.raises(InputError, match=r"the order of its columns\); correct the file"):
        read(kind, transposed(hdu_of(kind)))


@pytest.mark.parametrize("kind", ["edisp_2d", "psf_table", "aeff_2d"])
def test_an_array_without_tdim_is_read_in_the_order_of_cref_or_columns(kind):
    usual = hdu_of(kind)
    flat = with_columns(usual, lambda c: dataclasses.replace(c, values=c.values.reshape(1, -1)) if is_array(c) else c)
    same(read(kind, flat), read(kind, usual), 0)
    same(read(kind, cref(flat, *_prefixes(usual))), read(kind, usual), 0)


def _square(offsets=10):
    """Return an area of as many offsets as energies."""
    hdu = hdu_of("aeff_2d")
    theta = np.linspace(0, 2.5, offsets, dtype="f4")[None]
    area = np.asarray(1e5 * np.arange(1, offsets + 1)[:, None] + np.arange(10), "f4")[None]
    return replaced(hdu, THETA_LO=theta, THETA_HI=theta, EFFAREA=area)


def test_a_square_is_read_by_cref_and_else_only_in_the_usual_order():
    usual = read("aeff_2d", _square())
    assert usual.values["aeff"][3, 7] == 4e5 + 7
    moved = in_columns(_square(), ("THETA", "ENERG"))
    same(read("aeff_2d", cref(moved, "ENERG", "THETA")), usual, 0)
    same(read("aeff_2d", cref(transposed(moved), "THETA", "ENERG")), usual, 0)
    with pytest.raises(InputError, match=r"can be read in two ways, .* no CREF; add one to its header"):
        read("aeff_2d", moved)


def test_a_cref_that_names_other_columns_is_no_cref():
    same(read("aeff_2d", cref(hdu_of("aeff_2d"), "ENERG", "PARSNIP")), read("aeff_2d", hdu_of("aeff_2d")), 0)


def test_cubes_with_energy_first_are_those_with_energy_last():
    usual = hdu_of("bkg_3d")
    same(read("bkg_3d", transposed(usual)), read("bkg_3d", cref(transposed(usual), "ENERG", "DETY", "DETX")), 0)
    assert read("bkg_3d", transposed(usual)).values["bkg"].shape == (10, 30, 30)


def test_a_cube_with_unequal_sides_keeps_longitude_and_latitude():
    usual = hdu_of("bkg_3d")
    array = next(column.values for column in usual.columns if is_array(column))
    low, high = (edge[None, :20] for edge in edges_of(usual, "DETY"))
    narrow = replaced(usual, DETY_LO=low, DETY_HI=high, BKG=np.ascontiguousarray(array[:, :, :20, :]))
    assert read("bkg_3d", narrow).values["bkg"].shape == (10, 30, 20)
    np.testing.assert_allclose(read("bkg_3d", narrow).values["bkg"], array[0, :, :20, :].transpose(0, 2, 1) * 1e6)


def _prefixes(hdu):
    return [column.name.removesuffix("_LO") for column in hdu.columns if column.name.endswith("_LO")]


# --- axes


@pytest.mark.parametrize("prefix", ["ETRUE", "ENERGY"])
@pytest.mark.parametrize("kind", KINDS)
def test_energy_columns_are_read_under_each_of_their_names(kind, prefix):
    named = with_columns(hdu_of(kind), lambda c: dataclasses.replace(c, name=c.name.replace("ENERG_", f"{prefix}_")))
    same(read(kind, named), read(kind, hdu_of(kind)), 0)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "bkg_3d"])
@pytest.mark.parametrize("prefix", ["ENERG", "THETA"])
def test_descending_axes_are_reversed_with_their_values(kind, prefix):
    usual = hdu_of(kind)
    place = _prefixes(usual)[::-1].index(prefix)

    def turn(column):
        values = column.values
        if is_array(column):
            values = np.flip(values, place + 1)
        elif column.name.startswith(prefix):
            values = np.flip(values, 1)
        return dataclasses.replace(column, values=np.ascontiguousarray(values))

    found = read(kind, with_columns(usual, turn))
    same(found, read(kind, usual), 0)
    assert len(found.remarks) == 1
    assert found.remarks[0].endswith("descends; it is turned with its values.")


def test_bins_with_gaps_or_overlaps_are_nodes_at_their_centres():
    usual = hdu_of("aeff_2d")
    low, high = edges_of(usual, "ENERG")
    apart = replaced(usual, ENERG_LO=(low * 1.05)[None], ENERG_HI=(high / 1.05)[None])
    found, wanted = read("aeff_2d", apart), read("aeff_2d", usual)
    np.testing.assert_allclose(found.axes[1].center, wanted.axes[1].center, rtol=1e-6)
    np.testing.assert_allclose(found.axes[1].edges[1:-1], wanted.axes[1].edges[1:-1], rtol=1e-6)
    np.testing.assert_array_equal(found.values["aeff"], wanted.values["aeff"])


@pytest.mark.parametrize(("kind", "prefix"), [("psf_table", "RAD"), ("edisp_2d", "MIGRA")])
def test_raises_when_bins_of_a_density_do_not_touch(kind, prefix):
    low, high = edges_of(hdu_of(kind), prefix)
    apart = replaced(hdu_of(kind), **{f"{prefix}_LO": low[None], f"{prefix}_HI": (low + 0.5 * (high - low))[None]})
    with pytest.raises(InputError, match="bins that do not touch"):
        read(kind, apart)


def from_ring(hdu, first):
    """Return a point spread function without its first rings."""
    low, high = edges_of(hdu, "RAD")
    values = next(column.values for column in hdu.columns if is_array(column))
    return replaced(hdu, RAD_LO=low[None, first:], RAD_HI=high[None, first:], RPSF=values[:, first:])


def test_a_missing_core_has_the_density_of_the_first_ring():
    usual = hdu_of("psf_table")
    assert read("psf_table", from_ring(usual, 1)).axes[1].edges[:2].tolist() == [0.0, pytest.approx(0.01)]
    with pytest.raises(InputError, match=r"begins at 0\.02 deg: what is nearer to the centre is not known"):
        read("psf_table", from_ring(usual, 4))


def test_single_nodes_and_single_bins_of_offset_are_read():
    usual = hdu_of("aeff_2d")
    area = next(column.values for column in usual.columns if column.name == "EFFAREA")[:, :1]
    one = {"THETA_LO": [[0.5]], "THETA_HI": [[0.5]]}
    node = read("aeff_2d", replaced(usual, **one, EFFAREA=area))
    assert (node.axes[0].center.tolist(), node.values["aeff"].shape) == ([0.5], (1, 10))
    wide = read("aeff_2d", replaced(usual, **{**one, "THETA_LO": [[0.3]], "THETA_HI": [[0.7]]}, EFFAREA=area[:, 0]))
    np.testing.assert_allclose(wide.axes[0].edges, [0.3, 0.7])
    np.testing.assert_array_equal(wide.values["aeff"], node.values["aeff"])


BROKEN_AXES = {
    "begins at": lambda low, high: (np.log10(low), np.log10(high)),
    "does not ascend": lambda low, high: (low[[1, 0, *range(2, len(low))]], high),
    "all finite; got": lambda low, high: (np.where(np.arange(len(low)) == 2, np.nan, low), high),
    "as many lower as upper edges": lambda low, high: (low, np.where(np.arange(len(low)) == 9, np.inf, high)),
}


@pytest.mark.parametrize("words", BROKEN_AXES)
def test_raises_for_edges_that_form_no_axis(words):
    low, high = (side[None] for side in BROKEN_AXES[words](*edges_of(hdu_of("aeff_2d"), "ENERG")))
    with pytest.raises(InputError, match=words):
        read("aeff_2d", replaced(hdu_of("aeff_2d"), ENERG_LO=low, ENERG_HI=high))


def test_raises_for_the_axes_of_another_class():
    short = dataclasses.replace(hdu_of("aeff_2d"), columns=hdu_of("aeff_2d").columns[2:])
    with pytest.raises(InputError, match=r"has the axes \['offset'\]; expected"):
        read("aeff_2d", short)


# --- units and precision


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unit", ENERGY_UNITS)
def test_energies_in_another_unit_are_the_same(kind, unit):
    found = read(kind, scaled(hdu_of(kind), ("ENERG_LO", "ENERG_HI"), unit, ENERGY_UNITS[unit]))
    same(found, read(kind, hdu_of(kind)), 1e-6)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "bkg_3d"])
@pytest.mark.parametrize("unit", ANGLE_UNITS)
def test_offsets_in_another_unit_are_the_same(kind, unit):
    found = read(kind, scaled(hdu_of(kind), ("THETA_LO", "THETA_HI"), unit, ANGLE_UNITS[unit]))
    same(found, read(kind, hdu_of(kind)), 1e-6)


@pytest.mark.parametrize(
    ("kind", "column", "unit"),
    [
        (kind, column.name, unit)
        for kind in KINDS
        for column in hdu_of(kind).columns
        for unit in VALUE_UNITS.get(column.name, ())
    ],
)
def test_values_in_another_unit_are_the_same(kind, column, unit):
    found = read(kind, scaled(hdu_of(kind), (column,), unit, VALUE_UNITS[column][unit]))
    same(found, read(kind, hdu_of(kind)), 1e-6)


@pytest.mark.parametrize(
    ("kind", "column", "unit"),
    [
        ("aeff_2d", "EFFAREA", "s"),
        ("aeff_2d", "ENERG_LO", "log10(TeV)"),
        ("aeff_2d", "THETA_LO", "none"),
        ("edisp_2d", "MATRIX", "TeV-1"),
        ("psf_table", "RPSF", "parsnip"),
        ("bkg_3d", "BKG", "TeV-1 sr-1 transit-1"),
    ],
)
def test_raises_for_a_unit_of_another_dimension_and_names_the_column(kind, column, unit):
    with pytest.raises(InputError, match=rf"HDU '\w+': the column {column} has the unit"):
        read(kind, scaled(hdu_of(kind), (column,), unit, 1))


def test_columns_without_a_unit_are_read_in_the_default_unit_with_a_note():
    bare = scaled(hdu_of("aeff_2d"), ("EFFAREA", "THETA_LO"), "", 1)
    assert read("aeff_2d", bare).remarks == (
        "Its column THETA_LO has no unit; deg is assumed.",
        "Its column EFFAREA has no unit; m2 is assumed.",
    )
    assert read("aeff_2d", hdu_of("aeff_2d")).remarks == ()


@pytest.mark.parametrize("kind", KINDS)
def test_double_precision_stays_and_integers_become_numbers(kind):
    double = with_columns(hdu_of(kind), lambda c: dataclasses.replace(c, values=c.values.astype("f8")))
    found = read(kind, double)
    assert {values.dtype.name for values in found.values.values()} == {"float64"}
    same(found, read(kind, hdu_of(kind)))
    whole = with_columns(
        hdu_of(kind), lambda c: dataclasses.replace(c, values=c.values.astype("i4")) if is_array(c) else c
    )
    assert all(values.dtype.kind == "f" for values in read(kind, whole).values.values())


# --- rows and classes


def test_equal_rows_are_read_as_one_and_raises_when_rows_differ():
    twice = with_columns(hdu_of("aeff_2d"), lambda c: dataclasses.replace(c, values=np.repeat(c.values, 2, 0)))
    same(read("aeff_2d", twice), read("aeff_2d", hdu_of("aeff_2d")), 0)
    other = with_columns(
        twice, lambda c: dataclasses.replace(c, values=c.values * np.arange(1, 3)[:, None, None]) if is_array(c) else c
    )
    other = with_columns(other, lambda c: dataclasses.replace(c, values=c.values.astype("f4")))
    with pytest.raises(InputError, match="2 rows that differ"):
        read("aeff_2d", other)
    none = with_columns(twice, lambda c: dataclasses.replace(c, values=c.values[:0]))
    with pytest.raises(InputError, match="has 0 rows"):
        read("aeff_2d", none)


@pytest.mark.parametrize(
    ("claimed", "kind"), [("psf_king", "psf_3gauss"), ("psf_table", "psf_king"), ("bkg_2d", "bkg_3d")]
)
def test_the_columns_correct_a_wrong_class(claimed, kind):
    same(read(claimed, hdu_of(kind)), read(kind, hdu_of(kind)), 0)
    assert read(claimed, hdu_of(kind)).remarks == (f"Its class is {claimed} by name, and {kind} by its columns.",)


def test_raises_for_a_class_of_another_role():
    with pytest.raises(InputError, match="expected"):
        read("aeff_2d", hdu_of("edisp_2d"))
    with pytest.raises(InputError, match="known are aeff_2d"):
        response("pointing", fits_table(hdu_of("aeff_2d")))


def test_a_component_of_amplitude_0_may_have_width_0():
    hdu = hdu_of("psf_3gauss")
    shape = next(column.values for column in hdu.columns if column.name == "AMPL_3").shape
    none = replaced(hdu, AMPL_3=np.zeros(shape, "f4"), SIGMA_3=np.full(shape, np.nan, "f4"))
    assert np.isfinite(read("psf_3gauss", none).values["sigma_3"]).all()
