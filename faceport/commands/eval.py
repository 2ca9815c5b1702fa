"""`faceport eval`: accuracy of a bundle's artefacts on lists of pairs or identities."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceport.codec import encode
from faceport.commands.options import BACKENDS, PRECISIONS, flip_option, json_option, words
from faceport.commands.output import note, print_json, print_table, warn
from faceport.commands.picked import picked
from faceport.commands.screen import screen

if TYPE_CHECKING:
    from faceport.benchmarks.accuracy.results import Evaluation
    from faceport.benchmarks.accuracy.settings import Settings
    from faceport.benchmarks.accuracy.tables import Table

PATH = click.Path(path_type=Path)
SHOWN_PROBLEMS = 10


@click.command("eval")
@click.argument("bundle", type=PATH)
@click.option("--detector", metavar="BUNDLE", help="Finds the faces; not needed for crops.")
@click.option(
    "--pairs",
    "pair_list",
    type=PATH,
    help="LFW's pairs.txt, an insightface .bin, or a CSV `a,b,same`.",
)
@click.option("--identities", type=PATH, help="Folder of NAME/*.jpg: 1:1 and 1:N figures.")
@click.option("--root", type=PATH, help="Folder of the pictures that a list names.")
@click.option("--output", type=PATH, required=True, help="Folder for results, report and plots.")
@click.option("--cache", type=PATH, help="Folder of crops  [default: OUTPUT/crops].")
@click.option("--aligned", is_flag=True, help="The pictures are crops of the model's size.")
@click.option(
    "--face",
    type=click.Choice(["central", "largest", "best"]),
    default="central",
    show_default=True,
    help="Which of several faces: large and near the middle, the largest box, the best score.",
)
@click.option("--precisions", callback=words, metavar="NAME[,NAME…]", help="Only these.")
@click.option(
    "--sessions",
    metavar="LABEL[,LABEL…]",
    help="Engines to run, as in `faceport bench`  [default: each artefact's first].",
)
@click.option("--threads", type=click.IntRange(1), help="Threads inside one operator.")
@click.option("--detector-backend", type=click.Choice(BACKENDS), help="Engine of the detector.")
@click.option("--detector-precision", type=click.Choice(PRECISIONS), help="[default: fp32]")
@click.option("--score-threshold", type=click.FloatRange(0, 1), help="Least score of a face.")
@click.option("--nms-threshold", type=click.FloatRange(0, 1), help="IoU that merges two boxes.")
@click.option("--min-size", type=click.FloatRange(0), help="Least size of a face, in pixels.")
@flip_option
@click.option(
    "--fuse",
    type=click.Choice(["mean", "norm"]),
    help="Compare templates, fused of several pictures, instead of pictures.",
)
@click.option(
    "--failures",
    type=click.Choice(["reject", "exclude"]),
    default="reject",
    show_default=True,
    help="Pairs with a picture without a face are rejected, or left out.",
)
@click.option(
    "--max-pairs",
    "pairs",
    type=click.IntRange(1),
    default=1_000_000,
    show_default=True,
    help="Of --identities: draw as many if there are more.",
)
@click.option(
    "--gallery",
    type=click.Choice(["one", "half"]),
    default="one",
    show_default=True,
    help="Of --identities: pictures of each person that are enrolled; the rest are searched for.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of all that is drawn.",
)
@click.option(
    "--timing-rounds",
    type=click.IntRange(0),
    default=40,
    show_default=True,
    help="Runs that an artefact's latency is the median of; 0 measures none.",
)
@click.option("--no-plots", is_flag=True, help="Draw no pictures; needs no matplotlib.")
@json_option
def command(bundle: Path, output: Path, as_json: bool, **choices: Any) -> int:
    """Measure the accuracy of every artefact of a bundle, on the same crops, next to its latency.

    Crops are kept in --cache: after Ctrl-C the same command goes on. Writes results.json, report.md
    and plots. Pictures without a face are counted and named. Exit code 1 if no artefact ran.

    \b
    Examples:
      faceport eval mbf.bundle --detector det.bundle --pairs pairs.txt --root lfw/ --output out/
      faceport eval mbf.bundle --pairs agedb_30.bin --output out/
      faceport eval mbf.bundle --detector det.bundle --identities people/ --flip --output out/
    """
    from faceport.benchmarks.accuracy.evaluate import evaluate
    from faceport.benchmarks.accuracy.figures import check_plots
    from faceport.benchmarks.accuracy.folders import made_folder
    from faceport.benchmarks.accuracy.report import write_report

    settings = _settings(bundle, choices)
    plots = not choices["no_plots"]
    if plots:
        check_plots()
    made_folder(output)
    with screen(as_json) as shown:
        cache = choices["cache"] or output / "crops"
        done = evaluate(settings, cache=cache, say=shown.say, progress=shown.pictures)
        shown.say("writing the report")
        write_report(done, output, plots=plots)
    if as_json:
        print_json(encode(done.evaluation))
    else:
        _show(done.evaluation, output)
    return int(not done.evaluation.reference)


def _settings(bundle: Path, choices: dict[str, Any]) -> Settings:
    from faceport.benchmarks.accuracy.settings import Settings

    listing = [one for one in (choices["pair_list"], choices["identities"]) if one is not None]
    if len(listing) != 1:
        raise click.UsageError("give one of --pairs FILE and --identities FOLDER")
    if choices["identities"] is not None and not choices["identities"].is_dir():
        raise click.UsageError(f"--identities {choices['identities']} is no folder")
    root = None if choices["root"] is None else str(choices["root"])
    named = {"bundle": str(bundle), "listing": str(listing[0]), "root": root}
    return picked(Settings, {**choices, **named})


def _show(evaluation: Evaluation, folder: Path) -> None:
    from faceport.benchmarks.accuracy.report import REPORT
    from faceport.benchmarks.accuracy.setting_texts import pairs_text
    from faceport.benchmarks.accuracy.tables import (
        cost_table,
        identification_table,
        not_run,
        summary_table,
        tar_table,
        unsupported,
    )

    model, listed = evaluation.model, evaluation.listed
    title = f"{model.bundle} on {listed.name}: {pairs_text(evaluation)}"
    _print(title, summary_table(evaluation))
    _print(f"against {evaluation.reference}", cost_table(evaluation))
    _print("true accept rate, with 95 % interval", tar_table(evaluation))
    _print("identification", identification_table(evaluation))
    for line in unsupported(evaluation):
        note(line)
    for line in not_run(evaluation):
        warn(f"not run: {line}")
    for problem in listed.problems[:SHOWN_PROBLEMS]:
        warn(f"{problem.picture}: {problem.reason}")
    if len(listed.problems) > SHOWN_PROBLEMS:
        warn(f"{len(listed.problems)} pictures have no crop; all are in results.json")
    note(f"{folder / REPORT} has everything")


def _print(title: str, table: Table) -> None:
    if table.rows:
        print_table(title, table.columns, table.rows)
