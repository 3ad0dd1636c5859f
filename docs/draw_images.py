"""Draws the pictures of the documentation anew: ``python docs/draw_images.py [NAME ...]``, by default all.

Pictures of real sources need ``$GAMMAPY_DATA`` as the examples do. ``closure.png``, ``closure-fields.png`` and
``joint-crab.png`` are written by the commands that their pages show, ``report.png`` is a screenshot.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from astropy import units as u
from astropy.table import Table
from astropy.time import Time

from xgamma.datasets import Datasets
from xgamma.modeling import models
from xgamma.plot import sky
from xgamma.shapes import Circle

DOCS = Path(__file__).resolve().parent
IMAGES = DOCS / "images"
DPI = 90

# The pictures that `xgamma run` writes of an example, side by side.
OF_EXAMPLES = {
    "crab-excess-map": ("crab-excess-map", ["significance"]),
    "demo": ("demo", ["flux-points"]),
    "excess-map": ("excess-map", ["significance", "distribution-of-significance"]),
    "light-curve": ("nightly", ["light-curve"]),
    "msh1552-ring": ("msh1552-ring", ["significance"]),
    "nightly": ("nightly", ["fit-each"]),
    "regions": ("regions", ["regions"]),
}
# What the Python of a page draws or writes before its picture; of these pages it stands after it.
OF_PAGES = {
    "absorption": "models", "backgrounds": "backgrounds", "crab-3d": "gallery", "field": "gallery",
    "flux-profile": "flux-profiles", "galactic-centre": "gallery", "msh1552-morphology": "gallery",
    "point-like": "point-like", "simulated-field": "closure", "ts-map": "ts-maps",
}  # fmt: skip
AFTER = ("flux-profile", "ts-map")
# What pages analyse that is simulated, and the plan of it.
SIMULATED = {"demo/release": [], "demo/field-release": ["--plan", "examples/plans/field.yaml"]}
# Only these blocks, where a page has others that have nothing to do with the picture.
FROM = {
    "absorption": "pks2155-ebl.yaml",
    "backgrounds": "axes = plt.subplot()",
    "simulated-field": "field/significance.png",
}


def draw_example(name: str, folder: Path) -> None:
    """Run an example, and put its pictures side by side."""
    example, pictures = OF_EXAMPLES[name]
    outdir = run_example(example, folder)
    joined([plt.imread(outdir / f"{picture}.png")[..., :3] for picture in pictures], IMAGES / f"{name}.png")


def run_example(example: str, folder: Path) -> Path:
    """Run an example, once, and return the folder that it writes into."""
    config = folder / "examples" / f"{example}.yaml"
    outdir = folder / re.search(r"^    outdir: (.+)$", config.read_text(encoding="utf-8"), re.MULTILINE)[1]
    if example == "demo":
        _simulate(folder, "demo/release", [])
    if not outdir.is_dir():
        subprocess.run([*_xgamma(), "run", f"examples/{example}.yaml"], cwd=folder, check=True, capture_output=True)
    return outdir


def joined(images: Sequence[np.ndarray], path: Path) -> None:
    """Write images side by side, their middles at one height."""
    height = max(image.shape[0] for image in images)
    padded = []
    for image in images:
        above = (height - image.shape[0]) // 2
        padded.append(np.pad(image, ((above, height - image.shape[0] - above), (0, 0), (0, 0)), constant_values=1.0))
    plt.imsave(path, np.concatenate(padded, axis=1))


def draw_page(name: str, folder: Path) -> None:
    """Run the Python of a page up to its picture in one namespace."""
    text = (DOCS / f"{OF_PAGES[name]}.md").read_text(encoding="utf-8")
    place = text.index(f"images/{name}.png")
    blocks = list(re.finditer(r"^```python[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    chosen = [block for block in blocks if (block.start() > place) == (name in AFTER)]
    chosen = chosen[:1] if name in AFTER else chosen
    if name in FROM:
        chosen = [block for block in chosen if FROM[name] in block[1]][-1:]
    for release, plan in SIMULATED.items():
        if OF_PAGES[name] != "gallery" or release == "demo/field-release":
            _simulate(folder, release, plan)
    before = Path.cwd()
    os.chdir(folder)
    plt.close("all")
    try:
        names: dict[str, object] = {"__name__": "page", "u": u, "np": np, "plt": plt}
        for block in chosen:
            exec(compile(block[1], OF_PAGES[name], "exec"), names)
        written = next(
            (path for path in (folder / f"{name}.png", folder / "field/significance.png") if path.is_file()), None
        )
        if written is not None:
            shutil.move(written, IMAGES / f"{name}.png")
        else:
            plt.gcf().savefig(IMAGES / f"{name}.png", dpi=DPI)
    finally:
        os.chdir(before)
        plt.close("all")


def draw_morphologies(folder: Path) -> None:
    """Draw each kind of morphology with its outline."""
    place = {"lon_0": "10 deg", "lat_0": "5 deg"}
    shown = [
        models.PointSpatialModel("icrs", **place),
        models.GaussianSpatialModel("icrs", sigma="0.2 deg", e=0.8, phi="30 deg", **place),
        models.GeneralizedGaussianSpatialModel("icrs", r_0="0.3 deg", eta=0.2, e=0.6, phi="60 deg", **place),
        models.DiskSpatialModel("icrs", r_0="0.35 deg", e=0.7, phi="120 deg", **place),
        models.ShellSpatialModel("icrs", radius="0.3 deg", width="0.1 deg", **place),
        models.Shell2SpatialModel("icrs", r_0="0.4 deg", eta=0.3, **place),
    ]
    figure = plt.figure(figsize=(11, 7), layout="constrained")
    for number, model in enumerate(shown):
        space = model.picture_space()
        ax = model.plot(sky.sky_axes(space, figure, (2, 3, number + 1)))
        shape = model.outline(1.0)
        if shape is not None:
            sky.draw_shape(ax, shape, color="white", lw=1.2)
        ax.set_title(model.tag[0].removesuffix("SpatialModel"))
    figure.savefig(IMAGES / "morphologies.png", dpi=DPI)


def draw_phase_curve(folder: Path) -> None:
    """Draw factors of the flux over time and over phase."""
    pulse = Table({"PHASE": [0.05, 0.35, 0.65, 0.95], "NORM": [0.2, 1.0, 0.3, 0.1]})
    binary = models.TemplatePhaseCurveTemporalModel(pulse, f0="4.368e-7 s-1", t_ref="53340.0 d")
    flare = models.GaussianTemporalModel(t_ref="53345.0 d", sigma="3 d")
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    times = Time([53320.0, 53400.0], format="mjd")
    binary.plot(times, axes[0], n_points=400, label="phase curve")
    flare.plot(times, axes[0], n_points=400, label="Gaussian", linestyle="--")
    axes[0].legend()
    binary.plot_phasogram(axes[1])
    figure.savefig(IMAGES / "phase-curve.png", dpi=DPI)


def draw_map(folder: Path) -> None:
    """Draw counts about a source with all that lies upon them."""
    [view] = Datasets.read(run_example("excess-map", folder) / "datasets.zarr")
    image = view.counts.sum_over_axes(keepdims=False).smooth("0.05 deg")
    center = view.counts.geom.center_skydir
    regions = [Circle(center.icrs.ra.deg, center.icrs.dec.deg, radius) for radius in (0.2, 0.5)]
    ax = image.plot(add_cbar=True, stretch="sqrt", scale_bar=True, beam="0.1 deg", regions=regions)
    top = float(np.nanmax(image.data))
    image.plot_contours([0.5 * top, 0.75 * top], ax)
    ax.figure.savefig(IMAGES / "map.png", dpi=DPI)


OTHERS = {"map": draw_map, "morphologies": draw_morphologies, "phase-curve": draw_phase_curve}


def _simulate(folder: Path, release: str, plan: Sequence[str]) -> None:
    if not (folder / release).is_dir():
        subprocess.run([*_xgamma(), "simulate", release, *plan], cwd=folder, check=True, capture_output=True)


def _xgamma() -> list[str]:
    return [sys.executable, "-c", "from xgamma.cli import main; main()"]


def main(names: Sequence[str]) -> None:
    """Draw the pictures of some names, or all."""
    known = [*OF_EXAMPLES, *OF_PAGES, *OTHERS]
    unknown = set(names) - set(known)
    if unknown:
        raise SystemExit(f"There is no picture {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}.")
    mpl.use("Agg")
    plt.style.use("xgamma.plot.xgamma")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(DOCS.parent / "examples", folder / "examples")
        for one in names or known:
            print(one, flush=True)
            if one in OTHERS:
                OTHERS[one](folder)
            elif one in OF_EXAMPLES:
                draw_example(one, folder)
            else:
                draw_page(one, folder)


if __name__ == "__main__":
    main(sys.argv[1:])
