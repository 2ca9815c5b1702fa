"""A torchvision backbone with a Linear embedding behind it: Lightning checkpoints, state dicts.

The weights tell the backbone and the dimension. The size of the input is in no weight of a
convolutional network: it is read from the hyper-parameters, or given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faceport.converters.backbone_keys import embedding_layers, features_of
from faceport.converters.backbone_search import Case, Found, find_backbone, trained_side
from faceport.converters.backbone_state import UNUSED, renamed
from faceport.converters.checkpoint import read_checkpoint
from faceport.converters.conversion import ConvertOptions, Plan
from faceport.converters.differences import first_few
from faceport.converters.hyper_parameters import hyper_parameters
from faceport.converters.locate import CheckpointFile
from faceport.converters.state import NetworkState, network_state
from faceport.converters.torchvision_package import import_models
from faceport.errors import (
    InputError,
    KeyMismatchError,
    MissingDependencyError,
    UnknownArchitectureError,
)
from faceport.spec import PreprocessSpec, Triple

if TYPE_CHECKING:
    from torch import nn

FAMILY = "torchvision"
HEADS = ("embedding", "features")
TELLTALES = (
    *("layer1.0.conv1.weight", "conv_proj.weight", "features.0.0.weight", "features.0.weight"),
    *("features.denseblock1.denselayer1.conv1.weight", "stage2.0.branch2.0.weight"),
    *("trunk_output.block1.block1-0.proj.0.weight", "layers.8.0.layers.0.weight"),
    *("Mixed_5b.branch1x1.conv.weight", "inception3a.branch1.conv.weight"),
    "MBconv.layers.conv_a.0.weight",
)
"""How keys end that torchvision's networks have, one a kind of network."""

IMAGENET_MEAN: Triple = (123.675, 116.28, 103.53)
IMAGENET_STD: Triple = (58.395, 57.12, 57.375)


def plan_torchvision(file: CheckpointFile, options: ConvertOptions) -> tuple[Plan, NetworkState]:
    """Read a checkpoint with a torchvision backbone and plan its export.

    Raises:
        InputError: no such architecture or head, or the size of the input is not known.
        UntrustedCheckpointError: the file runs code, and the caller does not trust it.
        CheckpointReadError: the file is damaged or of another format.
        UnknownArchitectureError: no backbone of the installed torchvision fits.
        KeyMismatchError: the backbone fits, and no layer behind it is an embedding.
        MissingDependencyError: torchvision is not installed, or does not fit torch.
    """
    if options.head not in (None, *HEADS):
        raise InputError(
            "no such head of a torchvision backbone",
            received=options.head,
            expected=f"one of {', '.join(HEADS)}",
        )
    models = import_models()
    raw = read_checkpoint(file.path, trust=options.trust_checkpoint)
    return _planned(models, raw, network_state(raw, file.name), options)


def plan_if_torchvision(
    raw: object, state: NetworkState, options: ConvertOptions
) -> tuple[Plan, NetworkState] | None:
    """Plan the export of a checkpoint of no other family, if a torchvision backbone is in it.

    Raises:
        UnknownArchitectureError: it looks like one, and torchvision is not there to compare.
        InputError: the size of the input is not known.
        KeyMismatchError: the backbone fits, and no layer behind it is an embedding.
    """
    alike = any(name.endswith(TELLTALES) for name in state.names.values())
    if not alike or options.pool is not None or options.head not in (None, *HEADS):
        return None
    try:
        return _planned(import_models(), raw, state, options)
    except MissingDependencyError as error:
        raise UnknownArchitectureError(
            f"{state.file} is of no family that is built in, and looks like a torchvision backbone",
            received=str(error),
            expected="torchvision, to build its networks and compare",
            fix="then export again, with --family torchvision",
        ) from error
    except UnknownArchitectureError:
        return None


