"""Fetching from a sound server, and from one that stalls, cuts, sends wrong bytes and changes files."""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
import socket
import time
from collections import namedtuple

import pytest
from made_release import HASTY, INDEX, ONE, SIZES, TWO, made_bytes
from release_server import (
    PAGE,
    answers,
    cuts_after,
    honest,
    ignores_ranges,
    never_answers,
    redirects_to,
    says_length,
    says_no_length,
    sends,
    serving,
    stalls_after,
)

from xgamma.errors import ConfigError, MissingInputError, OutputError
from xgamma.releases import CatalogFile, DataRelease, Retries, Status, fetch
from xgamma.releases.download import GIVEN_UP
from xgamma.releases.fetch import AT_A_TIME, only_one

ALL_FETCHED = dict.fromkeys((INDEX, ONE, TWO), "fetched")


def interrupted_part(fetched, contents, nbytes, name=ONE):
    """Leave the beginning of a file as a fetch that was killed does."""
    part = fetched.folder / f"{name}.part"
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(contents[name][:nbytes])
    return part


# --- a server that behaves


def test_a_release_is_fetched_whole_with_one_request_a_file(fetched, server, contents):
    assert fetched() == ALL_FETCHED
    assert {name: fetched.bytes(name) for name in SIZES} == contents
    assert sorted(server.requests) == sorted((name, None, size) for name, size in SIZES.items())
    assert fetched.names() == sorted(SIZES)


def test_a_second_fetch_asks_the_server_for_nothing(fetched, server):
    fetched()
    server.requests.clear()
    assert fetched() == dict.fromkeys(ALL_FETCHED, "present")
    assert server.requests == []


def test_only_the_files_of_the_chosen_runs_and_those_of_all_runs_are_fetched(fetched, server, release, tmp_path):
    assert fetched(obs_ids=[2]) == {INDEX: "fetched", TWO: "fetched"}
    assert server.asked(ONE) == []
    assert fetch(release, tmp_path / "here", [2], retries=HASTY).runs_present == (2,)
    assert fetch(release, tmp_path / "here", retries=HASTY).runs_present == (1, 2)


def test_a_run_that_the_release_does_not_have_raises_before_anything_is_made(fetched, server):
    with pytest.raises(ConfigError, match=r"^made-up has no run 3, 4\. It has 1 to 2, 2 runs\.\n"):
        fetched(obs_ids=[1, 4, 3])
    assert server.requests == []
    assert not fetched.folder.exists()


def test_several_files_are_downloaded_at_a_time(contents, tmp_path):
    files = {f"run_{number}.fits": contents[ONE] for number in range(AT_A_TIME + 2)}
    digest = hashlib.sha256(contents[ONE]).hexdigest()
    entries = tuple(CatalogFile(name, digest) for name in files)
    with serving(files) as server:
        release = DataRelease("many", "Many", "none", "none", urls=(server.url,), files=entries)
        for name in files:
            server.behave(name, stalls_after(100_000), honest)
        waited = Retries(timeout=0.5, retries=1, pause=0.01)
        seen = {}

        def watch(name, nbytes, size):
            seen.setdefault(name, []).append(nbytes)

        begun = time.monotonic()
        report = fetch(release, tmp_path, retries=waited, watch=watch)
        # One after the other they would stand still for half a second each.
        assert time.monotonic() - begun < 0.5 * len(files)
    assert {entry.status for entry in report.files} == {Status.FETCHED}
    assert all(counts == sorted(counts) and counts[-1] == SIZES[ONE] for counts in seen.values())


# --- interruptions


@pytest.mark.parametrize("behaviour", [cuts_after(300_000), stalls_after(300_000)], ids=["cut", "stall"])
def test_a_broken_or_stalled_download_resumes_where_it_ended(fetched, server, contents, behaviour):
    server.behave(ONE, behaviour, honest)
    assert fetched() == ALL_FETCHED
    assert fetched.bytes(ONE) == contents[ONE]
    # The one that stands still ends with the server.
    second = next(request for request in server.asked(ONE) if request.range)
    assert second.range.startswith("bytes=300000-")
    assert second.sent == SIZES[ONE] - 300_000


