"""Events over the squared angle to a position: a function, a table, a picture; axes as Gammapy makes them."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from releases import config_of
from xgamma import maps
from xgamma.analysis import Analysis
from xgamma.axes import Axis
from xgamma.errors import ConfigError, ConfigTypeError, DataError, LaterNameError
from xgamma.estimate import theta2
from xgamma.geometry import separation
from xgamma.makers.utils import make_theta_squared_table
from xgamma.maps import MapAxis, RegionGeom
from xgamma.visualization import plot_theta_squared_table

SOURCE = (83.633, 22.014)
CRAB = SkyCoord(*SOURCE, unit="deg")
SHOWN = MapAxis.from_bounds(0, 0.04, nbin=8, unit="deg2")
AXIS = SHOWN.plain


@pytest.fixture(scope="module")
def observations(tiny_release, tmp_path_factory):
    made = Analysis(config_of(tiny_release, tmp_path_factory.mktemp("theta2") / "store"))
    made.get_observations()
    return made.observations


def events_of(run):
    gti = run.gti
    events = run.events.select_time([gti.time_start[0], gti.time_stop[-1]])
    return np.asarray(events.data["ra"], float), np.asarray(events.data["dec"], float), events.energy.value


def test_events_are_counted_on_and_on_the_other_side_of_the_pointing(observations):
    found = theta2(observations.pieces, AXIS, SOURCE, good_time="strict")
    on, off = np.zeros(8), np.zeros(8)
    for run in observations:
        lon, lat, _ = events_of(run)
        mirror = run.pointing.fixed_icrs.directional_offset_by(
            run.pointing.fixed_icrs.position_angle(CRAB) + 180 * u.deg, run.pointing.fixed_icrs.separation(CRAB)
        )
        on += np.histogram(separation(lon, lat, *SOURCE) ** 2, AXIS.edges)[0]
        off += np.histogram(separation(lon, lat, mirror.ra.deg, mirror.dec.deg) ** 2, AXIS.edges)[0]
    np.testing.assert_array_equal(found["counts"], on)
    np.testing.assert_array_equal(found["counts_off"], off)
    np.testing.assert_array_equal(found["excess"], on - off)
    assert (found["acceptance_off"] == len(observations)).all()
    assert found["theta2"].attrs["units"] == "deg2"


def test_off_positions_lie_on_the_circle_and_energies_select(observations):
    three = theta2(observations.pieces, MapAxis.from_bounds(0, 0.02, 4, unit="deg2").plain, SOURCE, off_regions=3)
    assert (three["alpha"] == 1 / 3).all()
    assert (three["acceptance_off"] == 3 * len(observations)).all()
    low, high = (theta2(observations.pieces, AXIS, SOURCE, energy=pair) for pair in ((0.0, 2.0), (2.0, np.inf)))
    whole = theta2(observations.pieces, AXIS, SOURCE)
    for name in ("counts", "counts_off"):
        np.testing.assert_array_equal(low[name] + high[name], whole[name])


def test_a_position_of_the_background_is_that_of_all_runs(observations):
    there = theta2(observations.pieces, AXIS, SOURCE, off=(83.633, 23.5))
    swapped = theta2(observations.pieces, AXIS, (83.633, 23.5), off=SOURCE)
    np.testing.assert_array_equal(there["counts_off"], swapped["counts"])


def test_a_table_holds_the_same(observations):
    expected = theta2(observations.pieces, AXIS, SOURCE)
    for given in (observations, list(observations)):
        table = make_theta_squared_table(given, SHOWN, CRAB)
        np.testing.assert_array_equal(table["counts"], expected["counts"])
    one = make_theta_squared_table(observations[0], SHOWN.edges, CRAB, energy_edges=[1, 10] * u.TeV)
    assert one["acceptance"].tolist() == [1.0] * 8
    assert table["theta2_max"].quantity[-1] == 0.04 * u.deg**2
    assert table.meta["ON_DEC"] == 22.014 * u.deg


def test_what_overlaps_or_has_no_run_raises(observations):
    wide = MapAxis.from_bounds(0, 1.0, 4, unit="deg2").plain
    with pytest.raises(ConfigError, match=r"circles of 1 deg \(the square root of the last edge\) overlap in run 1, "):
        theta2(observations.pieces, wide, SOURCE)
    with pytest.raises(ConfigError, match="or take fewer off regions"):
        theta2(observations.pieces, AXIS, SOURCE, off_regions=20)
    with pytest.raises(ConfigError, match="expected one off region at a given position"):
        theta2(observations.pieces, AXIS, SOURCE, off=(83.0, 24.0), off_regions=2)
    with pytest.raises(DataError, match="at least one run"):
        theta2([], AXIS, SOURCE)
    with pytest.raises(ConfigError, match="energy_edges: expected two energies, got 3"):
        make_theta_squared_table(observations, AXIS, CRAB, energy_edges=[1, 2, 3])
    with pytest.raises(ConfigError, match="expected squared angles, got TeV"):
        make_theta_squared_table(observations, Axis("energy", np.array([1.0, 2.0])), CRAB)
    with pytest.raises(ConfigTypeError, match="expected a SkyCoord, got a tuple"):
        make_theta_squared_table(observations, AXIS, SOURCE)
    with pytest.raises(ConfigTypeError, match="expected runs of an analysis, got a list"):
        make_theta_squared_table([1], AXIS, CRAB)


def test_the_table_is_drawn(observations):
    figure = plot_theta_squared_table(make_theta_squared_table(observations, AXIS, CRAB))
    figure.canvas.draw()
    above, below = figure.axes
    assert below.get_xlabel() == "Squared angle [deg$^{2}$]"
    assert [text.get_text() for text in above.get_legend().get_texts()] == ["Counts", "Background", "Excess"]


# --- axes


def test_axes_are_made_as_gammapy_does():
    axis = MapAxis.from_energy_bounds(0.1, 40, nbin=10, per_decade=True, unit="TeV", name="energy")
    assert (axis.name, axis.nbin, axis.unit) == ("energy", 27, "TeV")
    same = MapAxis.from_energy_bounds("100 GeV", 40 * u.TeV, nbin=27)
    np.testing.assert_allclose(same.edges, axis.edges, rtol=1e-14)
    edges = MapAxis.from_energy_edges([500, 1000] * u.GeV, name="energy_true")
    assert edges.plain == Axis("energy_true", np.array([0.5, 1.0]))
    assert MapAxis.from_edges([0, 1, 4] * u.deg**2, name="t").unit == "deg2"
    assert RegionGeom.create(None, axes=[axis]).axes["energy"] is axis
    with pytest.raises(ConfigError, match="MapAxis: expected values in TeV"):
        MapAxis.from_energy_edges([1, 2] * u.deg)
    with pytest.raises(ConfigError, match="expected min < max"):
        MapAxis.from_energy_bounds(10, 1, 5, unit="TeV")
    with pytest.raises(LaterNameError, match="HEALPix comes with a later version"):
        maps.HpxGeom  # noqa: B018
