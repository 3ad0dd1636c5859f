"""The table of GADF layouts is the only one: what is written by it is read by it, in the units of the store."""

import dataclasses

import numpy as np
import pytest
from made_responses import KINDS, fits_table, hdu_of, read, table_of

from xgamma.formats.gadf.index_tables import class_of
from xgamma.formats.gadf.layouts import AXES, EVENT_COLUMNS, LAYOUTS
from xgamma.schema.dl3 import RESPONSES
from xgamma.units import unit_factor


def test_the_table_holds_the_responses_of_the_store():
    assert {f"irf/{kind}-*" for kind in LAYOUTS} == set(RESPONSES)
    assert set(KINDS) == set(LAYOUTS)
    assert EVENT_COLUMNS == {"RA": "deg", "DEC": "deg", "ENERGY": "TeV", "TIME": "s"}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_response_is_read_as_it_is_written(kind):
    layout, written, found = LAYOUTS[kind], table_of(kind), read(kind, hdu_of(kind))
    assert (found.kind, found.remarks) == (kind, ())
    assert tuple(axis.name for axis in found.axes) == layout.dims
    assert all((axis.unit, axis.scale) == AXES[axis.name].unit_and_scale for axis in found.axes)
    assert found.units == {name: variable.units for name, variable in RESPONSES[f"irf/{kind}-*"].variables.items()
                           if name in found.values}  # fmt: skip
    order = [layout.orders[0].index(dim) for dim in layout.dims]
    for name, values in found.values.items():
        any_unit = layout.columns[name].has_any_unit
        factor = 1 if any_unit else unit_factor(layout.file_units[name], layout.units[name], name)
        np.testing.assert_allclose(values, factor * written.values[name].transpose(order), rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_response_whose_header_names_no_class_is_known_by_its_columns(kind):
    hdu = hdu_of(kind)
    bare = dataclasses.replace(hdu, header={}, name="")
    assert class_of(fits_table(bare)) == kind


@pytest.mark.parametrize("kind", [kind for kind in LAYOUTS if kind != "psf_3gauss"])
def test_columns_without_units_are_read_in_the_units_of_the_layout(kind):
    hdu = hdu_of(kind)
    bare = dataclasses.replace(hdu, columns=[dataclasses.replace(column, unit="") for column in hdu.columns])
    for name, values in read(kind, bare).values.items():
        np.testing.assert_array_equal(values, read(kind, hdu).values[name])
