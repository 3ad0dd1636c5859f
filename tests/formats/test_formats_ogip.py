import numpy as np
import pytest
import yaml
from astropy.io import fits
from format_samples import LIVETIME, real_data, spectra
from hypothesis import given, settings
from hypothesis import strategies as st

from xgamma.errors import ConfigError, DataError, InputError, MissingInputError, OutputError, OutputExistsError
from xgamma.formats.fits.hdus import fits_content
from xgamma.formats.local_files import write_files
from xgamma.formats.ogip import files
from xgamma.formats.ogip.files import read_ogip, read_ogip_groups, write_ogip
from xgamma.formats.ogip.response import matrix_hdu
from xgamma.formats.spectrum_fits import write_spectrum_fits

EXACT = ["counts", "counts_off", "acceptance", "acceptance_off", "edisp", "mask_safe", "livetime", "gti", "ontime"]


def validate_same(back, ds):
    for name in [*EXACT, "dataset", "energy_bounds", "energy_true_bounds", "energy", "energy_true"]:
        np.testing.assert_array_equal(back[name], ds[name], err_msg=name)
    for name in ("exposure", "region_lon", "region_lat", "region_radius", "off_lon", "off_lat"):
        np.testing.assert_allclose(back[name], ds[name], rtol=1e-14, err_msg=name)
    np.testing.assert_allclose(back["off_radius"], ds["off_radius"], rtol=1e-9)
    assert back.attrs["telescope"] == ds.attrs["telescope"]


def edit(path, change):
    """Change the HDUs of a file."""
    with fits.open(path) as hdus:
        change(hdus)
        hdus.writeto(path, overwrite=True)


@settings(max_examples=15, deadline=None)
@given(
    shape=st.fixed_dictionaries({name: st.integers(1, 4) for name in ("n_rows", "n_energy", "n_true")}),
    seed=st.integers(0, 99),
)
def test_what_ogip_holds_comes_back(tmp_path_factory, shape, seed):
    ds = spectra(seed=seed, **shape)
    index = write_ogip(ds, tmp_path_factory.mktemp("ogip") / "all.yaml")[-1]
    validate_same(read_ogip(index), ds)


def test_the_index_and_the_files_have_the_names_that_gammapy_gives(tmp_path):
    paths = write_ogip(spectra(n_rows=1), tmp_path / "all.yaml")
    parts = ["_arf.fits", "_rmf.fits", "_bkg.fits", ".fits"]
    assert [path.name for path in paths] == [*(f"pha_obsrun-23523{part}" for part in parts), "all.yaml"]
    entry = {"name": "run-23523", "type": "SpectrumDatasetOnOff", "filename": "pha_obsrun-23523.fits"}
    assert yaml.safe_load(paths[-1].read_text())["datasets"] == [entry]


def test_one_pha_file_is_read_with_its_companions(tmp_path):
    ds = spectra()
    write_ogip(ds, tmp_path / "all.yaml")
    back = read_ogip(tmp_path / "pha_obsrun-23524.fits")
    np.testing.assert_array_equal(back["counts"], ds["counts"][[1]])
    assert back["dataset"].values.tolist() == ["run-23524"]


def test_files_have_the_keywords_of_the_standard(tmp_path):
    ds = spectra(n_rows=1)
    write_ogip(ds, tmp_path / "all.yaml")
    with fits.open(tmp_path / "pha_obsrun-23523.fits") as hdus:
        header = hdus["SPECTRUM"].header
        assert (header["HDUCLAS1"], header["HDUCLAS2"], header["DETCHANS"]) == ("SPECTRUM", "TOTAL", 5)
        assert header["EXPOSURE"] == pytest.approx(LIVETIME, rel=1e-15)
        assert header["BACKFILE"] == "pha_obsrun-23523_bkg.fits"
        np.testing.assert_array_equal(hdus["SPECTRUM"].data["QUALITY"] == 0, ds["mask_safe"][0, 0])
    with fits.open(tmp_path / "pha_obsrun-23523_rmf.fits") as hdus:
        header, rows = hdus["MATRIX"].header, hdus["MATRIX"].data
        assert header["TTYPE4"] == "F_CHAN"
        assert header["NUMELT"] == sum(len(values) for values in rows["MATRIX"]) == np.count_nonzero(ds["edisp"])
        assert header["NUMGRP"] == rows["N_GRP"].sum()


