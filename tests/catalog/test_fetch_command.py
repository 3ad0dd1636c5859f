"""``xgamma fetch``: its output and exit codes, what a killed one leaves, and an analysis afterwards."""

from __future__ import annotations

import hashlib
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from made_release import INDEX, ONE, SIZES, TWO, catalogued
from release_server import answers, cuts_after, honest, sends, serving, stalls_after

from releases import config_of
from xgamma.releases import DataRelease, catalog_names, read_catalog, release_document

HASTY = ("--timeout", "0.4", "--retries", "0")
CRAB = (23523, 23526, 23559, 23592)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def started(*words, before=""):
    code = f"from xgamma.cli import main{before}; main()"
    command = [sys.executable, "-c", code, "fetch", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_without_a_name_the_releases_are_listed(xgamma):
    for words in ((), ("--list",), ("hess-dl3-dr1", "--list")):
        done = xgamma("fetch", *words)
        assert done.code == 0
        assert re.search(r"hess-dl3-dr1 +105 +109 +H\.E\.S\.S\. DL3", done.out)
        assert re.search(r"simulated-crab +- +simulated", done.out)
    listed = xgamma("fetch", "--json").document
    assert [entry["name"] for entry in listed] == catalog_names()
    assert listed[0]["files_of_unknown_size"] == 65


def test_licence_terms_and_citation_are_printed_before_the_first_request(xgamma, catalogue, release, server, here):
    server.behave(INDEX, answers(404))
    server.behave(ONE, answers(404))
    server.behave(TWO, answers(404))
    done = xgamma("fetch", catalogue, *HASTY)
    assert done.code == 3
    assert done.out == ""
    said = done.err.splitlines()
    assert said[:4] == [
        "Two runs of nothing",
        "  licence  CC0-1.0",
        "  say      Made by nobody.",
        "  cite     Nobody (2026)",
    ]
    assert said[4] == f"{INDEX}, {ONE}, {TWO}: {server.url} has no such file."
    assert said[5] == "Error: No file could be fetched. Try again later, or another place with --from."


def test_terms_of_hess_dl3_dr1_are_printed_with_the_required_attribution(xgamma, here):
    (here / "empty").mkdir()
    done = xgamma("fetch", "hess-dl3-dr1", "--from", here / "empty", "--obs", 23523)
    said = " ".join(done.err.split())
    assert "README.md, README.txt, hdu-index.fits.gz and 2 more: " in said
    assert done.code == 3
    assert "CC BY 4.0" in said
    assert "are not for publication in scientific papers" in said
    assert (
        '"This work made use of data from the H.E.S.S. DL3 public test data release 1 (HESS DL3 DR1, H.E.S.S. c' in said
    )
    assert "https://doi.org/10.5281/zenodo.1421099" in said


def test_a_release_is_fetched_into_a_folder_of_its_name(xgamma, catalogue, here):
    done = xgamma("fetch", catalogue)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == f"made-up in {here / 'made-up'}"
    assert lines[1:] == ["  fetched  3 files, 653 kB", "  runs     2 of 2 runs are there"]
    assert done.err.splitlines()[-1] == "Next: xgamma init my.yaml --datastore made-up"
    assert (here / "made-up" / ONE).stat().st_size == SIZES[ONE]
    assert "  present  3 files with the right digest" in xgamma("fetch", catalogue).out


def test_some_failures_are_exit_code_4_and_the_next_call_fetches_what_is_missing(xgamma, catalogue, server, here):
    server.behave(TWO, answers(404), honest)
    done = xgamma("fetch", catalogue, "there", *HASTY)
    assert done.code == 4
    assert f"{TWO}: {server.url} has no such file." in done.err
    assert "  failed   1 file\n  runs     1 of 2 runs are there" in done.out
    assert done.err.endswith("observations:\n    datastore: there\n    obs_ids: [\n        1\n    ]\n")
    server.requests.clear()
    assert xgamma("fetch", catalogue, "there").code == 0
    assert [request.path for request in server.requests] == [TWO]


def test_replaced_files_are_printed(xgamma, catalogue, here):
    xgamma("fetch", catalogue, "there")
    (here / "there" / ONE).write_bytes(b"spoiled")
    assert f"  replaced  {ONE}\n" in xgamma("fetch", catalogue, "there").out


def test_json_has_every_file_and_nothing_beside_it(xgamma, catalogue, server, here):
    server.behave(TWO, sends(b"<html>"))
    done = xgamma("fetch", catalogue, "there", "--json", *HASTY)
    assert done.code == 4
    assert done.document["runs_present"] == [1]
    assert done.document["release"]["licence"] == "CC0-1.0"
    files = {entry["name"]: (entry["status"], entry["received"]) for entry in done.document["files"]}
    assert files == {INDEX: ("fetched", SIZES[INDEX]), ONE: ("fetched", SIZES[ONE]), TWO: ("failed", 6)}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["hess"], "There is no release 'hess'."),
        (["gone.yaml"], "There is no catalogue gone.yaml."),
        (["hess-dl3-dr1", "--obs", "7"], "hess-dl3-dr1 has no run 7. It has 20136 to 47829, 105 runs."),
        (["hess-dl3-dr1", "--from", "gone"], "There is no folder "),
        (["hess-dl3-dr1", "--from", "ftp://h/x"], "ftp://h/x cannot be opened: expected https://"),
        (["simulated-crab"], "simulated-crab is not downloaded but simulated: xgamma simulate FOLDER --plan "),
    ],
)
def test_a_release_that_cannot_be_fetched_prints_one_error(xgamma, here, words, sentence):
    done = xgamma("fetch", *words)
    assert done.code in (2, 3)
    assert f"Error: {sentence}" in done.err
    assert "Traceback" not in done.err
    assert list(here.iterdir()) == []


