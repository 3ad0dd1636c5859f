"""Units as the writers of files spell them."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st

from xgamma.dialects import DIALECTS, FORMS, fits_unit
from xgamma.errors import InputError
from xgamma.units import conversion, unit_factor, unit_string

PAGE = Path(__file__).resolve().parents[2] / "docs" / "units.md"
NAMES = ["TeV", "MeV", "keV", "erg", "m", "cm", "km", "s", "h", "d", "min", "deg", "rad", "arcmin", "sr", "kg", "Hz"]
POWERS = st.integers(-3, 3).filter(bool)
FACTORS = st.lists(st.tuples(st.sampled_from(NAMES), POWERS), min_size=1, max_size=4)
STYLES = st.sampled_from(["{}{}", "{}^{}", "{}**{}", "{}({})", "{}^({})", "{}**({})"])
WORDS = st.sampled_from([word for dialect in DIALECTS for word in dialect.words if word.isalpha()] + NAMES)


def written(factors, style, between):
    return between.join(name if power == 1 else style.format(name, power) for name, power in factors)


@given(FACTORS, STYLES, st.sampled_from([" ", "*", ".", " * "]))
def test_units_of_the_standard_are_read_as_astropy_reads_them(factors, style, between):
    text = written(factors, style, between)
    assert fits_unit(text) == u.Unit(text, format="fits")


@given(FACTORS, FACTORS)
def test_a_slash_divides_by_what_is_in_parentheses(above, below):
    text = f"{written(above, '{}{}', ' ')}/({written(below, '{}{}', ' ')})"
    assert fits_unit(text) == u.Unit(text, format="fits")


@given(FACTORS, STYLES, st.randoms())
def test_the_order_of_factors_does_not_matter(factors, style, random):
    moved = random.sample(factors, len(factors))
    assert fits_unit(written(moved, style, " ")) == fits_unit(written(factors, style, "."))


@given(st.lists(WORDS, min_size=1, max_size=4))
def test_units_in_several_slashes_are_those_in_negative_powers(words):
    inverse = fits_unit(" ".join(f"{word}-1" for word in words))
    assert fits_unit("1/" + "/".join(words)) == fits_unit("/" + "/".join(words)) == inverse


@given(st.lists(st.tuples(WORDS, POWERS), min_size=1, max_size=4), st.integers(-15, 15))
def test_a_unit_survives_writing_and_reading(factors, ten):
    unit = fits_unit(f"10**{ten} {written(factors, '{}{}', ' ')}")
    assert fits_unit(unit_string(unit)).to(unit) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize(("text", "standard"), [form[:2] for form in FORMS])
def test_a_form_of_the_table_is_its_standard_form(text, standard):
    assert conversion(text, standard) == pytest.approx(1, rel=1e-12)
    assert fits_unit(standard) == u.Unit(standard, format="fits")


@pytest.mark.parametrize(("word", "meaning"), [(word, row.meaning) for row in DIALECTS for word in row.words])
def test_a_word_of_the_table_is_a_unit_of_the_standard(word, meaning):
    assert fits_unit(word) == u.Unit(meaning, format="fits")


def test_no_word_is_in_the_table_twice_or_has_another_meaning_in_the_standard():
    words = [word for dialect in DIALECTS for word in dialect.words]
    assert len(set(words)) == len(words)
    for dialect in DIALECTS:
        for word in dialect.words:
            if dialect.meaning and word != dialect.meaning:
                with pytest.raises(ValueError, match="did not parse"):
                    u.Unit(word, format="fits")


@pytest.mark.parametrize(
    ("text", "unit", "factor"),
    [
        ("1/s/MeV/sr", "s-1 TeV-1 sr-1", 1e6),
        ("photons/cm**2/s/MeV", "cm-2 s-1 TeV-1", 1e6),
        ("cm-2 MeV-1 ph s-1", "cm-2 s-1 TeV-1", 1e6),
        ("10^-12 erg/(cm2 s)", "erg cm-2 s-1", 1e-12),
        ("1e-12 ergs/cm2/s", "erg cm-2 s-1", 1e-12),
        ("counts/sec", "s-1", 1),
        ("GEV", "TeV", 1e-3),
        ("Mev", "TeV", 1e-6),
        ("M2", "m2", 1),
        ("CM2", "m2", 1e-4),
        ("deg.", "deg", 1),
        ("degrees", "deg", 1),
        ("none", "", 1),
        ("", "TeV", 1),
        (" ", "deg", 1),
        ("(m s)^-2", "m-2 s-2", 1),
    ],
)
def test_factors_of_dialects(text, unit, factor):
    assert unit_factor(text, unit, "HDU 'X': the column Y") == pytest.approx(factor, rel=1e-12)


UNREADABLE = """erg/cm2 s|1/s MeV|mev|pev|parsnip|log10(TeV)|[TeV]|'TeV'
2 m|10e-12 m|1.5|m^|m+|()|(|)|(m|m)
/|m/|m//s|*|s-1.5|m2 2|%|m\u00b2""".replace("\n", "|").split("|")


@pytest.mark.parametrize("text", UNREADABLE)
def test_unknown_and_ambiguous_units_raise(text):
    with pytest.raises(InputError, match=r"HDU 'X': the column Y has the unit .* Correct the unit"):
        unit_factor(text, "TeV", "HDU 'X': the column Y")


@pytest.mark.parametrize(
    ("text", "unit"),
    [("S", "s"), ("EV", "TeV"), ("none", "deg"), ("A", "TeV"), ("s", "deg"), ("TeV-1 sr-1 transit-1", "TeV-1 sr-1")],
)
def test_a_unit_of_another_dimension_raises(text, unit):
    with pytest.raises(InputError, match=f"HDU 'X': the column Y has the unit '{text}'; expected one that converts"):
        unit_factor(text, unit, "HDU 'X': the column Y")


@given(st.text(alphabet="mscTeV10^*/().-+ {}h", max_size=12))
def test_any_text_gives_a_unit_or_raises(text):
    try:
        assert fits_unit(text).is_equivalent(fits_unit(text))
    except InputError as error:
        assert repr(text) in str(error)


def test_the_page_on_units_has_the_tables():
    forms = [f"| `{written}` | `{standard}` | {writer} |" for written, standard, writer in FORMS]
    named = [(", ".join(f"`{word}`" for word in row.words), row.meaning, row.writer) for row in DIALECTS]
    words = [f"| {words} | {f'`{unit}`' if unit else 'a plain number'} | {writer} |" for words, unit, writer in named]
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("| `")] == forms + words
