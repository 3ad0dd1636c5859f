"""OGIP spectra of other programs: equivalent files give equal numbers, and the others raise with the name of the file.

The expected statistics are those of Sherpa 4.19 for the same files (load_pha, wstat, the power law below).
"""

import gzip
from dataclasses import replace

import numpy as np
import ogip_samples as samples
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from xgamma.datasets import Datasets
from xgamma.errors import ConfigError, InputError
from xgamma.fit.statistic import Statistic
from xgamma.formats.ogip.files import read_ogip
from xgamma.formats.ogip.spectrum import grouped_row
from xgamma.formats.spectrum_rows import spectrum_rows
from xgamma.models import Models, PowerLawSpectralModel, SkyModel

AREA_COLUMN = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
BACK_COLUMN = [1, 1, 0.5, 0.5, 0.2, 0.2]
GROUPS = [1, -1, 1, -1, -1, 1]
RATE = {"counts": samples.COUNTS / samples.LIVETIME, "counts_name": "RATE", "header": {"HDUCLAS3": "RATE"}}
FOLDED = {"area": False, "matrix_name": "SPECRESP MATRIX", "matrix_header": {"HDUCLAS3": "FULL"}}
SAME = {
    "channels from 1, groups of varying length": {},
    "energies without a unit are keV": {"unit": None},
    "energies in MeV": {"unit": "MeV"},
    "energies in TeV": {"unit": "TeV"},
    "counts as a rate": RATE,
    "another name of the extension": {"name": "PHA"},
    "the area in the matrix": FOLDED,
    "the area in a matrix that does not say so": {"area": False},
    "groups in columns of fixed length": {"layout": "padded"},
    "plain numbers for the groups": {"layout": "whole"},
    "channels from 0": {"first": 0},
    "plain numbers from 0": {"layout": "whole", "first": 0},
    "channels from 1 without TLMIN": {"tlmin": False},
    "channels from 0 without TLMIN": {"tlmin": False, "first": 0},
    "plain numbers from 0 without TLMIN": {"layout": "whole", "tlmin": False, "first": 0},
    "no groups, in a column": {"columns": {"GROUPING": np.ones(6)}},
    "all good, in a column": {"columns": {"QUALITY": np.zeros(6)}},
    "scales in columns": {"columns": {"AREASCAL": np.ones(6), "BACKSCAL": np.ones(6)}},
}
SCALED = {
    "AREASCAL": ({"header": {"AREASCAL": 0.5}, "off_header": {"AREASCAL": 2.0}}, 121.8898009),
    "AREASCAL columns": (
        {"columns": {"AREASCAL": AREA_COLUMN}, "off_columns": {"AREASCAL": [1, 1, 2, 2, 3, 3]}},
        52.80832449,
    ),
    "BACKSCAL": ({"header": {"BACKSCAL": 0.25}, "off_header": {"BACKSCAL": 1.5}}, 141.1160374),
    "BACKSCAL columns": (
        {"columns": {"BACKSCAL": BACK_COLUMN}, "off_columns": {"BACKSCAL": [2, 3, 4, 5, 6, 7]}},
        68.62026758,
    ),
    "GROUPING": ({"columns": {"GROUPING": GROUPS}}, 16.21225866),
    "QUALITY": ({"columns": {"QUALITY": [1, 0, 0, 2, 0, 5]}}, 4.481007811),
    "a bad group": ({"columns": {"GROUPING": GROUPS, "QUALITY": [0, 0, 0, 0, 0, 2]}}, 7.145922643698157),
    # Sherpa leaves the qualities of the background to the user; the number is that of the same channels left out.
    "QUALITY of the background": ({"off_columns": {"QUALITY": [1, 0, 0, 2, 0, 5]}}, 4.481007811),
}


def statistic(ds):
    model = SkyModel(PowerLawSpectralModel(index=2.5, amplitude="3.45e-11 cm-2 s-1 TeV-1"), name="source")
    return Statistic([ds], Models([model]), [])([])


def channels(ds, name):
    return ds[name].values.ravel()


