"""Which nodes a caller wants left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faceport.errors import InputError

if TYPE_CHECKING:
    from onnx import ModelProto


def kept_by_name(model: ModelProto, asked: tuple[str, ...]) -> frozenset[str]:
    """Return the names of the nodes that were asked for by name or by operator type.

    Raises:
        InputError: a word is neither in this graph.
    """
    names = {node.name for node in model.graph.node}
    types = {node.op_type for node in model.graph.node}
    for word in asked:
        if word not in names | types:
            raise InputError(
                "--keep-fp32 names no node and no operator type of this graph",
                received=word,
                expected=f"a node's name, or one of {', '.join(sorted(types))}",
            )
    return frozenset(n.name for n in model.graph.node if n.name in asked or n.op_type in asked)


def with_names(model: ModelProto) -> None:
    """Give every node a name of its own, in place: kept layers are told apart by it."""
    taken: set[str] = set()
    for node in model.graph.node:
        name = node.name or f"{node.op_type}_{node.output[0]}"
        while name in taken:
            name += "_"
        taken.add(name)
        node.name = name
