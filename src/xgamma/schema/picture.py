"""Pictures as products: those of one step of an analysis, as files of PNG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from xgamma.schema.arrays import NamedArrays
from xgamma.schema.tables import NAMES, Attribute, Group, Kind, Product, Variable, Violation, head_attrs

PICTURE_SCHEMA, SCHEMA_VERSION = "xgamma pictures", 1
_SIGNATURE = b"\x89PNG\r\n\x1a\n"

PICTURE_VARIABLES: Mapping[str, Variable] = {
    "picture": Variable(("picture",), None, NAMES, "Name of the picture"),
    "size": Variable(("picture",), "", "i8", "Bytes of the file"),
    "png": Variable(("byte",), "", "u1", "The files, one after the other"),
}


def names_are_unique(ds: NamedArrays) -> Iterator[Violation]:
    """Each picture has a name of its own."""
    names = ds["picture"].values.tolist()
    if len(set(names)) < len(names):
        yield Violation("picture", "a name of its own for each picture", str(names))


def files_are_whole(ds: NamedArrays) -> Iterator[Violation]:
    """The sizes of the files add up to all bytes, and each file begins as one of PNG does."""
    sizes, content = ds["size"].values, ds["png"].values
    if (sizes < len(_SIGNATURE)).any() or sizes.sum() != content.size:
        yield Violation("size", f"files of PNG in {content.size} bytes", ", ".join(map(str, sizes.tolist())) or "none")
        return
    for name, start in zip(ds["picture"].values, np.cumsum(sizes) - sizes, strict=True):
        if content[start : start + len(_SIGNATURE)].tobytes() != _SIGNATURE:
            yield Violation("png", f"a file of PNG for {name}", "something else")


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