def test_counts_that_are_not_whole_numbers_are_written_as_they_are(tmp_path):
    ds = spectra(n_rows=1)
    ds["counts"] += 0.1
    index = write_ogip(ds, tmp_path / "all.yaml")[-1]
    np.testing.assert_array_equal(read_ogip(index)["counts"], ds["counts"])


def test_an_index_may_name_fits_files_of_the_map_layout(tmp_path):
    ds = spectra(n_rows=1)
    write_spectrum_fits(ds, tmp_path / "one.fits")
    entry = {"name": "other", "type": "SpectrumDatasetOnOff", "filename": "one.fits"}
    (tmp_path / "all.yaml").write_text(yaml.safe_dump({"datasets": [entry]}))
    back = read_ogip(tmp_path / "all.yaml")
    np.testing.assert_array_equal(back["exposure"], ds["exposure"])
    assert back["dataset"].values.tolist() == ["other"]


def test_spectra_on_different_bins_are_separate_groups(tmp_path):
    write_ogip(spectra(n_rows=2), tmp_path / "a.yaml")
    other = spectra(n_rows=1, n_energy=3).assign_coords(dataset=["other"])
    write_ogip(other, tmp_path / "b.yaml")
    both = [entry for name in "ab" for entry in yaml.safe_load((tmp_path / f"{name}.yaml").read_text())["datasets"]]
    (tmp_path / "both.yaml").write_text(yaml.safe_dump({"datasets": [both[0], both[2], both[1]]}))
    groups = read_ogip_groups(tmp_path / "both.yaml")
    assert [group["dataset"].values.tolist() for group in groups] == [["run-23523", "run-23524"], ["other"]]
    with pytest.raises(DataError, match=r"on 2 different sets.*read_ogip_groups"):
        read_ogip(tmp_path / "both.yaml")


def test_a_background_exposed_for_longer_has_more_acceptance(tmp_path):
    ds = spectra(n_rows=1)
    write_ogip(ds, tmp_path / "all.yaml")

    def longer(hdus):
        hdus["SPECTRUM"].header["EXPOSURE"] *= 2

    edit(tmp_path / "pha_obsrun-23523_bkg.fits", longer)
    np.testing.assert_allclose(read_ogip(tmp_path / "all.yaml")["acceptance_off"], 2 * ds["acceptance_off"], rtol=1e-14)


def test_a_backscale_in_the_header_is_that_of_all_channels(tmp_path):
    write_ogip(spectra(n_rows=1), tmp_path / "all.yaml")

    def scalar(hdus):
        hdus["SPECTRUM"].columns.del_col("BACKSCAL")
        hdus["SPECTRUM"].header["BACKSCAL"] = 3.0

    edit(tmp_path / "pha_obsrun-23523.fits", scalar)
    np.testing.assert_array_equal(read_ogip(tmp_path / "all.yaml")["acceptance"], 3.0)


def test_keV_and_cm2_become_TeV_and_m2(tmp_path):  # noqa: N802
    ds = spectra(n_rows=1)
    write_ogip(ds, tmp_path / "all.yaml")

    def other_units(hdus):
        for hdu in hdus[1:]:
            for column in ("E_MIN", "E_MAX", "ENERG_LO", "ENERG_HI"):
                if column in hdu.columns.names:
                    hdu.data[column] *= 1e9
                    hdu.columns[column].unit = "keV"
            if "SPECRESP" in hdu.columns.names:
                hdu.data["SPECRESP"] *= 1e4
                hdu.columns["SPECRESP"].unit = "cm2"

    for path in tmp_path.glob("*.fits"):
        edit(path, other_units)
    back = read_ogip(tmp_path / "all.yaml")
    for name in ("exposure", "energy_bounds", "energy_true_bounds"):
        np.testing.assert_allclose(back[name], ds[name], rtol=1e-14)


