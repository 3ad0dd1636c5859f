"""The light curve of one source: its norm in every bin of time and energy, all of them at once.

A bin of time holds whole datasets, which are fitted together or stacked before. The likelihood is that of flux points:
each dataset is folded once, and the bins of counts are summed into groups of one bin of time and one of energy.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.axes import LABELS, BoolArray, FloatArray, IntArray
from xgamma.errors import ConfigError
from xgamma.estimate.energy_groups import EnergyGroups, binning_report
from xgamma.estimate.flux_points_parameters import LIGHT_CURVE, LightCurveParameters, log_light_curve, source_model
from xgamma.estimate.norm_profile import NormProfile, NormTerm
from xgamma.estimate.points import (
    by_energy,
    counts_left_out,
    estimates,
    interpolation,
    normalize_edges,
    predictions,
    signal_of_others,
    telescopes_of,
    validate_alike,
)
from xgamma.estimate.reference import (
    Reference,
    centers,
    reference_for,
    signal_of,
    visible_spectrum,
    without_time,
)
from xgamma.estimate.refitted import PREDICTED, nuisance, refitted
from xgamma.estimate.time_binning import BLOCKS, TimeBinning, normalize_time_binning
from xgamma.estimate.time_bins import Placement, TimeBins, TimeSpans, bins_of_binning, bins_of_blocks, time_spans
from xgamma.fit.inputs import FitInput, Inputs, normalize_inputs, rows_among, validate_datasets_names, within
from xgamma.fit.statistic import Statistic
from xgamma.formats.sed.kinds import level_of
from xgamma.models.models import Models, SkyModel
from xgamma.outcome import flag_attrs
from xgamma.reduce import select_rows, stack
from xgamma.reduce.recipe import MEMBERS
from xgamma.registry import normalize_parameters, register
from xgamma.schema.dl5 import LIGHT_CURVE_SCHEMA, LIGHT_CURVE_VARIABLES, SCHEMA_VERSION
from xgamma.schema.tables import head

log = logging.getLogger("xgamma.estimate")

WHERE = LightCurveParameters.where
ROWS = 512
"""How many rows are folded at a time, so that their responses are never all in memory twice."""


@register("estimator", "light_curve", parameters=LightCurveParameters)
def light_curve(
    inputs: Inputs,
    models: Models,
    source: str,
    edges: Any,
    binning: Any = None,
    parameters: LightCurveParameters | Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Estimate the light curve of one source.

    Parameters
    ----------
    inputs
        DL4 Datasets with aligned axes of reconstructed energy and one telescope, each alone or as ``FitInput`` with the
        bins of the fit.
    models
        All models of the datasets; those beside the source are kept as they are.
    source
        The name of the source's model, whose norm is free. Its own dependence on time is left out, so that fluxes are
        those of the bins.
    edges
        Requested edges of energy, ascending: a ``Quantity`` or numbers in TeV, shape (energy + 1,).
    binning
        The bins of time: what ``normalize_time_binning`` takes; by default one for each dataset.
    parameters
        A ``LightCurveParameters`` or its fields as a mapping.

    Returns
    -------
    DL5 Dataset with dims ``time``, ``energy``, ``dataset``, ``norm_scan``: norms, errors, limits and statistics
    (time, energy), which multiply ``ref_flux`` and its kin as those of ``flux_points`` do. Times are seconds since
    ``attrs["mjdref"]`` in TT; ``time_bounds`` are the bins, ``time_exposed`` first start and last stop of the good
    time in them. ``e_min_fit`` and ``e_max_fit`` are the energies that some dataset of a bin uses,
    ``is_extrapolated`` says where one uses a part of the bin of energy only. ``bin_of_dataset`` and ``placement`` say
    which dataset is where, ``attrs["time_report"]`` what is left out.

    Raises
    ------
    ConfigError
        For an unknown source, one without a free norm, edges that do not ascend, unknown parameters, intervals that
        run backwards, overlap or hold no dataset.
    DataError
        For Datasets with different axes or telescopes, or without good time.
    """
    settings = _normalize_parameters(parameters)
    wanted, given = normalize_time_binning(binning), normalize_inputs(inputs)
    axis = validate_alike(given, WHERE, settings.allow_multiple_telescopes)
    models = without_time(models, source_model(models, source, WHERE))
    model = source_model(models, source, WHERE)
    validate_varied(model)
    groups = EnergyGroups.nearest(axis, normalize_edges(edges, WHERE), WHERE)
    validate_datasets_names(models, given, source)
    bins = _bins(given, models, source, groups, wanted, settings)
    spans = time_spans(given)
    of_time = _of_time(given, spans, bins)
    attrs: dict[str, Any] = {}
    placed = bins
    if settings.stack_in_bin:
        given, placed, attrs = _stacked(given, models, bins)
    result = _product(given, models, model, groups, placed, settings, of_time)
    result.attrs = head(LIGHT_CURVE_SCHEMA, SCHEMA_VERSION) | {
        "source": source,
        "n_sigma": settings.n_sigma,
        "n_sigma_ul": settings.n_sigma_ul,
        "UL_CONF": level_of(settings.n_sigma_ul),
        "telescope": ", ".join(telescopes_of(given)),
        "binning_report": _energy_report(result, groups),
        "mjdref": spans.mjdref,
        "time_scale": "tt",
        "binning": wanted.kind,
        "stack_in_bin": settings.stack_in_bin,
        "time_report": list(bins.report),
        **attrs,
    }
    log_light_curve(result)
    return result


