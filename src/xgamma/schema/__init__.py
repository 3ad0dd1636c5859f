"""What every product holds, as data: tables of variables, attributes and laws, and the check of them."""

from __future__ import annotations

from collections.abc import Mapping

from xgamma.schema.check import product_violations
from xgamma.schema.dl3 import PART
from xgamma.schema.dl4 import FILE, ROWS, SCHEMA, SCHEMA_VERSION, STACK, dataset, validate
from xgamma.schema.dl5 import FIT, POINTS
from xgamma.schema.spaces import DL4, DL4_IN, REGIONS, WINDOWS, SpaceDims, bin_dims, has_safe_bin, space_dims
from xgamma.schema.tables import Kind, Product, Variable, Violation

PRODUCTS: Mapping[str, Product] = {product.kind: product for product in (PART, ROWS, STACK, FIT, POINTS)}

__all__ = [
    "DL4",
    "DL4_IN",
    "FILE",
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
    "bin_dims",
    "dataset",
    "has_safe_bin",
    "product_violations",
    "space_dims",
    "validate",
]
