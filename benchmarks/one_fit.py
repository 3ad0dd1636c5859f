"""Fits of simulated spectra by one method, in one process: calls, CPU seconds, values. Runs with older builds too."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from xgamma.axes import Axis
from xgamma.fit import FitSettings, covariance, fit
from xgamma.models import (
    ExpCutoffPowerLawSpectralModel,
    LogParabolaSpectralModel,
    Models,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SkyModel,
)

DIMS = ("dataset", "region", "energy")
ROUNDS, ENOUGH = 7, 1.0


def spectra(number: int, hours: float, seed: int) -> xr.Dataset:
    """Return rows of on and off counts of a power law with a cut-off, 20 bins each."""
    energy, true = Axis.from_bounds("energy", 0.5, 50.0, 20), Axis.from_bounds("energy_true", 0.2, 100.0, 40)
    offset = (np.log(energy.edges)[np.newaxis] - np.log(true.center)[:, np.newaxis]) / 0.1
    edisp = np.diff(0.5 * (1 + np.tanh(0.8 * offset)), axis=1)
    exposure = 1e5 * np.sqrt(true.center) * 3600 * hours
    truth = ExpCutoffPowerLawSpectralModel(index=2.1, amplitude="3e-11 cm-2 s-1 TeV-1", lambda_="0.08 TeV-1")
    signal = (exposure * 1e4 * truth.flux(true.edges)) @ edisp
    random, shape = np.random.default_rng(seed), (number, 1, energy.nbin)
    rows = (number, 1)
    return xr.Dataset(
        {
            "counts": (DIMS, random.poisson(np.broadcast_to(signal + 2.0, shape)).astype(float)),
            "counts_off": (DIMS, random.poisson(np.full(shape, 20.0)).astype(float)),
            "acceptance": (DIMS, np.ones(shape)),
            "acceptance_off": (DIMS, np.full(shape, 10.0)),
            "exposure": (("dataset", "region", "energy_true"), np.broadcast_to(exposure, (*rows, true.nbin)).copy()),
            "edisp": (
                ("dataset", "region", "energy_true", "energy"),
                np.broadcast_to(edisp, (*rows, *edisp.shape)).copy(),
            ),
            "mask_safe": (DIMS, np.ones(shape, dtype=bool)),
        },
        coords={**energy.coords(), **true.coords(), "dataset": [f"run-{place}" for place in range(number)]},
    )


def power_law(**values: Any) -> Any:
    return PowerLawSpectralModel(**({"index": 2.0, "amplitude": "1e-11 cm-2 s-1 TeV-1"} | values))


def cutoff(index: float, amplitude: float) -> Any:
    size = f"{amplitude!r} cm-2 s-1 TeV-1"
    return ExpCutoffPowerLawSpectralModel(index=index, amplitude=size, lambda_="0.05 TeV-1")


def named(spectra: list[Any]) -> Models:
    """Return one model for each dataset."""
    return Models(
        [SkyModel(one, name=f"m{place}", datasets_names=[f"run-{place}"]) for place, one in enumerate(spectra)]
    )


def instruments(number: int) -> Models:
    """Return one log-parabola as instruments see it, each but the first with a norm of its own."""
    shape = LogParabolaSpectralModel(amplitude="1e-11 cm-2 s-1 TeV-1", beta=0.1, reference="1 TeV")
    return named([shape, *(shape * PowerLawNormSpectralModel() for _ in range(number - 1))])


def faint() -> Models:
    """Return two sources of which one is not there."""
    second = SkyModel(power_law(index=3.0, amplitude="1e-12 cm-2 s-1 TeV-1"), name="b", datasets_names=["run-1"])
    return Models([SkyModel(cutoff(2.0, 1e-11), name="a"), second])


def degenerate() -> Models:
    """Return a spectrum with three parameters for one flux."""
    norms = PowerLawNormSpectralModel(), PowerLawNormSpectralModel()
    curved = LogParabolaSpectralModel(amplitude="1e-11 cm-2 s-1 TeV-1", beta=0.1, reference="1 TeV")
    return Models([SkyModel(curved * norms[0] * norms[1], name="a")])


CASES: dict[str, tuple[Callable[[], xr.Dataset], Callable[[], Models]]] = {
    "2, a power law": (lambda: spectra(1, 5.0, 1), lambda: named([power_law()])),
    "5, three instruments": (lambda: spectra(3, 5.0, 1), lambda: instruments(3)),
    "5, a source that is not there": (lambda: spectra(2, 5.0, 1), faint),
    "5, three for one flux": (lambda: spectra(1, 5.0, 1), degenerate),
    "12, ten instruments": (lambda: spectra(10, 5.0, 1), lambda: instruments(10)),
    "12, four sources with cut-offs": (
        lambda: spectra(4, 2.0, 1),
        lambda: named([cutoff(1.9 + 0.2 * place, 1e-11 / (1 + place)) for place in range(4)]),
    ),
    "12, ten instruments, 100 rows each": (
        lambda: spectra(1000, 0.5, 1),
        lambda: shared(instruments(10), 100),
    ),
}


def shared(models: Models, rows: int) -> Models:
    """Return the models, each for as many rows."""
    for place, model in enumerate(models):
        model.datasets_names = [f"run-{number}" for number in range(place * rows, (place + 1) * rows)]
    return models


def with_derivatives(datasets: list[xr.Dataset], models: Models) -> dict[str, Any]:
    """Return what MIGRAD finds that is told first derivatives; without the errors of a whole fit."""
    # Older builds have no derivatives.
    from iminuit import Minuit  # noqa: PLC0415

    from xgamma.fit.problem import Problem  # noqa: PLC0415
    from xgamma.fit.statistic import Statistic  # noqa: PLC0415

    problem = Problem(Statistic(datasets, models), FitSettings())
    plain = problem.minuit()
    minuit = Minuit(problem.__call__, problem.start, grad=lambda factors: problem.derivatives(factors)[0])
    minuit.errordef, minuit.tol, minuit.errors, minuit.limits = 1.0, 0.1, list(plain.errors), problem.limits
    minuit.migrad()
    scales = problem.scales
    return {
        "calls": minuit.nfcn + minuit.ngrad,
        "total": minuit.fval,
        "values": (np.array(minuit.values) * scales).tolist(),
        "errors": (np.array(minuit.errors) * scales).tolist(),
        "success": bool(minuit.valid),
        "method": "migrad",
    }


def fitted(datasets: list[xr.Dataset], models: Models, method: str) -> dict[str, Any]:
    """Return what a fit finds."""
    if method == "derivatives":
        return with_derivatives(datasets, models)
    settings = FitSettings() if method == "default" else FitSettings(method=method)
    result = fit(datasets, models, settings=settings)
    free = models.parameters.free_parameters
    return {
        "calls": result.nfev,
        "total": result.total_stat,
        "values": [parameter.value for parameter in free],
        "errors": [parameter.error for parameter in free],
        "success": result.success,
        "method": result.method,
    }


def main() -> None:
    logging.disable(logging.WARNING)
    found = {}
    for name, (data, models) in CASES.items():
        datasets, seconds = [data()], []
        while len(seconds) < 2 or (len(seconds) < ROUNDS and sum(seconds) < ENOUGH):
            trial = models()
            start = time.process_time()
            values = fitted(datasets, trial, sys.argv[1])
            seconds.append(time.process_time() - start)
        if sys.argv[1] != "derivatives":
            covariance(datasets, trial)
            values["hesse"] = [parameter.error for parameter in trial.parameters.free_parameters]
        found[name] = values | {"seconds": min(seconds)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
