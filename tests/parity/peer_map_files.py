"""Run by an interpreter that has Gammapy: write files of maps, or say what it finds in those of xgamma."""

import json
import os
import sys
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from gammapy.data import DataStore
from gammapy.datasets import Datasets, MapDataset, MapDatasetOnOff
from gammapy.estimators import ExcessMapEstimator, FluxMaps
from gammapy.makers import MapDatasetMaker, RingBackgroundMaker, SafeMaskMaker
from gammapy.maps import Map, MapAxis, WcsGeom

CENTER = SkyCoord(320.3, -1.2, unit="deg", frame="galactic")
PLACE = SkyCoord(320.42, -1.07, unit="deg", frame="galactic")
ENERGY, RING = (MapAxis.from_energy_bounds("0.5 TeV", "20 TeV", nbin=number) for number in (3, 1))
TRUE = MapAxis.from_energy_bounds("0.3 TeV", "30 TeV", nbin=4, name="energy_true")
MAPS = ("counts", "exposure", "background", "mask_safe", "mask_fit", "counts_off", "acceptance", "acceptance_off")


def made(store, kind, axis):
    """Return the stack of two runs and its rows."""
    geom = WcsGeom.create(skydir=CENTER, width=(4, 3), binsz=0.1, frame="galactic", axes=[axis])
    options = {"energy_axis_true": TRUE, "binsz_irf": 0.5}
    stacked = kind.create(geom, **options, name="stacked")
    reduce = MapDatasetMaker(selection=["counts", "exposure", "background", "psf", "edisp"])
    safe, ring = SafeMaskMaker(methods=["offset-max"], offset_max="2 deg"), RingBackgroundMaker("0.4 deg", "0.3 deg")
    rows = []
    for run in store.get_observations([20136, 20137]):
        empty = MapDataset.create(geom, **options, name=str(run.obs_id))
        row = safe.run(reduce.run(empty.cutout(run.get_pointing_icrs(run.tmid), width="4 deg"), run), run)
        row = ring.run(row) if kind is MapDatasetOnOff else row
        rows.append(row)
        stacked.stack(row)
    return stacked, rows


def write(folder, place):
    """Write a stack, a row, a ring stack, an index and flux maps, and the numbers of the stack beside them."""
    store = DataStore.from_dir(place)
    stacked, rows = made(store, MapDataset, ENERGY)
    stacked.mask_fit = stacked.counts.geom.energy_mask(energy_min=1 * u.TeV)
    rows[0].write(folder / "row.fits")
    made(store, MapDatasetOnOff, RING)[0].write(folder / "ring.fits")
    Datasets([stacked]).write(folder / "index.yaml")
    # The place of the model is taken as it was given.
    os.chdir(folder)
    ExcessMapEstimator("0.2 deg", selection_optional="all").run(stacked).write("flux_maps.fits")
    numbers = found(stacked)
    np.savez(folder / "stacked.npz", **numbers)


def found(dataset):
    """Return arrays of a dataset in the units of xgamma."""
    numbers = {}
    for name in MAPS:
        each = getattr(dataset, name, None)
        if each is not None and not (name == "background" and isinstance(dataset, MapDatasetOnOff)):
            numbers[name] = each.quantity.to_value("m2 s") if name == "exposure" else each.data
    psf, edisp = dataset.psf, dataset.edisp
    numbers["psf"] = psf.psf_map.quantity.to_value("sr-1")
    numbers["edisp"] = edisp.edisp_map.data
    numbers["weight"] = psf.exposure_map.quantity.to_value("m2 s")[:, 0]
    numbers["kernel"] = edisp.get_edisp_kernel(PLACE).pdf_matrix
    numbers["radius"] = psf.containment_radius(0.68, TRUE.center, PLACE).to_value("deg")
    numbers["gti"] = (dataset.gti.time_start.tt.mjd - 53000) * 86400
    return numbers


def read(folder, names):
    """Write the numbers of datasets in files beside them."""
    for name in names:
        kind = MapDatasetOnOff if "ring" in name else MapDataset
        dataset = kind.read(folder / name)
        assert dataset.counts.geom.is_image is False
        np.savez(folder / f"{name}.npz", **found(dataset))


def compare(folder, one, other):
    """Say whether all maps of two files have equal geometries, and how far their values are apart."""
    kind = MapDatasetOnOff if "ring" in one else MapDataset
    first, second = (kind.read(folder / name) for name in (one, other))
    names = [name for name in MAPS if all(getattr(each, name, None) is not None for each in (first, second))]
    geometries = [getattr(first, name).geom == getattr(second, name).geom for name in names if name != "background"]
    responses = [(one.psf.psf_map, one.edisp.edisp_map) for one in (first, second)]
    geometries += [one.geom == other.geom for one, other in zip(*responses, strict=True)]
    ours, theirs = found(second), found(first)
    apart = {
        name: float(np.nanmax(np.abs(ours[name] * 1.0 - theirs[name])) / (np.nanmax(np.abs(theirs[name] * 1.0)) or 1))
        for name in theirs.keys() & ours.keys()
    }
    (folder / "compared.json").write_text(json.dumps({"geometries": all(geometries), "apart": apart}))


def single(folder, name):
    """Write what Map.read says of each image of a file."""
    with fits.open(folder / name) as hdus:
        names = [hdu.name for hdu in hdus if hdu.is_image and hdu.shape]
    said = {}
    for each in names:
        found = Map.read(folder / name, hdu=None if each == "PRIMARY" else each)
        axes = {
            axis.name: [axis.node_type, axis.interp, axis.edges.to_value(axis.unit).tolist(), str(axis.unit)]
            for axis in found.geom.axes
        }
        said[each] = {
            "axes": axes,
            "unit": found.unit.to_string(),
            "sum": float(np.nansum(found.data * 1.0)),
            "type": found.data.dtype.kind,
        }
    (folder / "single.json").write_text(json.dumps(said))


def fluxes(folder, name):
    """Write the norms and fluxes of flux maps."""
    os.chdir(folder)
    found = FluxMaps.read(name)
    np.savez(
        f"{name}.npz", norm=found.norm.data, flux=found.flux.quantity.to_value("cm-2 s-1"), sqrt_ts=found.sqrt_ts.data
    )


if __name__ == "__main__":
    verb, folder, *rest = sys.argv[1:]
    {
        "write": write,
        "read": lambda at, *names: read(at, names),
        "compare": compare,
        "single": single,
        "fluxes": fluxes,
    }[verb](Path(folder), *rest)
