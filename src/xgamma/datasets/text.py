"""What views say of themselves: of rows their sums, of fluxes their points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xgamma.datasets import info, norms
from xgamma.description import Folded, Sheet, ends
from xgamma.digits import decimals, number_text, value_and_error
from xgamma.formats.light_curve import table
from xgamma.models.parameters import parameter_sheet
from xgamma.times import span_text

if TYPE_CHECKING:
    from xgamma.datasets.info import Column
    from xgamma.datasets.observations import Observation
    from xgamma.models.models import Models

Paragraph = Sequence[tuple[str, str]]


def range_text(low: float, high: float, unit: str = "TeV") -> str:
    """Return a range.

    >>> range_text(0.01, 100.0)
    '0.0100 - 100 TeV'
    """
    return f"{number_text(float(low), 3)} - {number_text(float(high), 3)} {unit}".rstrip()


def folded_models(models: Models) -> list[Folded]:
    """Return the parameters of the models under their names, nothing without models."""
    if not len(models):
        return []
    places = [place for model in models for place in model.parameter_places]
    numbers, more = ends(len(models))
    names = ", ".join(models.names[number] for number in numbers) + (f" and {more:,} more" if more else "")
    return [Folded(f"Models: {names}", [parameter_sheet(models.parameters, places, ("model", "part"))])]


def describe_models(models: Models) -> Paragraph:
    """Return the numbers of models, parameters and free parameters."""
    return [
        ("Number of models", f"{len(models)}"),
        ("Number of parameters", f"{len(models.parameters)}"),
        ("Number of free parameters", f"{len(models.parameters.free_parameters)}"),
    ]


def model_text(models: Models) -> str:
    """Return the components as ``print(models)`` shows them, indented, or nothing without models."""
    if not len(models):
        return ""
    components = str(models).split("\n", 1)[1].strip("\n")
    return "\n" + "\n".join(f"  {line}".rstrip() for line in components.splitlines()) + "\n"


def describe_row(ds: xr.Dataset, columns: Mapping[str, Column], models: Models) -> list[Paragraph]:
    """Return the paragraphs of a one-row DL4 Dataset from its summary."""
    row = {name: column.values[0] for name, column in columns.items()}
    paragraphs: list[Paragraph] = [
        [("Name", str(row["name"]))],
        [
            ("Total counts", f"{row['counts']}"),
            ("Total background counts", decimals(row["background"])),
            ("Total excess counts", decimals(row["excess"])),
        ],
        [
            ("Predicted counts", decimals(row["npred"])),
            ("Predicted background counts", decimals(row["npred_background"])),
            ("Predicted excess counts", decimals(row["npred_signal"])),
        ],
        [
            ("Exposure min", f"{row['exposure_min']:.2e} m2 s"),
            ("Exposure max", f"{row['exposure_max']:.2e} m2 s"),
        ],
        [("Number of total bins", f"{row['n_bins']}"), ("Number of fit bins", f"{row['n_fit_bins']}")],
        [("Fit statistic type", str(row["stat_type"])), ("Fit statistic value (-2 log(L))", decimals(row["stat_sum"]))],
        describe_models(models),
    ]
    if info.is_on_off(ds):
        # Users of Gammapy know the acceptances of this block as sums over all bins, not only the safe ones.
        on_area, off_area = (float(ds[name].values.sum()) for name in ("acceptance", "acceptance_off"))
        off = [("Total counts_off", f"{row['counts_off']}")]
        paragraphs.append([*off, ("Acceptance", f"{on_area:.0f}"), ("Acceptance off", f"{off_area:.0f}")])
    return paragraphs


def points_sheet(ds: xr.Dataset, sed_type: str) -> Sheet:
    """Return a row for each flux point, of light curves for each bin of time and energy: value and error, or limit."""
    unit, dims = norms.plot_unit(sed_type), [dim for dim in ("time", "energy") if dim in ds.dims]
    value, errors, limit = norms.drawn(ds, sed_type)
    spread = np.moveaxis(errors, 0, -1)
    places = list(product(*(range(ds.sizes[dim]) for dim in dims)))
    numbers, more = ends(len(places), POINTS)
    rows = []
    for place in (places[number] for number in numbers):
        cell = flux_text(value[place], spread[place], limit[place], bool(ds["is_ul"].values[place]))
        rows.append(
            (*_bins(ds, dict(zip(dims, place, strict=True))), cell, decimals(float(ds["sqrt_ts"].values[place]), 1))
        )
    heads = {"time": ("time (TT)",), "energy": ("energy [TeV]",)}
    return Sheet((*(head for dim in dims for head in heads[dim]), f"{sed_type} [{unit}]", "sqrt(TS)"), rows, more)


POINTS = 30
"""How many points are shown."""


def flux_text(value: float, errors: np.ndarray, limit: float, is_limit: bool) -> str:
    """Return a flux with its error, or its upper limit."""
    if is_limit:
        return f"< {number_text(float(limit), 3)}"
    return value_and_error(float(value), float(np.mean(errors)))


def _bins(ds: xr.Dataset, place: Mapping[str, int]) -> list[str]:
    found = []
    if "time" in place:
        found.append(span_text(*table.mjd_of(ds, "time_bounds")[place["time"]]))
    if "energy" in place:
        found.append(range_text(*ds["energy_bounds"].values[place["energy"]].tolist()).removesuffix(" TeV"))
    return found


RUN = ("run", "target", "time (TT)", "livetime [h]", "zenith [deg]", "pointing (icrs) [deg]", "events")


def run_words(run: Observation) -> tuple[str, ...]:
    """Return what a list says of a run, in the order of ``RUN``."""
    size, zenith = (float(run.part.runs[name].values[run.obs]) for name in ("event_size", "zenith"))
    pointing = f"{run.ra:.3f}, {run.dec:.3f}"
    span, hours = span_text(run.tstart.mjd, run.tstop.mjd), decimals(run.livetime / 3600)
    return run.name, run.target, span, hours, decimals(zenith, 1), pointing, f"{size:,.0f}"
