"""The spectrum of a source as a function of plain energies, from the document of any spectral model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import xgamma.models  # noqa: F401 (registers the built-in spectra)
from xgamma.axes import FloatArray
from xgamma.models.component import component_class

Spectrum = Callable[[FloatArray], FloatArray]


def spectrum_from_document(document: Mapping[str, Any]) -> Spectrum:
    """Return dN/dE in cm-2 s-1 TeV-1 at energies in TeV.

    Raises
    ------
    ConfigError
        When the document is not one of a spectral model, or names one that is not known.
    """
    model = component_class("spectral", document).from_dict(document)
    return cast("Spectrum", model.dnde)