@pytest.mark.some_long(3)
@pytest.mark.parametrize("kind", SAME)
def test_equivalent_files_give_equal_numbers(tmp_path, kind):
    ds = read_ogip(samples.write(tmp_path, **SAME[kind]))
    np.testing.assert_array_equal(channels(ds, "counts"), samples.COUNTS)
    np.testing.assert_allclose(ds["energy_bounds"][0], [0.5, 1.0], rtol=1e-6)
    np.testing.assert_allclose(channels(ds, "acceptance") / channels(ds, "acceptance_off"), 0.4, rtol=1e-14)
    seen = ds["exposure"].values[0, 0][:, np.newaxis] * ds["edisp"].values[0, 0]
    expected = samples.AREA[:, np.newaxis] * 1e-4 * samples.LIVETIME * samples.kernel()
    np.testing.assert_allclose(seen, expected, rtol=1e-6)
    assert statistic(ds) == pytest.approx(16.857860, rel=2e-7)


@pytest.mark.parametrize("kind", SCALED)
def test_scales_groups_and_qualities_enter_as_in_sherpa(tmp_path, kind):
    written, expected = SCALED[kind]
    assert statistic(read_ogip(samples.write(tmp_path, **written))) == pytest.approx(expected, rel=1e-9)


def test_an_area_scale_of_channels_is_in_response_and_background(tmp_path):
    ds = read_ogip(samples.write(tmp_path, columns={"AREASCAL": AREA_COLUMN}))
    seen = ds["exposure"].values[0, 0][:, np.newaxis] * ds["edisp"].values[0, 0]
    expected = samples.AREA[:, np.newaxis] * 1e-4 * samples.LIVETIME * samples.kernel() * AREA_COLUMN
    np.testing.assert_allclose(seen, expected, rtol=1e-6)
    alpha = channels(ds, "acceptance") / channels(ds, "acceptance_off")
    np.testing.assert_allclose(alpha, 0.4 * np.array(AREA_COLUMN), rtol=1e-6)
    assert float(ds["edisp"].sum("energy").max()) <= 1 + 1e-6


def test_groups_add_up_counts_background_and_response(tmp_path):
    columns = {"GROUPING": GROUPS, "BACKSCAL": BACK_COLUMN}
    ds = read_ogip(samples.write(tmp_path, columns=columns, off_columns={"BACKSCAL": [2, 3, 4, 5, 6, 7]}))
    assert channels(ds, "counts").tolist() == [71, 34, 2]
    assert channels(ds, "counts_off").tolist() == [114, 49, 1]
    np.testing.assert_allclose(ds["energy_bounds"], [[0.5, 2], [2, 16], [16, 32]], rtol=1e-6)
    np.testing.assert_allclose(
        ds["edisp"].values[0, 0], np.add.reduceat(samples.kernel(), [0, 2, 5], axis=1), rtol=1e-14
    )
    each = 0.4 * np.array(BACK_COLUMN) / [2, 3, 4, 5, 6, 7] * samples.COUNTS_OFF
    background = channels(ds, "acceptance") / channels(ds, "acceptance_off") * channels(ds, "counts_off")
    np.testing.assert_allclose(background, np.add.reduceat(each, [0, 2, 5]), rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    flags=st.lists(st.sampled_from([1, -1, 0]), min_size=6, max_size=6),
    off=st.lists(st.integers(0, 9), min_size=6, max_size=6),
    scale=st.lists(st.floats(0.1, 10), min_size=6, max_size=6),
)
def test_any_grouping_keeps_counts_response_and_expected_background(tmp_path_factory, flags, off, scale):
    row = next(spectrum_rows(read_ogip(samples.write(tmp_path_factory.mktemp("groups")))))
    row = replace(row, counts_off=np.array(off, float), acceptance_off=np.array(scale))
    begins = [n for n, flag in enumerate(flags) if flag >= 0 or n == 0]
    grouped = grouped_row(row, np.array(begins))
    assert grouped.energy.nbin == len(begins)
    assert grouped.energy.edges[[0, -1]].tolist() == row.energy.edges[[0, -1]].tolist()
    assert (grouped.counts.sum(), grouped.counts_off.sum()) == (row.counts.sum(), row.counts_off.sum())
    np.testing.assert_allclose(grouped.edisp.sum(axis=1), row.edisp.sum(axis=1), rtol=1e-12)
    expected = [(one.acceptance / one.acceptance_off * one.counts_off).sum() for one in (grouped, row)]
    assert expected[0] == pytest.approx(expected[1], rel=1e-12)
    assert grouped_row(grouped, np.arange(len(begins))) is grouped


def test_a_group_with_a_bad_channel_is_bad(tmp_path):
    ds = read_ogip(samples.write(tmp_path, columns={"GROUPING": GROUPS, "QUALITY": [0, 0, 0, 1, 0, 0]}))
    assert channels(ds, "mask_safe").tolist() == [True, False, True]


