"""Headers are what astropy reads, and tables are views of their bytes."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from xgamma.errors import InputError, MissingInputError
from xgamma.formats.fits.tables import parsed_header, read_tables, table_named

texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).map(str.rstrip)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z][A-Z0-9_-]{0,7}", fullmatch=True), texts | st.integers() | numbers | st.booleans()
    )
)
def test_values_are_those_of_astropy(values):
    reserved = {"END", "COMMENT", "HISTORY", "CONTINUE", "HIERARCH", "SIMPLE", "XTENSION", "BLANK"}
    header = fits.Header([(key, value) for key, value in values.items() if key not in reserved])
    written = fits.Header.fromstring(header.tostring())
    # Numbers are what a card has room for; of texts astropy itself misreads a quote before a slash.
    expected = {key: header[key] if isinstance(header[key], str) else written[key] for key in header}
    assert parsed_header(header.tostring().encode()) == expected


def test_long_texts_continue_over_cards():
    header = fits.Header([("LONG", "it's " * 40), ("NEXT", 3)])
    assert parsed_header(header.tostring().encode()) == {"LONG": header["LONG"], "NEXT": 3}


def test_comments_and_undefined_values():
    header = fits.Header.fromstring(
        "COMMENT = 3".ljust(80) + "A       =".ljust(80) + "B       = 1.5D3 / fortran".ljust(80)
    )
    found = parsed_header(header.tostring().encode())
    assert found["A"] is None
    assert math.isclose(found["B"], 1500.0)
    assert "COMMENT" not in found


def test_the_first_of_repeated_keywords_counts():
    cards = b"A       =                    1".ljust(80) + b"A       =                    2".ljust(80)
    assert parsed_header(cards) == {"A": 1}


def test_raises_for_a_value_that_is_no_text_number_or_truth():
    with pytest.raises(InputError, match="NAXIS = 'two'"):
        parsed_header(b"NAXIS   = two".ljust(80))


@pytest.fixture
def table_file(tmp_path):
    columns = [
        fits.Column("ID", "J", array=[1, 2, 3]),
        fits.Column("E", "E", unit="TeV", array=[0.5, 1.5, 2.5]),
        fits.Column("M", "6D", dim="(3,2)", array=np.arange(18.0).reshape(3, 2, 3)),
        fits.Column("NAME", "5A", array=["a", "bc", "def"]),
        fits.Column("SCALED", "E", bscale=0.5, bzero=10.0, array=np.array([10.5, 11.0, 11.5])),
        fits.Column("BIG", "J", bzero=2**31, array=np.array([1, 2, 2**32 - 1], np.uint32)),
    ]
    path = tmp_path / "table.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns, name="EVENTS")]).writeto(path)
    return path


def test_columns_are_those_of_astropy(table_file):
    table = table_named(read_tables(table_file), "events", table_file)
    with fits.open(table_file) as hdus:
        for name in table.columns:
            np.testing.assert_array_equal(table.column(name), hdus[1].data[name], err_msg=name)
    assert table.columns["E"] == "TeV"


def test_gzip_of_several_members_is_one_file(table_file, tmp_path):
    content = table_file.read_bytes()
    path = tmp_path / "members.fits.gz"
    path.write_bytes(gzip.compress(content[:3000]) + gzip.compress(content[3000:]))
    whole = table_named(read_tables(table_file), "EVENTS", table_file)
    np.testing.assert_array_equal(table_named(read_tables(path), "EVENTS", path).rows, whole.rows)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: gzip.compress(content)[:-40], "truncated gzip"),
        (lambda content: gzip.compress(content)[:20] + b"x" * 40, "gzip"),
        (lambda content: content[: len(content) // 2], "truncated"),
        (lambda content: b"not fits at all", "does not begin with SIMPLE"),
        (lambda content: content.replace(b"TFORM1  = 'J", b"TFORM1  = 'Z"), "none of a FITS table"),
        (lambda content: content.replace(b"TFORM1  = 'J", b"TFORM1  = 'K"), "add up to"),
    ],
)
def test_raises_for_a_damaged_file(table_file, tmp_path, damage, words):
    path = tmp_path / "damaged.fits"
    path.write_bytes(damage(table_file.read_bytes()))
    with pytest.raises(InputError, match=words):
        table_named(read_tables(path), "EVENTS", path).column("E")


def test_raises_for_a_missing_column_or_hdu_and_lists_what_there_is(table_file):
    tables = read_tables(table_file)
    with pytest.raises(InputError, match=r"has no HDU 'GTI'; it has PRIMARY, EVENTS"):
        table_named(tables, "GTI", table_file)
    with pytest.raises(InputError, match="has no column 'TIME'; it has ID, E"):
        tables[1].column("TIME")
    with pytest.raises(MissingInputError, match="There is no file"):
        read_tables(table_file.with_name("nowhere.fits"))
