"""What all catalogues have in common: names, rows, positions, and what is said of files that are no catalogue."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table
from made_catalogs import write_2hwc, write_3hwc, write_4fgl, write_hgps

from xgamma import catalog as names
from xgamma.catalog import SourceCatalog2HWC, SourceCatalog3HWC, SourceCatalog4FGL, SourceCatalogHGPS
from xgamma.errors import ConfigError, ConfigTypeError, InputError, LaterNameError, MissingInputError, UnknownNameError
from xgamma.models import Models


@pytest.fixture
def hwc3(tmp_path):
    return SourceCatalog3HWC(write_3hwc(tmp_path / "3HWC.ecsv"))


def test_a_source_is_found_by_name_and_row(hwc3):
    assert hwc3["3HWC J0621+382"].row_index == hwc3[1].row_index == hwc3[-2].row_index == 1
    assert [source.name for source in hwc3] == hwc3.names
    assert len(hwc3) == len(hwc3.table) == 3


def test_a_mask_of_rows_gives_the_catalogue_of_some(hwc3):
    some = hwc3[np.array([False, True, True])]
    assert isinstance(some, SourceCatalog3HWC)
    assert some.names == ["3HWC J0621+382", "3HWC J0659+147"]
    assert len(hwc3) == 3


def test_an_unknown_source_is_answered_with_the_nearest_name(hwc3):
    with pytest.raises(UnknownNameError, match=r"no source '3HWC J0621\+38' in 3hwc. Did you mean '3HWC J0621\+382'"):
        hwc3["3HWC J0621+38"]
    with pytest.raises(UnknownNameError, match=r"It has 3, such as '3HWC J0534\+220'"):
        hwc3["x"]


@pytest.mark.parametrize("key", [1.5, True, np.array([True])])
def test_other_keys_are_refused(hwc3, key):
    with pytest.raises(ConfigTypeError, match="Expected the name, an alias or the row of a source, or a mask of 3"):
        hwc3[key]


def test_positions_are_those_of_the_table(hwc3):
    assert hwc3.positions.ra.deg.tolist() == [83.6, 95.317, 95.317]
    assert hwc3[1].position.frame.name == "icrs"
    assert hwc3[1].position.dec.deg == 38.206


def test_values_of_a_row_have_units(hwc3):
    data = hwc3[1].data
    assert data["spec0_radius"].to_value("arcmin") == 30
    assert data.ts == 28.0
    with pytest.raises(AttributeError, match="Did you mean 'ts'"):
        _ = data.tss


def test_what_is_printed_says_models_with_errors(hwc3):
    text = hwc3[1].info()
    assert "index" in text
    assert "2.410 +- 0.125" in text
    assert "spec0_index_sys_errn" in hwc3[1].info("more")
    assert "3HWC J0621+382" in str(hwc3[1])
    assert "sources: 3" in str(hwc3)
    with pytest.raises(ConfigError, match=r"info: there is no section 'positions'. Did you mean 'position'"):
        hwc3[1].info("positions")


# --- files


def test_another_catalogue_is_named(tmp_path):
    path = write_2hwc(tmp_path / "2HWC.ecsv")
    with pytest.raises(InputError, match=r"2HWC.ecsv is not the catalogue 3hwc: .* Read it with SourceCatalog2HWC."):
        SourceCatalog3HWC(path)


def test_a_file_that_is_no_catalogue_is_refused(tmp_path):
    (tmp_path / "text.txt").write_text("no catalogue")
    with pytest.raises(InputError, match="holds no catalogue: expected FITS, ECSV, or YAML with a list of sources"):
        SourceCatalog3HWC(tmp_path / "text.txt")
    with pytest.raises(MissingInputError, match="There is no file"):
        SourceCatalog3HWC(tmp_path / "none.ecsv")


def test_a_column_that_is_missing_is_named(tmp_path):
    table = Table.read(write_3hwc(tmp_path / "3HWC.ecsv"))
    del table["spec0_index"]
    table.write(tmp_path / "less.ecsv")
    with pytest.raises(InputError, match=r"less.ecsv: the table .* has no column 'spec0_index', which is needed here"):
        SourceCatalog3HWC(tmp_path / "less.ecsv")[0].spectral_model()


def test_a_unit_that_is_not_known_is_said_where_it_is_used(tmp_path):
    table = Table.read(write_3hwc(tmp_path / "3HWC.ecsv"))
    table["spec0_dnde"].unit = "kg"
    table.write(tmp_path / "kilograms.ecsv")
    catalog = SourceCatalog3HWC(tmp_path / "kilograms.ecsv")
    assert catalog[0].spatial_model().frame == "galactic"
    with pytest.raises(InputError, match="column 'spec0_dnde' has the unit 'kg'; expected one that converts to"):
        catalog[0].spectral_model()


def test_catalogues_that_are_not_read_say_so():
    with pytest.raises(LaterNameError, match="catalogues of pulsars are not read"):
        _ = names.SourceCatalog3PC


def test_data_releases_are_still_found_at_this_path():
    assert "hess-dl3-dr1" in names.catalog_names()
    assert names.SourceCatalog2HWC is SourceCatalog2HWC


def test_models_of_catalogues_are_documents_like_any_other(tmp_path):
    for kind, write in ((SourceCatalog4FGL, write_4fgl), (SourceCatalogHGPS, write_hgps)):
        catalog = kind(write(tmp_path / f"{kind.tag}.fits"))
        models = catalog[np.arange(len(catalog)) < 6].to_models()
        again = Models.from_yaml(models.to_yaml(full_output=True))
        assert again.names == models.names
        assert again.parameters.value == pytest.approx(models.parameters.value)
        assert [each.error for each in again.parameters] == pytest.approx([each.error for each in models.parameters])
