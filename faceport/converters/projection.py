"""A linear layer that fine-tuning put behind a backbone: found by its name and its inputs.

Nothing in a state dict says whether a linear layer makes an embedding or the scores of classes. Its
name and its size decide, the caller can overrule, and what was done is in the model's warnings.
"""

from __future__ import annotations

from dataclasses import dataclass

from faceport.converters.conversion import PlanRequest, Shapes
from faceport.models.dinov3_config import Pool, Projection, pooled_width

HEADS = ("embedding", "projection", "features")
"""The network's ends: what looks like an embedding, the projection whatever it looks like, none."""

EMBEDDERS = ("projection", "projector", "proj", "embedding", "embedder")
OPEN = ("head", "fc", "linear")
"""Names that classifiers have too."""

CLASSES = 4
"""A layer of an open name with more outputs than this many times its inputs tells classes apart."""

USUAL = 512


@dataclass(frozen=True)
class Ending:
    """What follows the pooled tokens: a projection or none, prefixes without use, and warnings."""

    projection: Projection | None
    unused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def ending_of(request: PlanRequest, width: int, pool: Pool) -> Ending:
    """Find the projection behind a backbone that gives tokens of a width."""
    inputs = pooled_width(width, pool)
    names = (*EMBEDDERS, *OPEN)
    there = [name for name in names if any(key.startswith(f"{name}.") for key in request.shapes)]
    found = [name for name in there if _layer(request.shapes, name, inputs) is not None]
    if request.head == "features":
        left_out = tuple(f"the linear layer {name!r} was left out" for name in found)
        return Ending(None, tuple(f"{name}." for name in there), left_out)
    forced = request.head == "projection"
    for name in found:
        layer = _layer(request.shapes, name, inputs)
        if layer and (forced or name in EMBEDDERS or layer.outputs <= CLASSES * inputs):
            return Ending(layer, warnings=(_taken(layer, inputs),))
    if forced:
        return Ending(Projection(there[0] if there else EMBEDDERS[0], USUAL, bias=True))
    return Ending(None, warnings=tuple(_passed(request.shapes, name, inputs) for name in there))


def _layer(shapes: Shapes, name: str, inputs: int) -> Projection | None:
    """Return the layer of a name if it is one linear layer with so many inputs, and no more."""
    keys = {key for key in shapes if key.startswith(f"{name}.")}
    for stem in (name, f"{name}.0"):
        weight = shapes.get(f"{stem}.weight", ())
        bias = f"{stem}.bias" in shapes
        own = {f"{stem}.weight", *([f"{stem}.bias"] if bias else [])}
        if keys == own and len(weight) == 2 and weight[1] == inputs and weight[0] > 0:
            return Projection(stem, weight[0], bias)
    return None


def _taken(layer: Projection, inputs: int) -> str:
    return (
        f"the embedding is what the checkpoint's linear layer {layer.name!r} makes of the pooled "
        f"tokens ({inputs} to {layer.outputs} numbers); --head features leaves it out"
    )


def _passed(shapes: Shapes, name: str, inputs: int) -> str:
    sizes = [f"{key} {list(shape)}" for key, shape in shapes.items() if key.startswith(f"{name}.")]
    return (
        f"{', '.join(sizes[:2])} is not in the network: no single linear layer that makes an "
        f"embedding of {inputs} numbers; --head projection takes one with any number of outputs"
    )
