"""Fine-tuned checkpoints: a linear layer behind the class token, in the forms people save."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from faceport.converters import ConvertOptions, convert
from faceport.converters.conversion import PlanRequest
from faceport.converters.projection import ending_of
from faceport.errors import KeyMismatchError
from faceport.models.dinov3_config import ConvNeXtConfig
from faceport.models.dinov3_convnext import ConvNeXt

State = dict[str, torch.Tensor]
Save = Callable[..., Path]
WIDTH, OUT = 10, 6


@pytest.fixture(scope="module")
def backbone() -> State:
    with torch.device("meta"):
        own = ConvNeXt(ConvNeXtConfig((1, 1, 1, 1), (4, 6, 8, WIDTH))).state_dict()
    generator = torch.Generator().manual_seed(0)
    state = {key: torch.randn(v.shape, generator=generator) * 0.4 for key, v in own.items()}
    return {**state, "norms.3.weight": state["norm.weight"], "norms.3.bias": state["norm.bias"]}


def layer(name: str, outputs: int = OUT, inputs: int = WIDTH, *, bias: bool = True) -> State:
    generator = torch.Generator().manual_seed(1)
    weight = {f"{name}.weight": torch.randn(outputs, inputs, generator=generator)}
    return {**weight, f"{name}.bias": torch.arange(float(outputs))} if bias else weight


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    return torch.randn(2, 3, 256, 256, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("prefix", ["", "backbone.", "model.backbone.", "module.", "dinov3."])
@pytest.mark.parametrize(
    "name", ["head", "projection", "proj", "fc", "embedding", "projection.0", "head.0"]
)
def test_a_linear_layer_is_in_the_graph(
    name: str, prefix: str, backbone: State, picture: torch.Tensor, save: Save
) -> None:
    outer = "model." if prefix.startswith("model.") else ""
    added = layer(name, bias=prefix != "module.")
    wrapped = {f"{prefix}{key}": value for key, value in backbone.items()}
    wrapped |= {f"{outer}{key}": value for key, value in added.items()}
    model = convert(save({"state_dict": wrapped}), ConvertOptions(normalize=False))
    plain = convert(save(backbone, "plain.pth"), ConvertOptions(normalize=False))
    (features,) = plain.module(picture)
    wanted = features @ added[f"{name}.weight"].T + added.get(f"{name}.bias", 0)
    torch.testing.assert_close(model.module(picture)[0], wanted)
    assert model.spec.embedding_dim == OUT
    assert f"linear layer {name!r}" in model.spec.warnings[0]
    assert "10 to 6 numbers" in model.spec.warnings[0]
    assert model.spec.dropped_keys == ()
    assert model.spec.fingerprint != plain.spec.fingerprint


def test_a_layer_in_a_dictionary_of_its_own_is_not_lost(
    backbone: State, picture: torch.Tensor, save: Save
) -> None:
    flat = convert(save({**backbone, **layer("projection")}, "flat.pth"))
    own = {key.removeprefix("projection."): value for key, value in layer("projection").items()}
    nested = convert(save({"backbone": backbone, "projection": own, "epoch": 3}))
    assert nested.module(picture)[0].equal(flat.module(picture)[0])
    assert nested.spec.fingerprint == flat.spec.fingerprint
    left_out = convert(save({"backbone": backbone, "head": own})).spec
    assert left_out.embedding_dim == WIDTH
    assert "also holds 'head', which was left out" in left_out.warnings[0]


def test_the_features_before_it_can_be_had(
    backbone: State, picture: torch.Tensor, save: Save
) -> None:
    plain = convert(save(backbone, "plain.pth"))
    model = convert(save({**backbone, **layer("projection")}), ConvertOptions(head="features"))
    assert model.module(picture)[0].equal(plain.module(picture)[0])
    assert set(model.spec.dropped_keys) == {"projection.weight", "projection.bias"}
    assert "'projection' was left out" in model.spec.warnings[0]


def test_the_pool_decides_how_many_numbers_the_layer_takes(backbone: State, save: Save) -> None:
    path = save({**backbone, **layer("projection", inputs=2 * WIDTH)})
    assert convert(path, ConvertOptions(pool="cls+mean")).spec.embedding_dim == OUT
    with pytest.raises(KeyMismatchError, match=r"does not have: projection"):
        convert(path)


def test_the_scores_of_classes_are_no_embedding_unless_one_says_so(
    backbone: State, save: Save
) -> None:
    path = save({**backbone, **layer("head", outputs=1000)})
    spec = convert(path).spec
    assert spec.embedding_dim == WIDTH
    assert set(spec.dropped_keys) == {"head.weight", "head.bias"}
    assert "head.weight [1000, 10]" in spec.warnings[0]
    assert "--head projection" in spec.warnings[0]
    assert convert(path, ConvertOptions(head="projection")).spec.embedding_dim == 1000


def test_classes_behind_an_embedding_are_dropped(backbone: State, save: Save) -> None:
    state = {**backbone, **layer("embedding"), **layer("head", outputs=50, inputs=OUT)}
    spec = convert(save(state)).spec
    assert spec.embedding_dim == OUT
    assert set(spec.dropped_keys) == {"head.weight", "head.bias"}


def test_a_head_of_several_layers_is_named(backbone: State, save: Save) -> None:
    several = {**layer("projection.0"), **layer("projection.2", OUT, OUT)}
    with pytest.raises(KeyMismatchError, match=r"does not have: projection"):
        convert(save({**backbone, **several}))


def test_a_projection_that_was_asked_for_and_is_not_there_is_missing(
    backbone: State, save: Save
) -> None:
    with pytest.raises(KeyMismatchError, match=r"projection\.weight is missing"):
        convert(save(backbone), ConvertOptions(head="projection"))


@pytest.mark.parametrize("shape", [(), (0, 10), (6,), (6, 11), (6, 10, 1, 1)])
def test_other_shapes_are_no_projection(shape: tuple[int, ...]) -> None:
    request = PlanRequest({"head.weight": shape}, None, "embedding")
    ending = ending_of(request, WIDTH, "cls")
    assert ending.projection is None
    assert "head.weight" in ending.warnings[0]
