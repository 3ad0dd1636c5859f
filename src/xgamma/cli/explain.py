"""``xgamma explain``: what made a product, from what, down to the files, and why it would be made again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from xgamma.cli.console import examples, json_option, print_json, size_text, some
from xgamma.cli.places import complete_product, opened_store, place_argument, product_named
from xgamma.schema.tables import Kind
from xgamma.store.lineage import CHANGED, GONE, Made, SourceFile, lineage

FILES_SHOWN = 4
UNKNOWN = "what it was made from is not written down: files of spectra, or by an older version of xgamma"
AGAIN = {
    Kind.DL3: "a run is read again when one of its files changes",
    Kind.ROWS: "a row is reduced again for another recipe (geometry, background, masks), interval or run",
    Kind.STACK: "a stack is made again of other rows",
    Kind.FIT: "models are fitted again for other datasets, bins, models, start values or settings",
    Kind.POINTS: "flux points are estimated again for other datasets, models, energies or parameters",
    Kind.LIGHT_CURVE: "a light curve is made again for other datasets, models, bins or parameters",
    Kind.FIT_EACH: "groups are fitted again for other datasets, models, groups or settings",
    Kind.POINTS_EACH: "flux points are estimated again for other datasets, models, groups, energies or parameters",
    Kind.EXCESS_MAP: "a map is made again for other datasets, models, radius, energies or parameters",
    Kind.PICTURE: "a picture is drawn again when what it shows, or the look of pictures, is another",
}


@click.command("explain", epilog=examples("xgamma explain out fit", "xgamma explain store b91cc6 --files"))
@place_argument
@click.argument("product", shell_complete=complete_product)
@click.option("--files", "all_files", is_flag=True, help="Name all files, not the first few.")
@json_option
def explain_command(place: str, product: str, all_files: bool, as_json: bool) -> None:
    """Say what PRODUCT of PLACE was made from, as a tree down to the files, and why it would be made again.

    PRODUCT is KIND/KEY, KIND where there is only one, KIND/latest, or the beginning of a key. Of files on this machine
    size and time are compared with what they were.
    """
    store = opened_store(place)
    record = product_named(store, product)
    made = lineage(store, record)
    if as_json:
        print_json({**made.document(), "again": list(_again(made))})
        return
    for line in _lines(made, None if all_files else FILES_SHOWN, set()):
        click.echo(line)
    click.echo()
    for sentence in _again(made):
        click.echo(sentence)


def _lines(made: Made, most: int | None, seen: set[str], head: str = "", below: str = "") -> Iterator[str]:
    """Yield the lines of a tree; what is below a product is told once."""
    is_told = made.name in seen and bool(made.parts or made.files)
    yield f"{head}{_told(made)}{', as above' if is_told else ''}"
    if is_told:
        return
    seen.add(made.name)
    files: Sequence[SourceFile] = made.files if most is None else made.files[:most]
    rest = len(made.files) - len(files)
    below_files = [f"{file.path}  {size_text(file.size)}, {file.state}" for file in files]
    below_files += [f"{some(rest, 'more file')}"] if rest else []
    unknown = [] if made.is_whole or made.parts else [UNKNOWN]
    leaves = [*below_files, *unknown]
    for number, part in enumerate(made.parts):
        is_last = number == len(made.parts) - 1 and not leaves
        yield from _lines(
            part, most, seen, f"{below}{'└─ ' if is_last else '├─ '}", f"{below}{'   ' if is_last else '│  '}"
        )
    for number, text in enumerate(leaves):
        yield f"{below}{'└─ ' if number == len(leaves) - 1 else '├─ '}{text}"


def _told(made: Made) -> str:
    if made.record is None:
        return f"{made.name[:60]}  not in the store any more"
    record = made.record
    software = record.provenance.get("software")
    version = software.get("xgamma", "?") if isinstance(software, dict) else "?"
    held = [some(len(record.texts[name]), name.removesuffix("s")) for name in ("runs", "rows") if name in record.texts]
    facts = ", ".join(
        [*held, size_text(record.nbytes), f"{record.created[:16].replace('T', ' ')} UTC", f"xgamma {version}"]
    )
    return f"{record.kind}/{record.key[:12]}  {facts}"


def _again(made: Made) -> Iterator[str]:
    """Yield sentences about why a product would be made again."""
    kind = made.name.partition("/")[0]
    if kind in AGAIN:
        rule = AGAIN[Kind(kind)]
        yield f"{rule[0].upper()}{rule[1:]}, or by a version of xgamma whose step has other numbers."
    changed = made.changed_files()
    for state, what in ((CHANGED, "not as it was: its runs become new versions"), (GONE, "not there any more")):
        paths = [file.path for file in changed if file.state == state]
        if paths:
            more = f" and {some(len(paths) - 1, 'more file')}" if len(paths) > 1 else ""
            yield f"{paths[0]}{more}: {what}."
    lost = made.lost()
    if lost:
        yield f"{some(len(lost), 'product')} below it {'is' if len(lost) == 1 else 'are'} not in the store any more."
    if not changed and not lost:
        yield "Nothing below it has changed, by size and time of files: the same request finds it."
