"""Every member of the family is found from its shapes, without memory for its weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from faceport.converters import ConvertOptions, convert
from faceport.converters.recognise import recognise
from faceport.converters.state import NetworkState
from faceport.errors import KeyMismatchError
from faceport.models.iresnet import IResNet
from faceport.models.iresnet_config import IResNetConfig

MetaState = Callable[[torch.nn.Module], NetworkState]
State = dict[str, torch.Tensor]


def network(**config: object) -> IResNet:
    with torch.device("meta"):
        return IResNet(IResNetConfig(**config))  # type: ignore[arg-type]


@pytest.mark.parametrize("cells", [7, 14])
@pytest.mark.parametrize("squeeze", [False, True])
@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152, 200])
def test_depth_squeeze_and_size_are_found(
    depth: int, squeeze: bool, cells: int, meta_state: MetaState
) -> None:
    state = meta_state(network(depth=depth, squeeze_excite=squeeze, cells=cells))
    plan = recognise(state, ConvertOptions())
    assert plan.arch == f"ir_{'se_' if squeeze else ''}{depth}"
    assert (plan.preprocess.height, plan.preprocess.width) == (16 * cells, 16 * cells)
    assert plan.network.state_dict().keys() == state.tensors.keys()
    assert plan.preprocess.color_order == "bgr"


def test_width_and_affine_norm_are_found(meta_state: MetaState) -> None:
    state = meta_state(network(depth=50, embedding_dim=256, affine=True))
    plan = recognise(state, ConvertOptions())
    assert (plan.arch, plan.features) == ("ir_50", 256)
    assert "output_layer.4.bias" in plan.network.state_dict()


@pytest.fixture(scope="module")
def ir_18(synthetic_checkpoint: Callable[[str], Path]) -> State:
    state: State = torch.load(synthetic_checkpoint("adaface_ir_18"), weights_only=True)
    return state["state_dict"]  # type: ignore[return-value]


def branch(form: str, hidden: int = 24) -> State:
    """An occlusion branch as the two published forms name it."""
    names = ("conv.0", "conv.1", "conv.3") if form == "sequential" else ("conv1", "bn1", "conv2")
    first, norm, last = (f"model.occlusion_head.{name}" for name in names)
    generator = torch.Generator().manual_seed(2)
    return {
        f"{first}.weight": torch.randn(hidden, 512, 3, 3, generator=generator) / 50,
        **{f"{norm}.{k}": torch.ones(hidden) for k in ("weight", "bias", "running_mean")},
        f"{norm}.running_var": torch.ones(hidden),
        f"{norm}.num_batches_tracked": torch.tensor(1),
        f"{last}.weight": torch.randn(1, hidden, 1, 1, generator=generator),
        f"{last}.bias": torch.zeros(1),
    }


def test_both_forms_of_the_occlusion_branch_pass_through(
    ir_18: State, save: Callable[..., Path]
) -> None:
    pixels = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 2 - 1
    plain = convert(save({"state_dict": ir_18}, "plain.ckpt"))
    maps = []
    for form in ("sequential", "named"):
        model = convert(save({"state_dict": {**ir_18, **branch(form)}}, f"{form}.ckpt"))
        assert model.spec.output_names == ("embedding", "norm", "occlusion_map")
        assert model.spec.outputs[2].shape == ("batch", 1, 7, 7)
        assert model.spec.dropped_keys == ("head.kernel",)
        embedding, norm, visible = model.module(pixels)
        assert embedding.equal(plain.module(pixels)[0])
        assert norm.shape == (2, 1)
        assert visible.min() >= 0
        assert visible.max() <= 1
        maps.append(visible)
    assert maps[0].equal(maps[1])
    assert maps[0].std() > 0
    raw = convert(
        save({"state_dict": {**ir_18, **branch("named")}}), ConvertOptions(normalize=False)
    )
    assert raw.spec.output_names == ("embedding", "occlusion_map")


def test_a_matching_head_is_dropped_by_name(ir_18: State, save: Callable[..., Path]) -> None:
    extra = {"model.qaconv.fc.weight": torch.ones(1, 49), "model.qaconv.bn.bias": torch.ones(1)}
    spec = convert(save({"state_dict": {**ir_18, **extra}})).spec
    assert set(spec.dropped_keys) == {"head.kernel", *extra}
    parallel = {f"module.{key}": value for key, value in {**ir_18, **extra}.items()}
    spec = convert(save({"state_dict": parallel})).spec
    assert set(spec.dropped_keys) == {"module.head.kernel", *(f"module.{key}" for key in extra)}


@pytest.mark.parametrize(
    "extra",
    [
        {"model.occlusion_head.net.0.weight": torch.ones(4, 512, 3, 3)},
        {**branch("named"), "model.occlusion_head.conv1.bias": torch.ones(24)},
        {"occlusion_net.weight": torch.ones(1)},
    ],
    ids=["other names", "a bias too many", "beside the network"],
)
def test_a_branch_that_is_not_known_is_named(
    extra: State, ir_18: State, save: Callable[..., Path]
) -> None:
    with pytest.raises(KeyMismatchError, match=r"a branch that ir_18 does not have: occlusion_"):
        convert(save({"state_dict": {**ir_18, **extra}}))


def test_a_missing_part_of_the_branch_is_named(ir_18: State, save: Callable[..., Path]) -> None:
    part = branch("named")
    del part["model.occlusion_head.conv2.bias"]
    with pytest.raises(KeyMismatchError, match=r"occlusion_head\.conv2\.bias is missing"):
        convert(save({"state_dict": {**ir_18, **part}}))


def test_a_unit_too_few_is_a_mismatch_of_the_nearest_depth(meta_state: MetaState) -> None:
    state = meta_state(network(depth=101))
    short = {key: t for key, t in state.tensors.items() if not key.startswith("body.48.")}
    plan = recognise(NetworkState("a.pth", short, {key: key for key in short}), ConvertOptions())
    assert plan.arch == "ir_101"


def test_another_architecture_asked_for_is_a_mismatch(
    ir_18: State, save: Callable[..., Path]
) -> None:
    with pytest.raises(KeyMismatchError, match="does not fit ir_50"):
        convert(save({"state_dict": ir_18}), ConvertOptions(arch="ir_50"))
