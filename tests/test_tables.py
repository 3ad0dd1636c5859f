"""Products as tables: what stands in them, and that nothing of a number is ever cut off."""

from __future__ import annotations

import io

import numpy as np
import pytest
import xarray as xr
from click import unstyle
from hypothesis import assume, given
from hypothesis import strategies as st
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid

from xgamma.cli.table_lines import _takes_one_place, table_lines
from xgamma.digits import stands_right
from xgamma.tables import fits, points
from xgamma.tables.table import Lined, Table, bounds_text, date_text, date_texts, first_of, hours_text, width_of


def flux_points(norms=(1.0, 0.5), errors=(0.1, 0.2), **variables):
    """Two flux points with a reference of 1e-12 and 1e-13 cm-2 s-1 TeV-1."""
    count = len(norms)
    edges = np.array([[1.0, 2.0], [2.0, 4.0]])[:count]
    data = {
        "norm": norms,
        "norm_err": errors,
        "ref_dnde": (1e-12, 1e-13)[:count],
        "ref_flux": (1e-12, 2e-13)[:count],
        "ref_eflux": (1.5e-12, 6e-13)[:count],
        "sqrt_ts": (10.0, -0.001)[:count],
        "ts": (100.0, 0.0)[:count],
        "is_ul": (False, True)[:count],
        "success": (True, True)[:count],
        "e_min_fit": edges[:, 0],
        "e_max_fit": edges[:, 1],
        **variables,
    }
    return xr.Dataset(
        {name: (("energy",), np.array(values)) for name, values in data.items()},
        {"energy": np.sqrt(edges.prod(axis=1)), "energy_bounds": (("energy", "bound"), edges)},
        {"source": "crab", "n_sigma": 1, "n_sigma_ul": 2, "UL_CONF": 0.9545},
    )


def test_a_flux_point_has_the_digits_of_its_error():
    first, second = points.points_table(flux_points()).rows
    assert (first["energy"], first["dnde"], first["sqrt_ts"]) == ("1.00-2.00", "(1.00 ± 0.10)e-12", "10.0")
    assert second["dnde"] == "(5.0 ± 2.0)e-14"


def test_no_number_is_minus_zero():
    assert points.points_table(flux_points()).rows[1]["sqrt_ts"] == "0.0"


@pytest.mark.parametrize(
    ("sed_type", "column", "shown"),
    [
        ("flux", "flux", "(1.00 ± 0.10)e-12"),
        ("eflux", "eflux", "(1.50 ± 0.15)e-12"),
        ("e2dnde", "e2dnde", "(2.00 ± 0.20)e-12"),
        ("likelihood", "norm", "1.00 ± 0.10"),
    ],
)
def test_flux_points_are_shown_in_every_kind_of_flux(sed_type, column, shown):
    assert points.points_table(flux_points(), sed_type).rows[0][column] == shown


def test_a_title_says_units_and_how_sure_limits_are():
    title = points.points_table(flux_points(norm_ul=(1.2, 0.9))).title
    assert title == "Flux points of crab: energies in TeV, dnde in cm-2 s-1 TeV-1, limits at 95.45 %"


def test_energies_are_named_where_others_were_used_than_those_asked_for():
    ds = flux_points(e_min_fit=(1.5, np.nan), e_max_fit=(2.0, np.nan))
    assert [row["used"] for row in points.points_table(ds).rows] == ["1.50-2.00", "nothing"]
    assert [row["used"] for row in points.points_table(flux_points()).rows] == ["-", "-"]


def test_what_is_not_finite_is_nothing_in_a_table_and_null_in_json():
    ds = flux_points(norms=(np.nan, 1.0), errors=(np.nan, np.inf))
    assert points.points_table(ds).rows[0]["dnde"] == "-"
    assert [point["dnde"] for point in points.points_document(ds, "dnde")] == [None, 1e-13]
    assert points.points_document(ds, "dnde")[1]["dnde_err"] is None


LINES = [
    fits.ParameterLine("crab", "index", 2.27774, 0.0589, "", True),
    fits.ParameterLine("crab", "reference", 1.0, 0.0, "TeV", False),
]


def test_a_fit_says_how_it_ended_and_what_was_frozen():
    table = fits.fit_table(LINES, fits.FitFacts(True, "", 10.2907, None, {"bins": 12, "free": 2}))
    assert table.title == "Fit: converged, statistic 10.29"
    assert [(row["value"], row[""]) for row in table.rows] == [("2.278 ± 0.059", ""), ("1.000", "frozen")]
    assert table.notes == ["12 bins, 2 free: 10 degrees of freedom."]


def test_how_good_a_fit_is_stands_below():
    goodness = {"bins": 12, "free": 2, "deviance": 10.2907, "p_value": 0.4126, "draws": 1000}
    [note] = fits.fit_table(LINES, fits.FitFacts(True, "", 10.2907, None, goodness)).notes
    assert note == "12 bins, 2 free: 10 degrees of freedom, deviance 10.29; p = 0.41 by 1,000 simulated sets."


@pytest.mark.parametrize(("known", "said"), [({}, ""), ({"deviance": 80123.4}, ", deviance 80123.40")])
def test_of_many_bins_a_table_says_where_the_p_value_is(known, said):
    facts = fits.FitFacts(True, "", 80123.4, None, {"bins": 80000, "free": 2, "draws": 0, **known})
    [note] = fits.fit_table([], facts).notes
    assert note == f"80,000 bins, 2 free: 79,998 degrees of freedom{said}; the p-value of so many bins is in a report."