def _normalize_parameters(parameters: LightCurveParameters | Mapping[str, Any] | None) -> LightCurveParameters:
    if isinstance(parameters, LightCurveParameters):
        return parameters
    settings: LightCurveParameters = normalize_parameters(LIGHT_CURVE, parameters or {}, f"{WHERE}.parameters")
    return settings


def validate_varied(model: SkyModel) -> None:
    """Raise ``ConfigError`` for a source without a free norm, which would be steady by its own word."""
    norms = [parameter for parameter in model.spectral_model.parameters if parameter.is_norm]
    if not any(not norm.frozen for norm in norms):
        names = " and ".join(norm.name for norm in norms)
        state = f"{names} is frozen" if norms else "its spectrum has none"
        remedy = "set frozen: false" if norms else "take a spectrum with an amplitude or a norm"
        raise ConfigError(f"{WHERE}.source: expected a free norm of {model.name!r}, and {state}; {remedy}.")


# --- bins of time


def _bins(
    given: Sequence[FitInput],
    models: Models,
    source: str,
    groups: EnergyGroups,
    wanted: TimeBinning,
    settings: LightCurveParameters,
) -> TimeBins:
    spans = time_spans(given)
    if wanted.kind != BLOCKS:
        return bins_of_binning(spans, wanted, settings.atol)
    observations = bins_of_binning(spans, TimeBinning(), settings.atol)
    whole = EnergyGroups.nearest(groups.axis, groups.asked[[0, -1], [0, 1]], WHERE)
    plain = LightCurveParameters(norm=settings.norm, atol=settings.atol)
    of_time = _of_time(given, spans, observations)
    first = _product(given, models, source_model(models, source, WHERE), whole, observations, plain, of_time)
    return bins_of_blocks(spans, first, wanted.false_alarm, settings.atol)


def _of_time(given: Sequence[FitInput], spans: TimeSpans, bins: TimeBins) -> dict[str, npt.NDArray[Any]]:
    """Return what is said of each bin of time beside its fluxes."""
    inside = bins.of_dataset >= 0
    sums = {
        name: np.bincount(
            bins.of_dataset[inside],
            np.concatenate([one.data[name].values for one in given])[inside],
            bins.size,
        )
        for name in ("ontime", "livetime")
    }
    return {"time_bounds": bins.bounds, "time_exposed": bins.exposed, **sums}


def _stacked(
    given: Sequence[FitInput], models: Models, bins: TimeBins
) -> tuple[list[FitInput], TimeBins, dict[str, Any]]:
    """Return the stack of the rows of each bin, where each lies, and the names of its rows."""
    named = [model.name for model in models if model.datasets_names is not None]
    if named:
        raise ConfigError(
            f"{WHERE}.parameters.stack_in_bin: expected models of all datasets, and {', '.join(named)} has "
            "datasets_names, which name no stack; leave one of them out."
        )
    stacks: list[FitInput] = []
    numbers: list[IntArray] = []
    members: list[list[str]] = []
    starts = np.cumsum([0, *(len(one.names) for one in given)]).tolist()
    for place, (one, start) in enumerate(zip(given, starts, strict=False)):
        own = bins.of_dataset[start : start + len(one.names)]
        rows = np.flatnonzero(own >= 0)
        rows = rows[np.argsort(own[rows], kind="stable")]
        if not len(rows):
            continue
        # What the fit leaves out is left out of the stack.
        ds = select_rows(one.data.assign(mask_safe=one.data["mask_safe"].copy(data=one.used)), rows.tolist())
        suffix = f"-{place + 1}" if len(given) > 1 else ""
        found = stack(ds, [f"bin-{number + 1}{suffix}" for number in own[rows].tolist()])
        stacks.append(FitInput(found))
        numbers.append(np.unique(own[rows]))
        members += found.attrs[MEMBERS]
    of_dataset = np.concatenate(numbers)
    placement = np.full(of_dataset.shape, Placement.INSIDE)
    return stacks, TimeBins(bins.bounds, bins.exposed, of_dataset, placement, bins.report), {"rows": members}


# --- the likelihood of the bins


