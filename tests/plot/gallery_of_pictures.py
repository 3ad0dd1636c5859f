"""The pictures that are compared with stored ones, made of simulated data, by name."""

from __future__ import annotations

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time

from builders import flux_points_product, light_curve_product, on_off_dataset
from simulated_spectra import power_law
from sky_rows import sky_row
from xgamma.datasets import Datasets, ExcessMap, FluxPoints, FluxPointsDataset, LightCurve, SpectrumDatasetOnOff
from xgamma.estimate import excess_map
from xgamma.maps import Map, MapAxis, WcsGeom
from xgamma.modeling.models import (
    DiskSpatialModel,
    GaussianSpatialModel,
    GaussianTemporalModel,
    LogParabolaSpectralModel,
    Models,
    SkyModel,
)
from xgamma.plot import excess, expected, figures, light_curve, matrix, responses, runs, significance, sky
from xgamma.plot import spectrum as plot_spectrum
from xgamma.shapes import Circle

AXIS = MapAxis.from_energy_bounds("1 TeV", "10 TeV", 2)
CENTER = SkyCoord(83.63, 22.01, unit="deg")


def spectrum():
    made = SpectrumDatasetOnOff(on_off_dataset(n_energy=12), models=[power_law()])
    made.mask_fit = made.energy_mask("1 TeV", "20 TeV")
    return made


def spectra(n_rows):
    made = Datasets.from_xarray([on_off_dataset(n_rows, names=[f"run-{number}" for number in range(n_rows)])])
    made.models = [power_law()]
    return made


def points():
    return FluxPoints(flux_points_product())


def curve():
    made = LightCurve(light_curve_product())
    made.data["is_ul"][1, 0] = True
    return made


def field():
    """A source of a Gaussian on a flat background, without noise of other numpys."""
    y, x = np.mgrid[:20, :24]
    shape = 8.0 * np.exp(-0.5 * ((x - 14) ** 2 + (y - 9) ** 2) / 4.0)
    wave = 2.0 + 1.5 * np.sin(1.7 * x) * np.cos(2.3 * y)
    return sky_row(counts=np.round(shape + wave), background=2.0, exposure=1e9)


def sky_map():
    geom = WcsGeom.create(skydir=CENTER, binsz=0.05, width=(2.0, 1.5), axes=[AXIS])
    sky_at = geom.to_image().get_coord()
    lon, lat = np.asarray(sky_at["lon"]), np.asarray(sky_at["lat"])
    density = np.exp(-0.5 * ((lon - 83.63) ** 2 + (lat - 22.01) ** 2) / 0.04)
    return Map.from_geom(geom, np.stack([density, 0.3 * density]), "m-2", name="flux_like")


def sources():
    gauss = GaussianSpatialModel(lon_0="83.6 deg", lat_0="22.0 deg", sigma="0.1 deg")
    disk = DiskSpatialModel(lon_0="83.2 deg", lat_0="22.2 deg", r_0="0.2 deg")
    places = {"gauss": gauss, "disk": disk}
    return Models([SkyModel(LogParabolaSpectralModel(), place, name=name) for name, place in places.items()])


def of_model():
    model = power_law().spectral_model
    for name, error in (("index", 0.1), ("amplitude", 3e-12)):
        model.parameters[name].error = error
    ax = model.plot([0.1, 100] * u.TeV, sed_type="e2dnde", label="model")
    return model.plot_error([0.1, 100] * u.TeV, ax=ax, sed_type="e2dnde")


def of_parameters():
    """With an error, within limits, frozen."""
    spectrum = power_law().spectral_model
    spectrum.index.error, spectrum.amplitude.error = 0.1, 2e-12
    spectrum.index.min, spectrum.index.max = spectrum.index.value - 0.2, 5.0
    return spectrum.parameters.peek()


def of_points_and_profiles():
    ax = points().plot(sed_type="e2dnde", color="k")
    return points().plot_ts_profiles(ax, sed_type="e2dnde")


