"""A proxy of an S3 server that refuses, stalls, cuts and loses answers by a seeded plan."""

from __future__ import annotations

import http.client
import random
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

SLOW_DOWN = (503, "SlowDown")
INTERNAL = (500, "InternalError")
FAULTS = (
    "slow down",
    "internal error",
    "stall",
    "cut in the request",
    "lost answer",
    "cut in the answer",
    "stall in the answer",
    "short answer",
)


class FaultyServer:
    """A proxy in front of a server; ``plan`` decides what happens to each request.

    Parameters
    ----------
    target
        The url of the server that really answers.

    Attributes
    ----------
    plan
        From the method and path of a request to the name of a fault, or ``None``.
    seconds
        How long a stall lasts; longer than any client waits.
    done
        How many requests met each fault.
    """

    def __init__(self, target):
        self.target = urlsplit(target).netloc
        self.plan = lambda _method, _path: None
        self.seconds = 10.0
        self.done = dict.fromkeys(FAULTS, 0)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def fault(self, method, path):
        """Return the fault that this request meets."""
        with self._lock:
            fault = self.plan(method, path)
            if fault is not None:
                self.done[fault] += 1
            return fault

    def stall(self):
        """Wait, and end early when the server is closed."""
        self._closed.wait(self.seconds)

    def close(self):
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()


def seeded(seed, share, faults=FAULTS):
    """Return a plan in which a ``share`` of the requests meets one of the ``faults``; few stall, as that takes time."""
    draw = random.Random(seed)
    weights = [0.2 if "stall" in fault else 1.0 for fault in faults]
    return lambda _method, _path: draw.choices(faults, weights)[0] if draw.random() < share else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, *_given):
        """Connections that were cut are what it is for."""


def _handler(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_given):
            pass

        def answer(self):
            fault = server.fault(self.command, self.path)
            length = int(self.headers.get("Content-Length") or 0)
            if fault == "cut in the request":
                self.rfile.read(length // 2)
                return self.cut()
            body = self.rfile.read(length)
            if fault == "stall":
                server.stall()
                return self.cut()
            if fault in ("slow down", "internal error"):
                return self.refuse(*(SLOW_DOWN if fault == "slow down" else INTERNAL))
            status, headers, content = self.forward(body)
            if fault == "lost answer":
                return self.cut()
            return self.send(status, headers, content, fault)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer  # noqa: N815

        def forward(self, body):
            connection = http.client.HTTPConnection(server.target, timeout=30)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            connection.request(self.command, self.path, body or None, headers)
            with connection.getresponse() as found:
                content = found.read()
                kept = [(name, value) for name, value in found.getheaders() if name.lower() not in _OWN]
                length = found.getheader("Content-Length") if self.command == "HEAD" else None
            connection.close()
            return found.status, [*kept, ("Content-Length", length or str(len(content)))], content

        def send(self, status, headers, content, fault=None):
            half = content[: len(content) // 2]
            if fault == "short answer":
                headers = [*headers[:-1], ("Content-Length", str(len(half)))]
                content = half
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            whole = fault not in ("cut in the answer", "stall in the answer")
            if self.command != "HEAD":
                self.wfile.write(content if whole else half)
            if fault == "stall in the answer":
                server.stall()
            if not whole:
                self.cut()

        def refuse(self, status, code):
            content = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>Later.</Message></Error>".encode()
            headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(content)))]
            self.send(status, headers, content)

        def cut(self):
            """Reset the connection, as a machine in the middle does."""
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    return Handler


_OWN = ("connection", "content-length", "transfer-encoding", "date", "server")
