"""The files of a model document, YAML and the covariance table, and models handed to Gammapy and taken over from it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from astropy import units as u

from xgamma import bridges
from xgamma.axes import FloatArray
from xgamma.bridges.names import ModelValues, places_of, places_of_either, plain_name
from xgamma.errors import ConfigError, MissingInputError, did_you_mean
from xgamma.formats.local_files import local_path, read_text, write_files
from xgamma.formats.yaml_documents import block_yaml, read_yaml
from xgamma.models.parameters import Covariance, Parameters, link_labels

ENERGIES = np.geomspace(0.1, 10, 5) * u.TeV
# As far as two programs agree on special functions, and far below any error of a flux.
AGREEMENT = 1e-6
NOTHING = 1e-30


class Exchanged(Protocol):
    """What ``Models`` and a component have in common."""

    @property
    def parameters(self) -> Parameters:
        """The parameters, in order."""

    @property
    def parameters_unique_names(self) -> list[str]:
        """``model.type.parameter`` of each."""

    @property
    def covariance(self) -> Covariance:
        """Their covariance."""

    @covariance.setter
    def covariance(self, covariance: Any) -> None: ...


def models_of_gammapy(held: Exchanged, models: Sequence[Any]) -> Any:
    """Return ``Models`` of Gammapy for ``Models`` or a component, of which ``models`` are all components."""
    labels = link_labels(held.parameters)
    components = [model.to_dict(full_output=True, labels=labels) for model in models]
    names = [plain_name(name) for name in held.parameters_unique_names]
    described = ModelValues({"components": components}, names, held.covariance.data)
    theirs = bridges.models.to_gammapy(described, [parameter.to_dict() for parameter in held.parameters])
    validate_alike(models, theirs)
    return theirs


def validate_alike(ours: Iterable[Any], theirs: Iterable[Any]) -> None:
    """Raise ``ConfigError`` where a spectrum has other values in Gammapy: versions differ in what a parameter means."""
    for model, other in zip(ours, theirs, strict=True):
        if model.spectral_model is None:
            continue
        with np.errstate(all="ignore"):
            one = model.spectral_model(ENERGIES)
        there = bridges.models.values_of(other, ENERGIES, one.unit)
        # Beyond its table a template of Gammapy has no value.
        known = np.isfinite(one.value) & (np.isfinite(there) | ~np.isfinite(there).any())
        nothing = NOTHING * float(np.abs(one.value[known]).max(initial=0.0))
        unlike = known & ~np.isclose(one.value, there, rtol=AGREEMENT, atol=nothing)
        if unlike.any():
            at = int(np.argmax(unlike))
            raise ConfigError(
                f"Model {model.name!r}: {type(model.spectral_model).__name__} is another spectrum in the installed "
                f"Gammapy: at {ENERGIES[at]:.3g} {there[at]:.3g}, here {one[at]:.3g}. Replace it first."
            )


def described_by_gammapy(models: Any) -> ModelValues:
    """Return models of Gammapy as plain values."""
    described: ModelValues = bridges.models.from_gammapy(models)
    return described


def complete_from_gammapy(held: Exchanged, models: Sequence[Any], theirs: Any, described: ModelValues) -> None:
    """Give ``Models`` or a component, made of a document, the covariance that belongs to it, and so the errors.

    Raises ``ConfigError`` where a spectrum is not what it is in Gammapy.
    """
    validate_alike(models, bridges.models.normalize_models(theirs))
    names = [plain_name(name) for name in held.parameters_unique_names]
    held.covariance = ordered_covariance(described.covariance, described.names, names)


log = logging.getLogger(__name__)

# ``checksum`` is written by other versions and holds for their bytes only.
_KEYS = ("components", "covariance", "metadata", "checksum")


def validate_document(data: Any) -> None:
    """Raise ``ConfigError`` unless ``data`` is a mapping with a list of components and nothing unknown."""
    if data is None:
        raise ConfigError("The model document is empty; expected a mapping with 'components', a list of models.")
    if not isinstance(data, Mapping):
        kind = "a list" if isinstance(data, list) else repr(str(data)[:60])
        raise ConfigError(f"The model document: expected a mapping with 'components', a list of models, got {kind}.")
    for key in data:
        if key not in _KEYS:
            raise ConfigError(f"The model document: unknown key {key!r}.{did_you_mean(str(key), _KEYS)}")
    if not isinstance(data.get("components", ()), list | None):
        raise ConfigError("The model document: expected 'components' to be a list, one entry a model.")


def read_document(filename: str | Path) -> tuple[Any, Path]:
    """Return a YAML file's content and its folder; raises ``MissingInputError`` also for its covariance file."""
    path = local_path(filename)
    data = read_yaml(path, "model document")
    validate_document(data)
    name = data.get("covariance")
    if name and _locate(name, path.parent) is None:
        raise MissingInputError(
            f"The covariance file {name!r} that {path} names is not there; put it into {path.parent} or delete the "
            "line 'covariance:'."
        )
    return data, path.parent


