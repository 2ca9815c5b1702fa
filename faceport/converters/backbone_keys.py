"""Where a backbone and the Linear behind it lie among a checkpoint's keys, whatever the prefixes.

Nothing is assumed of the training code but that the backbone keeps torchvision's names under some
prefix, and that the embedding is a Linear that takes the backbone's features.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from faceport.converters.conversion import Shapes
from faceport.converters.torchvision_package import Backbone

EMBEDDING_NAMES = (
    *("embedding", "embeddings", "embedding_layer", "embed", "embedder", "emb"),
    *("projection", "projector", "proj", "neck", "bottleneck", "head", "heads"),
    *("linear", "fc", "classifier", "last_linear"),
)
"""Parts of the embedding layer's name, the plainest first: `fc` may be a head for classes too."""

LOSS_NAMES = (
    *("arcface", "cosface", "adaface", "margin", "margin_fc", "metric", "metric_fc"),
    *("loss", "loss_fn", "loss_func", "criterion", "partial_fc", "product", "logits", "prob"),
)
"""Parts of the names of a loss's own weights, which take embeddings and not features."""


@dataclass(frozen=True)
class Place:
    """Where a backbone lies.

    Attributes:
        prefix: what its keys begin with in the file (`model.backbone.`), or nothing.
        keys: its keys in torchvision's names, without the classifier's.
        score: the part of these keys and of those that have no place that fit, 0 to 1.
        keeps_slot: whether the classifier's layers before its last Linear are there too.
    """

    prefix: str
    keys: tuple[str, ...]
    score: float
    keeps_slot: bool


def place_of(backbone: Backbone, shapes: Shapes) -> Place | None:
    """Find a backbone among a checkpoint's keys; None if no key of it is there."""
    expected = _shapes_of(backbone)
    body = {key: shape for key, shape in expected.items() if not _inside(key, backbone.slot)}
    before_last = {
        key: shape
        for key, shape in expected.items()
        if key not in body and not _inside(key, backbone.last)
    }
    places = []
    for prefix in _prefixes(body, shapes):
        keeps = bool(before_last) and _matches(prefix, before_last, shapes) == len(before_last)
        keys = {**body, **before_last} if keeps else body
        fitting = _matches(prefix, keys, shapes)
        left = _left_over(prefix, backbone, body, shapes)
        places.append(Place(prefix, tuple(keys), fitting / (len(keys) + left), keeps))
    return max(places, key=lambda place: place.score, default=None)


def embedding_layers(
    backbone: Backbone, place: Place, shapes: Shapes, dim: int | None
) -> list[str]:
    """Return the names of the Linears that may be the embedding, best first.

    Args:
        backbone: as torchvision builds it.
        place: where it lies.
        shapes: of the checkpoint's tensors, by their names in the file.
        dim: length of the embedding if it is known.
    """
    features = features_of(backbone, place)
    taken = {place.prefix + key for key in place.keys}
    ranked = []
    for key, shape in shapes.items():
        layer = key.removesuffix(".weight")
        if key == layer or key in taken or len(shape) != 2 or shape[1] != features:
            continue
        rank = _rank(layer)
        in_slot = _inside(layer, place.prefix + backbone.slot)
        if rank is None or (in_slot and shape[0] == backbone.classes and dim != shape[0]):
            continue
        ranked.append(((dim is not None and shape[0] != dim, rank), layer))
    return [layer for _, layer in sorted(ranked)]


def features_of(backbone: Backbone, place: Place) -> int:
    """Return how many features come out of the backbone."""
    name = backbone.last if place.keeps_slot else backbone.first
    return int(backbone.linear(name).in_features)


def siblings_of(layer: str) -> str | None:
    """Return the prefix of what lies beside a layer in one Sequential, or None (`head.1`)."""
    parent, _, number = layer.rpartition(".")
    return f"{parent}." if number.isdigit() and parent else None


def _rank(layer: str) -> int | None:
    parts = layer.lower().split(".")
    if any(part in LOSS_NAMES for part in parts):
        return None
    ranks = [EMBEDDING_NAMES.index(part) for part in parts if part in EMBEDDING_NAMES]
    return min(ranks, default=None)


def _shapes_of(backbone: Backbone) -> Shapes:
    return {
        key: tuple(value.shape)
        for key, value in backbone.network.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }


def _prefixes(body: Mapping[str, object], shapes: Iterable[str]) -> set[str]:
    """Return what stands before the backbone's last key, the longest and so the rarest name."""
    last = max(body, key=lambda key: (key.count("."), len(key)))
    found = {name.removesuffix(last) for name in shapes if name.endswith(last)}
    return {prefix for prefix in found if not prefix or prefix.endswith(".")}


def _left_over(prefix: str, backbone: Backbone, body: Shapes, shapes: Iterable[str]) -> int:
    """Count the keys inside the backbone's modules that it does not have.

    In a larger network of the same kind every key of a smaller one fits, and some are left over.
    """
    modules = tuple({f"{key.split('.', 1)[0]}." for key in body})
    known = backbone.network.state_dict().keys() | backbone.tables
    inside = (name.removeprefix(prefix) for name in shapes if name.startswith(prefix))
    return sum(key.startswith(modules) and key not in known for key in inside)


def _matches(prefix: str, expected: Shapes, shapes: Shapes) -> int:
    return sum(shapes.get(prefix + key) == shape for key, shape in expected.items())


def _inside(key: str, module: str) -> bool:
    return key == module or key.startswith(f"{module}.")