@dataclass(frozen=True)
class _Piece:
    """Some rows folded with the models: the signal of the source as its spectrum stands, and of all others."""

    term: NormTerm
    counts: float

    def scaled(self, factor: float) -> NormTerm:
        one = self.term
        reference = one.reference if factor == 1.0 else factor * one.reference
        return NormTerm(one.data, one.group, reference, one.other, one.dataset)


def _blocks(given: Sequence[FitInput]) -> Iterator[tuple[FitInput, int]]:
    """Yield the inputs in blocks of rows, with the number of the first one among all."""
    first = 0
    for one in given:
        rows = one.data.sizes["dataset"]
        for start in range(0, rows, ROWS):
            some = slice(start, min(start + ROWS, rows))
            whole = rows <= ROWS
            mask = one.mask if one.mask is None or whole else one.mask[some]
            yield FitInput(one.data if whole else one.data.isel(dataset=some), mask), first + start
        first += rows


def _pieces(
    given: Sequence[FitInput], models: Models, source: SkyModel, groups: EnergyGroups, of_dataset: IntArray
) -> Iterator[_Piece]:
    shape = visible_spectrum(source)
    for block, first in _blocks(given):
        for term in Statistic([block], models, arguments=[]).counts_terms:
            energy, time = groups.of_bin(term.folding.energy), of_dataset[first + term.dataset]
            group = np.where((energy >= 0) & (time >= 0), time * groups.size + energy, -1)
            signal = signal_of(term, source, shape)
            other = signal_of_others(term, source)
            norms = NormTerm(term.data, group, signal, other, first + term.dataset)
            yield _Piece(norms.select(group >= 0), float(signal.sum()))


def _profile(
    given: Sequence[FitInput],
    models: Models,
    source: SkyModel,
    groups: EnergyGroups,
    bins: TimeBins,
    settings: LightCurveParameters,
) -> tuple[NormProfile, Reference]:
    pieces = list(_pieces(given, models, source, groups, bins.of_dataset))
    has_bins = any(len(piece.term.group) for piece in pieces)
    counts = sum(piece.counts for piece in pieces) if has_bins else None
    reference = reference_for(source, visible_spectrum(source), counts, WHERE)
    terms = [piece.scaled(reference.factor) for piece in pieces]
    return NormProfile(_joined(terms), bins.size * groups.size, *settings.norm_limits), reference


def _joined(terms: Sequence[NormTerm]) -> list[NormTerm]:
    """Return one term for each kind of counts."""
    kinds = dict.fromkeys(type(term.data) for term in terms)
    return [NormTerm.joined([term for term in terms if type(term.data) is kind]) for kind in kinds]


# --- the product


def _product(
    given: Sequence[FitInput],
    models: Models,
    source: SkyModel,
    groups: EnergyGroups,
    bins: TimeBins,
    settings: LightCurveParameters,
    of_time: Mapping[str, npt.NDArray[Any]],
) -> xr.Dataset:
    profile, reference = _profile(given, models, source, groups, bins, settings)
    shape, size = (bins.size, groups.size), (sum(len(one.names) for one in given), groups.size)
    if settings.reoptimize and nuisance(models, source):
        found, of_dataset = _refitted(given, models, reference, groups, bins, settings)
    else:
        found = estimates(profile, settings, interpolation(source))
        places = [term.dataset * groups.size + term.group % groups.size for term in profile.terms]
        of_dataset = predictions(profile, found["norm"], places, size)
    norm = found["norm"]
    values = {
        name: value if name == "norm_scan" else value.reshape(*shape, *value.shape[1:]) for name, value in found.items()
    }
    names = [name for one in given for name in one.names]
    values |= _predictions(of_dataset, norm, bins)
    values |= reference.fluxes(groups.bounds)
    values |= _account(given, groups, bins)
    values |= {"bin_of_dataset": bins.of_dataset, "placement": bins.placement.astype(np.int8)}
    values |= {name: value for name, value in of_time.items() if name != "time_bounds"}
    variables = {
        name: (spec.dims, values[name], spec.attrs()) for name, spec in LIGHT_CURVE_VARIABLES.items() if name in values
    }
    variables["placement"][2].update(flag_attrs(Placement))
    return xr.Dataset(variables, _coords(groups, bins.bounds, names))


def _coords(groups: EnergyGroups, bounds: FloatArray, names: Sequence[str]) -> dict[str, Any]:
    specs = LIGHT_CURVE_VARIABLES
    energy = {"bounds": "energy_bounds", "scale": "log", **LABELS["energy"]}
    return {
        "time": (("time",), bounds.mean(axis=1), specs["time"].attrs() | {"bounds": "time_bounds"}),
        "time_bounds": (("time", "bound"), bounds, specs["time_bounds"].attrs()),
        "energy": (("energy",), centers(groups.bounds), specs["energy"].attrs() | energy),
        "energy_bounds": (("energy", "bound"), groups.bounds, specs["energy_bounds"].attrs()),
        "dataset": (("dataset",), np.array(names, dtype=str)),
    }


