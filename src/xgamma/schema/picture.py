"""Pictures as products: those of one step of an analysis, as files of PNG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from xgamma.schema.arrays import NamedArrays
from xgamma.schema.tables import NAMES, Attribute, Group, Kind, Product, Variable, Violation, head_attrs

PICTURE_SCHEMA, SCHEMA_VERSION = "xgamma pictures", 1
PNG = "image/png"
_SIGNATURES = {PNG: b"\x89PNG\r\n\x1a\n", "image/svg+xml": b"<?xml"}

PICTURE_VARIABLES: Mapping[str, Variable] = {
    "picture": Variable(("picture",), None, NAMES, "Name of the picture"),
    "size": Variable(("picture",), "", "i8", "Bytes of the file"),
    "png": Variable(
        ("byte",), "", "u1", "The files, one after the other; of PNG, where `media` does not say otherwise"
    ),
    "media": Variable(("picture",), None, NAMES, "Media type of the file of a page", required=False),
    "width": Variable(("picture",), "", "i8", "Width in pixels of a page", required=False, needed_with="media"),
    "height": Variable(("picture",), "", "i8", "Height in pixels of a page", required=False, needed_with="media"),
}


def names_are_unique(ds: NamedArrays) -> Iterator[Violation]:
    """Each picture has a name of its own."""
    names = ds["picture"].values.tolist()
    if len(set(names)) < len(names):
        yield Violation("picture", "a name of its own for each picture", str(names))


def files_are_whole(ds: NamedArrays) -> Iterator[Violation]:
    """The sizes of the files add up to all bytes, and each file begins as one of its media type does."""
    sizes, content = ds["size"].values, ds["png"].values
    if (sizes < len(_SIGNATURES[PNG])).any() or sizes.sum() != content.size:
        yield Violation("size", f"files of PNG in {content.size} bytes", ", ".join(map(str, sizes.tolist())) or "none")
        return
    media = ds["media"].values.tolist() if "media" in ds else [PNG] * len(sizes)
    for name, kind, start in zip(ds["picture"].values, media, np.cumsum(sizes) - sizes, strict=True):
        signature = _SIGNATURES.get(str(kind))
        if signature is None or content[start : start + len(signature)].tobytes() != signature:
            yield Violation("png", f"a file of {kind} for {name}", "something else")


PICTURE = Product(
    Kind.PICTURE,
    "Pictures of what a step made, drawn again when what they show, or their look, is another",
    {
        "": Group(
            "Files",
            PICTURE_VARIABLES,
            {
                **head_attrs(PICTURE_SCHEMA, SCHEMA_VERSION),
                "step": Attribute("text", "What they are pictures of"),
            },
            (names_are_unique, files_are_whole),
        )
    },
)
