"""The background that a release expects: its rate integrated over region, energy and good time; fits use cash."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.time import Time
from astropy.utils import iers

from releases import TINY, config_of, part_in_memory, recipe, release_of, rows_in, until_datasets
from xgamma import schema
from xgamma.axes import Axis
from xgamma.config.requests import models_of
from xgamma.errors import ConfigError
from xgamma.events import Part, Rows
from xgamma.formats.gadf.index import read_index
from xgamma.geometry import from_field, position_angle, separation, to_field, zenith
from xgamma.grid import Circle, Grid, RegionSpace, SkySpace
from xgamma.ingest.merge import merged_part
from xgamma.ingest.part import part_of, read_runs
from xgamma.irf import background_rate
from xgamma.masks import ExcludedShapes
from xgamma.outcome import Outcome
from xgamma.reduce import lazy_spectra, method, reduce_block, reduce_spectra, stack
from xgamma.reduce.background.irf import _integral
from xgamma.shapes import Annulus

IRF = method("background", "irf")
ENERGY, ENERGY_TRUE = Axis.from_bounds("energy", 0.5, 30.0, 8), Axis.from_bounds("energy_true", 0.2, 60.0, 14)


def wanted(**changes):
    return recipe(**{"background": IRF, "safe_masks": (), **changes})


def grid_of(*regions):
    return Grid(ENERGY, ENERGY_TRUE, RegionSpace(regions))


def with_rate(part, rate, **field):
    """Return a part whose background tables hold ``rate(fov_lon, fov_lat)`` at all energies."""
    groups = dict(part.groups)
    for name in part.obs.attrs["irf_tables"]:
        if name.startswith("irf/bkg_3d"):
            table = groups[name]
            values = rate(table["fov_lon"], table["fov_lat"]) * xr_ones(table)
            groups[name] = table.assign(bkg=values.transpose(*table["bkg"].dims).astype(np.float32))
    fields = [{**own, **field} for own in part.obs.attrs["bkg_field"]]
    groups[""] = part.obs.assign_attrs(bkg_field=fields)
    return Part(groups)


def xr_ones(table):
    return (table["bkg"] * 0 + 1).fillna(1)


@pytest.fixture(scope="module")
def by_offset(tmp_path_factory):
    response = dataclasses.replace(TINY.response, background="bkg_2d")
    plan = dataclasses.replace(TINY, name="by-offset", response=response)
    return part_in_memory(release_of(plan, tmp_path_factory.mktemp("by-offset")))


def test_a_flat_rate_is_times_solid_angle_energy_and_good_time(nights_part):
    flat = with_rate(nights_part, lambda lon, lat: 0 * lon + 0 * lat + 3.0)
    rows = reduce_spectra(flat, rows_in(flat), wanted())
    cap = 2 * np.pi * (1 - np.cos(np.deg2rad(0.11)))
    expected = 3.0 * cap * ENERGY.width * rows["ontime"].values[:, None]
    np.testing.assert_allclose(rows["background"].values[:, 0], expected, rtol=2e-7)
    schema.validate(rows)
    assert "counts_off" not in rows
    assert rows["mask_safe"].values.all()


def test_good_time_counts_and_not_livetime(nights_part):
    whole = reduce_spectra(nights_part, rows_in(nights_part, [0]), wanted())
    cut = reduce_spectra(nights_part, rows_in(nights_part, [0], *cut_in_half(nights_part)), wanted())
    assert whole["livetime"].item() < whole["ontime"].item()
    share = (cut["ontime"] / whole["ontime"]).item()
    assert 0 < share < 1
    np.testing.assert_allclose(cut["background"], whole["background"] * share, rtol=1e-12)


def cut_in_half(part):
    start, stop = part.obs["tstart"].values[0], part.obs["tstop"].values[0]
    return start, 0.5 * (start + stop)


def test_the_simulated_background_is_what_a_simulation_draws(tiny_release):
    """Without a source the counts of the field are the background that the tables say, within their error."""
    part = part_in_memory(tiny_release)
    grid = Grid(ENERGY, ENERGY_TRUE, SkySpace(83.633, 22.014, "icrs", 0.1, (40, 40)))
    rows = reduce_spectra(part, rows_in(part), wanted(grid=grid, containment=False))
    lon, lat = grid.space.positions()
    away = (separation(lon, lat, 83.633, 22.014) > 0.5).reshape(40, 40)
    counts, expected = (rows[name].values[:, :, away].sum() for name in ("counts", "background"))
    assert abs(counts - expected) < 4 * np.sqrt(expected)


def test_pixels_of_a_window_add_up_to_the_region(nights_part):
    image = SkySpace(83.633, 22.014, "icrs", 0.01, (60, 60), (50, 50))
    recipes = [
        wanted(grid=Grid(ENERGY, ENERGY_TRUE, image), containment=False),
        wanted(use_region_center=False, grid=grid_of(Circle(83.633, 22.014, 0.2))),
    ]
    window, region = (reduce_spectra(nights_part, rows_in(nights_part, [0, 1]), one) for one in recipes)
    lon, lat = image.positions(image.origins(*(nights_part.column(n, np.array([0, 1])) for n in ("ra_pnt", "dec_pnt"))))
    inside = separation(lon, lat, 83.633, 22.014) < 0.2
    sums = (window["background"].values.reshape(2, 8, 2500) * inside[:, None, :]).sum(axis=2, dtype=float)
    np.testing.assert_allclose(sums, region["background"].values[:, 0], rtol=0.01)


def test_solid_angles_of_an_image_add_up():
    sky = SkySpace(10.0, 60.0, "icrs", 1.0, (360, 180))
    np.testing.assert_allclose(sky.solid_angles().sum(), 4 * np.pi, rtol=1e-12)
    window = SkySpace(10.0, 60.0, "icrs", 1.0, (360, 180), (360, 60))
    np.testing.assert_allclose(
        window.solid_angles(np.array([[60, 0], [0, 0]])).sum(axis=1), [2 * np.pi, np.pi], rtol=1e-12
    )


@pytest.mark.parametrize(("word", "sign"), [("RADEC", -1.0), ("REVERSE_LON_RADEC", 1.0)])
def test_the_longitude_of_the_field_grows_as_its_alignment_says(nights_part, word, sign):
    part = with_rate(nights_part, lambda lon, lat: np.exp(0.3 * lon + 0.2 * lat), alignment=word)
    pointing = part.obs["ra_pnt"].values[0], part.obs["dec_pnt"].values[0]
    lon, lat = from_field(0.7, -0.4, *pointing)
    rows = reduce_spectra(part, rows_in(part, [0]), wanted(grid=grid_of(Circle(float(lon), float(lat), 0.1))))
    rate = np.exp(0.3 * sign * 0.7 - 0.2 * 0.4)
    solid = Circle(float(lon), float(lat), 0.1).solid_angle
    np.testing.assert_allclose(
        rows["background"].values[0, 0], rate * solid * ENERGY.width * rows["ontime"].item(), rtol=1e-5
    )


def test_a_field_that_turns_with_the_camera_is_followed(nights_part):
    part = with_rate(nights_part, lambda lon, lat: np.exp(0.3 * lon + 0.2 * lat), alignment="ALTAZ", site_lat=-23.27)
    pointing = part.obs["ra_pnt"].values[0], part.obs["dec_pnt"].values[0]
    lon, lat = (float(one) for one in from_field(0.7, -0.4, *pointing))
    rows = reduce_spectra(part, rows_in(part, [0]), wanted(grid=grid_of(Circle(lon, lat, 0.1))))
    site = EarthLocation.from_geodetic(part.obs["geo_lon"].values[0] * u.deg, -23.27 * u.deg)
    seconds = np.concatenate([np.linspace(*own, 20) for own in rows["gti"].values[0]])
    with iers.conf.set_temp("auto_download", False):
        frame = AltAz(location=site, obstime=Time(rows.attrs["mjdref"], seconds / 86400, format="mjd", scale="tt"))
        origin, target = (SkyCoord(*at, unit="deg").transform_to(frame) for at in (pointing, (lon, lat)))
    x, y = to_field(target.az.deg, target.alt.deg, origin.az.deg, origin.alt.deg)
    rate = np.exp(-0.3 * x + 0.2 * y).mean()
    solid = Circle(lon, lat, 0.1).solid_angle
    np.testing.assert_allclose(
        rows["background"].values[0, 0], rate * solid * ENERGY.width * rows["ontime"].item(), rtol=1e-3
    )


def test_the_zenith_is_where_astropy_has_it():
    site = EarthLocation.from_geodetic(-17.89 * u.deg, 28.76 * u.deg)
    times = Time(["2004-12-08T01:00:00", "2013-06-01T23:30:00", "2021-03-03T04:05:06"], scale="utc")
    with iers.conf.set_temp("auto_download", False):
        up = SkyCoord(
            az=np.zeros(3) * u.deg, alt=np.full(3, 90.0) * u.deg, frame=AltAz(location=site, obstime=times)
        ).icrs
    lon, lat = zenith(times.mjd, -17.89, 28.76)
    # The rest is nutation and aberration.
    assert (separation(lon, lat, up.ra.deg, up.dec.deg) < 0.012).all()


def test_places_in_a_field_are_found_back():
    lon, lat = to_field(*from_field(1.3, -0.7, 266.0, -29.0), 266.0, -29.0)
    np.testing.assert_allclose([lon, lat], [1.3, -0.7], atol=1e-12)
    # A field whose north is the east of the sky has what lies in the east above.
    np.testing.assert_allclose(to_field(266.0, -28.0, 266.0, -29.0, 90.0), [-1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(position_angle([266.0, 267.0], [-28.0, -29.0], 266.0, -29.0), [0.0, 90.0], atol=0.3)


@pytest.mark.parametrize("change", [{"alignment": "ALTAZ", "site_lat": None}, {"alignment": "SIDEWAYS"}, None])
def test_a_field_that_lies_nobody_knows_how_is_not_used(nights_part, change):
    fields = [dict(own) for own in nights_part.obs.attrs["bkg_field"]]
    if change is not None:
        fields[2] = {key: value for key, value in change.items() if value in ("ALTAZ",)}
    attrs = {k: v for k, v in nights_part.obs.attrs.items() if k != "bkg_field"} | (
        {"bkg_field": fields} if change else {}
    )
    changed = nights_part.obs.copy()
    changed.attrs = attrs
    rows = reduce_spectra(Part({**nights_part.groups, "": changed}), rows_in(nights_part), wanted())
    lost = [2] if change is not None else list(range(7))
    assert np.flatnonzero(rows["outcome"].values == Outcome.UNKNOWN_RESPONSE).tolist() == lost
    assert "FOVALIGN is none of RADEC, ALTAZ, REVERSE_LON_RADEC" in rows.attrs["outcome_details"][2]
    assert (rows["background"].values[lost] == 0).all()


def test_a_rate_by_offset_needs_no_alignment(by_offset):
    changed = by_offset.obs.copy()
    changed.attrs = {key: value for key, value in changed.attrs.items() if key != "bkg_field"}
    rows = reduce_spectra(Part({**by_offset.groups, "": changed}), rows_in(by_offset), wanted())
    assert (rows["outcome"].values == Outcome.USED).all()
    cube = reduce_spectra(by_offset, rows_in(by_offset), wanted())
    np.testing.assert_array_equal(cube["background"].values, rows["background"].values)


def test_the_rate_by_offset_stays_as_it_is_beyond_its_outer_nodes(by_offset):
    table = by_offset.table_of(int(by_offset.obs["bkg_table"].values[0]))
    axis = Axis.from_coords(table.coords, "offset")
    first, last, edge = axis.center[0], axis.center[-1], axis.edges[-1] + axis.width[-1]
    at = np.array([[0.0, first, last, edge - 1e-6, edge + 1e-6]])
    rate = background_rate(table, np.array([0]), {"offset": at}, np.array([1.0]))[0, :, 0]
    assert rate[0] == rate[1] > 0
    assert rate[2] == rate[3] > 0
    assert rate[4] == 0


def test_missing_entries_are_filled_between_others_and_nowhere_else(nights_part):
    table = nights_part.table_of(int(nights_part.obs["bkg_table"].values[0]))
    values = np.array(table["bkg"].values)
    energies = Axis.from_coords(table.coords, "energy")
    steps = values[:, 1:] / values[:, :-1]
    holes = np.array(values)
    holes[:, 5], holes[:, 6], holes[:, -2:] = 0.0, np.nan, 0.0
    at = {"fov_lon": np.array([[0.3]]), "fov_lat": np.array([[-0.2]])}
    found = background_rate(table.assign(bkg=(table["bkg"].dims, holes)), np.array([0]), at, energies.center)[0, 0]
    full = background_rate(table, np.array([0]), at, energies.center)[0, 0]
    np.testing.assert_allclose(found[:5], full[:5], rtol=1e-6)
    np.testing.assert_allclose(found[5:7], full[4] * (full[7] / full[4]) ** (np.array([1, 2]) / 3), rtol=1e-5)
    assert (found[-2:] == 0).all()
    assert np.isfinite(steps).all()


def test_the_integral_of_a_power_law_is_exact():
    edges = np.array([1.0, 2.0, 5.0])
    for index in (-2.7, -1.0, 0.0, 3.0):
        exact = np.log(edges[1:] / edges[:-1]) if index == -1 else np.diff(edges ** (index + 1)) / (index + 1)
        np.testing.assert_allclose(_integral(edges, edges**index), exact, rtol=1e-12)
    np.testing.assert_array_equal(_integral(edges, np.array([0.0, 1.0, 1.0]))[:1], [0.0])


def test_finer_steps_of_energy_come_nearer_to_the_integral(nights_part):
    found = [
        reduce_spectra(
            nights_part, rows_in(nights_part, [0]), wanted(background=method("background", "irf", oversampling=steps))
        )["background"].values
        for steps in (1, 10, 100)
    ]
    near, nearer = (np.abs(one / found[2] - 1).max() for one in found[:2])
    assert nearer < 0.1 * near < 0.1


def test_a_rate_over_a_region_is_its_mean(nights_part):
    """A rate that falls in a straight line, and a ring, whose centre is not in it."""
    part = with_rate(nights_part, lambda lon, lat: 1 + lat**2 + 0 * lon, alignment="RADEC")
    pointing = part.obs["ra_pnt"].values[0], part.obs["dec_pnt"].values[0]
    ring = Annulus(Circle(*pointing, 1.0), Circle(*pointing, 0.5))
    center, mean = (
        reduce_spectra(part, rows_in(part, [0]), wanted(grid=grid_of(ring), containment=False, use_region_center=use))
        for use in (True, False)
    )
    # The mean of y^2 over a ring is a quarter of the sum of its squared radii.
    ratio = mean["background"].values / center["background"].values
    np.testing.assert_allclose(ratio, 1 + (1.0 + 0.25) / 4, rtol=0.02)


def test_blocks_of_any_size_and_lazy_rows_give_the_same_bytes(nights_part):
    rows = rows_in(nights_part)
    whole, single = (
        reduce_block(nights_part, rows, wanted()),
        [reduce_block(nights_part, rows[n : n + 1], wanted()) for n in range(7)],
    )
    np.testing.assert_array_equal(
        whole["background"].values, np.concatenate([one["background"].values for one in single])
    )
    lazy = lazy_spectra([(nights_part, rows)], wanted())
    np.testing.assert_array_equal(lazy["background"].values, whole["background"].values)
    np.testing.assert_array_equal(stack(whole)["background"].values[0], whole["background"].values.sum(axis=0))
    np.testing.assert_array_equal(whole["ledger"].sum("fate").values[:, 0], nights_part.obs["event_size"].values)


def test_parts_put_together_keep_how_their_fields_lie(nights_part):
    older = nights_part.obs.copy()
    older.attrs = {key: value for key, value in older.attrs.items() if key != "bkg_field"}
    merged = merged_part([nights_part, Part({**nights_part.groups, "": older})])
    assert merged.obs.attrs["bkg_field"] == [{"alignment": "RADEC", "site_lat": -23.2717777777778}] * 7 + [{}] * 7


def test_an_exclusion_is_refused():
    with pytest.raises(ConfigError, match="the background irf is expected and not measured on the sky"):
        wanted(exclusion=ExcludedShapes((Circle(80.0, 20.0, 0.5),)))


def test_an_analysis_with_a_background_that_is_expected_fits_with_cash(tiny_release, tmp_path):
    config = config_of(tiny_release, tmp_path / "store", "datasets: {background: {method: irf}}")
    analysis = until_datasets(config)
    analysis.set_models(models_of(config))
    analysis.run_fit()
    [view] = analysis.datasets
    assert view.stat_type == "cash"
    assert "counts_off" not in analysis.datasets.to_xarray()[0]
    [index, amplitude] = [analysis.models[0].spectral_model.parameters[name] for name in ("index", "amplitude")]
    assert abs(index.value - 2.6) < 4 * index.error
    assert abs(amplitude.value - 5e-10) < 4 * amplitude.error
    with pytest.raises(ConfigError, match="has no place for a known background"):
        analysis.datasets.write(tmp_path / "ogip.yaml")


# The expected counts of Gammapy 2.1, SpectrumDatasetMaker, by run.
HESS = {23523: 14.13794775, 23526: 12.98490271, 23559: 9.91952876, 23592: 10.08208955}
CTA = {110380: 278.77859936}


@pytest.mark.parametrize(
    ("release", "region", "axes", "reference"),
    [
        ("hess-dl3-dr1", Circle(83.633, 22.014, 0.11), ((0.5, 30, 20), (0.1, 50, 40)), HESS),
        ("cta-1dc/index/gps", Circle(1.0, 0.5, 0.2, "galactic"), ((0.05, 100, 20), (0.03, 150, 40)), CTA),
    ],
)
def test_public_runs_have_the_background_of_the_field(gammapy_data, release, region, axes, reference):
    index = read_index(gammapy_data / release)
    runs, _ = read_runs([index.runs[number] for number in reference], lambda: None)
    part = part_of(runs, "public")
    everything = np.full(len(runs), np.inf)
    rows = Rows(np.arange(len(runs)), -everything, everything, tuple(map(str, reference)))
    energy, energy_true = (
        Axis.from_bounds(name, *own) for name, own in zip(("energy", "energy_true"), axes, strict=True)
    )
    found = reduce_spectra(part, rows, wanted(grid=Grid(energy, energy_true, RegionSpace((region,)))))
    np.testing.assert_allclose(found["background"].values.sum(axis=(1, 2)), list(reference.values()), rtol=2e-6)
