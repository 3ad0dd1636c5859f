"""Spectra of a release reduced by Gammapy, run by a python that has it: ``peer_spectra.py REQUEST.json RESULT.npz``."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from gammapy.data import DataStore
from gammapy.datasets import SpectrumDataset
from gammapy.makers import ReflectedRegionsBackgroundMaker, SpectrumDatasetMaker
from gammapy.maps import MapAxis, RegionGeom
from regions import CircleSkyRegion


def spectra(request: dict) -> dict[str, np.ndarray]:
    """Return counts, off counts, exposure and energy dispersion of each run, by ``<obs id>/<name>``."""
    store = DataStore.from_dir(request["datastore"])
    energy, energy_true = (
        MapAxis.from_energy_edges(np.array(request[name]) * u.TeV, name=name) for name in ("energy", "energy_true")
    )
    maker = SpectrumDatasetMaker(
        selection=["counts", "exposure", "edisp"], containment_correction=request["containment"]
    )
    found = {}
    for obs_id, (lon, lat, radius) in request["regions"].items():
        region = CircleSkyRegion(SkyCoord(lon, lat, unit="deg", frame="icrs"), radius * u.deg)
        empty = SpectrumDataset.create(geom=RegionGeom.create(region, axes=[energy]), energy_axis_true=energy_true)
        observation = store.obs(
            int(obs_id), required_irf=["aeff", "edisp", *(["psf"] if request["containment"] else [])]
        )
        dataset = ReflectedRegionsBackgroundMaker().run(maker.run(empty.copy(name=obs_id), observation), observation)
        kernel = dataset.edisp.get_edisp_kernel(energy_axis=energy)
        found |= {
            f"{obs_id}/counts": dataset.counts.data.squeeze(),
            f"{obs_id}/counts_off": dataset.counts_off.data.squeeze(),
            f"{obs_id}/exposure": dataset.exposure.quantity.to_value("m2 s").squeeze(),
            f"{obs_id}/edisp": np.asarray(kernel.pdf_matrix),
            f"{obs_id}/livetime": np.array(observation.observation_live_time_duration.to_value("s")),
        }
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    np.savez(sys.argv[2], **spectra(json.loads(Path(sys.argv[1]).read_text())))
