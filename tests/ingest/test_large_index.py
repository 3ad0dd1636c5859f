"""An index is read as columns, and says of each run what its rows say one by one."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from xgamma.formats.fits.tables import tables_of
from xgamma.formats.gadf.files import LocalFiles
from xgamma.formats.gadf.index_columns import hdu_columns, numbers_in
from xgamma.formats.gadf.index_runs import IndexRuns, unknown_obs
from xgamma.ingest import open_release

KINDS = {"events": "events", "aeff": "aeff_2d", "psf": "what_3d", "pointing": "pointing"}


@st.composite
def rows(draw):
    """Return rows of an HDU index: id, type, class, folder, file and name."""
    names = st.sampled_from(["a.fits", "b.fits", "folder"])
    kinds = st.sampled_from(list(KINDS)).map(lambda role: (role, KINDS[role]))
    row = st.tuples(st.integers(1, 4), kinds, st.sampled_from(["", "data"]), names, st.sampled_from(["X", "Y"]))
    return draw(st.lists(row, min_size=1, max_size=12))


def table_of(rows):
    columns = {
        "HDU_TYPE": [role.upper() for _, (role, _), *_ in rows],
        "HDU_CLASS": [kind for _, (_, kind), *_ in rows],
        "FILE_DIR": [folder for _, _, folder, *_ in rows],
        "FILE_NAME": [name for *_, name, _ in rows],
        "HDU_NAME": [name for *_, name in rows],
    }
    texts = [fits.Column(name, "12A", array=np.array(values)) for name, values in columns.items()]
    ids = fits.Column("OBS_ID", "J", array=[row[0] for row in rows])
    written = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([ids, *texts])]).writeto(written)
    return tables_of(written.getvalue(), "index")[1]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    for place in (folder, folder / "data"):
        (place / "folder").mkdir(parents=True)
        (place / "a.fits").touch()
    return LocalFiles(folder)


@given(rows=rows())
def test_an_index_says_of_each_run_what_its_rows_say_one_after_the_other(files, rows):
    obs_id, hdus = hdu_columns(table_of(rows), files)
    runs = IndexRuns(unknown_obs(obs_id), hdus, files)
    wanted: dict[int, dict[str, tuple[str, bool]]] = {}
    for number, (role, kind), folder, file, name in rows:
        known = wanted.setdefault(number, {})
        is_refused = file == "folder" or kind == "what_3d"
        if role != "pointing" and (role not in known or known[role][1]):
            known[role] = f"{folder}/{file} {kind} {name}".lstrip("/") if file != "folder" else "nowhere", is_refused
    found = {
        number: {
            role: (
                "nowhere" if str(at.path) == "/dev/null" else f"{_below(at.path, files)} {at.kind} {at.name}",
                bool(at.refusal),
            )
            for role, at in run.hdus.items()
        }
        for number, run in runs.items()
    }
    assert found == wanted
    assert [list(hdus) for hdus in found.values()] == [list(hdus) for hdus in wanted.values()]
    facts = {number: run.facts._replace(ra=1.0, dec=2.0, zenith=3.0) for number, run in runs.items()}
    assert {number: run._replace(ra=1.0, dec=2.0, zenith=3.0) for number, run in runs.facts().items()} == facts


def _below(path, files):
    return path.relative_to(str(files)).as_posix()


@given(every=st.lists(st.integers(-5, 5), unique=True), wanted=st.lists(st.integers(-7, 7)))
def test_ids_are_found_where_they_are_in_a_list(every, wanted):
    found = numbers_in(np.array(every, dtype=np.int64), np.array(wanted, dtype=np.int64)).tolist()
    assert found == [every.index(one) if one in every else -1 for one in wanted]


def test_names_of_a_folder_that_is_listed_are_judged_as_each_of_them_alone(tmp_path):
    (tmp_path / "data" / "folder").mkdir(parents=True)
    (tmp_path / "data" / "link").symlink_to("run-1")
    (tmp_path / "data" / "to a folder").symlink_to("folder")
    (tmp_path / "data" / "to nowhere").symlink_to("nothing")
    for number in range(20):
        (tmp_path / "data" / f"run-{number}").touch()
    files = LocalFiles(tmp_path)
    odd = ["folder", "link", "to a folder", "to nowhere", "not there", "run-1/below", "", "\0", "../data/run-2"]
    names = [f"data/{name}" for name in (*odd, *(f"run-{number}" for number in range(20)))]
    names += ["$NOT_SET/x", "s3://bucket/x", "run-1"]
    assert files.judged(names) == [files.judged([name])[0] for name in names]
    readable = [name for name, reason in files.judged(names) if not reason]
    assert files.absent(readable) == {name for name in readable if files.absent([name])}
    assert files.absent(readable) == {"data/to nowhere", "data/not there", "run-1"}
    assert {name for name, reason in files.judged(names) if reason} == {
        *("data/folder", "data/to a folder", "data/run-1/below", "data/", "data/\0"),
        *("$NOT_SET/x", "s3://bucket/x"),
    }


def test_a_release_travels_to_processes_without_its_index(tiny_release):
    release = open_release(tiny_release)
    unopened = pickle.dumps(release)
    assert release.facts()
    assert pickle.dumps(release) == unopened
    assert pickle.loads(unopened).facts() == release.facts()


def test_runs_whose_event_lists_are_not_there_are_named_in_their_order(own_release):
    release = open_release(own_release)
    ids = list(release.index.runs)
    assert release.lacking_files(ids) == []
    release.index.runs[ids[1]].hdus["events"].path.unlink()
    assert release.lacking_files(ids[::-1]) == [ids[1]]
    assert [release.has_files([obs_id]) for obs_id in ids] == [obs_id != ids[1] for obs_id in ids]
    assert not release.has_files([*ids[:1], 12345])