def test_a_fit_that_did_not_converge_says_why_in_its_title():
    title = fits.fit_table(LINES, fits.FitFacts(False, "Call limit reached.", 1.0, 2.5)).title
    assert title == "Fit: NOT CONVERGED (Call limit reached), statistic 1.00, priors 2.50"


def test_names_of_parameters_lose_what_all_begin_with():
    assert fits.short_names(["a.spectral.index", "b.spectral.index"]) == {
        "a.spectral.index": "a.spectral.index",
        "b.spectral.index": "b.spectral.index",
    }
    assert fits.short_names(["a.spectral.index"]) == {"a.spectral.index": "index"}


def test_columns_that_can_be_spared_go_first_and_others_stay():
    table = Table("", [{"a": "1234567890", "b": "-", "c": "12345", "d": "1"}], spare=("c", "d"))
    assert list(table.columns()) == ["a", "c", "d"]
    assert list(table.columns(22)) == ["a", "c", "d"]
    assert list(table.columns(21)) == ["a", "d"]
    assert list(table.columns(3)) == ["a"]


@given(st.lists(st.text("0123456789", min_size=1, max_size=9), min_size=1, max_size=5), st.integers(0, 60))
def test_a_table_is_as_narrow_as_it_is_asked_to_be_or_has_nothing_left_to_spare(cells, width):
    row = {str(number): cell for number, cell in enumerate(cells)}
    columns = Table("", [row], spare=list(row)).columns(width)
    assert width_of(columns) <= width or not columns


# Of any letters few tables are plain.
CELLS = (
    st.text(st.characters(codec=codec, categories=("L", "N", "P", "S"), include_characters=" "), max_size=8)
    for codec in ("ascii", "utf-8")
)


def as_rich_has_it(columns, width):
    grid = Grid(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name, cells in columns.items():
        justify = "right" if all(map(stands_right, cells)) else "left"
        grid.add_column(name, justify=justify, overflow="fold", no_wrap=name != list(columns)[-1])
    for row in zip(*columns.values(), strict=True):
        grid.add_row(*row)
    printed = io.StringIO()
    Console(file=printed, markup=False, highlight=False, emoji=False, width=width).print(grid)
    return printed.getvalue().splitlines()


@given(st.one_of(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=4) for cells in CELLS))
def test_a_table_is_printed_as_rich_prints_it(rows):
    columns = Table("", [dict(zip(("a", "long name", "c"), row, strict=True)) for row in rows]).columns()
    assume(columns)
    assert [unstyle(line) for line in table_lines(columns, 80)] == as_rich_has_it(columns, 80)


WORDS = st.lists(st.text("abc-", min_size=1, max_size=30), min_size=1, max_size=12).map(" ".join)


@given(st.lists(st.tuples(st.sampled_from(["1", "Crab", "蟹"]), WORDS), min_size=1, max_size=3), st.integers(30, 60))
def test_what_is_long_is_wrapped_as_rich_wraps_it(rows, width):
    columns = {name: [row[number] for row in rows] for number, name in enumerate(("a", "notes"))}
    lines = [unstyle(line) for line in table_lines(columns, width)]
    assert {cell_len(line) for line in lines} == {cell_len(lines[0])}
    assert cell_len(lines[0]) <= width
    assert lines == as_rich_has_it(columns, cell_len(lines[0]))


def test_a_text_that_would_move_the_cursor_does_not():
    lines = table_lines({"a": ["x\x1b[2Jy", "two\nlines", "tab\there"], "b": ["1", "2", "3"]}, 80)
    assert "".join(lines[3:]).isprintable()
    assert [line.split() for line in lines[3:-1]] == [["x�[2Jy", "1"], ["two", "2"], ["lines"], ["tab", "here", "3"]]


def test_characters_that_take_one_place_do_so_for_rich_too():
    narrow = [each for each in map(chr, range(0x3000)) if each.isprintable() and _takes_one_place(each)]
    assert {cell_len(each) for each in narrow} == {1}
    assert {"±", "Δ", "µ", "√", "…"} <= set(narrow)


def test_rows_given_by_columns_are_those_rows():
    rows = [{"a": "1", "b": "-"}, {"a": "22", "b": "x"}, {"a": "3", "b": "-"}]
    lined = Lined({"a": ["1", "22", "3"], "b": ["-", "x", "-"]})
    assert (list(lined), list(lined[1:]), len(lined), len(Lined({}))) == (rows, rows[1:], 3, 0)
    for spare in ((), ("b",)):
        for width in (3, 6, 60):
            assert Table("", lined, spare=spare).columns(width) == Table("", rows, spare=spare).columns(width)


def test_dates_of_any_year_and_of_none():
    times = np.array([0.0, 5e6, 60000.4999999, np.nan, np.inf])
    assert date_texts(times) == ["1858-11-17 00:00", "15548-05-31 00:00", "2023-02-25 12:00", "-", "-"]


def test_a_table_as_text_has_its_numbers_in_columns():
    table = Table("What", [{"name": "a", "value": "1.0"}, {"name": "long", "value": "10.0"}], ["Note."])
    assert str(table).splitlines() == ["What", "name  value", "a       1.0", "long   10.0", "Note."]


def test_words_for_times_ranges_and_first_rows():
    assert (hours_text(6314.0), hours_text(3.6), hours_text(0.0)) == ("1.75", "0.00100", "0.00")
    assert (date_text(53090.123451), date_text(np.nan)) == ("2004-03-26 02:57", "-")
    # What numpy has no date for is not known, and no warning.
    assert date_texts(np.array([1e30, -1e18, 1e13, 0.0])) == ["-", "-", "-", "1858-11-17 00:00"]
    assert (bounds_text(0.5, 30.0), first_of(20, 10), first_of(5, 10)) == ("0.500-30.0", ", the first 10 of 20", "")
