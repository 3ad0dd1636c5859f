"""FITS files of any bytes are read or raise an error of ours, and memory stays below a bound."""

import gzip
import io
import os
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from xgamma.datasets import Datasets, FluxPoints
from xgamma.errors import InputError, XgammaError
from xgamma.formats.fits import tables
from xgamma.formats.fits.regions import read_mask
from xgamma.formats.fits.tables import BLOCK, CARD, inflated, parsed_header, read_raw, read_tables
from xgamma.formats.gadf.responses import response

NOWHERE = Path("some.fits")
# What is read and what is made of it, and room for the messages.
LARGEST_GROWTH, ROOM = 12, 2_000_000


def file_bytes(*hdus):
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(buffer)
    return buffer.getvalue()


def events_hdu():
    columns = [
        fits.Column("TIME", "D", unit="s", array=[1.0, 2.0, 3.0]),
        fits.Column("NAME", "5A", array=["a", "bc", "def"]),
        fits.Column("M", "6E", dim="(3,2)", array=np.arange(18.0).reshape(3, 2, 3)),
        fits.Column("SCALED", "E", bscale=0.5, bzero=10.0, array=np.array([10.5, 11.0, 11.5])),
        fits.Column("BIG", "J", bzero=2**31, array=np.array([1, 2, 2**32 - 1], np.uint32)),
    ]
    return fits.BinTableHDU.from_columns(columns, name="EVENTS")


def area_hdu():
    edges = np.array([[0.1, 1.0, 10.0]])
    columns = [
        fits.Column("ENERG_LO", "2E", unit="TeV", array=edges[:, :-1]),
        fits.Column("ENERG_HI", "2E", unit="TeV", array=edges[:, 1:]),
        fits.Column("THETA_LO", "2E", unit="deg", array=[[0.0, 1.0]]),
        fits.Column("THETA_HI", "2E", unit="deg", array=[[0.0, 1.0]]),
        fits.Column("EFFAREA", "4E", unit="m2", dim="(2,2)", array=[[[1.0, 2.0], [3.0, 4.0]]]),
    ]
    return fits.BinTableHDU.from_columns(columns, name="AEFF")


TABLES = file_bytes(events_hdu(), area_hdu())
IMAGE_CARDS = {"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR", "CDELT1": -0.5, "CDELT2": 0.5, "CRPIX1": 2.0, "CRPIX2": 2.0}
IMAGE = file_bytes(fits.ImageHDU(np.ones((3, 4), np.int16), fits.Header(IMAGE_CARDS)))


def read_all(content):
    """Read every column of every HDU, and each HDU as an effective area."""
    for table in read_tables(NOWHERE, raw=content):
        for name in ["TIME", *table.columns]:
            said(lambda table=table, name=name: table.column(name))
        said(lambda table=table: response("aeff_2d", table))


def said(read):
    """Return what was read, or the error of ours that was raised."""
    try:
        return read()
    except XgammaError as error:
        assert str(error)
        return error


def growth(read):
    """Return the peak of memory in bytes while ``read`` runs."""
    tracemalloc.start()
    try:
        said(read)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- any bytes


def with_changes(whole):
    """Bytes of a file in which some are others, which is cut off, or which holds a piece twice."""
    places = st.integers(0, len(whole) - 1)

    @st.composite
    def changed(draw):
        content = bytearray(whole)
        for place, byte in draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)):
            content[place] = byte
        first, last = sorted((draw(places), draw(places)))
        ways = (bytes(content), bytes(content[:first]), bytes(content[:first] + content[last:]))
        return draw(st.sampled_from([*ways, bytes(content[:last] + content[first:])]))

    return changed()


