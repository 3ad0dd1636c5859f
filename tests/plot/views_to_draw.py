"""One of each kind of object that draws itself, made of simulated data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from astropy import units as u
from astropy.table import Table
from astropy.time import Time
from gallery_of_pictures import AXIS, CENTER, curve, field, points, sky_map, sources, spectra, spectrum

from builders import dl4_dataset
from releases import MODEL, config_of
from simulated_spectra import power_law
from sky_rows import sky_row, with_responses
from xgamma.analysis import Analysis
from xgamma.axes import Axis
from xgamma.data import DataStore
from xgamma.datasets import Datasets, ExcessMap, FluxPointsDataset, GroupFits, GroupPoints, RegionGeom
from xgamma.datasets.flux_profile import FluxProfile
from xgamma.datasets.responses import RadMax
from xgamma.estimate import excess_map, fit_groups, flux_points_groups
from xgamma.maps import Map, WcsGeom
from xgamma.modeling import Fit
from xgamma.modeling.models import (
    FoVBackgroundModel,
    GaussianTemporalModel,
    Models,
    SkyModel,
    TemplatePhaseCurveTemporalModel,
)
from xgamma.shapes import Circle
from xgamma.sources.catalog import SourceCatalog
from xgamma.sources.source import SourceCatalogObject

EDGES = [1, 3, 10]
NAMES = [
    "data-store", "events", "observations", "observation", "pointing", "gti", "aeff", "edisp", "psf", "bkg", "rad_max",
    "group-fits", "group-points", "flux-profile", "map-dataset", "psf-map", "edisp-map", "edisp-kernel", "psf-kernel",
    "map", "maps", "mask", "region-map", "excess-map", "models", "model", "spectral", "spatial", "temporal", "phases",
    "spectrum", "datasets", "fit", "covariance", "flux-points", "light-curve", "flux-points-dataset", "region",
    "source", "catalog", "geom", "axis", "axes", "parameters", "background-model",
]  # fmt: skip


def runs_of(release, folder):
    """A release, its runs, and what one of them holds."""
    analysis = Analysis(config_of(release, folder / "store"))
    analysis.get_observations()
    one = analysis.observations[0]
    roles = {role: one.response(role) for role in one.available_irfs}
    more = {"observations": analysis.observations, "observation": one, "pointing": one.pointing, "gti": one.gti}
    return {"data-store": DataStore(str(release)), "events": one.events, "rad_max": rad_max(), **more, **roles}


def rad_max():
    """Radii as in point-like responses."""
    offset = Axis.from_bounds("offset", 0.0, 2.0, 3, scale="lin", unit="deg")
    radii = np.linspace(0.2, 0.1, AXIS.nbin) + np.linspace(0.0, 0.1, 3)[:, np.newaxis]
    data = {"rad_max": (("irf", "offset", "energy"), radii[np.newaxis].astype("f4"), {"units": "deg"})}
    return RadMax(xr.Dataset(data, {**offset.coords(), **AXIS.plain.coords()}, {"hdu_class": "rad_max_2d"}))


def fitted():
    made = spectra(2)
    return made, Fit().run(made)


def of_groups():
    rows, labels, models = dl4_dataset(3), ["a", "b", "c"], Models.from_dict(MODEL)
    fluxes = flux_points_groups([rows], labels, models, "crab", EDGES)
    distances = fluxes.assign_coords(projected_distance=("group", [0.0, 0.1, 0.2], {"units": "deg"}))
    return {
        "group-fits": GroupFits(fit_groups([rows], labels, models)),
        "group-points": GroupPoints(fluxes),
        "flux-profile": FluxProfile(distances),
    }


def of_maps():
    """A window with counts, and one with responses."""
    window, seen = Datasets.from_xarray([field()])[0], Datasets.from_xarray([with_responses(sky_row(exposure=1e9))])[0]
    window.models = Models([])
    image = WcsGeom.create(skydir=CENTER, binsz=0.1, width=1)
    mask = Map(image, np.arange(100).reshape(10, 10) > 50, name="mask")
    return {
        "map-dataset": window,
        "psf-map": seen.psf,
        "edisp-map": seen.edisp,
        "edisp-kernel": seen.edisp.get_edisp_kernel(),
        "psf-kernel": seen.psf.get_psf_kernel(image),
        "map": sky_map().slice_by_idx({"energy": 0}),
        "maps": sky_map(),
        "mask": mask,
        "region-map": sky_map().to_region_nd_map(Circle(83.63, 22.01, 0.3)),
        "excess-map": ExcessMap(excess_map(field(), 0.2)),
    }


def of_models():
    pair = sources()
    pair["gauss"].spatial_model.lon_0.error = pair["gauss"].spatial_model.lat_0.error = 0.02
    pair["gauss"].spatial_model.sigma.error = 0.02
    pair["gauss"].spectral_model.alpha.error = 0.1
    day = GaussianTemporalModel(t_ref=55555.5 * u.d, sigma="0.2 d")
    phases = TemplatePhaseCurveTemporalModel({"PHASE": [0.0, 0.5, 1.0], "NORM": [0.0, 1.0, 0.0]})
    return {
        "models": pair,
        "model": SkyModel(power_law().spectral_model, pair["gauss"].spatial_model, day, name="whole"),
        "spectral": pair["gauss"].spectral_model,
        "spatial": pair["gauss"].spatial_model,
        "temporal": day,
        "phases": phases,
        "parameters": pair["gauss"].parameters,
        "background-model": FoVBackgroundModel(dataset_name="window"),
    }


def objects(release, folder):
    """Return one of each kind by name."""
    made, result = fitted()
    return {
        **runs_of(release, folder), **of_groups(), **of_maps(), **of_models(),
        "spectrum": spectrum(), "datasets": made, "fit": result, "covariance": made.models.covariance,
        "flux-points": points(), "light-curve": curve(),
        "flux-points-dataset": FluxPointsDataset(points(), [power_law()]),
        "region": RegionGeom.create(Circle(83.63, 22.01, 0.2), [AXIS]),
        "source": Source("made", None, (83.6, 22.0, "icrs")), "catalog": Sources(),
        "geom": WcsGeom.create(skydir=(83.6, 22.0), binsz=0.1, width=(4, 3), axes=[AXIS]),
        "axis": AXIS, "axes": sky_map().geom.axes,
    }  # fmt: skip


class Source(SourceCatalogObject):
    """A source of a catalogue with flux points."""

    def spectral_model(self):
        return of_models()["spectral"]

    def spatial_model(self):
        return of_models()["spatial"]

    @property
    def flux_points_table(self):
        return points().to_table(sed_type="dnde")


class Sources(SourceCatalog):
    """A catalogue of three sources."""

    def __init__(self):
        self.path = Path("made")
        self._take(
            Table(
                {
                    "Source_Name": ["one", "two", "three"],
                    "RAJ2000": [83.6, 266.4, 187.7] * u.deg,
                    "DEJ2000": [22.0, -29.0, 12.4] * u.deg,
                }
            )
        )


TIMES = (Time(55555, format="mjd"), Time(55556, format="mjd"))
ENERGIES = [0.5, 50] * u.TeV
