"""``Modelled``: the datasets of an analysis with their models, and the files that both are read from and written to."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xgamma.config.config import AnalysisConfig
from xgamma.datasets import Datasets
from xgamma.errors import ConfigTypeError, OrderError
from xgamma.models.models import Models

log = logging.getLogger(__name__)


class Modelled:
    """Datasets that hold models; the section ``general`` of the configuration says in which files."""

    config: AnalysisConfig
    datasets: Datasets | None

    # --- models

    @property
    def models(self) -> Models:
        """The models on the datasets; setting them replaces those that are there."""
        return self._holding_models().models

    @models.setter
    def models(self, models: Any) -> None:
        self.set_models(models, extend=False)

    def set_models(self, models: Any, extend: bool = True) -> None:
        """Set models on the datasets.

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
        datasets.models = given
        log.info("%s", given)

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

    # --- datasets in files

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
        self.datasets.write(path.expanded(), overwrite=overwrite)
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
