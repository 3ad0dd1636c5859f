"""Small, exact DL4 Datasets and flux points for tests of views, fits and estimates."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xgamma import schema
from xgamma.axes import Axis
from xgamma.outcome import Fate, Outcome
from xgamma.schema.dl5 import LIGHT_CURVE_SCHEMA, SCHEMA_VERSION
from xgamma.schema.tables import head

LIVETIME = 1600.0


def energy_axis(n_energy: int = 6) -> Axis:
    return Axis.from_bounds("energy", 0.5, 30.0, n_energy)


def energy_true_axis(n_true: int = 10) -> Axis:
    return Axis.from_bounds("energy_true", 0.1, 50.0, n_true)


def migration(axis_true: Axis, axis: Axis, resolution: float = 0.12) -> np.ndarray:
    """Return a log-normal migration matrix, shape (energy_true, energy); rows sum to at most one."""
    centre = np.log(axis_true.center)[:, None]
    density = np.exp(-0.5 * ((np.log(axis.center) - centre) / resolution) ** 2)
    share = density * np.diff(np.log(axis.edges)) / (resolution * np.sqrt(2 * np.pi))
    return share / np.maximum(share.sum(axis=1, keepdims=True), 1.0)


def dl4_dataset(
    n_rows: int = 1,
    n_energy: int = 6,
    n_true: int = 10,
    n_region: int = 1,
    names: list[str] | None = None,
    seed: int = 0,
    on_off: bool = True,
) -> xr.Dataset:
    """Return rows with Poisson counts, 8 to 11 off regions, a power-law exposure and the first bin unsafe."""
    random = np.random.default_rng(seed)
    axis, axis_true = energy_axis(n_energy), energy_true_axis(n_true)
    shape, shape_true = (n_rows, n_region, n_energy), (n_rows, n_region, n_true)
    number = random.integers(8, 12, (n_rows, n_region))
    expected_off = 60.0 * np.exp(-0.8 * np.arange(n_energy)) + 0.2
    counts_off = random.poisson(expected_off, shape).astype(float)
    counts = random.poisson(expected_off / 9 + 40.0 * np.exp(-0.7 * np.arange(n_energy)), shape).astype(float)
    mask = np.ones(shape, bool)
    mask[..., 0] = False
    exposure = np.broadcast_to(3e8 * np.minimum(axis_true.center, 3.0) ** 1.5, shape_true) * LIVETIME / 1600.0
    edisp = np.broadcast_to(migration(axis_true, axis), (n_rows, n_region, n_true, n_energy))
    start = 1.0e8 + 2000.0 * np.arange(n_rows)
    interval = np.stack([start, start + 1700.0], axis=1)
    ledger = np.zeros((n_rows, n_region, len(Fate)), np.int64)
    ledger[..., Fate.ON], ledger[..., Fate.OFF] = counts.sum(axis=-1), counts_off.sum(axis=-1)
    values = {
        "counts": counts,
        "acceptance": np.ones(shape),
        "exposure": 0.7 * exposure,
        "exposure_edisp": exposure,
        "edisp": edisp,
        "mask_safe": mask,
        "livetime": np.full(n_rows, LIVETIME),
        "ontime": np.full(n_rows, 1700.0),
        "gti": interval[:, None, :],
        "pointing_lon": np.full(n_rows, 83.63),
        "pointing_lat": np.full(n_rows, 21.51),
        "offset": np.full((n_rows, n_region), 0.5),
        "ledger": ledger,
        "outcome": np.zeros(n_rows),
    }
    if on_off:
        acceptance_off = np.ones(shape) * number[..., None]
        values |= {"counts_off": counts_off, "acceptance_off": acceptance_off, "off_number": number}
    else:
        values["background"] = counts_off / number[..., None]
    regions = np.arange(n_region)
    coords = {
        "dataset": np.array(names or [str(23523 + row) for row in range(n_rows)]),
        "obs_id": (("dataset",), 23523 + np.arange(n_rows, dtype=np.int64), {"units": ""}),
        "interval": (("dataset", "bound"), interval, {"units": "s"}),
        **axis.coords(),
        **axis_true.coords(),
        "region_lon": (("region",), 83.633 + 0.5 * regions, {"units": "deg", "frame": "icrs"}),
        "region_lat": (("region",), 22.014 + 0.0 * regions, {"units": "deg"}),
        "region_radius": (("region",), 0.11 + 0.0 * regions, {"units": "deg"}),
    }
    attrs = {"mjdref": 51910.00074287037, "telescope": "HESS", "release": "test", "outcome_details": ["used"] * n_rows}
    return schema.dataset(values, coords, attrs, ("region",), (n_region,))


def on_off_dataset(n_rows: int = 1, **options: object) -> xr.Dataset:
    """Return an on-off Dataset; options as for ``dl4_dataset``."""
    return dl4_dataset(n_rows, on_off=True, **options)


def cash_dataset(n_rows: int = 1, **options: object) -> xr.Dataset:
    """Return a Dataset with a known background; options as for ``dl4_dataset``."""
    return dl4_dataset(n_rows, on_off=False, **options)


def with_outcome(ds: xr.Dataset, row: int, outcome: Outcome, detail: str = "") -> xr.Dataset:
    """Return a copy in which one row is not usable: masked, with a reason."""
    details = [*ds.attrs["outcome_details"]]
    details[row] = detail or outcome.sentence
    result = ds.copy(deep=True).assign_attrs(outcome_details=details)
    result["outcome"][row] = outcome
    result["mask_safe"][row] = False
    return result


def flux_points_product(n_energy: int = 5, n_dataset: int = 1, index: float = 2.5) -> xr.Dataset:
    """Return a DL5 Dataset of flux points relative to 4e-11 (E/TeV)^-index cm-2 s-1 TeV-1; the last is a limit."""
    axis = Axis.from_bounds("energy", 1.0, 20.0, n_energy)
    reference = np.exp(0.5 * (np.log(axis.edges[1:]) + np.log(axis.edges[:-1])))
    low, high = axis.edges[:-1], axis.edges[1:]
    amplitude = 4e-11
    ref = {
        "ref_dnde": (amplitude * reference**-index, "cm-2 s-1 TeV-1"),
        "ref_flux": (amplitude * (low ** (1 - index) - high ** (1 - index)) / (index - 1), "cm-2 s-1"),
        "ref_eflux": (amplitude * (low ** (2 - index) - high ** (2 - index)) / (index - 2), "TeV cm-2 s-1"),
        "ref_e2dnde": (amplitude * reference ** (2 - index), "TeV cm-2 s-1"),
    }
    norm = 1.0 + 0.1 * np.cos(np.arange(n_energy))
    error = 0.1 * 1.3 ** np.arange(n_energy)
    norm[-1] = 0.4 * error[-1]
    ts = (norm / error) ** 2
    norm_scan = np.geomspace(0.2, 5.0, 11)
    stat = np.linspace(1.0, 2.0, n_energy)
    scan = stat[:, None] + ((norm_scan - norm[:, None]) / error[:, None]) ** 2
    counts = np.outer(np.linspace(60, 3, n_energy).round(), np.ones(n_dataset))
    plain = {
        "norm": norm,
        "norm_err": error,
        "norm_errn": 0.95 * error,
        "norm_errp": 1.05 * error,
        "norm_ul": norm + 2.1 * error,
        "ts": ts,
        "sqrt_ts": np.sqrt(ts),
        "stat": stat,
        "stat_null": stat + ts,
        "success": np.ones(n_energy, bool),
        "is_ul": np.sqrt(ts) < 2,
    }
    variables = {name: (("energy",), value, {"units": ""}) for name, value in plain.items()}
    variables |= {name: (("energy",), value, {"units": unit}) for name, (value, unit) in ref.items()}
    variables |= {
        name: (("energy",), value.copy(), {"units": "TeV"}) for name, value in (("e_min_fit", low), ("e_max_fit", high))
    }
    per_dataset = ("energy", "dataset")
    variables |= {
        name: (per_dataset, counts * scale, {"units": ""})
        for name, scale in (("counts", 1.0), ("npred", 0.99), ("npred_excess", 0.9), ("counts_left_out", 0.0))
    }
    variables["stat_scan"] = (("energy", "norm_scan"), scan, {"units": ""})
    coords = {
        **axis.coords(),
        "dataset": [f"run-{k}" for k in range(n_dataset)] if n_dataset > 1 else ["stacked"],
        "norm_scan": ("norm_scan", norm_scan, {"units": ""}),
    }
    return xr.Dataset(
        variables, coords=coords, attrs={"n_sigma": 1.0, "n_sigma_ul": 2.0, "UL_CONF": 0.9544997, "source": "crab"}
    )


def light_curve_product(n_time: int = 4, n_energy: int = 2) -> xr.Dataset:
    """Return a DL5 light curve: half an hour each night, limits in the last bin of energy."""
    points = flux_points_product(n_energy)
    begin = 86400.0 * np.arange(n_time) + 1000.0
    bounds = np.stack([begin, begin + 1800.0], axis=1)
    factor = 1.0 + 0.5 * np.sin(np.arange(n_time))
    error = points["norm_err"].values * np.sqrt(factor)[:, None]
    norm = points["norm"].values * factor[:, None]
    ts = (norm / error) ** 2
    stat = np.add.outer(np.arange(n_time), np.linspace(1.0, 2.0, n_energy))
    counts = np.add.outer(np.arange(n_time), np.linspace(60, 3, n_energy).round())
    plain = {
        **{"norm": norm, "norm_err": error, "norm_errn": 0.95 * error, "norm_errp": 1.05 * error},
        **{"norm_ul": norm + 2.1 * error, "ts": ts, "sqrt_ts": np.sqrt(ts), "stat": stat, "stat_null": stat + ts},
        **{"success": np.ones(norm.shape, bool), "is_ul": np.sqrt(ts) < 2},
        **{"is_extrapolated": np.zeros(norm.shape, bool), "counts": counts, "npred": 0.99 * counts},
        **{"npred_excess": 0.9 * counts, "counts_left_out": 0.0 * counts},
    }
    bins = ("time", "energy")
    variables = {name: (bins, values, {"units": ""}) for name, values in plain.items()}
    scan = stat[..., None] + ((points["norm_scan"].values - norm[..., None]) / error[..., None]) ** 2
    variables["stat_scan"] = ((*bins, "norm_scan"), scan, {"units": ""})
    edges = points["energy_bounds"].values
    for name, column in (("e_min_fit", 0), ("e_max_fit", 1)):
        variables[name] = (bins, np.tile(edges[:, column], (n_time, 1)), {"units": "TeV"})
    variables |= {name: points[name].variable for name in points if str(name).startswith("ref_")}
    for name, share in (("ontime", 1.0), ("livetime", 0.9)):
        variables[name] = ("time", share * (bounds[:, 1] - bounds[:, 0]), {"units": "s"})
    variables["time_exposed"] = (("time", "bound"), bounds + np.array([10.0, -10.0]), {"units": "s"})
    variables["bin_of_dataset"] = ("dataset", np.arange(n_time), {"units": ""})
    words = {"units": "", "flag_values": [0, 1, 2], "flag_meanings": "inside partly outside"}
    variables["placement"] = ("dataset", np.zeros(n_time, "i1"), words)
    for name in ("counts", "npred", "npred_excess"):
        variables[f"dataset_{name}"] = (("dataset", "energy"), plain[name].copy(), {"units": ""})
    coords = {
        "time": ("time", bounds.mean(axis=1), {"units": "s", "bounds": "time_bounds"}),
        "time_bounds": (("time", "bound"), bounds, {"units": "s"}),
        **{name: points[name].variable for name in ("energy", "energy_bounds", "norm_scan")},
        "dataset": [f"run-{k}" for k in range(n_time)],
    }
    attrs = {name: points.attrs[name] for name in ("n_sigma", "n_sigma_ul", "UL_CONF", "source")}
    attrs |= {"telescope": "", "binning_report": [], "mjdref": 53000.25, "time_scale": "tt", "binning": "observation"}
    attrs |= {"stack_in_bin": False, "time_report": []}
    return xr.Dataset(variables, coords, head(LIGHT_CURVE_SCHEMA, SCHEMA_VERSION) | attrs)
