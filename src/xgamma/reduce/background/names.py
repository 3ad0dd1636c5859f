"""What is asked of backgrounds: their names, what each is made for, and the variables that rows hold of them."""

from __future__ import annotations

from collections.abc import Mapping

KIND = "background"
OFF_COUNTS = ("counts_off", "acceptance", "acceptance_off")
"""The variables of counts elsewhere, and what they are worth on."""
OFF_CIRCLES = ("off_number", "off_lon", "off_lat", "off_radius")
"""The variables of off regions that are circles."""
SPACES: Mapping[str, str] = {
    **dict.fromkeys(("fixed", "irf", "off_runs", "phase", "reflected", "wobble"), "1d"),
    **dict.fromkeys(("adaptive_ring", "fov_background", "ring"), "3d"),
}
"""The ``datasets.type`` that each background of xgamma is made for, known before its module is loaded."""


def one_bin_problem(where: str, bins: int) -> str:
    """Return the sentence about a ring in several bins of energy, whose section is ``where``."""
    return (
        f"{where}.nbins: the ring background is made in one energy bin, got {bins}; write nbins: 1, or method: "
        "fov_background."
    )
