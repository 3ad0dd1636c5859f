"""What decides how a picture looks, besides what it shows; matplotlib is not needed to know that."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

STYLE_FILE = Path(__file__).with_name("xgamma.mplstyle")

DRAWING_VERSION = 3
"""Raised when a picture of the same data changes visibly for another reason than the style file."""

MOST_ROWS = 20
"""Of how many runs regions are drawn; off regions of more lie upon each other."""


def style_digest() -> str:
    """Return a digest of all that decides how a picture looks, besides what it shows and the settings of a user."""
    text = STYLE_FILE.read_bytes() + f"\ndrawing {DRAWING_VERSION}".encode()
    return hashlib.sha256(text).hexdigest()


def own_settings() -> str:
    """Return the settings of a user that change pictures, as text: those of ``rcParams``, or the files they come from.

    Empty where there are none.
    """
    loaded: Any = sys.modules.get("matplotlib")
    if loaded is not None and hasattr(loaded, "rcParams"):
        default, now = loaded.rcParamsDefault, loaded.rcParams
        # Where pictures are shown does not change those in files.
        shown = ("backend", "interactive", "toolbar")
        names = [name for name in default if not name.startswith(shown) and now[name] != default[name]]
        return "; ".join(f"{name}: {now[name]}" for name in sorted(names))
    return "; ".join(path.read_text(errors="replace") for path in _settings_files() if path.is_file())


def _settings_files() -> list[Path]:
    """Return where matplotlib looks for a file of settings that is not its own."""
    named, folder = os.environ.get("MATPLOTLIBRC", ""), os.environ.get("MPLCONFIGDIR", "")
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    places = [Path("matplotlibrc"), Path(folder or Path(config, "matplotlib"), "matplotlibrc")]
    return [*([Path(named), Path(named, "matplotlibrc")] if named else []), *places]
