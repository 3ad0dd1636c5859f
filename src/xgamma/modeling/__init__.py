"""Parameters at the import path that users of Gammapy know."""

from __future__ import annotations

from xgamma.models import Covariance, Parameter, Parameters

__all__ = ["Covariance", "Parameter", "Parameters"]
