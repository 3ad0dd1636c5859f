"""Any history of a store ends with the bytes of an undisturbed computation.

Hypothesis generates the histories and a model checks them.
A crash is an exception at the n-th change of the store, after which nothing changes it any more, as after a kill.
"""

import dataclasses
import datetime
import os
import shutil
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from faults import run_file
from releases import TINY, config_of, release_of, until_datasets
from xgamma.errors import XgammaError
from xgamma.ingest import FitsRelease
from xgamma.ingest.stored import stored_runs, stored_versions
from xgamma.storage.backend import Backend
from xgamma.storage.whole_objects import WholeObjects
from xgamma.store import Store, dataset_digest
from xgamma.upkeep.parts import compact
from xgamma.upkeep.verify import verify

EXAMPLES = int(os.environ.get("XGAMMA_EXAMPLES", "20"))
STEPS = int(os.environ.get("XGAMMA_STEPS", "12"))
PHASES = [p for p in Phase if p not in (Phase.explain,) and (p != Phase.shrink or "NOSHRINK" not in os.environ)]
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
    put = WholeObjects.set

    def set_(self, path, content):
        FUSE.burn()
        put(self, path, content)

    monkeypatch.setattr(WholeObjects, "set", set_)
    yield
    FUSE.left = None


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """Return three versions of a release by their number: the same runs, with other events."""
    folder = tmp_path_factory.mktemp("versions")
    return [release_of(dataclasses.replace(TINY, seed=number), folder / str(number)) for number in range(3)]


@dataclass
class Pure:
    """What a request makes on a fresh store: digests or an error message, and the runs, rows and stacks published."""

    outcome: tuple[str, ...]
    runs: dict[int, str]
    rows: set[str]
    stacks: set[str]


class Files:
    """The release as it is: the version of each run's file, ``None`` where it is gone."""

    known: ClassVar[dict[tuple, Pure]] = {}

    def __init__(self, versions):
        self.folder = Path(tempfile.mkdtemp())
        self.versions = versions
        self.release = Path(shutil.copytree(versions[0], self.folder / "tiny"))
        self.now = dict.fromkeys(IDS, 0)
        self.places = {obs_id: run_file(self.release, obs_id) for obs_id in IDS}

    def put(self, obs_id, version):
        """Let the file of a run be another version, as a new calibration does, or be gone."""
        if version is None:
            self.places[obs_id].unlink(missing_ok=True)
        else:
            shutil.copyfile(run_file(self.versions[version], obs_id), self.places[obs_id])
        self.now[obs_id] = version

    def pure(self, obs_ids, radius):
        """Return what a request for the files as they are makes on a fresh store."""
        asked = (tuple(obs_ids), tuple(self.now[obs_id] for obs_id in obs_ids), radius)
        if asked not in self.known:
            # The messages of other folders would be others.
            store = Store(new_place())
            outcome = outcome_of(lambda: analysed(self.release, store, obs_ids, radius), self.release)
            rows = {key for record in store.ls("rows") for key in record.texts["rows"]}
            runs = {obs_id: next(iter(versions)) for obs_id, versions in stored_versions(store).items()}
            self.known[asked] = Pure(outcome, runs, rows, {record.key for record in store.ls("stack")})
        return self.known[asked]

    def pure_of_versions(self, versions, radius):
        """Return what a request for other versions of the files makes."""
        now = dict(self.now)
        for obs_id, version in versions.items():
            self.put(obs_id, version)
        found = self.pure(sorted(versions), radius)
        for obs_id, version in now.items():
            self.put(obs_id, version)
        return found

    def close(self):
        shutil.rmtree(self.folder)


def new_place():
    return f"memory://{uuid.uuid4().hex}"


def analysed(datastore, store, obs_ids, radius):
    text = f"{{observations: {{obs_ids: {list(obs_ids)}}}, datasets: {{on_region: {{radius: {radius}}}}}}}"
    return until_datasets(config_of(datastore, store.url, text))


def outcome_of(ask, release):
    """Return the digests of stack and rows with the reasons of those that are not used, or the error message."""
    try:
        analysis = ask()
    except XgammaError as error:
        return type(error).__name__, str(error).replace(str(release), "RELEASE")
    reasons = [(name, reason.replace(str(release), "RELEASE")) for name, reason in analysis.unused]
    return dataset_digest(analysis.results.reductions[0].product.data), reasons


