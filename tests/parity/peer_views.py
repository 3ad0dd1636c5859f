"""What views of runs show in Gammapy, run by a python that has it: ``peer_views.py REQUEST.json RESULT.npz``."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from gammapy.data import DataStore
from gammapy.datasets import Datasets, SpectrumDataset
from gammapy.makers import ReflectedRegionsBackgroundMaker, SafeMaskMaker, SpectrumDatasetMaker
from gammapy.makers.utils import make_theta_squared_table
from gammapy.maps import Map, MapAxis, RegionGeom
from gammapy.modeling.models import PowerLawSpectralModel, SkyModel
from regions import CircleSkyRegion

CRAB = SkyCoord(83.633, 22.014, unit="deg", frame="icrs")
AXIS = MapAxis.from_energy_bounds(0.5, 30, nbin=20, unit="TeV", name="energy")
AXIS_TRUE = MapAxis.from_energy_bounds(0.1, 50, nbin=40, unit="TeV", name="energy_true")


def reduced(observations, exclusion):
    """Return the spectra of the runs."""
    geom = RegionGeom.create(CircleSkyRegion(CRAB, 0.11 * u.deg), axes=[AXIS])
    empty = SpectrumDataset.create(geom=geom, energy_axis_true=AXIS_TRUE)
    maker = SpectrumDatasetMaker(selection=["counts", "exposure", "edisp"], containment_correction=True)
    mask = Map.read(exclusion)
    mask.data = mask.data.astype(bool)
    background = ReflectedRegionsBackgroundMaker(exclusion_mask=mask)
    safe = SafeMaskMaker(methods=["aeff-default", "aeff-max"], aeff_percent=0.1)
    datasets = Datasets()
    for observation in observations:
        dataset = background.run(maker.run(empty.copy(name=str(observation.obs_id)), observation), observation)
        datasets.append(safe.run(dataset, observation))
    return datasets


def arrays(dataset, prefix):
    """Return what a dataset holds, by ``<prefix>/<name>``."""
    names = ("counts", "counts_off", "acceptance", "acceptance_off", "exposure", "mask_safe", "mask_fit")
    found = {f"{prefix}/{name}": getattr(dataset, name).data.squeeze() for name in names if getattr(dataset, name)}
    found[f"{prefix}/edisp"] = dataset.edisp.edisp_map.data.squeeze()
    found[f"{prefix}/edges"] = dataset.counts.geom.axes["energy"].edges.to_value("TeV")
    return found


def table_columns(table, prefix):
    """Return the columns of a table of numbers."""
    return {f"{prefix}/{n}": np.asarray(table[n]) for n in table.colnames if table[n].dtype.kind in "fiub"}


def views(request):
    """Return the numbers of all views."""
    store = DataStore.from_dir(request["datastore"])
    observations = store.get_observations(request["obs_ids"])
    datasets = reduced(observations, request["exclusion"])
    found = table_columns(datasets.info_table(), "info")
    found |= table_columns(datasets.info_table(cumulative=True), "cumulative")
    found |= {f"meta/{n}": np.asarray(datasets.meta_table[n], float) for n in ("OBS_ID", "RA_PNT", "DEC_PNT")}
    found["gti"] = datasets.gti.time_sum.to_value("s")
    model = SkyModel(PowerLawSpectralModel(index=2.6, amplitude="4.5e-11 cm-2 s-1 TeV-1", reference="1 TeV"))
    for dataset in datasets:
        dataset.models = model
        dataset.mask_fit = dataset.counts.geom.energy_mask(1 * u.TeV, 20 * u.TeV)
    found |= arrays(datasets.stack_reduce(), "stacked")
    one = datasets[0]
    for name in ("diff", "diff/model", "diff/sqrt(model)"):
        found[f"residuals {name}"] = one.residuals(name).data.squeeze()
    for name in ("energy_range", "energy_range_safe", "energy_range_fit"):
        found[name] = np.array([float(each.data.squeeze()) for each in getattr(one, name)])
    found["energy_range_total"] = u.Quantity(one.energy_range_total).to_value("TeV")
    wider = MapAxis.from_energy_edges([0.6, 1.2, 3.1, 9, 25] * u.TeV, name="energy")
    found |= arrays(one.resample_energy_axis(wider), "resampled")
    found |= arrays(one.to_image(), "image")
    found |= arrays(one.slice_by_energy(1 * u.TeV, 5 * u.TeV), "slice")
    found["sliced names"] = np.array(datasets.slice_by_energy(1 * u.TeV, 5 * u.TeV).names)
    pair = one.to_masked()
    pair.stack(datasets[1])
    found |= arrays(pair, "pair")
    expected = one.npred_background()
    one.fake(npred_background=expected, random_state=42)
    found |= arrays(one, "fake")
    for regions in (1, 3):
        axis = MapAxis.from_bounds(0, 0.05, nbin=10, interp="lin", unit="deg2")
        edges = None if regions == 1 else [1, 10] * u.TeV
        table = make_theta_squared_table(observations, axis, CRAB, energy_edges=edges, off_regions_number=regions)
        found |= table_columns(table, f"theta2 {regions}")
    found |= responses(observations[0])
    return found


def responses(run):
    """Return responses and events of a run."""
    offset, energy = u.Quantity([0.1, 0.5, 1.3], "deg")[:, np.newaxis], u.Quantity([0.7, 2.0, 15.0], "TeV")
    radius = u.Quantity(0.11, "deg")
    events = run.events
    few = events.select_energy([1, 10] * u.TeV)
    return {
        "aeff": run.aeff.evaluate(offset=offset, energy_true=energy).to_value("m2"),
        "bkg": run.bkg.evaluate(energy=energy, fov_lon=0.5 * u.deg, fov_lat=-0.3 * u.deg).to_value("s-1 TeV-1 sr-1"),
        "edisp": run.edisp.evaluate(offset=0.5 * u.deg).value.squeeze(),
        "psf": run.psf.containment(rad=radius, offset=offset, energy_true=energy).value,
        "containment radius": run.psf.containment_radius(0.68, offset=offset, energy_true=energy).to_value("deg"),
        "events": np.array([len(events.table), len(few.table), len(events.select_offset([0, 1] * u.deg).table)]),
        "events time": events.time.mjd[:5],
        "events offset": few.offset.to_value("deg"),
        "live": run.observation_live_time_duration.to_value("s"),
        "gti sum": run.gti.time_sum.to_value("s"),
        "pointing": np.array([run.pointing.fixed_icrs.ra.deg, run.pointing.fixed_icrs.dec.deg]),
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    np.savez(sys.argv[2], **views(json.loads(Path(sys.argv[1]).read_text())))
