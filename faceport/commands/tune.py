"""`faceport tune`: the fastest way to run a bundle on this device that keeps the accuracy."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceport.codec import encode
from faceport.commands.options import json_option
from faceport.commands.output import Step, note, print_json, print_table, steps, warn

if TYPE_CHECKING:
    from faceport.benchmarks.tuning.results import Goal, Tuned
    from faceport.benchmarks.tuning.single import Asked
    from faceport.bundle import Bundle

PATH = click.Path(path_type=Path)


def numbers(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[int, ...] | None:
    """Read whole numbers of 1 or more, separated by commas."""
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    short = all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts)
    if not short or not all(map(int, parts)):
        raise click.BadParameter(f"{value!r} is not a list of whole numbers, like 1,2", ctx, param)
    return tuple(sorted({int(part) for part in parts}))


@click.command("tune")
@click.argument("bundle", type=PATH)
@click.option("--detector", type=PATH, help="Detector bundle that runs beside it: tunes both.")
@click.option("--embedder", type=PATH, help="For a detector: the embedder that judges its faces.")
@click.option(
    "--photo",
    "photos",
    type=PATH,
    multiple=True,
    help="Photograph with faces, or a folder of them; repeatable  [default: the bundle's proof].",
)
@click.option(
    "--max-cosine-loss",
    type=float,
    default=0.001,
    show_default=True,
    help="Most that 1 - cosine of an embedding with the fp32 one may be.",
)
@click.option(
    "--objective",
    type=click.Choice(("latency", "throughput")),
    default="latency",
    show_default=True,
    help="One picture alone, or the time a picture takes in the best batch.",
)
@click.option(
    "--sessions",
    default="all",
    show_default=True,
    metavar="LABEL[,LABEL…]",
    help="Engines to try, as `faceport bench` names them.",
)
@click.option(
    "--threads", callback=numbers, metavar="N[,N…]", help="To try  [default: 1 and all cores]."
)
@click.option(
    "--batch",
    callback=numbers,
    metavar="N[,N…]",
    help="Pictures a run to try  [default: 1,8; with a detector 1 and a photo's faces].",
)
@click.option("--output", type=PATH, help="Folder that keeps the measurements: resumable.")
@json_option
def command(bundle: Path, as_json: bool, **choices: Any) -> None:
    """Find the fastest artefact, session, threads and batch, and make it this device's default.

    Candidates run in fresh processes, in rounds that take them in turn: a quick one for all, more
    for the best few. What is chosen is written into BUNDLE/devices/, and `Pipeline.load` and all
    commands use it on this device unless told otherwise. With --detector and --photo both bundles
    are tuned for one process. The loss is measured on the photographs' faces, or on the drawn
    pictures of the bundle's proof.

    \b
    Examples:
      faceport tune mbf.bundle
      faceport tune mbf.bundle --detector det.bundle --photo photos/ --max-cosine-loss 0.001
      faceport tune det.bundle --embedder mbf.bundle --photo group.jpg
    """
    from faceport.benchmarks.tuning.results import Goal
    from faceport.bundle import Bundle
    from faceport.runtime.device_file import check_writable, write_device_file

    goal = Goal(choices["max_cosine_loss"], choices["objective"])
    others = [name for name in ("detector", "embedder") if choices[name]]
    bundles = {name: Bundle.open(choices[name]) for name in others}
    bundles["tuned"] = Bundle.open(bundle)
    asked = _asked(choices)
    _check_roles(bundles, asked)
    for name in ("tuned", "detector"):
        if name in bundles:
            check_writable(bundles[name])
    _warn_if_busy()
    with steps(quiet=as_json) as step, _folder(choices["output"]) as folder:
        done = _tune(bundles, asked, goal, folder, step)
    paths = {
        tuning.bundle: write_device_file(Bundle.open(tuning.bundle), tuning.file)
        for tuning in done.models
        if tuning.file is not None
    }
    if as_json:
        print_json({**encode(done), "written": [str(path) for path in paths.values()]})
        return
    _show(done)
    for path in paths.values():
        note(f"written: {path}; `Pipeline.load` uses it on this device")


def _warn_if_busy() -> None:
    """Say it if others have the cores: threads that wait for each other suffer most, and lose."""
    from faceport.benchmarks.latency.document import BUSY
    from faceport.runtime.device import usable_cores

    load, cores = os.getloadavg()[0], usable_cores()
    if load > BUSY * cores:
        warn(
            f"the machine is busy (load {load:.1f} on {cores} cores): what is fastest now may not "
            "be on an idle one; tune again then"
        )


def _asked(choices: dict[str, Any]) -> Asked:
    from faceport.benchmarks.latency.sessions import pick_sessions
    from faceport.benchmarks.tuning.single import Asked
    from faceport.commands.photos import expand
    from faceport.runtime.device import usable_cores

    return Asked(
        pick_sessions(choices["sessions"]),
        choices["threads"] or tuple(sorted({1, usable_cores()})),
        choices["batch"],
        tuple(expand(choices["photos"])),
    )


def _check_roles(bundles: dict[str, Bundle], asked: Asked) -> None:
    """Refuse what does not go together, before anything is measured."""
    from faceport.errors import InputError

    tasks = {name: bundle.spec.task for name, bundle in bundles.items()}
    other = "embedder" if tasks["tuned"] == "detector" else "detector"
    for name, task in tasks.items():
        if name not in ("tuned", other) or (name == other and task != other):
            raise InputError(
                f"--{name} does not go with a bundle of task {tasks['tuned']}",
                received=f"{bundles[name].path}, task {task}",
                expected=f"--{other} and a bundle of task {other}",
            )
    if (other in bundles) != bool(asked.photos):
        raise InputError(
            f"--{other} and --photo go together",
            fix="give both, or neither to measure the loss on the bundle's proof",
        )


def _tune(bundles: dict[str, Bundle], asked: Asked, goal: Goal, folder: Path, step: Step) -> Tuned:
    from faceport.benchmarks.tuning.pair import tune_pair
    from faceport.benchmarks.tuning.single import tune_by_proof, tune_detector

    tuned = bundles["tuned"]
    if "detector" in bundles:
        return tune_pair(tuned, bundles["detector"], asked, goal, folder, step)
    if "embedder" in bundles:
        return tune_detector(tuned, bundles["embedder"], asked, goal, folder, step)
    return tune_by_proof(tuned, asked, goal, folder, step)


@contextmanager
def _folder(output: Path | None) -> Iterator[Path]:
    """Give a folder for measurements: one that stays, or one that goes."""
    from faceport.benchmarks.latency.kept import make_folder

    if output is not None:
        make_folder(output)
        yield output
        return
    with tempfile.TemporaryDirectory(prefix="faceport-tune-") as name:
        yield Path(name)


def _show(done: Tuned) -> None:
    from faceport.benchmarks.tuning.rows import (
        ABSENT_HEADER,
        HEADER,
        PAIR_HEADER,
        absent_rows,
        candidate_rows,
        pair_rows,
    )

    for tuning in done.models:
        title = f"{tuning.bundle}: {tuning.task}, loss on {tuning.measured_on}"
        print_table(title, HEADER, candidate_rows(tuning))
        if rows := absent_rows(tuning):
            print_table("not tried", ABSENT_HEADER, rows)
        if "proof" in tuning.measured_on and tuning.chosen.setup.precision != "fp32":
            warn(
                f"{tuning.bundle}: the loss was measured on drawn pictures; "
                "give --photo with the other model to measure it on faces"
            )
    if rows := pair_rows(done):
        print_table("both in one process, a decoded picture", PAIR_HEADER, rows)