def test_the_next_call_fetches_only_the_rest(fetched, server, contents):
    server.behave(ONE, cuts_after(150_000), answers(500))
    assert fetched()[ONE] == f"{server.url}: the server answered 500 Internal Server Error."
    part = fetched.folder / f"{ONE}.part"
    assert part.read_bytes() == contents[ONE][:150_000]
    server.requests.clear()
    server.behave(ONE, honest)
    assert fetched() == {INDEX: "present", ONE: "fetched", TWO: "present"}
    assert server.requests == [(ONE, "bytes=150000-", SIZES[ONE] - 150_000)]
    assert fetched.bytes(ONE) == contents[ONE]
    assert not part.exists()


def test_what_is_on_the_disk_already_is_not_counted_as_received(release, fetched, contents):
    interrupted_part(fetched, contents, 123_456)
    report = fetch(release, fetched.folder, [1], retries=HASTY)
    assert {entry.file.name: entry.received for entry in report.files} == {INDEX: 3_000, ONE: 400_000 - 123_456}


def test_a_part_that_is_whole_and_right_needs_no_request(fetched, server, contents):
    interrupted_part(fetched, contents, SIZES[TWO], TWO)
    assert fetched() == ALL_FETCHED
    assert server.asked(TWO) == []
    assert fetched.bytes(TWO) == contents[TWO]


@pytest.mark.parametrize("nbytes", [100, SIZES[ONE], SIZES[ONE] + 100], ids=["short", "as long", "longer"])
def test_a_part_of_another_file_is_deleted_and_the_file_fetched_from_its_beginning(fetched, contents, nbytes):
    part = interrupted_part(fetched, contents, 0)
    part.write_bytes(b"x" * nbytes)
    assert fetched() == ALL_FETCHED
    assert fetched.bytes(ONE) == contents[ONE]


def test_a_server_without_ranges_sends_the_whole_file_again(fetched, server, contents):
    interrupted_part(fetched, contents, 100_000)
    server.behave(ONE, ignores_ranges)
    assert fetched() == ALL_FETCHED
    assert [request.range for request in server.asked(ONE)] == ["bytes=100000-", None]
    assert fetched.bytes(ONE) == contents[ONE]


def test_a_file_that_changes_between_two_attempts_is_detected_by_its_digest(fetched, server, contents):
    older = bytes(SIZES[TWO])
    server.behave(TWO, lambda handler, content: cuts_after(200_000)(handler, older), answers(503))
    assert "the server answered 503" in fetched()[TWO]
    assert (fetched.folder / f"{TWO}.part").stat().st_size > 0
    server.requests.clear()
    server.behave(TWO, honest)
    assert fetched()[TWO] == "fetched"
    assert fetched.bytes(TWO) == contents[TWO]
    resumed, anew = server.asked(TWO)
    assert resumed.range is not None
    assert (anew.range, anew.sent) == (None, SIZES[TWO])


def test_a_file_that_changes_during_one_attempt_is_fetched_again_once(fetched, server, contents):
    older = bytes(SIZES[TWO])
    server.behave(TWO, lambda handler, content: cuts_after(200_000)(handler, older), honest)
    assert fetched()[TWO] == "fetched"
    assert fetched.bytes(TWO) == contents[TWO]
    assert server.asked(TWO)[-1] == (TWO, None, SIZES[TWO])


