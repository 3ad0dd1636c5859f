"""Point-like releases beside Gammapy: counts, off counts, acceptance, masks, responses, a fit: docs/point-like.md.

Each case is reduced by both packages with wobble off regions; tables of RAD_MAX are put into copies of the releases.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from pathlib import Path

from report import REPOSITORY, environment, options

sys.path.insert(0, str(REPOSITORY / "tests" / "parity"))
from point_like import CASES, deviations, ours, theirs, with_table


def main() -> None:
    """Print the table."""
    logging.disable()
    peer = options("Point-like releases, beside Gammapy.").peer
    data = Path(environment()["GAMMAPY_DATA"])
    titles = ["case", "counts", "off", "counts differ", "off differ", "acceptance", "mask", "exposure", "edisp"]
    titles += ["index", "amplitude", "errors", "seconds", "Gammapy"]
    print("| " + " | ".join(titles) + " |", "|" + "---|" * len(titles), sep="\n", flush=True)
    for number, (name, asked) in enumerate(CASES.items()):
        release = data / asked.path
        if not release.is_dir():
            print(f"not there: {asked.path}")
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            if asked.offsets:
                release = with_table(release, folder / "release", asked.obs_ids, asked.offsets)
            request, start = asked.request(release), time.perf_counter()
            found = ours(request, str(number))
            seconds = time.perf_counter() - start
            totals = [
                sum(v.sum() for key, v in found.items() if key.endswith(f"/{n}")) for n in ("counts", "counts_off")
            ]
            cells = [name, *(f"{total:g}" for total in totals)]
            if peer:
                right = theirs(peer, request, folder)
                away = deviations(found, right)
                cells += [f"{away[n]:g}" for n in ("counts", "counts_off")]
                cells += [f"{away['acceptance'] + away['acceptance_off']:g}", f"{away['mask_safe']:g}"]
                cells += [f"{away[n]:.1e}" for n in ("exposure", "edisp", "index", "amplitude")]
                cells += [f"{max(away['index error'], away['amplitude error']):.1e}"]
                cells += [f"{seconds:.2f}", f"{float(right['seconds']):.2f}"]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
