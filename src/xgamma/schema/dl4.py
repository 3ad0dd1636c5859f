"""DL4: rows of a reduction, their stacks, and files of them; one table for what is written and what is checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.errors import DataError, did_you_mean
from xgamma.grid import IMAGE, ORIGIN, REGION_NAME, REGION_SHAPE
from xgamma.outcome import Fate, Outcome, flag_attrs
from xgamma.schema.arrays import NamedArrays
from xgamma.schema.documents import PROVENANCE_OF, TEXTS
from xgamma.schema.response_grids import EXPOSURE_GRID, GRIDS, IMAGE_IRF, grids_fit_their_image
from xgamma.schema.tables import (
    NAMES,
    Attribute,
    Group,
    Kind,
    Product,
    Variable,
    Violation,
    axis,
    axis_law,
    field_violations,
    flags_law,
    head,
    head_attrs,
    requiring,
    unique_names,
    variable_violations,
)


class SpaceDims(NamedTuple):
    """The dims of a space: of the cells of a row, of the places of its energy dispersion, and of its ledgers."""

    cells: tuple[str, ...]
    responses: tuple[str, ...]
    ledgers: tuple[str, ...]

    @property
    def by_plane(self) -> bool:
        """Whether the energies come before the cells, plane by plane."""
        return self == WINDOWS

    def bins(self, axis: str) -> tuple[str, ...]:
        """Return the dims of a variable that has a value in each cell and each bin of an axis."""
        return ("dataset", axis, *self.cells) if self.by_plane else ("dataset", *self.cells, axis)


REGIONS = SpaceDims(("region",), ("dataset", "region"), ("region",))
"""Regions, each with its own response and ledger."""
WINDOWS = SpaceDims(("v", "u"), ("member", "node"), ())
"""A window of a sky image for each row, plane by plane in energy, with one ledger.

