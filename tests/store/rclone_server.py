"""A server of S3 that ignores conditional writes: ``rclone serve s3`` on loopback, before a temporary folder."""

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from s3_environment import S3Server


def rclone():
    """Return the program, ``None`` where it is not installed."""
    beside = Path(sys.executable).with_name("rclone")
    return str(beside) if beside.exists() else shutil.which("rclone")


class RcloneServer(S3Server):
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

    def close(self):
        self._process.kill()
        self._process.wait()
