"""The objective of a fit: -2 ln(likelihood) of models on any number of rows, as few products and one pass of bins.

Every evaluation is one product of the response matrix with the fluxes and one pass of the statistic over all bins.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np
import xarray as xr

from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.errors import ConfigError, DataError
from xgamma.models.models import Models, SkyModel
from xgamma.models.of_region import validate_spectral
from xgamma.models.parameters import Parameters
from xgamma.predict import COUNTS_DIMS, Folded, Folding, measured, selected_models
from xgamma.stats import Counts, chi2

log = logging.getLogger("xgamma.fit")

Masks: TypeAlias = Sequence[BoolArray | None] | None
Place: TypeAlias = tuple[xr.Dataset, BoolArray, int]
"""A Dataset, its bins used, and the number of its first row among all rows."""
ASSUMED_ERROR = 0.1
"""The error of flux points of which none has one, as a share of the value."""


def mask_fit(ds: xr.Dataset, minimum: float | None, maximum: float | None) -> BoolArray:
    """Return the bins wholly inside a range of reconstructed energy in TeV: bool (dataset, region, energy)."""
    inside = Axis.from_coords(ds.coords, "energy").mask_inside(minimum, maximum)
    return np.broadcast_to(inside, tuple(ds.sizes[dim] for dim in COUNTS_DIMS)).copy()


def used_bins(ds: xr.Dataset, mask: BoolArray | None) -> BoolArray:
    """Return the safe bins that are inside the mask of a fit: bool (dataset, region, energy).

    Raises ``DataError`` when the mask has another shape.
    """
    safe = np.asarray(ds["mask_safe"].values, dtype=bool)
    if mask is None:
        return safe
    if np.shape(mask) != safe.shape:
        raise DataError(f"mask_fit: expected shape {safe.shape} ({', '.join(COUNTS_DIMS)}), got {np.shape(mask)}.")
    return np.asarray(safe & mask)


@dataclass(frozen=True)
class CountsTerm:
    """The bins of Datasets that share true energies and statistic."""

    response: Folding
    data: Counts
    signals: tuple[Folded, ...]
    dataset: IntArray
    """The number of the dataset of each bin, among all of the statistic."""

    def signal(self) -> FloatArray:
        """Return the predicted signal of each bin at the present values of the parameters."""
        parts = [signal() for signal in self.signals]
        return parts[0] if len(parts) == 1 else np.sum(parts, axis=0) if parts else np.zeros(self.data.counts.shape)

    def stat(self) -> FloatArray:
        """Return the statistic of each bin."""
        return self.data.stat(self.signal())


@dataclass(frozen=True)
class PointsTerm:
    """Flux points with symmetric errors."""

    energy: FloatArray
    dnde: FloatArray
    error: FloatArray
    models: tuple[SkyModel, ...]
    dataset: IntArray

    def stat(self) -> FloatArray:
        """Return chi2 of each point."""
        model = np.sum([model.spectral_model.dnde(self.energy) for model in self.models], axis=0)
        return chi2(self.dnde, np.broadcast_to(model, self.dnde.shape), self.error)


Term: TypeAlias = CountsTerm | PointsTerm


def is_flux_points(ds: xr.Dataset) -> bool:
    """Whether a Dataset holds flux points, which are fitted by chi2."""
    return "ref_dnde" in ds


def flux_points_used(ds: xr.Dataset, mask: BoolArray | None) -> BoolArray:
    """Return the points that a fit uses, bool (energy,): finite, no upper limit, inside the mask."""
    used = np.isfinite(ds["norm"].values) & np.isfinite(ds["norm_err"].values) & (ds["norm_err"].values > 0)
    used &= ~np.asarray(ds["is_ul"].values, dtype=bool)
    return np.asarray(used if mask is None else used & np.reshape(mask, used.shape))


def with_errors(ds: xr.Dataset) -> xr.Dataset:
    """Return flux points with an error each: where none has one it is a share of the value, which is said."""
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


class Statistic:
    """-2 ln(likelihood) of models on Datasets, summed over all bins; called without arguments.

    Parameters
    ----------
    datasets
        DL4 Datasets (wstat with off counts, else cash) and flux points (chi2).
    models
        The models; each contributes where its ``datasets_names`` say so.
    mask_fit
        For each Dataset the bins to use, bool (dataset, region, energy), or ``None`` for all safe bins.

    Raises
    ------
    LaterError
        For a model that a 1D dataset cannot hold yet.
    """

    def __init__(
        self, datasets: Sequence[xr.Dataset], models: Models | Sequence[SkyModel], mask_fit: Masks = None
    ) -> None:
        masks = [None] * len(datasets) if mask_fit is None else list(mask_fit)
        if len(masks) != len(datasets):
            raise DataError(f"Expected one mask_fit (or None) for each of {len(datasets)} datasets, got {len(masks)}.")
        self.names = [name for ds in datasets for name in dataset_names(ds)]
        self.models = selected_models(models, self.names)
        self.terms: list[Term] = []
        starts = np.cumsum([0, *(len(dataset_names(ds)) for ds in datasets)]).tolist()
        groups: dict[tuple[str, bool], list[Place]] = {}
        for ds, mask, start in zip(datasets, masks, starts, strict=False):
            if is_flux_points(ds):
                self.terms.append(points_term(ds, self.models, mask, start))
                continue
            key = (Axis.from_coords(ds.coords, "energy_true").digest, "counts_off" in ds)
            groups.setdefault(key, []).append((ds, used_bins(ds, mask), start))
        self.terms.extend(counts_term(group, self.models) for group in groups.values())

    def __call__(self) -> float:
        """Return the total at the present values of the parameters."""
        return float(sum(term.stat().sum() for term in self.terms))

    @property
    def n_bins(self) -> int:
        """The number of bins and points used."""
        return sum(len(term.dataset) for term in self.terms)

    def per_dataset(self) -> FloatArray:
        """Return the sum of each dataset, in the order of ``names``."""
        size = len(self.names)
        return np.asarray(sum((np.bincount(term.dataset, term.stat(), size) for term in self.terms), np.zeros(size)))

    @property
    def free_parameters(self) -> Parameters:
        """The free parameters of the models that contribute, each linked one once."""
        every = [parameter for model in self.models for parameter in model.parameters]
        return Parameters(every).free_parameters


def dataset_names(ds: xr.Dataset) -> list[str]:
    """Return the names of the rows of a Dataset; flux points are one row."""
    if is_flux_points(ds):
        return [str(ds.attrs.get("name", "flux-points"))]
    return [str(name) for name in ds["dataset"].values]


def validate_datasets_names(
    models: Models | Sequence[SkyModel], datasets: Sequence[xr.Dataset], source: str = ""
) -> None:
    """Look whether models name Datasets that are there; see ``validate_named``."""
    if any(model.datasets_names is not None for model in models):
        validate_named(models, [name for ds in datasets for name in dataset_names(ds)], source)


def validate_named(models: Models | Sequence[SkyModel], names: Sequence[str], source: str = "") -> None:
    """Look whether models name some of the datasets ``names``; ``source`` is a model that must.

    Raises ``ConfigError`` when none does, or the source does not. A warning names other models that name none, and
    datasets that no model names.
    """
    absent = [model for model in models if not any(model.applies_to(name) for name in names)]
    alone = [name for name in names if not any(model.applies_to(name) for model in models)] if len(models) else []
    if not absent and not alone:
        return
    facts = [f"no model names the dataset{'s' if len(alone) > 1 else ''} {_some(alone)}"] if alone else []
    facts += [f"{model.name} is for {_some(model.datasets_names or ['no dataset'])}" for model in absent]
    facts += [] if alone else [f"the datasets are {_some(names)}"]
    if len(absent) == len(models) or any(model.name == source for model in absent):
        raise ConfigError(f"datasets_names: {'; '.join(facts)}. Correct the names, or leave datasets_names out.")
    log.warning("datasets_names: %s. Who is not named has no part in it.", "; ".join(facts))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def counts_term(places: Sequence[Place], models: Sequence[SkyModel]) -> CountsTerm:
    """Return the term of Datasets that share true energies and statistic."""
    response = Folding(tuple((ds, used) for ds, used, _ in places))
    data = [measured(ds, used) for ds, used, _ in places]
    columns = [np.concatenate([getattr(one, column.name) for one in data]) for column in fields(data[0])]
    numbers = np.concatenate([start + np.arange(ds.sizes["dataset"]) for ds, _, start in places])
    signals = [response.fold(model) for model in selected_models(models, response.names)]
    return CountsTerm(response, type(data[0])(*columns), tuple(signals), numbers[response.dataset])


def points_term(ds: xr.Dataset, models: Sequence[SkyModel], mask: BoolArray | None, number: int) -> PointsTerm:
    """Return the chi2 term of flux points."""
    ds = with_errors(ds)
    used = flux_points_used(ds, mask)
    reference = ds["ref_dnde"].values[used]
    chosen = selected_models(models, dataset_names(ds))
    for model in chosen:
        validate_spectral(model)
    if not chosen:
        raise ConfigError("Fitting flux points expects a model that contributes to them; set one.")
    columns = (ds["norm"].values[used] * reference, ds["norm_err"].values[used] * np.abs(reference))
    energy = ds["energy"].values[used]
    return PointsTerm(energy, *columns, tuple(chosen), np.full(energy.shape, number))
