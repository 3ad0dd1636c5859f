"""The flux of models in bins of true energy, folded with exposure and energy dispersion.

``mu_i = sum_j edisp[j, i] * exposure_j * flux_j`` is linear in the flux, so that the chosen bins of any number of rows
make one matrix, built once: a prediction is one matrix-vector product (exposure in m2 s, flux in cm-2 s-1). A model
that depends on time has a factor for each row beside it, its mean over good time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from xgamma import schema
from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.errors import ConfigError, DataError, LaterError
from xgamma.formats import region_files
from xgamma.geometry import separation, to_frame
from xgamma.grid import REGION_SHAPE
from xgamma.models import skymodel
from xgamma.models.models import FoVBackgroundModel, Models, SkyModel
from xgamma.models.spatial import points
from xgamma.units import CM2_PER_M2

if TYPE_CHECKING:
    from xgamma.models.temporal.model import TemporalModel

    RowsAndBins: TypeAlias = tuple[xr.Dataset, BoolArray]


def validate_spectral(model: Any) -> None:
    """Raise for what the spectrum of a region cannot hold, and for tables that cannot be read.

    A point changes nothing, as the response of a region is that of a point in its centre; so does an extended
    source, with a warning. See ``validate_placed`` too.

    Raises
    ------
    ConfigError
        For what is no ``SkyModel``, the model of the background of a map, and a spectrum that is no flux density.
    """
    if isinstance(model, FoVBackgroundModel):
        raise ConfigError(
            f"The model {model.name!r} is a FoVBackgroundModel, which is of the background of a map, and "
            f"{(model.datasets_names or [''])[0]!r} is the spectrum of a region, whose background is measured; remove "
            "the model."
        )
    if not isinstance(model, SkyModel):
        raise ConfigError(
            f"The model {model.name!r} is a {type(model).__name__}, which is of the pixels of a map; write the maps "
            "that it is of into its datasets_names, as the spectrum of a region takes SkyModel components alone."
        )
    if model.temporal_model is not None:
        model.temporal_model.tables()
    if model.spatial_model is not None:
        skymodel.validate_density(model.spectral_model, model.name)


def validate_placed(model: SkyModel) -> None:
    """Raise ``ConfigError`` for a position or morphology that is free where no map tells it."""
    place = model.spatial_model
    free = [] if place is None else [one.name for one in place.parameters.free_parameters]
    if free:
        raise ConfigError(
            f"The model {model.name!r} has a free position or size ({', '.join(free)}), and the spectrum of a region "
            "does not tell it; freeze it."
        )


def spectral_remarks(model: SkyModel, in_regions: bool = True) -> list[str]:
    """Return what is to be known of a model in spectra of regions, or on maps: sentences, mostly none."""
    remark = model.spectral_model.remark() if isinstance(model, SkyModel) else ""
    named = f"The model {model.name!r}: {remark}." if remark else ""
    return [sentence for sentence in (named, extended_remark(model) if in_regions else "") if sentence]


def extended_remark(model: SkyModel) -> str:
    """Return what becomes of a source that is no point; empty for others."""
    place = model.spatial_model
    if place is None or isinstance(place, points.PointSpatialModel):
        return ""
    return (
        f"The model {model.name!r} has a {type(place).__name__}: the region is taken to hold the flux of a point, all "
        "of it after a containment correction. What of an extended source lies beside the region is not taken off."
    )


def _edge(radius: FloatArray, words: Sequence[str]) -> str:
    """Return in words how far an on-region reaches."""
    if np.isfinite(radius).any():
        return f"whose radius is {np.nanmax(radius):.3g} deg"
    return f"which is {' and '.join(words)}"


def validate_inside(model: SkyModel, ds: xr.Dataset) -> None:
    """Raise ``ConfigError`` when the point of a model lies outside the region of a dataset that it contributes to."""
    point = model.spatial_model if isinstance(model.spatial_model, points.PointSpatialModel) else None
    applies = any(model.applies_to(str(name)) for name in ds["dataset"].values)
    if point is None or not applies or "region_lon" not in ds.coords:
        return
    place = point.canonical_values()
    lon, lat = to_frame(place[0], place[1], point.frame, "icrs")
    away = np.asarray(separation(lon, lat, ds["region_lon"].values, ds["region_lat"].values))
    # Of a point the responses say the radius, which stacks do not hold.
    own = ds["rad_max"].values.max() if "rad_max" in ds else np.inf
    radius = np.where(ds["region_radius"].values == 0, own, ds["region_radius"].values)
    words = ds[REGION_SHAPE].values.tolist() if REGION_SHAPE in ds.coords else []
    here = np.atleast_1d(lon), np.atleast_1d(lat)
    if any(
        np.isnan(size) and region_files.shape_of_words(text).holds(*here).all()
        for text, size in zip(words, radius, strict=False)
    ):
        return
    if (~(away <= radius)).all() and (words or np.isfinite(radius).any()):
        raise ConfigError(
            f"The model {model.name!r} is a point {away.min():.3g} deg from the centre of the on-region, "
            f"{_edge(radius, words)}; the spectrum of the region says nothing about it."
        )


GoodTime: TypeAlias = tuple[FloatArray, float]
"""Starts and stops, shape (row, interval, 2), NaN where a row has fewer; and the MJD (TT) since which they count."""


@dataclass(frozen=True)
class InTime:
    """The factors of one model in bins of rows: functions of the values of its temporal part.

    Parameters
    ----------
    model
        The temporal part.
    times
        The good time of the rows, in groups that have one epoch.
    row
        Which row each bin belongs to, counted over all groups, shape (bin,).
    applies
        The rows that the model contributes to; others have the factor 1, shape (row,).
    """

    model: TemporalModel
    times: tuple[GoodTime, ...]
    row: IntArray
    applies: FloatArray

    @classmethod
    def of(cls, model: SkyModel, datasets: Sequence[xr.Dataset], row: IntArray) -> InTime | None:
        """Return the factors of a model, ``None`` for one that does not depend on time.

        ``row`` is the row of each bin, counted over all Datasets. Raises ``ConfigError`` where the model has no value.
        """
        temporal = model.temporal_model
        if temporal is None or temporal.is_constant:
            return None
        names = [[str(name) for name in ds["dataset"].values] for ds in datasets]
        applies = np.array([model.applies_to(name) for group in names for name in group], dtype=float)
        times = [good_time(ds) for ds in datasets]
        for group, (gti, mjdref) in zip(names, times, strict=True):
            validate_times(model, gti, mjdref, group)
        return cls(temporal, tuple(times), row, applies)

    def __call__(self, values: Sequence[float] | None = None) -> FloatArray:
        """Return the factor of each bin; ``values`` stand in for those of the temporal part."""
        means = np.concatenate([self.model.mean(gti, mjdref, values) for gti, mjdref in self.times])
        return np.asarray(np.where(self.applies > 0, means, 1.0)[self.row])

    def gradient(self, values: Sequence[float], wanted: Sequence[int]) -> FloatArray:
        """Return the derivatives of the factors in some of the values, shape (wanted, bin)."""
        slopes = [self.model.mean_gradient(gti, mjdref, values, wanted) for gti, mjdref in self.times]
        return np.asarray(np.where(self.applies > 0, np.concatenate(slopes, axis=1), 0.0)[:, self.row])


def good_time(ds: xr.Dataset) -> GoodTime:
    """Return the good time of the rows of a Dataset; none where it holds none."""
    if "gti" in ds and "mjdref" in ds.attrs:
        return ds["gti"].transpose("dataset", "gti", "bound").values, float(ds.attrs["mjdref"])
    return np.full((ds.sizes["dataset"], 1, 2), np.nan), 0.0


def validate_times(model: SkyModel, gti: FloatArray, mjdref: float, names: Sequence[str]) -> None:
    """Raise ``ConfigError`` where a model that depends on time has no value in the good time of rows.

    ``gti`` has the shape (row, interval, 2); rows that the model does not contribute to do not matter.
    """
    temporal = model.temporal_model
    if temporal is None or temporal.is_constant:
        return
    rows = _rows_of(model, names)
    without = [names[row] for row in rows if not np.isfinite(gti[row]).all(axis=-1).any()]
    if without:
        raise ConfigError(
            f"The model {model.name!r} depends on time, and the dataset {without[0]!r} has no good time; give it, or "
            "remove the temporal part."
        )
    problem = temporal.problem(gti[rows], mjdref) if rows else ""
    if not problem and not np.isfinite(temporal.mean(gti[rows], mjdref)).all():
        problem = "has no finite mean over the good time; correct its parameters"
    if problem:
        raise ConfigError(f"The model {model.name!r}: its {type(temporal).__name__} {problem}.")


def time_remark(model: SkyModel, gti: FloatArray, mjdref: float, names: Sequence[str]) -> str:
    """Return what is to be known of a model in the good time of rows, one sentence; mostly empty."""
    rows, temporal = _rows_of(model, names), model.temporal_model
    remark = temporal.remark(gti[rows], mjdref) if temporal is not None and rows else ""
    return f"The model {model.name!r}: good time {remark}." if remark else ""


def _rows_of(model: SkyModel, names: Sequence[str]) -> list[int]:
    return [row for row, name in enumerate(names) if model.applies_to(name)]


def model_remarks(models: Sequence[SkyModel], datasets: Sequence[xr.Dataset]) -> list[str]:
    """Return what is to be known of predictions of models for Datasets: sentences, mostly none."""
    remarks = [] if datasets else [remark for model in models for remark in spectral_remarks(model, False)]
    for ds in datasets:
        names, (gti, mjdref) = [str(name) for name in ds["dataset"].values], good_time(ds)
        remarks += [
            remark
            for model in models
            if any(model.applies_to(name) for name in names)
            for remark in spectral_remarks(model, schema.space_dims(ds) == schema.REGIONS)
        ]
        remarks += [time_remark(model, gti, mjdref, names) for model in models]
    return [remark for remark in dict.fromkeys(remarks) if remark]


@dataclass(frozen=True)
class Folding:
    """The linear response of chosen bins of Datasets that share one axis of true energy.

    Parameters
    ----------
    parts
        Pairs of a DL4 Dataset and the bins chosen, bool in the dims of its counts. The rows of the response are these
        bins in order.

    Raises
    ------
    DataError
        When the Datasets do not have the same true energies.
    """

    parts: tuple[RowsAndBins, ...]
    _matrices: dict[tuple[bool, bool], FloatArray] = field(default_factory=dict, repr=False, compare=False)

    @property
    def edges(self) -> FloatArray:
        """Edges of the true energies, TeV, shape (energy_true + 1,)."""
        axes = [Axis.from_coords(ds.coords, "energy_true") for ds, _ in self.parts]
        if not all(axis.is_close(axes[0]) for axis in axes):
            raise DataError("Expected Datasets with the same axis of true energy in one response; build one for each.")
        return axes[0].edges

    @property
    def n_bins(self) -> int:
        """The number of bins chosen."""
        return len(self.dataset)

    @property
    def names(self) -> list[str]:
        """The name of each dataset of all parts."""
        return [str(name) for ds, _ in self.parts for name in ds["dataset"].values]

    @property
    def dataset(self) -> IntArray:
        """Which of ``names`` each row belongs to, shape (row,)."""
        starts = np.cumsum([0, *(ds.sizes["dataset"] for ds, _ in self.parts)])
        numbers = [start + np.nonzero(used)[0] for start, (_, used) in zip(starts, self.parts, strict=False)]
        return np.concatenate(numbers).astype(np.int64)

    @property
    def energy(self) -> IntArray:
        """The bin of reconstructed energy of each row, shape (row,)."""
        return np.concatenate([np.nonzero(used)[-1] for _, used in self.parts]).astype(np.int64)

    def matrix(self, exposure: bool = True, edisp: bool = True) -> FloatArray:
        """Return (row, energy_true) in cm2 s, with or without exposure and energy dispersion."""
        key = (exposure, edisp)
        if key not in self._matrices:
            self._matrices[key] = np.concatenate([_part_matrix(part, exposure, edisp) for part in self.parts])
        return self._matrices[key]

    def fold(self, model: SkyModel) -> Folded:
        """Return the prediction of one model for the rows; 0 where the model does not name the dataset.

        Raises
        ------
        LaterError
            For one that is no ``SkyModel``, and windows of the sky.
        ConfigError
            For a point outside a region, and times at which the model has no value.
        """
        validate_spectral(model)
        for ds, _ in self.parts:
            validate_inside(model, ds)
        flags = model.apply_irf
        matrix = self.matrix(flags.get("exposure", True), flags.get("edisp", True))
        applies = np.array([model.applies_to(name) for name in self.names], dtype=bool)
        if not applies.all():
            matrix = matrix * applies[self.dataset][:, np.newaxis]
        return Folded(model, self.edges, matrix, InTime.of(model, [ds for ds, _ in self.parts], self.dataset))


def _part_matrix(part: RowsAndBins, with_exposure: bool, with_edisp: bool) -> FloatArray:
    ds, used = part
    space = schema.space_dims(ds)
    if space.by_plane:
        raise LaterError("Counts in windows of the sky are not predicted by this version of xgamma.")
    *cells, energy = np.nonzero(used)
    matrix = _edisp_rows(ds, tuple(cells), energy) if with_edisp else _identity_rows(ds, energy)
    if with_exposure:
        exposure = ds["exposure"].transpose("dataset", *space.cells, "energy_true").values
        matrix = matrix * (exposure[tuple(cells)] * CM2_PER_M2)
    return np.ascontiguousarray(matrix)


def _edisp_rows(ds: xr.Dataset, cells: tuple[IntArray, ...], energy: IntArray) -> FloatArray:
    edisp = ds["edisp"].transpose("dataset", *schema.space_dims(ds).cells, "energy_true", "energy").values
    index: tuple[Any, ...] = (*cells, slice(None), energy)
    return np.asarray(edisp[index], dtype=float)


def _identity_rows(ds: xr.Dataset, energy: IntArray) -> FloatArray:
    return same_energies(ds)[energy]


def same_energies(ds: xr.Dataset) -> FloatArray:
    """Return an energy dispersion that changes nothing, shape (energy_true, energy).

    Raises ``ConfigError`` where the true and the reconstructed energies of a Dataset have other bins.
    """
    true, reco = Axis.from_coords(ds.coords, "energy_true"), Axis.from_coords(ds.coords, "energy")
    if true.nbin != reco.nbin or not np.allclose(true.edges, reco.edges, rtol=1e-9):
        raise ConfigError(
            "apply_irf with 'edisp: false' expects the same bins in true and reconstructed energy, got "
            f"{true.nbin} and {reco.nbin} bins; reduce with equal axes or set 'edisp: true'."
        )
    return np.eye(true.nbin)


@dataclass(frozen=True)
class Folded:
    """One model folded with a response, a function of the values of its spectrum.

    Parameters
    ----------
    model
        The model.
    edges
        Edges of the true energies, TeV, shape (energy_true + 1,).
    matrix
        Shape (row, energy_true), cm2 s.
    time
        The factors of a model that depends on time; ``None`` for others.
    """

    model: SkyModel
    edges: FloatArray
    matrix: FloatArray
    time: InTime | None = None

    def __call__(self, values: Sequence[float] | None = None) -> FloatArray:
        """Return the predicted counts of the rows; ``values`` stand in for those of the spectrum's parameters."""
        return self.fold(self.model.spectral_model.flux(self.edges, values))

    def fold(self, flux: FloatArray) -> FloatArray:
        """Return the counts of the rows for fluxes in the bins of true energy, cm-2 s-1, at the times of the rows."""
        counts = self.constant(flux)
        return counts if self.time is None else counts * self.time()

    def constant(self, flux: FloatArray) -> FloatArray:
        """Return the counts of the rows for fluxes that do not depend on time."""
        # Not BLAS: its threads make a product this small many times slower on a busy machine.
        return np.asarray(np.einsum("ij,j->i", self.matrix, flux))


def selected_models(models: Models | Sequence[SkyModel], names: Sequence[str]) -> list[SkyModel]:
    """Return the models that contribute to at least one of the named datasets."""
    return [model for model in models if any(model.applies_to(name) for name in names)]
