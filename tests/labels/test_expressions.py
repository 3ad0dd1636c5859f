"""Expressions over columns: they mean what they mean in Python, and run no code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgamma.errors import ConfigError, UnknownNameError
from xgamma.expressions import MAX_LENGTH, parsed

ROWS = [
    {"zenith": 10.5, "livetime": 1600, "target": "Crab"},
    {"zenith": 40.0, "livetime": 30, "target": "MSH 15-52"},
    {"zenith": float("nan"), "livetime": 1600, "target": ""},
]
COLUMNS = {name: np.array([row[name] for row in ROWS]) for name in ROWS[0]}

numbers = st.one_of(st.integers(-100, 2000), st.floats(-100, 100).map(lambda value: round(value, 2)))
of_numbers = st.sampled_from(["zenith", "livetime"])
comparison = st.builds("{} {} {}".format, of_numbers, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), numbers)
chained = st.builds("{} <= {} < {}".format, numbers, of_numbers, numbers)
membership = st.builds(
    "target {} {}".format,
    st.sampled_from(["in", "not in"]),
    st.lists(st.sampled_from(["Crab", "MSH 15-52", "?"]), min_size=1).map(tuple),
)
equality = st.builds("target {} {!r}".format, st.sampled_from(["==", "!="]), st.sampled_from(["Crab", "x"]))
condition = st.recursive(
    st.one_of(comparison, chained, membership, equality),
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not {}".format, inner.map("({})".format)),
    ),
    max_leaves=6,
)


@given(condition)
def test_an_expression_means_what_it_means_in_python(text):
    found = parsed(text, "here").holds(COLUMNS).tolist()
    assert found == [eval(text, {"__builtins__": {}}, row) for row in ROWS]


@given(condition)
def test_an_expression_lists_the_columns_that_it_uses(text):
    assert parsed(text, "here").names == tuple(sorted(name for name in COLUMNS if name in text))


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "zenith.__class__",
        "zenith[0]",
        "zenith + 1 < 3",
        "lambda: 1",
        "zenith is 3",
        "f'{zenith}'",
        "(zenith, 1)",
        "[each for each in target]",
        "1 if zenith else 2",
        "zenith in target",
        "zenith == (1, 2)",
        "(1, 2) < zenith",
        "1 in (1, 2) < 3",
        "b'x' == target",
        "1j < zenith",
        "None",
        "...",
        "-target < 3",
        "*zenith",
        "{'a': 1}",
        "await zenith",
    ],
)
def test_code_and_meaningless_expressions_raise(text):
    with pytest.raises(ConfigError, match=r"^observations\.expression: "):
        parsed(text, "observations.expression")


@given(st.text(max_size=40))
def test_any_text_gives_an_expression_or_raises(text):
    try:
        expression = parsed(text, "here")
        expression.validate_names(list(COLUMNS), "here")
        assert expression.holds(COLUMNS).shape == (3,)
    except (ConfigError, UnknownNameError) as error:
        assert str(error)


def test_long_and_deep_expressions_raise():
    for text in ("x" * (MAX_LENGTH + 1), "(" * 400, "not " * 240 + "True", "-" * 900 + "1"):
        try:
            parsed(text, "here").holds(COLUMNS)
        except ConfigError as error:
            assert "here" in str(error) or "condition" in str(error)


def test_texts_and_numbers_are_not_compared():
    for text in ("zenith < 'a'", "target == 3", "target in ('Crab', 3)", "zenith in ('Crab',)"):
        with pytest.raises(ConfigError, match="compares a text with a number"):
            parsed(text, "here").holds(COLUMNS)


def test_an_unknown_column_is_named_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"here: there is no column 'zenit' in .* Did you mean 'zenith'\?"):
        parsed("zenit < 3", "here").validate_names(list(COLUMNS), "here")
    with pytest.raises(UnknownNameError, match=r"Write texts in quotes: 'Vela'"):
        parsed("target == Vela", "here").validate_names(list(COLUMNS), "here")


def test_a_column_alone_raises():
    with pytest.raises(ConfigError, match="Expected a condition"):
        parsed("zenith", "here").holds(COLUMNS)
    with pytest.raises(ConfigError, match="expected a condition such as a comparison, got 'zenith'"):
        parsed("zenith and target == 'Crab'", "here").holds(COLUMNS)
