"""An index on a disk may name any regular FITS file that its reader may read, and nothing else.

What an index behind a url may name is shown in ``test_remote_release.py``.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

import faults
from releases import config_of, until_datasets, warnings_of
from xgamma.errors import InputError, MissingInputError, XgammaError
from xgamma.formats.fits.tables import CARD
from xgamma.formats.gadf.index import read_index
from xgamma.formats.gadf.run import read_run
from xgamma.ingest.part import read_runs, run_document
from xgamma.ingest.release import open_release
from xgamma.outcome import Outcome
from xgamma.store import Store

VICTIM, OTHERS = 2, ["1", "3"]


def inside(release):
    """Return the folder and name of the victim's file, and the file."""
    file = faults.run_file(release, VICTIM)
    return str(file.parent.relative_to(release)), file.name, file


def climb(release):
    _, name, file = inside(release)
    shutil.move(file, release.parent / name)
    faults.name_file(release, "..", name)


def climb_in_the_name(release):
    folder, name, file = inside(release)
    shutil.move(file, release.parent / name)
    faults.name_file(release, folder, f"{'../' * (1 + len(Path(folder).parts))}{name}")


def absolute(release):
    _, name, file = inside(release)
    shutil.move(file, release.parent / name)
    faults.name_file(release, str(release.parent), name)


def link_to_a_file(release):
    _, name, file = inside(release)
    shutil.move(file, release.parent / name)
    file.symlink_to(release.parent / name)


def link_to_a_folder(release):
    _, name, file = inside(release)
    (release.parent / "elsewhere").mkdir()
    shutil.move(file, release.parent / "elsewhere" / name)
    (release / "linked").symlink_to("../elsewhere")
    faults.name_file(release, "linked", name)


def variable(release):
    _, name, file = inside(release)
    shutil.move(file, release.parent / name)
    faults.name_file(release, "$PLACE_OF_RUNS", name)


def variable_in_braces_in_the_name(release):
    _, name, file = inside(release)
    shutil.move(file, release.parent / name)
    faults.name_file(release, "", f"${{PLACE_OF_RUNS}}/{name}")


WAYS = [climb, climb_in_the_name, absolute, link_to_a_file, link_to_a_folder, variable, variable_in_braces_in_the_name]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_file_is_read_wherever_its_index_leads(own_release, tmp_path, monkeypatch, way):
    sound = identities(own_release)
    monkeypatch.setenv("PLACE_OF_RUNS", str(tmp_path))
    way(own_release)
    assert identities(own_release) == sound


def identities(release):
    runs, failures = read_runs(read_index(release).runs.values(), lambda: None)
    assert failures == []
    return [run_document(run.entry, run.file_digests) for run in runs]


