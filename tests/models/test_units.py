from __future__ import annotations

import torch
from torch import nn

from faceport.models.units import ConvUnit, SkipUnit


def test_a_linear_unit_has_no_activation() -> None:
    values = torch.randn(2, 4, 5, 5)
    unit = ConvUnit(4, 4, linear=True).eval()
    with torch.no_grad():
        assert unit(values).min() < 0
    assert not any(key.startswith("prelu") for key in unit.state_dict())


def test_an_activated_unit_weakens_what_is_negative() -> None:
    values = torch.randn(2, 4, 5, 5)
    unit = ConvUnit(4, 4).eval()
    with torch.no_grad():
        plain = unit.bn(unit.conv(values))
        assert unit(values).equal(torch.where(plain > 0, plain, plain * 0.25))


def test_a_skip_adds_the_input() -> None:
    values = torch.randn(2, 3)
    assert SkipUnit(nn.Identity(), skip=True)(values).equal(values * 2)
    assert SkipUnit(nn.Identity(), skip=False)(values).equal(values)
