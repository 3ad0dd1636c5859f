"""The stacked maps of a configuration by Gammapy, run by a python that has it: ``peer_maps.py CONFIG RESULT.npz``."""

from __future__ import annotations

import sys
import warnings

import numpy as np
from gammapy.analysis import Analysis, AnalysisConfig

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    analysis = Analysis(AnalysisConfig.read(sys.argv[1]))
    analysis.get_observations()
    analysis.get_datasets()
    [dataset] = analysis.datasets
    np.savez(
        sys.argv[2],
        counts=dataset.counts.data,
        exposure=dataset.exposure.quantity.to_value("m2 s"),
        background=dataset.npred_background().data,
        mask_safe=dataset.mask_safe.data,
    )
