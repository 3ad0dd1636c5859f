"""Files of xgamma are read by Gammapy; PEER_PYTHON is an interpreter that has it."""

import json
import os
import subprocess

import numpy as np
import pytest
from format_samples import points, spectra

from xgamma.formats.ogip.files import write_ogip
from xgamma.formats.sed.files import write_flux_points
from xgamma.formats.sed.kinds import SED_TYPES
from xgamma.formats.spectrum_fits import write_spectrum_fits
from xgamma.geometry import to_frame
from xgamma.grid import RegionSpace
from xgamma.shapes import Annulus, Circle, Ellipse, Polygon, Rectangle

PEER = os.environ.get("PEER_PYTHON")
pytestmark = pytest.mark.skipif(not PEER, reason="PEER_PYTHON is not set")

SPECTRUM = """
import gammapy, json, numpy as np, sys
from gammapy.datasets import Datasets, SpectrumDatasetOnOff
path = sys.argv[1]
if path.endswith(".yaml"):
    found = list(Datasets.read(path))
elif gammapy.__version__ < "2":
    sys.exit(77)
else:
    found = [SpectrumDatasetOnOff.read(path, format="gadf")]
names = ["counts", "counts_off", "acceptance", "acceptance_off", "exposure", "mask_safe"]
def numbers(ds):
    kernel = ds.edisp.get_edisp_kernel() if hasattr(ds.edisp, "get_edisp_kernel") else ds.edisp
    return {
        "name": ds.name,
        "edisp": kernel.pdf_matrix.tolist(),
        "ontime": float(ds.gti.time_sum.to_value("s")),
        "edges": ds.counts.geom.axes["energy"].edges.to_value("TeV").tolist(),
        "edges_true": ds.exposure.geom.axes["energy_true"].edges.to_value("TeV").tolist(),
        "region": [ds.counts.geom.region.center.ra.deg, ds.counts.geom.region.radius.to_value("deg")],
        "livetime": float(ds.exposure.meta["livetime"].to_value("s")) if "livetime" in ds.exposure.meta else None,
        **{name: np.squeeze(getattr(ds, name).data, (1, 2)).astype(float).tolist() for name in names},
    }
print(json.dumps([numbers(ds) for ds in found]))
"""

POINTS = """
import json, sys
from gammapy.estimators import FluxPoints
found = FluxPoints.read(sys.argv[1])
units = {"dnde": "cm-2 s-1 TeV-1", "flux": "cm-2 s-1", "eflux": "TeV cm-2 s-1", "e2dnde": "TeV cm-2 s-1"}
values = {name: getattr(found, name).quantity.to_value(unit).ravel().tolist() for name, unit in units.items()}
values.update({name: getattr(found, name).data.tolist() for name in ("counts", "stat", "is_ul", "sqrt_ts")})
print(json.dumps({**values, "n_sigma_ul": float(found.n_sigma_ul)}))
"""


def in_peer(script, path):
    """Return what a script of Gammapy prints about a file of ours."""
    run = subprocess.run([PEER, "-W", "ignore", "-c", script, str(path)], capture_output=True, text=True, check=False)
    if run.returncode == 77:
        pytest.skip("this version of Gammapy does not read the layout")
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def validate_row(found, row):
    for name in ("counts", "counts_off", "acceptance", "acceptance_off", "exposure", "mask_safe"):
        np.testing.assert_allclose(found[name], row[name][0].values.astype(float), rtol=1e-14, err_msg=name)
    # Gammapy reads the matrices of OGIP in single precision.
    np.testing.assert_allclose(found["edisp"], row["edisp"][0], atol=1e-7)
    np.testing.assert_allclose(found["edges"][1:], row["energy_bounds"][:, 1], rtol=1e-14)
    np.testing.assert_allclose(found["edges_true"][1:], row["energy_true_bounds"][:, 1], rtol=1e-14)
    np.testing.assert_allclose(found["region"], [row["region_lon"][0], row["region_radius"][0]], rtol=1e-9)
    assert found["ontime"] == pytest.approx(float(row["ontime"]), abs=1e-4)
    assert found["name"] == row["dataset"]


@pytest.mark.parametrize("ending", [".fits", ".fits.gz"])
def test_gammapy_reads_the_first_row_of_the_map_layout(tmp_path, ending):
    ds = spectra()
    (found,) = in_peer(SPECTRUM, write_spectrum_fits(ds, tmp_path / f"crab{ending}"))
    validate_row(found, ds.isel(dataset=0))


