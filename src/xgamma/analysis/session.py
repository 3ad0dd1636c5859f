"""``Analysis``: the steps of an analysis, driven by a configuration, over a store."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from xgamma import reduce
from xgamma.analysis import products
from xgamma.analysis.healing import heals
from xgamma.analysis.modelled import Modelled
from xgamma.analysis.observations import Observations
from xgamma.analysis.reading import read_observations
from xgamma.analysis.reduction import lost_counts, reduced_observations, views_of_unused
from xgamma.analysis.rows import failed_rows
from xgamma.analysis.stacks import group_labels, log_found, stacked
from xgamma.analysis.unused import UnusedRun, nothing_selected
from xgamma.axes import Axis, BoolArray
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import (
    points_of,
    recipe_of,
    release_of,
    validate_fit_range,
    validate_points_edges,
    validate_workers,
)
from xgamma.datasets import Datasets, FluxPoints, FluxPointsDataset
from xgamma.errors import ConfigTypeError, LaterError, OrderError
from xgamma.execute import Workers, collector_at_rest, one_cluster
from xgamma.fit import Fit, FitResult, mask_fit
from xgamma.ingest import FitsRelease, StoredRelease
from xgamma.models.models import Models
from xgamma.reduce import joined_rows
from xgamma.store import Store, dataset_digest

log = logging.getLogger(__name__)

LOGGED = ("e_ref", "dnde", "dnde_ul", "dnde_err", "sqrt_ts")


class Analysis(Modelled):
    """The steps of an analysis, as the configuration says.

    What a step makes is kept in the store ``general.store``, so that the same request is computed once.

    Parameters
    ----------
    config
        An ``AnalysisConfig`` or a mapping of its sections.
    store
        The store of products, where it is open already; otherwise that of ``general.store``.
    release
        The release of ``observations.datastore``, where it is open already; the first look at it takes that.

    Raises
    ------
    ConfigError
        When the configuration breaks a rule; nothing has been done then.

    Examples
    --------
    >>> analysis = Analysis(AnalysisConfig.read("config.yaml"))  # doctest: +SKIP
    >>> analysis.get_observations()  # doctest: +SKIP
    >>> analysis.get_datasets()  # doctest: +SKIP
    """

    def __init__(
        self,
        config: AnalysisConfig | Mapping[str, Any],
        store: Store | None = None,
        release: FitsRelease | StoredRelease | None = None,
    ) -> None:
        self.config = _normalize_config(config)
        self.config.set_logging()
        self.datastore: FitsRelease | StoredRelease | None = None
        self.observations: Observations | None = None
        self.datasets = None
        self.fit = Fit()
        self.fit_result: FitResult | None = None
        self.flux_points: FluxPointsDataset | None = None
        self.computed: set[str] = set()
        """The steps that found less than everything in the store."""
        self._store = store
        self._release = release
        self._retries_failed = False
        self._dataset_keys: dict[int, str] = {}
        self._fit_key: tuple[str, str] | None = None
        self.unused_runs: list[UnusedRun] = []
        """The runs that the last reduction could not use, with stage, kind and message."""

    @property
    def store(self) -> Store:
        """The product store, made when it is first used."""
        if self._store is None:
            self._store = Store(self.config.general.store_location())
        return self._store

    # --- observations

    @heals
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
        config = self._frozen(files=True)
        self._retries_failed = retry_failed
        log.info("Fetching observations.")
        with collector_at_rest():
            opened, self._release = self._release, None
            self.datastore = opened or release_of(config)
        how = self._workers(config), retry_failed, rehash
        self.observations = read_observations(self.datastore, config, self.store, *how)
        if self.observations.holdings.ingested:
            self.computed.add("observations")
            log.info("Ingested %d runs into %s.", len(self.observations.holdings.ingested), self.store.url)
        log.info("Number of selected observations: %d", len(self.observations))

    def read_again(self) -> None:
        """Get the observations anew, where they were got before, as the store no longer holds them all."""
        if self.observations is not None:
            self.get_observations(self._retries_failed)

    # --- reduction

    @heals
    def get_datasets(self) -> None:
        """Reduce the observations to spectra, and stack them where the configuration says so.

        Raises
        ------
        OrderError
            Before ``get_observations``.
        LaterError
            For maps.
        """
        observations, config = self._observations_to_reduce(), self._frozen(complete=True)
        recipe, workers = recipe_of(config), self._workers(config)
        log.info("Reducing spectrum datasets.")
        if recipe.background is None:
            log.warning("datasets.background.method is not set: the counts have no background.")
        with one_cluster(workers):
            rows, self.unused_runs, failed = reduced_observations(
                observations, config, recipe, self.store, self.datastore, workers
            )
            if config.datasets.stack:
                labels = group_labels(observations, recipe.grid, config.datasets.stack_by)
                data, key, found = stacked(self.store, rows, labels, workers)
                log_found(data.sizes["dataset"], found)
                # A stack has no row for them.
                held = self._hold(data, key)
                held.unused = [*held.unused, *views_of_unused(rows, recipe, failed)]
                is_found = found == data.sizes["dataset"]
            else:
                masked = [failed_rows(rows, recipe, failed)] if failed else []
                everything = joined_rows([rows.read(), *masked])
                self._hold(everything, dataset_digest(everything))
                is_found = True
        if not is_found or rows.found < len(rows):
            self.computed.add("datasets")
        if rows.found < len(rows):
            # Of rows that were found it was said when they were made: opening their responses would cost more.
            remark = lost_counts(observations, rows, recipe, self._held)
            if remark:
                log.warning("%s", remark)

    def _observations_to_reduce(self) -> Observations:
        if self.observations is None:
            raise OrderError("There are no observations to reduce; call get_observations() first.")
        if len(self.observations) == 0:
            raise nothing_selected(self.observations.holdings.failures, self.observations.dropped)
        return self.observations

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
        observations = self._observations_to_reduce()
        pieces = [(observations.holdings.parts[key], rows) for key, rows in observations.rows]
        spectra: xr.Dataset = reduce.lazy_spectra(pieces, recipe_of(self._frozen(complete=True)))
        return spectra

    def _hold(self, data: xr.Dataset, key: str) -> Datasets:
        self.datasets = Datasets.from_xarray(data)
        self._dataset_keys = {id(data): key}
        # Its key speaks of these bytes: whoever wants others takes a copy.
        for variable in data.variables.values():
            if isinstance(variable.data, np.ndarray):
                variable.data.flags.writeable = False
        # Views refer to the Dataset; this keeps it, and so its id, alive.
        self._held = data
        return self.datasets

    @property
    def unused(self) -> list[tuple[str, str]]:
        """The name and the reason of each run that the last reduction could not use."""
        return [(run.name, run.message) for run in self.unused_runs]

    # --- fit and flux points

    @heals
    def run_fit(self) -> None:
        """Fit the models to the datasets in ``fit.fit_range``.

        Raises
        ------
        OrderError
            Before there are datasets with models.
        """
        datasets, models = self._ready_to_fit()
        log.info("Fitting datasets.")
        log.info("%s", _fit_range_report(datasets))
        seen, inputs = self._seen(datasets), datasets.fit_inputs()
        result, key, found = products.fitted(self.store, seen, inputs, models, self.fit.settings)
        self.fit_result, self._fit_key = result, (key, products.model_key(models))
        log.info("The fit was %s.", "found in the store" if found else "computed")
        if not found:
            self.computed.add("fit")
        log.info("%s", result)

    def fit_key(self) -> str:
        """Return the key under which ``run_fit`` looks for its result."""
        datasets, models = self._ready_to_fit()
        return products.fit_key(self._seen(datasets), models, self.fit.settings)

    def _ready_to_fit(self) -> tuple[Datasets, Models]:
        datasets, models = self._datasets_with_models("fit")
        minimum, maximum = self._frozen().fit.fit_range.bounds()
        axes = [Axis.from_coords(ds.coords, "energy") for ds in datasets.to_xarray()]
        for axis in axes[:1] if len(set(axes)) == 1 else []:
            validate_fit_range(axis, minimum, maximum)
        for _, views in itertools.groupby(datasets, key=lambda view: id(view.group)):
            inside: BoolArray | None = None
            for view in views:
                inside = mask_fit(view.group, minimum, maximum) if inside is None else inside
                row, region = view.position
                view.mask_fit = inside[row, region : region + 1]
        return datasets, models

    @heals
    def get_flux_points(self) -> None:
        """Estimate flux points of ``flux_points.source`` on the energies of ``flux_points.energy``.

        Raises
        ------
        OrderError
            Before there are datasets with models.
        ConfigError
            When the energies are not configured or the source is not one of the models.
        """
        request = self.flux_points_request()
        datasets, models = self._datasets_with_models("compute flux points of")
        is_set = any(energy is not None for energy in self.config.fit.fit_range.bounds())
        if is_set and any(view.fit_bins is None for view in datasets):
            log.warning("fit.fit_range is not applied to the flux points, because run_fit() was not called.")
        log.info("Calculating flux points.")
        points = products.flux_points_of(self.store, request, datasets.fit_inputs(), models)
        log.info("The flux points were %s.", "found in the store" if points.found else "computed")
        if not points.found:
            self.computed.add("flux_points")
        self.flux_points = FluxPointsDataset(data=FluxPoints(points.data), models=models[request.source])
        table = self.flux_points.data.to_table(sed_type="dnde", formatted=True)
        log.info("\n%s", table[[name for name in LOGGED if name in table.colnames]])

    def flux_points_request(self) -> products.PointsRequest:
        """Return what ``get_flux_points`` asks for, with the key under which it looks for it."""
        datasets, models = self._datasets_with_models("compute flux points of")
        config = self._frozen()
        edges, parameters = points_of(config)
        validate_points_edges(Axis.from_coords(datasets.fit_inputs()[0].data.coords, "energy"), edges)
        models_key = products.model_key(models)
        if self._fit_key is not None and self._fit_key[1] == models_key:
            models_key = self._fit_key[0]
        return products.PointsRequest(self._seen(datasets), models_key, config.flux_points.source, edges, parameters)

    def get_excess_map(self) -> None:
        """Compute an excess map: not in this version."""
        raise LaterError(
            "Excess maps are not computed by this version of xgamma: it reduces spectra (datasets.type: 1d)."
        )

    def get_light_curve(self) -> None:
        """Compute a light curve: not in this version."""
        raise LaterError(
            "Light curves are not computed by this version of xgamma; flux points of time intervals can be had by "
            "observations.obs_time."
        )

    def update_config(self, config: str | Mapping[str, Any] | AnalysisConfig) -> None:
        """Merge a configuration into this one: of an ``AnalysisConfig`` the values that are not defaults."""
        if not isinstance(config, str | Mapping | AnalysisConfig):
            raise ConfigTypeError(
                f"update_config: expected a YAML text, a mapping or an AnalysisConfig, got a {type(config).__name__}."
            )
        self.config = self.config.update(config)

    # --- inside

    def _frozen(self, *, complete: bool = False, files: bool = False) -> AnalysisConfig:
        """Return a checked copy, so that what a user changes meanwhile does not reach a step."""
        frozen = self.config.model_copy(deep=True)
        frozen.check(complete=complete, files=files)
        return frozen

    def _workers(self, config: AnalysisConfig) -> Workers:
        workers = Workers(config.general.n_jobs, config.general.scheduler)
        validate_workers(workers, self.store.url)
        return workers

    def _seen(self, datasets: Datasets) -> str:
        """Return the key of what a likelihood sees; Datasets of other origin are keyed by their content."""
        inputs = datasets.fit_inputs()
        keys = [self._dataset_keys.get(id(one.data)) or dataset_digest(one.data) for one in inputs]
        return products.datasets_key(inputs, keys)


def _normalize_config(config: Any) -> AnalysisConfig:
    if isinstance(config, Mapping):
        config = AnalysisConfig(**config)
    if not isinstance(config, AnalysisConfig):
        raise ConfigTypeError(f"Analysis: expected an AnalysisConfig or a mapping, got a {type(config).__name__}.")
    config.check()
    return config


def _fit_range_report(datasets: Datasets) -> str:
    """Return which energies a fit uses, and how many safe counts it leaves out."""
    used: list[float] = []
    left_out = 0.0
    for one in datasets.fit_inputs():
        ds, bins = one.data, one.used
        used += ds["energy_bounds"].values[bins.any(axis=(0, 1))].ravel().tolist()
        left_out += float(ds["counts"].values[ds["mask_safe"].values & ~bins].sum())
    energies = f"{min(used):.4g} to {max(used):.4g} TeV" if used else "no bin"
    return f"The fit uses {energies}; {left_out:.0f} safe counts are left out."