def test_slow_progress_is_followed_by_another_attempt(contents, tmp_path):
    content = b"".join(contents.values()) * 8
    entry = CatalogFile("long.fits", hashlib.sha256(content).hexdigest(), len(content))
    with serving({entry.name: content}) as server:
        release = DataRelease("long", "Long", "none", "none", urls=(server.url,), files=(entry,))
        server.behave(entry.name, cuts_after(1_200_000))
        report = fetch(release, tmp_path, retries=Retries(timeout=1, retries=0, pause=0.01))
        assert [file.status for file in report.files] == [Status.FETCHED]
        assert sum(request.sent for request in server.requests) == len(content)
    assert (tmp_path / entry.name).read_bytes() == content


def test_a_server_without_ranges_that_always_cuts_is_given_up(tmp_path):
    content = made_bytes(3_000_000, 7)
    entry = CatalogFile("long.fits", hashlib.sha256(content).hexdigest(), len(content))

    def cut(handler, content):
        handler.head(200, len(content))
        handler.body(content[:1_200_000])
        handler.hang_up()

    with serving({entry.name: content}) as server:
        release = DataRelease("long", "Long", "none", "none", urls=(server.url,), files=(entry,))
        server.behave(entry.name, cut)
        report = fetch(release, tmp_path, retries=HASTY)
        assert [file.message for file in report.files] == [f"{server.url} sends the file from its beginning only."]
        assert len(server.requests) < 12


# --- trouble on the other side


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_request_to_an_overloaded_server_is_repeated(fetched, server, status):
    server.behave(ONE, answers(status), answers(status), honest)
    assert fetched() == ALL_FETCHED
    assert len(server.asked(ONE)) == 3


def test_a_server_that_stays_overloaded_is_given_up_after_the_retries(fetched, server):
    server.behave(ONE, answers(503))
    assert fetched() == {
        INDEX: "fetched",
        ONE: f"{server.url}: the server answered 503 Service Unavailable.",
        TWO: "fetched",
    }
    assert len(server.asked(ONE)) == 1 + HASTY.retries


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (404, " has no such file."),
        (403, ": the server answered 403 Forbidden."),
        (401, ": the server answered 401 Unaut"),
    ],
)
def test_a_permanent_failure_is_not_requested_again(fetched, server, status, sentence):
    server.behave(ONE, answers(status))
    got = fetched()
    assert got[ONE].startswith(f"{server.url}{sentence}")
    assert len(server.asked(ONE)) == 1
    assert {got[INDEX], got[TWO]} == {"fetched"}
    assert fetched.names() == [TWO, INDEX]


def test_a_file_with_wrong_bytes_never_gets_its_name(fetched, server):
    server.behave(ONE, sends(bytes(SIZES[ONE])))
    wrong = hashlib.sha256(bytes(SIZES[ONE])).hexdigest()
    assert re.fullmatch(
        rf"{server.url} has another file: its SHA-256 is {wrong}, expected [0-9a-f]{{64}}\.", fetched()[ONE]
    )
    assert fetched.names() == [TWO, INDEX]


def test_one_flipped_bit_is_detected(fetched, server, contents):
    flipped = bytearray(contents[TWO])
    flipped[200_000] ^= 1
    server.behave(TWO, sends(bytes(flipped)))
    assert "has another file: its SHA-256 is" in fetched()[TWO]


def test_a_file_of_another_size_is_refused_before_its_bytes_come(fetched, server):
    server.behave(ONE, sends(bytes(90_000)))
    assert fetched()[ONE] == f"{server.url} has another file, of 90000 bytes; expected 400000."
    assert fetched.names() == [TWO, INDEX]


def test_a_web_page_in_place_of_a_file_is_named_in_the_error(fetched, server):
    server.behave(TWO, sends(PAGE))
    assert fetched()[TWO].endswith(", and it looks like a web page.")


def test_a_content_length_that_is_too_short_gives_no_file(fetched, server):
    server.behave(TWO, says_length(100))
    assert fetched()[TWO].startswith(f"{server.url} has another file: its SHA-256 is ")
    assert fetched.names() == [ONE, INDEX]