def _refitted(
    given: Sequence[FitInput],
    models: Models,
    reference: Reference,
    groups: EnergyGroups,
    bins: TimeBins,
    settings: LightCurveParameters,
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, FloatArray]]:
    """Return what is estimated in each bin, the other models fitted there too, and what is predicted of each dataset.

    Arrays have the shape (bin,), and (dataset, energy).
    """
    sets: list[list[FitInput]] = []
    members = [np.flatnonzero(bins.of_dataset == number) for number in range(bins.size)]
    for own in members:
        rows = rows_among(given, own)
        sets += [within(rows, first, last) for first, last in groups.spans()]
    found, predicted = refitted(sets, models, reference, settings, interpolation(reference.source))
    of_dataset = {name: np.zeros((len(bins.of_dataset), groups.size)) for name in PREDICTED}
    for number, one in enumerate(predicted):
        time, energy = divmod(number, groups.size)
        for name, values in one.items():
            of_dataset[name][members[time], energy] = values
    return found, of_dataset


def _predictions(of_dataset: dict[str, FloatArray], norm: FloatArray, bins: TimeBins) -> dict[str, FloatArray]:
    """Return counts and predictions of each bin (time, energy), and of each dataset (dataset, energy)."""
    n_energy = of_dataset["counts"].shape[1]
    inside = bins.of_dataset >= 0
    place = (bins.of_dataset[inside, np.newaxis] * n_energy + np.arange(n_energy)).ravel()
    size = (bins.size, n_energy)
    in_time: dict[str, FloatArray] = {}
    for name, values in of_dataset.items():
        in_time[name] = np.zeros(size)
        in_time[name] += np.bincount(place, values[inside].ravel(), bins.size * n_energy).reshape(size)
    estimated = np.isfinite(norm).reshape(size)
    known = estimated[np.maximum(bins.of_dataset, 0)] & inside[:, np.newaxis]
    for name in ("npred", "npred_excess"):
        in_time[name][~estimated] = np.nan
        of_dataset[name][~known] = np.nan
    return in_time | {f"dataset_{name}": values for name, values in of_dataset.items()}


def _account(given: Sequence[FitInput], groups: EnergyGroups, bins: TimeBins) -> dict[str, npt.NDArray[Any]]:
    """Return the energies that each bin uses, where a dataset uses a part of them, and what the fit leaves out."""
    shape, edges = (bins.size, groups.size), groups.axis.edges
    low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
    is_partial, left_out = np.zeros(shape, dtype=bool), np.zeros(shape)
    first_row = 0
    for one in given:
        own = bins.of_dataset[first_row : first_row + len(one.names)]
        first_row += len(one.names)
        rows = np.flatnonzero(own >= 0)
        cut = counts_left_out(one)[rows]
        any_region = np.asarray(by_energy(one.data, one.used)[rows].any(axis=1))
        for group, (first, last) in enumerate(groups.spans()):
            bottom, top, count = _used_span(any_region[:, first:last])
            some = count > 0
            np.minimum.at(low[:, group], own[rows][some], edges[first + bottom[some]])
            np.maximum.at(high[:, group], own[rows][some], edges[first + top[some]])
            partly = own[rows][some & (count < last - first)]
            is_partial[partly, group] = True
            left_out[:, group] += np.bincount(own[rows], cut[:, first:last].sum(axis=1), bins.size)
    found = np.isfinite(low)
    return {
        "e_min_fit": np.where(found, low, np.nan),
        "e_max_fit": np.where(found, high, np.nan),
        "is_extrapolated": is_partial,
        "counts_left_out": left_out,
    }


def _used_span(used: BoolArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return the first bin used, the one after the last, and how many there are, of each row."""
    if not used.shape[1]:
        nothing = np.zeros(len(used), dtype=np.int64)
        return nothing, nothing, nothing
    return used.argmax(axis=1), used.shape[1] - used[:, ::-1].argmax(axis=1), used.sum(axis=1)


def _energy_report(curve: xr.Dataset, groups: EnergyGroups) -> list[str]:
    low, high = curve["e_min_fit"].values, curve["e_max_fit"].values
    bottom, top = np.fmin.reduce(low, axis=0), np.fmax.reduce(high, axis=0)
    report = binning_report(groups, np.stack([bottom, top], axis=1), float(curve["counts_left_out"].sum()))
    partial = int(curve["is_extrapolated"].values.sum())
    if partial:
        report.append(
            f"in {partial} of {curve['is_extrapolated'].size} bins some datasets use a part of the energies only, and "
            "the flux is that of the whole (is_extrapolated)"
        )
    return report