Its responses are functions of the offset from the pointing of each member, which are the runs that a row is made of.
"""
MEMBER_ROW = "member_row"
"""The variable with the number of the row that each member belongs to."""


def space_dims(ds: NamedArrays) -> SpaceDims:
    """Return the dims of the space that a Dataset of rows has."""
    return WINDOWS if set(WINDOWS.cells) <= set(ds.sizes) else REGIONS


def bin_dims(ds: NamedArrays) -> tuple[str, ...]:
    """Return the dims of counts: ``dataset``, the cells and ``energy``, in the order of their space."""
    return space_dims(ds).bins("energy")


def has_safe_bin(ds: NamedArrays) -> npt.NDArray[np.bool_]:
    """Return whether each row has any safe bin, shape (dataset,)."""
    return safe_along(ds, "dataset")


def alpha(ds: NamedArrays) -> npt.NDArray[np.float64]:
    """Return acceptance / acceptance_off, in the dims of the counts; 0 where there is no off acceptance."""
    on, off = ds["acceptance"].values, ds["acceptance_off"].values
    return np.asarray(np.divide(on, off, out=np.zeros(on.shape), where=off > 0))


def safe_energies(ds: NamedArrays) -> npt.NDArray[np.bool_]:
    """Return which bins of reconstructed energy are safe in any row and cell, shape (energy,)."""
    return safe_along(ds, "energy")


def safe_along(ds: NamedArrays, *dims: str) -> npt.NDArray[np.bool_]:
    """Return where along ``dims``, in the order of the mask, any bin is safe."""
    others = tuple(axis for axis, name in enumerate(ds["mask_safe"].dims) if name not in dims)
    return np.asarray(ds["mask_safe"].values.any(axis=others))


def window_chunks(ds: NamedArrays, *dims: str) -> dict[str, dict[str, tuple[int, ...]]]:
    """Return how a store cuts windows: one of each of the given dims in a chunk; nothing for regions.

    It is an ``encoding`` by the name of the variable: cut by ``dataset`` each row can be read alone, cut by the
    energies each plane.
    """
    cells = set(WINDOWS.cells)
    return {
        str(name): {
            "chunks": tuple(1 if dim in dims else size for dim, size in zip(variable.dims, variable.shape, strict=True))
        }
        for name, variable in ds.variables.items()
        if cells <= set(variable.dims)
    }


def _of_windows(nodes: tuple[str, ...]) -> dict[str, Variable]:
    """Return the variables of windows of the sky: members, their responses at nodes, and norms of the background."""
    members, in_energy = ("member",), (*nodes, "energy_true")
    norms = {
        "norm": "Norm of the expected background that it was multiplied by",
        "norm_error": "Error of the norm",
        "tilt": "Tilt of the expected background that it was multiplied by",
        "tilt_error": "Error of the tilt",
    }
    return {
        MEMBER_ROW: Variable(members, "", "i8", "Number of the row that a member belongs to", False),
        "member_lon": Variable(members, "deg", "f8", "Pointing right ascension of the member", False, MEMBER_ROW),
        "member_lat": Variable(members, "deg", "f8", "Pointing declination of the member", False, MEMBER_ROW),
        "node_offset": Variable(nodes, "deg", "f8", "Offsets of the responses, NaN last", False, MEMBER_ROW),
        "reach": Variable(members, "deg", "f8", "Offset beyond which the exposure is 0", False, MEMBER_ROW),
        "safe_offset": Variable(
            ("member", "energy"), "deg", "f8", "Largest offset of a safe pixel, NaN for none", False, MEMBER_ROW
        ),
        "edisp_norm": Variable(in_energy, "", "f8", "What the energy dispersion kernel is divided by", False, "edisp"),
        "psf": Variable((*in_energy, "rad"), "sr-1", "f8", "Point spread function, not normalised", False),
        **GRIDS,
        **{f"background_{name}": Variable(("dataset",), "", "f8", text, False) for name, text in norms.items()},
    }


def _variables(space: SpaceDims) -> dict[str, Variable]:
    is_regions, cell = space == REGIONS, "on-region" if space == REGIONS else "pixel"
    bins, true_bins = space.bins("energy"), space.bins("energy_true")
    nodes = (*space.responses, "energy_true")
    off = ("dataset", *space.cells, "off")
    of_regions = {
        "offset": Variable(("dataset", *space.cells), "deg", "f8", "Offset of the region from the pointing", False),
        "rad_max": Variable(bins, "deg", "f8", "Radius of a point that responses are for, 0 for none", False),
        "off_lon": Variable(off, "deg", "f8", "Right ascension of the off regions", False),
        "off_lat": Variable(off, "deg", "f8", "Declination of the off regions", False),
        "off_radius": Variable(off, "deg", "f8", "Radius of the off regions, of points the largest", False),
        "off_number": Variable(("dataset", *space.cells), "", "i8", "Number of off regions", False),
    }
    return {
        "counts": Variable(bins, "", "f8", f"Counts in the {cell}"),
        "counts_off": Variable(bins, "", "f8", "Counts in the off regions", False),
        "acceptance": Variable(bins, "", "f8", f"Acceptance of the {cell}", False, "counts_off"),
        "acceptance_off": Variable(bins, "", "f8", "Acceptance of the off regions", False, "counts_off"),
        "background": Variable(bins, "", "f8", "Expected background counts", False),
        "alpha_systematic": Variable(
            ("dataset",),
            "",
            "f8",
            "Relative systematic error of acceptance / acceptance_off, the same in all bins",
            False,
        ),
        "exposure": Variable(true_bins, "m2 s", "f8", "Exposure", is_regions),
        "exposure_edisp": Variable(
            nodes, "m2 s", "f8", "Exposure without containment, the weight of edisp", is_regions, "edisp"
        ),
        "edisp": Variable((*nodes, "energy"), "", "f8", "Energy dispersion kernel", is_regions),
        "mask_safe": Variable(bins, "", "b1", "Whether the bin can be trusted"),
        "livetime": Variable(("dataset",), "s", "f8", "Good time corrected for dead time"),
        "ontime": Variable(("dataset",), "s", "f8", "Good time"),
        "gti": Variable(("dataset", "gti", "bound"), "s", "f8", "Good time since mjdref, padded with NaN"),
        "pointing_lon": Variable(("dataset",), "deg", "f8", "Pointing right ascension", False),
        "pointing_lat": Variable(("dataset",), "deg", "f8", "Pointing declination", False),
        **(of_regions if is_regions else _of_windows(space.responses)),
        "ledger": Variable(("dataset", *space.ledgers, "fate"), "", "i8", "Events by fate", False),
        "outcome": Variable(("dataset",), "", "i1", "Why the row is used or masked", False),
    }


def _coords(space: SpaceDims) -> dict[str, Variable]:
    of_space = {
        "region_lon": Variable(("region",), "deg", "f8", "Right ascension of the on-region", False),
        "region_lat": Variable(("region",), "deg", "f8", "Declination of the on-region", False, "region_lon"),
        "region_radius": Variable(
            ("region",), "deg", "f8", "Radius of the on-region, NaN of what is no circle", False, "region_lon"
        ),
        REGION_NAME: Variable(("region",), None, NAMES, "Name of the on-region", False),
        REGION_SHAPE: Variable(("region",), None, NAMES, "Shape of the on-region as DS9 writes it", False),
    }
    if space == WINDOWS:
        of_space = {
            **{name: Variable(("dataset",), "", "i8", "First pixel of the window in the image") for name in ORIGIN},
            **{n: replace(each, required=False) for n, each in axis("rad", "deg", "Distance from the source").items()},
            IMAGE: Variable((), "", "i1", "What image the windows are cut out of, in its attributes"),
            "lon": Variable(WINDOWS.cells, "deg", "f8", "Right ascension of the pixel, of stored stacks", False),
            "lat": Variable(WINDOWS.cells, "deg", "f8", "Declination of the pixel", False, "lon"),
            IMAGE_IRF: Variable((), "", "i1", "What coarse image responses are on, as image", False, EXPOSURE_GRID),
        }
    return {
        "dataset": Variable(("dataset",), None, NAMES, "Name of the row"),
        "obs_id": Variable(("dataset",), "", "i8", "Observation id", False),
        "interval": Variable(
            ("dataset", "bound"), "s", "f8", "Selected interval since mjdref, infinite where open", False
        ),
        **axis("energy", "TeV", "Reconstructed energy"),
        **axis("energy_true", "TeV", "True energy"),
        **of_space,
        "fate": Variable(("fate",), "", "i1", "Fate of an event", False, "ledger"),
    }


DL4_IN: Mapping[SpaceDims, Mapping[str, Variable]] = {space: _variables(space) for space in (REGIONS, WINDOWS)}
"""The variables of rows by the dims of their space."""
COORDS_IN: Mapping[SpaceDims, Mapping[str, Variable]] = {space: _coords(space) for space in (REGIONS, WINDOWS)}
DL4 = DL4_IN[REGIONS]
IMAGE_ATTRS = {
    "projection": Attribute("text", "The projection of the FITS standard: CAR, TAN or AIT"),
    "frame": Attribute("text", "icrs or galactic"),
    "center": Attribute("list of number", "Longitude and latitude of the centre of the projection, deg"),
    "binsize": Attribute("number", "The size of a pixel, deg"),
    "npix": Attribute("list of whole number", "The number of pixels to the west and to the north"),
    "reference": Attribute("list of number", "The pixel of the centre, from 0; without it the middle", False),
    "aspect": Attribute("number", "Width over height of a pixel, below 0 for columns to the east", False),
}


PLANES = ("dataset", "energy", "energy_true")
"""The dims by which stacks and files of windows are cut: a plane is read without the others."""
SCHEMA = "xgamma DL4 spectrum"
SCHEMA_VERSION = 1


def dataset(
    values: Mapping[str, npt.ArrayLike],
    coords: Mapping[Any, Any],
    attrs: Mapping[str, Any],
    cell_dims: tuple[str, ...],
    cell_shape: tuple[int, ...],
) -> xr.Dataset:
    """Return a DL4 Dataset from plain arrays, in the dims, units and types of the schema.

    Parameters
    ----------
    values
        Arrays by variable name, each in the order of the schema's dims, with one axis for the cells, which comes second
        everywhere: those of windows should lie in memory plane by plane, so that nothing is copied.
    coords
        ``dataset``, the axes, and what else labels rows and cells.
    attrs
        ``mjdref``, ``telescope``, ``release``, ``outcome_details``.
    cell_dims, cell_shape
        The dims and the shape of the cells of a row.
    """
    specs = next(specs for space, specs in DL4_IN.items() if space.cells == cell_dims)
    variables = {name: _variable(specs[name], value, cell_dims, cell_shape) for name, value in values.items()}
    result = xr.Dataset(variables, {**coords, "fate": fates()}, head(SCHEMA, SCHEMA_VERSION) | dict(attrs))
    result["outcome"].attrs |= flag_attrs(Outcome)
    return result


def fates() -> xr.Variable:
    """Return the coordinate of the ledger."""
    attrs = {"long_name": "Fate of an event", **flag_attrs(Fate)}
    return xr.Variable(("fate",), np.arange(len(Fate), dtype=np.int8), attrs)


def _variable(
    spec: Variable, value: npt.ArrayLike, cell_dims: tuple[str, ...], cell_shape: tuple[int, ...]
) -> tuple[tuple[str, ...], npt.NDArray[Any], dict[str, Any]]:
    given = np.asarray(value)
    is_window = cell_dims == WINDOWS.cells
    # Windows of runs are in single precision; what has its cells in another place than the schema lies plane by plane.
    array = given if is_window and given.dtype == np.float32 else given.astype(spec.dtype, copy=False)
    if array.ndim != len(spec.dims):
        cells = cell_shape if set(cell_dims) <= set(spec.dims) else ()
        planes = array.swapaxes(1, 2).shape[1:2] if is_window and cells else ()
        array = (array.swapaxes(1, 2) if planes else array).reshape(
            len(array), *planes, *cells, *(() if planes else array.shape[2:])
        )
    return spec.dims, array, spec.attrs()


def validate(ds: NamedArrays) -> None:
    """Raise ``DataError`` unless ``ds`` holds spectra: variables, dims, units, unique names, finite counts."""
    version = ds.attrs.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise DataError(
            f"Expected spectra of schema_version {SCHEMA_VERSION}, got {version!r}; install a newer xgamma."
        )
    variables = DL4_IN[space_dims(ds)]
    for name, spec in variables.items():
        if name not in ds and (spec.required or spec.needed_with in ds):
            raise DataError(
                f"The Dataset has no variable {name!r} {spec.dims}.{did_you_mean(name, map(str, ds.variables))}"
            )
    for violation in variable_violations(ds, variables):
        raise DataError(str(violation))
    for name in ("energy_bounds", "energy_true_bounds"):
        if name not in ds.coords:
            raise DataError(f"The Dataset has no coordinate {name!r}; make axes with Axis.coords().")
    if "dataset" not in ds.coords:
        raise DataError("The Dataset has no coordinate 'dataset'; give each row a unique name with assign_coords.")
    for law in (unique_names, counts_are_counts, windows_lie_inside, grids_fit_their_image):
        for violation in law(ds):
            raise DataError(str(violation))


# --- laws


def counts_are_counts(ds: NamedArrays) -> Iterator[Violation]:
    """Counts are finite and at least 0; a bin that cannot be used holds 0 and is masked."""
    for name in ("counts", "counts_off"):
        if name in ds and not _are_counts(ds.variables[name].values):
            yield Violation(name, "finite numbers of at least 0", "others", "set unusable bins to 0 and mask them")


def _are_counts(values: npt.NDArray[Any]) -> bool:
    return bool(np.isfinite(values).all() and (values >= 0).all())


def ledger_counts(ds: NamedArrays) -> Iterator[Violation]:
    """No fate has fewer than 0 events."""
    if "ledger" in ds and (ds["ledger"].values < 0).any():
        yield Violation("ledger", "numbers of at least 0", str(int(ds["ledger"].values.min())))


def masked_rows_are_masked(ds: NamedArrays) -> Iterator[Violation]:
    """A row whose outcome is not `used` has no safe bin."""
    if "outcome" not in ds:
        return
    wrong = (ds["outcome"].values != Outcome.USED) & has_safe_bin(ds)
    if wrong.any():
        names = ds["dataset"].values[wrong].tolist()
        yield Violation("mask_safe", "no safe bin in rows that are not used", f"some in {names[:5]}")


def padding_is_last(ds: NamedArrays) -> Iterator[Violation]:
    """Good times are sorted, each start before its stop; unused places of `gti` and of off regions are NaN, last."""
    gti = ds["gti"].values
    if ds.sizes["bound"] != 2:
        yield Violation("gti", "a start and a stop", f"{ds.sizes['bound']} numbers")
        return
    start, stop = gti[..., 0], gti[..., 1]
    used = np.isfinite(start)
    if (used != np.isfinite(stop)).any() or (used[:, 1:] & ~used[:, :-1]).any():
        yield Violation("gti", "intervals, then NaN in both bounds", "NaN elsewhere")
    elif (start >= stop).any() or (start[:, 1:] < start[:, :-1]).any():
        yield Violation("gti", "sorted intervals that start before they stop", "others")
    if "off_lon" in ds and "off_number" in ds:
        regions = np.isfinite(ds["off_lon"].values)
        if (regions.sum(axis=-1) != ds["off_number"].values).any() or (regions[..., 1:] & ~regions[..., :-1]).any():
            yield Violation("off_lon", "as many numbers as off_number says, then NaN", "others")


def windows_lie_inside(ds: NamedArrays) -> Iterator[Violation]:
    """A window of the sky lies inside the image that its coordinate `image` describes."""
    if space_dims(ds) != WINDOWS:
        return
    missing = next((name for name in (*ORIGIN, IMAGE) if name not in ds.coords), None)
    if missing is not None:
        yield Violation(missing, "a coordinate of the windows", "none")
        return
    attrs = ds.variables[IMAGE].attrs
    faults = list(field_violations(attrs, IMAGE_ATTRS, f"{IMAGE} attrs"))
    yield from faults
    for name, size, full in zip(ORIGIN, WINDOWS.cells, ([] if faults else attrs["npix"][::-1]), strict=False):
        origins = ds.variables[name].values
        first, last = int(origins.min(initial=0)), int(origins.max(initial=0)) + ds.sizes[size]
        if first < 0 or last > full:
            yield Violation(name, f"windows inside of 0 to {full} pixels", f"{first} to {last}")


def details_of_each_row(ds: NamedArrays) -> Iterator[Violation]:
    """`outcome_details`, and `rows` of stacks, have one entry for each row."""
    for name in ("outcome_details", "rows"):
        entries = ds.attrs.get(name)
        if isinstance(entries, list) and len(entries) != ds.sizes["dataset"]:
            yield Violation(f"attrs {name}", f"{ds.sizes['dataset']} entries", f"{len(entries)}")


# --- groups and products

_LAWS = (
    axis_law("energy"),
    axis_law("energy_true"),
    unique_names,
    counts_are_counts,
    ledger_counts,
    masked_rows_are_masked,
    padding_is_last,
    windows_lie_inside,
    grids_fit_their_image,
    details_of_each_row,
    flags_law("outcome"),
    flags_law("fate"),
)
_ATTRS = {
    **head_attrs(SCHEMA, SCHEMA_VERSION),
    "mjdref": Attribute("number", "The epoch of all times, MJD in `time_scale`"),
    "time_scale": Attribute("text", "The scale of all times", value="tt"),
    "telescope": Attribute("text", "The telescopes of the rows, with ', ' between them"),
    "release": Attribute("text", "The name of the release that the runs belong to"),
    "outcome_details": Attribute("list of text", "A sentence for each row: used, or why not"),
}
_IN_STORE = ("ledger", "outcome", "region_lon")
_OF_RUNS = ("obs_id", "interval", "pointing_lon", "pointing_lat", "offset")
_ROW_NAMES = Attribute("list of list of text", "For each stack the names of its rows")
_OPTIONAL = ("mjdref", "time_scale", "telescope", "release", "outcome_details")


def _group(title: str, attrs: Mapping[str, Attribute], *required: str, in_file: bool = False) -> Group:
    """Return a group of rows, whose variables depend on their space."""

    def variables(space: SpaceDims) -> dict[str, Variable]:
        bins = DL4_IN[space]["counts"].dims
        fit = {"mask_fit": Variable(bins, "", "b1", "Whether a fit uses the bin", False)} if in_file else {}
        return requiring({**DL4_IN[space], **COORDS_IN[space], **fit}, *required)

    known = {space: variables(space) for space in DL4_IN}
    return Group(title, known[REGIONS], attrs, _LAWS, lambda ds: known[space_dims(ds)])


ROWS = Product(
    Kind.ROWS,
    "Rows of a reduction: one row is one run, or the part of a run inside an interval",
    {"": _group("Rows", _ATTRS, *_IN_STORE, *_OF_RUNS)},
    TEXTS[Kind.ROWS],
    PROVENANCE_OF[Kind.ROWS],
)
STACK = Product(
    Kind.STACK,
    "Sums of rows, one for each group of them",
    {"": _group("Stacks", _ATTRS | {"rows": _ROW_NAMES}, *_IN_STORE)},
    TEXTS[Kind.STACK],
)
FILE = Product(
    "file",
    "Spectra in a Zarr group outside of a store",
    {
        "": _group(
            "Spectra",
            {n: a if n not in _OPTIONAL else Attribute(a.type, a.meaning, False, a.value) for n, a in _ATTRS.items()},
            in_file=True,
        )
    },
)
