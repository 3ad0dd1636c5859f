"""The import path of Gammapy's ``utils.check``."""

from __future__ import annotations

from xgamma.check import check_tutorials_setup

__all__ = ["check_tutorials_setup"]
