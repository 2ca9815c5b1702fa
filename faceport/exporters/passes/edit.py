"""The few edits of an ONNX graph that passes are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Values = NDArray[np.generic]


def copied(model: ModelProto) -> ModelProto:
    """Return a copy of a model."""
    copy = type(model)()
    copy.CopyFrom(model)
    return copy


def constants(model: ModelProto) -> dict[str, Values]:
    """Return the graph's initializers by name."""
    from onnx import numpy_helper

    return {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}


def attributes(node: NodeProto) -> dict[str, Any]:
    """Return a node's attributes by name."""
    from onnx import helper

    return {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}


def replace_nodes(
    model: ModelProto, replacement: Callable[[NodeProto], Iterable[NodeProto] | None]
) -> int:
    """Put other nodes in the place of some, in place; returns how many were replaced.

    The order stays topological if the new nodes' own order is.

    Args:
        model: its top graph is changed.
        replacement: the nodes to put there, or None to keep the node.
    """
    nodes: list[NodeProto] = []
    count = 0
    for node in model.graph.node:
        found = replacement(node)
        count += found is not None
        nodes.extend([node] if found is None else found)
    kept = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return count


def add_constant(model: ModelProto, name: str, values: Values) -> str:
    """Add an initializer under a name that is not taken, and return that name."""
    from onnx import numpy_helper

    taken = {entry.name for entry in model.graph.initializer}
    while name in taken:
        name += "_"
    model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
    return name


def rebuilt(
    model: ModelProto, nodes: Sequence[NodeProto], added: Mapping[str, Values]
) -> ModelProto:
    """Return a copy of a graph with other nodes and further constants, and without shapes inside.

    Constants that no node reads any more are left out.
    """
    from onnx import numpy_helper

    new = copied(model)
    del new.graph.node[:]
    new.graph.node.extend(nodes)
    new.graph.initializer.extend(
        numpy_helper.from_array(values, name) for name, values in added.items()
    )
    del new.graph.value_info[:]
    drop_unused_constants(new)
    return new


def drop_unused_constants(model: ModelProto) -> None:
    """Remove the initializers that no node reads, in place."""
    used = {name for node in model.graph.node for name in node.input}
    kept = [e for e in model.graph.initializer if e.name in used]
    kept = [type(entry).FromString(entry.SerializeToString()) for entry in kept]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def rename_inputs(model: ModelProto, new_names: dict[str, str]) -> None:
    """Let nodes read other values, in place. A chain of renames is followed to its end."""
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            latest = name
            while latest in new_names:
                latest = new_names[latest]
            node.input[index] = latest
