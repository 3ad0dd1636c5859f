"""What every product holds, as data: tables of variables, attributes and laws, and the check of them."""

from __future__ import annotations

from collections.abc import Mapping

from xgamma.schema.dl3 import PART
from xgamma.schema.dl4 import (
    DL4,
    DL4_IN,
    FILE,
    MEMBER_ROW,
    PLANES,
    REGIONS,
    ROWS,
    SCHEMA,
    SCHEMA_VERSION,
    STACK,
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
from xgamma.schema.dl5 import FIT, FIT_EACH, LIGHT_CURVE, POINTS, POINTS_EACH
from xgamma.schema.excess_map import EXCESS_MAP
from xgamma.schema.picture import PICTURE
from xgamma.schema.tables import Kind, Product, Variable, Violation, product_violations

PRODUCTS: Mapping[str, Product] = {
    product.kind: product
    for product in (PART, ROWS, STACK, FIT, POINTS, LIGHT_CURVE, FIT_EACH, POINTS_EACH, EXCESS_MAP, PICTURE)
}

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