# --- interrupted


def waiting(server, catalogue, folder, name=ONE):
    """Start a fetch that gets most of one file and then stands still."""
    server.behave(name, stalls_after(300_000), honest)
    process = started(catalogue, folder)
    assert server.stalled.acquire(timeout=60), process.communicate()
    part = folder / f"{name}.part"
    for _ in range(600):
        if part.exists() and part.stat().st_size > 200_000:
            return process, part
        server.over.wait(0.05)
    raise AssertionError("nothing came")


def rest_is_fetched(xgamma, server, catalogue, folder, part):
    kept = part.stat().st_size
    server.requests.clear()
    done = xgamma("fetch", catalogue, folder)
    assert done.code == 0
    asked = server.asked(ONE)
    assert (ONE, f"bytes={kept}-", SIZES[ONE] - kept) in asked
    assert hashlib.sha256((folder / ONE).read_bytes()).hexdigest() == read_catalog(catalogue).files[0].sha256
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [INDEX, "run_1.fits", "run_2.fits"]


def test_a_killed_fetch_resumes_where_it_ended(xgamma, server, catalogue, tmp_path):
    process, part = waiting(server, catalogue, tmp_path / "there")
    process.kill()
    process.communicate(timeout=60)
    assert not (tmp_path / "there" / ONE).exists()
    rest_is_fetched(xgamma, server, catalogue, tmp_path / "there", part)


def test_a_concurrent_fetch_is_refused_and_an_interrupted_one_resumes(xgamma, server, catalogue, tmp_path):
    process, part = waiting(server, catalogue, tmp_path / "there")
    second = xgamma("fetch", catalogue, tmp_path / "there")
    process.send_signal(signal.SIGINT)
    # The connection stands still for 30 s before it would be given up.
    out, err = process.communicate(timeout=25)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "Interrupted; what has come stays, and the same command goes on from there."
    assert second.code == 2
    assert f"Error: Another fetch is at work in {tmp_path / 'there'}. Wait for its end." in second.err
    rest_is_fetched(xgamma, server, catalogue, tmp_path / "there", part)


# --- and then