def test_channels_that_count_from_one_are_read(tmp_path):
    ds = spectra(n_rows=1)
    write_ogip(ds, tmp_path / "all.yaml")

    def from_one(hdus):
        for starts in hdus["MATRIX"].data["F_CHAN"]:
            starts += 1
        del hdus["MATRIX"].header["TLMIN4"]

    edit(tmp_path / "pha_obsrun-23523_rmf.fits", from_one)
    np.testing.assert_array_equal(read_ogip(tmp_path / "all.yaml")["edisp"], ds["edisp"])


def test_a_matrix_of_fixed_columns_is_read(tmp_path):
    ds = spectra(n_rows=1)
    write_ogip(ds, tmp_path / "all.yaml")
    kernel = ds["edisp"].values[0, 0]
    edges = np.append(ds["energy_true_bounds"][:, 0], ds["energy_true_bounds"][-1, 1])

    def fixed(hdus):
        old = hdus["MATRIX"].header
        columns = [
            fits.Column("ENERG_LO", "E", unit="TeV", array=edges[:-1]),
            fits.Column("ENERG_HI", "E", unit="TeV", array=edges[1:]),
            fits.Column("N_GRP", "I", array=np.ones(len(kernel))),
            fits.Column("F_CHAN", "I", array=np.zeros(len(kernel))),
            fits.Column("N_CHAN", "I", array=np.full(len(kernel), kernel.shape[1])),
            fits.Column("MATRIX", f"{kernel.shape[1]}D", array=kernel),
        ]
        hdus["MATRIX"] = fits.BinTableHDU.from_columns(columns, name="MATRIX")
        hdus["MATRIX"].header["TLMIN4"] = old["TLMIN4"]

    edit(tmp_path / "pha_obsrun-23523_rmf.fits", fixed)
    np.testing.assert_array_equal(read_ogip(tmp_path / "all.yaml")["edisp"], ds["edisp"])


def test_a_row_of_zeros_is_one_group_without_elements():
    ds = spectra(n_rows=1)
    axis = files.spectrum_rows(ds).__next__().energy_true
    columns = {column.name: column.values for column in matrix_hdu(axis, np.zeros((axis.nbin, 3)), {}).columns}
    assert columns["N_GRP"].tolist() == [1] * axis.nbin
    assert [len(values) for values in columns["MATRIX"]] == [0] * axis.nbin


