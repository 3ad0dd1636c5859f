"""Sums of windows of the sky that need not lie alike, one of which may be a sum already, with their off counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from xgamma import schema
from xgamma.axes import Axis, FloatArray, unify_axis
from xgamma.errors import DataError
from xgamma.reduce.background.names import OFF_COUNTS
from xgamma.reduce.crops import in_image
from xgamma.reduce.grids import has_grids, image_of_row, space_of_windows, validate_one_kind
from xgamma.reduce.nodes import exposure_in_windows
from xgamma.reduce.recipe import MEMBERS
from xgamma.reduce.rows import joined_rows, joined_telescopes, select_rows, since, with_same_variables
from xgamma.reduce.stacks import RowFacts, joined_facts, row_facts, stack, stacks
from xgamma.reduce.sums import Placement, Sums, flat_values, leaf_sums
from xgamma.sky import SkySpace


def window_sum(rows: Sequence[xr.Dataset], image: SkySpace, name: str) -> xr.Dataset:
    """Return the sum of windows over the safe bins of each, in all pixels of an image.

    Other than ``stack``, which gives them up for the background that they lead to expect, it keeps off counts. The
    acceptance is the sum of those of the rows over their safe bins. The off acceptance is the one with which all off
    counts of a pixel predict the sum of the backgrounds; in a pixel without off counts it is the sum of theirs, so that
    alpha is known there too.

    Parameters
    ----------
    rows
        DL4, each with one window whose pixels are those of the image. Responses that not all have are left out.
    image
        The image.
    name
        Of the sum.

    Raises
    ------
    DataError
        For other pixels or axes; when no row has a safe bin.
    """
    for axis in ("energy", "energy_true"):
        unify_axis([Axis.from_coords(ds.coords, axis) for ds in rows])
    placed = [ds if _is_inside(ds, image) else in_image(ds, image) for ds in rows]
    used = [ds for ds in placed if schema.has_safe_bin(ds).any()]
    if not used:
        raise DataError(f"{name}: there is nothing to stack, as no row has a safe bin in the map.")
    validate_one_kind(used)
    if any(map(has_grids, used)):
        return _sum_of_grids([in_image(ds, image) for ds in used], name)
    one = np.zeros(len(used), dtype=np.int64)
    timed = [since(ds, float(used[0].attrs["mjdref"])) for ds in used]
    total = stacks(leaf_sums(timed, one, image), one, _facts(timed), [name], used[0], image)
    names = [str(each) for ds in used for each in ds["dataset"].values]
    telescope = joined_telescopes(ds.attrs["telescope"] for ds in used)
    total = total.assign_attrs({MEMBERS: [names], "telescope": telescope})
    return _with_off_counts(total, used, image) if all("counts_off" in ds for ds in used) else total


def stack_of_windows(datasets: Sequence[xr.Dataset], name: str) -> xr.Dataset:
    """Return the stack of all windows of some Datasets in the image that holds them; off counts stay what they are.

    Where some rows have off counts and others a known background, it has the background that these lead to expect.

    Raises
    ------
    DataError
        For other pixels or axes; when no row has a safe bin.
    """
    spaces = [space_of_windows(ds) for ds in datasets]
    if all(space == spaces[0] for space in spaces) and not any("counts_off" in ds for ds in datasets):
        return stack(joined_rows(datasets), name=name)
    rows = rows_apart(datasets)
    return window_sum(rows, image_of_all(rows), name)


def rows_apart(datasets: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Return each row of some Datasets on its own."""
    return [select_rows(ds, [row]) for ds in datasets for row in range(ds.sizes["dataset"])]


def image_of_all(rows: Sequence[xr.Dataset]) -> SkySpace:
    """Return the image that windows are cut out of; where these are several, the smallest one that holds all windows.

    Raises ``DataError`` unless all have the same pixels.
    """
    images = [space_of_windows(ds).image for ds in rows]
    if all(image == images[0] for image in images):
        return images[0]
    windows = [image_of_row(ds) for ds in rows]
    first = np.array([windows[0].shift_to(window) for window in windows])
    last = (first + [window.shape for window in windows]).max(axis=0)
    (x, y), (v, u) = windows[0].reference_pixel, first.min(axis=0).tolist()
    height, width = (last - [v, u]).tolist()
    whole = replace(windows[0], npix=(width, height), window=None, reference=(x - u, y - v))
    return whole.cut((0, 0))


def _is_inside(ds: xr.Dataset, image: SkySpace) -> bool:
    """Whether a window lies wholly inside of an image with the same pixels."""
    own = image_of_row(ds)
    first = np.array(image.shift_to(own))
    return bool(np.all(first >= 0) and np.all(first + own.shape <= image.shape))


def _facts(rows: Sequence[xr.Dataset]) -> RowFacts:
    """Return the facts of rows, whose members have the responses that those of all rows have."""
    facts = [row_facts(ds) for ds in rows]
    members = [each.members for each in facts if each.members is not None]
    if len(members) < len(facts):
        return joined_facts([replace(each, members=None) for each in facts])
    common = set.intersection(*(set(own.data_vars) for own in members))
    alike = [own.drop_vars([name for name in own.data_vars if name not in common]) for own in members]
    return joined_facts([replace(each, members=own) for each, own in zip(facts, alike, strict=True)])


def _sum_of_grids(rows: Sequence[xr.Dataset], name: str) -> xr.Dataset:
    """Return the sum of rows whose responses are on a coarse image, all in the same pixels."""
    exposed = any("exposure" in ds for ds in rows)
    dims, spec = schema.WINDOWS.bins("energy_true"), schema.DL4_IN[schema.WINDOWS]["exposure"]
    whole = [
        ds if "exposure" in ds or not exposed else ds.assign(exposure=(dims, exposure_in_windows(ds), spec.attrs()))
        for ds in rows
    ]
    return stack(joined_rows(with_same_variables(whole)), name=name)


def _with_off_counts(total: xr.Dataset, rows: Sequence[xr.Dataset], image: SkySpace) -> xr.Dataset:
    sums, one = Sums(), np.zeros(1, dtype=np.int64)
    for ds in rows:
        placement, values = Placement.of(ds, image), flat_values(ds)
        for name in OFF_COUNTS:
            term: FloatArray = np.where(values["mask_safe"], values[name], 0)
            placement.add(sums, name, 1, one, term, slice(0, 1))
    held: dict[str, Any] = {name: array.swapaxes(1, 2).reshape(total["counts"].shape) for name, array in sums.items()}
    background = total["background"].values
    own, plain = held["acceptance"] * held["counts_off"], held["acceptance_off"]
    held["acceptance_off"] = np.divide(own, background, out=plain, where=background > 0)
    dims, specs = schema.bin_dims(total), schema.DL4_IN[schema.WINDOWS]
    variables = {name: xr.Variable(dims, array, specs[name].attrs()) for name, array in held.items()}
    return total.drop_vars("background").assign(variables)
