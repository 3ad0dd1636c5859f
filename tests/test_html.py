"""Templates are filled with escaped text, and numbers stand right."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from xgamma.html import rendered, table


class Cells(HTMLParser):
    """Collects the texts of the cells of a table and the style of each."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.styles: list[str] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.inside = tag == "td"
        if self.inside:
            self.texts.append("")
            self.styles.append(dict(attrs).get("style", ""))

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.texts[-1] += data


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1))
def test_any_text_arrives_as_it_was(text):
    assert Cells(table([{"name": text}])).texts == [text]


def test_a_hostile_name_is_text():
    assert "<script>" not in table([{"name": "<script>alert(1)</script>"}], caption="<script>")


def test_columns_of_numbers_stand_right_and_others_left():
    rows = [{"name": "Crab", "index": "2.28 ± 0.06", "flux": 1.5e-12}, {"name": "MSH", "index": "-", "flux": 2.0}]
    found = Cells(table(rows))
    assert found.styles[:3] == ["text-align: left", "text-align: right", "text-align: right"]
    assert found.texts[2] == "1.500e-12"


def test_markup_is_taken_as_it_is():
    inner = table([{"name": "inner"}])
    assert str(inner) in table([{"what": inner}])


def test_rows_that_are_not_shown_are_counted():
    assert "and 9,998 more" in table([{"run": 1}, {"run": 2}], more=9998)


def test_rows_may_be_left_out_between_others():
    texts = Cells(table([{"run": 1}, {"run": 2}], more=9998, gap=1)).texts
    assert texts == ["1", "and 9,998 more", "2"]


def test_a_name_that_nobody_gave_is_an_error():
    with pytest.raises(UndefinedError, match="caption"):
        rendered("table.html", columns=[], rows=[], numbers=[], more=0, gap=0)