def test_all_files_appear_or_none(tmp_path):
    (tmp_path / "pha_obsrun-23524_arf.fits").write_bytes(b"old")
    with pytest.raises(OutputExistsError, match=r"pha_obsrun-23524_arf.fits exists already"):
        write_ogip(spectra(), tmp_path / "all.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["pha_obsrun-23524_arf.fits"]


def test_raises_for_a_missing_folder(tmp_path):
    with pytest.raises(OutputError, match="there is no folder"):
        write_ogip(spectra(), tmp_path / "nowhere" / "all.yaml")


@pytest.mark.parametrize("livetime", [np.nan, 0.0])
def test_raises_for_a_spectrum_without_livetime(tmp_path, livetime):
    ds = spectra()
    ds["livetime"][1] = livetime
    with pytest.raises(DataError, match="'run-23524' has no livetime"):
        write_ogip(ds, tmp_path / "all.yaml")
    assert list(tmp_path.iterdir()) == []


def test_raises_for_a_known_background(tmp_path):
    with pytest.raises(ConfigError, match="no place for a known background"):
        write_ogip(spectra(on_off=False), tmp_path / "all.yaml")


def test_raises_for_two_regions(tmp_path):
    with pytest.raises(ConfigError, match="one region a spectrum"):
        write_ogip(spectra(n_region=2), tmp_path / "all.yaml")


@pytest.mark.parametrize("name", ["a/b", "a\\b", "tab\t", "", " ", "a" * 300])
def test_raises_for_a_name_that_cannot_be_in_a_file_name(tmp_path, name):
    with pytest.raises(ConfigError, match="cannot be part of a file name"):
        write_ogip(spectra(n_rows=1).assign_coords(dataset=[name]), tmp_path / "all.yaml")


@pytest.mark.parametrize("name", ["Krebs-ä", "π", "蟹"])
def test_raises_for_a_name_that_is_not_ascii_before_writing(tmp_path, name):
    with pytest.raises(ConfigError, match=r"cannot be in the header of a FITS file.*write \.fits or \.zarr"):
        write_ogip(spectra(n_rows=1).assign_coords(dataset=[name]), tmp_path / "all.yaml")
    assert list(tmp_path.iterdir()) == []


def test_a_telescope_that_is_not_ascii_is_written_with_escapes(tmp_path):
    path = write_ogip(spectra(n_rows=1).assign_attrs(telescope="Čerenkov"), tmp_path / "all.yaml")[-1]
    assert read_ogip(path).attrs["telescope"] == "\\u010cerenkov"


def test_raises_for_another_ending(tmp_path):
    with pytest.raises(ConfigError, match=r"ends in \.yaml or \.yml"):
        write_ogip(spectra(), tmp_path / "all.fits.gz")


@pytest.mark.parametrize("value", [0.0, -1.0, "", None])
def test_raises_for_a_file_without_livetime(tmp_path, value):
    write_ogip(spectra(n_rows=1), tmp_path / "all.yaml")

    def without(hdus):
        del hdus["SPECTRUM"].header["EXPOSURE"]
        if value is not None:
            hdus["SPECTRUM"].header["EXPOSURE"] = value

    edit(tmp_path / "pha_obsrun-23523.fits", without)
    with pytest.raises(InputError, match=r"pha_obsrun-23523\.fits has no livetime"):
        read_ogip(tmp_path / "all.yaml")


@pytest.mark.parametrize("keyword", ["ANCRFILE", "RESPFILE"])
@pytest.mark.parametrize("value", ["", "none"])
def test_raises_for_a_spectrum_without_response(tmp_path, keyword, value):
    write_ogip(spectra(n_rows=1), tmp_path / "all.yaml")
    edit(tmp_path / "pha_obsrun-23523.fits", lambda hdus: hdus["SPECTRUM"].header.set(keyword, value))
    with pytest.raises(InputError, match=f"names no {keyword}"):
        read_ogip(tmp_path / "all.yaml")


def test_a_spectrum_without_background_file_has_no_off_counts(tmp_path):
    write_ogip(spectra(n_rows=1), tmp_path / "all.yaml")
    edit(tmp_path / "pha_obsrun-23523.fits", lambda hdus: hdus["SPECTRUM"].header.set("BACKFILE", ""))
    assert "counts_off" not in read_ogip(tmp_path / "all.yaml")


@pytest.mark.parametrize("part", ["_arf", "_rmf", "_bkg", ""])
def test_raises_for_a_missing_companion_and_names_it(tmp_path, part):
    write_ogip(spectra(n_rows=1), tmp_path / "all.yaml")
    (tmp_path / f"pha_obsrun-23523{part}.fits").unlink()
    with pytest.raises(MissingInputError, match=f"There is no file .*pha_obsrun-23523{part}.fits"):
        read_ogip(tmp_path / "all.yaml")


@pytest.mark.parametrize(("part", "name"), [("", "SPECTRUM"), ("_arf", "SPECRESP"), ("_rmf", "MATRIX")])
def test_raises_for_a_missing_hdu_and_names_it(tmp_path, part, name):
    write_ogip(spectra(n_rows=1), tmp_path / "all.yaml")
    edit(tmp_path / f"pha_obsrun-23523{part}.fits", lambda hdus: hdus.pop(name))
    with pytest.raises(InputError, match=f"has no HDU {name}"):
        read_ogip(tmp_path / "all.yaml")


def test_raises_for_a_missing_column_and_names_it(tmp_path):
    write_ogip(spectra(n_rows=1), tmp_path / "all.yaml")
    edit(tmp_path / "pha_obsrun-23523.fits", lambda hdus: hdus["SPECTRUM"].columns.del_col("COUNTS"))
    with pytest.raises(InputError, match="has no column 'COUNTS'; it has CHANNEL, QUALITY"):
        read_ogip(tmp_path / "all.yaml")


def test_raises_for_a_matrix_on_other_energies_than_the_area(tmp_path):
    ds = spectra(n_rows=1)
    write_ogip(ds, tmp_path / "all.yaml")
    row = next(files.spectrum_rows(spectra(n_rows=1, n_true=3)))
    content = fits_content([matrix_hdu(row.energy_true, row.edisp, {})])
    write_files({tmp_path / "pha_obsrun-23523_rmf.fits": content}, overwrite=True)
    with pytest.raises(DataError, match=r"the matrix has 3 true energies.*area 7"):
        read_ogip(tmp_path / "all.yaml")


def test_raises_for_a_matrix_that_points_outside_the_channels(tmp_path):
    write_ogip(spectra(n_rows=1), tmp_path / "all.yaml")
    edit(tmp_path / "pha_obsrun-23523_rmf.fits", lambda hdus: hdus["MATRIX"].header.set("TLMIN4", 2))
    with pytest.raises(InputError, match="beyond the 5 channels"):
        read_ogip(tmp_path / "all.yaml")


@pytest.mark.parametrize("text", ["", "3", "[1, 2]", "datasets: 3", "datasets: [{name: a}]", "a: [", "components: []"])
def test_raises_for_yaml_that_is_no_index(tmp_path, text):
    (tmp_path / "all.yaml").write_text(text)
    with pytest.raises(InputError, match="is not an index of datasets"):
        read_ogip(tmp_path / "all.yaml")


def test_raises_for_an_index_of_maps(tmp_path):
    (tmp_path / "all.yaml").write_text("datasets: [{name: a, type: MapDataset, filename: a.fits}]")
    with pytest.raises(InputError, match="lists a MapDataset; expected spectra"):
        read_ogip(tmp_path / "all.yaml")


def test_raises_for_an_empty_index(tmp_path):
    (tmp_path / "all.yaml").write_text("datasets: []")
    with pytest.raises(InputError, match="lists no dataset"):
        read_ogip(tmp_path / "all.yaml")


def test_raises_for_two_spectra_of_one_name(tmp_path):
    write_ogip(spectra(n_rows=1), tmp_path / "all.yaml")
    entry = yaml.safe_load((tmp_path / "all.yaml").read_text())["datasets"][0]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump({"datasets": [entry, entry]}))
    with pytest.raises(DataError, match="Two spectra are called 'run-23523'"):
        read_ogip(tmp_path / "all.yaml")


