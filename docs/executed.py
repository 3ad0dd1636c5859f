"""What takes long is done before Sphinx reads the pages, as much at a time as it has processes: tutorials, pictures.

MyST-NB would run tutorials one after the other, at the end of the alphabet; so it finds them in its cache. Nothing is
kept from one build to the next: tutorials are tests of the package.
"""

import logging
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import notebooks
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import myst_nb_reader_plugin
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from sphinx.errors import ExtensionError
from sphinx.util import logging as sphinx_logging
from traitlets.config import Config
from warm_kernels import Forge, WarmKernelManager

HERE = Path(__file__).parent
FOLDER = HERE / "_generated" / "executed"
TIMEOUT = 300
# Pictures as they are made: cutting their margins off draws each of them twice.
KERNEL_ARGUMENTS = ["--InlineBackend.print_figure_kwargs={'bbox_inches': None}"]
LOGGER = sphinx_logging.getLogger(__name__)
# The theme, or what it imports, prints all messages of all libraries.
QUIET = logging.getLogger(f"{__name__}.notebooks")
QUIET.setLevel(logging.WARNING)


def execute(path: Path) -> CacheBundleIn:
    """Run a page in a folder of its own."""
    notebook = myst_nb_reader_plugin(str(path))
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as sockets:
        # Sockets in a folder, and not ports that others of the machine can listen to.
        transport = Config(KernelManager={"transport": "ipc", "connection_file": f"{sockets}/kernel.json"})
        client = NotebookClient(
            notebook,
            config=transport,
            extra_arguments=KERNEL_ARGUMENTS,
            kernel_manager_class=WarmKernelManager,
            log=QUIET,
            record_timing=False,  # times in cells are another notebook to the cache
            resources={"metadata": {"path": folder}},
            timeout=TIMEOUT,
        )
        start = time.monotonic()
        try:
            client.execute()
        except CellExecutionError as error:
            raise ExtensionError(f"{path}: a cell failed.\n{error}") from None
        seconds = time.monotonic() - start
    return CacheBundleIn(notebook, str(path), data={"execution_seconds": seconds})


def draw_models() -> None:
    """Draw the gallery of models, in a process of its own as pages are run in theirs."""
    command = [sys.executable, str(HERE / "model_gallery.py"), str(HERE / "_generated" / "models")]
    if subprocess.run(command, check=False).returncode:
        raise ExtensionError("The gallery of models was not drawn; the reason is above.")


def write(app) -> None:
    """Run all pages, and put them where MyST-NB looks for them."""
    cache = get_cache(FOLDER)
    cache.clear_cache()
    with closing(Forge()) as WarmKernelManager.forge, ThreadPoolExecutor(app.parallel) as pool:
        drawn = pool.submit(draw_models)
        for bundle in pool.map(execute, notebooks.pages()):
            cache.cache_notebook_bundle(bundle, check_validity=False)
            LOGGER.info("%s: ran in %.1f s", bundle.uri, bundle.data["execution_seconds"])
        drawn.result()


def setup(app):
    app.config.nb_execution_cache_path = str(FOLDER)
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
