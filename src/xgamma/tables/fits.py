"""Fits as tables: parameters with their errors, and how good the fit is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from xgamma.digits import NOTHING, decimals, number_text, value_and_error
from xgamma.schema.arrays import NamedArrays
from xgamma.tables.table import Table, finite, first_of

GOODNESS = "goodness"
"""The text of the record of a fit that says how well it fits."""
GROUPS_SHOWN = 40


class ParameterLine(NamedTuple):
    """A parameter at the optimum; of one that is not free the error counts for nothing."""

    model: str
    name: str
    value: float
    error: float
    unit: str
    is_free: bool | None


class FitFacts(NamedTuple):
    """How a fit ended.

    Parameters
    ----------
    success, message
        Whether there is an optimum and its covariance, and what was said of what failed.
    total_stat, prior_stat
        The statistic at the optimum, and what priors add to it.
    goodness
        Bins, free parameters, deviance, and the share of simulated sets that deviate as much; empty where nobody knows.
    """

    success: bool
    message: str
    total_stat: float
    prior_stat: float | None = None
    goodness: Mapping[str, Any] = {}


def fit_table(lines: Sequence[ParameterLine], facts: FitFacts) -> Table:
    """Return the parameters of a fit, under a title that says how it ended."""
    rows = [
        {
            "model": line.model,
            "parameter": line.name,
            "value": number_text(line.value) if line.is_free is False else value_and_error(line.value, line.error),
            "unit": line.unit or NOTHING,
            "": "frozen" if line.is_free is False else "",
        }
        for line in lines
    ]
    return Table(_title(facts), rows, [note for note in (_goodness(facts.goodness),) if note])


def _title(facts: FitFacts) -> str:
    state = "converged" if facts.success else f"NOT CONVERGED ({facts.message.rstrip('.')})"
    priors = "" if facts.prior_stat is None else f", priors {decimals(facts.prior_stat, 2)}"
    return f"Fit: {state}, statistic {decimals(facts.total_stat, 2)}{priors}"


def _goodness(given: Mapping[str, Any]) -> str:
    """Return a sentence about how well models fit, empty where nobody knows."""
    if not given:
        return ""
    bins, free = int(given["bins"]), int(given["free"])
    text = f"{bins:,} bins, {free} free: {bins - free:,} degrees of freedom"
    later = "; the p-value of so many bins is in a report" if given.get("draws") == 0 else ""
    if given.get("deviance") is None:
        return f"{text}{later}."
    text += f", deviance {decimals(given['deviance'], 2)}"
    if given.get("p_value") is None:
        return f"{text}{later}."
    return f"{text}; p = {float(given['p_value']):.2g} by {int(given['draws']):,} simulated sets."


def stored_fit(ds: NamedArrays, texts: Mapping[str, Any]) -> tuple[list[ParameterLine], FitFacts]:
    """Return the parameters of a stored fit and how it ended, from its Dataset and the texts of its record."""
    # model.part.parameter, and model.part.model1.parameter in a compound.
    names = [str(name).split(".", 2) for name in ds["parameter"].values]
    values, errors = ds["value"].values.tolist(), ds["error"].values.tolist()
    # Without a covariance free parameters have no error either.
    knows_free = sum(error > 0 for error in errors) == ds.sizes["free"]
    lines = [
        ParameterLine(name[0], name[-1], value, error, unit, error > 0 if knows_free else None)
        for name, value, error, unit in zip(names, values, errors, ds["value"].attrs["parameter_units"], strict=True)
    ]
    attrs = ds.attrs
    is_good = bool(attrs["success"] and attrs["covariance_success"])
    prior = float(attrs["prior_stat"]) if "prior_stat" in attrs else None
    message = str(attrs["covariance_message"] if attrs["success"] else attrs["message"])
    return lines, FitFacts(is_good, message, float(attrs["total_stat"]), prior, texts.get(GOODNESS, {}))


def fit_document(lines: Sequence[ParameterLine], facts: FitFacts) -> dict[str, Any]:
    """Return the same as JSON holds it."""
    parameters = [
        {**line._asdict(), "value": finite(line.value), "error": finite(line.error), "is_free": line.is_free}
        for line in lines
    ]
    return {
        "converged": facts.success,
        "message": facts.message,
        "total_stat": finite(facts.total_stat),
        "prior_stat": None if facts.prior_stat is None else finite(facts.prior_stat),
        "goodness": dict(facts.goodness),
        "parameters": parameters,
    }


def group_fits_table(ds: NamedArrays) -> Table:
    """Return a row for each group that was fitted by itself: its free parameters with their errors."""
    free = ds["is_free"].values.nonzero()[0].tolist()
    names = [str(name) for name in ds["parameter"].values]
    shown, units = short_names([names[column] for column in free]), ds["value"].attrs["parameter_units"]
    all_good = bool(ds["success"].values.all())
    rows = []
    for number, group in enumerate(ds["group"].values.tolist()[:GROUPS_SHOWN]):
        columns = {"group": str(group)}
        for column in free:
            value, error = (float(ds[name].values[number, column]) for name in ("value", "error"))
            columns[_with_unit(shown[names[column]], units[column])] = value_and_error(value, error)
        columns["statistic"] = decimals(ds["total_stat"].values[number], 2)
        if not all_good:
            columns["converged"] = "yes" if ds["success"].values[number] else str(ds.attrs["messages"][number])
        rows.append(columns)
    failed = int((~ds["success"].values).sum())
    state = f"{failed} of {ds.sizes['group']} NOT CONVERGED" if failed else "all converged"
    more = first_of(ds.sizes["group"], GROUPS_SHOWN)
    return Table(f"Fit of each {ds.attrs['by']}{more}: {state}", rows, spare=("statistic",))


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Return names of parameters without the words that all of them begin with.

    >>> short_names(["crab.spectral.index", "crab.spectral.amplitude"])
    {'crab.spectral.index': 'index', 'crab.spectral.amplitude': 'amplitude'}
    """
    parts = [name.split(".") for name in names]
    shared = 0
    while all(len(part) > shared + 1 and part[shared] == parts[0][shared] for part in parts):
        shared += 1
    return {name: ".".join(part[shared:]) for name, part in zip(names, parts, strict=True)}


def _with_unit(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name


def group_fits_document(ds: NamedArrays) -> list[dict[str, Any]]:
    """Return of each group whether its fit converged, its statistic, and its free parameters, as JSON holds them."""
    names, units = [str(name) for name in ds["parameter"].values], ds["value"].attrs["parameter_units"]
    free = ds["is_free"].values.nonzero()[0].tolist()
    return [
        {
            "group": str(group),
            "converged": bool(ds["success"].values[number]),
            "total_stat": finite(ds["total_stat"].values[number]),
            "parameters": {
                names[column]: {
                    "value": finite(ds["value"].values[number, column]),
                    "error": finite(ds["error"].values[number, column]),
                    "unit": units[column],
                }
                for column in free
            },
        }
        for number, group in enumerate(ds["group"].values.tolist())
    ]