def test_a_bad_channel_that_is_not_a_number_changes_nothing(tmp_path):
    bad = {"QUALITY": [0, 0, 0, 0, 0, 1], "BACKSCAL": [1, 1, 1, 1, 1, np.nan], "AREASCAL": [1, 1, 1, 1, 1, np.nan]}
    ds = read_ogip(samples.write(tmp_path, columns=bad, off_columns={"BACKSCAL": [1, 1, 1, 1, 1, 0]}))
    for name in ("counts", "acceptance", "acceptance_off", "exposure", "edisp"):
        assert np.isfinite(ds[name]).all(), name
    assert np.isfinite(statistic(ds))


@pytest.mark.parametrize(
    ("unit", "kind"), [("counts", {}), ("count", {}), ("counts/s", RATE), ("count s-1", RATE), ("ct/sec", RATE)]
)
def test_counts_are_converted_from_their_unit(tmp_path, unit, kind):
    def with_unit(hdus):
        hdus[1].columns[1].unit = unit

    path = edited(samples.write(tmp_path, **kind), with_unit)
    assert channels(read_ogip(path), "counts").tolist() == samples.COUNTS.tolist()


def edited(path, change):
    with fits.open(path) as hdus:
        change(hdus)
        hdus.writeto(path, overwrite=True)
    return path


def test_companion_files_are_found_relative_to_the_spectrum(tmp_path, monkeypatch):
    (tmp_path / "responses").mkdir()
    path = samples.write(tmp_path, header={"RESPFILE": "responses/rmf.fits", "BACKFILE": "NONE"})
    (tmp_path / "rmf.fits").rename(tmp_path / "responses" / "rmf.fits")
    (tmp_path / "arf.fits.gz").write_bytes(gzip.compress((tmp_path / "arf.fits").read_bytes()))
    (tmp_path / "arf.fits").unlink()
    monkeypatch.chdir(tmp_path / "responses")
    ds = read_ogip("../src.fits")
    assert "counts_off" not in ds
    np.testing.assert_array_equal(channels(ds, "counts"), samples.COUNTS)
    assert path.exists()


def test_datasets_read_a_spectrum_whose_extension_has_another_name(tmp_path):
    [dataset] = Datasets.read(samples.write(tmp_path, name="PHA"))
    assert int(dataset.counts.sum()) == samples.COUNTS.sum()


@pytest.mark.parametrize("ending", [".pha", ".pi", ".pha.gz", ".PHA"])
def test_datasets_read_pha_endings_and_refuse_to_write_them(tmp_path, ending):
    content = samples.write(tmp_path).read_bytes()
    path = tmp_path / f"spectrum{ending}"
    path.write_bytes(gzip.compress(content) if ending.endswith(".gz") else content)
    [dataset] = datasets = Datasets.read(path)
    assert dataset.name == "spectrum"
    with pytest.raises(ConfigError, match=r"written beside an index; choose a name that ends in \.yaml"):
        datasets.write(path, overwrite=True)


def append_spectrum(hdus):
    hdus.append(hdus[1].copy())


def as_type_two(hdus):
    counts = np.stack([samples.COUNTS, samples.COUNTS])
    columns = [fits.Column("SPEC_NUM", "I", array=[1, 2]), fits.Column("COUNTS", "6J", array=counts)]
    hdus[1] = fits.BinTableHDU.from_columns(columns, hdus[1].header, name="SPECTRUM")


def counts_unit(hdus):
    hdus[1].columns[1].unit = "count/s"


def backwards(hdus):
    hdus[1].data["CHANNEL"] = hdus[1].data["CHANNEL"][::-1].copy()


def shorter(hdus):
    hdus[1].data = hdus[1].data[:5]


def without_poisserr(hdus):
    del hdus[1].header["POISSERR"]


