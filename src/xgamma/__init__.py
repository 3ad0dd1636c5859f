"""xgamma: gamma-ray data reduction and spectral analysis over a store of labelled arrays."""

from __future__ import annotations

import importlib
import sys

__version__ = "0.1.0"


class _ModulesOfGammapy:
    """Asked last for a module that nobody found: of one that Gammapy has it says where to look instead."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Raise ``LaterModuleError`` for a module of Gammapy that is not here; find nothing."""
        if name.startswith(f"{__name__}."):
            importlib.import_module(f"{__name__}.gammapy_names").validate_module(name)


sys.meta_path.append(_ModulesOfGammapy)
