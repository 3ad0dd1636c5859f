"""What every product holds, as data: tables of variables, attributes and laws, and the check of them."""

from __future__ import annotations

from collections.abc import Mapping

from xgamma.schema.check import product_violations
from xgamma.schema.dl3 import PART
from xgamma.schema.dl4 import DL4, FILE, ROWS, SCHEMA, SCHEMA_VERSION, STACK, dataset, validate
from xgamma.schema.dl5 import FIT, POINTS
from xgamma.schema.tables import Product, Variable, Violation

PRODUCTS: Mapping[str, Product] = {product.kind: product for product in (PART, ROWS, STACK, FIT, POINTS)}

__all__ = [
    "DL4",
    "FILE",
    "PRODUCTS",
    "SCHEMA",
    "SCHEMA_VERSION",
    "Product",
    "Variable",
    "Violation",
    "dataset",
    "product_violations",
    "validate",
]
