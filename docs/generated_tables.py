"""Tables that code knows better than people: models from their classes, verbs from the command line."""

import re
from pathlib import Path

import numpy as np

from xgamma import models
from xgamma.cli.main import VERBS
from xgamma.errors import ExitCode
from xgamma.gammapy_methods import OF_CLASSES
from xgamma.gammapy_names import lines
from xgamma.outcome import Fate, Outcome
from xgamma.schema import DL4_IN, FILE, PRODUCTS, WINDOWS, documents
from xgamma.schema.dl4 import COORDS_IN, IMAGE_ATTRS
from xgamma.schema.tables import NAMES

DOCUMENTS = {
    "`store.json`": documents.STORE,
    "`record.json`": documents.RECORD,
    "`provenance` of a record": documents.PROVENANCE,
    "an entry of `runs` in `texts` of a part": documents.RUN,
    "`_names/<name>.json`": documents.NAME,
    "`_tags/<tag>.json`": documents.TAG,
    "`_files/<digest>.json`": documents.FILE_READ,
    "`_ingests/<digest>.json`": documents.INGEST,
    "`retired.json`": documents.RETIRED,
}
# What is code in a sentence: names with a dot or an underscore, calls, names of classes.
CODE = re.compile(
    r"(?<![\w(\[.-])(?:[A-Za-z]\w*(?:\.\w+)*\([^)]*\)|[A-Za-z]\w*(?:\.[A-Za-z_]\w*)+|\w+_\w+|[A-Z]\w*[a-z][A-Z]\w*)(?![\w(]|\.md)"
)


def write(folder: Path) -> None:
    """Write the tables as Markdown."""
    folder.mkdir(exist_ok=True)
    (folder / "models.md").write_text("\n".join(_models("Spectral")), encoding="utf-8")
    (folder / "spatial-models.md").write_text("\n".join(_models("Spatial")), encoding="utf-8")
    (folder / "temporal-models.md").write_text("\n".join(_models("Temporal")), encoding="utf-8")
    (folder / "gammapy-names.md").write_text("\n".join(_gammapy_names()), encoding="utf-8")
    (folder / "verbs.md").write_text("\n".join(_verbs()), encoding="utf-8")
    (folder / "exit-codes.md").write_text("\n".join(_exit_codes()), encoding="utf-8")
    (folder / "format-documents.md").write_text("\n".join(_documents()), encoding="utf-8")
    (folder / "format-flags.md").write_text("\n".join(_flags()), encoding="utf-8")
    (folder / "format-products.md").write_text("\n".join(_products()), encoding="utf-8")
    (folder / "format-windows.md").write_text("\n".join(_windows()), encoding="utf-8")


def _models(kind):
    yield from ("| model | tag | parameters | |", "|---|---|---|---|")
    for name in models.__all__:
        model = getattr(models, name)
        if name.endswith(f"{kind}Model") and getattr(model, "tag", ()):
            parameters = ", ".join(f"`{parameter.name}`" for parameter in getattr(model, "default_parameters", ()))
            yield f"| `{name}` | `{model.tag[-1]}` | {parameters} | {summary(model)} |"


def summary(model):
    """Return the first line of the docstring of a model, which is a formula or a sentence, without a full stop."""
    line = (model.__doc__ or "").strip().splitlines()[0].rstrip(".")
    is_sentence = "`" in line or line[0].isupper()
    return line if is_sentence else f"`{line}`"


def _gammapy_names():
    """Yield a table for each module, and one of the modules that are not here."""
    module = None
    for line in lines():
        if not line.name:
            continue
        if line.module != module:
            module = line.module
            yield from ("", f"### `{module}`", "", "| name | here |", "|---|---|")
        yield f"| `{line.name}` | {_marked(line.instead) or 'the same'} |"
    yield from ("", "### Methods and attributes that are not here", "", "| class | name | here |", "|---|---|---|")
    for owner, names in sorted(OF_CLASSES.items()):
        parts = {}
        for name, instead in names.items():
            parts.setdefault(instead, []).append(f"`{name}`")
        yield from (f"| `{owner}` | {', '.join(parts[instead])} | {_marked(instead)} |" for instead in parts)
    yield from ("", "### Modules that are not here", "", "| module | instead |", "|---|---|")
    modules = {}
    for line in sorted(line for line in lines() if not line.name):
        modules.setdefault(line.instead, []).append(f"`{line.module}`")
    yield from (f"| {', '.join(names)} | {_marked(instead)} |" for instead, names in modules.items())


def _marked(sentence):
    """Return a sentence with code as code, and pages as links."""
    linked = re.sub(r"docs/([\w-]+)\.md", r"[its page](\1.md)", sentence)
    return CODE.sub(r"`\g<0>`", linked)


def _verbs():
    yield from ("| verb | |", "|---|---|")
    yield from (f"| `{verb}` | {text} |" for verb, (_, text) in VERBS.items())


def _exit_codes():
    yield from ("| code | meaning |", "|---|---|")
    yield from (f"| {int(code)} | {code.meaning} |" for code in ExitCode)


def _documents():
    for title, fields in DOCUMENTS.items():
        yield from (f"### {title}", "", *_fields(fields), "")


def _fields(fields):
    yield from ("| field | type | must | |", "|---|---|---|---|")
    for name, spec in fields.items():
        kind = spec.type if spec.value is None else f"`{spec.value!r}`".replace("'", '"')
        meaning = f"{spec.meaning}; one for each `{spec.along}`" if spec.along else spec.meaning
        yield f"| `{name}` | {kind} | {'x' if spec.required else ''} | {meaning} |"


def _products():
    for product in (*PRODUCTS.values(), FILE):
        yield from (f"### `{product.kind}`", "", f"{product.title}.", "")
        for title, fields in (("texts", product.texts), ("provenance", product.provenance)):
            if fields:
                yield from (f"In `{title}` of the record:", "", *_fields(fields), "")
        for name, group in product.groups.items():
            where = f"group `{name}`" if name else "root group"
            yield from (f"**{group.title}**, {where}:", "", *_variables(group.variables), "")
            yield from ("Attributes:", "", *_fields(group.attrs), "")
            yield from (*_laws(group.laws), "")
        yield from (*_laws(product.laws), "")


def _windows():
    yield from _variables({**DL4_IN[WINDOWS], **COORDS_IN[WINDOWS]})
    yield from ("", "Attributes of `image`:", "", *_fields(IMAGE_ATTRS))


def _variables(variables):
    yield from ("| variable | dims | type | unit | must | |", "|---|---|---|---|---|---|")
    for name, spec in variables.items():
        kind = spec.dtype if spec.dtype == NAMES else np.dtype(spec.dtype).name
        unit = "-" if spec.units is None else spec.units
        must = "x" if spec.required else f"`{spec.needed_with}`" if spec.needed_with else ""
        yield f"| `{name}` | `{', '.join(spec.dims)}` | {kind} | {unit} | {must} | {spec.long_name} |"


def _laws(laws):
    """Yield the first line of each docstring once."""
    texts = dict.fromkeys((law.__doc__ or "").strip().splitlines()[0] for law in laws)
    yield from (f"- {text}" for text in texts)


def _flags():
    yield from ("| `outcome` | word | why |", "|---|---|---|")
    yield from (f"| {int(flag)} | `{flag.name.lower()}` | {flag.sentence} |" for flag in Outcome)
    yield from ("", "| `fate` | word |", "|---|---|")
    yield from (f"| {int(flag)} | `{flag.name.lower()}` |" for flag in Fate)
