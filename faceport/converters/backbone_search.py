"""Which of torchvision's networks a checkpoint holds: by name, or by trying them all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from faceport.converters.backbone_keys import Place, place_of
from faceport.converters.conversion import ConvertOptions, Shapes
from faceport.converters.differences import first_few
from faceport.converters.hyper_parameters import HyperParameters
from faceport.converters.state import NetworkState
from faceport.converters.torchvision_package import Backbone, build, listed
from faceport.errors import InputError, UnknownArchitectureError


@dataclass(frozen=True, eq=False)
class Case:
    """A checkpoint, what its training wrote down, and what the caller wants.

    Attributes:
        state: its tensors.
        shapes: theirs, by the names in the file.
        hints: its hyper-parameters.
        options: the caller's.
    """

    state: NetworkState
    shapes: Shapes
    hints: HyperParameters
    options: ConvertOptions


@dataclass(frozen=True, eq=False)
class Found:
    """A backbone and where it lies in the checkpoint."""

    backbone: Backbone
    place: Place


def find_backbone(models: Any, case: Case) -> Found:
    """Find the backbone: the one asked for, the one that training wrote down, or by trying all.

    Trying all of them takes some seconds: they are built without memory.

    Raises:
        InputError: the one asked for does not exist, or ends in no Linear.
        UnknownArchitectureError: none fits.
    """
    known = listed(models)
    if case.options.arch is not None:
        return _asked_for(models, case.options.arch, case)
    hinted = [name for name in case.hints.archs if name in known]
    best: Found | None = None
    for found in _tried(models, (*hinted, *known), case):
        if found.place.score == 1:
            return found
        if best is None or found.place.score > best.place.score:
            best = found
    close = "none is close" if best is None else f"the closest is {best.backbone.name}"
    raise UnknownArchitectureError(
        f"{case.state.file} holds no whole backbone of the installed torchvision; {close}",
        received=f"{len(case.shapes)} keys: {first_few(sorted(case.shapes))}",
        expected="the keys of one of torchvision's classification networks, under any prefix",
        fix="name it with --arch to see which keys differ; a backbone rebuilt as a Sequential has "
        "lost its names",
    )


def trained_side(name: str, case: Case) -> int | None:
    """Return the input's side that a vision transformer is made for, by its position embedding."""
    if not name.startswith("vit_"):
        return None
    patch = int(name.rsplit("_", 1)[1])
    for key, shape in case.shapes.items():
        if key.endswith("encoder.pos_embedding") and len(shape) == 3:
            cells = round((shape[1] - 1) ** 0.5)
            return patch * cells if cells**2 == shape[1] - 1 else None
    return None


def _tried(models: Any, names: tuple[str, ...], case: Case) -> Iterator[Found]:
    for name in dict.fromkeys(names):
        backbone = build(models, name, trained_side(name, case))
        place = None if backbone is None else place_of(backbone, case.shapes)
        if backbone is not None and place is not None:
            yield Found(backbone, place)


def _asked_for(models: Any, arch: str, case: Case) -> Found:
    if arch not in listed(models):
        raise InputError(
            "the installed torchvision has no such network",
            received=arch,
            expected=f"one of {', '.join(listed(models))}",
        )
    backbone = build(models, arch, trained_side(arch, case))
    if backbone is None:
        raise InputError(
            "the architecture does not end in a Linear layer that an embedding could replace",
            received=arch,
        )
    place = place_of(backbone, case.shapes)
    if place is None:
        raise UnknownArchitectureError(
            f"{case.state.file} holds no keys of {arch}",
            received=f"{len(case.shapes)} keys: {first_few(sorted(case.shapes))}",
            expected="torchvision's names of them, under any prefix",
            fix="leave --arch out to have all of torchvision's networks tried",
        )
    return Found(backbone, place)
