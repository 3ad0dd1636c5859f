"""Writing a simulated release: one file a run, responses in it or shared, the truth, and the index last."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xgamma.errors import OutputError, OutputExistsError
from xgamma.formats.fits.encoding import HeaderValue, hdu_bytes
from xgamma.formats.gadf.layouts import LAYOUTS
from xgamma.formats.gadf.write import (
    INDEX_FILES,
    IndexedHdu,
    events_hdu,
    gti_hdu,
    hdu_index_hdu,
    irf_hdu,
    write_fits,
    write_index,
)
from xgamma.formats.local_files import new_folder, write_inside
from xgamma.formats.yaml_documents import block_yaml
from xgamma.simulate.events import Emission, event_columns, expected_events
from xgamma.simulate.plan import Plan, PlannedRun, Source, plan_document
from xgamma.simulate.sources import SimulatedSource, sources_of
from xgamma.simulate.tables import gti_header, obs_index, response_tables, run_header

TRUTH = "truth.yaml"
MODELS = "models.yaml"
DATA = "data"


@dataclass(frozen=True)
class Release:
    """What ``simulate`` wrote to ``path``: the ``obs_ids`` of plan ``name``, how many ``events``, ``size`` in bytes."""

    path: Path
    name: str
    obs_ids: tuple[int, ...]
    events: int
    size: int

    def __str__(self) -> str:
        return f"{self.name}: {len(self.obs_ids)} runs, {self.events:,} events, {self.size / 1e6:.1f} MB in {self.path}"


@dataclass(frozen=True)
class _EncodedIrfs:
    """The responses of one efficiency: encoded once, written into each run file or into one shared file."""

    encoded: tuple[bytes, ...]
    kinds: tuple[str, ...]
    shared: tuple[str, int] | None


@dataclass(frozen=True)
class _Written:
    """What the index tables need to know of a run, small enough to be kept for all of them."""

    run: PlannedRun
    events: int
    rows: tuple[IndexedHdu, ...]


def simulate(
    plan: Plan,
    path: str | Path,
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Release:
    """Simulate a plan and write it as a GADF release; memory is bounded by one run.

    Parameters
    ----------
    plan
        What to simulate; ``Plan()`` is the demo, ``read_plan`` reads one from a file.
    path
        The folder of the release. It holds ``hdu-index.fits.gz`` and ``obs-index.fits.gz``, run files in ``data``, and
        the truth: the plan with its seed in ``truth.yaml``, the sources in ``models.yaml``. It appears when all of it
        is written: an interrupted simulation leaves nothing.
    overwrite
        Whether an earlier simulated release in that folder is replaced.
    progress
        Called with (runs done, runs) after each run.

    Returns
    -------
    Release
        Path, observation ids, number of events and bytes. The same plan gives the same bytes.

    Raises
    ------
    OutputExistsError
        When the folder is not empty, or with ``overwrite`` when something in it was not simulated.
    ConfigError, OutputError
        When a model is not known, or no source is in a field of view; when the folder cannot be written.
    """
    sources = sources_of(plan)
    _make_room(Path(path), overwrite)
    written = []
    size = 0
    with new_folder(Path(path)) as folder:
        (folder / DATA).mkdir()
        for one, file_size in _written_runs(plan, sources, folder):
            written.append(one)
            size += file_size
            if progress is not None:
                progress(len(written), plan.runs)
        write_truth(folder, plan)
        runs, events = [one.run for one in written], [one.events for one in written]
        write_index(folder, obs_index(plan, runs, events), hdu_index_hdu([row for one in written for row in one.rows]))
    return Release(Path(path), plan.name, tuple(run.obs_id for run in runs), sum(events), size)


def _make_room(folder: Path, overwrite: bool) -> None:
    """Make the folder above that of a release; raise unless that may be replaced."""
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set[str]()
    if names and not overwrite:
        raise OutputExistsError(
            f"{folder} is not empty. Choose another folder, or replace the release in it with overwrite=True."
        )
    if names and not (folder / TRUTH).is_file():
        raise OutputExistsError(
            f"{folder} holds no {TRUTH}: it was not simulated, and is not overwritten. Choose another folder."
        )
    if names - {*INDEX_FILES, TRUTH, MODELS, DATA}:
        other = min(names - {*INDEX_FILES, TRUTH, MODELS, DATA})
        raise OutputExistsError(f"{folder} holds {other}, which was not simulated. Move it, or choose another folder.")
    if os.path.ismount(folder) or (folder.exists() and not folder.is_dir()):
        raise OutputError(f"{folder} is a file or a mount point, and is not replaced. Choose another folder.")
    try:
        folder.resolve().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made ({error.strerror}). Choose another folder.") from None


def _written_runs(plan: Plan, sources: Sequence[SimulatedSource], folder: Path) -> Iterator[tuple[_Written, int]]:
    """Write run by run; yield what the index needs, and the bytes that were written for it."""
    emissions: dict[float, Emission] = {}
    responses: dict[float, _EncodedIrfs] = {}
    for number in range(plan.runs):
        run, shared_size = plan.run(number), 0
        if run.efficiency not in emissions:
            emissions[run.efficiency] = Emission.of(sources, plan.response, run.efficiency)
            responses[run.efficiency] = _encoded_irfs(plan, run.efficiency, folder, len(responses))
            shared = responses[run.efficiency].shared
            shared_size = 0 if shared is None else shared[1]
        columns = event_columns(emissions[run.efficiency], run, plan.generator(number))
        written, size = _write_run(plan, run, columns, responses[run.efficiency], folder)
        yield written, size + shared_size


def _encoded_irfs(plan: Plan, efficiency: float, folder: Path, number: int) -> _EncodedIrfs:
    tables = response_tables(plan.response, efficiency)
    common: dict[str, HeaderValue] = {"TELESCOP": plan.telescope, "INSTRUME": plan.telescope, "MUONEFF": efficiency}
    encoded = tuple(
        hdu_bytes(irf_hdu(table.kind, table.axes, table.values, {**common, **table.header})) for table in tables
    )
    kinds = tuple(table.kind for table in tables)
    if not plan.share_irfs:
        return _EncodedIrfs(encoded, kinds, None)
    name = f"irfs_{number}.fits{_ending(plan)}"
    return _EncodedIrfs(encoded, kinds, (name, write_fits(folder / DATA / name, encoded)))


def _ending(plan: Plan) -> str:
    return ".gz" if plan.compress else ""


def _write_run(
    plan: Plan, run: PlannedRun, columns: Mapping[str, npt.NDArray[Any]], irfs: _EncodedIrfs, folder: Path
) -> tuple[_Written, int]:
    header = run_header(plan, run)
    encoded = [hdu_bytes(events_hdu(columns, header)), hdu_bytes(gti_hdu(run.gti, gti_header(run)))]
    name = f"run_{run.obs_id:06d}.fits{_ending(plan)}"
    size = write_fits(folder / DATA / name, encoded if irfs.shared else [*encoded, *irfs.encoded])
    irf_file = irfs.shared or (name, size)
    rows = [
        IndexedHdu(run.obs_id, "events", "events", DATA, name, "EVENTS", size),
        IndexedHdu(run.obs_id, "gti", "gti", DATA, name, "GTI", size),
    ]
    for kind in irfs.kinds:
        role = LAYOUTS[kind].role
        rows.append(IndexedHdu(run.obs_id, role, kind, DATA, irf_file[0], role.upper(), irf_file[1]))
    return _Written(run, len(columns["TIME"]), tuple(rows)), size


def emissions_of(plan: Plan) -> dict[float, Emission]:
    """Return what the runs of a plan draw from, by efficiency."""
    sources = sources_of(plan)
    return {efficiency: Emission.of(sources, plan.response, efficiency) for efficiency in plan.efficiencies}


def expected_counts(plan: Plan) -> npt.NDArray[np.float64]:
    """Return the mean number of events of each run of a plan, from source and background, shape (runs, 2)."""
    emissions = emissions_of(plan)
    runs = (plan.run(number) for number in range(plan.runs))
    return np.array([expected_events(emissions[run.efficiency], run) for run in runs])


def models_document(source: Source) -> dict[str, Any]:
    """Return the source as the document that models files hold."""
    position = [_angle("lon_0", source.lon), _angle("lat_0", source.lat)]
    spatial: dict[str, Any] = {"type": "PointSpatialModel", "frame": "icrs", "parameters": position}
    if source.sigma > 0:
        parameters = [*position, _angle("sigma", source.sigma)]
        spatial = {"type": "GaussianSpatialModel", "frame": "icrs", "parameters": parameters}
    spectral = copy.deepcopy(dict(source.spectral))
    return {"components": [{"name": source.name, "type": "SkyModel", "spectral": spectral, "spatial": spatial}]}


def _angle(name: str, value: float) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": "deg"}


def write_truth(folder: Path, plan: Plan) -> None:
    """Write the plan with its seed, and the model that a perfect analysis would find, into a ``new_folder``."""
    documents = {TRUTH: {"simulation": plan_document(plan)}, MODELS: plan.models or models_document(plan.source)}
    for name, document in documents.items():
        write_inside(folder / name, block_yaml(document, indent=2).encode())
