"""Clusters that are missing, stop or lose workers, with real processes."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import distributed
import pytest
from distributed.comm import CommClosedError

from command_line import CommandLine
from execute.blocks import number_or_death, wait_for
from execute.machines import digests, environment, eventually
from releases import config_of, until_datasets
from xgamma.errors import ClusterError, ConfigError, WorkerLostError
from xgamma.execute import Workers, cluster, run_blocks, workers_there
from xgamma.warned import collected_warnings

# Seconds that are far from for ever, on a busy machine too.
BOUND = 90
NOBODY = "no dask scheduler answers at {}. Start it (dask scheduler) or correct the address.\n"


def started(*words, first=()):
    command = [sys.executable, "-m", *words]
    return subprocess.Popen(command, env=environment(*first), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Cluster:
    """A scheduler and workers, each a process of its own."""

    def __init__(self, folder):
        file = folder / "scheduler.json"
        options = [
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-dashboard",
            "--dashboard-address",
            ":0",
            "--scheduler-file",
            str(file),
        ]
        self.scheduler = started("distributed.cli.dask_scheduler", *options)
        self.workers = []
        eventually(lambda: file.exists() and file.read_text().endswith("}"))
        self.address = json.loads(file.read_text())["address"]

    def add_worker(self, *first):
        words = [self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        self.workers.append(started("distributed.cli.dask_worker", *words, first=first))
        return self.workers[-1]

    def close(self):
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()


class Cut:
    """A block whose result is on its way when the scheduler goes."""

    def result(self):
        raise CommClosedError("in <TCP (closed)>: Stream is closed")


def test_a_result_that_is_cut_off_on_its_way_is_the_loss_of_the_scheduler():
    future = Cut()
    work = cluster._Work(None, "tcp://there:1", list, [None, None], {future: 1})
    with pytest.raises(ClusterError, match=r"The scheduler at tcp://there:1 went away after 0 of 2 blocks\."):
        cluster._take(future, work)


@pytest.fixture
def other(tmp_path):
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    # A busy machine answers after a second, too.
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 4.0)
    monkeypatch.setattr(cluster, "WORKERLESS_SECONDS", 60.0)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr("xgamma.reduce.spectra.MAX_ROWS", 1)


# Schedulers


def test_an_address_without_a_server_raises_in_bounded_time(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1.0)
    began = time.monotonic()
    with pytest.raises(ClusterError, match=r"no dask scheduler answers at tcp://127\.0\.0\.1:9\."):
        run_blocks(len, ["a", "b"], "x", Workers(scheduler="tcp://127.0.0.1:9"))
    assert time.monotonic() - began < BOUND


@pytest.fixture
def closed():
    """An address at which nobody listens, and nobody else will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"tcp://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def one_run(closed, tiny_release, tmp_path):
    """The configuration of one run on a cluster that is not there."""
    config = tmp_path / "config.yaml"
    wanted = f"{{general: {{scheduler: '{closed}'}}, observations: {{obs_ids: [1]}}}}"
    config_of(tiny_release, tmp_path / "store", wanted).write(config)
    return config


def test_run_and_ingest_refuse_an_address_without_a_server_for_one_run_too(
    closed, one_run, tiny_release, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.3)
    for words in (["run", one_run], ["ingest", tiny_release, tmp_path / "store", "--scheduler", closed]):
        ran = CommandLine(capsys)(*words)
        assert ran.code == ClusterError.exit_code
        assert ran.err.endswith(NOBODY.format(closed))
        assert not (tmp_path / "store").exists()


def test_check_refuses_it_too(closed, one_run):
    # A process of its own: the command loads dask in another order than these tests.
    command = [sys.executable, "-m", "xgamma.cli", "check", str(one_run)]
    ran = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=BOUND)
    assert (ran.returncode, NOBODY.format(closed) in ran.stderr) == (ClusterError.exit_code, True)


