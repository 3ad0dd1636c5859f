"""DL5: fits, flux points and light curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from xgamma.schema.arrays import NamedArrays
from xgamma.schema.documents import PROVENANCE_OF, TEXTS
from xgamma.schema.tables import (
    NAMES,
    Attribute,
    Group,
    Kind,
    Product,
    Variable,
    Violation,
    apart,
    axis,
    flags_law,
    head_attrs,
    is_of_type,
    unique_names,
)

FIT_SCHEMA, POINTS_SCHEMA = "xgamma DL5 fit", "xgamma DL5 flux points"
LIGHT_CURVE_SCHEMA = "xgamma DL5 light curve"
FIT_EACH_SCHEMA, POINTS_EACH_SCHEMA = "xgamma DL5 fits of groups", "xgamma DL5 flux points of groups"
SCHEMA_VERSION = 1

FIT_VARIABLES: Mapping[str, Variable] = {
    "parameter": Variable(("parameter",), None, NAMES, "Name of the parameter: model.part.name"),
    "value": Variable(("parameter",), None, "f8", "Best fit"),
    "error": Variable(("parameter",), None, "f8", "Error, 0 for a frozen parameter"),
    "covariance": Variable(("parameter", "parameter_2"), None, "f8", "Covariance, 0 for a frozen parameter"),
    "free_covariance": Variable(("free", "free_2"), None, "f8", "Covariance of the free parameters alone"),
}


def _point(units: str, long_name: str, required: bool = True, dtype: str = "f8") -> Variable:
    return Variable(("energy",), units, dtype, long_name, required)


def _counts(long_name: str) -> Variable:
    return Variable(("energy", "dataset"), "", "f8", long_name)


POINTS_VARIABLES: Mapping[str, Variable] = {
    "dataset": Variable(("dataset",), None, NAMES, "Name of the dataset"),
    **axis("energy", "TeV", "Energy"),
    "norm": _point("", "Norm of the spectrum at the best fit"),
    "norm_err": _point("", "Error of the norm, n_sigma of them"),
    "norm_errn": _point("", "Error of the norm downwards, n_sigma", False),
    "norm_errp": _point("", "Error of the norm upwards, n_sigma", False),
    "norm_ul": _point("", "Upper limit of the norm, n_sigma_ul", False),
    "ts": _point("", "Difference of the statistic between norm 0 and the best fit"),
    "sqrt_ts": _point("", "Its root, negative for a negative norm"),
    "stat": _point("", "Statistic at the best fit"),
    "stat_null": _point("", "Statistic at norm 0"),
    "success": _point("", "Whether there is a norm with an error", dtype="b1"),
    "is_ul": _point("", "Whether the point is best shown as its upper limit", dtype="b1"),
    "norm_scan": Variable(("norm_scan",), "", "f8", "Norms of the scan", False, "stat_scan"),
    "stat_scan": Variable(("energy", "norm_scan"), "", "f8", "Statistic at the norms of the scan", False),
    "counts": _counts("Counts of the bins used"),
    "npred": _counts("Predicted counts, with the background"),
    "npred_excess": _counts("Predicted counts of the source"),
    "ref_dnde": _point("cm-2 s-1 TeV-1", "Flux at the centre for norm 1"),
    "ref_flux": _point("cm-2 s-1", "Integral flux of the bin for norm 1"),
    "ref_eflux": _point("TeV cm-2 s-1", "Energy flux of the bin for norm 1"),
    "ref_e2dnde": _point("TeV cm-2 s-1", "Energy squared times flux at the centre for norm 1"),
    "e_min_fit": _point("TeV", "Lower edge of the bins used"),
    "e_max_fit": _point("TeV", "Upper edge of the bins used"),
    "counts_left_out": _counts("Counts of safe bins that the fit range excludes"),
}

ESTIMATED = ("norm", "norm_err", "norm_errn", "norm_errp", "norm_ul", "ts", "sqrt_ts", "stat", "stat_null")
BINS = ("time", "energy")


def _in_each(name: str, dim: str = "time") -> Variable:
    """Return a variable of flux points with a value for each bin of time, or each group, too."""
    spec = POINTS_VARIABLES[name]
    return replace(spec, dims=(dim, *(own for own in spec.dims if own != "dataset")))


def _of_dataset(long_name: str) -> Variable:
    return Variable(("dataset", "energy"), "", "f8", long_name)


_AS_POINTS = (*ESTIMATED, "success", "is_ul", "stat_scan", "counts", "npred", "npred_excess", "counts_left_out")
LIGHT_CURVE_VARIABLES: Mapping[str, Variable] = {
    "dataset": POINTS_VARIABLES["dataset"],
    **axis("time", "s", "Time since mjdref"),
    **axis("energy", "TeV", "Energy"),
    **{name: _in_each(name) for name in _AS_POINTS},
    "norm_scan": POINTS_VARIABLES["norm_scan"],
    **{name: POINTS_VARIABLES[name] for name in ("ref_dnde", "ref_flux", "ref_eflux", "ref_e2dnde")},
    "e_min_fit": Variable(BINS, "TeV", "f8", "Lowest edge of the bins that any dataset uses"),
    "e_max_fit": Variable(BINS, "TeV", "f8", "Highest edge of the bins that any dataset uses"),
    "is_extrapolated": Variable(BINS, "", "b1", "Whether some dataset uses a part of the energy bin only"),
    "ontime": Variable(("time",), "s", "f8", "Good time of the datasets of the bin"),
    "livetime": Variable(("time",), "s", "f8", "The same, corrected for dead time"),
    "time_exposed": Variable(("time", "bound"), "s", "f8", "First start and last stop of good time since mjdref"),
    "bin_of_dataset": Variable(("dataset",), "", "i8", "The bin of time that a dataset is part of, -1 for none"),
    "placement": Variable(("dataset",), "", "i1", "Whether a dataset lies inside of a bin"),
    "dataset_counts": _of_dataset("Counts of the bins used"),
    "dataset_npred": _of_dataset("Predicted counts, with the background"),
    "dataset_npred_excess": _of_dataset("Predicted counts of the source"),
}

GROUP_VARIABLES: Mapping[str, Variable] = {
    "group": Variable(("group",), None, NAMES, "Name of the group of datasets"),
    "dataset": POINTS_VARIABLES["dataset"],
    "group_of_dataset": Variable(("dataset",), "", "i8", "The group that a dataset is part of"),
    "time_exposed": Variable(("group", "bound"), "s", "f8", "First start and last stop of good time since mjdref"),
    "livetime": Variable(("group",), "s", "f8", "Livetime of the datasets of the group"),
}
FIT_EACH_VARIABLES: Mapping[str, Variable] = {
    **GROUP_VARIABLES,
    "parameter": FIT_VARIABLES["parameter"],
    "is_free": Variable(("parameter",), "", "b1", "Whether the parameter was fitted"),
    "value": Variable(("group", "parameter"), None, "f8", "Best fit"),
    "error": Variable(("group", "parameter"), None, "f8", "Error, 0 for a frozen parameter"),
    "start": Variable(("parameter",), None, "f8", "Where each fit began: the fit of all datasets together"),
    "start_error": Variable(("parameter",), None, "f8", "The error of that fit, 0 for a frozen parameter"),
    "total_stat": Variable(("group",), "", "f8", "Statistic at the best fit"),
    "success": Variable(("group",), "", "b1", "Whether the fit converged"),
}
POINTS_EACH_VARIABLES: Mapping[str, Variable] = {
    **GROUP_VARIABLES,
    **axis("energy", "TeV", "Energy"),
    **{name: _in_each(name, "group") for name in (*_AS_POINTS, "e_min_fit", "e_max_fit")},
    "norm_scan": POINTS_VARIABLES["norm_scan"],
    **{name: POINTS_VARIABLES[name] for name in ("ref_dnde", "ref_flux", "ref_eflux", "ref_e2dnde")},
}


# --- laws


def covariances(ds: NamedArrays) -> Iterator[Violation]:
    """Covariances are square and symmetric; `parameter_units` of value and error has a unit for each parameter."""
    for name, dim in (("covariance", "parameter"), ("free_covariance", "free")):
        matrix = ds[name].values
        if matrix.shape != (ds.sizes[dim],) * 2:
            yield Violation(name, f"the shape {(ds.sizes[dim],) * 2}", str(matrix.shape))
        elif not np.allclose(matrix, matrix.T, rtol=1e-9, atol=0.0, equal_nan=True):
            yield Violation(name, "a symmetric matrix", "another one")
    for name in ("value", "error"):
        units: Any = ds[name].attrs.get("parameter_units")
        if not is_of_type(units, "list of text") or len(units) != ds.sizes["parameter"]:
            yield Violation(name, "attrs['parameter_units'], a text for each parameter", repr(units))


def total_is_a_number(ds: NamedArrays) -> Iterator[Violation]:
    """`total_stat` is the text of a float, as JSON has no NaN."""
    try:
        float(ds.attrs["total_stat"])
    except ValueError:
        yield Violation("attrs total_stat", "the text of a number", repr(ds.attrs["total_stat"]))


def points_without_success(ds: NamedArrays) -> Iterator[Violation]:
    """A point with `success` has a finite norm and error."""
    good = np.isfinite(ds["norm"].values) & np.isfinite(ds["norm_err"].values)
    if (ds["success"].values & ~good).any():
        yield Violation("success", "false where norm or norm_err is not finite", "true")


def times_do_not_overlap(ds: NamedArrays) -> Iterator[Violation]:
    """A bin of time ends before the next one begins."""
    low, high = ds["time_bounds"].values.T
    if (low[1:] < high[:-1]).any():
        yield Violation("time_bounds", "bins that do not overlap", "some that do")


def datasets_have_bins(ds: NamedArrays) -> Iterator[Violation]:
    """`bin_of_dataset` counts along `time`, and is -1 where a dataset is in no bin; each bin holds a dataset."""
    numbers = ds["bin_of_dataset"].values
    if not np.array_equal(np.unique(numbers[numbers != -1]), np.arange(ds.sizes["time"])):
        yield Violation("bin_of_dataset", "every bin of time, and -1", f"{sorted(set(numbers.tolist()))[:5]}")


def datasets_have_groups(ds: NamedArrays) -> Iterator[Violation]:
    """Each group has a name of its own and holds a dataset; `group_of_dataset` counts along `group`."""
    names = ds["group"].values.tolist()
    if len(set(names)) < len(names):
        yield Violation("group", "a unique name for each group", str(names))
    if not np.array_equal(np.unique(ds["group_of_dataset"].values), np.arange(len(names))):
        yield Violation("group_of_dataset", "every group", f"{sorted(set(ds['group_of_dataset'].values.tolist()))[:5]}")


def parameters_have_units(ds: NamedArrays) -> Iterator[Violation]:
    """`parameter_units` of value, error and start has a unit for each parameter."""
    for name in ("value", "error", "start", "start_error"):
        units: Any = ds[name].attrs.get("parameter_units")
        if not is_of_type(units, "list of text") or len(units) != ds.sizes["parameter"]:
            yield Violation(name, "attrs['parameter_units'], a text for each parameter", repr(units))


FIT = Product(
    Kind.FIT,
    "A fit: the optimum and its covariance",
    {
        "": Group(
            "Parameters",
            FIT_VARIABLES,
            {
                **head_attrs(FIT_SCHEMA, SCHEMA_VERSION),
                "total_stat": Attribute("text", "The statistic at the optimum, the text of a float"),
                "prior_stat": Attribute("text", "What priors add to it, the text of a float", required=False),
                "nfev": Attribute("whole number", "How often the statistic was evaluated"),
                "success": Attribute("true or false", "Whether the minimiser converged"),
                "message": Attribute("text", "What the minimiser says"),
                "covariance_success": Attribute("true or false", "Whether there is a covariance"),
                "covariance_message": Attribute("text", "What was said of the covariance"),
            },
            (covariances, total_is_a_number),
        )
    },
    TEXTS[Kind.FIT],
    PROVENANCE_OF[Kind.FIT],
)
_ESTIMATE_ATTRS = {
    "source": Attribute("text", "The name of the source"),
    "n_sigma": Attribute("number", "How many standard deviations the errors are"),
    "n_sigma_ul": Attribute("number", "How many standard deviations the limits are"),
    "UL_CONF": Attribute("number", "The confidence of the limits"),
    "telescope": Attribute("text", "The telescope"),
    "binning_report": Attribute("list of text", "What of the requested bins could not be honoured"),
}
POINTS = Product(
    Kind.POINTS,
    "Flux points of one source",
    {
        "": Group(
            "Points",
            POINTS_VARIABLES,
            {
                **head_attrs(POINTS_SCHEMA, SCHEMA_VERSION),
                **_ESTIMATE_ATTRS,
            },
            (apart("energy"), unique_names, points_without_success),
        )
    },
)
LIGHT_CURVE = Product(
    Kind.LIGHT_CURVE,
    "The light curve of one source: its flux in bins of time and energy",
    {
        "": Group(
            "Bins",
            LIGHT_CURVE_VARIABLES,
            {
                **head_attrs(LIGHT_CURVE_SCHEMA, SCHEMA_VERSION),
                **_ESTIMATE_ATTRS,
                "mjdref": Attribute("number", "The epoch of all times, MJD in `time_scale`"),
                "time_scale": Attribute("text", "The scale of all times", value="tt"),
                "binning": Attribute("text", "How time is binned: intervals, observation, night, width or blocks"),
                "stack_in_bin": Attribute("true or false", "Whether the rows of a bin were stacked before the fit"),
                "time_report": Attribute("list of text", "Datasets and intervals that are left out, and why"),
                "rows": Attribute(
                    "list of list of text", "With `stack_in_bin` for each stack the names of its rows", False
                ),
            },
            (
                apart("time"),
                apart("energy"),
                unique_names,
                points_without_success,
                times_do_not_overlap,
                datasets_have_bins,
                flags_law("placement"),
            ),
        )
    },
)
_GROUP_ATTRS = {
    "by": Attribute("text", "How datasets are grouped, as in the configuration"),
    "mjdref": Attribute("number", "The epoch of all times, MJD in `time_scale`"),
    "time_scale": Attribute("text", "The scale of all times", value="tt"),
}
FIT_EACH = Product(
    Kind.FIT_EACH,
    "Fits of each group of datasets by itself",
    {
        "": Group(
            "Parameters of each group",
            FIT_EACH_VARIABLES,
            {
                **head_attrs(FIT_EACH_SCHEMA, SCHEMA_VERSION),
                **_GROUP_ATTRS,
                "messages": Attribute("list of text", "What the minimiser says of each group"),
            },
            (unique_names, datasets_have_groups, parameters_have_units),
        )
    },
)
POINTS_EACH = Product(
    Kind.POINTS_EACH,
    "Flux points of one source in each group of datasets by itself",
    {
        "": Group(
            "Points of each group",
            POINTS_EACH_VARIABLES,
            {**head_attrs(POINTS_EACH_SCHEMA, SCHEMA_VERSION), **_ESTIMATE_ATTRS, **_GROUP_ATTRS},
            (apart("energy"), unique_names, datasets_have_groups, points_without_success),
        )
    },
)
