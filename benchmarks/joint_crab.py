"""The Crab nebula with five instruments (examples/joint-crab.yaml) beside what Nigro et al. 2019 published.

Each instrument is fitted alone and all together: as the example says, from events where these are public, and all of
them from OGIP files. Published: A&A 625, A10, and the folder results of
https://github.com/open-gamma-ray-astro/joint-crab; its log-parabola has log10, so that its beta is divided by ln 10.
"""

from __future__ import annotations

import argparse
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.config.requests import models_of
from xgamma.datasets import Datasets, SpectrumDataset
from xgamma.fit import Fit
from xgamma.models import Models, create_crab_spectral_model
from xgamma.plot.style import line_style, styled

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "joint-crab.yaml"
SPECTRA = "$GAMMAPY_DATA/joint-crab/spectra"
LN10 = math.log(10)

# Amplitude in 1e-11 cm-2 s-1 TeV-1, alpha and beta at 1 TeV, each with its error.
PUBLISHED = {
    "fermi": {"amplitude": (4.0438, 1.0086), "alpha": (2.37153, 0.23895), "beta": (0.136534, 0.12744)},
    "magic": {"amplitude": (4.1455, 0.2971), "alpha": (2.6004, 0.09503), "beta": (0.4425, 0.1116)},
    "veritas": {"amplitude": (3.7601, 0.3626), "alpha": (2.4410, 0.09486), "beta": (0.25865, 0.1686)},
    "fact": {"amplitude": (3.4914, 0.3045), "alpha": (2.54163, 0.22473), "beta": (0.424917, 0.31274)},
    "hess": {"amplitude": (4.4744, 0.2870), "alpha": (2.3929, 0.18277), "beta": (0.37193, 0.22401)},
    "joint": {"amplitude": (3.8491, 0.11435), "alpha": (2.50537, 0.025495), "beta": (0.236211, 0.024509)},
}
# In the bins that were safe then, TeV; where no range is given these are the safe ones of today.
SAFE = {"magic": (0.0794, 44.7), "veritas": (0.1584, 31.7), "fact": (0.446, 100.1)}
EXCESS = {"fermi": 576.8, "magic": 654.1, "veritas": 275.3, "fact": 418.2, "hess": 431.5}
NAMES = {"fermi": "Fermi-LAT", "magic": "MAGIC", "veritas": "VERITAS", "fact": "FACT", "hess": "H.E.S.S."}
Fitted = Mapping[str, tuple[float, float]]


def as_ogip(config: AnalysisConfig) -> AnalysisConfig:
    """Return the configuration with every instrument read from the OGIP files of its reduction."""
    document = config.document()
    document["datasets"] = [
        {
            "name": entry["name"],
            "read": f"{SPECTRA}/{entry['name']}/pha_*.fits",
            "stack": entry["stack"],
            "fit_range": entry["fit_range"],
        }
        for entry in document["datasets"]
    ]
    return AnalysisConfig(**document)


def fitted(datasets: Datasets, models: Models) -> Fitted:
    """Return the parameters and errors of a fit, in the units of ``PUBLISHED``."""
    datasets.models = models
    if not Fit().run(datasets).success:
        raise SystemExit(f"The fit of {', '.join(datasets.names)} did not converge.")
    scales = {"amplitude": 1e11, "alpha": 1.0, "beta": LN10}
    return {name: (scale * models.parameters[name].value, scale * models.parameters[name].error)
            for name, scale in scales.items()}  # fmt: skip


def measured(config: AnalysisConfig) -> tuple[dict[str, Fitted], dict[str, float], dict[str, Models]]:
    """Return the fit of each instrument and of all, the excess of each, and the fitted models."""
    analysis = Analysis(config)
    analysis.get_observations()
    analysis.get_datasets()
    analysis.set_models(models_of(config))
    # Sets the range of each entry; the numbers of this fit are those of "joint".
    analysis.run_fit()
    every = analysis.datasets
    groups = {name: [view for view in every if view.name.split("-")[0] == name] for name in NAMES}
    fits, models = {}, {}
    for name, views in {**groups, "joint": list(every)}.items():
        models[name] = models_of(config)
        fits[name] = fitted(Datasets([view.copy() for view in views]), models[name])
    return fits, {name: sum(excess_of(view) for view in views) for name, views in groups.items()}, models