VALUES = st.one_of(
    st.integers().map(str),
    st.integers(0, 12).map(str),
    st.floats().map(repr),
    st.sampled_from(["T", "F", "", "'", "''", "-1", "1E999", "+-3", "1_0", "2" * 60]),
    st.sampled_from(["'999999999999A'", "'0D'", "'5P'", "'-3E'", "'(0,3)'", "'(a)'", "'(-1,-2)'", "'km TeV-1'", "'('"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
)


def with_cards(whole):
    """Bytes of a file in which the values of some cards are others."""
    cards = [at for at in range(0, len(whole), CARD) if whole[at + 8 : at + 10] == b"= "]

    @st.composite
    def changed(draw):
        content = whole
        for at, value in draw(st.lists(st.tuples(st.sampled_from(cards), VALUES), min_size=1, max_size=3)):
            content = content[: at + 10] + value[: CARD - 10].ljust(CARD - 10).encode() + content[at + CARD :]
        return content

    return changed()


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=400)
@given(st.one_of(st.binary(max_size=400), with_changes(TABLES), with_cards(TABLES)))
def test_any_bytes_are_read_as_tables_or_raise_input_error(content):
    said(lambda: read_all(content))


@pytest.mark.filterwarnings("ignore")
@given(with_cards(TABLES))
def test_reading_takes_memory_in_proportion_to_the_file(content):
    assert growth(lambda: read_all(content)) < ROOM + LARGEST_GROWTH * len(content)


@settings(max_examples=200)
@given(st.one_of(st.binary(max_size=500), with_changes(gzip.compress(TABLES, mtime=0))))
def test_any_bytes_are_inflated_or_raise_input_error(content):
    said(lambda: inflated(b"\x1f\x8b" + content[2:], NOWHERE))


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=800), with_cards(TABLES)))
def test_any_header_is_parsed_or_raises_input_error(content):
    header = said(lambda: parsed_header(content))
    assert isinstance(header, dict | XgammaError)


@pytest.mark.filterwarnings("ignore")
@given(st.one_of(with_changes(IMAGE), with_cards(IMAGE)))
def test_any_bytes_are_read_as_a_mask_or_raise_input_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "mask.fits"
    path.write_bytes(content)
    said(lambda: read_mask(path))


# --- absurd sizes


def header_block(*cards):
    return b"".join(card.ljust(CARD).encode() for card in (*cards, "END")).ljust(BLOCK)


PRIMARY = header_block("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0")
HUGE = 10**18


def table_block(**values):
    cards = {"BITPIX": 8, "NAXIS": 2, "NAXIS1": 8, "NAXIS2": 0, "PCOUNT": 0, "GCOUNT": 1, "TFIELDS": 1} | values
    columns = {"TTYPE1": "'TIME'", "TFORM1": "'D'"}
    return PRIMARY + header_block("XTENSION= 'BINTABLE'", *(f"{k:8}= {v}" for k, v in ({**columns, **cards}).items()))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"NAXIS2": HUGE}, "ends after the file does"),
        ({"NAXIS1": 2**32, "NAXIS2": 2**32}, "ends after the file does"),
        ({"PCOUNT": HUGE}, "ends after the file does"),
        ({"GCOUNT": 0, "NAXIS2": HUGE}, "1000000000000000000 rows of 8 bytes are not in its 0 bytes"),
        ({"NAXIS1": 0, "NAXIS2": HUGE, "TFORM1": "'0D'"}, "1000000000000000000 rows of 0 bytes are not in its 0 bytes"),
        ({"NAXIS": HUGE}, "NAXIS3 = None; expected a whole number"),
        ({"NAXIS2": -1}, "NAXIS2 = -1; expected a whole number"),
        ({"BITPIX": 10**9}, "BITPIX = 1000000000; expected one of"),
        ({"TFIELDS": HUGE}, "is not what the format asks for"),
        ({"TFORM1": f"'{HUGE}D'"}, "is not what the format asks for"),
        ({"TFORM1": f"'{HUGE}A'"}, "is not what the format asks for"),
    ],
)
def test_raises_for_absurd_sizes_before_memory_is_allocated(values, words):
    content = table_block(**values)

    def read():
        read_tables(NOWHERE, raw=content)[1].column("TIME")

    with pytest.raises(InputError, match=words):
        read()
    assert growth(read) < 1_000_000


