"""``Analysis``: the steps of an analysis, driven by a configuration, over a store."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from xgamma import fit, reduce
from xgamma.analysis.failures import heals
from xgamma.analysis.reported import Reported
from xgamma.analysis.selected import Selected
from xgamma.analysis.steps import STEPS
from xgamma.analysis.steps.fit import add_backgrounds
from xgamma.analysis.steps.observations import ObservationsStep
from xgamma.analysis.steps.reduce import observations_to_reduce
from xgamma.analysis.steps.step import Observed, Results
from xgamma.analysis.words import DescribedSteps
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import centred, observations_of, read_masks_again, recipe_of
from xgamma.datasets import Datasets
from xgamma.errors import ConfigError, ConfigTypeError, OrderError
from xgamma.execute import Workers, shared_workers
from xgamma.models.models import Models
from xgamma.outcome import UnusedRun
from xgamma.store import Store
from xgamma.warned import collected_warnings

if TYPE_CHECKING:
    from xgamma.datasets import ExcessMap, FluxPointsDataset, GroupFits, GroupPoints, LightCurve
    from xgamma.datasets.observations import Observations
    from xgamma.fit import FitResult
    from xgamma.ingest import FitsRelease, StoredRelease

log = logging.getLogger(__name__)


class Modelled:
    """Datasets that hold models; the section ``general`` of the configuration says in which files."""

    config: AnalysisConfig
    datasets: Datasets | None

    @property
    def models(self) -> Models:
        """The models on the datasets; setting them replaces those that are there."""
        return self._holding_models().models

    @models.setter
    def models(self, models: Any) -> None:
        self.set_models(models, extend=False)

    def set_models(self, models: Any, extend: bool = True) -> None:
        """Set models on the datasets, and beside them the norm of the expected background of each map.

        Such a ``FoVBackgroundModel`` is called ``{dataset}-bkg``; a map that one of the models is about gets none.

        Parameters
        ----------
        models
            ``Models``, a list of models, or a YAML text.
        extend
            Whether models that are there stay.

        Raises
        ------
        OrderError
            Before there are datasets.
        ConfigTypeError
            For anything else; a single model goes into a list.
        ConfigError
            When two models have one name.
        """
        datasets = self._holding_models()
        log.info("Reading model.")
        given = _normalize_models(models)
        if extend:
            given.extend(datasets.models)
        add_backgrounds(given, datasets)
        datasets.models = given
        log.debug("%s", given)

    def read_models(self, path: str | Path, extend: bool = True) -> None:
        """Read models from a YAML file and set them on the datasets."""
        self._holding_models()
        self.set_models(Models.read(path), extend)
        log.info("Models loaded from %s.", path)

    def write_models(self, overwrite: bool = True, write_covariance: bool = True) -> None:
        """Write the models to ``general.models_file``."""
        path = self.config.general.models_file
        if path is None:
            raise OrderError("general.models_file is not set; say there where the models go.")
        self.models.write(path.expanded(), overwrite=overwrite, write_covariance=write_covariance)
        log.info("Models written to %s.", path)

    def read_datasets(self) -> None:
        """Read datasets from ``general.datasets_file``, and their models from ``general.models_file``."""
        path = self.config.general.datasets_file
        if path is None:
            raise OrderError("general.datasets_file is not set; say there where the datasets are.")
        self.datasets = Datasets.read(path.expanded())
        log.info("Datasets loaded from %s.", path)
        if self.config.general.models_file is not None:
            self.read_models(self.config.general.models_file.expanded(), extend=False)

    def write_datasets(self, overwrite: bool = True, write_covariance: bool = True) -> None:
        """Write the datasets to ``general.datasets_file``, and their models to ``general.models_file``."""
        path = self.config.general.datasets_file
        if path is None:
            raise OrderError("general.datasets_file is not set; say there where the datasets go.")
        if self.datasets is None:
            raise OrderError("There are no datasets to write; call get_datasets() first.")
        # One size for all files: that of the first entry.
        first = next(iter(self.config.entries.values()))
        self.datasets.write(path.expanded(), overwrite, first.geom.wcs.binsize_irf)
        log.info("Datasets written to %s.", path)
        if self.config.general.models_file is not None:
            self.write_models(overwrite, write_covariance)

    # --- inside

    def _holding_models(self) -> Datasets:
        if self.datasets is None:
            raise OrderError("No datasets are there to hold models; call get_datasets() or read_datasets() first.")
        return self.datasets


def _normalize_models(models: Any) -> Models:
    if isinstance(models, str):
        return Models.from_yaml(models)
    if isinstance(models, Models | Sequence):
        return models if isinstance(models, Models) else Models(models)
    raise ConfigTypeError(
        f"set_models: expected Models, a list of models or a YAML text, got a {type(models).__name__}; "
        "put one model into a list."
    )


class Analysis(DescribedSteps, Modelled, Reported):
    """The steps of an analysis, as the configuration says.

    What a step makes is kept in the store ``general.store``, so that the same request is computed once.

    Parameters
    ----------
    config
        An ``AnalysisConfig`` or a mapping of its sections.
    store
        The store of products, where it is open already; otherwise that of ``general.store``.
    selected
        The selected runs as ``Request.selected`` returns them, where the releases were looked at already; the first
        ``get_observations`` takes them.

    Raises
    ------
    ConfigError
        When the configuration breaks a rule; nothing has been done then.

    Examples
    --------
    >>> analysis = Analysis(AnalysisConfig.read("config.yaml"))  # doctest: +SKIP
    >>> analysis.get_observations()  # doctest: +SKIP
    """

    def __init__(
        self,
        config: AnalysisConfig | Mapping[str, Any],
        store: Store | None = None,
        selected: Mapping[str, Selected] | None = None,
    ) -> None:
        self.config = _normalize_config(config)
        self.config.set_logging()
        self.datasets = None
        self.fit = fit.Fit()
        self.computed: set[str] = set()
        """The steps that found less than everything in the store."""
        self._store = store
        self._selected = selected
        self._retries_failed = False
        self._results: Results | None = None

    @property
    def store(self) -> Store:
        """The product store, made when it is first used."""
        if self._store is None:
            self._store = Store(self.config.general.store_location())
        return self._store

    # --- what the steps have made

    @property
    def results(self) -> Results:
        """All that the steps have made, for the next one."""
        made = Results(self.store) if self._results is None else self._results
        return dataclasses.replace(made, datasets=self.datasets)

    @property
    def releases(self) -> list[FitsRelease | StoredRelease]:
        """The releases that the observations come from."""
        observed = [] if self._results is None else list(self._results.observed.values())
        found = [each.release if each.selected is None else each.selected.release for each in observed]
        return [release for release in found if release is not None]

    @property
    def datastore(self) -> FitsRelease | StoredRelease | None:
        """The release that the observations come from; the first, where entries of ``datasets`` have their own."""
        return next(iter(self.releases), None)

    @property
    def observed(self) -> dict[str, Observations]:
        """The selected runs by the name of the entry of ``datasets`` whose own they are; others have no name."""
        observed = {} if self._results is None else self._results.observed
        return {name: each.observations for name, each in observed.items() if each.observations is not None}

    @property
    def observations(self) -> Observations | None:
        """The selected runs; raises ``ConfigError`` where entries of ``datasets`` have their own, as ``observed``."""
        observed = self.observed
        if len(observed) > 1:
            raise ConfigError(
                f"There are several observations, {', '.join(repr(name) for name in observed)}; take "
                "analysis.observed[name]."
            )
        return next(iter(observed.values()), None)

    @property
    def unused_runs(self) -> list[UnusedRun]:
        """The runs that the last reduction could not use, with stage, kind and message."""
        return [] if self._results is None else self._results.unused_runs

    @property
    def unused(self) -> list[tuple[str, str]]:
        """The name and the reason of each run that the last reduction could not use."""
        return [(run.name, run.message) for run in self.unused_runs]

    @property
    def fit_result(self) -> FitResult | None:
        """The result of the fit."""
        return None if self._results is None or self._results.fit is None else self._results.fit.data

    @property
    def flux_points(self) -> FluxPointsDataset | None:
        """The flux points; ``None`` where each entry of ``datasets`` has its own, as ``flux_points_of``."""
        return None if self._results is None else self._results.flux_points

    @property
    def flux_points_of(self) -> dict[str, FluxPointsDataset]:
        """The flux points of each entry of ``datasets`` by name, with ``flux_points.joint`` false."""
        return {} if self._results is None else dict(self._results.flux_points_of)

    @property
    def light_curve(self) -> LightCurve | None:
        """The light curve."""
        return None if self._results is None else self._results.light_curve

    @property
    def excess_map(self) -> ExcessMap | None:
        """The excess map; raises ``ConfigError`` where there is one of each of several stacks, as ``excess_maps``."""
        (first, *others), maps = list(self.excess_maps) or [""], self.excess_maps
        if others:
            raise ConfigError(f"There are {len(maps)} excess maps; take analysis.excess_maps[{first!r}], or another.")
        return maps.get(first)

    @property
    def excess_maps(self) -> dict[str, ExcessMap]:
        """The excess map of each stack by its name, such as those of nights."""
        return {} if self._results is None else dict(self._results.excess_maps)

    @property
    def fit_each(self) -> GroupFits | None:
        """The fits of each group of datasets by itself, where ``fit.each`` asks for them."""
        return None if self._results is None else self._results.fit_each

    @property
    def flux_points_each(self) -> GroupPoints | None:
        """The flux points of each group of datasets, where ``flux_points.each`` asks for them."""
        return None if self._results is None else self._results.flux_points_each

    # --- steps

    def get_observations(self, retry_failed: bool = False, rehash: bool = False) -> None:
        """Select the observations and ingest those that the store does not hold.

        Parameters
        ----------
        retry_failed
            Read only runs that failed before, and no new ones; those that the store holds are there as always.
        rehash
            Read files on this machine also where they kept their size and time, and compare.

        Raises
        ------
        MissingInputError
            When the datastore or a file that the configuration names is not there.
        UnknownNameError
            When an observation id is not in the datastore.
        InputError
            When a run cannot be read, and ``general.fail_fast`` is set.
        """
        self._retries_failed = retry_failed
        if rehash:
            read_masks_again(self.config, self.store)
        log.info("Fetching observations.")
        chosen, self._selected = self._selected, None
        if chosen is None:
            chosen = {each.name: each.selected() for each in ObservationsStep().wanted(self._frozen(files=True))}
        was = self.results.observed
        observed = {name: dataclasses.replace(was.get(name, Observed()), selected=own) for name, own in chosen.items()}
        self._results = dataclasses.replace(self.results, observed=observed)
        self.take("observations", files=True, retry_failed=retry_failed, rehash=rehash)

    def read_again(self) -> None:
        """Get the observations anew, where they were got before, as the store no longer holds them all."""
        if self.observed:
            self.get_observations(self._retries_failed)

    def get_datasets(self) -> None:
        """Reduce the observations to spectra or maps, and stack them where the configuration says so.

        Raises ``OrderError`` before ``get_observations``.
        """
        self.take("datasets", complete=True)

    def open_spectra(self) -> xr.Dataset:
        """Return the reduction of the observations as a lazy Dataset: its dims, units and size are known at once.

        Nothing is computed before it is used, and nothing of it is looked for in the store or put there:
        ``get_datasets`` does that. Rows are in the order of the parts that hold them.

        Raises
        ------
        OrderError
            Before ``get_observations``.

        Examples
        --------
        >>> spectra = analysis.open_spectra()  # doctest: +SKIP
        >>> spectra["counts"].sel(energy=slice(1, 10)).sum("energy").compute()  # doctest: +SKIP
        """
        config = centred(self._frozen(complete=True), self.results.pointings)
        name = next((each.name for each in observations_of(config)), "")
        observations = observations_to_reduce(self.results, name)
        pieces = [(observations.holdings.parts[key], rows) for key, rows in observations.rows]
        spectra: xr.Dataset = reduce.lazy_spectra(pieces, recipe_of(config))
        return spectra

    def run_fit(self) -> None:
        """Fit the models to the datasets in ``fit.fit_range``.

        Raises
        ------
        OrderError
            Before there are datasets with models.
        """
        self.take("fit", settings=self.fit.settings, tells=True)

    def get_flux_points(self) -> None:
        """Estimate flux points of ``flux_points.source`` on the energies of ``flux_points.energy``.

        Raises
        ------
        OrderError
            Before there are datasets with models.
        ConfigError
            When the energies are not configured or the source is not one of the models.
        """
        self.take("flux_points", tells=True)

    def get_light_curve(self) -> None:
        """Estimate the light curve of ``light_curve.source`` in bins of time and energy.

        Raises
        ------
        OrderError
            Before there are datasets with models.
        ConfigError
            When the energies are not configured, the source is not one of the models or has no free norm, or no
            interval of time holds a dataset.
        """
        self.take("light_curve", tells=True)

    @heals
    def take(
        self, /, section: str, *, complete: bool = False, files: bool = False, tells: bool = False, **options: Any
    ) -> None:
        """Take the steps of a section: what the store holds is found, what is missing computed and put there.

        Parameters
        ----------
        section
            A word of ``steps``.
        complete, files
            What is checked of the configuration, as by ``AnalysisConfig.check``.
        tells
            Whether the numbers are logged, which the command line prints by itself.
        **options
            What is wanted beyond the configuration, such as ``retry_failed`` of the observations.
        """
        results = self.results
        steps = [step for step in STEPS if step.section == section]
        for step in steps:
            step.validate_order(results)
        config = centred(self._frozen(complete=complete, files=files), results.pointings)
        workers = Workers(config.general.n_jobs, config.general.scheduler)
        results = dataclasses.replace(results, workers=workers, computed=frozenset())
        with shared_workers(workers), collected_warnings():
            for step in steps:
                for wanted in step.wanted(config):
                    results = step.compute(dataclasses.replace(wanted, **options), results)
        self._results, self.datasets = results, results.datasets
        self.computed |= results.computed
        for table in [table for step in steps for table in step.tables(results)] if tells else ():
            log.info("%s", table)

    def get_excess_map(self) -> None:
        """Make the excess map of the stack, or of each of several stacks.

        Raises ``OrderError`` before there are datasets, ``ConfigError`` or ``DataError`` for what has no such map.
        """
        self.take("excess_map", tells=True)

    def update_config(self, config: str | Mapping[str, Any] | AnalysisConfig) -> None:
        """Merge a configuration into this one: of an ``AnalysisConfig`` the values that are not defaults."""
        if not isinstance(config, str | Mapping | AnalysisConfig):
            raise ConfigTypeError(
                f"update_config: expected a YAML text, a mapping or an AnalysisConfig, got a {type(config).__name__}."
            )
        self.config = self.config.update(config)

    def _frozen(self, *, complete: bool = False, files: bool = False) -> AnalysisConfig:
        """Return a checked copy, so that what a user changes meanwhile does not reach a step."""
        frozen = self.config.model_copy(deep=True)
        frozen.check(complete=complete, files=files)
        return frozen


def _normalize_config(config: Any) -> AnalysisConfig:
    if isinstance(config, Mapping):
        config = AnalysisConfig(**config)
    if not isinstance(config, AnalysisConfig):
        raise ConfigTypeError(f"Analysis: expected an AnalysisConfig or a mapping, got a {type(config).__name__}.")
    config.check()
    return config
