"""What every product holds, as data: tables of variables, attributes and laws, and the check of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported

if TYPE_CHECKING:
    from xgamma.schema.dl4 import (
        DL4,
        DL4_IN,
        FILE,
        MEMBER_ROW,
        PLANES,
        REGIONS,
        SCHEMA,
        SCHEMA_VERSION,
        WINDOWS,
        SpaceDims,
        alpha,
        bin_dims,
        dataset,
        has_safe_bin,
        safe_along,
        safe_energies,
        space_dims,
        validate,
        window_chunks,
    )
    from xgamma.schema.products import PRODUCTS
    from xgamma.schema.tables import Kind, Product, Variable, Violation, product_violations
else:
    __getattr__, __dir__ = exported(__name__)

__all__ = [
    "DL4",
    "DL4_IN",
    "FILE",
    "MEMBER_ROW",
    "PLANES",
    "PRODUCTS",
    "REGIONS",
    "SCHEMA",
    "SCHEMA_VERSION",
    "WINDOWS",
    "Kind",
    "Product",
    "SpaceDims",
    "Variable",
    "Violation",
    "alpha",
    "bin_dims",
    "dataset",
    "has_safe_bin",
    "product_violations",
    "safe_along",
    "safe_energies",
    "space_dims",
    "validate",
    "window_chunks",
]
