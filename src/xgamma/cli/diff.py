"""``xgamma diff``: what differs between two configurations, products or stores."""

from __future__ import annotations

import dataclasses

import click

from xgamma.cli.console import examples, json_option, print_json, print_table, some
from xgamma.cli.places import ENDINGS, PlaceType, complete_product, opened_store, product_named
from xgamma.digits import NOTHING
from xgamma.errors import ConfigError, ExitCode
from xgamma.formats.local_files import local_path
from xgamma.formats.yaml_documents import read_yaml
from xgamma.upkeep.difference import Difference, document_differences, product_differences, store_differences

SHOWN = 40


@click.command(
    "diff",
    epilog=examples(
        "xgamma diff first.yaml second.yaml",
        "xgamma diff out/first out/second fit",
        "xgamma diff store store fit/14e19f fit/49d27e",
        "xgamma diff out/first out/second",
    ),
)
@click.argument("first", metavar="A", type=PlaceType())
@click.argument("second", metavar="B", type=PlaceType())
@click.argument("product", required=False, shell_complete=complete_product)
@click.argument("other", metavar="[PRODUCT OF B]", required=False, shell_complete=complete_product)
@json_option
def diff_command(first: str, second: str, product: str | None, other: str | None, as_json: bool) -> ExitCode:
    """Say what differs between A and B: in what was asked, in inputs, in numbers with the largest deviation.

    Two configurations are compared key by key, PRODUCT (as for xgamma show) of two places number by number, two places
    without one by the products that they hold. Exit code 0 when nothing differs, 6 when something does.
    """
    are_files = [place.lower().endswith(ENDINGS) for place in (first, second)]
    if product is None and all(are_files):
        documents = [read_yaml(local_path(place), "configuration") for place in (first, second)]
        found = document_differences(*documents)
    elif product is None and any(are_files):
        raise ConfigError(
            f"Expected two configurations or two places with a store, got {first} and {second}. To compare a product "
            "of both, name it."
        )
    elif product is None:
        found = store_differences(opened_store(first), opened_store(second))
    else:
        stores = opened_store(first), opened_store(second)
        left, right = product_named(stores[0], product), product_named(stores[1], other or product)
        if left.kind != right.kind:
            raise ConfigError(f"Expected two products of one kind, got {left.kind} and {right.kind}.")
        found = product_differences((stores[0], left), (stores[1], right))
    if as_json:
        print_json({"same": not found, "differences": [dataclasses.asdict(each) for each in found]})
    else:
        _print(found)
    return ExitCode.FAULT if found else ExitCode.DONE


def _print(found: list[Difference]) -> None:
    rows = [
        {
            "where": each.where,
            "what": each.what,
            "deviation": NOTHING if each.deviation is None else f"{each.deviation:.2g}",
            "A": each.first,
            "B": each.second,
        }
        for each in found[:SHOWN]
    ]
    print_table(rows)
    more = f", the first {SHOWN} are shown; --json has all" if len(found) > SHOWN else ""
    click.echo(f"{some(len(found), 'difference')}{more}." if found else "They are the same.")
