"""Catalogues of sources beside Gammapy 2.1, of the same files: fluxes in a band, positions, sizes, flux points."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from made_catalogs import (
    write_2fhl,
    write_2hwc,
    write_3fgl,
    write_3fhl,
    write_3hwc,
    write_4fgl,
    write_gamma_cat,
    write_hgps,
)

from xgamma.catalog import CATALOG_REGISTRY
from xgamma.geometry import separation, to_frame
from xgamma.sources.fitted import SIGMAS_OF_68

PEER = os.environ.get("PEER_PYTHON", "")
FILES = {
    "4fgl-of-dr4.fits": lambda path: write_4fgl(path, maps=False),
    "4fgl-of-dr2.fits": lambda path: write_4fgl(path, dr3=False, maps=False),
    "3fgl.fits": write_3fgl,
    "3fhl.fits": write_3fhl,
    "2fhl.fits": write_2fhl,
    "hgps.fits": write_hgps,
    "gamma-cat.fits": write_gamma_cat,
    "3hwc.ecsv": write_3hwc,
    "2hwc.ecsv": write_2hwc,
}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Return (file, our source, what Gammapy makes of it) of all sources."""
    if not PEER:
        pytest.skip("PEER_PYTHON names no python that has Gammapy")
    folder, out = tmp_path_factory.mktemp("catalogs"), tmp_path_factory.mktemp("peer") / "theirs.json"
    for name, write in FILES.items():
        write(folder / name)
    script = Path(__file__).with_name("peer_source_catalogs.py")
    subprocess.run([PEER, str(script), str(folder), str(out)], check=True, capture_output=True, timeout=300)
    theirs = json.loads(out.read_text())
    found = []
    for name, sources in theirs.items():
        catalog = CATALOG_REGISTRY.get_cls(name.split(".")[0].split("-of-")[0])(folder / name)
        found += [(name, source, other) for source, other in zip(catalog, sources, strict=True)]
    return found


def test_every_source_is_at_the_same_position(pairs):
    for _, source, other in pairs:
        assert source.name == other["name"]
        here = (source.position.icrs.ra.deg, source.position.icrs.dec.deg)
        # Single precision there.
        assert separation(*here, *other["position"]) < 2e-5


def test_fluxes_in_a_band_are_the_same(pairs):
    compared = 0
    for name, source, other in pairs:
        spectrum = source.spectral_model()
        if spectrum is None or source.name == "HESS J1713-397":
            continue
        band = [1, 100] * u.GeV if "f" in name.split(".")[0] else [1, 10] * u.TeV
        flux = spectrum.integral(*band).to_value("cm-2 s-1")
        assert flux == pytest.approx(other["flux"], rel=3e-8), source
        assert type(spectrum).__name__ == other["spectrum"][0]
        for parameter in spectrum.parameters:
            value, unit, error = other["spectrum"][1][parameter.name]
            assert parameter.quantity.to_value(unit) == pytest.approx(value, rel=1e-6), (source, parameter)
            ours = (parameter.error * parameter.unit).to_value(unit)
            assert ours == pytest.approx(error if error == error else 0, rel=1e-5), (source, parameter)
        compared += 1
    assert compared == 37


def test_positions_and_sizes_of_models_are_the_same_where_no_row_of_the_table_of_departures_says_otherwise(pairs):
    compared = 0
    for name, source, other in pairs:
        place = source.spatial_model() if "2-Gaussian" not in source.row.text("Spatial_Model") else None
        if place is None or isinstance(other["place"], str) or source.spectral_model() is None:
            continue
        tag, frame, theirs = other["place"]
        if name == "gamma-cat.fits":
            continue
        if source.row.text("Spatial_Model") == "Gaussian" and not source.row.number("Size", "deg") > 0:
            assert theirs["sigma"][0] == 0 or np.isnan(theirs["sigma"][0])
            continue
        assert (type(place).__name__, place.frame) == (tag, frame)
        for parameter in place.parameters:
            factor = 1 / SIGMAS_OF_68 if parameter.name == "sigma" and name[1] == "f" else 1
            value, _, error = theirs[parameter.name]
            assert parameter.value == pytest.approx(factor * value, rel=1e-6, abs=1e-9), (source, parameter)
            if parameter.name in ("lon_0", "lat_0") and name[1] != "f":
                assert parameter.error == pytest.approx(error, rel=1e-5), (source, parameter)
        compared += 1
    assert compared == 30


def test_gamma_cat_differs_where_the_table_of_departures_says_so(pairs):
    ours = {source.name: (source.spatial_model(), other["place"]) for name, source, other in pairs if "gamma" in name}
    place, (tag, frame, theirs) = ours["Vela X"]
    assert (tag, frame, place.frame) == ("GaussianSpatialModel", "galactic", "icrs")
    assert theirs["e"][0] == 0
    assert theirs["sigma"][0] == pytest.approx(place.sigma.value)
    lon, lat = to_frame(place.lon_0.value, place.lat_0.value, "icrs", "galactic")
    assert separation(lon, lat, theirs["lon_0"][0], theirs["lat_0"][0]) == pytest.approx(0.524, abs=1e-3)
    place, (_, _, theirs) = ours["Across"]
    assert (place.sigma.value, theirs["sigma"][0]) == (pytest.approx(0.5), pytest.approx(0.2))
    place, (_, frame, theirs) = ours["Point"]
    assert place.frame == frame
    assert place.lon_0.value == pytest.approx(theirs["lon_0"][0])


def test_flux_points_are_the_same(pairs):
    compared = 0
    for name, source, other in pairs:
        if isinstance(other["points"], str) or source.name == "HESS J1713-397":
            continue
        points = source.flux_points
        # Gammapy moves points to the centres of their bins.
        within = 0.05 if name in ("hgps.fits", "gamma-cat.fits") else 1e-6
        assert points.energy_ref.to_value("TeV") == pytest.approx(other["points"]["e_ref"], rel=within)
        for column in ("dnde", "dnde_errn", "dnde_errp", "dnde_ul"):
            if column in other["points"] and name != "3fgl.fits":
                ours = getattr(points, column).to_value("cm-2 s-1 TeV-1")
                theirs = np.array(other["points"][column])
                assert ours == pytest.approx(theirs, rel=5e-6, nan_ok=True), (source, column)
        compared += 1
    assert compared > 15


def test_light_curves_have_the_same_bins_and_fluxes(pairs):
    compared = 0
    for _, source, other in pairs:
        if isinstance(other["curve"], str):
            continue
        table = source.lightcurve().to_table("flux")
        for name, theirs in zip(("time_min", "time_max", "flux", "flux_errn"), other["curve"], strict=True):
            ours = np.asarray(table[name]).ravel()
            # Days of MJD, to 1 ms.
            within = {"abs": 1e-8, "rel": 0} if name.startswith("time") else {"rel": 1e-6}
            assert ours == pytest.approx(np.array(theirs), nan_ok=True, **within), (source, name)
        compared += 1
    assert compared == 12
