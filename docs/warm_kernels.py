"""Kernels of pages that start in a moment: forks of one process that has imported the libraries, but not xgamma.

Importing them takes longer than most pages take to run, and each page has a kernel of its own.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from threading import Lock

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

# Not pyplot nor what draws in notebooks, which look for the shell as they are imported, nor what starts threads.
LIBRARIES = (
    "astropy.coordinates",
    "astropy.io.fits",
    "astropy.table",
    "astropy.time",
    "astropy.units",
    "astropy.visualization.wcsaxes",
    "astropy.wcs",
    "dask.array",
    "iminuit",
    "ipykernel.ipkernel",
    "ipykernel.kernelapp",
    "IPython.core.pylabtools",
    "matplotlib.backends.backend_agg",
    "matplotlib.dates",
    "matplotlib.figure",
    "pandas",
    "pydantic",
    "regions",
    "rich.console",
    "scipy.interpolate",
    "scipy.optimize",
    "scipy.special",
    "scipy.stats",
    "xarray",
    "zarr",
)


class Kernel:
    """A forked process, with what Jupyter uses of ``subprocess.Popen``."""

    stdin = stdout = stderr = None

    def __init__(self, pid):
        self.pid = pid

    def poll(self):
        """Return ``None`` while it runs; the one that forked it does not keep how it ended."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None

    wait = poll

    def send_signal(self, number):
        """Send a signal, also to one that has just ended."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class Forge:
    """The process that has imported the libraries; it ends with its standard input."""

    def __init__(self):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen([sys.executable, __file__], **pipes)
        self._lock = Lock()

    def fork(self, command, cwd, env):
        with self._lock:
            print(json.dumps([command, cwd, env]), file=self._process.stdin, flush=True)
            return Kernel(int(self._process.stdout.readline()))

    def close(self):
        self._process.communicate()


class _Provisioner(LocalProvisioner):
    forge = None

    async def launch_kernel(self, cmd, **options):
        # What comes before are the interpreter and its options.
        command = cmd[cmd.index("ipykernel_launcher") :]
        self.process = self.forge.fork(command, options["cwd"], dict(options["env"]))
        self.pid = self.pgid = self.process.pid
        return self.connection_info


class WarmKernelManager(AsyncKernelManager):
    """Starts kernels by the ``forge`` that is set on the class."""

    forge = None

    async def _async_pre_start_kernel(self, **options):
        if self.provisioner is None:
            self.provisioner = _Provisioner(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)
            self.provisioner.forge = self.forge
        return await super()._async_pre_start_kernel(**options)


def _become(command, cwd, env):
    """Be the kernel: a process of its own session, whose streams are not those of the one that forked it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    # It ends with the process that forked it, and does not explain itself on the terminal.
    sys.argv = [*command, f"--IPKernelApp.parent_handle={os.getppid()}"]
    import_module("ipykernel.kernelapp").launch_new_instance()


def _serve():
    # The folder of this file is not on the path of a notebook.
    del sys.path[0]
    for name in LIBRARIES:
        import_module(name)
    # Kernels that have ended are nobody's.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _become(*json.loads(line))
            sys.exit()
        print(pid, flush=True)


if __name__ == "__main__":
    _serve()
