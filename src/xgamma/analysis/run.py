"""An analysis from its configuration to files and pictures in ``general.outdir``."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from xgamma.analysis.plan import validated_plan
from xgamma.analysis.preflight import chosen_runs, validated_request
from xgamma.analysis.session import Analysis
from xgamma.analysis.unused import UnusedRun
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import models_of, outdir_of, unwritable
from xgamma.datasets import Datasets, FluxPointsDataset
from xgamma.errors import FitError
from xgamma.formats.atomic import write_files

PICTURE_SIZE = (8.0, 6.0)
RESOLUTION = 120


@dataclass(frozen=True)
class RunReport:
    """What a run made: the analysis, its files by what they hold, the runs that could not be used, and remarks."""

    analysis: Analysis
    files: Mapping[str, Path]
    unused: Sequence[UnusedRun]
    remarks: Sequence[str] = ()

    @property
    def is_converged(self) -> bool:
        """Whether the fit converged, or none was asked for."""
        result = self.analysis.fit_result
        return result is None or result.success


def run(
    config: AnalysisConfig, until: str | None = None, retry_failed: bool = False, rehash: bool = False
) -> RunReport:
    """Run the steps of a configuration and write what they make into ``general.outdir``.

    Files of an earlier run of the same names are replaced; the products of both stay in the store.

    Parameters
    ----------
    config
        The configuration; its section ``models`` or ``general.models_file`` holds the models.
    until
        The last step to run.
    retry_failed
        Read only runs that failed before, and no new ones.
    rehash
        Read files on this machine also where they kept their size and time, and compare.

    Raises
    ------
    ConfigError, LaterError, MissingInputError, OutputError
        Before any work, for what can be known then.
    InputError, DataError
        When no run can be used.
    FitError
        When no fit can be made; what the steps before it made is written then.
    """
    request = validated_request(config, until)
    outdir = outdir_of(config)
    if config.general.memory_limit is not None:
        validated_plan(config.update({"steps": list(request.steps)}))
    release = chosen_runs(request).release
    _make_folder(outdir)
    analysis = Analysis(config, release=release)
    try:
        for step in request.steps:
            asked = {"retry_failed": retry_failed, "rehash": rehash} if step == "observations" else {}
            more = {name: True for name, is_asked in asked.items() if is_asked}
            ACTIONS[step](analysis, **more)
    except FitError:
        write_results(analysis, outdir)
        raise
    return RunReport(analysis, write_results(analysis, outdir), analysis.unused_runs, request.remarks)


def _make_folder(outdir: Path) -> None:
    try:
        outdir.mkdir(parents=True, exist_ok=True)
        probe = outdir / ".xgamma-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise unwritable(outdir, error.strerror) from None


def _reduce(analysis: Analysis) -> None:
    analysis.get_datasets()
    models = models_of(analysis.config)
    if models is not None:
        analysis.set_models(models)


ACTIONS: Mapping[str, Callable[..., None]] = {
    "observations": Analysis.get_observations,
    "datasets": _reduce,
    "fit": Analysis.run_fit,
    "flux_points": Analysis.get_flux_points,
}


def write_results(analysis: Analysis, outdir: Path) -> dict[str, Path]:
    """Write what an analysis holds into a folder; return the files by what they hold."""
    files = {"configuration": outdir / "config.yaml"}
    analysis.config.write(files["configuration"], overwrite=True)
    if analysis.datasets is not None:
        files |= _write_datasets(analysis.datasets, outdir)
    if analysis.fit_result is not None and analysis.datasets is not None:
        files |= _write_fit(analysis.datasets, outdir)
    if analysis.flux_points is not None:
        files |= _write_flux_points(analysis.flux_points, outdir)
    return files


def _write_datasets(datasets: Datasets, outdir: Path) -> dict[str, Path]:
    path = outdir / ("datasets.zarr" if len(datasets) > 1 else "datasets.fits.gz")
    datasets.write(path, overwrite=True)
    figure = Figure(figsize=PICTURE_SIZE, layout="constrained")
    datasets[0].plot_counts(figure.subplots())
    return {"datasets": path, "counts (picture)": _saved(figure, outdir / "counts.png")}


def _write_fit(datasets: Datasets, outdir: Path) -> dict[str, Path]:
    path = outdir / "models.yaml"
    datasets.models.write(path, overwrite=True)
    figure = Figure(figsize=PICTURE_SIZE, layout="constrained")
    datasets[0].plot_fit(*figure.subplots(2, 1, sharex=True, height_ratios=[3, 1]))
    return {"models": path, "fit (picture)": _saved(figure, outdir / "fit.png")}


def _write_flux_points(points: FluxPointsDataset, outdir: Path) -> dict[str, Path]:
    path = outdir / "flux-points.fits"
    points.write(path, overwrite=True)
    figure = Figure(figsize=PICTURE_SIZE, layout="constrained")
    points.plot_fit(*figure.subplots(2, 1, sharex=True, height_ratios=[3, 1]))
    return {"flux points": path, "flux points (picture)": _saved(figure, outdir / "flux-points.png")}


def _saved(figure: Figure, path: Path) -> Path:
    content = io.BytesIO()
    figure.savefig(content, dpi=RESOLUTION)
    write_files({path: content.getvalue()}, overwrite=True)
    return path
