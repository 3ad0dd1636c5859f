"""Observations: each a view of the events, the good time and the responses of its run in the store."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.time import Time

from releases import config_of
from xgamma.analysis import Analysis
from xgamma.axes import Axis
from xgamma.data import DataStore
from xgamma.datasets.event_list import EventList
from xgamma.datasets.responses import PointSpread
from xgamma.errors import ConfigError, ConfigTypeError, DataError, UnknownNameError
from xgamma.geometry import separation
from xgamma.shapes import Circle


@pytest.fixture(scope="module")
def analysis(tiny_release, tmp_path_factory):
    made = Analysis(config_of(tiny_release, tmp_path_factory.mktemp("observations") / "store"))
    made.get_observations()
    return made


@pytest.fixture
def run(analysis):
    return analysis.observations[0]


def test_runs_are_found_by_number_name_and_slice(analysis):
    observations = analysis.observations
    ids = observations.ids
    assert [str(each.obs_id) for each in observations] == ids
    assert observations[-1].name == ids[-1]
    assert observations[ids[1]].obs_id == int(ids[1])
    assert observations[1:].ids == ids[1:]
    assert observations[::-1].ids == ids[::-1]
    assert list(observations[1:].table.index) == ids[1:]
    with pytest.raises(UnknownNameError, match="There is no observation '7'"):
        observations["7"]
    with pytest.raises(IndexError):
        observations[len(ids)]


def test_a_run_says_what_the_table_says(analysis, run):
    row = analysis.observations.table.iloc[0]
    for name, column in (("target", "target"), ("telescope", "telescope"), ("livetime", "livetime")):
        assert getattr(run, name) == row[column]
    assert (run.ra, run.dec, len(run.events)) == (row["ra_pnt"], row["dec_pnt"], row["events"])
    assert (run.tstart.mjd, run.tstop.mjd) == (row["tstart"], row["tstop"])
    assert run.tstart < run.tmid < run.tstop
    assert run.pointing.fixed_icrs.ra.deg == run.ra
    assert run.get_pointing_icrs(run.tmid).dec.deg == run.dec
    assert run.observation_live_time_duration.to_value("s") == pytest.approx(run.livetime)
    assert run.observation_time_duration == run.gti.time_sum
    assert run.observation_dead_time_fraction == pytest.approx(1 - row["deadc"])
    assert run.name in repr(run)


# --- events


def test_events_are_a_table_and_quantities(run):
    events = run.events
    table = events.table
    assert isinstance(table, Table)
    assert {"RA", "DEC", "ENERGY", "TIME"} <= set(table.colnames)
    assert table["ENERGY"].unit == "TeV"
    np.testing.assert_array_equal(events.energy.value, np.asarray(table["ENERGY"], float))
    apart = events.radec.separation(events.pointing_radec).deg
    np.testing.assert_allclose(events.offset.value, apart, rtol=1e-9, atol=1e-12)
    assert events.galactic.frame.name == "galactic"
    assert run.tstart <= events.time.min()
    assert repr(events) == f"<EventList: {len(events)} events>"


def test_events_are_selected(run):
    events = run.events
    energy, offset = events.energy.value, events.offset.value
    few = events.select_energy(u.Quantity([1000, 10000], "GeV"))
    assert len(few) == np.sum((energy >= 1) & (energy < 10))
    assert few.pointing_radec.ra == events.pointing_radec.ra
    assert len(events.select_offset(u.Quantity([0.2, 0.7], "deg"))) == np.sum((offset >= 0.2) & (offset < 0.7))
    half = Time([run.tstart, run.tmid])
    early = events.select_time(half)
    assert len(early) == np.sum((events.time >= half[0]) & (events.time < half[1]))
    assert len(early) + len(events.select_time(half, inverted=True)) == len(events)
    circle = Circle(83.633, 22.014, 0.3)
    inside = separation(events.radec.ra.deg, events.radec.dec.deg, 83.633, 22.014) < 0.3
    assert len(events.select_region(circle)) == pytest.approx(inside.sum(), abs=1)
    assert len(events.select_region([circle, circle])) == len(events.select_region(circle))
    assert len(events.select_parameter("ENERGY", u.Quantity([1000, 10000], "GeV"))) == len(few)
    assert len(events.select_parameter("ENERGY", (1 * u.TeV, 1e4 * u.GeV))) == len(few)
    first = events.data["event_id"].values[:2] if "event_id" in events.data else events.data["time"].values[:2]
    name = "event_id" if "event_id" in events.data else "time"
    assert len(events.select_parameter(name, first, is_range=False)) == 2
    assert len(events.select_row_subset(slice(0, 5))) == 5


def test_events_of_several_runs_are_one_list(analysis):
    one, two = analysis.observations[0].events, analysis.observations[1].events
    both = EventList.from_stack([one, two])
    assert len(both) == len(one) + len(two)
    np.testing.assert_allclose(both.time.mjd[len(one) :], two.time.mjd, rtol=0, atol=1e-12)
    with pytest.raises(DataError, match="have no common pointing; take those of one run"):
        both.plot_image()
    with pytest.raises(ConfigError, match="at least one list"):
        EventList.from_stack([])


def test_what_does_not_select_raises(run):
    events = run.events
    with pytest.raises(UnknownNameError, match=r"There is no column 'ENRGY'. Did you mean"):
        events.select_parameter("ENRGY", [1, 2])
    with pytest.raises(ConfigError, match="energy_range: expected two ends, got 3"):
        events.select_energy([1, 2, 3] * u.TeV)
    with pytest.raises(ConfigError, match="starts before it stops"):
        events.select_time([run.tstop, run.tstart])
    with pytest.raises(ConfigTypeError, match="Expected a region, such as CircleSkyRegion"):
        events.select_region(3.0)
    with pytest.raises(DataError, match="got none called 'energy'"):
        EventList(events.data.drop_vars("energy"))


def test_a_piece_of_a_run_has_the_events_and_the_good_time_of_its_interval(run):
    piece = run.select_time([run.tstart, run.tmid])
    assert 0 < len(piece.events) < len(run.events)
    assert len(piece.events) == len(run.events.select_time([run.tstart, run.tmid]))
    assert piece.gti.time_sum.to_value("s") == pytest.approx(run.gti.time_sum.to_value("s") / 2)
    assert piece.observation_live_time_duration < run.observation_live_time_duration
    assert len(piece.select_time([run.tmid, run.tstop]).events) == 0


def test_runs_are_cut_by_intervals(analysis):
    observations = analysis.observations
    first = observations[0]
    middle, end = first.tmid, observations[-1].tstop
    pieces = observations.select_time([[first.tstart, middle], [middle, end]])
    assert pieces.ids.count(str(first.obs_id)) == 2
    names = [piece.name for piece in pieces]
    assert names[:2] == [f"{first.obs_id}-1", f"{first.obs_id}-2"]
    assert len(names) == len(observations) + 1
    whole = sum(len(run.events.select_time([first.tstart, end])) for run in observations)
    assert sum(len(piece.events) for piece in pieces) == whole
    one = observations.select_time([first.tstart, middle])
    assert one.ids == [str(first.obs_id)]
    assert len(observations.select_time(Time([first.tstart, middle]))) == 1
    with pytest.raises(ConfigError, match="these are pieces of runs already"):
        one.select_time([first.tstart, middle])
    with pytest.raises(ConfigError, match="Selected time"):
        observations.select_time([[first.tstart, end], [middle, end]])


# --- responses


def test_responses_are_evaluated_between_their_nodes(run):
    area = run.aeff
    energy, offset = area.axes["energy_true"].center, area.axes["offset"].center
    stored = area.data["aeff"].transpose("offset", "energy_true").values
    np.testing.assert_allclose(area.evaluate(offset[:, None], energy).value, stored, rtol=1e-6)
    assert area.evaluate(0.5 * u.deg, 1 * u.TeV).unit == "m2"
    kernel = run.edisp.kernel(0.5, energy[5:9], np.geomspace(0.1, 100, 30))
    assert kernel.shape == (4, 29)
    assert (kernel.sum(axis=1) <= 1 + 1e-9).all()
    true = Axis("energy_true", Axis.from_coords(run.edisp.data.coords, "energy_true").edges[5:10])
    reco = Axis.from_bounds("energy", 0.1, 100.0, 29)
    whole, asked = run.edisp.to_edisp_kernel(0.5), run.edisp.to_edisp_kernel("0.5 deg", true, reco)
    np.testing.assert_allclose(asked.pdf_matrix, run.edisp.kernel(0.5, true.center, reco.edges), rtol=1e-12)
    assert (asked.axes.plain, whole.axes.names) == ((true, reco), ["energy_true", "energy"])
    density = run.edisp.density(0.5)
    width = Axis.from_coords(run.edisp.data.coords, "migra").width
    np.testing.assert_allclose((density * width[:, None]).sum("migra").values[5:9], 1.0, rtol=0.1)
    assert "aeff_2d" in repr(area)


def test_a_containment_radius_holds_its_fraction(run):
    psf = run.psf
    energy = psf.axes["energy_true"].center[4:8]
    radii = psf.containment_radius(0.68, 0.5, energy)
    for radius, each in zip(radii, energy, strict=True):
        assert float(psf.containment(radius, 0.5, each)) == pytest.approx(0.68, abs=1e-6)
    with pytest.raises(ConfigError, match="a fraction between 0 and 1, got 68"):
        psf.containment_radius(68, 0.5, energy)
    assert isinstance(psf, PointSpread)


def test_a_response_that_is_not_there_raises(run):
    assert "events" in run.available_hdus
    with pytest.raises(DataError, match=f"Run {run.name} has no response 'rad_max'; it has aeff"):
        run.rad_max  # noqa: B018


def test_runs_and_events_are_drawn(run):
    figure = run.peek()
    figure.canvas.draw()
    shown = [ax for ax in figure.axes if ax.get_visible() and ax.get_label() != "<colorbar>"]
    assert len(shown) == 1 + len(run.available_irfs)
    events = run.events.peek()
    events.canvas.draw()
    empty = run.events.select_energy([1e6, 2e6] * u.TeV)
    empty.peek().canvas.draw()
    labels = {ax.get_ylabel() for ax in figure.axes}
    assert {"Effective area [m$^{2}$]", "Containment radius [deg]"} <= labels
    assert SkyCoord(run.ra, run.dec, unit="deg").ra.deg == run.ra


def test_a_data_store_says_what_print_shows(tiny_release, capsys):
    store = DataStore.from_dir(str(tiny_release))
    text = store.info(show=False)
    assert (text, store.info()) == (str(store), None)
    assert capsys.readouterr().out.rstrip() == text.rstrip()
