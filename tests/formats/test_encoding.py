"""Tables that are encoded from arrays are FITS, and hold what was given: astropy reads them."""

import io
import string
import warnings

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xgamma.errors import DataError
from xgamma.formats.fits.encoding import WITHOUT_VALUE, Column, Hdu, hdu_bytes, header_bytes, text_values
from xgamma.formats.fits.hdus import fits_content
from xgamma.formats.fits.tables import tables_of

TYPES = st.sampled_from(["?", "u1", "i2", "i4", "i8", "f4", "f8"])
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200).map(str.rstrip)
NUMBERS = st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False)
KEYWORDS = st.text(string.ascii_uppercase, min_size=1, max_size=14).filter(lambda key: key not in WITHOUT_VALUE)


def opened(*hdus, primary=None):
    """Return the HDUs of a file as astropy sees them, which finds no fault in it."""
    content = fits.open(io.BytesIO(fits_content(hdus, primary)))
    content.verify("exception")
    return content


def arrays(rows):
    shapes = hnp.array_shapes(min_dims=0, max_dims=3, max_side=3)
    return st.tuples(TYPES, shapes).flatmap(lambda kind: hnp.arrays(kind[0], (rows, *kind[1])))


@given(st.integers(1, 3).flatmap(lambda rows: st.lists(arrays(rows), min_size=1, max_size=4)))
def test_columns_of_any_shape_and_type_come_back(values):
    [_, table] = opened(Hdu("ANY", [Column(f"C{n}", each, "m2 s") for n, each in enumerate(values)]))
    assert (table.name, table.columns.units) == ("ANY", ["m2 s"] * len(values))
    for name, each in zip(table.columns.names, values, strict=True):
        found = table.data[name]
        assert found.shape == each.shape
        np.testing.assert_array_equal(found, each)
        assert found.dtype.newbyteorder("=") == each.dtype


def test_texts_and_arrays_of_varying_length_come_back():
    held = np.empty(3, object)
    held[:] = [np.arange(n, dtype=np.float64) for n in (2, 0, 3)]
    columns = [Column("TEXT", text_values(["a", "", "three"])), Column("VARIES", held), Column("N", np.arange(3))]
    [_, table, after] = opened(Hdu("X", columns), Hdu("AFTER", columns))
    for each in (table, after):
        assert list(each.data["TEXT"]) == ["a", "", "three"]
        assert [values.tolist() for values in each.data["VARIES"]] == [[0.0, 1.0], [], [0.0, 1.0, 2.0]]


@given(st.dictionaries(KEYWORDS, TEXTS | NUMBERS, max_size=4))
def test_cards_of_any_length_come_back_from_astropy_and_from_our_reader(cards):
    read = fits.Header.fromstring(header_bytes(cards).decode())
    assert {key: read[key] for key in cards} == cards
    assert len(header_bytes(cards)) % 2880 == 0
    [primary] = tables_of(fits_content([], {f"K{n}": value for n, value in enumerate(cards.values())}), "made.fits")
    assert [primary.header[f"K{n}"] for n in range(len(cards))] == list(cards.values())


def test_a_card_keeps_its_comment_as_far_as_there_is_room():
    [first] = opened(primary={"LAYOUT": (1, "of this table"), "NAME": ("it's", "x" * 100)})
    assert (first.header["LAYOUT"], first.header.comments["LAYOUT"]) == (1, "of this table")
    assert (first.header["NAME"], set(first.header.comments["NAME"])) == ("it's", {"x"})


@pytest.mark.parametrize("value", ["ü", "two\nlines", float("nan"), float("inf")])
def test_what_no_card_can_hold_raises(value):
    with pytest.raises(DataError, match="Keyword KEY holds a finite number or printable ASCII"):
        header_bytes({"KEY": value})


@pytest.mark.parametrize("keyword", [*WITHOUT_VALUE, "comment"])
def test_a_keyword_that_holds_no_value_is_refused(keyword):
    with pytest.raises(DataError, match="has a name of its own"):
        header_bytes({keyword: "words"})


def test_images_and_tables_of_astropy_stand_beside_ours():
    image = fits.ImageHDU(np.arange(6.0).reshape(2, 3), name="IMAGE")
    table = Hdu("OURS", [Column("A", np.arange(2))])
    pixels = np.ones((2, 2))
    content = fits.open(io.BytesIO(fits_content([table, image, table], {"NAME": "n"}, pixels=pixels)))
    content.verify("exception")
    assert [hdu.name for hdu in content] == ["PRIMARY", "OURS", "IMAGE", "OURS"]
    np.testing.assert_array_equal(content[0].data, pixels)
    np.testing.assert_array_equal(content["IMAGE"].data, image.data)
    assert content[0].header["NAME"] == "n"


def test_a_table_without_rows_is_a_table():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(opened(Hdu("X", [Column("A", np.empty((0, 2)))]))["X"].data) == 0
    assert len(hdu_bytes(Hdu("", [Column("A", np.empty(0))]))) == 2880
