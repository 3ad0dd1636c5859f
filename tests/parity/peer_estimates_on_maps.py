"""Make maps of two runs on the Crab nebula with Gammapy, and estimate on them.

``peer_estimates_on_maps.py FOLDER DATA`` writes the maps, the models, and what was estimated as arrays.
"""

import sys
import time
from pathlib import Path

import astropy.units as u
import numpy as np
from gammapy.data import DataStore
from gammapy.datasets import Datasets, MapDataset
from gammapy.estimators import FluxPointsEstimator, TSMapEstimator
from gammapy.estimators.utils import estimate_exposure_reco_energy
from gammapy.makers import MapDatasetMaker, SafeMaskMaker
from gammapy.maps import MapAxis, WcsGeom
from gammapy.modeling.models import FoVBackgroundModel, Models, PointSpatialModel, PowerLawSpectralModel, SkyModel

NORMS = ("norm", "norm_err", "norm_errn", "norm_errp", "norm_ul", "ts")


def maps(data):
    energy = MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=4)
    true = MapAxis.from_energy_bounds("0.5 TeV", "20 TeV", nbin=8, name="energy_true")
    geom = WcsGeom.create(skydir=(83.63, 22.01), width=(1.3, 1.3), binsz=0.02, frame="icrs", axes=[energy])
    stacked = MapDataset.create(geom, energy_axis_true=true, name="stacked")
    for observation in DataStore.from_dir(data).get_observations([23523, 23526]):
        made = MapDatasetMaker().run(
            stacked.cutout(observation.get_pointing_icrs(observation.tmid), 5 * u.deg), observation
        )
        stacked.stack(SafeMaskMaker(["offset-max"], offset_max="2.5 deg").run(made, observation))
    return stacked


def main(folder, data):
    dataset = maps(data)
    dataset.write(folder / "maps.fits.gz", overwrite=True)
    place = PointSpatialModel(lon_0="83.62 deg", lat_0="22.025 deg")
    crab = SkyModel(PowerLawSpectralModel(index=2.56, amplitude="4.5e-11 cm-2 s-1 TeV-1"), place, name="crab")
    background = FoVBackgroundModel(dataset_name="stacked")
    dataset.models = Models([crab, background])
    dataset.models.write(folder / "models.yaml", overwrite=True, write_covariance=False)
    edges = dataset.counts.geom.axes["energy"].edges[::2]
    found = {}
    for name, reoptimize in (("kept", False), ("free", True)):
        options = ["errn-errp", "ul"]
        estimator = FluxPointsEstimator(edges, source="crab", selection_optional=options, reoptimize=reoptimize)
        start = time.process_time()
        points = estimator.run(Datasets([dataset]))
        found[f"{name}_time"] = time.process_time() - start
        found |= {f"{name}_{one}": np.squeeze(getattr(points, one).data) for one in NORMS}
    found |= {"source": dataset.npred_signal(model_names=["crab"]).data, "expected": dataset.npred_background().data}
    found |= {"counts": dataset.counts.data, "mask": dataset.mask.data}

    dataset.models = [background]
    model = SkyModel(PowerLawSpectralModel(), PointSpatialModel(), name="kernel")
    estimator = TSMapEstimator(
        model, "0.3 deg", rtol=1e-6, selection_optional=["errn-errp", "ul"], sum_over_energy_groups=False,
        energy_edges=dataset.counts.geom.axes["energy"].edges[[0, -1]],
    )  # fmt: skip
    found["kernel"] = estimator.estimate_kernel(dataset).data
    exposure = estimate_exposure_reco_energy(dataset, model.spectral_model, normalize=False)
    found["reference"] = exposure.quantity.to_value(exposure.unit)
    start = time.process_time()
    result = estimator.run(dataset)
    found["ts_time"] = time.process_time() - start
    found |= {f"ts_{one}": result[one].data[0] for one in (*NORMS, "sqrt_ts")}
    np.savez_compressed(folder / "found.npz", **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
