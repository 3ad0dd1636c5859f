"""DL5 of maps: the norm of a source at every pixel, and its significance."""

from __future__ import annotations

from collections.abc import Mapping

from xgamma.schema.excess_map import DIMS, EXCESS_MAP_VARIABLES
from xgamma.schema.tables import Variable

TS_MAP_SCHEMA = "xgamma DL5 TS map"
SCHEMA_VERSION = 1

_SAME = (
    *("energy", "energy_bounds", "image", "lon", "lat", "ts", "norm_err", "norm_errn", "norm_errp", "norm_ul"),
    *("ref_dnde", "ref_flux", "ref_eflux", "ref_e2dnde"),
)


def _plane(long_name: str, dtype: str = "f8") -> Variable:
    return Variable(DIMS, "", dtype, long_name)


TS_MAP_VARIABLES: Mapping[str, Variable] = {
    **{name: EXCESS_MAP_VARIABLES[name] for name in _SAME},
    "counts": _plane("Counts in the square of the kernel about the pixel"),
    "background": _plane("What is expected there without the source, other models included"),
    "npred_excess": _plane("Counts that the source adds"),
    "npred_excess_ref": _plane("Counts that a source of norm 1 adds"),
    "sqrt_ts": _plane("Significance, negative for a negative norm"),
    "norm": _plane("Flux of a source at the pixel, in multiples of the reference"),
    "niter": _plane("Steps to the minimum", "i4"),
    "success": _plane("Whether the norm is known", "b1"),
}
