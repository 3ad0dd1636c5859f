"""The counts that models predict in every pixel of windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from xgamma import schema
from xgamma.axes import Axis, FloatArray
from xgamma.models.models import SkyModel, TemplateNPredModel
from xgamma.predict.background import factor_planes
from xgamma.predict.folding import InTime
from xgamma.predict.sky.factors import template_planes
from xgamma.predict.sky.folding import SkyFolding


def signal_planes(ds: xr.Dataset, models: Sequence[SkyModel]) -> FloatArray:
    """Return the counts of sources, and of maps of counts, in every bin of windows, in the dims of the counts.

    See ``validate_on_sky``.
    """
    shape = tuple(ds.sizes[dim] for dim in schema.bin_dims(ds))
    folding, total = SkyFolding(ds, np.zeros(shape, dtype=bool)), np.zeros(shape)
    for model in models:
        if isinstance(model, TemplateNPredModel):
            _add_template(total, ds, model)
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


def _add_template(total: FloatArray, ds: xr.Dataset, model: TemplateNPredModel) -> None:
    model.validate_factors()
    norm = model.spectral_model.dnde(Axis.from_coords(ds.coords, "energy").center)[:, None, None]
    for row, name in enumerate(ds["dataset"].values):
        if model.applies_to(str(name)):
            total[row] += template_planes(model, ds, row) * norm * factor_planes(model, ds, row)
