"""Built pages need no network: one that loads something from elsewhere ends the build; external links are listed."""

import re

from sphinx.errors import ExtensionError

LOADED = re.compile(r'<(?:script|img|iframe|link(?![^>]*rel="canonical"))[^>]*(?:src|href)="(https?://[^"]+)"')
LINKED = re.compile(r'<a [^>]*href="(https?://[^"]+)"')
LIST = "external-links.txt"


def check(app, exception):
    if exception is not None or app.builder.name != "html":
        return
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(app.outdir.rglob("*.html"))}
    loaded = {f"{path.name}: {url}" for path, text in pages.items() for url in LOADED.findall(text)}
    if loaded:
        raise ExtensionError(f"Pages load from elsewhere: {', '.join(sorted(loaded))}.")
    linked = sorted({url for text in pages.values() for url in LINKED.findall(text)})
    (app.outdir / LIST).write_text("\n".join(linked) + "\n", encoding="utf-8")


def setup(app):
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
