"""Tables of sources, each a circle on the sky, and the exclusion that a configuration makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from releases import config_of
from xgamma.analysis import AnalysisConfig
from xgamma.analysis.preview import preview
from xgamma.config.requests import recipe_of
from xgamma.errors import ConfigError, InputError, MissingInputError
from xgamma.formats.region_files import read_sources
from xgamma.geometry import to_frame
from xgamma.grid import Circle
from xgamma.masks import ExcludedShapes

NAMED = (Circle(83.633, 22.014, 0.3), Circle(84.5, 21.0, 0.2))


def table_of(**changes):
    columns = {"Name": ["Crab", "other"], "RA": [83.633, 84.5], "DEC": [22.014, 21.0], "radius": [18.0, 12.0]}
    found = Table({name: values for name, values in (columns | changes).items() if values is not None})
    for name, unit in (("RA", "deg"), ("DEC", "deg"), ("radius", "arcmin")):
        if name in found.colnames:
            found[name].unit = unit
    return found


@pytest.mark.parametrize("name", ["sources.ecsv", "sources.fits", "sources.fits.gz"])
def test_each_source_of_a_table_is_a_circle_with_a_name(tmp_path, name):
    table_of().write(tmp_path / name)
    found = read_sources(tmp_path / name)
    assert [one.name for one in found] == ["Crab", "other"]
    for one, expected in zip(found, NAMED, strict=True):
        np.testing.assert_allclose([*one.shape.center, one.shape.radius], [*expected.center, expected.radius])


@pytest.mark.parametrize(
    ("lon", "lat", "frame"), [("GLON", "GLAT", "galactic"), ("RAJ2000", "DEJ2000", "icrs"), ("lon", "lat", "icrs")]
)
def test_positions_have_the_names_that_catalogues_give_them(tmp_path, lon, lat, frame):
    Table({lon: [10.0], lat: [-1.0], "radius": [0.5]}).write(tmp_path / "a.ecsv")
    [(shape, name)] = read_sources(tmp_path / "a.ecsv")
    np.testing.assert_allclose(shape.center, to_frame(10.0, -1.0, frame, "icrs"))
    assert (shape.radius, shape.frame, name) == (0.5, frame, "")


def test_sources_without_a_radius_have_the_one_that_is_given(tmp_path):
    table_of(radius=MaskedColumn([18.0, 0.0], mask=[False, True])).write(tmp_path / "some.ecsv")
    assert [one.shape.radius for one in read_sources(tmp_path / "some.ecsv", 0.4)] == [0.3, 0.4]
    table_of(radius=None).write(tmp_path / "none.fits")
    assert [one.shape.radius for one in read_sources(tmp_path / "none.fits", 0.25)] == [0.25, 0.25]
    for name in ("some.ecsv", "none.fits"):
        with pytest.raises(InputError, match="expected a RADIUS above 0 deg, got nan; give the radius of sources"):
            read_sources(tmp_path / name)


def test_what_is_no_table_of_sources_is_one_sentence(tmp_path):
    table_of(RA=None).write(tmp_path / "a.ecsv")
    with pytest.raises(InputError, match="expected a table of sources with the columns RA and DEC, or"):
        read_sources(tmp_path / "a.ecsv")
    table_of(DEC=[22.0, 99.0]).write(tmp_path / "b.ecsv")
    with pytest.raises(InputError, match="row 2: expected a position on the sky"):
        read_sources(tmp_path / "b.ecsv")
    (tmp_path / "c.ecsv").write_text("no table\n")
    with pytest.raises(InputError, match="is not an ECSV table"):
        read_sources(tmp_path / "c.ecsv")
    with pytest.raises(MissingInputError, match="There is no file"):
        read_sources(tmp_path / "d.ecsv")


# --- in a configuration


def exclusion_in(config, given):
    config.datasets.background.exclusion = given
    assert AnalysisConfig.from_yaml(config.to_yaml()) == config
    return recipe_of(config).exclusion


@pytest.mark.parametrize("name", ["sources.ecsv", "sources.fits"])
def test_a_table_of_sources_is_an_exclusion_alone_and_in_a_list(tiny_release, tmp_path, name):
    table_of().write(tmp_path / name)
    config, path = config_of(tiny_release, tmp_path / "store"), str(tmp_path / name)
    expected = ExcludedShapes(NAMED)
    for given in (path, [{"file": path}], [{"catalog": path}], {"catalog": path, "radius": "1 deg"}):
        found = exclusion_in(config, given)
        lon, lat = np.random.default_rng(3).uniform([82.0, 20.0], [86.0, 23.0], (500, 2)).T
        np.testing.assert_array_equal(
            found.is_usable(lon, lat, outside=True), expected.is_usable(lon, lat, outside=True)
        )
    table_of(radius=None).write(tmp_path / "bare.ecsv")
    bare = exclusion_in(config, [{"catalog": str(tmp_path / "bare.ecsv"), "radius": "0.5 deg"}])
    assert [shape.radius for shape in bare.shapes] == [0.5, 0.5]


def test_a_catalogue_that_is_none_is_one_sentence(tiny_release, tmp_path):
    config = config_of(tiny_release, tmp_path / "store")
    with pytest.raises(ConfigError, match=r"exclusion: expected catalog, and radius or not, got lon too; leave it out"):
        config.datasets.background.exclusion = [{"catalog": "a.ecsv", "lon": "3 deg"}]
    config.datasets.background.exclusion = [{"catalog": str(tmp_path / "a.ecsv")}]
    with pytest.raises(
        MissingInputError,
        match=r"datasets\.background\.exclusion\[0\]\.catalog: expected a file or folder, but there is no",
    ):
        preview(config)
