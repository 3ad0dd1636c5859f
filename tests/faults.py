"""Ways to damage one run of a GADF release, as real releases are damaged. Each changes the files in place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table


def run_file(release: Path, obs_id: int, hdu_type: str = "events") -> Path:
    """Return the file that the HDU index names for one product of a run."""
    index = Table.read(release / "hdu-index.fits.gz")
    row = index[(index["OBS_ID"] == obs_id) & (np.char.strip(index["HDU_TYPE"].astype(str)) == hdu_type)][0]
    return release / str(row["FILE_DIR"]).strip() / str(row["FILE_NAME"]).strip()


def _change(path: Path, change: Callable[[fits.HDUList], object]) -> None:
    with fits.open(path, memmap=False) as hdus:
        change(hdus)
        hdus.writeto(path, overwrite=True)


def _change_events(release: Path, obs_id: int, change: Callable[[np.ndarray], np.ndarray | None]) -> None:
    def replace(hdus: fits.HDUList) -> None:
        rows = np.array(hdus["EVENTS"].data)
        changed = change(rows)
        hdus["EVENTS"].data = rows if changed is None else changed

    _change(run_file(release, obs_id), replace)


def truncate_file(release: Path, obs_id: int, fraction: float = 0.5) -> None:
    """Cut the end of the run's file off, as an interrupted download does."""
    path = run_file(release, obs_id)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])


def remove_file(release: Path, obs_id: int) -> None:
    """Remove the run's file, which the index still names."""
    run_file(release, obs_id).unlink()


def remove_hdu(release: Path, obs_id: int, hdu_type: str = "gti") -> None:
    """Remove a HDU from the run's file; the index still names it."""
    _change(run_file(release, obs_id, hdu_type), lambda hdus: hdus.pop(hdus.index_of(hdu_type.upper())))


def remove_index_row(release: Path, obs_id: int, hdu_type: str = "aeff") -> None:
    """Remove a HDU of the run from the index; the file still holds it."""

    def drop(hdus: fits.HDUList) -> None:
        rows = hdus["HDU_INDEX"].data
        gone = (rows["OBS_ID"] == obs_id) & (np.char.strip(rows["HDU_TYPE"]) == hdu_type)
        hdus["HDU_INDEX"].data = rows[~gone]

    _change(release / "hdu-index.fits.gz", drop)


def spoil_energies(release: Path, obs_id: int) -> None:
    """Make one energy NaN, one negative and one zero."""

    def spoil(rows: np.ndarray) -> None:
        rows["ENERGY"][:3] = [np.nan, -1.0, 0.0]

    _change_events(release, obs_id, spoil)


def make_all_energies_nan(release: Path, obs_id: int) -> None:
    """Make every energy NaN."""

    def spoil(rows: np.ndarray) -> None:
        rows["ENERGY"] = np.nan

    _change_events(release, obs_id, spoil)


def remove_events(release: Path, obs_id: int) -> None:
    """Leave an event list without rows."""
    _change_events(release, obs_id, lambda rows: rows[:0])


def move_events_away(release: Path, obs_id: int, degrees: float = 20.0) -> None:
    """Put all events far from where the telescope pointed, outside of every region."""

    def move(rows: np.ndarray) -> None:
        rows["DEC"] -= degrees

    _change_events(release, obs_id, move)


def swing_events_away(release: Path, obs_id: int, degrees: float = 120.0) -> None:
    """Put all events far from where the telescope pointed, at its declination."""

    def swing(rows: np.ndarray) -> None:
        rows["RA"] = (rows["RA"] + degrees) % 360

    _change_events(release, obs_id, swing)


def lower_energies(release: Path, obs_id: int, energy: float = 1.0e-3) -> None:
    """Give all events an energy below every axis."""

    def lower(rows: np.ndarray) -> None:
        rows["ENERGY"] = energy

    _change_events(release, obs_id, lower)


def point_away(release: Path, obs_id: int, degrees: float = 22.0) -> None:
    """Let the telescope have pointed elsewhere, further south, in header, index and events."""
    move_events_away(release, obs_id, degrees)

    def move_header(hdus: fits.HDUList) -> None:
        hdus["EVENTS"].header["DEC_PNT"] -= degrees

    def move_index(hdus: fits.HDUList) -> None:
        rows = hdus["OBS_INDEX"].data
        rows["DEC_PNT"][rows["OBS_ID"] == obs_id] -= degrees

    _change(run_file(release, obs_id), move_header)
    _change(release / "obs-index.fits.gz", move_index)


FAULTS = {
    "truncated file": truncate_file,
    "file is gone": remove_file,
    "no GTI in the file": remove_hdu,
    "no effective area in the index": remove_index_row,
    "NaN and negative energies": spoil_energies,
    "all energies NaN": make_all_energies_nan,
    "no events": remove_events,
    "all events outside": move_events_away,
    "all events outside, same declination": swing_events_away,
    "all energies too low": lower_energies,
    "pointing 22 deg away": point_away,
}


def name_file(release: Path, folder: str, name: str, obs_id: int = 2) -> None:
    """Let the index name another file for all HDUs of a run."""
    path = release / "hdu-index.fits.gz"
    with fits.open(path, memmap=False) as hdus:
        rows = hdus["HDU_INDEX"].data
        columns = [fits.Column(c.name, "300A" if c.name.startswith("FILE_") else c.format) for c in rows.columns]
        table = fits.BinTableHDU.from_columns(columns, hdus["HDU_INDEX"].header, nrows=len(rows))
        for column in rows.columns.names:
            table.data[column] = rows[column]
        chosen = rows["OBS_ID"] == obs_id
        table.data["FILE_DIR"][chosen], table.data["FILE_NAME"][chosen] = folder, name
        hdus["HDU_INDEX"] = table
        hdus.writeto(path, overwrite=True)
