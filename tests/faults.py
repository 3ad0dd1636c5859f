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
        rows, units = np.array(hdus["EVENTS"].data), hdus["EVENTS"].columns.units
        changed = change(rows)
        hdus["EVENTS"].data = rows if changed is None else changed
        # Rows that are plain arrays take the units away.
        for number, unit in enumerate(units, 1):
            if unit:
                hdus["EVENTS"].header[f"TUNIT{number}"] = unit

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


def drop_run(release: Path, obs_id: int) -> None:
    """Remove the run from both index files."""
    for path, name in ((release / "hdu-index.fits.gz", "HDU_INDEX"), (release / "obs-index.fits.gz", "OBS_INDEX")):

        def drop(hdus: fits.HDUList, name: str = name) -> None:
            hdus[name].data = hdus[name].data[hdus[name].data["OBS_ID"] != obs_id]

        _change(path, drop)


def halve_events(release: Path, obs_id: int) -> None:
    """Keep every second event, as another reconstruction of the run might."""
    _change_events(release, obs_id, lambda rows: rows[::2].copy())


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
    """Remove all rows of the event list."""
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
    """Move the pointing further south, in header, index and events."""
    move_events_away(release, obs_id, degrees)

    def move_header(hdus: fits.HDUList) -> None:
        hdus["EVENTS"].header["DEC_PNT"] -= degrees

    def move_index(hdus: fits.HDUList) -> None:
        rows = hdus["OBS_INDEX"].data
        rows["DEC_PNT"][rows["OBS_ID"] == obs_id] -= degrees

    _change(run_file(release, obs_id), move_header)
    _change(release / "obs-index.fits.gz", move_index)


def write_cards(release: Path, obs_id: int, hdu: str, **cards: object) -> None:
    """Write cards into the header of an HDU of the run; those that are ``None`` are removed."""

    def write(hdus: fits.HDUList) -> None:
        for keyword, value in cards.items():
            if value is None:
                hdus[hdu].header.remove(keyword)
            else:
                hdus[hdu].header[keyword] = value

    _change(run_file(release, obs_id), write)


def write_cards_as_text(release: Path, obs_id: int, **words: str) -> None:
    """Write values that astropy refuses, such as ``NAN``, where a header has numbers; the file is not compressed."""
    path = run_file(release, obs_id)
    content = path.read_bytes()
    for keyword, word in words.items():
        start = content.index(f"{keyword:8}= ".encode())
        content = content[:start] + f"{keyword:8}= {word:>20}".ljust(80).encode() + content[start + 80 :]
    path.write_bytes(content)


def replace_good_time(release: Path, obs_id: int, rows: list[tuple[float, float]]) -> float:
    """Give the run other good times, in seconds since the start of its first, and return that."""
    starts: list[float] = []

    def replace(hdus: fits.HDUList) -> None:
        old = hdus["GTI"]
        starts.append(float(old.data["START"][0]))
        new = np.array([(starts[0] + a, starts[0] + b) for a, b in rows], dtype=[("START", ">f8"), ("STOP", ">f8")])
        header = old.header
        hdus[hdus.index_of("GTI")] = fits.BinTableHDU(new, header, name="GTI")

    _change(run_file(release, obs_id), replace)
    return starts[0]


def change_times(release: Path, obs_id: int, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Give the events of the run other times."""

    def write(rows: np.ndarray) -> None:
        rows["TIME"] = change(rows["TIME"])

    _change_events(release, obs_id, write)


def empty_file(release: Path, obs_id: int) -> None:
    """Truncate the file to zero bytes, as a full disk does."""
    run_file(release, obs_id).write_bytes(b"")


def _change_index(release: Path, name: str, change: Callable[[np.ndarray], np.ndarray | None]) -> None:
    def replace(hdus: fits.HDUList) -> None:
        rows = np.array(hdus[1].data)
        changed = change(rows)
        hdus[1].data = rows if changed is None else changed

    _change(release / f"{name}-index.fits.gz", replace)


def _index_column(release: Path, obs_id: int, column: str, value: object, hdu_type: str = "events") -> None:
    def write(rows: np.ndarray) -> None:
        rows[column][(rows["OBS_ID"] == obs_id) & (np.char.strip(rows["HDU_TYPE"].astype(str)) == hdu_type)] = value

    _change_index(release, "hdu", write)


def misname_file(release: Path, obs_id: int) -> None:
    """Let the index name a file that does not exist."""
    _index_column(release, obs_id, "FILE_NAME", "nowhere.fits")


def misname_hdu(release: Path, obs_id: int) -> None:
    """Let the index name an HDU that the file does not have."""
    _index_column(release, obs_id, "HDU_NAME", "ABSENT")


def name_another_hdu(release: Path, obs_id: int) -> None:
    """Let the index give the HDU of the good times as that of the events."""
    _index_column(release, obs_id, "HDU_NAME", "GTI")


def repeat_hdu_rows(release: Path, obs_id: int) -> None:
    """Let the index name every HDU of a run twice."""
    _change_index(release, "hdu", lambda rows: np.concatenate([rows, rows[rows["OBS_ID"] == obs_id]]))


def repeat_observation(release: Path, obs_id: int) -> None:
    """Let the observation index have a run twice, the second time elsewhere on the sky."""

    def repeat(rows: np.ndarray) -> np.ndarray:
        again = rows[rows["OBS_ID"] == obs_id].copy()
        again["DEC_PNT"] -= 40
        return np.concatenate([rows, again])

    _change_index(release, "obs", repeat)


def forget_hdus(release: Path, obs_id: int) -> None:
    """Keep a run in the observation index only."""
    _change_index(release, "hdu", lambda rows: rows[rows["OBS_ID"] != obs_id])


def forget_observation(release: Path, obs_id: int) -> None:
    """Keep a run in the HDU index only."""
    _change_index(release, "obs", lambda rows: rows[rows["OBS_ID"] != obs_id])


def misstate_sizes(release: Path, obs_id: int) -> None:
    """Let the index give a wrong size and offset of every HDU of a run."""

    def write(rows: np.ndarray) -> None:
        wrong = rows["OBS_ID"] == obs_id
        for name in {"SIZE", "OFFSET"} & set(rows.dtype.names):
            rows[name][wrong] = 17

    _change_index(release, "hdu", write)


def flip_bit(path: Path, place: float, bit: int) -> None:
    """Flip one bit of a file; ``place`` is from 0 to 1."""
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)


def write_datasums(release: Path, obs_id: int) -> None:
    """Write DATASUM and CHECKSUM into the run's file."""
    path = run_file(release, obs_id)
    with fits.open(path, memmap=False) as hdus:
        hdus.writeto(path, overwrite=True, checksum=True)


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
