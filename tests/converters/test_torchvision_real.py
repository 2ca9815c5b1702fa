"""torchvision itself: every kind of network it lists, against its own forward.

Needs a torchvision that imports beside the installed torch; PyPI's does not beside the CPU build
that `make test` installs, so there these tests skip and the stand-in of
`test_torchvision_style.py` is all that runs.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from faceport.converters import ConvertOptions, convert
from faceport.converters.torchvision_package import build, import_models, listed
from faceport.errors import MissingDependencyError
from faceport.exporters import ExportOptions, export_bundle
from faceport.runtime.verify import verify_bundle

SMALL = (
    *("convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "inception_v3", "maxvit_t"),
    *("mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "resnet18"),
    *("resnext50_32x4d", "shufflenet_v2_x0_5", "swin_t", "swin_v2_t", "vit_b_32"),
)
"""One of each kind, the smallest. VGG and AlexNet are of the same form and of 500 MB."""


@pytest.fixture(scope="module")
def models() -> Any:
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip(
            "torchvision is not installed: it has no build for the CPU torch of `make test`"
        )
    try:
        return import_models()
    except MissingDependencyError as error:
        pytest.skip(f"torchvision does not import beside this torch: {error}")


class Embedder(nn.Module):
    def __init__(self, backbone: nn.Module, last: str, dim: int = 64) -> None:
        super().__init__()
        width = backbone.get_submodule(last).in_features
        parent, _, name = last.rpartition(".")
        setattr(backbone.get_submodule(parent), name, nn.Identity())
        self.backbone = backbone
        self.dropout = nn.Dropout(0.2)
        self.embedding = nn.Linear(width, dim)  # type: ignore[arg-type]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.embedding(self.dropout(torch.flatten(self.backbone(pixels), 1)))


def trained(models: Any, name: str) -> Embedder:
    torch.manual_seed(3)
    extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    if name == "googlenet":
        extra["aux_logits"] = False
    backbone = models.get_model(name, weights=None, **extra)
    last = [part for part, m in backbone.named_modules() if isinstance(m, nn.Linear)][-1]
    network = Embedder(backbone, last).eval()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    return network


@pytest.mark.parametrize("name", SMALL)
def test_each_kind_is_found_and_computes_the_same(
    models: Any, name: str, save: Callable[..., Path]
) -> None:
    network = trained(models, name)
    size = 299 if name == "inception_v3" else 224
    state = {f"model.{key}": value for key, value in network.state_dict().items()}
    content = {"state_dict": state, "hyper_parameters": {"image_size": size}}
    conversion = convert(save(content), ConvertOptions(family="torchvision", normalize=False))
    pixels = torch.randn(2, 3, size, size)
    with torch.no_grad():
        torch.testing.assert_close(conversion.module(pixels)[0], network(pixels))
    assert conversion.spec.arch == name
    assert all("AuxLogits" in key for key in conversion.spec.dropped_keys)


def test_every_network_that_is_listed_is_built_without_memory(models: Any) -> None:
    made = {name: build(models, name) for name in listed(models)}
    assert len(made) >= 70
    assert {name for name, backbone in made.items() if backbone is None} == {
        "squeezenet1_0",
        "squeezenet1_1",
    }
    assert all(
        parameter.device.type == "meta" or parameter.numel() < 1_000_000
        for backbone in made.values()
        if backbone is not None
        for parameter in backbone.network.parameters()
    )


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small"])
def test_it_becomes_a_bundle(
    models: Any, name: str, save: Callable[..., Path], tmp_path: Path
) -> None:
    state = trained(models, name).state_dict()
    file = save({"state_dict": state, "hyper_parameters": {"img_size": 112, "backbone": name}})
    conversion = convert(file)
    formats = ExportOptions(formats=("onnx", "torchscript"))
    bundle = export_bundle(conversion, tmp_path / "b.bundle", formats)
    assert {record.status for record in verify_bundle(bundle)} == {"passed"}