PUBLISHED = {
    "hess/pha_obs23523.fits": (189, 229, 1581.736758410931, 41),
    "hess/pha_obs23592.fits": (142, 545, 1581.264640688896, 41),
    "magic/pha_obs5029747.fits": (482, 778, 1180.58743429184, 55),
    "veritas/pha_obs54809.fits": (154, 90, 1094.651586949825, 46),
    "fact/pha_stacked.fits": (691, 2455, 36459.69409992667, 47),
    "fermi/pha_obs0.fits": (578, 39, 1.0, 36),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_crab_spectra_are_read(name):
    counts, off, livetime, safe = PUBLISHED[name]
    ds = read_ogip(real_data(f"joint-crab/spectra/{name}"))
    assert (int(ds["counts"].sum()), int(ds["counts_off"].sum())) == (counts, off)
    assert (float(ds["livetime"][0]), int(ds["mask_safe"].sum())) == (livetime, safe)
    assert float(ds["edisp"].sum(dim="energy").max()) < 1 + 1e-6
    assert float(ds["exposure"].max()) > 0


def test_a_published_stack_in_gzip_has_its_region_and_good_time():
    ds = read_ogip(real_data("PKS2155-steady/pks2155-304_steady.fits.gz"))
    assert (float(ds["region_lon"][0]), float(ds["region_lat"][0])) == pytest.approx((329.72, -30.22), rel=1e-14)
    assert float(ds["region_radius"][0]) == pytest.approx(0.11, rel=1e-10)
    assert dict(ds.sizes) == {"dataset": 1, "region": 1, "energy": 10, "energy_true": 25, "gti": 6, "bound": 2}
    assert ds.attrs["mjdref"] == pytest.approx(51544 + 64.184 / 86400, abs=1e-10)
    assert float(ds["ontime"][0]) == pytest.approx(10128, abs=1e-6)
