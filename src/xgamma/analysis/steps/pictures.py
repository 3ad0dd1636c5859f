"""The pictures of runs and reports: products as all else, drawn when what they show, or their look, is another."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xgamma.analysis.steps.keys import made_from, model_key, seen_by
from xgamma.analysis.steps.step import Results, file_name
from xgamma.errors import DamagedError, StoreError
from xgamma.formats.local_files import write_files
from xgamma.plot import figures
from xgamma.plot.look import own_settings, style_digest
from xgamma.report import blocks
from xgamma.schema import Kind
from xgamma.schema.arrays import NamedArrays
from xgamma.schema.picture import PICTURE_SCHEMA, PICTURE_VARIABLES, SCHEMA_VERSION
from xgamma.schema.tables import head
from xgamma.store import Store, dataset_digest, digest
from xgamma.store.lineage import MADE_FROM, with_contents

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)

PICTURES_VERSION = 1
ESTIMATES = (Kind.POINTS, Kind.LIGHT_CURVE, Kind.FIT_EACH, Kind.POINTS_EACH, Kind.EXCESS_MAP)
"""What pictures can show besides datasets and models."""


def write_pictures(
    results: Results,
    outdir: Path,
    step: str,
    draw: Callable[[], Mapping[str, Figure]],
    shown: Sequence[NamedArrays] = (),
    details: Any = None,
) -> dict[str, Path]:
    """Write the pictures of a step as ``NAME.png``; return them by what they hold.

    Parameters
    ----------
    results, outdir
        What was made, of which datasets and models decide what a picture shows, and where pictures go.
    step
        What they are pictures of.
    draw
        Draws them, by name; it is called where the store does not hold them.
    shown, details
        What they show besides datasets and models: Datasets, and what JSON holds.
    """
    found = _found(results, _key(results, step, shown, details), step, draw, shown)
    paths = {name: outdir / f"{file_name(name)}.png" for name in found}
    changed = {path: found[name] for name, path in paths.items() if _content(path) != found[name]}
    write_files(changed, overwrite=True)
    return {f"{name} (picture)": path for name, path in paths.items()}


def _found(
    results: Results, key: str, step: str, draw: Callable[[], Mapping[str, Figure]], shown: Sequence[NamedArrays]
) -> dict[str, bytes]:
    """Return the pictures of a key by name: those of the store, else they are drawn and kept there."""
    data = _stored(results.store, key)
    if data is not None:
        return _files(data)
    drawn = {name: figures.png(figure) for name, figure in draw().items()}
    _keep(results, key, step, drawn, shown)
    return drawn


def _key(results: Results, step: str, shown: Sequence[NamedArrays], details: Any) -> str:
    request = {
        "step": Kind.PICTURE,
        "version": PICTURES_VERSION,
        "of": step,
        "look": [style_digest(), own_settings()],
        **_fitted(results),
        "shown": [dataset_digest(each) for each in shown],
        "details": details,
    }
    return digest(request)


def _fitted(results: Results) -> dict[str, Any]:
    """Return what of datasets and models decides a picture."""
    datasets = results.datasets
    if datasets is None:
        return {"title": [], "datasets": "", "models": []}
    models = datasets.models
    return {
        "title": [*datasets.names, *datasets.facts()],
        "datasets": seen_by(results, datasets),
        # By its bits, as JSON has no NaN, which errors that are not known are.
        "models": [model_key(models), np.asarray(models.covariance.data, "<f8").tobytes().hex()] if models else [],
    }


@contextmanager
def kept_drawings(results: Results, page: str, shown: Sequence[NamedArrays], details: Any) -> Iterator[None]:
    """Let the pictures of a page that are made meanwhile be those that the store holds; others are put there.

    Parameters
    ----------
    results, page, shown, details
        As of ``write_pictures``; what the page is.
    """
    key = _key(results, page, shown, details)
    data = _stored(results.store, key)
    with blocks.album({} if data is None else _drawings(data)) as opened:
        yield
    if data is None:
        drawn = opened.drawn
        files = {name: drawing.content for name, drawing in drawn.items()}
        sizes = {side: np.array([getattr(each, side) for each in drawn.values()]) for side in ("width", "height")}
        _keep(results, key, page, files, shown, {"media": [each.media for each in drawn.values()], **sizes})


def _stored(store: Store, key: str) -> NamedArrays | None:
    """Return the pictures that a store holds; damaged ones are set aside and drawn again."""
    if not store.has(Kind.PICTURE, key):
        return None
    try:
        data = store.get_arrays(Kind.PICTURE, key)
    except DamagedError as damage:
        log.warning("%s It is drawn again.", damage)
        # In a store that may only be read it stays.
        with contextlib.suppress(StoreError):
            store.set_aside(damage)
        return None
    return data


def _files(data: NamedArrays) -> dict[str, bytes]:
    ends = np.cumsum(data["size"].values)
    files = np.split(data["png"].values, ends[:-1])
    return {str(name): each.tobytes() for name, each in zip(data["picture"].values, files, strict=True)}


def _drawings(data: NamedArrays) -> dict[str, blocks.Drawing]:
    files = _files(data)
    facts = zip(*(data[name].values.tolist() for name in ("media", "width", "height")), strict=True)
    return {name: blocks.Drawing(content, *each) for (name, content), each in zip(files.items(), facts, strict=True)}


def _keep(
    results: Results,
    key: str,
    step: str,
    files: Mapping[str, bytes],
    shown: Sequence[NamedArrays],
    more: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Put pictures into a store; one that cannot be written has them drawn again the next time."""
    if not files:
        return
    values = {
        "picture": list(files),
        "size": np.array([len(content) for content in files.values()], dtype=np.int64),
        "png": np.frombuffer(b"".join(files.values()), dtype=np.uint8),
        **more,
    }
    variables = {
        name: (PICTURE_VARIABLES[name].dims, each, PICTURE_VARIABLES[name].attrs()) for name, each in values.items()
    }
    data = xr.Dataset(variables, attrs=head(PICTURE_SCHEMA, SCHEMA_VERSION) | {"step": step})
    try:
        sources = _made_from(results, shown)
        given = {MADE_FROM: sources} if sources else {}
        results.store.put(Kind.PICTURE, key, {"": data}, given, inputs=[each.partition("/")[2] for each in sources])
    except StoreError as error:
        log.info("Pictures are not kept: %s", error)


def _made_from(results: Results, shown: Sequence[NamedArrays]) -> list[str]:
    """Return the products that pictures show, ``kind/key``: what was estimated, datasets and models."""
    digests = [dataset_digest(each) for each in shown]
    wanted = [(kind, each) for kind in ESTIMATES for each in digests]
    estimates = [f"{record.kind}/{record.key}" for record in with_contents(results.store, wanted)]
    return list(dict.fromkeys([*estimates, *made_from(results)]))


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
