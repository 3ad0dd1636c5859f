"""S3 on loopback by moto, in a process of its own, that counts: ``python bucket_server.py``. Prints its port.

``GET /counted`` answers with the requests by method and the bytes that came in and went out since it was asked last.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "products"


class Silent(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_given: object) -> None:
        pass


class Counting:
    """A WSGI application around moto."""

    def __init__(self) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.counted: Counter[str] = Counter()
        # Moto looks and writes in two steps, a server that can be relied on in one.
        self.lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self.lock:
            if environ["PATH_INFO"] == "/counted":
                text = json.dumps(self.counted).encode()
                self.counted.clear()
                start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
                return [text]
            answer = [b"".join(self.moto(environ, start_response))]
        query = environ["QUERY_STRING"]
        method = "LIST" if "list-type" in query else environ["REQUEST_METHOD"]
        self.counted[method] += 1
        self.counted["bytes in"] += int(environ.get("CONTENT_LENGTH") or 0)
        self.counted["bytes out"] += len(answer[0])
        return answer


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, Counting(), threaded=True, request_handler=Silent)
    print(server.port, flush=True)
    server.serve_forever()
