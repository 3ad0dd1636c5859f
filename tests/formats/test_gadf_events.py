"""Event lists of different writers: columns, units, and notes on what is doubtful."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from xgamma.errors import InputError
from xgamma.formats.fits.hdus import fits_content
from xgamma.formats.fits.tables import tables_of
from xgamma.formats.gadf.events import event_list, notes_on_events

PLAIN = {"RA": ("D", "deg", 83.6), "DEC": ("D", "deg", 22.0), "ENERGY": ("E", "TeV", 2.0), "TIME": ("D", "s", 5.0)}


def table(count=4, counted=None, header=None, **changes):
    """Return an EVENTS HDU of equal events, one a second; a change is format, unit and value of a column."""
    columns = [
        fits.Column(name, form, unit=unit, array=value + np.arange(count) if name == "TIME" else [value] * count)
        for name, (form, unit, value) in {**PLAIN, **changes}.items()
    ]
    hdu = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    hdu.header.update(header or {})
    content = fits_content([hdu])
    if counted is not None:
        content = content.replace(f"NAXIS2  = {count:20}".encode(), f"NAXIS2  = {counted:20}".encode())
    return tables_of(content, "events.fits")[1]


def noted(given):
    return [tuple(note) for note in notes_on_events(given, event_list(given))]


def test_an_event_list_without_problems_has_no_notes():
    assert noted(table()) == []
    assert {name: values.tolist() for name, values in event_list(table(2)).items()} == {
        "ra": [83.6] * 2,
        "dec": [22.0] * 2,
        "energy": [2.0] * 2,
        "time": [5.0, 6.0],
    }


@pytest.mark.parametrize(("unit", "value"), [("GeV", 2000.0), ("MeV", 2e6), ("TEV", 2.0), ("erg", 3.2043533)])
def test_energies_are_in_tev_whatever_their_unit(unit, value):
    given = table(ENERGY=("E", unit, value))
    np.testing.assert_allclose(event_list(given)["energy"], 2.0, rtol=1e-6)
    assert noted(given) == []


def test_a_column_without_a_unit_is_read_in_the_default_unit_with_a_note():
    assert noted(table(ENERGY=("E", None, 2.0), RA=("D", None, 83.6))) == [
        ("EVENTS", "Columns without a unit are taken to be in deg (RA), TeV (ENERGY).")
    ]
    assert noted(table(TIME=("D", None, 5.0))) == []


@pytest.mark.parametrize("value", [2e6, 1e30, np.inf, 1e-7])
def test_notes_energies_outside_the_range_of_instruments(value):
    assert noted(table(ENERGY=("D", "TeV", value))) == [
        ("ENERGY", "4 of 4 energies lie outside of 0.0001 to 1e+03 TeV; is their unit right?")
    ]


def test_notes_energies_that_are_not_finite_only_once():
    """They are INVALID on the ledger of the run."""
    assert noted(table(ENERGY=("D", "TeV", np.nan))) == []
    assert noted(table(ENERGY=("D", "TeV", -1.0))) == []


def test_raises_for_a_unit_of_another_dimension_and_for_a_column_of_text():
    with pytest.raises(InputError, match="ENERGY has the unit 'deg'; expected one that converts to 'TeV'"):
        event_list(table(ENERGY=("E", "deg", 2.0)))
    with pytest.raises(InputError, match="hold no single numbers: ENERGY"):
        event_list(table(ENERGY=("4A", None, "abcd")))


def test_notes_rows_beyond_naxis2():
    assert noted(table(counted=3)) == [("EVENTS", "Something stands behind the 3 rows of NAXIS2; are these all?")]


def test_notes_repeated_events():
    given = table(6)
    events = event_list(given)
    twice = {name: np.concatenate([values, values[2:]]) for name, values in events.items()}
    assert [tuple(note) for note in notes_on_events(given, twice)] == [
        ("EVENTS", "4 of 10 events stand there more than once, and count each time.")
    ]
    # Any order, and events of one time that are others.
    shuffled = {name: values[::-1] for name, values in events.items()}
    assert notes_on_events(given, shuffled) == ()
    assert notes_on_events(given, {**events, "time": np.zeros(6), "ra": np.arange(6.0)}) == ()


def test_notes_energies_outside_the_effective_area():
    given = table(ENERGY=("D", "TeV", 700.0))
    events = event_list(given)
    assert notes_on_events(given, events) == ()
    ((topic, text),) = notes_on_events(given, events, (0.01, 300.0))
    assert (topic, text) == ("ENERGY", "4 of 4 energies lie outside of 0.01 to 300 TeV; is their unit right?")


@pytest.mark.parametrize(
    ("header", "is_said"),
    [
        ({"RADECSYS": "ICRS"}, False),
        ({"RADECSYS": "FK5", "EQUINOX": 2000.0}, False),
        ({"RADESYS": "fk5"}, False),
        ({"RADECSYS": ""}, False),
        ({"RADECSYS": "FK4"}, True),
        ({"RADESYS": "GALACTIC"}, True),
    ],
)
def test_notes_a_frame_other_than_icrs(header, is_said):
    assert [topic for topic, _ in noted(table(header=header))] == ["RADECSYS"] * is_said