class History(RuleBasedStateMachine):
    """Ingest, reduce, crash, delete, change, compact and gc in any order."""

    versions: ClassVar[list[Path]] = []
    crash = st.none() | st.integers(0, 60)
    some = st.sets(st.sampled_from(IDS), min_size=1).map(sorted)

    def __init__(self):
        super().__init__()
        self.files = Files(self.versions)
        self.store = Store(new_place())
        self.runs: dict[str, tuple[int, int]] = {}
        self.rows: set[str] = set()
        self.stacks: set[str] = set()

    def teardown(self):
        FUSE.left = None
        self.files.close()

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

    def expected(self, obs_ids, radius):
        """Return what a request makes, which may be published from now on."""
        pure = self.files.pure(obs_ids, radius)
        self.runs |= {key: (obs_id, self.files.now[obs_id]) for obs_id, key in pure.runs.items()}
        self.rows |= pure.rows
        self.stacks |= pure.stacks
        return pure

    # What users do, and what happens to them

    @rule(obs_ids=some, after=crash)
    def ingest(self, obs_ids, after):
        pure = self.expected(obs_ids, RADII[0])
        release = FitsRelease("tiny", self.files.release)
        if self.attempt(lambda: release.load(obs_ids, self.store), after):
            held = stored_versions(self.store, "tiny")
            assert all(key in held[obs_id] for obs_id, key in pure.runs.items())

    @rule(obs_ids=some, radius=st.sampled_from(RADII), after=crash)
    def reduce(self, obs_ids, radius, after):
        pure, found = self.expected(obs_ids, radius), []
        release = self.files.release

        def action():
            found.append(outcome_of(lambda: analysed(release, self.store, obs_ids, radius), release))

        if self.attempt(action, after):
            assert found == [pure.outcome]

    @rule(radius=st.sampled_from(RADII))
    def reduce_the_store_itself(self, radius):
        newest = {obs_id: self.runs[run.run_key][1] for obs_id, run in stored_runs(self.store).items()}
        if newest:
            pure = self.files.pure_of_versions(newest, radius)
            self.rows |= pure.rows
            self.stacks |= pure.stacks
            ask = lambda: analysed(self.store.url, self.store, sorted(newest), radius)  # noqa: E731
            assert outcome_of(ask, self.files.release) == pure.outcome

    @rule(obs_id=st.sampled_from(IDS), version=st.sampled_from([0, 1, 2, None]))
    def change_a_file(self, obs_id, version):
        self.files.put(obs_id, version)

    @rule(data=st.data())
    def delete_a_record(self, data):
        named = set(self.store.names().values())
        keys = [(r.kind, r.key) for r in self.store.ls() if (r.kind, r.key) not in named]
        if keys:
            kind, key = data.draw(st.sampled_from(keys))
            self.store._backend.delete(f"{kind}/{key}/record.json")

    @rule(after=crash)
    def compact(self, after):
        if self.attempt(lambda: compact(self.store), after):
            named = {key for _, key in self.store.names().values()}
            recipes = [r.texts["recipe"] for r in self.store.ls("rows") if r.key not in named]
            assert len(self.store.ls("dl3")) < 2
            assert len(set(recipes)) == len(recipes)

    @rule(after=crash, age=st.sampled_from([NOTHING, datetime.timedelta(days=1)]))
    def gc(self, after, age):
        if self.attempt(lambda: self.store.gc(age), after) and age == NOTHING:
            attempts = {"/".join(path.split("/")[:3]) for path in self.objects() if path.count("/") > 2}
            assert attempts == {record.folder for record in self.store.ls()}

    @rule(name=st.sampled_from(["mine", "yours"]), data=st.data())
    def name_rows(self, name, data):
        keys = [(record.kind, record.key) for record in self.store.ls("rows")]
        if keys:
            self.store.set_name(name, *data.draw(st.sampled_from(keys)))

    # What always holds

    def objects(self):
        return [path for kind in ("dl3", "rows", "stack") for path in self.store._backend.modified(kind)]

    @invariant()
    def every_product_is_whole_and_was_asked_for(self):
        assert [str(fault) for fault in verify(self.store).faults] == []
        for record in self.store.ls():
            published = {
                "dl3": lambda record: {run["run_key"] for run in record.texts["runs"]} <= self.runs.keys(),
                "rows": lambda record: set(record.texts["rows"]) <= self.rows,
                "stack": lambda record: record.key in self.stacks,
            }
            assert published[record.kind](record)

    @invariant()
    def names_lead_to_products(self):
        for kind, key in self.store.names().values():
            assert self.store.has(kind, key)


@pytest.mark.long
def test_any_history_ends_with_the_bytes_of_an_undisturbed_analysis(versions):
    History.versions = versions
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
        ),
    )
