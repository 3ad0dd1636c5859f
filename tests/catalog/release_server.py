"""A web server on this machine that serves files and fails as configured, request by request."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

PATIENCE = 0.5
"""Seconds in which a request that was answered is noted; others may stand still on purpose."""
PAGE = b"<!DOCTYPE html><html><body>Please log in.</body></html>"


class Request(NamedTuple):
    """What was asked for and how many bytes of the body were sent."""

    path: str
    range: str | None
    sent: int


class Handler(BaseHTTPRequestHandler):
    """Answers GET by the next behaviour of the path, the last of which stays."""

    protocol_version = "HTTP/1.1"
    server: ReleaseServer

    def log_message(self, *words: object) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        path = self.path.lstrip("/")
        with self.server.lock:
            script = self.server.scripts.get(path, [])
            behaviour = (script.pop(0) if len(script) > 1 else script[0]) if script else honest
            self.server.answering += 1
        self.sent = 0
        try:
            behaviour(self, self.server.files.get(path))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with self.server.lock:
                self.server.noted.append(Request(path, self.headers.get("Range"), self.sent))
                self.server.answering -= 1

    def head(self, status: int, length: int, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def body(self, content: bytes) -> None:
        self.wfile.write(content)
        self.wfile.flush()
        self.sent += len(content)

    def begin(self, content: bytes) -> bytes:
        """Send the head of an honest answer; return what belongs into its body."""
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        asked = self.headers.get("Range")
        if self.headers.get("If-Match") not in (None, etag):
            self.head(412, 0)
            return b""
        if asked is None:
            self.head(200, len(content), ETag=etag)
            return content
        first, _, last = asked.removeprefix("bytes=").partition("-")
        rest = content[int(first) : int(last) + 1 if last else None]
        if not rest:
            self.head(416, 0, Content_Range=f"bytes */{len(content)}")
            return b""
        end = int(first) + len(rest) - 1
        self.head(206, len(rest), ETag=etag, Content_Range=f"bytes {first}-{end}/{len(content)}")
        return rest

    def hang_up(self) -> None:
        # What was sent arrives before the end does.
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_WR)


Behaviour = Callable[[Handler, bytes | None], None]


def honest(handler: Handler, content: bytes | None) -> None:
    """Send the file, or the range of it that is asked for; 404 where there is none."""
    if content is None:
        handler.head(404, 0)
    else:
        handler.body(handler.begin(content))


def sends(other: bytes) -> Behaviour:
    """Send other bytes in the place of the file, with ranges."""
    return lambda handler, content: honest(handler, other)


def answers(status: int) -> Behaviour:
    """Send a status and nothing else."""
    return lambda handler, content: handler.head(status, 0)


def cuts_after(nbytes: int) -> Behaviour:
    """Hang up after some bytes of the body."""

    def cut(handler: Handler, content: bytes | None) -> None:
        handler.body(handler.begin(content or b"")[:nbytes])
        handler.hang_up()

    return cut


def stalls_after(nbytes: int) -> Behaviour:
    """Send some bytes of the body, then nothing until the server ends, with the connection open."""

    def stall(handler: Handler, content: bytes | None) -> None:
        handler.body(handler.begin(content or b"")[:nbytes])
        handler.server.stalled.release()
        handler.server.over.wait(60)
        handler.close_connection = True

    return stall


def never_answers(handler: Handler, content: bytes | None) -> None:
    """Accept the connection and say nothing."""
    handler.server.over.wait(60)
    handler.close_connection = True


def ignores_ranges(handler: Handler, content: bytes | None) -> None:
    """Send the whole file, whatever was asked for."""
    assert content is not None
    handler.head(200, len(content))
    handler.body(content)


def says_length(length: int) -> Behaviour:
    """Promise another length than that of the file."""

    def lie(handler: Handler, content: bytes | None) -> None:
        handler.head(200, length)
        handler.body((content or b"")[:length])
        handler.hang_up()

    return lie


def says_no_length(handler: Handler, content: bytes | None) -> None:
    """Send the file without saying how long it is."""
    handler.send_response(200)
    handler.end_headers()
    handler.body(content or b"")
    handler.close_connection = True


def redirects_to(path: str) -> Behaviour:
    """Send the reader elsewhere."""
    return lambda handler, content: handler.head(302, 0, Location=f"/{path}")


class ReleaseServer(ThreadingHTTPServer):
    """Files by path, behaviours by path, and all requests there were."""

    daemon_threads = True

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = dict(files)
        self.scripts: dict[str, list[Behaviour]] = {}
        self.noted: list[Request] = []
        self.answering = 0
        self.lock = threading.Lock()
        self.stalled = threading.Semaphore(0)
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def behave(self, path: str, *behaviours: Behaviour) -> None:
        """Set how the next requests of a path are answered; the last behaviour stays."""
        self.scripts[path] = list(behaviours)

    @property
    def requests(self) -> list[Request]:
        """The requests so far; those that are answered already are noted a moment later."""
        deadline = time.monotonic() + PATIENCE
        while self.answering and time.monotonic() < deadline:
            time.sleep(0.005)
        return self.noted

    def asked(self, path: str) -> list[Request]:
        """Return the requests of one path so far."""
        return [request for request in self.requests if request.path == path]


@contextmanager
def serving(files: Mapping[str, bytes]) -> Iterator[ReleaseServer]:
    """Show files on a free port of this machine while in the context."""
    server = ReleaseServer(files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