def test_gammapy_reads_every_row_of_ogip(tmp_path):
    ds = spectra(n_rows=3)
    found = in_peer(SPECTRUM, write_ogip(ds, tmp_path / "all.yaml")[-1])
    for number, row in enumerate(found):
        validate_row(row, ds.isel(dataset=number))
        assert row["livetime"] == pytest.approx(float(ds["livetime"][number]), rel=1e-14)


@pytest.mark.parametrize("sed_type", SED_TYPES)
@pytest.mark.parametrize("ending", [".fits", ".ecsv"])
def test_gammapy_reads_flux_points(tmp_path, sed_type, ending):
    ds = points()
    found = in_peer(POINTS, write_flux_points(ds, tmp_path / f"points{ending}", sed_type))
    # Gammapy derives the other quantities from a reference spectrum of its own.
    quantity = "dnde" if sed_type == "likelihood" else sed_type
    np.testing.assert_allclose(found[quantity], ds["norm"] * ds[f"ref_{quantity}"], rtol=1e-12)
    np.testing.assert_array_equal(np.squeeze(found["counts"], (2, 3)), ds["counts"])
    assert np.ravel(found["is_ul"]).tolist() == ds["is_ul"].values.tolist()
    assert found["n_sigma_ul"] == pytest.approx(2.0, abs=1e-4)


REGION = """
import json, numpy as np, sys
from astropy.coordinates import SkyCoord
from gammapy.datasets import Datasets, SpectrumDatasetOnOff
path, places = sys.argv[1].split("|")
lon, lat = np.array(json.load(open(places)))
found = Datasets.read(path)[0] if path.endswith(".yaml") else SpectrumDatasetOnOff.read(path, format="gadf")
maps = (found.counts, found.counts_off)
inside = [held.geom.contains(SkyCoord(lon, lat, unit="deg")).ravel().tolist() for held in maps]
print(json.dumps(inside))
"""

SHAPES = {
    "circle": Circle(83.633, 22.014, 0.11),
    "ellipse": Ellipse(83.633, 22.014, 0.4, 0.2, 33.0),
    "Galactic ellipse": Ellipse(184.55, -5.78, 0.4, 0.2, 33.0, "galactic"),
    "rectangle": Rectangle(83.633, 22.014, 0.4, 0.3, -20.0),
    "annulus": Annulus(Circle(83.633, 22.014, 0.3), Circle(83.633, 22.014, 0.1)),
    "elliptical annulus": Annulus(Ellipse(83.633, 22.014, 0.3, 0.4, 12.3), Ellipse(83.633, 22.014, 0.1, 0.2, 12.3)),
    "rectangular annulus": Annulus(
        Rectangle(83.633, 22.014, 0.3, 0.4, 12.3), Rectangle(83.633, 22.014, 0.1, 0.2, 12.3)
    ),
    "polygon": Polygon((83.5, 83.9, 83.7, 83.6), (21.9, 21.9, 22.3, 22.1)),
}


def with_regions(shape):
    """Return a row of an on-region of a shape with two off regions, and these."""
    pointing = to_frame(83.633, 22.514, "icrs", shape.frame)
    off = [shape.turned(float(pointing[0]), float(pointing[1]), turn) for turn in (1.2, 2.5)]
    ds = spectra(n_rows=1, n_off=2).assign_coords(RegionSpace((shape,)).coords())
    values = {"off_lon": [one.center[0] for one in off], "off_lat": [one.center[1] for one in off]}
    values["off_radius"] = [getattr(one, "radius", np.nan) for one in off]
    for name, value in values.items():
        ds[name].values[...] = value
    ds["off_number"].values[...] = 2
    ds["pointing_lon"].values[...], ds["pointing_lat"].values[...] = 83.633, 22.514
    return ds, off


@pytest.mark.parametrize("ending", [".yaml", ".fits"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_gammapy_reads_the_regions_of_files(tmp_path, shape, ending):
    ds, off = with_regions(shape)
    path, random = tmp_path / f"a{ending}", np.random.default_rng(5)
    (write_ogip if ending == ".yaml" else write_spectrum_fits)(ds, path)
    lon, lat = 83.633 + random.uniform(-1.2, 1.2, 3000), 22.514 + random.uniform(-1, 1, 3000)
    (tmp_path / "places.json").write_text(json.dumps([lon.tolist(), lat.tolist()]))
    on_found, off_found = in_peer(REGION, f"{path}|{tmp_path / 'places.json'}")
    np.testing.assert_array_equal(on_found, shape.holds(lon, lat))
    np.testing.assert_array_equal(off_found, np.any([one.holds(lon, lat) for one in off], axis=0))
    assert 10 < np.sum(on_found) < np.sum(off_found)