def _locate(name: Any, folder: str | Path) -> Path | None:
    given = local_path(str(name))
    return next((path for path in (Path(folder) / given, given) if path.is_file()), None)


def find_covariance(name: Any, folder: str | Path, names: Sequence[str]) -> FloatArray | None:
    """Return the matrix of a covariance file in ``folder``; ``None``, with a warning, when it is not there."""
    path = _locate(name, folder)
    if path is None:
        log.warning("The covariance file %r is not there; the errors of the parameters stand alone.", str(name))
        return None
    return read_covariance(path, names)


def read_covariance(path: str | Path, names: Sequence[str]) -> FloatArray:
    """Return the matrix of a ``|``-separated table in the order of ``names`` (``model.type.parameter``).

    A name that the table does not hold has zeros: other versions know fewer parameters of some models.
    Raises ``MissingInputError``, and ``ConfigError`` for a table that is not square or holds other names.
    """
    text = read_text(local_path(path), "covariance file")
    rows = [line.strip().removeprefix("|").removesuffix("|") for line in text.splitlines() if line.strip()][1:]
    # A name may hold the mark between the columns: of those there are as many as rows.
    cells = [row.rsplit("|", len(rows)) for row in rows]
    found = [row[0].strip() for row in cells]
    try:
        matrix = np.array([[float(cell) for cell in row[1:]] for row in cells], dtype=float)
    except ValueError as error:
        raise ConfigError(f"The covariance file {path}: expected a table of numbers; {error}.") from None
    known = [_cell(name) for name in names]
    places = places_of_either(found, known)
    if places is None or matrix.shape != (len(found), len(found)):
        foreign = sorted(set(found) - set(known))
        raise ConfigError(
            f"The covariance file {path}: expected a square table of the parameters of these models, got shape "
            f"{matrix.shape}{f' with {foreign[0]!r}' if foreign else ''}. Write it again with the models."
        )
    return _placed(matrix, places, len(names))


def ordered_covariance(matrix: FloatArray, found: Sequence[str], names: Sequence[str]) -> FloatArray:
    """Return a matrix over the parameters ``found`` in the order of ``names``, with zeros for what it does not hold."""
    return _placed(matrix, places_of(found, names), len(names))


def _placed(matrix: FloatArray, places: Sequence[int], size: int) -> FloatArray:
    result = np.zeros((size, size))
    result[np.ix_(places, places)] = matrix
    return result


def _cell(name: str) -> str:
    """Return a name as it stands in a table: one line, without blanks at its ends."""
    return (name if name.isprintable() else name.encode("unicode_escape").decode("ascii")).strip()


def covariance_text(names: Sequence[str], matrix: FloatArray) -> str:
    """Return the table of a covariance file: parameter names, then one column a parameter."""
    columns = [["Parameters", *map(_cell, names)]]
    columns += [[str(number), *(repr(float(value)) for value in matrix[:, number])] for number in range(len(names))]
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "| " + " | ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in zip(*columns, strict=True)
    ]
    return "\n".join(lines) + "\n"


def write_document(path: str | Path, document: Mapping[str, Any], covariance: str | None, overwrite: bool) -> None:
    """Write the YAML, and ``<stem>_covariance.dat`` beside it, whose name enters the document: both or none.

    Raises ``OutputExistsError``, ``OutputError``; see ``formats.local_files.write_files``.
    """
    target = local_path(path)
    content = dict(document)
    contents: dict[Path, bytes] = {}
    if covariance is not None:
        beside = target.with_name(f"{target.stem}_covariance.dat")
        metadata = {"metadata": content.pop("metadata")} if "metadata" in content else {}
        content = {**content, "covariance": beside.name, **metadata}
        contents[beside] = covariance.encode()
    contents[target] = block_yaml(content).encode()
    write_files(contents, overwrite=overwrite)
