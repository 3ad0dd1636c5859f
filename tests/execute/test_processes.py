"""Blocks in processes of this machine: what dies, fails, prints or cannot travel, Ctrl-C, a parent that is killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

from execute.blocks import fail, number_or_death, number_or_one_death, process_of, speak, stumble, warn
from execute.machines import alive_in, digests, environment, eventually
from releases import config_of, until_datasets
from xgamma.errors import ClusterError, DamagedError, InputError, WorkerLostError
from xgamma.execute import Workers, processes, run_blocks, shared_workers
from xgamma.warned import collected_warnings, taken_warnings

TWO = Workers(2)


@pytest.fixture(scope="module", autouse=True)
def two():
    """Two processes for all tests of this module that are no test of how they start."""
    with shared_workers(TWO):
        yield


@pytest.fixture
def own_processes(monkeypatch):
    """No processes that others have started."""
    monkeypatch.setattr(processes, "_SHARED", processes.ContextVar("none", default=None))


# Workers that die


def test_a_block_whose_worker_dies_once_is_done_by_another(tmp_path):
    assert run_blocks(number_or_one_death, [(n, 3, tmp_path) for n in range(6)], "x", TWO) == list(range(6))
    assert (tmp_path / "once").exists()


def test_a_block_that_kills_each_worker_is_named_and_the_other_results_are_returned(tmp_path):
    names = [f"run {n}" for n in range(6)]
    died = r"given run 3 died \(with exit code 1\)\. Mostly memory"
    with collected_warnings() as collected, pytest.raises(WorkerLostError, match=died) as lost:
        run_blocks(number_or_death, [(n, 3, tmp_path) for n in range(6)], "x", TWO, names)
    assert lost.value.results == [0, 1, 2, None, 4, 5]
    assert [warned.text for warned in collected.waiting] == [f"Block {n}." for n in (0, 1, 2, 4, 5)]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_signal_that_ended_a_worker_is_named():
    with pytest.raises(WorkerLostError, match=r"given block 1 of 2; block 2 of 2 died \(by SIGKILL\)"):
        run_blocks(os.kill, [(0, signal.SIGKILL)] * 2, "x", TWO)


# Blocks that fail


def test_the_error_of_the_first_block_that_fails_is_raised_and_later_blocks_are_not_begun(tmp_path):
    with pytest.raises(InputError, match="block 1") as raised:
        run_blocks(fail, [(n, 1, tmp_path) for n in range(40)], "x", TWO)
    assert raised.value.__notes__ == ["More: xgamma help input"]
    assert len(list(tmp_path.iterdir())) < 40


def test_an_error_that_is_no_sentence_says_where_it_was_raised():
    with pytest.raises(ZeroDivisionError) as raised:
        run_blocks(divmod, [(1, 0), (1, 1)], "x", TWO)
    assert "function(*block)" in raised.value.__notes__[0]


def test_an_error_that_cannot_travel_arrives_as_its_text():
    with pytest.raises(RuntimeError, match=r"^StubbornError: 1 and 2"):
        run_blocks(stumble, [(1, 2), (1, 2)], "x", TWO)


def test_errors_with_more_than_a_text_arrive_whole():
    def lose(number):
        raise DamagedError("cut off", "memory://", f"path {number}")

    with pytest.raises(DamagedError, match="cut off") as raised:
        run_blocks(lose, [(1,), (2,)], "x", TWO)
    assert raised.value.path == "path 1"


def test_a_result_that_cannot_travel_raises():
    with pytest.raises(TypeError, match="pickle"):
        run_blocks(lambda n: (one for one in (n,)), [(1,), (2,)], "x", TWO)


def test_a_block_that_cannot_travel_raises_and_leaves_the_processes():
    with pytest.raises(TypeError, match="pickle"):
        run_blocks(len, [((one for one in (1,)),)] * 2, "x", TWO)
    assert run_blocks(abs, [(-1,), (-2,)], "x", TWO) == [1, 2]


def test_processes_that_cannot_be_started_raise(own_processes, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/python")
    with pytest.raises(ClusterError, match=r"general\.n_jobs: no process can be started \(.*'/no/python'\)"):
        run_blocks(abs, [(1,), (2,)], "x", TWO)


# What passes between processes


def test_results_keep_the_order_of_their_arguments_and_large_ones_arrive():
    large = [bytes([n]) * (3_000_000 - n) for n in range(5)]
    assert run_blocks(bytes, [(one,) for one in large], "x", TWO) == large


def test_what_a_block_prints_and_reads_is_no_answer(own_processes, capfd):
    assert run_blocks(speak, [("one",), ("two",)], "x", TWO) == [3, 3]
    out, err = capfd.readouterr()
    assert out == ""
    assert sorted(err.split()) == ["one", "one", "two", "two"]


def test_what_a_block_logs_is_logged_here_once_and_kept_in_the_order_of_the_blocks(own_processes, caplog, capfd):
    with collected_warnings():
        assert run_blocks(warn, [(n,) for n in range(6)], "x", TWO) == list(range(6))
        assert taken_warnings() == [f"Block {n}." for n in range(6)]
    assert sorted(record.getMessage() for record in caplog.records) == [f"Block {n}." for n in range(6)]
    assert capfd.readouterr().err == ""


def test_what_is_logged_before_an_error_is_printed_by_the_process(own_processes, caplog, capfd):
    with pytest.raises(InputError, match="block 0"):
        run_blocks(warn, [(0, 0), (1, 0)], "x", TWO)
    assert "Block 0.\n" in capfd.readouterr().err


def test_processes_are_shared_in_a_context_and_end_with_it(own_processes):
    with shared_workers(TWO):
        calls = [set(run_blocks(process_of, [(n,) for n in range(4)], "x", TWO)) for _ in range(2)]
        assert len(calls[0] | calls[1]) <= 2
        assert os.getpid() not in calls[0]
    for pid in calls[0] | calls[1]:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


SCRIPT = """
from xgamma.execute import Workers, run_blocks
print("run")
class Number:
    def __init__(self, one):
        self.one = one