def excess_of(view: SpectrumDataset) -> float:
    """Return the excess in the bins that were safe in the paper."""
    limits = [f"{energy} TeV" for energy in SAFE.get(view.name.split("-")[0], ())]
    return float(view.excess.where(view.mask_safe & view.energy_mask(*limits)).sum())


def table(title: str, fits: Mapping[str, Fitted], excess: Mapping[str, float]) -> None:
    """Print what was measured, how far it is from what was published in errors of that, and the ratio of errors."""
    print(f"\n{title}")
    print("| | amplitude | alpha | beta | largest distance | errors | excess | published | ratio |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, values in fits.items():
        published = PUBLISHED[name]
        away = {key: (values[key][0] - value) / error for key, (value, error) in published.items()}
        errors = [values[key][1] / error for key, (_, error) in published.items()]
        cells = [f"{value:.3f} ± {error:.3f} ({away[key]:+.3f} sigma)" for key, (value, error) in values.items()]
        largest = f"{max(map(abs, away.values())):.3f} sigma"
        row = [NAMES.get(name, name), *cells, largest, f"{min(errors):.3f}-{max(errors):.3f}"]
        if name in excess:
            row += [f"{excess[name]:.1f}", f"{EXCESS[name]:.1f}", f"{excess[name] / EXCESS[name]:.4f}"]
        print(f"| {' | '.join(row)} |")


@styled
def picture(models: Mapping[str, Models], config: AnalysisConfig, path: Path) -> None:
    """Draw the figure of the paper: the spectrum of each instrument in its energies, and that of all."""
    figure = Figure(figsize=(8, 6), layout="constrained")
    ax = figure.subplots()
    create_crab_spectral_model("meyer").plot(["10 GeV", "100 TeV"], ax=ax, sed_type="e2dnde", color="0.4", ls=":",
                                             label="Meyer et al. 2010")  # fmt: skip
    ranges = {entry.name: (entry.fit_range.min, entry.fit_range.max) for entry in config.entries.values()}
    ranges["joint"] = (ranges["fermi"][0], ranges["hess"][1])
    for number, (name, fitted_models) in enumerate(models.items()):
        is_joint = name == "joint"
        lines = {"color": "black", "linestyle": "-"} if is_joint else line_style(number)
        spectrum = fitted_models[0].spectral_model
        width, alpha = (2.6, 0.4) if is_joint else (1.8, 0.25)
        label = NAMES.get(name, "joint fit")
        spectrum.plot(ranges[name], ax=ax, sed_type="e2dnde", lw=width, label=label, **lines)
        spectrum.plot_error(ranges[name], ax=ax, sed_type="e2dnde", facecolor=lines["color"], alpha=alpha)
    ax.set_ylim(3e-13, 2e-10)
    ax.set_xlim(0.01, 100)
    ax.legend(fontsize="small")
    figure.savefig(path, dpi=110)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--outdir", type=Path, default=Path("out/joint-crab"))
    outdir = parser.parse_args(arguments).outdir
    outdir.mkdir(parents=True, exist_ok=True)
    logging.disable(logging.WARNING)
    config = AnalysisConfig.read(EXAMPLE).update({"general": {"outdir": str(outdir)}})
    fits, excess, _ = measured(as_ogip(config))
    table("All instruments from the OGIP files of their reduction", fits, excess)
    fits, excess, models = measured(config)
    table("Fermi-LAT from OGIP files, the others from their events", fits, excess)
    picture(models, config, outdir / "joint-crab.png")
    assert np.isfinite([value for one in fits.values() for value, _ in one.values()]).all()


if __name__ == "__main__":
    main()
