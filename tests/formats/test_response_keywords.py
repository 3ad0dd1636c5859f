"""Keywords of responses: their radius, the energies that they recommend, and notes on what is doubtful."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from made_responses import hdu_of, read

from xgamma.errors import InputError
from xgamma.formats.gadf.response_checks import is_point_like, keyword_number, notes_on_responses, with_keywords
from xgamma.outcome import Note


def run_of(aeff=None, edisp=None, psf=False):
    """Return the responses of a run with more keywords in their headers."""
    found = {
        "aeff": read("aeff_2d", hdu_of("aeff_2d", **(aeff or {}))),
        "edisp": read("edisp_2d", hdu_of("edisp_2d", **(edisp or {}))),
    }
    return {**found, "psf": read("psf_table", hdu_of("psf_table"))} if psf else found


def point_like(aeff=None, edisp=None):
    cut = {"HDUCLAS3": "POINT-LIKE"}
    return run_of({**cut, **(aeff or {})}, {**cut, **(edisp or {})})


def radius(responses):
    return with_keywords(responses)[0]["aeff"].header.get("RAD_MAX")


# --- RAD_MAX


@pytest.mark.parametrize(
    ("aeff", "edisp", "wanted"),
    [
        ({"RAD_MAX": 0.2}, {}, 0.2),
        ({}, {"RAD_MAX": 0.2}, 0.2),
        ({"RAD_MAX": 0.2}, {"RAD_MAX": 0.20000001}, 0.2),
        ({"RAD_MAX": "0.2"}, {}, 0.2),
        ({"RAD_MAX": "0.2 deg"}, {}, 0.2),
        ({"RAD_MAX": "12 arcmin"}, {"RAD_MAX": "0.2 degree"}, 0.2),
        ({"RAD_MAX": "2.0D-1"}, {}, 0.2),
        ({"RAD_MAX": "NONE"}, {"RAD_MAX": 0.2}, 0.2),
        ({"RAD_MAX": "N/A"}, {"RAD_MAX": ""}, None),
        ({}, {}, None),
    ],
)
def test_the_radius_of_point_like_responses_is_read_wherever_it_is(aeff, edisp, wanted):
    found = radius(point_like(aeff, edisp))
    assert found is None if wanted is None else found == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(
    ("aeff", "edisp", "words"),
    [
        ({"RAD_MAX": 0.2}, {"RAD_MAX": 0.1}, "contradict each other: RAD_MAX is 0.2 deg in AEFF and 0.1 deg in EDISP"),
        ({"RAD_MAX": "a fifth"}, {}, "HDU 'AEFF' has RAD_MAX = 'a fifth'; expected a number in deg"),
        ({"RAD_MAX": "0.2 TeV"}, {}, "the keyword RAD_MAX has the unit 'TeV'"),
        ({"RAD_MAX": True}, {}, "expected a number in deg"),
        ({}, {"RAD_MAX": -0.2}, "HDU 'EDISP' has RAD_MAX = -0.2; expected a positive number"),
        ({}, {"RAD_MAX": 0}, "expected a positive number"),
    ],
)
def test_raises_for_an_invalid_radius_and_for_two_that_differ(aeff, edisp, words):
    with pytest.raises(InputError, match=words):
        with_keywords(point_like(aeff, edisp))


def test_rad_max_of_full_enclosure_responses_is_ignored():
    assert radius(run_of({"RAD_MAX": "a fifth"})) is None


@pytest.mark.parametrize("word", ["POINT-LIKE", "point-like", "POINTLIKE", "Point_Like "])
def test_point_like_is_read_in_every_spelling(word):
    assert is_point_like(run_of({"HDUCLAS3": word})["aeff"])
    assert not is_point_like(run_of()["aeff"])


def test_a_radius_as_keyword_and_as_table_is_noted():
    keyword = {"HDUCLAS3": "POINT-LIKE", "RAD_MAX": 0.1}
    given = run_of(keyword, {"HDUCLAS3": "POINT-LIKE"})
    both = {**given, "rad_max": given["aeff"]}
    assert with_keywords(both)[1] == (Note("RAD_MAX", "RAD_MAX is a keyword and a table too; the table counts."),)
    assert with_keywords({**point_like(), "rad_max": given["aeff"]})[1] == ()
    assert with_keywords(given)[1] == ()


def test_responses_of_two_enclosures_are_noted():
    notes = with_keywords(run_of({"HDUCLAS3": "POINT-LIKE", "RAD_MAX": 0.1}))[1]
    assert notes == (Note("HDUCLAS3", "AEFF is point-like and EDISP is not; what the effective area says counts."),)
    assert [note.topic for note in with_keywords(run_of({}, {"HDUCLAS3": "POINT-LIKE"}))[1]] == ["HDUCLAS3"]
    assert [note.topic for note in with_keywords(run_of({"HDUCLAS3": "", "RAD_MAX": 0.1}))[1]] == ["HDUCLAS3"]


# --- thresholds


@pytest.mark.parametrize(
    ("given", "wanted", "topics"),
    [
        ({"LO_THRES": 0.5, "HI_THRES": 50.0}, (0.5, 50.0), []),
        ({"LO_THRES": "500 GeV", "HI_THRES": "50"}, (0.5, 50.0), []),
        ({"LO_THRES": "NAN", "HI_THRES": ""}, (None, None), []),
        ({"LO_THRES": "low", "HI_THRES": 50.0}, (None, 50.0), ["LO_THRES"]),
        ({"LO_THRES": -0.5, "HI_THRES": 50.0}, (None, 50.0), ["LO_THRES"]),
        ({"LO_THRES": 50.0, "HI_THRES": 0.5}, (50.0, 0.5), ["LO_THRES"]),
        ({"LO_THRES": 500.0, "HI_THRES": 50000.0}, (500.0, 50000.0), ["LO_THRES"]),
        ({"LO_THRES": 500.0, "HI_THRES": 0}, (500.0, 0.0), ["LO_THRES"]),
    ],
)
def test_recommended_energies_are_numbers_in_tev_or_noted(given, wanted, topics):
    found, notes = with_keywords(run_of(given))
    assert tuple(found["aeff"].header.get(key) for key in ("LO_THRES", "HI_THRES")) == wanted
    assert [note.topic for note in notes] == topics


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_recommended_energies_that_are_not_finite_are_ignored(value):
    aeff = run_of()["aeff"]
    odd = dataclasses.replace(aeff, header={**aeff.header, "LO_THRES": value, "HI_THRES": value})
    found, notes = with_keywords({"aeff": odd})
    assert not {"LO_THRES", "HI_THRES"} & set(found["aeff"].header)
    assert [note.topic for note in notes] == ([] if np.isnan(value) else ["LO_THRES", "HI_THRES"])


def test_a_missing_keyword_is_nan():
    assert np.isnan(keyword_number({}, "RAD_MAX", "deg", "HDU 'AEFF'"))


# --- doubts


def changed(responses, role, change):
    name = next(iter(responses[role].values))
    values = {**responses[role].values, name: change(responses[role].values[name].copy())}
    return {**responses, role: dataclasses.replace(responses[role], values=values)}


def test_the_analytic_instrument_has_no_notes():
    assert notes_on_responses(run_of(psf=True)) == ()


@pytest.mark.parametrize("scale", [0.01, 0.24, 700.0])
def test_a_dispersion_that_is_not_normalised_has_no_note(scale):
    assert notes_on_responses(changed(run_of(), "edisp", lambda values: values * np.float32(scale))) == ()


def _at(energies, factor):
    def change(values):
        values[:, :, energies] *= np.float32(factor)
        return values

    return change


DOUBTFUL = {
    "add up to .* not 1, for": ("edisp", _at(slice(4, 6), 0.4)),
    "add up to 1.7.* not 1, for": ("edisp", _at(slice(4, 6), 1.75)),
    "edisp is negative, down to": ("edisp", _at(slice(5, 7), -1)),
    "aeff is negative, down to": ("aeff", lambda values: -values),
    "psf is negative, down to": ("psf", _at(slice(5, 7), -1)),
    "effective area reaches .* m2; is its unit right": ("aeff", lambda values: values * np.float32(1e4)),
    "effective area reaches [1-9].* m2; is its unit right": ("aeff", lambda values: values * np.float32(1e-4)),
    "holds 0.0003.* of the events of a source": ("psf", lambda values: values * np.float32((np.pi / 180) ** 2)),
    "holds 3.2.* of the events of a source": ("psf", lambda values: values * np.float32((180 / np.pi) ** 2)),
}


@pytest.mark.parametrize("words", DOUBTFUL)
def test_notes_name_the_role_of_the_response(words):
    role, change = DOUBTFUL[words]
    found = notes_on_responses(changed(run_of(psf=True), role, change))
    assert [note.topic for note in found] == [role.upper()]
    assert re.search(words, found[0].text)


def test_values_that_are_not_finite_give_no_note_and_no_warning():
    def spoil(values):
        values[..., :3], values[..., -1] = np.nan, np.inf
        return values

    found = run_of(psf=True)
    for role in found:
        found = changed(found, role, spoil)
    assert notes_on_responses(found) == ()


def test_notes_energies_that_lack_their_unit():
    aeff = run_of()["aeff"]
    offset, energy = aeff.axes
    in_kev = dataclasses.replace(energy, edges=energy.edges * 1e9)
    notes = notes_on_responses(
        {
            "aeff": dataclasses.replace(
                aeff, axes=(offset, in_kev), remarks=("Its column ENERG_LO has no unit; TeV is assumed.",)
            )
        }
    )
    assert [note.text.split(" ")[1] for note in notes] == ["column", "axis"]


def test_notes_offsets_beyond_any_field_of_view():
    aeff = run_of()["aeff"]
    offset, energy = aeff.axes
    in_arcmin = dataclasses.replace(offset, edges=offset.edges * 60, nodes=offset.center * 60)
    (note,) = notes_on_responses({"aeff": dataclasses.replace(aeff, axes=(in_arcmin, energy))})
    assert note.text.startswith("Its axis offset spans ")
