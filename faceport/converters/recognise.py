"""Find the layout of a checkpoint from its keys and shapes."""

from __future__ import annotations

from typing import Any, get_args

from faceport.converters.conversion import ConvertOptions, Layout, Plan, PlanRequest, Shapes
from faceport.converters.differences import differences, expected_of, first_few, fit, overlap
from faceport.converters.layouts import ALL_LAYOUTS, archs, families
from faceport.converters.readers import READERS
from faceport.converters.state import NetworkState
from faceport.errors import InputError, UnknownArchitectureError
from faceport.spec import Pool

RECOGNISED = 0.8
"""From this part of keys with the right shape on, what differs is a mistake in a known family;
below, it is another network. Pruned relatives of MobileFaceNet share every name and few shapes."""

NEAR = 0.1
"""With a smaller overlap of names no family is worth naming."""

POOLS: tuple[str, ...] = get_args(Pool)

CHOICES = ("pool", "input_height", "input_width")
"""Options that only some layouts offer: the fields of `PlanRequest` that may be left open."""


def check_options(options: ConvertOptions) -> None:
    """Check the names of the options before anything is read or fetched.

    Raises:
        InputError: no layout has such a family, architecture or head.
    """
    _known("family", options.family, (*families(), *READERS))
    _known("pool", options.pool, POOLS)
    if options.family is not None and options.family in READERS:
        _check_choices(options.family, (), {} if options.pool is None else {"pool": options.pool})
        return
    if options.family is None and options.arch not in (None, *archs()):
        raise InputError(
            "no such architecture",
            received=options.arch,
            expected=f"one of {', '.join(archs())}",
            fix="with --family torchvision it may be any that torchvision lists",
        )
    _known("architecture", options.arch, archs())
    layouts = _candidates(options)
    if not layouts:
        raise InputError(
            "the architecture is not of that family",
            received=f"{options.arch} of {options.family}",
            expected=f"one of {', '.join(archs())}",
        )
    _known("head", options.head, tuple(dict.fromkeys(h for la in layouts for h in la.heads)))


def recognise(state: NetworkState, options: ConvertOptions) -> Plan:
    """Return what the layout that fits best makes of a checkpoint's shapes.

    Raises:
        InputError: the layout has no such head.
        UnknownArchitectureError: none fits, and none was asked for.
    """
    shapes = state.shapes
    forced = options.family is not None or options.arch is not None
    layouts = [
        layout
        for layout in _candidates(options)
        if forced or any(key.startswith(layout.marker) for key in shapes)
    ]
    scores = [fit(expected_of(_plan(layout, shapes, options.arch)), shapes) for layout in layouts]
    if not layouts or (max(scores) < RECOGNISED and not forced):
        raise _unknown(state)
    layout = layouts[scores.index(max(scores))]
    _known("head for this network", options.head, layout.heads)
    chosen = {name: value for name in CHOICES if (value := getattr(options, name)) is not None}
    _check_choices(layout.family, layout.choices, chosen)
    return _plan(layout, shapes, options.arch, options.head, **chosen)


def _plan(
    layout: Layout, shapes: Shapes, arch: str | None, head: str | None = None, **chosen: Any
) -> Plan:
    return layout.plan(PlanRequest(shapes, arch, head or layout.heads[0], **chosen))


def _check_choices(family: str, choices: tuple[str, ...], chosen: dict[str, Any]) -> None:
    for name, value in chosen.items():
        if name not in choices:
            raise InputError(
                f"--{name.replace('_', '-')} is not for checkpoints of this family",
                received=f"{value} for {family}",
                expected=f"one of {', '.join(f for f in families() if _offers(f, name))}",
                fix="leave it out: the weights decide",
            )


def _offers(family: str, name: str) -> bool:
    return any(name in la.choices for la in ALL_LAYOUTS if la.family == family)


def _candidates(options: ConvertOptions) -> list[Layout]:
    return [
        layout
        for layout in ALL_LAYOUTS
        if options.family in (None, layout.family)
        and (options.arch is None or options.arch in layout.archs)
    ]


def _known(what: str, value: str | None, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        raise InputError(f"no such {what}", received=value, expected=f"one of {', '.join(choices)}")


def _unknown(state: NetworkState) -> UnknownArchitectureError:
    shapes = state.shapes
    plans = [_plan(layout, shapes, None) for layout in ALL_LAYOUTS]
    plan = max(plans, key=lambda plan: overlap(expected_of(plan), shapes))
    expected = expected_of(plan)
    if overlap(expected, shapes) < NEAR:
        received = f"{len(shapes)} keys: {first_few(sorted(shapes))}"
        closest = "none is close"
    else:
        received = first_few(differences(expected, shapes, ()))
        closest = f"the closest is {plan.family} ({plan.arch})"
    return UnknownArchitectureError(
        f"{state.file}: no known family has its keys and shapes; {closest}",
        received=received,
        expected=f"a checkpoint of one of {', '.join((*families(), *READERS))}",
        fix="use --family or --arch only if you know that it is one of these",
    )