def of_map():
    one = sky_map().slice_by_idx({"energy": 0})
    ax = one.plot(add_cbar=True, scale_bar=True, beam="0.1 deg", stretch="sqrt")
    one.plot_contours([0.3, 0.6], ax)
    sky.draw_shapes(ax, [Circle(83.4, 22.2, 0.15)])
    return (one > 0.1).plot_mask(ax)


def of_closure():
    x = np.linspace(-2.5, 2.5, 101)
    interval = np.array([[0.6, 0.75], [0.64, 0.72]])
    covered = expected.Covered("Errors of points", np.array([3.0, 30.0]), np.array([0.68, 0.69]), interval, 0.683)
    return expected.draw_closure({"crab.spectral.index": x, "crab.spectral.amplitude": x / 2}, [covered], 10.0)


def of_responses():
    """Over energy and offset, the field of view, densities of energies, pixels."""
    edges, offset = np.geomspace(0.1, 10, 11), np.linspace(0, 2, 9)
    values = np.geomspace(1e3, 1e5, 10) * np.exp(-offset[1:, np.newaxis])
    figure, axes = figures.panels(5, (15, 8))
    responses.plot_over_offset(offset[1:], values.T[::4], edges[:10:4], "Effective area", "m2", axes[0])
    responses.plot_plane(edges, offset, values, "Effective area", "m2", axes[1])
    responses.plot_field(np.linspace(-2, 2, 9), values[:, :8], "Rate at 1 TeV", "s-1 TeV-1 sr-1", axes[2])
    responses.plot_densities(np.linspace(0, 2, 10), values[:2] / 1e5, edges[:2], 0.5, axes[3])
    responses.plot_pixels(values[:, :7] / 1e5, "Share", axes[4])
    return figure


def of_runs():
    """Where runs pointed, when, and their good time."""
    bounds = 53000.0 + np.array([[0.0, 0.02], [0.03, 0.05], [1.0, 1.02]])
    figure, axes = figures.panels(4, (11, 8), 2)
    lon, lat = np.array([83.1, 84.1, 83.6]), np.array([22.0, 22.0, 21.5])
    runs.plot_pointings(lon, lat, ["crab", "crab", "off"], axes[0])
    runs.plot_over_date(bounds, np.array([45.0, 47.0, 30.0]), "Zenith angle", "deg", axes[1])
    runs.plot_intervals(bounds, axes[2])
    plot_spectrum.plot_bias(np.geomspace(0.1, 10, 10), np.linspace(0.3, -0.1, 10), axes[3])
    return figure


def of_positions():
    """Sources of a catalogue on the whole sky."""
    lon, lat = np.array([83.6, 266.4, 187.7]), np.array([22.0, -29.0, 12.4])
    whole = WcsGeom.create(binsz=1.0, proj="AIT", frame="galactic").space
    return sky.plot_positions(lon, lat, "icrs", whole, figures.new_figure((8, 4.5)))


ENERGIES = np.geomspace(0.5, 50.0, 400)
OFFSETS = np.linspace(0.05, 2.0, 400)

