"""Torchvision backbones with an embedding behind them, on a small stand-in for torchvision.

The stand-in has the documented functions, `list_models` and `get_model`, and networks with
torchvision's names and ways to end: `fc`, `classifier` with and without weights before its last
Linear, `heads.head`, `head`. `test_torchvision_real.py` runs the same on torchvision itself.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from faceport.bundle import Bundle
from faceport.converters import Conversion, ConvertOptions, convert
from faceport.errors import (
    InputError,
    KeyMismatchError,
    MissingDependencyError,
    UnknownArchitectureError,
)
from faceport.exporters import ExportOptions, export_bundle
from faceport.runtime.verify import verify_bundle

Save = Callable[..., Path]
CLASSES = 1000
DIM = 6
SIZE = {"image_size": 32}


def block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), bn1=nn.BatchNorm2d(outputs)
        )
    )


class ResNet(nn.Module):
    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(block(4, 8), *(block(8, 8) for _ in range(blocks - 1)))
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.layer1(self.bn1(self.conv1(x)).relu()).mean((2, 3)))


class Features(nn.Module):
    """Efficientnet, mobilenet, convnext: `features`, and one of their classifiers."""

    def __init__(self, side: int, *classifier: nn.Module) -> None:
        super().__init__()
        # Widths that are computed as RegNet's are: from a tensor, while the network is built.
        width = int((torch.arange(3) * 4).tolist()[2])
        self.features = nn.Sequential(nn.Sequential(nn.Conv2d(3, width, side, side), nn.ReLU()))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(*classifier)

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.features(x))
        keeps = isinstance(next(self.classifier.children(), None), nn.GroupNorm)
        return self.classifier(x if keeps else x.flatten(1))


class VisionTransformer(nn.Module):
    def __init__(self, image_size: int = 64) -> None:
        super().__init__()
        self.image_size = image_size
        self.class_token = nn.Parameter(torch.zeros(1, 1, 8))
        self.conv_proj = nn.Conv2d(3, 8, 16, 16)
        self.encoder = nn.Module()
        self.encoder.pos_embedding = nn.Parameter(
            torch.empty(1, (image_size // 16) ** 2 + 1, 8).normal_(std=0.02)
        )
        self.encoder.ln = nn.LayerNorm(8)
        self.heads = nn.Sequential(OrderedDict(head=nn.Linear(8, CLASSES)))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.conv_proj(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(x), -1, -1), tokens], dim=1)
        return self.heads(self.encoder.ln(tokens + self.encoder.pos_embedding).mean(1))


class Swin(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Sequential(nn.Conv2d(3, 8, 2, 2)))
        self.register_buffer("relative_position_index", torch.arange(8).flip(0))
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3))[:, self.relative_position_index])


NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "convnext_tiny": lambda: Features(4, nn.GroupNorm(1, 8), nn.Flatten(1), nn.Linear(8, CLASSES)),
    "efficientnet_b0": lambda: Features(3, nn.Dropout(0.2), nn.Linear(8, CLASSES)),
    "mobilenet_v3_small": lambda: Features(
        5, nn.Linear(8, 12), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(12, CLASSES)
    ),
    "resnet18": lambda: ResNet(1),
    "resnet34": lambda: ResNet(2),
    "squeezenet1_0": lambda: nn.Sequential(nn.Conv2d(3, CLASSES, 1), nn.Flatten()),
    "swin_t": Swin,
    "vit_b_16": VisionTransformer,
}
LAST = {
    "convnext_tiny": ("classifier", "2"),
    "efficientnet_b0": ("classifier", "1"),
    "mobilenet_v3_small": ("classifier", "3"),
    "resnet18": ("", "fc"),
    "resnet34": ("", "fc"),
    "swin_t": ("", "head"),
    "vit_b_16": ("heads", "head"),
}
WIDTH = {name: 12 if name == "mobilenet_v3_small" else 8 for name in LAST}


@pytest.fixture(autouse=True)
def torchvision(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    models: Any = ModuleType("torchvision.models")
    models.list_models = lambda module=None: sorted(NETWORKS)
    models.get_model = lambda name, weights=None, **options: NETWORKS[name](**options)
    package: Any = ModuleType("torchvision")
    package.models = models
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    return package


class Embedder(nn.Module):
    """What training code writes: a backbone, dropout, a Linear."""

    def __init__(self, backbone: nn.Module, width: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(0.5)
        self.embedding = nn.Linear(width, DIM)

    def forward(self, x: Tensor) -> Tensor:
        return self.embedding(self.dropout(self.backbone(x).flatten(1)))


def embedder(name: str, **options: Any) -> Embedder:
    torch.manual_seed(5)
    backbone = NETWORKS[name](**options)
    parent, last = LAST[name]
    setattr(backbone.get_submodule(parent), last, nn.Identity())
    made = Embedder(backbone, WIDTH[name])
    for part in made.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.2)
            part.running_var.uniform_(0.5, 1.5)
    return made.eval()


def state_of(network: nn.Module, prefix: str = "", **renames: str) -> dict[str, Tensor]:
    """Its state dict under a prefix, the first parts of the keys renamed."""
    state = {}
    for key, value in network.state_dict().items():
        first, rest = key.split(".", 1)
        start = renames.get(first, first)
        state[f"{prefix}{start}.{rest}" if start else f"{prefix}{rest}"] = value
    return state


def gives_the_same(conversion: Conversion, network: nn.Module, size: int = 32) -> None:
    pixels = torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        embedding, norm = conversion.module(pixels)
        expected = network(pixels)
    torch.testing.assert_close(embedding * norm, expected)
    assert float(expected.std(0).min()) > 1e-3


CHOSEN = ConvertOptions(family="torchvision")


@pytest.mark.parametrize("name", sorted(LAST))
def test_every_way_to_end_is_found_from_the_keys(name: str, save: Save) -> None:
    network = embedder(name, **({"image_size": 32} if name == "vit_b_16" else {}))
    file = save({"state_dict": state_of(network, "model."), "hyper_parameters": SIZE})
    conversion = convert(file, CHOSEN)
    gives_the_same(conversion, network)
    spec = conversion.spec
    assert (spec.family, spec.arch, spec.embedding_dim) == ("torchvision", name, DIM)
    assert spec.dropped_keys == ()


@pytest.mark.parametrize(
    ("prefix", "renames"),
    [
        ("", {}),
        ("model.", {}),
        ("module.model.", {}),
        ("net.", {"backbone": "encoder"}),
        ("", {"backbone": "feature_extractor", "embedding": "head"}),
        ("model.", {"embedding": "head.1"}),
        ("model.", {"embedding": "projection"}),
        ("model.", {"embedding": "fc"}),
        ("", {"embedding": "classifier.1"}),
        ("model.", {"embedding": "backbone.fc"}),
        ("", {"embedding": "backbone.fc.1"}),
        ("", {"backbone": "", "embedding": "fc"}),
    ],
)
def test_prefixes_and_names_of_the_embedding(
    prefix: str, renames: dict[str, str], save: Save
) -> None:
    network = embedder("resnet34")
    renamed = state_of(network, prefix, **renames)
    conversion = convert(save({"state_dict": renamed, "hyper_parameters": SIZE}), CHOSEN)
    gives_the_same(conversion, network)
    assert conversion.spec.arch == "resnet34"


def test_a_checkpoint_needs_no_family(save: Save) -> None:
    network = embedder("resnet18")
    conversion = convert(save({"state_dict": state_of(network), "hyper_parameters": SIZE}))
    gives_the_same(conversion, network)


def test_the_preprocessing_is_torchvisions(save: Save) -> None:
    file = save({"state_dict": state_of(embedder("resnet18")), "hyper_parameters": SIZE})
    preprocess = convert(file, CHOSEN).spec.preprocess
    np.testing.assert_allclose(np.array(preprocess.mean) / 255, [0.485, 0.456, 0.406], atol=1e-6)
    np.testing.assert_allclose(np.array(preprocess.std) / 255, [0.229, 0.224, 0.225], atol=1e-6)
    assert (preprocess.color_order, preprocess.geometry) == ("rgb", "crop")
    assert (preprocess.resample, preprocess.box_padding) == ("bilinear_antialias", 0.2)
    assert (preprocess.height, preprocess.width) == (32, 32)


def test_loss_heads_are_dropped_and_named(save: Save) -> None:
    state = state_of(embedder("resnet18"), "model.")
    state |= {"arcface.weight": torch.randn(20, DIM), "model.criterion.centers": torch.ones(20, 8)}
    state |= {"model.backbone.fc.weight": torch.randn(CLASSES, 8)}
    spec = convert(save({"state_dict": state, "hyper_parameters": SIZE}), CHOSEN).spec
    assert sorted(spec.dropped_keys) == [
        "arcface.weight",
        "model.backbone.fc.weight",
        "model.criterion.centers",
    ]


@pytest.mark.parametrize("beside", ["head.2.weight", "head.2.running_mean", "bn.weight"])
def test_a_layer_behind_the_embedding_is_never_dropped(beside: str, save: Save) -> None:
    state = state_of(embedder("resnet18"), "", embedding="head.1")
    state[beside] = torch.ones(DIM)
    with pytest.raises(KeyMismatchError, match="does not have"):
        convert(save({"state_dict": state, "hyper_parameters": SIZE}), CHOSEN)


def test_a_classifier_of_classes_is_no_embedding_but_its_features_export(save: Save) -> None:
    network = NETWORKS["resnet18"]().eval()
    file = save(network.state_dict())
    size = {"input_height": 32, "input_width": 32}
    with pytest.raises(KeyMismatchError, match=r"no embedding layer.*--head features"):
        convert(file, ConvertOptions(family="torchvision", **size))
    options = ConvertOptions(family="torchvision", head="features", **size)
    conversion = convert(file, options)
    network.fc = nn.Identity()
    gives_the_same(conversion, network)
    assert conversion.spec.dropped_keys == ("fc.weight", "fc.bias")
    assert conversion.spec.arch == "resnet18_features"
    assert "before any embedding" in conversion.spec.warnings[0]


def test_a_whole_classifier_that_was_taken_out_is_left_out(save: Save) -> None:
    network = embedder("mobilenet_v3_small")
    network.backbone.classifier = nn.Identity()
    network.embedding = nn.Linear(8, DIM)
    file = save({"state_dict": state_of(network), "hyper_parameters": SIZE})
    gives_the_same(convert(file, CHOSEN), network)


def test_the_size_is_read_or_given_and_never_guessed(save: Save) -> None:
    state = state_of(embedder("resnet18"))
    with pytest.raises(InputError, match="--input-height and --input-width"):
        convert(save({"state_dict": state}), CHOSEN)
    given = ConvertOptions(family="torchvision", input_height=40, input_width=24)
    for content in ({"state_dict": state}, {"state_dict": state, "hyper_parameters": SIZE}):
        preprocess = convert(save(content), given).spec.preprocess
        assert (preprocess.height, preprocess.width) == (40, 24)


def test_a_transformer_knows_its_size(save: Save) -> None:
    network = embedder("vit_b_16", image_size=48)
    file = save({"state_dict": state_of(network)})
    conversion = convert(file, CHOSEN)
    assert conversion.spec.preprocess.height == 48
    gives_the_same(conversion, network, 48)
    wrong = ConvertOptions(family="torchvision", input_height=64, input_width=64)
    with pytest.raises(InputError, match="48 high, 48 wide"):
        convert(file, wrong)


def test_dimensions_that_contradict_are_told(save: Save) -> None:
    hyper_parameters = {**SIZE, "embedding_dim": 512}
    file = save(
        {"state_dict": state_of(embedder("resnet18")), "hyper_parameters": hyper_parameters}
    )
    (warning,) = convert(file, CHOSEN).spec.warnings
    assert "say 512 dimensions" in warning


def test_the_architecture_can_be_given(save: Save) -> None:
    file = save({"state_dict": state_of(embedder("resnet34")), "hyper_parameters": SIZE})
    assert convert(file, ConvertOptions(family="torchvision", arch="resnet34")).spec.arch
    for arch, error, message in (
        ("swin_t", UnknownArchitectureError, "no keys of swin_t"),
        ("resnet18", KeyMismatchError, "layer1.1"),
        ("resnet99", InputError, "no such network.*resnet18"),
        ("squeezenet1_0", InputError, "does not end in a Linear"),
    ):
        with pytest.raises(error, match=message):
            convert(file, ConvertOptions(family="torchvision", arch=arch))


@pytest.mark.parametrize("options", [{"head": "landmarks"}, {"pool": "cls"}])
def test_choices_of_other_families_are_refused(options: dict[str, Any], save: Save) -> None:
    file = save({"state_dict": state_of(embedder("resnet18"))})
    with pytest.raises(InputError, match=r"no such head|--pool is not for"):
        convert(file, ConvertOptions(family="torchvision", **options))


def test_another_backbone_is_refused(save: Save) -> None:
    state = {key.replace("conv1", "stem"): v for key, v in state_of(embedder("resnet18")).items()}
    with pytest.raises(UnknownArchitectureError, match="closest is resnet18"):
        convert(save({"state_dict": state, "hyper_parameters": SIZE}), CHOSEN)


def test_a_missing_torchvision_names_the_extra(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.delitem(sys.modules, "torchvision.models")
    file = save({"state_dict": state_of(embedder("resnet18")), "hyper_parameters": SIZE})
    with pytest.raises(MissingDependencyError, match=r"faceport\[torchvision\]"):
        convert(file, CHOSEN)
    with pytest.raises(UnknownArchitectureError, match=r"faceport\[torchvision\].*--family"):
        convert(file)


def test_a_torchvision_for_another_torch_is_told(
    save: Save, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "packages" / "torchvision"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms')")
    monkeypatch.delitem(sys.modules, "torchvision")
    monkeypatch.delitem(sys.modules, "torchvision.models")
    monkeypatch.syspath_prepend(str(package.parent))
    file = save({"state_dict": state_of(embedder("resnet18")), "hyper_parameters": SIZE})
    with pytest.raises(MissingDependencyError, match=r"does not fit this torch.*torchvision::nms"):
        convert(file, CHOSEN)


def test_it_becomes_a_bundle(save: Save, tmp_path: Path) -> None:
    state = state_of(embedder("resnet18"), "model.")
    conversion = convert(save({"state_dict": state, "hyper_parameters": SIZE}), CHOSEN)
    options = ExportOptions(formats=("onnx", "torchscript"))
    bundle = export_bundle(conversion, tmp_path / "r.bundle", options)
    assert {record.status for record in verify_bundle(bundle)} == {"passed"}
    assert Bundle.open(bundle.path).spec == conversion.spec
