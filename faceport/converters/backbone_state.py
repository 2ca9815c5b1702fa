"""A checkpoint's tensors under the names of a backbone with an embedding behind it."""

from __future__ import annotations

from collections.abc import Collection

from faceport.converters.backbone_keys import siblings_of
from faceport.converters.backbone_search import Found
from faceport.converters.state import NetworkState

UNUSED = "unused."
"""What the keys of classifiers begin with that the embedding takes the place of."""

AUXILIARY = ("AuxLogits.", "aux1.", "aux2.")
"""Classifiers of Inception and GoogLeNet that training alone uses."""


def renamed(
    found: Found, layer: str | None, known: Collection[str], state: NetworkState
) -> NetworkState:
    """Name the tensors as the planned network does; what has no part in it keeps a name apart.

    What lies beside the embedding in its Sequential is no training head, so it must not look like
    one: an activation or normalisation behind the Linear changes every embedding.

    Args:
        found: the backbone and its place.
        layer: name of the embedding in the file, or None.
        known: keys of the planned network.
        state: of the checkpoint.
    """
    tensors = {state.names[key]: tensor for key, tensor in state.tensors.items()}
    names: dict[str, str] = {}
    for name in tensors:
        new = _new_name(name, found, layer, known)
        if new is not None:
            names[new if new not in names else name] = name
    return NetworkState(
        state.file, {new: tensors[name] for new, name in names.items()}, names, state.warnings
    )


def _new_name(name: str, found: Found, layer: str | None, known: Collection[str]) -> str | None:
    prefix = found.place.prefix
    key = name.removeprefix(prefix) if name.startswith(prefix) else ""
    beside = None if layer is None else siblings_of(layer)
    if layer is not None and name in (f"{layer}.weight", f"{layer}.bias"):
        return f"embedding.{name.removeprefix(layer + '.')}"
    if f"backbone.{key}" in known:
        return f"backbone.{key}"
    if key in found.backbone.tables:
        return None
    if beside is not None and name.startswith(beside):
        return f"embedding.{name.removeprefix(beside)}"
    if key.startswith((f"{found.backbone.slot}.", *AUXILIARY)):
        return UNUSED + key
    root = prefix.removesuffix(".").rpartition(".")[0]
    return name.removeprefix(f"{root}.") if root else name