@pytest.mark.parametrize("size", [1_000, 1_000_000_000_000_000])
def test_a_content_length_that_is_too_long_gives_a_file_only_if_its_digest_is_right(fetched, server, size):
    server.behave(TWO, says_length(SIZES[TWO] + size))
    # All that is missing did not exist; but where all that was promised does not fit on the disk, nothing is begun.
    expected = "fetched" if size == 1_000 else "bytes of free space, and"
    assert expected in fetched()[TWO]


def test_a_server_without_content_length_is_refused(fetched, server):
    server.behave(TWO, says_no_length)
    assert fetched()[TWO] == f"{server.url}: Generic HTTP error: Content-Length Header missing from response."


def test_a_redirection_is_followed_with_its_range(fetched, server, contents):
    interrupted_part(fetched, contents, 100_000)
    server.files["elsewhere/run.fits"] = contents[ONE]
    server.behave(ONE, redirects_to("elsewhere/run.fits"))
    assert fetched() == ALL_FETCHED
    assert server.asked("elsewhere/run.fits") == [("elsewhere/run.fits", "bytes=100000-", SIZES[ONE] - 100_000)]


def test_a_redirection_in_a_circle_ends(fetched, server):
    server.behave(ONE, redirects_to(ONE))
    assert fetched()[ONE].startswith(f"{server.url}: ")
    assert fetched.names() == [TWO, INDEX]


def test_an_unreachable_server_is_named_in_the_error(fetched):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        sentence = f"{url}: there was no connection or no answer (Connection refused)."
        assert fetched(sources=[url]) == dict.fromkeys(ALL_FETCHED, sentence)


def test_a_server_that_never_answers_is_not_asked_for_every_file(contents, tmp_path):
    names = [f"run_{number}.fits" for number in range(40)]
    entries = tuple(CatalogFile(name, "0" * 64) for name in names)
    with serving({}) as server:
        release = DataRelease("many", "Many", "none", "none", urls=(server.url,), files=entries)
        for name in names:
            server.behave(name, never_answers)
        begun = time.monotonic()
        report = fetch(release, tmp_path, retries=Retries(timeout=0.3, retries=0, pause=0.01))
        assert time.monotonic() - begun < 5
        messages = [entry.message for entry in report.files]
        assert messages[:AT_A_TIME] == [f"{server.url}: there was no connection or no answer."] * AT_A_TIME
        given_up = f"{server.url} was given up after {GIVEN_UP} files in a row that could not be had."
        assert messages[-20:] == [given_up] * 20


# --- mirrors


def test_the_next_mirror_is_asked_for_a_missing_file(fetched, server, contents):
    server.behave(ONE, answers(404))
    server.behave(TWO, sends(PAGE))
    with serving(contents) as mirror:
        assert fetched(sources=[server.url, mirror.url]) == ALL_FETCHED
        assert sorted(request.path for request in mirror.requests) == [ONE, TWO]


def test_a_download_resumes_from_another_mirror(fetched, server, contents):
    server.behave(ONE, cuts_after(300_000), answers(500))
    with serving(contents) as mirror:
        assert fetched(sources=[server.url, mirror.url]) == ALL_FETCHED
        assert mirror.asked(ONE) == [(ONE, "bytes=300000-", 100_000)]
    assert fetched.bytes(ONE) == contents[ONE]


def test_a_mirror_with_a_file_of_another_size_changes_no_partial_file(fetched, server, contents):
    interrupted_part(fetched, contents, 300_000)
    server.behave(ONE, sends(bytes(500_000)))
    with serving(contents) as mirror:
        assert fetched(sources=[server.url, mirror.url]) == ALL_FETCHED
        assert mirror.asked(ONE) == [(ONE, "bytes=300000-", 100_000)]


