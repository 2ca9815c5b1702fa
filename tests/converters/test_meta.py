from __future__ import annotations

from functools import partial

import torch
from torch import nn

from faceport.converters.meta import on_meta


def test_a_network_takes_no_memory() -> None:
    network = on_meta(partial(nn.Linear, 1_000_000, 1_000_000))
    assert {value.device.type for value in network.state_dict().values()} == {"meta"}
    assert torch.ones(1).device.type == "cpu"