def number(one):
    return Number(one + 1)
print([each.one for each in run_blocks(number, [(1,), (2,)], "x", Workers(2)) if isinstance(each, Number)])
import sys
print([name for name in ("distributed", "dask") if name in sys.modules])
"""


@pytest.mark.parametrize("how", ["script", "command"])
def test_a_script_needs_no_guard_and_no_distributed(how, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    # Not what json of the library is.
    (tmp_path / "json.py").write_text("raise SystemExit('not this one')")
    words = ["-P", "script.py"] if how == "script" else ["-P", "-c", SCRIPT]
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("run\n[2, 3]\n[]\n", "")


# Ends

PARENT = """
import sys
from execute.blocks import wait_for
from xgamma.execute import Workers, run_blocks
run_blocks(wait_for, [(n, sys.argv[1], sys.argv[1] + "/never") for n in (1, 2)], "x", Workers(2))
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_processes_end_with_the_one_that_started_them(end, tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, tmp_path], env=environment(), start_new_session=True)
    eventually(lambda: (tmp_path / "1").exists() and (tmp_path / "2").exists())
    assert len(alive_in(parent.pid)) == 3
    parent.send_signal(end)
    parent.wait()
    eventually(lambda: alive_in(parent.pid) == [])


ASK = """
import sys, time
from xgamma.cli import main
from xgamma.reduce import spectra

def reduce_block(*given, reduced=spectra.reduce_block):
    time.sleep(2)
    return reduced(*given)

# In this process; others take their time to start.
spectra.MAX_ROWS, spectra.reduce_block = 1, reduce_block
main(sys.argv[1:])
"""


@pytest.mark.some_long(2)
@pytest.mark.parametrize("n_jobs", [2, 1])
def test_an_interrupted_command_ends_soon_leaves_no_process_and_can_be_resumed(n_jobs, nights_release, tmp_path):
    store = tmp_path / "store"
    config_of(nights_release, store, f"general: {{n_jobs: {n_jobs}}}").write(tmp_path / "config.yaml")
    (tmp_path / "ask.py").write_text(ASK)
    command = [sys.executable, tmp_path / "ask.py", "run", tmp_path / "config.yaml", "--until", "datasets"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, env=environment(), start_new_session=True, **pipes)
    eventually(lambda: list(store.glob("dl3/*/record.json")))
    if n_jobs == 2:
        # Workers are there and may have begun.
        eventually(lambda: len(alive_in(process.pid)) > n_jobs)
    # To all processes, as a terminal does.
    os.killpg(process.pid, signal.SIGINT)
    began = time.monotonic()
    _, said = process.communicate(timeout=90)
    assert time.monotonic() - began < 60
    assert process.returncode == 130, said
    assert "Interrupted; what is in the store stays" in said
    assert "Traceback" not in said, said
    eventually(lambda: alive_in(process.pid) == [])
    before = digests(store)
    assert {kind for kind, _ in before} == {"dl3"}
    until_datasets(config_of(nights_release, store))
    until_datasets(config_of(nights_release, tmp_path / "undisturbed"))
    assert digests(store) == digests(tmp_path / "undisturbed")
