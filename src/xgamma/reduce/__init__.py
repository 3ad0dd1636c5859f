"""Reduction: runs to spectra in blocks, and stacks of them.

``reduce_spectra`` reduces rows of a part in blocks, ``lazy_spectra`` does so when the result is used (it loads
dask), ``stack`` sums rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported

if TYPE_CHECKING:
    from xgamma.grid import region_row_name
    from xgamma.reduce.background import (
        AdaptiveRingParameters,
        Background,
        BackgroundInput,
        FixedParameters,
        FovBackgroundParameters,
        IrfParameters,
        OffRegions,
        OffRunsParameters,
        PhaseParameters,
        ReflectedParameters,
        RingParameters,
        WobbleParameters,
    )
    from xgamma.reduce.block import reduce_block
    from xgamma.reduce.enclosure import validate_enclosure
    from xgamma.reduce.lazy import lazy_spectra
    from xgamma.reduce.limits import MAX_BYTES, MAX_EVENTS, MAX_ROWS, PRODUCT_BYTES, rows_within
    from xgamma.reduce.recipe import Recipe, roles_needed, row_key
    from xgamma.reduce.rows import (
        joined_rows,
        masked_rows,
        regions_apart,
        row_bytes,
        select_rows,
        since,
        with_alpha_systematic,
        with_names,
    )
    from xgamma.reduce.safe_mask import SafeMaskInput, SafeMaskParameters, safe_masks_of
    from xgamma.reduce.spectra import blocks_of, reduce_each, reduce_spectra
    from xgamma.reduce.stacks import stack
    from xgamma.registry import Method, method, register
else:
    __getattr__, __dir__ = exported(__name__)

__all__ = [
    "MAX_BYTES",
    "MAX_EVENTS",
    "MAX_ROWS",
    "PRODUCT_BYTES",
    "AdaptiveRingParameters",
    "Background",
    "BackgroundInput",
    "FixedParameters",
    "FovBackgroundParameters",
    "IrfParameters",
    "Method",
    "OffRegions",
    "OffRunsParameters",
    "PhaseParameters",
    "Recipe",
    "ReflectedParameters",
    "RingParameters",
    "SafeMaskInput",
    "SafeMaskParameters",
    "WobbleParameters",
    "blocks_of",
    "joined_rows",
    "lazy_spectra",
    "masked_rows",
    "method",
    "reduce_block",
    "reduce_each",
    "reduce_spectra",
    "region_row_name",
    "regions_apart",
    "register",
    "roles_needed",
    "row_bytes",
    "row_key",
    "rows_within",
    "safe_masks_of",
    "select_rows",
    "since",
    "stack",
    "validate_enclosure",
    "with_alpha_systematic",
    "with_names",
]
