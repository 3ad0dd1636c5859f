"""``AnalysisConfig``: the declaration of an analysis, in Python and as YAML."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TextIO

from pydantic import PlainValidator, WithJsonSchema

from xgamma.config import rules
from xgamma.config.estimate_sections import ExcessMapConfig, FluxPointsConfig, LightCurveConfig
from xgamma.config.fields import Choice
from xgamma.config.maps import step_problems
from xgamma.config.section import OneOrSeveral, Section, key, subsection
from xgamma.config.section_fields import Models
from xgamma.config.sections import DatasetsConfig, FitConfig, GeneralConfig, LogConfig, ObservationsConfig
from xgamma.errors import ConfigError, ConfigTypeError, MissingInputError, OutputError
from xgamma.execute import is_notebook
from xgamma.formats.local_files import is_there, local_path, read_text, write_files
from xgamma.formats.yaml_documents import mixed_yaml, sections_of_yaml

STEP = Choice(("observations", "datasets", "excess_map", "fit", "flux_points", "light_curve"))
Steps = Annotated[list[str], PlainValidator(STEP.each), WithJsonSchema({"type": "array", "items": STEP.schema()})]

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class AnalysisConfig(Section):
    """The declaration of an analysis.

    Every field is validated when it is set; rules between fields are checked by ``from_yaml``, ``read``, ``write`` and
    ``check``. All problems are in one ``ConfigError`` with one line for each, which starts with the path of the key.

    Examples
    --------
    >>> config = AnalysisConfig.from_yaml("datasets: {geom: {axes: {energy: {min: 500 GeV}}}}")
    >>> config.datasets.geom.axes.energy.min
    <Quantity 500. GeV>
    """

    silent = frozenset({"models", "steps"})

    general: GeneralConfig = subsection(GeneralConfig)
    observations: ObservationsConfig = subsection(ObservationsConfig)
    datasets: OneOrSeveral[DatasetsConfig] = subsection(
        DatasetsConfig, "How the datasets are made; each mapping of a list makes its own, which are fitted together."
    )
    fit: FitConfig = subsection(FitConfig)
    flux_points: FluxPointsConfig = subsection(FluxPointsConfig)
    excess_map: ExcessMapConfig = subsection(ExcessMapConfig)
    light_curve: LightCurveConfig = subsection(LightCurveConfig)
    models: Models | None = key(None, "A models document, or the path of one.")
    steps: Steps | None = key(None, "The steps to run; null is all that the configuration requests.")

    def __init__(self, **data: Any) -> None:
        # Gammapy 2.1 writes a block about the file itself, which says nothing about the analysis.
        data.pop("metadata", None)
        super().__init__(**data)

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @property
    def entries(self) -> dict[str, DatasetsConfig]:
        """The entries of ``datasets`` by their path: one where it is a mapping."""
        return dict(_entries(self.datasets))

    @classmethod
    def from_yaml(cls, config_str: str) -> Self:
        """Read a YAML text; raises ``ConfigError``."""
        config = cls(**sections_of_yaml(config_str))
        # Each field was checked just now.
        config._check_rules()
        return config

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read a YAML file; raises ``ConfigError``, ``MissingInputError`` or ``InputError``."""
        file = local_path(path)
        text = read_text(file, "configuration file")
        try:
            return cls.from_yaml(text)
        except ConfigError as error:
            raise error.of(file) from None

    def write(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Write the configuration as YAML, whole or not at all.

        Raises
        ------
        ConfigError
            When a rule between fields is broken.
        OutputExistsError, OutputError
            When the file exists and ``overwrite`` is false, or when it cannot be written.
        """
        self.check()
        write_files({local_path(path): self.to_yaml().encode()}, overwrite=overwrite)

    def to_yaml(self) -> str:
        """Return the YAML text."""
        return mixed_yaml(self.document())

    def update(self, config: str | Mapping[str, Any] | AnalysisConfig | None = None, **sections: Any) -> Self:
        """Return a configuration with the values of another one merged in.

        Lists and ``models`` are replaced, mappings are merged.

        Parameters
        ----------
        config
            YAML text or a mapping: all of its keys; an ``AnalysisConfig``: its values that are not defaults.
        **sections
            The same by keyword, for example ``fit={"fit_range": {"min": "1 TeV"}}``.
        """
        merged = _merged(self.document(), _given(config))
        return type(self)(**_merged(merged, sections))

    def check(self, *, complete: bool = False, files: bool = False) -> None:
        """Check every field again and the rules between fields.

        Parameters
        ----------
        complete
            Whether the keys that data reduction needs must be set, such as ``datasets.on_region``.
        files
            Whether the files that the configuration names must exist.

        Raises
        ------
        ConfigError
            With one line for each problem.
        MissingInputError
            When the only problems are missing files.
        """
        # Lists and mappings can be changed in place, which no assignment validates.
        type(self)(**self.document())
        self._check_rules(complete=complete, files=files)

    def _check_rules(self, *, complete: bool = False, files: bool = False) -> None:
        problems = [*self._problems(), *(self._incomplete() if complete else ())]
        if problems:
            raise ConfigError("\n".join(problems))
        missing = list(self._missing()) if files else []
        if missing:
            raise MissingInputError("\n".join(missing))

    def _problems(self) -> Iterator[str]:
        yield from rules.observations_problems(self.observations)
        for where, entry in self.entries.items():
            yield from rules.at_entry(where, rules.datasets_problems(entry))
        yield from rules.entries_problems(self.entries)
        yield from rules.range_problems(self.fit.fit_range)
        for each in (self.fit, self.flux_points):
            yield from rules.each_problems(each, self.entries)
        for axis in (self.flux_points.energy, self.excess_map.energy_edges, self.light_curve.energy_edges):
            yield from rules.requested_axis_problems(axis)
        yield from rules.time_problems(self.light_curve.time_intervals)
        for section in (self.flux_points, self.light_curve):
            if self.requests_step(section.where):
                yield from rules.source_problems(section, self.models)
        if self.requests_step(self.flux_points.where):
            yield from rules.energies_problems(self.flux_points.energy, "flux points")
        if self.requests_step(self.light_curve.where):
            yield from rules.energies_problems(self.light_curve.energy_edges, "a light curve")
        yield from rules.time_bins_problems(self.light_curve)
        yield from step_problems(self.entries, self.planned_steps())

    def _incomplete(self) -> Iterator[str]:
        for where, entry in self.entries.items():
            yield from rules.at_entry(where, rules.completeness_problems(entry))

    def _missing(self) -> Iterator[str]:
        entries = self.entries.items()
        own = {f"{where}.observations": entry.observations for where, entry in entries if entry.observations}
        shared = {"observations": self.observations} if self.are_shared else {}
        inputs: dict[str, Any] = {}
        for where, section in (shared | own).items():
            inputs |= {f"{where}.datastore": section.datastore, f"{where}.obs_file": section.obs_file}
        inputs |= {path: place for where, entry in entries for path, place in _region_files(where, entry)}
        yield from rules.file_problems({**inputs, "models": self.models})
        for where, entry in entries:
            yield from rules.read_problems(f"{where}.read", entry.read or ())

    @property
    def are_shared(self) -> bool:
        """Whether datasets are made of the section ``observations``."""
        return any(entry.read is None and entry.observations is None for entry in self.entries.values())

    @property
    def are_observed(self) -> bool:
        """Whether datasets are made of observations, and not all read from files."""
        return any(entry.read is None for entry in self.entries.values())

    def planned_steps(self) -> list[str]:
        """Return the steps to run, in order: those given, else all that the configuration requests."""
        return [word for word in STEP.words if self.requests_step(word)]

    def requests_step(self, step: str) -> bool:
        """Whether a step is to be run: it is named in ``steps``; where that is null, its section requests it."""
        if self.steps is not None:
            return step in self.steps
        section = getattr(self, step)
        return isinstance(section, list) or bool(section.is_requested(self))

    def set_logging(self) -> None:
        """Configure logging by ``general.log``."""
        configure_logging(self.general.log)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the YAML, for editors and validators."""
        schema = cls.model_json_schema()
        schema["properties"]["metadata"] = {"type": "object", "description": "Written by Gammapy; not used."}
        return {"$schema": SCHEMA_DIALECT, **schema}


def _entries(datasets: Any) -> list[tuple[str, Any]]:
    """Return what ``datasets`` holds, each with its path."""
    if isinstance(datasets, list | tuple):
        return [(f"datasets[{number}]", entry) for number, entry in enumerate(datasets)]
    return [("datasets", datasets)]


def _region_files(where: str, datasets: DatasetsConfig) -> Iterator[tuple[str, Any]]:
    """Yield the files with regions that an entry of ``datasets`` names, each with its path in the configuration."""
    for path, region in rules.region_paths(datasets).items():
        yield f"{path.replace(DatasetsConfig.where, where, 1)}.file", region.file
    excluded = datasets.background.exclusion
    for number, each in enumerate(excluded if isinstance(excluded, list) else []):
        yield f"{where}.background.exclusion[{number}].file", each.file
        yield f"{where}.background.exclusion[{number}].catalog", each.catalog
    yield f"{where}.background.exclusion", excluded


def _given(config: str | Mapping[str, Any] | AnalysisConfig | None) -> dict[str, Any]:
    if config is None:
        return {}
    if isinstance(config, AnalysisConfig):
        return given_document(config)
    if isinstance(config, str):
        return sections_of_yaml(config)
    if isinstance(config, Mapping):
        return dict(config)
    raise ConfigTypeError(
        f"Expected YAML text, a mapping or an AnalysisConfig to update from, got {type(config).__name__}."
    )


def given_document(config: AnalysisConfig) -> dict[str, Any]:
    """Return the part of a configuration that differs from the defaults."""
    return _difference(config.document(), AnalysisConfig().document())


def _difference(document: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a document that differs from ``default``."""
    different: dict[str, Any] = {}
    for name, value in document.items():
        if name not in default:
            different[name] = value
        elif isinstance(value, Mapping) and isinstance(default[name], Mapping):
            below = _difference(value, default[name])
            different |= {name: below} if below else {}
        elif value != default[name]:
            different[name] = value
    return different


def _merged(document: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(document)
    for name, value in given.items():
        is_section = name != "models" and isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merged(merged[name], value) if is_section else value
    return merged


HANDLER_NAME = "xgamma-config"


def configure_logging(log: LogConfig) -> None:
    """Set level, file and format of xgamma's log messages; replaces the settings of an earlier call.

    Without a file, messages go to the handlers of the root logger if it has any (applications), also if it gets them
    later, so that nothing is shown twice, and to standard error otherwise. In a notebook, which shows standard error as
    if something had gone wrong, only warnings and errors go there. Loggers of other libraries are not changed.
    """
    logger = logging.getLogger("xgamma")
    for handler in [known for known in logger.handlers if known.get_name() == HANDLER_NAME]:
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(log.level.upper())
    logger.addHandler(_handler(log))


class _OwnStream(logging.StreamHandler[TextIO]):
    """Writes where the streams of the process are now, as long as the root logger has no handlers."""

    def emit(self, record: logging.LogRecord) -> None:
        if logging.getLogger().handlers:
            return
        self.stream = sys.stdout if is_notebook() and record.levelno < logging.WARNING else sys.stderr
        super().emit(record)


def _handler(log: LogConfig) -> logging.Handler:
    handler: logging.Handler = _OwnStream()
    if (path := log_file(log)) is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, mode=log.filemode or "a", delay=True)
    handler.setFormatter(logging.Formatter(log.format, log.datefmt))
    handler.set_name(HANDLER_NAME)
    return handler


def log_file(log: LogConfig) -> Path | None:
    """Return the file for messages, ``None`` for none; raises ``OutputError`` where none can be. Makes nothing."""
    if log.filename is None:
        return None
    if log.filename.is_url:
        raise OutputError(f"general.log.filename: expected a local file, got {log.filename}.")
    path = Path(log.filename.expanded())
    if path.is_dir():
        raise OutputError(f"general.log.filename: {path} is a folder; expected the name of a file.")
    nearest = next(each for each in path.absolute().parents if is_there(each))
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(
            f"general.log.filename: {path} cannot be written: {nearest} is no folder that can be; give another file."
        )
    return path