def test_one_block_is_refused_too_where_a_scheduler_does_not_answer(closed, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.3)
    with pytest.raises(ClusterError, match="no dask scheduler answers"):
        run_blocks(len, [("a",)], "x", Workers(scheduler=closed))
    assert run_blocks(len, [], "x", Workers(scheduler=closed)) == []


def test_a_cluster_without_workers_is_a_remark_of_check_and_one_block_runs_on_a_worker(
    other, tiny_release, tmp_path, capsys
):
    config = tmp_path / "config.yaml"
    wanted = f"{{general: {{scheduler: '{other.address}'}}, observations: {{obs_ids: [1]}}}}"
    config_of(tiny_release, tmp_path / "store", wanted).write(config)
    checked = CommandLine(capsys)("check", config)
    assert checked.code == 0
    assert f"{other.address} has no worker yet; start one before you run: dask worker {other.address}." in checked.err
    worker = other.add_worker()
    [pid] = run_blocks(os.getpid, [()], "x", Workers(scheduler=other.address))
    assert pid == worker.pid
    assert workers_there(Workers(scheduler=other.address)) == 1


def test_a_server_that_is_no_scheduler_raises(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            with server.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(ClusterError, match="no dask scheduler answers"):
            run_blocks(len, ["a", "b"], "x", Workers(scheduler=f"tcp://127.0.0.1:{server.getsockname()[1]}"))


@pytest.mark.parametrize("address", ["nonsense", "smtp://host:1"])
def test_an_invalid_address_raises(address):
    with pytest.raises(ConfigError, match=r"is no address: .*Write tcp://HOST:PORT"):
        run_blocks(len, ["a", "b"], "x", Workers(scheduler=address))


def test_a_scheduler_without_workers_raises(other, monkeypatch):
    monkeypatch.setattr(cluster, "WORKERLESS_SECONDS", 0.5)
    with pytest.raises(ClusterError, match="has had no worker for 0 s"):
        run_blocks(len, ["a", "b"], "x", Workers(scheduler=other.address))


def test_workers_with_other_software_raise_before_any_work(other, tmp_path):
    information = tmp_path / "xgamma-0.0.1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: xgamma\nVersion: 0.0.1\n")
    other.add_worker(tmp_path)
    with pytest.raises(ClusterError, match=r"on its worker tcp://127\S+ xgamma 0\.0\.1 \(here \d"):
        run_blocks(len, ["a", "b"], "x", Workers(scheduler=other.address))


def test_workers_that_cannot_import_xgamma_raise(other, tmp_path, monkeypatch):
    (tmp_path / "xgamma.py").write_text("")
    other.add_worker(tmp_path)
    with distributed.Client(other.address) as client:
        client.wait_for_workers(1, timeout=60)
    monkeypatch.setattr(cluster, "WORKERLESS_SECONDS", 1.0)
    monkeypatch.setattr(cluster, "_LOOK_SECONDS", 0.2)
    with pytest.raises(ClusterError, match=r"had no worker for 1 s\. Start one .* with the same software as here"):
        run_blocks(len, ["a", "b"], "x", Workers(scheduler=other.address))


def test_the_loss_of_all_workers_raises(other, monkeypatch, tmp_path):
    worker = other.add_worker()
    monkeypatch.setattr(cluster, "_LOOK_SECONDS", 0.2)

    def kill():
        eventually((tmp_path / "1").exists)
        monkeypatch.setattr(cluster, "WORKERLESS_SECONDS", 0.5)
        worker.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ClusterError, match="has had no worker"):
        run_blocks(wait_for, [(n, tmp_path, tmp_path / "end") for n in (1, 2)], "x", Workers(scheduler=other.address))
    killer.join()