def _planned(
    models: Any, raw: object, state: NetworkState, options: ConvertOptions
) -> tuple[Plan, NetworkState]:
    shapes = {state.names[key]: shape for key, shape in state.shapes.items()}
    case = Case(state, shapes, hyper_parameters(raw), options)
    found = find_backbone(models, case)
    layer = None if options.head == "features" else _embedding(found, case)
    plan = _plan(found, layer, case)
    return plan, renamed(found, layer, plan.network.state_dict().keys(), state)


def _embedding(found: Found, case: Case) -> str:
    layers = embedding_layers(found.backbone, found.place, case.shapes, case.hints.dim)
    if layers:
        return layers[0]
    features = features_of(found.backbone, found.place)
    linears = [f"{key} {list(shape)}" for key, shape in case.shapes.items() if len(shape) == 2]
    raise KeyMismatchError(
        f"{case.state.file} has no embedding layer behind {found.backbone.name}",
        received=first_few(linears[::-1]) or "no Linear",
        expected=f"a Linear from {features} features, named embedding, head, fc, projection or "
        f"alike; one of {found.backbone.classes} classes is a classifier",
        fix=f"to export the {features} features themselves, pass --head features",
    )


def _plan(found: Found, layer: str | None, case: Case) -> Plan:
    from torch import nn

    from faceport.models.backbone_embedder import BackboneEmbedder

    width = features_of(found.backbone, found.place)
    embedding: nn.Linear | None = None
    if layer is not None:
        dim = case.shapes[f"{layer}.weight"][0]
        bias = f"{layer}.bias" in case.shapes
        embedding = nn.Linear(width, dim, bias=bias, device="meta")
    name = found.backbone.name
    return Plan(
        family=FAMILY,
        arch=name if layer is not None else f"{name}_features",
        task="embedder",
        network=BackboneEmbedder(_without_classifier(found), embedding),
        preprocess=_preprocess(*_size(found, case)),
        origin="pytorch/vision",
        license="",
        features=width if embedding is None else embedding.out_features,
        unused=(UNUSED,),
        warnings=_warnings(embedding, layer, case),
    )


def _warnings(embedding: nn.Linear | None, layer: str | None, case: Case) -> tuple[str, ...]:
    if embedding is None:
        return ("these are the features of the backbone, before any embedding layer",)
    said, there = case.hints.dim, embedding.out_features
    if said in (None, there):
        return ()
    return (f"the hyper-parameters say {said} dimensions, the layer {layer} has {there}",)


def _without_classifier(found: Found) -> nn.Module:
    """Take the last Linear out, and what lies before it in the classifier if it is not there.

    A network whose whole classifier was replaced by an Identity has none of its keys.
    """
    from torch import nn

    network, slot, last = found.backbone.network, found.backbone.slot, found.backbone.last
    layers = network.get_submodule(slot)
    others = [key for key in layers.state_dict() if not f"{slot}.{key}".startswith(f"{last}.")]
    if others and not found.place.keeps_slot:
        setattr(network, slot, nn.Identity())
        return network
    parent, _, name = last.rpartition(".")
    setattr(network.get_submodule(parent), name, nn.Identity())
    return network


def _size(found: Found, case: Case) -> tuple[int, int]:
    height = case.options.input_height or case.hints.height
    width = case.options.input_width or case.hints.width
    side = trained_side(found.backbone.name, case)
    if side is not None:
        height, width = height or side, width or side
        if (height, width) != (side, side):
            raise InputError(
                f"{found.backbone.name} is made for one size",
                received=f"{height} high, {width} wide",
                expected=f"{side} high, {side} wide, by its position embedding",
            )
    if height is None or width is None:
        raise InputError(
            f"the size of the input is not in {case.state.file}",
            received="weights, and no image_size, img_size or input_size in hyper-parameters",
            expected="the size that the network was trained at",
            fix="pass --input-height and --input-width",
        )
    return height, width


def _preprocess(height: int, width: int) -> PreprocessSpec:
    """Return torchvision's usual transform: antialiased resize, [0, 1], ImageNet's statistics."""
    return PreprocessSpec(
        height=height,
        width=width,
        color_order="rgb",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        geometry="crop",
        resample="bilinear_antialias",
        box_padding=0.2,
    )
