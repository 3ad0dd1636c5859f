"""What a likelihood sees: Datasets, the bins of each, and which models name them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma import reduce
from xgamma.axes import Axis, BoolArray
from xgamma.errors import ConfigError, ConfigTypeError, DataError, listed
from xgamma.models.models import FoVBackgroundModel, Models, SkyModel
from xgamma.schema import bin_dims
from xgamma.schema.arrays import Arrays, NamedArrays, dataset_of

log = logging.getLogger("xgamma.fit")

ASSUMED_ERROR = 0.1
"""The error of flux points of which none has one, as a share of the value."""


@dataclass(frozen=True, eq=False)
class FitInput:
    """A Dataset and the bins of it to fit.

    Parameters
    ----------
    arrays
        DL4 rows (wstat with off counts, else cash) or flux points (chi2).
    mask
        The bins to use, bool in the dims of the counts, of flux points (energy,); ``None`` for all safe bins and all
        measured points.
    """

    arrays: Arrays
    mask: BoolArray | None = None

    @property
    def data(self) -> xr.Dataset:
        """The same as a Dataset."""
        return dataset_of(self.arrays)

    @property
    def is_flux_points(self) -> bool:
        """Whether the Dataset holds flux points."""
        return "ref_dnde" in self.arrays

    @property
    def names(self) -> list[str]:
        """The names of the rows; flux points are one row."""
        if self.is_flux_points:
            return [str(self.arrays.attrs.get("name", "flux-points"))]
        return [str(name) for name in self.arrays.variables["dataset"].values]

    @property
    def used(self) -> BoolArray:
        """The bins used, bool of the shape of ``mask``: safe, and inside the mask.

        Of flux points those that are finite and no upper limit. Raises ``DataError`` for a mask of another shape.
        """
        if self.is_flux_points:
            measured = _is_measured(self.arrays) & ~np.asarray(self.arrays["is_ul"].values, dtype=bool)
            return np.asarray(measured if self.mask is None else measured & np.reshape(self.mask, measured.shape))
        safe = np.asarray(self.arrays.variables["mask_safe"].values, dtype=bool)
        if self.mask is None:
            return safe
        if np.shape(self.mask) != safe.shape:
            raise DataError(
                f"mask_fit: expected shape {safe.shape} ({', '.join(bin_dims(self.arrays))}), got "
                f"{np.shape(self.mask)}."
            )
        return np.asarray(safe & self.mask)


Inputs: TypeAlias = "Iterable[FitInput | xr.Dataset]"
"""A Dataset stands for all of its safe bins."""


def normalize_inputs(inputs: Inputs) -> list[FitInput]:
    """Return each input as ``FitInput``; raises ``ConfigTypeError``."""
    if isinstance(inputs, FitInput | xr.Dataset):
        raise ConfigTypeError("Expected a list of Datasets or FitInput, got one of them; write [data].")
    given = [FitInput(one) if isinstance(one, xr.Dataset) else one for one in inputs]
    for one in given:
        if not isinstance(one, FitInput):
            raise ConfigTypeError(f"Expected a list of Datasets or FitInput, got a {type(one).__name__}.")
    return given


def mask_fit(ds: NamedArrays, minimum: float | None, maximum: float | None) -> BoolArray:
    """Return the bins wholly inside a range of reconstructed energy in TeV: bool in the dims of the counts."""
    inside = Axis.from_coords(ds.coords, "energy").mask_inside(minimum, maximum)
    dims = bin_dims(ds)
    along = np.reshape(inside, [-1 if dim == "energy" else 1 for dim in dims])
    return np.broadcast_to(along, tuple(ds.sizes[dim] for dim in dims)).copy()


def within(given: Sequence[FitInput], first: int, last: int) -> list[FitInput]:
    """Return inputs with the bins between two bins of energy alone, the last one excluded."""
    found = []
    for one in given:
        dims = bin_dims(one.data)
        inside = (np.arange(one.data.sizes["energy"]) >= first) & (np.arange(one.data.sizes["energy"]) < last)
        along = inside.reshape([-1 if dim == "energy" else 1 for dim in dims])
        found.append(FitInput(one.data, one.used & along))
    return found


def rows_among(given: Sequence[FitInput], numbers: npt.ArrayLike) -> list[FitInput]:
    """Return some of the rows of inputs, by their numbers among all, in the order of the inputs."""
    found, first, wanted = [], 0, np.asarray(numbers)
    for one in given:
        own = (wanted[(wanted >= first) & (wanted < first + len(one.names))] - first).tolist()
        first += len(one.names)
        if own:
            found.append(FitInput(reduce.select_rows(one.data, own), None if one.mask is None else one.mask[own]))
    return found


def _is_measured(ds: NamedArrays) -> BoolArray:
    norm, error = ds["norm"].values, ds["norm_err"].values
    return np.asarray(np.isfinite(norm) & np.isfinite(error) & (error > 0))


def with_errors(ds: xr.Dataset) -> xr.Dataset:
    """Return flux points with an error each: where none has one it is a share of the value, with a warning."""
    norm, error = ds["norm"].values, ds["norm_err"].values
    is_measured = np.isfinite(norm) & ~np.asarray(ds["is_ul"].values, dtype=bool)
    if not is_measured.any() or (is_measured & np.isfinite(error) & (error > 0)).any():
        return ds
    log.warning(
        "The flux points have no errors: each is taken to have one of %g %% of its value, so that all weigh the same, "
        "and the errors of the fit are those of that assumption.",
        100 * ASSUMED_ERROR,
    )
    return ds.assign(norm_err=ds["norm_err"].copy(data=ASSUMED_ERROR * np.abs(norm)))


# --- models and the names of datasets


def validate_datasets_names(models: Models | Sequence[SkyModel], inputs: Sequence[FitInput], source: str = "") -> None:
    """Look whether models name datasets that are there; see ``validate_named``."""
    if any(model.datasets_names is not None for model in models):
        validate_named(models, [name for one in inputs for name in one.names], source)


def validate_named(models: Models | Sequence[SkyModel], names: Sequence[str], source: str = "") -> None:
    """Look whether models name some of the datasets ``names``; ``source`` is a model that must.

    Raises ``ConfigError`` when none does, or the source does not. A warning names other models that name none, and
    datasets that no model names.
    """
    absent = [model for model in models if not any(model.applies_to(name) for name in names)]
    if any(isinstance(model, FoVBackgroundModel) and model not in absent for model in models):
        # Each dataset has its own: those of others are no surprise beside some of many.
        absent = [model for model in absent if not isinstance(model, FoVBackgroundModel)]
    alone = [name for name in names if not any(model.applies_to(name) for model in models)] if len(models) else []
    if not absent and not alone:
        return
    facts = [f"no model names the dataset{'s' if len(alone) > 1 else ''} {listed(alone)}"] if alone else []
    facts += [f"{model.name} is for {listed(model.datasets_names or ['no dataset'])}" for model in absent]
    facts += [] if alone else [f"the datasets are {listed(names)}"]
    if len(absent) == len(models) or any(model.name == source for model in absent):
        raise ConfigError(f"datasets_names: {'; '.join(facts)}. Correct the names, or leave datasets_names out.")
    log.warning("datasets_names: %s. Who is not named has no part in it.", "; ".join(facts))