def test_the_loss_of_the_scheduler_ends_a_command_and_the_next_gives_the_same_bytes(
    other, nights_release, tmp_path, small_blocks, capsys
):
    until_datasets(config_of(nights_release, tmp_path / "undisturbed"))
    worker = other.add_worker()
    config = config_of(nights_release, tmp_path / "store", f"general: {{scheduler: '{other.address}'}}")
    config.write(tmp_path / "config.yaml")

    def kill():
        # The worker answers, takes blocks, and stops before it has ended them.
        eventually(lambda: (tmp_path / "store" / "dl3").exists())
        other.scheduler.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        other.scheduler.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    began = time.monotonic()
    ran = CommandLine(capsys)("run", tmp_path / "config.yaml", "--until", "datasets")
    killer.join()
    assert time.monotonic() - began < BOUND
    assert ran.code == ClusterError.exit_code
    assert ran.err.count("Error: ") == 1
    assert "Traceback" not in ran.err
    assert worker.poll() is None or worker.returncode >= 0
    assert {kind for kind, _ in digests(tmp_path / "store")} == {"dl3"}
    until_datasets(config_of(nights_release, tmp_path / "store"))
    assert digests(tmp_path / "store") == digests(tmp_path / "undisturbed")


@pytest.mark.some_long(4)
@pytest.mark.parametrize("asked", ["_wait_for_workers", "_get_versions"])
@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_scheduler_lost_during_the_version_check_raises(other, monkeypatch, asked, fault):
    other.add_worker()
    monkeypatch.setattr(cluster, "WORKERLESS_SECONDS", 5.0)
    whole = getattr(distributed.Client, asked)

    def ask(client, *given, **options):
        other.scheduler.send_signal(fault)
        if fault == signal.SIGKILL:
            other.scheduler.wait()
        return whole(client, *given, **options)

    with distributed.Client(other.address) as client:
        client.wait_for_workers(1, timeout=60)
    monkeypatch.setattr(distributed.Client, asked, ask)
    began = time.monotonic()
    with pytest.raises(ClusterError, match=r"went away while it was asked for its software|has had no worker"):
        run_blocks(len, ["a", "b"], "x", Workers(scheduler=other.address))
    assert time.monotonic() - began < BOUND


@pytest.mark.some_long(6)
@pytest.mark.parametrize(
    "answer",
    [
        OSError("closed"),
        asyncio.CancelledError(),
        AttributeError("no send"),
        None,
        {"scheduler": None, "workers": {}, "client": None},
        {"scheduler": {"host": {}, "packages": {}}, "workers": {}, "client": {}},
    ],
)
def test_a_scheduler_with_invalid_answers_raises(other, monkeypatch, answer):
    other.add_worker()

    async def answered(client, *given, **options):
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(distributed.Client, "_get_versions", answered)
    with pytest.raises(ClusterError, match="went away while it was asked for its software"):
        run_blocks(len, ["a", "b"], "x", Workers(scheduler=other.address))


def test_a_block_that_kills_each_worker_of_a_cluster_is_named(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")
    (tmp_path / "deaths").mkdir()
    some = Cluster(tmp_path)
    try:
        # Once together with the other blocks, once by itself, and one is left for those.
        for _ in range(3):
            some.add_worker()
        with distributed.Client(some.address) as client:
            client.wait_for_workers(3, timeout=60)
        blocks = [(n, 1, tmp_path / "deaths") for n in range(4)]
        died = r"given block 2 of 4 died\. Mostly memory runs out"
        with collected_warnings() as collected, pytest.raises(WorkerLostError, match=died) as lost:
            run_blocks(number_or_death, blocks, "x", Workers(scheduler=some.address))
    finally:
        some.close()
    assert lost.value.results == [0, None, 2, 3]
    texts = ["Block 0.", "Block 2.", "Block 3."]
    assert [warned.text for warned in collected.waiting] == texts
    assert sorted(each.getMessage() for each in caplog.records if each.name == "xgamma.blocks") == texts
    assert len(list((tmp_path / "deaths").iterdir())) == 2
