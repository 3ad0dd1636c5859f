"""Energies without an entry in the middle of a response are NaN or noted, and never interpolated as 0."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_responses import fits_table, hdu_of, is_array, with_columns

from xgamma.formats.gadf.response_checks import notes_on_responses
from xgamma.formats.gadf.responses import response

PSFS = ("psf_table", "psf_3gauss", "psf_king")


def emptied(kind, energies, offsets=slice(None)):
    """Return a response whose values are 0 at some energies; files hold (..., energy), or (rad, offset, energy)."""

    def change(column):
        if not is_array(column):
            return column
        values = np.array(column.values)
        values[..., offsets, energies] = 0
        return dataclasses.replace(column, values=values)

    return response(kind, fits_table(with_columns(hdu_of(kind), change)))


def doubts(found):
    return [tuple(note) for note in notes_on_responses({found.kind.split("_")[0]: found})]


@pytest.mark.parametrize("kind", PSFS)
def test_holes_of_a_point_spread_function_are_nan(kind):
    whole, holed = emptied(kind, []), emptied(kind, [4])
    for name, values in holed.values.items():
        assert np.isnan(values[..., 4]).all(), name
        kept = np.delete(values, 4, axis=-1)
        np.testing.assert_array_equal(kept, np.delete(whole.values[name], 4, axis=-1))


@pytest.mark.parametrize("kind", PSFS)
def test_a_hole_at_one_offset_does_not_affect_others(kind):
    for values in emptied(kind, [3, 4], offsets=2).values.values():
        is_unknown = np.isnan(values).reshape(values.shape[0], -1, values.shape[-1]).any(axis=1)
        assert np.argwhere(is_unknown).tolist() == [[2, 3], [2, 4]]


@pytest.mark.parametrize("kind", (*PSFS, "aeff_2d"))
@pytest.mark.parametrize("energies", [[0, 1, 2], [-1], [0, -1, -2], list(range(10))])
def test_empty_energies_at_the_ends_are_no_holes(kind, energies):
    found = emptied(kind, energies)
    assert all(np.isfinite(values).all() for values in found.values.values())
    assert [topic for topic, _ in doubts(found)] == []


def test_notes_holes_of_the_effective_area_that_lose_events():
    ((topic, text),) = doubts(emptied("aeff_2d", [5]))
    assert topic == "AEFF"
    assert text.startswith("Its area is 0 at ")
    assert text.endswith(" % of the events.")
    assert np.isfinite(emptied("aeff_2d", [5]).values["aeff"]).all()


def test_holes_at_offsets_with_few_events_have_no_note():
    """At the edge of the field of view many tables have such."""
    assert doubts(emptied("aeff_2d", [0, 1, 2, 3, 4, 5, 6, 8], offsets=-1)) == []


def test_notes_empty_rows_of_a_dispersion_that_lose_events():
    given = {"aeff": emptied("aeff_2d", []), "edisp": emptied("edisp_2d", [4, 5])}
    ((topic, text),) = notes_on_responses(given)
    assert topic == "EDISP"
    assert text.startswith("Its rows are empty at ")
    assert text.endswith(" % of the events; the rows beside them are taken.")
    assert notes_on_responses({**given, "edisp": emptied("edisp_2d", [0, 1, -1])}) == ()
