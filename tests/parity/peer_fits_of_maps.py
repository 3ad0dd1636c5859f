"""Fits maps with Gammapy: ``python peer_fits_of_maps.py CONFIG MODELS OUT`` writes numbers and kernels.

``OUT.json`` holds the fitted parameters, and the statistic and predicted counts of models at the values of MODELS and
at the fitted ones, evaluated afresh; ``OUT.npz`` the kernels that were used there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from gammapy.analysis import Analysis, AnalysisConfig
from gammapy.modeling import Fit
from gammapy.modeling.models import FoVBackgroundModel, Models


def fresh(dataset, models):
    """Return statistic, signal per energy and kernels of models whose kernels are those of their present place."""
    dataset.models = models.copy()
    total, found = float(dataset.stat_sum()), {}
    evaluator = next(iter(dataset.evaluators.values()))
    found["psf"] = evaluator.psf.psf_kernel_map.data
    found["edisp"] = evaluator.edisp.pdf_matrix
    return total, dataset.npred_signal().data.sum(axis=(1, 2)).tolist(), found


def main(config, document, out):
    """Reduce, evaluate, fit, evaluate."""
    analysis = Analysis(AnalysisConfig.read(config))
    analysis.get_observations()
    analysis.get_datasets()
    dataset = analysis.datasets[0]
    models = Models.read(document)
    models.append(FoVBackgroundModel(dataset_name=dataset.name))
    start, start_signal, start_kernels = fresh(dataset, models)
    dataset.models = models
    result = Fit().run([dataset])
    end, end_signal, end_kernels = fresh(dataset, models)
    numbers = {
        "stat": {"start": start, "end": end, "fit": float(result.total_stat)},
        "signal": {"start": start_signal, "end": end_signal},
        "parameters": {one.name: (one.value, one.error) for one in models.parameters if not one.frozen},
    }
    Path(f"{out}.json").write_text(json.dumps(numbers))
    kernels = {f"{name}_start": value for name, value in start_kernels.items()}
    np.savez(f"{out}.npz", **kernels, **{f"{name}_end": value for name, value in end_kernels.items()})


main(*sys.argv[1:])