def test_names_are_not_relative_to_the_current_folder(own_release, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    _, name, file = inside(own_release)
    shutil.move(file, name)
    faults.name_file(own_release, "", name)
    with pytest.raises(MissingInputError, match="There is no file"):
        read_run(read_index(own_release).runs[VICTIM])


def test_an_unset_variable_is_the_reason_of_its_run(own_release, caplog):
    faults.name_file(own_release, "$NOT_SET_ANYWHERE/data", "run_000002.fits")
    analysis = until_datasets(config_of(own_release, "memory://", "datasets: {stack: false}"))
    [(name, said)] = analysis.unused
    assert (name, analysis.datasets.names) == (str(VICTIM), OTHERS)
    assert said == (
        "The file '$NOT_SET_ANYWHERE/data/run_000002.fits' is named by $NOT_SET_ANYWHERE, which is not set. "
        "Set it: export NOT_SET_ANYWHERE=/path/to/it."
    )
    [warning] = warnings_of(caplog)
    assert warning == f"Run 2 is left out: {said}"


def test_raises_once_for_an_unset_variable_in_all_names(own_release):
    for run in (1, 2, 3):
        faults.name_file(own_release, "$NOT_SET_ANYWHERE", f"{run}.fits", run)
    with pytest.raises(InputError) as error:
        read_index(own_release)
    assert str(error.value) == (
        f"All files of {own_release} are named by $NOT_SET_ANYWHERE, which is not set. "
        "Set it: export NOT_SET_ANYWHERE=/path/to/it."
    )


def test_names_of_a_release_on_disk_that_are_urls_are_not_read(own_release):
    faults.name_file(own_release, "https://example.org/data", "x.fits")
    with pytest.raises(InputError, match="is behind a url, and a release on a disk has its files on disks"):
        read_run(read_index(own_release).runs[VICTIM])


def test_a_pipe_is_never_opened(own_release, tmp_path):
    store = Store(tmp_path / "store")
    ids = [1, 2, 3]
    open_release(own_release).load(ids, store)
    os.mkfifo(tmp_path / "pipe")
    faults.name_file(own_release, "..", "pipe")
    release = open_release(own_release)
    assert release.pending(ids, store) == [VICTIM]
    assert release.nbytes(ids) == release.nbytes([1, 3])
    [failure] = release.load(ids, store).failures
    assert (failure.obs_id, failure.outcome) == (VICTIM, Outcome.UNREADABLE_FILE)


@pytest.mark.parametrize("name", ["pipe", "", "."])
def test_files_that_are_not_regular_are_not_opened(own_release, name):
    os.mkfifo(own_release / "pipe")
    faults.name_file(own_release, "", name)
    with pytest.raises(InputError, match=r"is no regular file\. Correct the index"):
        read_run(read_index(own_release).runs[VICTIM])


@pytest.mark.parametrize("name", ["a\0b.fits", "x" * 299])
def test_a_name_that_no_file_can_have_is_not_read(own_release, name):
    faults.name_file(own_release, "", name)
    with pytest.raises(InputError, match="cannot be looked at under that name"):
        read_run(read_index(own_release).runs[VICTIM])


def test_links_and_relative_paths_inside_of_a_release_are_followed(own_release):
    folder, name, file = inside(own_release)
    shutil.move(file, own_release / "moved.fits")
    file.symlink_to(own_release / "moved.fits")
    faults.name_file(own_release, f"{folder}/../{folder}", name)
    assert read_run(read_index(own_release).runs[VICTIM]).entry.obs_id == VICTIM
    faults.name_file(own_release, str(own_release), "moved.fits")
    assert read_run(read_index(own_release).runs[VICTIM]).entry.obs_id == VICTIM


def test_the_release_itself_may_be_a_link(own_release, tmp_path):
    link = tmp_path / "data"
    link.symlink_to(own_release.parent)
    runs, failures = read_runs(read_index(link / own_release.name).runs.values(), lambda: None)
    assert (len(runs), failures) == (3, [])


def test_without_an_observation_index_the_others_are_still_found(own_release):
    (own_release / "obs-index.fits.gz").unlink()
    inside(own_release)[2].unlink()
    entries = read_index(own_release).runs
    assert np.isnan(entries[VICTIM].ra)
    assert np.isfinite(entries[1].ra)


@pytest.mark.parametrize("link", [link_to_a_file, link_to_a_folder], ids=lambda way: way.__name__)
def test_without_an_index_links_are_followed(own_release, link):
    link(own_release)
    (own_release / "round").symlink_to(own_release)
    for index in own_release.glob("*-index.fits.gz"):
        index.unlink()
    assert sorted(read_index(own_release).runs) == [1, 2, 3]


# --- any index


@pytest.fixture(scope="module")
def index_files(tiny_release, tmp_path_factory):
    """The bytes of the two index tables without gzip, and a release that a test may give others."""
    release = Path(shutil.copytree(tiny_release, tmp_path_factory.mktemp("fuzz") / "tiny"))
    content = {}
    for name in ("hdu-index.fits", "obs-index.fits"):
        with fits.open(release / f"{name}.gz") as hdus:
            hdus.writeto(release / name)
        (release / f"{name}.gz").unlink()
        content[name] = (release / name).read_bytes()
    return release, content


PIECES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([b"../../../../../../etc/passwd", b"/dev/zero", b"\0" * 20, b"events", b"NaN", b"'1E'", b"9" * 20]),
)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=150)
@given(st.data())
def test_any_index_gives_runs_or_raises_and_reads_only_regular_files(index_files, data):
    release, content = index_files
    for name, whole in content.items():
        changed = bytearray(whole)
        for _ in range(data.draw(st.integers(0, 3))):
            piece, card = data.draw(PIECES), data.draw(st.booleans())
            at = data.draw(st.integers(0, len(whole) - 1))
            at = at // CARD * CARD + 10 if card else at
            changed[at : at + len(piece)] = piece
        (release / name).write_bytes(changed)
    try:
        entries = read_index(release).runs.values()
    except XgammaError as error:
        assert str(error)
        return
    paths = {location.path for entry in entries for location in entry.hdus.values()}
    assert all(path == Path(os.devnull) or path.is_file() or not path.exists() for path in paths)
    runs, failures = read_runs(entries, lambda: None)
    assert len(runs) + len(failures) == len(entries)
