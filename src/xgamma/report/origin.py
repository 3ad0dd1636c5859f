"""Where the numbers come from: products with their keys, a PROV document, and how to cite."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from xgamma import __version__
from xgamma.report.blocks import Block, Download, Facts, Rows, Section, Text
from xgamma.store import Record
from xgamma.store.prov import made_from, prov_document

PAPERS = {
    "on-off": "Li & Ma 1983, ApJ 272, 317 (significance); Arnaud, Dorman & Gordon, XSPEC manual, appendix B (wstat)",
    "cash": "Cash 1979, ApJ 228, 939 (statistic of counts)",
    "reflected": "Berge, Funk & Hinton 2007, A&A 466, 1219 (reflected regions)",
    "ring": "Berge, Funk & Hinton 2007, A&A 466, 1219 (ring background)",
    "errors": "Rolke, Lopez & Conrad 2005, NIM A 551, 493 (errors and limits by the profile likelihood)",
    "minuit": "James & Roos 1975, Comput. Phys. Commun. 10, 343 (MINUIT)",
    "variability": "Vaughan et al. 2003, MNRAS 345, 1271 (excess variance)",
    "libraries": "numpy, scipy, astropy, xarray, zarr, dask, iminuit and matplotlib, as each asks to be cited",
}
"""What the numbers of a page rest on."""


def provenance(records: Sequence[Record], made_of: Mapping[str, Sequence[str]], store: str) -> Section:
    """Return the section of the products that a page shows, each after what it is made of.

    Parameters
    ----------
    records, made_of
        As ``store.prov.prov_document`` takes them.
    store
        What the store is called.
    """
    document = json.dumps(prov_document(records, made_of), indent=1, sort_keys=True)
    rows = [
        {
            "product": f"{record.kind}/{record.key[:12]}",
            "key": record.key,
            "made (UTC)": record.created[:19].replace("T", " "),
            "bytes": f"{record.nbytes:,}",
            "made of": ", ".join(behind[:4]) + (" ..." if len(behind) > 4 else "") or "files",
        }
        for record, behind in zip(records, made_from(records, made_of), strict=True)
    ]
    software = {name: text for record in records[-1:] for name, text in record.provenance.get("software", {}).items()}
    blocks: list[Block] = [
        Text("Every number of this page is of one of these products, which are written once and never change."),
        Rows(rows, "Products in the store and their keys"),
        Facts({"store": store, **{name: str(text) for name, text in software.items()}}),
        Download("prov.json", "application/json", document, "Provenance as a W3C PROV document (PROV-JSON)"),
    ]
    return Section("Provenance", blocks)


def citing(subjects: Sequence[str], releases: Sequence[str]) -> Section:
    """Return the section on how to cite; subjects are keys of ``PAPERS``."""
    data = f"The data: {', '.join(releases)}, as those who published them ask. " if releases else ""
    papers = [{"what": subject, "reference": PAPERS[subject]} for subject in PAPERS if subject in subjects]
    return Section(
        "How to cite",
        [
            Text(
                f"{data}The software: xgamma {__version__}, with the keys of the products above, so that others find "
                "the same numbers."
            ),
            Rows(papers, "What the numbers rest on"),
        ],
    )
