"""Any history of a store ends where an undisturbed computation ends: Hypothesis invents histories, a model judges them.

A crash is an exception at the n-th change of the store, after which nothing changes it any more, as after a kill.
"""

import dataclasses
import datetime
import os
import shutil
import tempfile
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from faults import run_file
from releases import TINY, config_of, release_of, until_datasets
from xgamma.analysis.compact import compact
from xgamma.analysis.verify import verify
from xgamma.errors import XgammaError
from xgamma.ingest import FitsRelease
from xgamma.ingest.release import stored_versions
from xgamma.store import Store, dataset_digest
from xgamma.store.backend import Backend, WholeObjectStore

EXAMPLES = int(os.environ.get("XGAMMA_EXAMPLES", "20"))
STEPS = int(os.environ.get("XGAMMA_STEPS", "12"))
NOTHING = datetime.timedelta(0)
IDS = (1, 2, 3)
# Two requests over the same runs.
RADII = ("0.11 deg", "0.15 deg")
CHANGES = ("create", "replace", "delete")


class Crash(BaseException):
    """The process ends here."""


class Fuse:
    """Lets a number of changes of any store through, then none any more until it is renewed."""

    left = None

    def burn(self):
        if self.left is None:
            return
        if self.left == 0:
            raise Crash
        self.left -= 1


FUSE = Fuse()


@pytest.fixture(autouse=True)
def changes_burn_the_fuse(monkeypatch):
    for name in CHANGES:
        real = getattr(Backend, name)

        def change(self, *given, real=real):
            FUSE.burn()
            return real(self, *given)

        monkeypatch.setattr(Backend, name, change)
    put = WholeObjectStore.set

    async def set_(self, key, value):
        FUSE.burn()
        await put(self, key, value)

    monkeypatch.setattr(WholeObjectStore, "set", set_)
    yield
    FUSE.left = None


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """Return three versions of a release by their number: the same runs, with other events."""
    folder = tmp_path_factory.mktemp("versions")
    return [release_of(dataclasses.replace(TINY, seed=number), folder / str(number)) for number in range(3)]


class Model:
    """What a store has to hold: the releases, as they are, and what pure runs on a fresh store make of them."""

    def __init__(self, versions):
        self.versions = versions
        self.folder = Path(tempfile.mkdtemp())
        self.release = Path(shutil.copytree(versions[0], self.folder / "tiny"))
        self.now = dict.fromkeys(IDS, 0)

    def rewrite(self, obs_id, version):
        """Give a run the file of a version of it, as a new calibration does."""
        shutil.copyfile(run_file(self.versions[version], obs_id), run_file(self.release, obs_id))
        self.now[obs_id] = version

    def expected(self, obs_ids, radius):
        """Return the digests of the stack, of each row and of each run, as a store of its own has them."""
        state = tuple(self.now[obs_id] for obs_id in obs_ids)
        asked = (tuple(obs_ids), state, radius)
        if asked not in KNOWN:
            KNOWN[asked] = results(analysed(self.release, Store(new_place()), obs_ids, radius))
        return KNOWN[asked]

    def close(self):
        shutil.rmtree(self.folder)


KNOWN: dict = {}


def new_place():
    return f"memory://{uuid.uuid4().hex}"


def analysed(release, store, obs_ids, radius):
    text = f"{{observations: {{obs_ids: {list(obs_ids)}}}, datasets: {{on_region: {{radius: {radius}}}}}}}"
    return until_datasets(config_of(release, store.url, text))


def results(analysis):
    """Return what a reduction gives, in digests: the stack and all rows."""
    return dataset_digest(analysis._held), dataset_digest(analysis._rows)


def products(store):
    return {
        (record.kind, record.key): {
            group: dataset_digest(store.get(record.kind, record.key, group)) for group in record.digests
        }
        for record in store.ls()
    }


class History(RuleBasedStateMachine):
    """Ingest, reduce, crash, delete, change, compact and gc in any order."""

    versions: list = []

    def __init__(self):
        super().__init__()
        self.model = Model(self.versions)
        self.store = Store(new_place())

    def teardown(self):
        FUSE.left = None
        self.model.close()

    # What users do

    def attempt(self, action, after):
        """Do something; ``after`` so many changes the process ends. Return whether it came to its end."""
        FUSE.left = after
        try:
            action()
        except Crash:
            return False
        finally:
            FUSE.left = None
            # A new process knows nothing of the old one.
            self.store = Store(self.store.url)
        return True

    crash = st.none() | st.integers(0, 60)
    some = st.sets(st.sampled_from(IDS), min_size=1).map(sorted)

    @rule(obs_ids=some, after=crash)
    def ingest(self, obs_ids, after):
        release = FitsRelease("tiny", self.model.release)
        self.attempt(lambda: release.load(obs_ids, self.store, lambda: None), after)

    @rule(obs_ids=some, radius=st.sampled_from(RADII), after=crash)
    def reduce(self, obs_ids, radius, after):
        found = []
        action = lambda: found.append(analysed(self.model.release, self.store, obs_ids, radius))  # noqa: E731
        if self.attempt(action, after):
            assert results(found[0]) == self.model.expected(obs_ids, radius)

    @rule(obs_id=st.sampled_from(IDS), version=st.integers(0, 2))
    def rewrite(self, obs_id, version):
        self.model.rewrite(obs_id, version)

    @rule(data=st.data())
    def delete_a_record(self, data):
        records = self.store.ls()
        if records:
            record = data.draw(st.sampled_from(records).map(lambda record: (record.kind, record.key)))
            kind, key = record
            if (kind, key) not in self.store.names().values():
                self.store._backend.delete(f"{kind}/{key}/record.json")

    @rule(after=crash)
    def compact(self, after):
        self.attempt(lambda: compact(self.store), after)

    @rule(after=crash, age=st.sampled_from([NOTHING, datetime.timedelta(days=1)]))
    def gc(self, after, age):
        if self.attempt(lambda: self.store.gc(age), after) and age == NOTHING:
            folders = {path.rsplit("/", 1)[0] for path in self.objects() if path.endswith("/zarr.json")}
            roots = {"/".join(folder.split("/")[:3]) for folder in folders}
            assert roots == {record.folder for record in self.store.ls()}

    @rule(data=st.data())
    def name(self, data):
        keys = [(record.kind, record.key) for record in self.store.ls("rows")]
        if keys:
            self.store.set_name("mine", *data.draw(st.sampled_from(keys)))

    # What always holds

    def objects(self):
        return [path for kind in ("dl3", "rows", "stack") for path in self.store._backend.modified(kind)]

    @invariant()
    def every_product_is_whole(self):
        for record in self.store.ls():
            assert products_of(self.store, record) == dict(record.digests)

    @invariant()
    def names_lead_to_products(self):
        for kind, key in self.store.names().values():
            assert self.store.has(kind, key)

    @invariant()
    def the_store_is_sound(self):
        assert [str(fault) for fault in verify(self.store).faults] == []


def products_of(store, record):
    return {group: dataset_digest(store.get(record.kind, record.key, group)) for group in record.digests}


def test_any_history_ends_with_the_bytes_of_an_undisturbed_run(versions):
    History.versions = versions
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
