"""A server of S3 that ignores conditional writes: ``rclone serve s3`` on loopback, before a temporary folder."""

import shutil
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path


def rclone():
    """Return the program, ``None`` where it is not installed."""
    beside = Path(sys.executable).with_name("rclone")
    return str(beside) if beside.exists() else shutil.which("rclone")


class RcloneServer:
    """One server with one bucket, ``products``, which is a folder in ``folder``."""

    own_words = ("AKIAOFTHERCLONETESTS", "another-secret-that-is-never-repeated")

    def __init__(self, folder):
        (folder / "products").mkdir(parents=True)
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [rclone(), "serve", "s3", str(folder), "--addr", f"127.0.0.1:{port}", "--config", "/dev/null"]
        command += ["--auth-key", ",".join(self.own_words), "--no-cleanup"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while time.monotonic() < end and self._process.poll() is None:
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError("rclone serve s3 does not answer")

    @property
    def environment(self):
        """What a user sets to be let in."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": self.own_words[0],
            "AWS_SECRET_ACCESS_KEY": self.own_words[1],
        }

    def new_url(self):
        """Return the url of a place where nothing is yet."""
        return f"s3://products/{uuid.uuid4().hex[:8]}/store"

    def close(self):
        self._process.kill()
        self._process.wait()
