"""The specification of every kind of product."""

from __future__ import annotations

from collections.abc import Mapping

from xgamma.schema.dl3 import PART
from xgamma.schema.dl4 import ROWS, STACK
from xgamma.schema.dl5 import FIT, FIT_EACH, LIGHT_CURVE, POINTS, POINTS_EACH
from xgamma.schema.excess_map import EXCESS_MAP
from xgamma.schema.picture import PICTURE
from xgamma.schema.tables import Product

PRODUCTS: Mapping[str, Product] = {
    product.kind: product
    for product in (PART, ROWS, STACK, FIT, POINTS, LIGHT_CURVE, FIT_EACH, POINTS_EACH, EXCESS_MAP, PICTURE)
}
