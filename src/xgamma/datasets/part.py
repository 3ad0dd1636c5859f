"""``ModelledRows``: what is computed together."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from xgamma.axes import BoolArray
from xgamma.models.models import Models


@dataclass(frozen=True)
class ModelledRows:
    """Neighbouring rows of one Dataset that have the same models, and their bins to fit or ``None``."""

    data: xr.Dataset
    models: Models
    mask_fit: BoolArray | None
