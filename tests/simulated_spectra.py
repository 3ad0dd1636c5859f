"""Small on-off and cash Datasets with a known response, for the tests of statistics, fits and flux points."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xgamma.axes import Axis
from xgamma.models.models import Models, SkyModel
from xgamma.models.spectral.powerlaws import PowerLawSpectralModel

DIMS = ("dataset", "region", "energy")


def power_law(name: str = "source", index: float = 2.3, amplitude: float = 3e-11, **kwargs: Any) -> SkyModel:
    """Return a power law at 1 TeV."""
    spectrum = PowerLawSpectralModel(index=index, amplitude=f"{float(amplitude)!r} cm-2 s-1 TeV-1", reference="1 TeV")
    return SkyModel(spectral_model=spectrum, name=name, **kwargs)


def models(*components: SkyModel) -> Models:
    """Return the components, or one power law."""
    return Models(list(components) or [power_law()])


def response_dataset(n_datasets: int = 1, nbin: int = 10, hours: float = 1.0, resolution: float = 0.1) -> xr.Dataset:
    """Return rows without counts: effective area 1e5 m2 E^0.5, Gaussian dispersion in ln(E)."""
    energy, true = Axis.from_bounds("energy", 0.5, 50.0, nbin), Axis.from_bounds("energy_true", 0.2, 100.0, 2 * nbin)
    edge = (np.log(energy.edges)[np.newaxis] - np.log(true.center)[:, np.newaxis]) / resolution
    edisp = np.diff(0.5 * (1 + np.tanh(0.8 * edge)), axis=1)
    exposure = 1e5 * np.sqrt(true.center) * 3600 * hours
    shape, rows = (n_datasets, 1, nbin), (n_datasets, 1)
    return xr.Dataset(
        {
            "counts": (DIMS, np.zeros(shape)),
            "exposure": (("dataset", "region", "energy_true"), np.broadcast_to(exposure, (*rows, true.nbin)).copy()),
            "edisp": (
                ("dataset", "region", "energy_true", "energy"),
                np.broadcast_to(edisp, (*rows, *edisp.shape)).copy(),
            ),
            "mask_safe": (DIMS, np.ones(shape, dtype=bool)),
        },
        coords={**energy.coords(), **true.coords(), "dataset": [f"run-{number}" for number in range(n_datasets)]},
        attrs={"telescope": "TEST"},
    )


def on_off_dataset(
    signal: xr.DataArray | float,
    background: float = 2.0,
    acceptance_off: float = 10.0,
    seed: int | None = None,
    **kwargs: Any,
) -> xr.Dataset:
    """Return rows with off counts: expectations rounded to whole counts, or Poisson numbers with a ``seed``."""
    ds = response_dataset(**kwargs)
    on = np.broadcast_to(np.asarray(signal, dtype=float) + background, ds["counts"].shape)
    off = np.full(on.shape, background * acceptance_off)
    if seed is None:
        on, off = np.rint(on), np.rint(off)
    else:
        random = np.random.default_rng(seed)
        on, off = random.poisson(on).astype(float), random.poisson(off).astype(float)
    return ds.assign(
        counts=(DIMS, on),
        counts_off=(DIMS, off),
        acceptance=(DIMS, np.ones(on.shape)),
        acceptance_off=(DIMS, np.full(on.shape, acceptance_off)),
    )


def cash_dataset(counts: Any, background: Any = None, **kwargs: Any) -> xr.Dataset:
    """Return rows with counts over a known background."""
    ds = response_dataset(**kwargs)
    shape = ds["counts"].shape
    ds["counts"] = (DIMS, np.broadcast_to(np.asarray(counts, dtype=float), shape).copy())
    if background is not None:
        ds["background"] = (DIMS, np.broadcast_to(np.asarray(background, dtype=float), shape).copy())
    return ds
