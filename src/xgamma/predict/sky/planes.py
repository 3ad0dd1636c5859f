"""The counts that models predict in every pixel of windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from xgamma import schema
from xgamma.axes import FloatArray
from xgamma.models.models import SkyModel
from xgamma.predict.folding import InTime
from xgamma.predict.sky.folding import SkyFolding


def signal_planes(ds: xr.Dataset, models: Sequence[SkyModel]) -> FloatArray:
    """Return the counts of sources in every bin of windows, in the dims of the counts; see ``validate_on_sky``."""
    shape = tuple(ds.sizes[dim] for dim in schema.bin_dims(ds))
    folding, total = SkyFolding(ds, np.zeros(shape, dtype=bool)), np.zeros(shape)
    for model in models:
        if not isinstance(model, SkyModel):
            continue
        folded = folding.fold(model)
        flux = model.spectral_model.flux(folding.edges)
        time = InTime.of(model, [ds], np.arange(len(total)))
        factor = np.ones(len(total)) if time is None else time()
        for view in folded.at().views:
            cells = view.patch.cells
            total[view.row][:, cells.v, cells.u] += factor[view.row] * view.patch.planes(flux)
    return total
