"""An analysis from its configuration to files and pictures in ``general.outdir``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xgamma.analysis.plan import Request, is_memory_judged, planned, validate_steps, validated_request
from xgamma.analysis.session import Analysis
from xgamma.analysis.steps import STEPS
from xgamma.analysis.steps.observations import ObservationsStep
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import outdir_of, unwritable
from xgamma.errors import FitError
from xgamma.execute import workers_there
from xgamma.outcome import UnusedRun
from xgamma.predict.held import validate_backgrounds_named


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
    ClusterError
        When the scheduler that the configuration names does not answer, also where nothing would be computed.
    InputError, DataError
        When no run can be used.
    FitError
        When no fit can be made; what the steps before it made is written then.
    """
    request = validated_request(config, until)
    outdir = outdir_of(config)
    selected = request.selected()
    if is_memory_judged(config):
        validate_steps(config, list(planned(request, selected)))
    # Also where all is in the store: an address that is wrong is not passed over.
    workers_there(request.workers)
    _make_folder(outdir)
    analysis = Analysis(request.config, selected=selected)
    try:
        _take_steps(analysis, request, retry_failed, rehash)
    except FitError:
        write_results(analysis, outdir)
        raise
    return RunReport(analysis, write_results(analysis, outdir), analysis.unused_runs, request.remarks)


def _take_steps(analysis: Analysis, request: Request, retry_failed: bool, rehash: bool) -> None:
    modelled = {step.section for step, _ in request.steps if step.needs_models}
    for section in request.sections:
        is_modelled = analysis.datasets is not None and len(analysis.models) > 0
        if section in modelled and request.models is not None and not is_modelled:
            # Names of runs and of groups are known now.
            validate_backgrounds_named(request.models, [] if analysis.datasets is None else analysis.datasets.names)
            analysis.set_models(request.models)
        if section == ObservationsStep.section:
            analysis.get_observations(retry_failed, rehash)
        else:
            analysis.take(section, complete=True)


def _make_folder(outdir: Path) -> None:
    try:
        outdir.mkdir(parents=True, exist_ok=True)
        probe = outdir / ".xgamma-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise unwritable(outdir, error.strerror) from None


def write_results(analysis: Analysis, outdir: Path) -> dict[str, Path]:
    """Write what an analysis holds into a folder; return the files by what they hold."""
    files = {"configuration": outdir / "config.yaml"}
    analysis.config.write(files["configuration"], overwrite=True)
    for step in STEPS:
        files |= step.write(analysis.results, outdir)
    return files
