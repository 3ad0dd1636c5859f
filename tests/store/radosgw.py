"""A real server of S3 on loopback: Ceph's gateway with one monitor and one OSD in memory, without systemd or root."""

import contextlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import boto3
from s3_environment import S3Server

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph-authtool", "monmaptool")
PACKAGES = "radosgw ceph-mon ceph-osd ceph-common"
CONFIGURATION = """
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{monitor}
ms bind msgr2 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth supported = none
auth cluster required = none
auth service required = none
auth client required = none
osd objectstore = memstore
memstore device bytes = 2147483648
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd max object name len = 256
osd max object namespace len = 64
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
mon data avail warn = 1
mon data = {folder}/mon
osd data = {folder}/osd
rgw data = {folder}/rgw
keyring = {folder}/keyring
run dir = {folder}
crash dir = {folder}/crash
log file = {folder}/$name.log
pid file = {folder}/$name.pid
admin socket = {folder}/$name.asok
debug rgw = 1
rgw frontends = beast endpoint=127.0.0.1:{port}
"""
# 127.0.0.1 - tests [25/Nov/2026:16:08:21.123 +0000] "GET /products/x HTTP/1.1" 200 ...
_ACCESS = re.compile(r'beast: \S+ 127\.0\.0\.1 - (\S+) \[[^]]*\] "(\S+) (\S+) HTTP')


def missing_programs():
    """Return which programs of Ceph are not installed."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def validate_programs():
    """End with a sentence where a program is missing."""
    missing = missing_programs()
    if missing:
        sys.exit(f"{', '.join(missing)} not found. On Debian: apt-get update && apt-get install {PACKAGES}")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Radosgw(S3Server):
    """One cluster with one bucket, ``products``; everything is in a temporary folder and gone after ``close``."""

    own_words = ("AKIAOFTHESTORETESTS", "a-secret-that-is-never-repeated")

    def __init__(self):
        validate_programs()
        started = time.monotonic()
        self.folder = Path(tempfile.mkdtemp(prefix="radosgw-"))
        self._running = []
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        self.seconds = time.monotonic() - started

    def _start(self):
        ports = {"port": free_port(), "monitor": free_port()}
        self.url = f"http://127.0.0.1:{ports['port']}"
        fsid = str(uuid.uuid4())
        for name in ("mon", "osd", "rgw", "crash"):
            (self.folder / name).mkdir()
        self._file("ceph.conf").write_text(CONFIGURATION.format(fsid=fsid, folder=self.folder, **ports))
        keyring, monitors = self._file("keyring"), self._file("monmap")
        self._run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        address = f"[v1:127.0.0.1:{ports['monitor']}]"
        self._run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, monitors)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monitors, "--keyring", keyring)
        self._daemon("ceph-mon", "-i", "a")
        osd = str(uuid.uuid4())
        number = self._run("ceph", "osd", "new", osd).split()[-1]
        self._run("ceph-osd", "-i", number, "--mkfs", "--osd-uuid", osd)
        self._start_osd(number)
        key_id, secret = self.own_words[:2]
        names = ["--uid=tests", "--display-name=tests", f"--access-key={key_id}", f"--secret-key={secret}"]
        self._run("radosgw-admin", "user", "create", *names)
        self._daemon("radosgw", "-n", "client.rgw")
        self._wait()
        client = boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            region_name="us-east-1",
        )
        client.create_bucket(Bucket="products")
        client.put_bucket_acl(Bucket="products", ACL="public-read")
        client.put_bucket_policy(
            Bucket="products",
            Policy='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", '
            '"Action": "s3:GetObject", "Resource": "arn:aws:s3:::products/*"}]}',
        )

    def _start_osd(self, number):
        """Start the OSD and wait until it is up; one that asked the monitor too early ends, and is started again."""
        end = time.monotonic() + 40
        self._daemon("ceph-osd", "-i", number)
        while "1 up" not in self._run("ceph", "osd", "stat"):
            if time.monotonic() > end:
                raise RuntimeError(self._words("The OSD does not get up."))
            if self._running[-1].poll() is not None:
                self._running.pop()
                self._daemon("ceph-osd", "-i", number)
            time.sleep(0.2)

    def _words(self, sentence):
        words = [path.read_text(errors="replace")[-2000:] for path in sorted(self.folder.glob("*.out"))]
        return "\n".join([sentence, *words])

    def _file(self, name):
        return self.folder / name

    def _command(self, program, *given):
        return [program, "-c", str(self._file("ceph.conf")), *map(str, given)]

    def _run(self, program, *given):
        command = self._command(program, *given)
        if program in ("ceph-authtool", "monmaptool"):
            command = [program, *map(str, given)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=40, check=False)
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stderr}")
        return done.stdout

    def _daemon(self, program, *given):
        with self._file(f"{program}.out").open("wb") as out:
            command = [*self._command(program, *given), "-f"]
            self._running.append(subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT))

    def _wait(self):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if any(process.poll() is not None for process in self._running):
                break
            try:
                urllib.request.urlopen(self.url, timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(self._words(f"The gateway does not answer at {self.url}."))

    def _accesses(self):
        """Return (user, method, path) of every request until now; the last line of the log is one of our own."""
        mark = f"/products/{uuid.uuid4().hex}"
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(f"{self.url}{mark}").close()
        end = time.monotonic() + 20
        while time.monotonic() < end:
            lines = _ACCESS.findall(self._file("client.rgw.log").read_text(errors="replace"))
            if lines and any(path == mark for _, _, path in lines[-5:]):
                return [line for line in lines if not re.fullmatch(r"/products/[0-9a-f]{32}", line[2])]
            time.sleep(0.02)
        raise RuntimeError("The gateway wrote no line about a request.")

    @property
    def requests(self):
        """The method and path of every request until now."""
        return [(method, path) for _, method, path in self._accesses()]

    @property
    def signed(self):
        """Whether each request until now was signed."""
        return [user != "anonymous" for user, _, _ in self._accesses()]

    def close(self):
        """End the processes, and delete what they kept."""
        for process in reversed(self._running):
            process.send_signal(signal.SIGTERM)
        for process in self._running:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    validate_programs()