@pytest.fixture
def simulated(tiny_release, tmp_path):
    """A catalogue of a simulated release with three runs, on a server of its own."""
    files = {
        path.relative_to(tiny_release).as_posix(): path.read_bytes() for path in sorted(tiny_release.rglob("*.fits*"))
    }
    runs = {name: number for name in files if (number := _obs_id(name)) is not None}
    with serving(files) as server:
        entries = tuple(
            catalogued(name, content, *([runs[name]] if name in runs else [])) for name, content in files.items()
        )
        release = DataRelease("tiny", "Tiny", "CC0-1.0", "none", urls=(server.url,), files=entries)
        path = tmp_path / "tiny.yaml"
        path.write_text(yaml.safe_dump(release_document(release)), encoding="utf-8")
        assert len(release.obs_ids) == 3
        yield path, release.obs_ids, server


def _obs_id(name):
    digits = re.search(r"(\d+)\.fits", Path(name).name)
    return int(digits.group(1)) if digits else None


def test_the_runs_that_were_fetched_can_be_analysed(xgamma, simulated, here):
    catalogue, obs_ids, _ = simulated
    done = xgamma("fetch", catalogue, "tiny", "--obs", obs_ids[0], "--obs", obs_ids[2])
    assert done.code == 0
    selection = yaml.safe_load(done.err[done.err.index("observations:") :])
    assert selection == {"observations": {"datastore": "tiny", "obs_ids": [obs_ids[0], obs_ids[2]]}}
    config_of(here / "tiny", here / "store", yaml.safe_dump(selection)).write(here / "my.yaml")
    assert xgamma("check", "my.yaml").code == 0
    ran = xgamma("run", "my.yaml", "--until", "datasets", "--json")
    assert ran.code == 0
    assert ran.document["unused_runs"] == []


def test_runs_that_were_not_fetched_are_named_when_they_are_asked_for(xgamma, simulated, here):
    catalogue, obs_ids, _ = simulated
    xgamma("fetch", catalogue, "tiny", "--obs", obs_ids[0])
    config_of(here / "tiny", here / "store").write(here / "my.yaml")
    ran = xgamma("run", "my.yaml", "--until", "datasets", "--json")
    assert ran.code == 4
    assert sorted(run["name"] for run in ran.document["unused_runs"]) == sorted(map(str, obs_ids[1:]))


def test_into_ingests_the_runs_that_are_there(xgamma, simulated, here):
    catalogue, obs_ids, server = simulated
    done = xgamma("fetch", catalogue, "tiny", "--obs", obs_ids[1], "--into", "store", "--json")
    assert done.code == 0
    assert "1 run ingested, 0 were there, 0 could not be read." in done.err
    assert done.document["runs_present"] == [obs_ids[1]]
    server.behave(next(request.path for request in server.requests), honest)
    done = xgamma("fetch", catalogue, "tiny", "--into", "store")
    assert done.code == 0
    assert "2 runs ingested, 1 were there, 0 could not be read." in done.out
    assert len(xgamma("ls", "store", "--runs", "--json").document) == 3


# --- real data


def test_the_crab_runs_come_over_a_server_with_their_published_digests(xgamma, gammapy_data, here):
    folder = gammapy_data / "hess-dl3-dr1"
    files = {file.name: (folder / file.name).read_bytes() for file in read_catalog("hess-dl3-dr1").files_of(CRAB)}
    with serving(files) as server:
        server.behave(f"data/hess_dl3_dr1_obs_id_0{CRAB[0]}.fits.gz", cuts_after(200_000), honest)
        words = [word for obs_id in CRAB for word in ("--obs", obs_id)]
        done = xgamma("fetch", "hess-dl3-dr1", "--from", server.url, *words, "--json")
    assert done.document["runs_present"] == list(CRAB)
    # An index that names fewer runs than that of the whole release is another file.
    failed = {entry["name"] for entry in done.document["files"] if entry["status"] == "failed"}
    assert failed <= {"hdu-index.fits.gz", "obs-index.fits.gz"}
    assert done.code == (4 if failed else 0)


INTERRUPTED_AT_WORK = (
    "; import signal; from xgamma.releases import download"
    "; download.validate_room = lambda *given: signal.raise_signal(signal.SIGINT)"
)


def test_an_interrupt_in_the_midst_of_a_file_prints_one_sentence(catalogue, tmp_path):
    process = started(catalogue, tmp_path / "there", before=INTERRUPTED_AT_WORK)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "Interrupted; what has come stays, and the same command goes on from there."
    assert "KeyboardInterrupt" not in err
