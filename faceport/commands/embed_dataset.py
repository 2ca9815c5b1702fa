"""`faceport embed-dataset`: millions of pictures to a Parquet data set of faces."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceport.commands.models import LIMITS, picked_session_options, warn_of_stubs
from faceport.commands.options import (
    detection_options,
    detector_option,
    embedder_option,
    flip_option,
    json_option,
    reduced_option,
    session_options,
)
from faceport.commands.output import note, print_json, print_table
from faceport.commands.screen import Screen, screen
from faceport.runtime.device import usable_cores
from faceport.runtime.stub import STUB

if TYPE_CHECKING:
    from faceport.datasets.rows import Counted
    from faceport.datasets.run import EngineName, Run

NAMES = ("backend", "precision", "detector_backend", "detector_precision", "max_pixels")


@click.command("embed-dataset")
@click.argument("sources", nargs=-1, required=True, metavar="SRC…")
@detector_option
@embedder_option
@click.option(
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the data set. A run that was interrupted goes on where it ended.",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Processes on this machine, or actors of Ray (extra `ray`).",
)
@click.option(
    "--ray-address",
    metavar="ADDRESS",
    help="Running Ray cluster: `auto` or HOST:PORT. All its machines must see SRC, the bundles and "
    "--output under the same paths. Its token is RAY_AUTH_TOKEN, with RAY_AUTH_MODE=token  "
    "[default: start a Ray here, for this run].",
)
@click.option(
    "--shard-size",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Pictures a shard; a shard is one file, and what an interrupted worker loses.",
)
@click.option(
    "--workers", type=click.IntRange(1), help="One core each  [default: as many as cores here]."
)
@flip_option
@reduced_option
@detection_options
@session_options
@json_option
def command(
    *,
    sources: tuple[str, ...],
    output: Path,
    engine: EngineName,
    ray_address: str | None,
    shard_size: int,
    workers: int | None,
    flip: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Detect, align and embed the faces of many pictures into a Parquet data set.

    SRC is a folder (at any depth), a list of paths (.txt), a WebDataset .tar, a .parquet with a
    column of bytes, or a pattern of these. A picture that can't be read is a row with its error,
    and one without faces a row without a box; neither changes the exit code.

    \b
    Examples:
      faceport embed-dataset --detector det.bundle --embedder mbf.bundle archive/ --output faces/
      faceport embed-dataset --detector det.bundle --embedder mbf.bundle 'shards/*.tar' \\
        --output faces/ --engine ray --workers 16
    """
    from faceport.datasets.run import embed_shards, prepared

    if ray_address is not None and engine != "ray":
        raise click.UsageError("--ray-address is for --engine ray")
    count = workers or usable_cores()
    models = _models(choices)
    with screen(as_json) as shown:
        shown.say("listing pictures")
        with prepared(sources, output, models, flip=flip, shard_size=shard_size) as run:
            warn_of_stubs(is_stub=run.info.is_stub, detector=choices["detector"])
            shown.say("embedding")
            with closing(embed_shards(run, engine, count, ray_address=ray_address)) as shards:
                counted = _followed(shards, run, output, shown)
    _report(output, run, counted, as_json)


def _models(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of `Pipeline.load` that mean the same in every process."""
    paths = {
        name: choices[name] if choices[name] == STUB else str(Path(choices[name]).absolute())
        for name in ("detector", "embedder")
    }
    return {
        **paths,
        **{name: choices[name] for name in (*NAMES, *LIMITS, "reduced_decoding")},
        "options": picked_session_options(choices),
    }


def _followed(shards: Any, run: Run, output: Path, shown: Screen) -> Counted:
    """Count what comes, and tell how far it is; say on an interruption what is kept."""
    from faceport.datasets.info import missing_shards
    from faceport.datasets.rows import Counted

    pictures = faces = empty = failed = 0
    # The last shard may be smaller, by which the total can be off until it is done.
    total = min(len(run.missing) * run.info.shard_size, run.info.pictures)
    try:
        for one in shards:
            pictures, faces = pictures + one.counted.pictures, faces + one.counted.faces
            empty, failed = empty + one.counted.empty, failed + one.counted.failed
            shown.pictures(pictures, total)
    except (KeyboardInterrupt, SystemExit):
        there = run.info.shards - len(missing_shards(output, run.info))
        note(
            f"{there} of {run.info.shards} shards are in {output}; "
            "the same command goes on from there"
        )
        raise
    return Counted(pictures, faces, empty, failed)


def _report(output: Path, run: Run, counted: Counted, as_json: bool) -> None:
    from faceport.codec import encode

    info = run.info
    already = info.shards - len(run.missing)
    if as_json:
        print_json(
            {
                "output": str(output),
                "fingerprint": info.fingerprint,
                "dim": info.dim,
                "is_stub": info.is_stub,
                "shards": info.shards,
                "already_there": already,
                **encode(counted),
            }
        )
        return
    columns = ("shards", "already there", "pictures", "faces", "without a face", "failed")
    row = (
        info.shards,
        already,
        counted.pictures,
        counted.faces,
        counted.empty,
        counted.failed,
    )
    print_table(str(output), columns, [row])
