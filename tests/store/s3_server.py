"""S3 on loopback by moto, with counted requests and, on demand, without conditional writes."""

import json
import threading
import urllib.request

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from s3_environment import S3Server
from werkzeug.serving import WSGIRequestHandler, make_server


class Silent(WSGIRequestHandler):
    def log(self, *_given):
        pass


class Server(S3Server):
    """One server with one bucket, ``products``."""

    is_real = False
    own_words = ("AKIAOFTHESTORETESTS", "a-secret-that-is-never-repeated", "a-token-that-is-never-repeated")

    def __init__(self):
        self.requests = []
        self.signed = []
        self.ignores_conditions = False
        self.refusal = None
        self.fault = lambda environ: None
        self._moto = DomainDispatcherApplication(create_backend_app)
        # Moto looks and writes in two steps, a server that can be relied on in one.
        self._lock = threading.Lock()
        self._server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=Silent)
        self.url = f"http://127.0.0.1:{self._server.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._put("products")
        public = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::products/*"}
        self._put("products?policy", {"Version": "2012-10-17", "Statement": [public]})

    def _put(self, path, document=None):
        content = None if document is None else json.dumps(document).encode()
        kind = {"Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/{path}", content, kind, method="PUT")).close()

    def __call__(self, environ, start_response):
        self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        self.signed.append("HTTP_AUTHORIZATION" in environ)
        if self.refusal is not None:
            start_response("403 Forbidden", [("Content-Type", "application/xml")])
            return [self.refusal.encode()]
        words = self.fault(environ)
        if words is not None:
            start_response("503 Slow Down", [("Content-Type", "application/xml")])
            return [words.encode()]
        if self.ignores_conditions:
            environ.pop("HTTP_IF_NONE_MATCH", None)
        with self._lock:
            return self._moto(environ, start_response)

    def close(self):
        self._server.shutdown()
        self._server.server_close()
