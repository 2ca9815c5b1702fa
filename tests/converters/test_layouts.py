from __future__ import annotations

import pytest

from faceport.converters.conversion import Layout, PlanRequest
from faceport.converters.differences import expected_of
from faceport.converters.layouts import ALL_LAYOUTS, archs, families


def test_families_and_architectures_are_listed_once() -> None:
    assert families() == ("mobilefacenet", "adaface", "dinov3")
    assert len(set(archs())) == len(archs())
    assert {"mobilefacenet_landmarks68", "ir_18", "ir_200", "ir_se_50", "ir_se_101"} <= set(archs())


@pytest.mark.parametrize("layout", ALL_LAYOUTS, ids=lambda layout: layout.archs[0])
def test_a_layout_plans_without_any_key(layout: Layout) -> None:
    for arch in (None, *layout.archs):
        for head in layout.heads:
            plan = layout.plan(PlanRequest({}, arch, head))
            assert plan.family == layout.family
            assert plan.arch in layout.archs
            assert arch in (None, plan.arch)


@pytest.mark.parametrize("layout", ALL_LAYOUTS, ids=lambda layout: layout.archs[0])
def test_a_layout_plans_whatever_shape_a_key_has(layout: Layout) -> None:
    keys = expected_of(layout.plan(PlanRequest({}, None, layout.heads[0])))
    for shape in ((), (0,), (1, 2), (3, 0, 5, 5), (1, 1, 1, 1, 1)):
        layout.plan(PlanRequest(dict.fromkeys(keys, shape), None, layout.heads[0]))


@pytest.mark.parametrize("layout", ALL_LAYOUTS, ids=lambda layout: layout.archs[0])
def test_the_marker_is_a_key_of_the_layout(layout: Layout) -> None:
    keys = expected_of(layout.plan(PlanRequest({}, None, layout.heads[0])))
    assert any(key.startswith(layout.marker) for key in keys)
