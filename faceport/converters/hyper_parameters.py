"""What a training run wrote down beside the weights: name of the backbone, size, dimension."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PLACES = ("hyper_parameters", "hparams", "config", "cfg", "args", "params")
"""Where a checkpoint keeps them: Lightning's place first."""

ARCH = ("backbone", "backbone_name", "model_name", "arch", "architecture", "encoder", "model")
SIZE = ("image_size", "img_size", "input_size", "image_shape", "input_shape")
DIM = ("embedding_dim", "embedding_size", "emb_dim", "embed_dim", "emb_size")
DEPTH = 3


@dataclass(frozen=True)
class HyperParameters:
    """What was found; None where nothing was.

    Attributes:
        archs: names that may be an architecture's, in lower case, the likeliest first.
        height, width: of the input, pixels.
        dim: length of the embedding.
    """

    archs: tuple[str, ...] = ()
    height: int | None = None
    width: int | None = None
    dim: int | None = None


def hyper_parameters(raw: object) -> HyperParameters:
    """Read the hyper-parameters of what a checkpoint file holds; unknown forms are passed over."""
    levels = list(_levels(raw))
    archs = [
        value.lower().replace("-", "_") for value in _values(levels, ARCH) if isinstance(value, str)
    ]
    sizes = [size for value in _values(levels, SIZE) if (size := _size(value)) is not None]
    dims = [value for value in _values(levels, DIM) if _is_count(value)]
    height, width = sizes[0] if sizes else (None, None)
    return HyperParameters(tuple(archs), height, width, dims[0] if dims else None)


def _levels(raw: object) -> Iterator[Mapping[Any, Any]]:
    """Yield the dictionaries that may hold them, the outermost first."""
    held = raw if isinstance(raw, Mapping) else {}
    level = [found for place in PLACES if (found := _as_mapping(held.get(place)))]
    for _ in range(DEPTH):
        yield from level
        level = [
            inner for outer in level for value in outer.values() if (inner := _as_mapping(value))
        ]


def _as_mapping(value: object) -> Mapping[Any, Any]:
    if isinstance(value, Mapping):
        return value
    # argparse.Namespace and its like, from a file that is trusted.
    return vars(value) if type(value).__name__.endswith("Namespace") else {}


def _values(levels: list[Mapping[Any, Any]], names: tuple[str, ...]) -> list[Any]:
    return [level[name] for level in levels for name in names if name in level]


def _size(value: object) -> tuple[int, int] | None:
    """Return height and width of a side, a pair (height, width), or (channels, height, width)."""
    if _is_count(value):
        return value, value  # type: ignore[return-value]
    if not isinstance(value, list | tuple) or not all(_is_count(side) for side in value):
        return None
    sides = value[1:] if len(value) == 3 and value[0] == 3 else value
    return (sides[0], sides[1]) if len(sides) == 2 else None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
