"""torchvision's classification networks, built without memory and without their classifier.

torchvision is an extra: its builds fit one release of torch each, and PyPI's fit its CUDA builds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from faceport.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    import torch
    from torch import nn

EXTRA = "torchvision"
NOT_TRAINED_WITH: Mapping[str, Mapping[str, bool]] = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"aux_logits": False, "init_weights": False},
}
"""Networks with classifiers for training only; without them, and without a slow initialisation."""


@dataclass(frozen=True, eq=False)
class Backbone:
    """A network of torchvision's.

    Attributes:
        name: as torchvision lists it.
        network: on the meta device, with its own classifier.
        slot: the module that holds the classifier, by its name (`fc`, `classifier`, `heads`).
        last: the classifier's last Linear, by its dotted name (`fc`, `classifier.3`).
        tables: keys of integers that it computes by itself, and that checkpoints hold too.
    """

    name: str
    network: nn.Module
    slot: str
    last: str
    tables: frozenset[str]

    @property
    def classes(self) -> int:
        """Outputs of the classifier as torchvision builds it."""
        return int(self.linear(self.last).out_features)

    def linear(self, name: str) -> nn.Linear:
        """Return a Linear by its dotted name."""
        module: Any = self.network.get_submodule(name)
        return module  # type: ignore[no-any-return]

    @property
    def first(self) -> str:
        """The first Linear in the slot, by its dotted name."""
        from torch import nn

        slot = self.network.get_submodule(self.slot)
        names = [name for name, part in slot.named_modules() if isinstance(part, nn.Linear)]
        return f"{self.slot}.{names[0]}".rstrip(".")


def import_models() -> Any:
    """Import `torchvision.models`.

    Raises:
        MissingDependencyError: it is not installed, or does not fit the torch that is.
    """
    try:
        import torchvision.models
    except ModuleNotFoundError as error:
        raise MissingDependencyError(error.name or "torchvision", EXTRA) from error
    # A build for another torch fails while it registers its operators.
    except Exception as error:
        problem = (
            f"is installed but does not fit this torch ({type(error).__name__}: {error}): take "
            "both from one index, torch's own for CPU builds"
        )
        raise MissingDependencyError("torchvision", EXTRA, problem=problem) from error
    return torchvision.models


def listed(models: Any) -> tuple[str, ...]:
    """Return the names of the classification networks of the installed torchvision."""
    return tuple(models.list_models(module=models))


def build(models: Any, name: str, image_size: int | None = None) -> Backbone | None:
    """Build a network on the meta device; None if it does not end in a Linear.

    Args:
        models: `torchvision.models`.
        name: one of `listed`.
        image_size: side of the input in pixels, for transformers, which are made for one size.

    Raises:
        InputError: torchvision does not build it for that size.
    """
    from torch import nn

    options: dict[str, Any] = dict(NOT_TRAINED_WITH.get(name, {}))
    if name.startswith("vit_") and image_size is not None:
        options["image_size"] = image_size
    try:
        with _parameters_on_meta():
            network = models.get_model(name, weights=None, **options)
    except (ValueError, RuntimeError, TypeError) as error:
        raise InputError(
            f"torchvision does not build {name}: {error}",
            received=f"image size {image_size}",
            fix="check --arch, --input-height and --input-width",
        ) from error
    linears = [part for part, module in network.named_modules() if isinstance(module, nn.Linear)]
    children = [child for child, _ in network.named_children()]
    if not linears or linears[-1].split(".", 1)[0] != children[-1]:
        return None
    return Backbone(name, network, children[-1], linears[-1], _forgotten(network))


def _parameters_on_meta() -> Any:
    """Return a context in which weights take no memory, and tables that are computed are real.

    With the whole network on the meta device, RegNet's widths could not be computed.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    class ParametersOnMeta(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            options = dict(kwargs or {})
            if func is torch.empty:
                options["device"] = "meta"
            return func(*args, **options)

    return ParametersOnMeta()


def _forgotten(network: torch.nn.Module) -> frozenset[str]:
    """Take tables of integers out of the state: they are the architecture's, not the weights'."""
    tables = []
    for path, part in network.named_modules():
        for name, buffer in part.named_buffers(recurse=False):
            if not buffer.is_floating_point() and name != "num_batches_tracked":
                part.register_buffer(name, buffer, persistent=False)
                tables.append(f"{path}.{name}".lstrip("."))
    return frozenset(tables)