PICTURES = {
    "positions": of_positions,
    "axes": lambda: sky_map().geom.axes.peek(),
    "spectrum-counts": lambda: spectrum().plot_counts(),
    "spectrum-excess": lambda: spectrum().plot_masks(spectrum().plot_excess()),
    "spectrum-fit": lambda: spectrum().plot_fit(),
    "spectrum-residuals": lambda: spectrum().plot_residuals(method="diff/model"),
    "spectrum-peek": lambda: spectrum().peek(),
    "spectra-counts": lambda: spectra(3).plot_counts(),
    "spectra-fit": lambda: spectra(12).plot_fit(),
    "spectra-over-livetime": lambda: spectra(5).plot(),
    "spectra-over-time": lambda: spectra(5).plot(cumulative=False),
    "flux-points": lambda: points().plot(sed_type="e2dnde", label="points"),
    "flux-points-profiles": of_points_and_profiles,
    "flux-points-fit": lambda: FluxPointsDataset(points(), [power_law()]).plot_fit(),
    "light-curve": lambda: curve().plot(sed_type="flux", close_gaps=True),
    "light-curve-spectra": lambda: curve().plot(sed_type="e2dnde", axis_name="energy"),
    "model-spectrum": of_model,
    "model-in-time": lambda: GaussianTemporalModel().plot([Time(55555, format="mjd"), Time(55556, format="mjd")]),
    "model-on-sky": lambda: sources()["gauss"].spatial_model.plot(add_cbar=True),
    "models-on-sky": lambda: sources().plot_regions(sources().plot_positions()),
    "map": of_map,
    "map-grid": lambda: sky_map().plot_grid(),
    "map-peek": lambda: Datasets.from_xarray([field()])[0].peek(),
    "maps-counts": lambda: Datasets.from_xarray([field()]).plot_maps(),
    "excess-map": lambda: ExcessMap(excess_map(field(), 0.2)).plot(),
    "excess-map-distribution": lambda: ExcessMap(excess_map(field(), 0.2)).plot_distribution(),
    "correlation": lambda: matrix.plot_correlation(np.array([[1, -0.7], [-0.7, 1]]), ["index", "amplitude"]),
    "parameters": of_parameters,
    "closure": of_closure,
    "deviance": lambda: expected.plot_deviance(np.linspace(3, 8, 60) ** 1.3, 11.0),
    "event-energies": lambda: runs.plot_event_energies(ENERGIES),
    "event-rate": lambda: runs.plot_event_rate(np.arange(400.0)),
    "event-offsets": lambda: runs.plot_event_offsets(OFFSETS),
    "event-energy-offset": lambda: runs.plot_event_energy_offset(ENERGIES, OFFSETS),
    "event-image": lambda: runs.plot_event_image(OFFSETS * np.cos(7 * OFFSETS), OFFSETS * np.sin(7 * OFFSETS)),
    "response": lambda: responses.plot_lines(
        np.geomspace(0.1, 10, 20), np.geomspace(1e3, 1e5, 20) * np.array([[1.0], [0.4]]), np.array([0.0, 1.5]),
        "Effective area", "m2",
    ),
    "responses": of_responses,
    "runs": of_runs,
    "theta-squared": lambda: excess.plot_theta2(
        np.linspace(0, 0.3, 11), 40 * np.exp(-np.arange(10.0)) + 5, np.full(10, 5.0), np.full(10, 1.0),
        40 * np.exp(-np.arange(10.0)), np.full((2, 10), 2.5), 8 * np.exp(-np.arange(10.0)),
    ),
    "histograms": lambda: significance.plot_histograms([np.sin(np.arange(300.0))], ["1 - 10 TeV"])[0],
    "groups": lambda: light_curve.plot_curve_of_groups(
        ["zenith 0 - 30", "zenith 30 - 60"],
        light_curve.Curve("", np.array([2.4, 2.6]), np.full((2, 2), 0.1), np.full(2, np.nan), np.zeros(2, bool)),
        "index", "",
    ),
    "migration": lambda: responses.plot_migration(
        np.geomspace(0.1, 10, 11), np.linspace(0, 3, 31),
        np.exp(-0.5 * ((np.linspace(0.05, 2.95, 30)[:, None] - 1) / np.linspace(0.3, 0.1, 10)) ** 2), 0.5,
    ),
    "point-spread": lambda: responses.plot_radial(
        np.linspace(0, 1, 50), np.exp(-np.linspace(0, 8, 50)) * np.array([[1.0], [0.5]]), ["1 TeV", "10 TeV"],
        "Point spread function", "sr-1",
    ),
}  # fmt: skip


def figure_of(name):
    """Return the figure of a picture, whatever a function returns: Axes, several of them, or a figure."""
    made = PICTURES[name]()
    one = made[0] if isinstance(made, list | tuple) else made
    return one if hasattr(one, "savefig") else one.figure
