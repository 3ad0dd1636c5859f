"""A read-only store: every reader works, every writer prints one error; by mount and by permissions."""

import os

import pytest

from command_line import CommandLine
from releases import config_of, whole
from survival.actor import visit
from survival.disks import mounted, set_read_only
from survival.stage import digests
from xgamma.analysis import AnalysisConfig
from xgamma.errors import StoreError
from xgamma.ingest import open_release
from xgamma.store import Store


@pytest.fixture(scope="module")
def closed(tiny_release, tmp_path_factory):
    """A read-only disk with a store that holds two parts and a whole analysis, and an empty folder beside it."""
    with mounted(tmp_path_factory.mktemp("read-only") / "disk") as disk:
        (disk / "empty").mkdir()
        for obs_id in (1, 2, 3):
            open_release(tiny_release).load([obs_id], Store(disk / "store"))
        whole(config_of(tiny_release, disk / "store"))
        set_read_only(disk)
        yield disk


@pytest.fixture
def command(capsys):
    return CommandLine(capsys)


@pytest.fixture
def config(closed, tiny_release, tmp_path):
    """A configuration whose products all exist, in a file."""

    def written(**changes):
        given = config_of(tiny_release, closed / "store", f"general: {{outdir: '{tmp_path / 'out'}'}}")
        for section, text in changes.items():
            given = given.update(f"{section}: {text}")
        given.write(tmp_path / "config.yaml", overwrite=True)
        return tmp_path / "config.yaml"

    return written


def assert_refused(ran, text="Read-only file system"):
    assert ran.code == 3
    assert text in ran.err.splitlines()[-1]
    assert "get write rights, or give another place as general.store." in ran.err
    assert "Traceback" not in ran.err
    assert "defect" not in ran.err


def test_every_verb_that_reads_works_on_a_read_only_store(closed, config, command, survival):
    store, path = closed / "store", config()
    limited = path.with_name("limited.yaml")
    AnalysisConfig.read(path).update("general: {memory_limit: 8 GB}").write(limited)
    record = Store(store).ls("stack")[0]
    out = path.parent / "stack.fits"
    with survival("reading a read-only store") as tally:
        for words in [
            ("ls", store),
            ("ls", store, "--runs"),
            ("show", store, f"stack/{record.key}"),
            ("validate", store),
            ("verify", store, "--sample", 2),
            ("plan", path),
            ("check", path),
            ("check", limited),
            ("plan", limited),
            ("export", store, f"stack/{record.key}", out),
            ("tag", store),
            ("gc", store),
        ]:
            with tally.trial(words[0]):
                ran = command(*words)
                assert ran.code == 0, ran.err


@pytest.mark.long
def test_an_analysis_whose_products_all_exist_runs_on_a_read_only_store(closed, config, command):
    ran = command("run", config())
    assert ran.code == 0, ran.err
    assert "Everything was found in the store" in ran.err


def test_an_analysis_with_newer_files_runs_on_a_read_only_store(closed, config, own_release, command):
    for path in own_release.rglob("*.fits*"):
        os.utime(path)
    ran = command("run", config(observations=f"{{datastore: '{own_release}'}}"))
    assert ran.code == 0, ran.err


def test_runs_of_a_read_only_store_are_analysed_into_another(closed, config, tmp_path, command):
    ran = command("run", config(observations=f"{{datastore: '{closed / 'store'}'}}"), "--store", tmp_path / "other")
    assert ran.code == 0, ran.err
    found = {product: of for product, of in digests(Store(tmp_path / "other")).items() if product[0] != "picture"}
    assert {kind for kind, _ in found} == {"rows", "stack", "fit", "flux-points"}
    assert found.items() <= digests(Store(closed / "store")).items()


def test_check_and_doctor_say_that_a_store_cannot_be_written(closed, config, command):
    checked = command("check", config(datasets="{on_region: {radius: 0.1 deg}}"))
    assert checked.code == 0
    assert f"{closed / 'store'} cannot be written; run can find what is there, and compute nothing else." in checked.err
    assert "the store can be read, and not be written" in command("doctor", closed / "store").out


def test_every_verb_that_writes_prints_one_error_on_a_read_only_disk(closed, config, nights_release, command, survival):
    store = closed / "store"
    with survival("writing to a read-only store") as tally:
        for words in [
            ("ingest", nights_release, store),
            ("ingest", nights_release, closed / "empty"),
            ("compact", store),
            ("tag", store, "today"),
            ("run", config(datasets="{on_region: {radius: 0.1 deg}}")),
        ]:
            with tally.trial(" ".join(map(str, words))):
                assert_refused(command(*words))


def test_a_folder_that_cannot_become_a_store_raises(closed):
    with pytest.raises(StoreError, match=r"cannot be written: .*Read-only file system"):
        Store(closed / "empty")
    with pytest.raises(
        StoreError, match=r"cannot be opened as a folder: Read-only file system.* Give a folder that can"
    ):
        Store(closed / "not there")


def test_a_folder_without_write_permission_behaves_as_a_read_only_disk(tiny_release, quick_folder, actors, survival):
    """In a process of somebody else, as the rights of folders do not bind everybody."""
    place = quick_folder / "store"
    whole(config_of(tiny_release, place))
    quick_folder.chmod(0o755)
    for path in [place, *place.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    with survival("a store in a folder without rights") as tally, tally.trial():
        count, *refusal = actors[0].act(visit.__name__, place)[1]
        assert int(count) == len(digests(Store(place)))
        assert (
            "cannot be written: Permission denied. What it holds can be read; to add to it, get write rights"
            in " ".join(refusal)
        )
    for path in [place, *place.rglob("*")]:
        path.chmod(0o755)
