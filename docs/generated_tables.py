"""Tables that code knows better than people: models from their classes, verbs from the command line."""

from pathlib import Path

from xgamma import models
from xgamma.cli.main import VERBS


def write(folder: Path) -> None:
    """Write the tables as Markdown."""
    folder.mkdir(exist_ok=True)
    (folder / "models.md").write_text("\n".join(_spectral_models()), encoding="utf-8")
    (folder / "verbs.md").write_text("\n".join(_verbs()), encoding="utf-8")


def _spectral_models():
    yield from ("| model | tag | parameters | |", "|---|---|---|---|")
    for name in models.__all__:
        model = getattr(models, name)
        if name.endswith("SpectralModel") and getattr(model, "tag", ()):
            parameters = ", ".join(f"`{parameter.name}`" for parameter in getattr(model, "default_parameters", ()))
            text = (model.__doc__ or "").strip().splitlines()[0]
            yield f"| `{name}` | `{model.tag[-1]}` | {parameters} | {text} |"


def _verbs():
    yield from ("| verb | |", "|---|---|")
    yield from (f"| `{verb}` | {text} |" for verb, text in VERBS.items())
