"""Pixels and values of maps in Gammapy, run by a python that has it: ``peer_geometries.py FOLDER RESULT.npz``."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from gammapy.maps import Map, MapAxis, WcsGeom
from regions import CircleSkyRegion, EllipseSkyRegion, RectangleSkyRegion

PLACES = {"icrs": (83.63, 22.01), "galactic": (320.3, -1.2), "far": (200.0, 60.0)}
PROJECTIONS = ("CAR", "TAN", "AIT")


def main(folder, path):
    """Write what each image and map is, those that are made there and those of the files of a folder."""
    found = {}
    for file in Path(folder).glob("*.fits"):
        read = Map.read(file)
        sky = read.geom.to_image().get_coord(frame="icrs").skycoord
        unit, edges = read.unit.to_string(), read.geom.axes["energy"].edges.to_value("TeV")
        results = {"data": read.data, "lon": sky.ra.deg, "lat": sky.dec.deg, "unit": unit, "edges": edges}
        found |= {f"{file.stem}-{name}": value for name, value in results.items()}
    for place, (lon, lat) in PLACES.items():
        for proj in PROJECTIONS:
            frame = "galactic" if place == "galactic" else "icrs"
            axis = MapAxis.from_energy_bounds(1, 100, nbin=4, unit="TeV", name="energy")
            center = SkyCoord(lon, lat, unit="deg", frame=frame)
            geom = WcsGeom.create(skydir=center, frame=frame, proj=proj, binsz=0.1, width=(6, 5), axes=[axis])
            results = {**pixels(geom.to_image(), center), **values(geom, center)}
            found |= {f"{place}-{proj}-{name}": value for name, value in results.items()}
    np.savez(path, **found)


def pixels(geom, center):
    """Return positions, areas, regions and cutouts of an image."""
    sky = geom.get_coord(frame="icrs").skycoord
    around = center.directional_offset_by(40 * u.deg, 1 * u.deg)
    regions = {
        "circle": CircleSkyRegion(around, 0.7 * u.deg),
        "ellipse": EllipseSkyRegion(center, 2 * u.deg, 1 * u.deg, 30 * u.deg),
        "rectangle": RectangleSkyRegion(center, 2 * u.deg, 1 * u.deg, -20 * u.deg),
    }
    cuts = [
        geom.cutout(center.directional_offset_by(angle * u.deg, 2.2 * u.deg), width * u.deg)
        for angle in (10, 77, 133, 200, 301)
        for width in (0.92, 1.0, 1.07, 1.94)
    ]
    return {
        "lon": sky.ra.deg,
        "lat": sky.dec.deg,
        "area": np.squeeze(geom.solid_angle().value),
        "separation": geom.separation(around).deg,
        "cutouts": np.array([[*cut.data_shape, *cut.wcs.wcs.crpix] for cut in cuts]),
        **{name: geom.region_mask([region]).data for name, region in regions.items()},
    }


def values(geom, center):
    """Return what is made of a map of numbers."""
    given = Map.from_geom(geom, data=np.random.default_rng(1).poisson(2.0, geom.data_shape).astype(float))
    circle = CircleSkyRegion(center, 0.5 * u.deg)
    coords = {
        "skycoord": center.directional_offset_by(np.arange(7, 360, 30) * u.deg, np.linspace(0.1, 2, 12) * u.deg),
        "energy": np.geomspace(2, 50, 12) * u.TeV,
    }
    return {
        "sum": given.sum_over_axes().data,
        "gauss": given.smooth(0.2 * u.deg).data,
        "disk": given.smooth(0.2 * u.deg, "disk").data,
        "downsampled": given.downsample(5).data,
        "mean": given.downsample(5, preserve_counts=False).data,
        "padded": given.pad(3).data,
        "cropped": given.crop(3).data,
        "spectrum": given.get_spectrum(circle).data,
        "looked_up": given.get_by_coord(coords),
        "interpolated": given.interp_by_coord(coords),
        "eroded": (given > 0).binary_erode(0.1 * u.deg).data,
        "energies": geom.energy_mask(3 * u.TeV, 40 * u.TeV).data,
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