HALF = {"counts": (samples.COUNTS + 0.5) / samples.LIVETIME, "counts_name": "RATE", "header": {"POISSERR": False}}
NAN = [1, 1, np.nan, 1, 1, 1]
REFUSED = {
    "several spectra": ({}, append_spectrum, "has 2 extensions of the class SPECTRUM; expected one"),
    "a type II file": ({}, as_type_two, "is a type II PHA file"),
    "TYPE:II": ({"header": {"HDUCLAS4": "TYPE:II"}}, None, "is a type II PHA file"),
    "net counts": ({"header": {"HDUCLAS2": "NET"}}, None, "has its background subtracted"),
    "a correction": ({"header": {"CORRFILE": "corr.fits"}}, None, r"asks for a correction by 'corr.fits' \(CORRFILE\)"),
    "errors of Gauss": (HALF, None, "errors that are not those of Poisson"),
    "errors of Gauss, in words": (HALF | {"header": {"POISSERR": "F"}}, None, "errors that are not those of Poisson"),
    "errors in a column": (
        HALF | {"header": {}, "columns": {"STAT_ERR": np.ones(6)}},
        without_poisserr,
        "errors that are not those of Poisson",
    ),
    "a flag without meaning": (
        {"columns": {"GROUPING": [1, 2, 1, 1, 1, 1]}},
        None,
        "GROUPING of channel number 1 is 2",
    ),
    "AREASCAL 0": ({"header": {"AREASCAL": 0.0}}, None, "AREASCAL of channel number 0 is 0; expected a number above 0"),
    "AREASCAL NaN": ({"columns": {"AREASCAL": NAN}}, None, "AREASCAL of channel number 2 is nan"),
    "BACKSCAL 0": ({"header": {"BACKSCAL": 0.0}}, None, r"src.fits: BACKSCAL of channel number 0 is 0"),
    "BACKSCAL 0 of off": ({"off_header": {"BACKSCAL": 0.0}}, None, r"bkg.fits: BACKSCAL of channel number 0 is 0"),
    "BACKSCAL as text": ({"header": {"BACKSCAL": "one"}}, None, "BACKSCAL = 'one'; expected a number"),
    "EXPOSURE of off": ({"off_header": {"EXPOSURE": 0.0}}, None, "bkg.fits has no livetime"),
    "counts per second as counts": ({}, counts_unit, "column 'COUNTS' has the unit 'count/s'"),
    "channels backwards": ({}, backwards, "its channels are not one after the other"),
    "too few channels": ({}, shorter, r"has 5 channels, and EBOUNDS has 6|shape \(5,\)"),
    "the area twice": ({"matrix_header": {"HDUCLAS3": "FULL"}}, None, "has an area in it too"),
    "no area": ({"header": {"ANCRFILE": "none"}}, None, "names no ANCRFILE, and the matrix of .* has no area in it"),
    "no area, and it says so": (
        {"header": {"ANCRFILE": "none"}, "matrix_name": "SPECRESP MATRIX", "matrix_header": {"HDUCLAS3": "REDIST"}},
        None,
        "names no ANCRFILE",
    ),
    "no response": ({"header": {"RESPFILE": "NONE"}}, None, "names no RESPFILE"),
}


@pytest.mark.some_long(3)
@pytest.mark.parametrize("kind", REFUSED)
def test_raises_for_invalid_values_and_names_the_keyword_or_column(tmp_path, kind):
    written, change, sentence = REFUSED[kind]
    path = samples.write(tmp_path, **written)
    with pytest.raises(InputError, match=sentence):
        read_ogip(edited(path, change) if change else path)


def matrix_of(change):
    def changed(hdus):
        change(hdus["MATRIX"])

    return changed


def not_a_number(matrix):
    matrix.data["MATRIX"][0, 0] = np.nan


def more_groups(matrix):
    matrix.data["N_GRP"][0] = 9


def fewer_channels(matrix):
    matrix.data["N_CHAN"][0] = -3


def limit_in_words(matrix):
    matrix.header["TLMIN4"] = "one"


def without_energies(matrix):
    matrix.data["ENERG_LO"][:] = np.nan


def from_zero_energy(hdus):
    hdus["EBOUNDS"].data["E_MIN"][0] = 0.0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (matrix_of(not_a_number), "not finite or below 0"),
        (matrix_of(more_groups), "row 0 of its matrix has N_GRP = 9 and 1 groups"),
        (matrix_of(fewer_channels), "row 0 of its matrix points beyond"),
        (matrix_of(limit_in_words), "TLMIN4 = 'one'; expected a number"),
        (matrix_of(without_energies), "ENERG_LO of MATRIX does not begin above 0"),
        (from_zero_energy, "E_MIN of EBOUNDS does not begin above 0"),
    ],
)
def test_raises_for_a_response_that_cannot_be_used(tmp_path, change, sentence):
    path = samples.write(tmp_path, layout="whole")
    edited(tmp_path / "rmf.fits", change)
    with pytest.raises(InputError, match=sentence):
        read_ogip(path)


def test_warns_that_systematic_errors_are_not_used(tmp_path, caplog):
    read_ogip(samples.write(tmp_path, columns={"SYS_ERR": np.full(6, 0.05)}))
    assert "SYS_ERR" in caplog.text