def test_the_length_of_a_header_is_bounded(monkeypatch):
    endless = PRIMARY.replace(b"END", b"   ") + b" " * 10 * BLOCK
    with pytest.raises(InputError, match="truncated inside a header"):
        read_tables(NOWHERE, raw=endless)
    monkeypatch.setattr(tables, "HEADER_BLOCKS", 5)
    with pytest.raises(InputError, match="does not end within 180 cards"):
        read_tables(NOWHERE, raw=endless)


def test_the_number_of_hdus_is_bounded(monkeypatch):
    monkeypatch.setattr(tables, "HDUS", 3)
    assert len(read_tables(NOWHERE, raw=PRIMARY * 3)) == 3
    with pytest.raises(InputError, match="more than 3 HDUs"):
        read_tables(NOWHERE, raw=PRIMARY * 4)


# --- gzip bombs


def bomb(megabytes):
    deflate = zlib.compressobj(9, wbits=31)
    return b"".join([*(deflate.compress(bytes(1_000_000)) for _ in range(megabytes)), deflate.flush()])


def test_inflating_stops_at_a_multiple_of_the_file_size(monkeypatch):
    monkeypatch.setattr(tables, "INFLATED_AT_LEAST", 1 << 20)
    raw = bomb(100)
    with pytest.raises(InputError, match="hold more than 4 MB"):
        inflated(raw, NOWHERE)
    assert growth(lambda: inflated(raw, NOWHERE)) < 12_000_000


def test_members_of_gzip_are_bounded_in_sum_and_in_number(monkeypatch):
    monkeypatch.setattr(tables, "INFLATED_AT_LEAST", 1500)
    monkeypatch.setattr(tables, "INFLATED_RATIO", 1)
    assert inflated(gzip.compress(bytes(700)) * 2, NOWHERE) == bytes(1400)
    with pytest.raises(InputError, match="is not inflated"):
        inflated(gzip.compress(bytes(800)) * 2, NOWHERE)
    with pytest.raises(InputError, match="1000 members"):
        inflated(gzip.compress(b"") * 1001, NOWHERE)


def test_repetitive_content_may_be_compressed_well():
    content = bytes(50_000_000)
    assert inflated(gzip.compress(content), NOWHERE) == content


def test_the_size_of_a_compressed_image_is_bounded(tmp_path):
    path = tmp_path / "mask.fits"
    hdu = fits.CompImageHDU(np.ones((4, 6), np.int16), fits.Header(IMAGE_CARDS))
    content = file_bytes(hdu)
    path.write_bytes(content)
    assert read_mask(path).usable.all()
    for axis, size in (("ZNAXIS1", 6), ("ZNAXIS2", 4)):
        card, huge = f"{axis:8}= {size:20d}".encode(), f"{axis:8}= {2**30:20d}".encode()
        assert card in content
        content = content.replace(card, huge)
    path.write_bytes(content)
    with pytest.raises(InputError, match="is too large for the file"):
        read_mask(path)


# --- what is no file


def test_raises_for_files_that_are_not_regular_or_too_large(tmp_path, monkeypatch):
    sparse = tmp_path / "sparse.fits"
    with sparse.open("wb") as file:
        file.truncate(5 << 30)
    for path in (tmp_path, Path("/dev/zero"), sparse):
        with pytest.raises(InputError, match="expected a regular file of at most 4096 MB"):
            read_raw(path)
    monkeypatch.setattr(Path, "read_bytes", lambda _: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    small = tmp_path / "small.fits"
    small.touch()
    with pytest.raises(InputError, match=r"small.fits cannot be read: Permission denied\."):
        read_raw(small)


@pytest.mark.parametrize("name", ["pipe.fits", "pipe.ecsv", "pipe.yaml", "pipe.pha"])
@pytest.mark.parametrize("read", [Datasets.read, FluxPoints.read])
def test_raises_for_a_pipe_without_waiting(tmp_path, name, read):
    if (name, read) == ("pipe.ecsv", Datasets.read):
        pytest.skip("not a name of spectra")
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=r"expected a (regular )?file"):
        read(tmp_path / name)
