"""Small spectra and flux points with every variable, and where the real files are."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from xgamma.axes import Axis
from xgamma.outcome import Fate, Outcome, flag_attrs

DATA = Path(os.environ.get("GAMMAPY_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
LIVETIME = 1580.123456789


def real_data(path):
    """Return a real file, or skip the test where it is not at hand."""
    found = DATA / path
    if not found.exists():
        pytest.skip(f"{path} is not in $GAMMAPY_DATA")
    return found


def spectra(n_rows=2, n_energy=5, n_true=7, n_region=1, n_off=3, on_off=True, frame="icrs", seed=0):
    """Return reduced runs; the first has one off region and one good time interval more than the others."""
    random = np.random.default_rng(seed)
    energy = Axis.from_bounds("energy", 0.5, 30.0, n_energy)
    energy_true = Axis.from_bounds("energy_true", 0.1, 50.0, n_true)
    bins, true = ("dataset", "region", "energy"), ("dataset", "region", "energy_true")
    shape, true_shape = (n_rows, n_region, n_energy), (n_rows, n_region, n_true)
    plain = {"units": ""}
    start = 1.2e8 + 2000.0 * np.arange(n_rows)[:, None] + np.array([0.0, 900.0])
    gti = np.stack([start, start + 800.0], axis=2)
    gti[1:, -1] = np.nan
    off_lon = 83.0 + random.uniform(-0.5, 0.5, (n_rows, n_region, n_off))
    off_lon[1:, :, -1] = np.nan
    edisp = random.dirichlet(np.ones(n_energy), (n_rows, n_region, n_true)) * (random.random((n_true, 1)) > 0.3)
    edisp[random.random(edisp.shape) < 0.3] = 0.0
    variables = {
        "counts": (bins, random.poisson(20.0, shape).astype(float), plain),
        "acceptance": (bins, np.ones(shape), plain),
        "exposure": (true, random.uniform(0, 1e9, true_shape), {"units": "m2 s"}),
        "exposure_edisp": (true, random.uniform(0, 1e9, true_shape), {"units": "m2 s"}),
        "edisp": ((*true, "energy"), edisp, plain),
        "mask_safe": (bins, random.random(shape) > 0.3, plain),
        "livetime": ("dataset", LIVETIME - np.arange(n_rows) / 3, {"units": "s"}),
        "ontime": ("dataset", np.nansum(gti[..., 1] - gti[..., 0], axis=1), {"units": "s"}),
        "gti": (("dataset", "gti", "bound"), gti, {"units": "s"}),
        "pointing_lon": ("dataset", np.full(n_rows, 83.6), {"units": "deg"}),
        "pointing_lat": ("dataset", np.full(n_rows, 21.5), {"units": "deg"}),
        "offset": (("dataset", "region"), random.random((n_rows, n_region)), {"units": "deg"}),
        "ledger": (("dataset", "region", "fate"), random.integers(0, 9, (n_rows, n_region, len(Fate))), plain),
        "outcome": ("dataset", np.zeros(n_rows, np.int8), flag_attrs(Outcome)),
    }
    if on_off:
        off = ("dataset", "region", "off")
        variables |= {
            "counts_off": (bins, random.poisson(50.0, shape).astype(float), plain),
            "acceptance_off": (bins, random.uniform(5, 20, shape), plain),
            "off_lon": (off, off_lon, {"units": "deg"}),
            "off_lat": (off, np.where(np.isnan(off_lon), np.nan, 21.0), {"units": "deg"}),
            "off_radius": (off, np.where(np.isnan(off_lon), np.nan, 0.11), {"units": "deg"}),
            "off_number": (("dataset", "region"), np.isfinite(off_lon).sum(axis=2), plain),
        }
    else:
        variables["background"] = (bins, random.uniform(1, 5, shape), plain)
    coords = {
        "dataset": [f"run-{23523 + row}" for row in range(n_rows)],
        "obs_id": ("dataset", 23523 + np.arange(n_rows), {"units": ""}),
        "interval": (("dataset", "bound"), np.stack([gti[:, 0, 0], gti[:, 0, 1]], axis=1), {"units": "s"}),
        **energy.coords(),
        **energy_true.coords(),
        "region_lon": ("region", 83.633 + np.arange(n_region), {"units": "deg", "frame": frame}),
        "region_lat": ("region", np.full(n_region, 22.014), {"units": "deg"}),
        "region_radius": ("region", np.full(n_region, 0.11), {"units": "deg"}),
    }
    attrs = {
        "mjdref": 51910.00074287037,
        "telescope": "HESS",
        "release": "test",
        "outcome_details": json.dumps([""] * n_rows),
        "Conventions": "CF-1.12",
    }
    return xr.Dataset(variables, coords, attrs)


def points(n_energy=4, n_dataset=2, seed=0):
    """Return flux points with every column."""
    random = np.random.default_rng(seed)
    axis = Axis.from_bounds("energy", 1.0, 20.0, n_energy)
    per_energy = ["norm", "norm_err", "norm_errn", "norm_errp", "norm_ul", "ts", "sqrt_ts", "stat"]
    units = {"ref_dnde": "cm-2 s-1 TeV-1", "ref_flux": "cm-2 s-1", "ref_eflux": "TeV cm-2 s-1"}
    units |= {"ref_e2dnde": "TeV cm-2 s-1", "e_min_fit": "TeV", "e_max_fit": "TeV"}
    variables = {name: ("energy", random.uniform(0.1, 9, n_energy), {"units": ""}) for name in per_energy}
    variables |= {name: ("energy", random.uniform(1e-13, 1e-11, n_energy), {"units": u}) for name, u in units.items()}
    both = ("energy", "dataset")
    variables |= {
        name: (both, random.integers(0, 99, (n_energy, n_dataset)).astype(float), {"units": ""})
        for name in ("counts", "npred", "npred_excess", "counts_left_out")
    }
    variables["stat_scan"] = (("energy", "norm_scan"), random.uniform(0, 9, (n_energy, 11)), {"units": ""})
    variables["is_ul"] = ("energy", np.arange(n_energy) % 2 == 1, {"units": ""})
    variables["success"] = ("energy", np.ones(n_energy, bool), {"units": ""})
    names = [f"run-{number}" for number in range(n_dataset)]
    coords = {**axis.coords(), "dataset": names, "norm_scan": ("norm_scan", np.geomspace(0.2, 5, 11), {"units": ""})}
    attrs = {"source": "crab", "n_sigma": 1.0, "n_sigma_ul": 2.0, "UL_CONF": 0.9544997}
    return xr.Dataset(variables, coords, attrs)
