"""Products that many processes write: what each of them holds follows from its number."""

import numpy as np
import xarray as xr

from xgamma.store import Store, digest


def key(number):
    return digest({"recipe": "test", "number": number})


def product(number):
    random = np.random.default_rng(number)
    events = xr.Dataset({"ra": ("event", random.random(20_000), {"units": "deg"}), "id": ("event", np.arange(20_000))})
    counts = xr.Dataset(
        {"counts": (("dataset", "energy"), random.random((2, 8))), "used": ("dataset", np.array([True, False]))},
        coords={"dataset": ["23523", "23526"], "energy": random.random(8)},
    )
    return {"": counts, "events": events}


def write(url, first, last):
    """Put the products of these numbers, and return the attempts that stand."""
    store = Store(url)
    return [
        store.put("dl4", key(number), product(number), {"command": "test"}).attempt for number in range(first, last)
    ]
