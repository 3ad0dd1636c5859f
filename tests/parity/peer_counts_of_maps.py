"""Maps of counts as models in Gammapy, run by a python that has it: ``peer_counts_of_maps.py FOLDER``.

Reads ``ours.yaml`` of the folder, and writes ``theirs.yaml`` with its file, and what both are.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
from gammapy.maps import Map, MapAxis, WcsGeom
from gammapy.modeling.models import Models, PowerLawNormSpectralModel, TemplateNPredModel


def main(folder):
    """Write models, file and values."""
    folder = Path(folder)
    axis = MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=3)
    geom = WcsGeom.create(skydir=(10, 0), binsz=0.5, npix=(9, 7), frame="galactic", axes=[axis])
    counts = Map.from_geom(geom, data=np.random.default_rng(2).uniform(1, 3, geom.data_shape))
    spectrum = PowerLawNormSpectralModel(norm=1.5, tilt=0.3)
    spectrum.norm.error = 0.25
    file = str(folder / "theirs.fits")
    model = TemplateNPredModel(counts, spectrum, name="theirs", filename=file, datasets_names=["data"])
    model.write()
    Models([model]).write(folder / "theirs.yaml", overwrite=True)
    [ours] = Models.read(folder / "ours.yaml")
    found = {"names": ours.datasets_names, "error": ours.parameters["norm"].error, "ours": ours.evaluate().data}
    np.savez(folder / "result.npz", theirs=model.evaluate().data, **found)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1])
