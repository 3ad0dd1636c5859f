"""Event lists as writers have them: columns, units, and what is doubtful in them."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from xgamma.errors import InputError
from xgamma.formats.fits_tables import tables_of
from xgamma.formats.gadf.event_list import doubts_about_events, event_list
from xgamma.formats.hdus import fits_content

PLAIN = {"RA": ("D", "deg", 83.6), "DEC": ("D", "deg", 22.0), "ENERGY": ("E", "TeV", 2.0), "TIME": ("D", "s", 5.0)}


def table(count=4, **changes):
    """Return an EVENTS HDU of equal events; a change is the format, the unit and the value of a column."""
    columns = [
        fits.Column(name, form, unit=unit, array=np.full(count, value))
        for name, (form, unit, value) in {**PLAIN, **changes}.items()
    ]
    hdu = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    return tables_of(fits_content([hdu]), "events.fits")[1]


def noted(given):
    return [tuple(note) for note in doubts_about_events(given, event_list(given))]


def test_a_plain_event_list_leaves_no_doubt():
    assert noted(table()) == []
    assert {name: values.tolist() for name, values in event_list(table(2)).items()} == {
        "ra": [83.6] * 2,
        "dec": [22.0] * 2,
        "energy": [2.0] * 2,
        "time": [5.0] * 2,
    }


@pytest.mark.parametrize(("unit", "value"), [("GeV", 2000.0), ("MeV", 2e6), ("TEV", 2.0), ("erg", 3.2043533)])
def test_energies_are_in_tev_whatever_their_unit(unit, value):
    given = table(ENERGY=("E", unit, value))
    np.testing.assert_allclose(event_list(given)["energy"], 2.0, rtol=1e-6)
    assert noted(given) == []


def test_a_column_without_a_unit_is_taken_to_have_it_and_said():
    assert noted(table(ENERGY=("E", None, 2.0), RA=("D", None, 83.6))) == [
        ("EVENTS", "Columns without a unit are taken to be in deg (RA), TeV (ENERGY).")
    ]
    assert noted(table(TIME=("D", None, 5.0))) == []


@pytest.mark.parametrize("value", [2e6, 1e30, np.inf, 1e-7])
def test_energies_that_no_instrument_sees_are_said(value):
    assert noted(table(ENERGY=("D", "TeV", value))) == [
        ("ENERGY", "4 of 4 energies lie outside of 1e-05 to 100000 TeV; is their unit right?")
    ]


def test_energies_that_are_no_numbers_are_not_said_again():
    """They are INVALID on the ledger of the run."""
    assert noted(table(ENERGY=("D", "TeV", np.nan))) == []
    assert noted(table(ENERGY=("D", "TeV", -1.0))) == []


def test_a_unit_of_another_dimension_and_a_column_of_texts_are_refused():
    with pytest.raises(InputError, match="ENERGY has the unit 'deg'; expected one that converts to 'TeV'"):
        event_list(table(ENERGY=("E", "deg", 2.0)))
    with pytest.raises(InputError, match="hold no single numbers: ENERGY"):
        event_list(table(ENERGY=("4A", None, "abcd")))


def test_a_row_that_the_header_does_not_count_is_said():
    hdu = fits.BinTableHDU.from_columns([fits.Column(n, f, unit=u, array=[v] * 4) for n, (f, u, v) in PLAIN.items()])
    content = fits_content([hdu]).replace(b"NAXIS2  =                    4", b"NAXIS2  =                    3")
    given = tables_of(content, "events.fits")[1]
    assert noted(given) == [("EVENTS", "Something stands behind the 3 rows of NAXIS2; are these all?")]
