"""The JSON documents of a store: its mark, records, names, tags, files that were read, and what was superseded."""

from __future__ import annotations

from collections.abc import Mapping

from xgamma.schema.tables import Attribute, Kind

Document = Mapping[str, Attribute]

STORE: Document = {
    "format": Attribute("text", "What the folder is", value="xgamma-store"),
    "schema": Attribute("whole number", "The version of the layout", value=1),
}
RECORD: Document = {
    "kind": Attribute("text", "The kind of the product, as in its path"),
    "key": Attribute("text", "The key of the product, as in its path"),
    "attempt": Attribute("text", "The folder that holds the product"),
    "created": Attribute("text", "When it was published: ISO 8601, UTC"),
    "digests": Attribute("mapping of text", "The content digest of every group; the root group is the empty name"),
    "nbytes": Attribute("whole number", "The size of all arrays, uncompressed"),
    "provenance": Attribute("mapping", "Software, host, time, configuration; decides nothing"),
    "inputs": Attribute("list of text", "Keys of what it was made from"),
    "texts": Attribute("mapping", "Names and other texts, by kind"),
    "supersedes": Attribute("list of text", "Keys of the same kind whose content this product holds"),
    "schema": Attribute("whole number", "The version of the layout", value=1),
    "metadata": Attribute("text", "The SHA-256 of the `zarr.json` of the product, 64 hex digits", required=False),
}
PROVENANCE: Document = {
    "software": Attribute("mapping of text", "Versions by name"),
    "host": Attribute("text", "The machine"),
    "program": Attribute("text", "The program, without its arguments"),
    "time": Attribute("text", "When it began to be written: ISO 8601, UTC"),
    "warnings": Attribute("list of text", "What was logged as a warning while it was made", required=False),
}
NAME: Document = {
    "kind": Attribute("text", "The kind of the product"),
    "key": Attribute("text", "The key of the product"),
}
TAG: Document = {
    "time": Attribute("text", "When the tag was set: ISO 8601, UTC"),
    "runs": Attribute("mapping of mapping of text", "The run key of each run, by release and observation id"),
    "products": Attribute("mapping of list of text", "The keys of stacks, fits and flux points, by kind"),
}
FILE_READ: Document = {
    "url": Attribute("text", "The file, as it was named"),
    "size": Attribute("whole number", "Its size in bytes"),
    "version": Attribute("text", "Its time of change in ns, the ETag of an object", required=False),
    "digest": Attribute("text", "Its SHA-256, 64 hex digits"),
}
RETIRED: Document = {
    "superseded_by": Attribute("text", "The key of the product that holds its content now", required=False),
    "damage": Attribute("text", "What a reader found damaged, where it was set aside for that", required=False),
    "attempt": Attribute("text", "The attempt that was found damaged", required=False),
    "time": Attribute("text", "When it was unpublished: ISO 8601, UTC"),
}
FAILED_RUN: Document = {
    "release": Attribute("text", "The release of the run"),
    "datastore": Attribute("text", "Where the release was"),
    "hdu_index": Attribute("text", "The name of its HDU index where that is not the usual one", required=False),
    "obs_index": Attribute("text", "The name of its observation index, the same", required=False),
    "run": Attribute("mapping", "`name`, `stage`, `kind` and `message` of what failed"),
    "time": Attribute("text", "When it was tried last: ISO 8601, UTC"),
}
INGEST: Document = {
    "release": Attribute("text", "The release of the runs"),
    "sequence": Attribute("whole number", "After which ingests this one came: one more than the largest known to it"),
    "runs": Attribute("mapping of text", "The run key by observation id, of versions that others had followed"),
    "time": Attribute("text", "When it was: ISO 8601, UTC"),
}
RUN: Document = {
    "obs_id": Attribute("whole number", "The observation id"),
    "run_key": Attribute("text", "The digest of the bytes of the run"),
    "sequence": Attribute(
        "whole number",
        "After which ingests of the release this one came: one more than the largest known to it",
        required=False,
    ),
}
TEXTS: Mapping[str, Document] = {
    Kind.DL3: {
        "release": Attribute("text", "The name of the release"),
        "runs": Attribute(
            "list of mapping", "`obs_id` and `run_key` of each run, in the order of the table", along="obs"
        ),
        "files": Attribute(
            "mapping", "Size, version and SHA-256 of each file that was read, by path or url", required=False
        ),
    },
    Kind.ROWS: {
        "recipe": Attribute("text", "The digest of the recipe"),
        "rows": Attribute("list of text", "The key of each row", along="dataset"),
    },
    Kind.STACK: {"stacks": Attribute("list of text", "The key of each stack", along="dataset")},
    Kind.FIT: {
        "models": Attribute("text", "The models at the optimum, as YAML"),
        "tables": Attribute("list of text", "Where the tables of the models are from, with digests", required=False),
        "goodness": Attribute(
            "mapping",
            "`bins` used, `free` parameters, `deviance` if known, `p_value` by `draws` simulated sets; 0 of many bins",
            required=False,
        ),
    },
}
"""What the texts of a record hold, by the kind of the product; those of other kinds hold nothing."""
PROVENANCE_OF: Mapping[str, Document] = {
    Kind.ROWS: {"recipe": Attribute("mapping", "The recipe, whose digest is in `texts`")},
    Kind.FIT: {"models": Attribute("text", "The models with their start values, as YAML")},
}
"""What the provenance of a record holds beside ``PROVENANCE``, the same."""