def test_a_folder_is_a_mirror(fetched, server, contents, tmp_path):
    for name, content in contents.items():
        path = tmp_path / "mirror" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "mirror" / TWO).write_bytes(contents[TWO][:1000])
    interrupted_part(fetched, contents, 100_000)
    interrupted_part(fetched, contents, 5_000, TWO)
    got = fetched(sources=[tmp_path / "mirror"])
    assert (got[INDEX], got[ONE]) == ("fetched", "fetched")
    assert got[TWO].startswith(f"{tmp_path / 'mirror'} has another file: its SHA-256 is")
    assert server.requests == []


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("ftp://host/x", r"^ftp://host/x cannot be opened: expected https://, http://"),
        ("file:///x", r"^file:///x cannot be opened: expected https://, http://"),
        ("http://", r"^http:// cannot be opened: expected https://, http://"),
        (
            "https://user:word@host/x",
            r"^The url https://host/x came with a user, a query or a fragment\. Give https://h",
        ),
        (
            "https://h/x?y=word",
            r"^The url https://h/x came with a user, a query or a fragment\. Give https://h/x alone",
        ),
    ],
)
def test_a_url_of_another_kind_raises_without_its_secrets(fetched, place, message):
    with pytest.raises(ConfigError, match=message) as refused:
        fetched(sources=[place])
    assert "word" not in str(refused.value)


def test_a_folder_that_is_not_there_is_no_mirror(fetched, tmp_path):
    with pytest.raises(MissingInputError, match=r"^There is no folder .*gone to take files from\."):
        fetched(sources=[tmp_path / "gone"])


# --- what is there


def test_a_wrong_file_is_replaced_after_the_right_one_was_fetched(fetched, contents):
    fetched()
    (fetched.folder / ONE).write_bytes(b"spoiled")
    assert fetched() == {INDEX: "present", ONE: "replaced", TWO: "present"}
    assert fetched.bytes(ONE) == contents[ONE]


def test_a_wrong_file_stays_when_the_right_one_cannot_be_fetched(release, fetched, server):
    fetched()
    (fetched.folder / ONE).write_bytes(b"spoiled")
    server.behave(ONE, answers(404))
    report = fetch(release, fetched.folder, retries=HASTY)
    assert [entry.file.name for entry in report.of(Status.FAILED)] == [ONE]
    assert report.runs_present == (2,)
    assert fetched.bytes(ONE) == b"spoiled"


def test_links_are_not_written_through(fetched, tmp_path):
    (tmp_path / "outside").mkdir()
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    fetched.folder.mkdir()
    (fetched.folder / "data").symlink_to(tmp_path / "outside")
    (fetched.folder / f"{INDEX}.part").symlink_to(precious)
    got = fetched()
    assert (
        got[ONE] == f"{fetched.folder / 'data'} is a link that leads out of {fetched.folder}. Remove it, or choose "
        "another folder."
    )
    assert got[INDEX].endswith("is in the way: it is a link or a folder, and a file belongs there. Remove it.")
    assert precious.read_bytes() == b"precious"
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_full_disk_raises_before_anything_is_fetched(fetched, server, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(0, 0, 402_999))
    with pytest.raises(OutputError, match=r"has 402999 bytes of free space, and 403000 are needed\."):
        fetched()
    assert server.requests == []


def test_a_file_of_unknown_size_that_does_not_fit_is_not_begun(fetched, server, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(0, 0, 3_000))
    got = fetched(obs_ids=[2])
    assert got[INDEX] == "fetched"
    assert "has 3000 bytes of free space, and 250000 are needed." in got[TWO]


def test_a_folder_that_cannot_be_made_raises(release, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"^The folder .*file/here cannot be made: Not a directory\."):
        fetch(release, tmp_path / "file" / "here")


def test_two_fetches_in_one_folder_do_not_mix(release, fetched, server):
    fetched.folder.mkdir()
    with only_one(fetched.folder), pytest.raises(OutputError, match=r"^Another fetch is at work in .*here\."):
        fetched()
    assert fetched() == ALL_FETCHED


def test_a_release_is_fetched_inside_of_a_running_loop_too(fetched):
    async def notebook():
        return fetched()

    assert asyncio.run(notebook()) == ALL_FETCHED
