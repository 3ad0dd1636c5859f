"""Laws of values that several kinds of product share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.schema.tables import Law, Violation


def axis_law(name: str, *, contiguous: bool = True) -> Law:
    """Return the law of one bin axis."""

    def law(ds: xr.Dataset) -> Iterator[Violation]:
        """The bins of an axis ascend and hold their centres; each begins where the one before it ends."""
        bounds = f"{name}_bounds"
        if ds[name].attrs.get("bounds") != bounds:
            yield Violation(name, f"attrs['bounds'] = {bounds!r}", repr(ds[name].attrs.get("bounds")))
        if ds.sizes.get("bound") != 2:
            yield Violation(bounds, "2 bounds of each bin", str(ds.sizes.get("bound")))
            return
        low, high = ds[bounds].values.T
        center = ds[name].values
        if not (np.all(low < high) and np.all(np.diff(low) > 0) and np.all((low <= center) & (center <= high))):
            yield Violation(bounds, "ascending bins that hold their centres", _some(ds[bounds].values))
        elif contiguous and not np.array_equal(low[1:], high[:-1]):
            yield Violation(bounds, "bins that begin where the one before ends", _some(ds[bounds].values))

    return law


def apart(name: str) -> Law:
    """Return the law of an axis whose bins need not touch."""

    def law(ds: xr.Dataset) -> Iterator[Violation]:
        """The bins of the axis ascend and hold their centres; there may be gaps between them."""
        yield from axis_law(name, contiguous=False)(ds)

    return law


def unique_names(ds: xr.Dataset) -> Iterator[Violation]:
    """Each row has a name of its own."""
    names = ds["dataset"].values.tolist()
    if len(set(names)) < len(names):
        yield Violation("dataset", "a unique name for each row in the coordinate 'dataset'", str(names))


def flags_law(name: str) -> Law:
    """Return the law of one variable of flags."""

    def law(ds: xr.Dataset) -> Iterator[Violation]:
        """A flag is one of `flag_values`, and each of those has its word in `flag_meanings`."""
        if name not in ds.variables:
            return
        values, words = ds[name].attrs.get("flag_values"), ds[name].attrs.get("flag_meanings")
        if not isinstance(values, list) or not isinstance(words, str) or len(values) != len(words.split()):
            yield Violation(name, "flag_values with a word for each in flag_meanings", f"{values!r} and {words!r}")
        elif not np.isin(ds[name].values, values).all():
            unknown = sorted(set(ds[name].values.ravel().tolist()) - set(values))
            yield Violation(name, "values of flag_values", f"{unknown[:5]}")

    return law


def _some(values: npt.NDArray[np.float64]) -> str:
    shown = ", ".join(f"{low:g} to {high:g}" for low, high in values[:5].tolist())
    return shown + (", ..." if len(values) > 5 else "")
