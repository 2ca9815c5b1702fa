"""`faceport bench`: latency of a bundle's artefacts in every session that is here."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceport.codec import encode
from faceport.commands.options import json_option
from faceport.commands.output import note, print_json, print_table, steps, warn
from faceport.commands.picked import picked

if TYPE_CHECKING:
    from faceport.benchmarks.latency.compare import Comparison
    from faceport.benchmarks.latency.document import Results

PATH = click.Path(path_type=Path)


def counts(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[int | None, ...] | None:
    """Read whole numbers of 1 or more, separated by commas; `engine` (threads alone) is None."""
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    numbers = [None if part == "engine" else _count(part) for part in parts]
    if 0 in numbers or (None in numbers and param.name != "threads"):
        raise click.BadParameter(
            f"{value!r} is not a list of whole numbers of 1 or more, like 1,8", ctx, param
        )
    return tuple(dict.fromkeys(numbers))


def finite(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """Refuse `nan` and `inf`, which a range lets pass: nothing is above them."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is no ratio", ctx, param)
    return value


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


@click.command("bench")
@click.argument("bundle", type=PATH, required=False)
@click.option("--detector", type=PATH, help="Detector bundle: finds the faces of --photo.")
@click.option(
    "--photo",
    type=PATH,
    help="Feed its real faces, and measure the pipeline by stage  [default: the bundle's proof].",
)
@click.option(
    "--sessions",
    default="all",
    show_default=True,
    metavar="LABEL[,LABEL…]",
    help="Engines to run: onnxruntime, openvino/cpu@bf16, onnxruntime/cpu+spinning, …",
)
@click.option(
    "--batch",
    callback=counts,
    default="1",
    show_default=True,
    metavar="N[,N…]",
    help="Pictures a run.",
)
@click.option(
    "--threads",
    callback=counts,
    metavar="N[,N…]",
    help="CPU threads inside one operator, or `engine` for its own choice  [default: all cores].",
)
@click.option("--rounds", type=click.IntRange(1), help="Fresh processes a case  [default: 3].")
@click.option("--runs", type=click.IntRange(1), help="Least timed runs a process  [default: 40].")
@click.option("--seconds", type=click.FloatRange(0), help="Least timed seconds  [default: 1].")
@click.option(
    "--longest",
    type=click.FloatRange(0),
    help="Seconds after which a slow case need not reach --runs  [default: 20].",
)
@click.option(
    "--timeout", type=click.FloatRange(0), help="Seconds a process may take  [default: 300]."
)
@click.option("--seed", type=int, help="Of the order of the cases  [default: 0].")
@click.option("--output", type=PATH, help="Folder for results, report and plots.")
@click.option("--no-resume", is_flag=True, help="Measure again what is finished in --output.")
@click.option(
    "--compare",
    nargs=2,
    type=PATH,
    metavar="A B",
    help="Compare two results.json; measures nothing.",
)
@click.option(
    "--fail-over",
    type=click.FloatRange(0, min_open=True),
    callback=finite,
    metavar="RATIO",
    help="With --compare: exit code 1 if a case's p50 in B is more than this times that in A.",
)
@json_option
def command(bundle: Path | None, as_json: bool, **choices: Any) -> int:
    """Measure a bundle's artefacts in every session, provider, batch and thread count.

    Each case runs in fresh processes of its own, in rounds of shuffled order. What is not
    installed or fails is a row with the reason. Finished rounds are in --output at once: after
    Ctrl-C the same command does what is missing. Writes results.json, report.md and plots; exit
    code 1 if no case could be measured.

    \b
    Examples:
      faceport bench mbf.bundle --output out/
      faceport bench mbf.bundle --detector det.bundle --photo group.jpg --batch 1,8 --output out/
      faceport bench mbf.bundle --sessions onnxruntime,openvino/cpu@bf16 --threads 1,2 --output out/
      faceport bench --compare before/results.json out/results.json --fail-over 1.1
    """
    if choices["compare"] is not None:
        first, second = choices["compare"]
        return _compare(bundle, first, second, choices["fail_over"], as_json)
    if bundle is None or choices["output"] is None:
        raise click.UsageError("give a BUNDLE and --output, or --compare A B")
    if choices["fail_over"] is not None:
        raise click.UsageError("--fail-over goes with --compare")
    results = _measure(bundle, choices, as_json)
    if as_json:
        print_json(encode(results))
    else:
        _show(results, choices["output"])
    return int(not any(result.timing for result in results.cases))


def _measure(bundle: Path, choices: dict[str, Any], quiet: bool) -> Results:
    from faceport.benchmarks.latency.bench import Asked, run_bench
    from faceport.benchmarks.latency.results import Settings
    from faceport.benchmarks.latency.sessions import pick_sessions
    from faceport.benchmarks.machine.environment import describe_machine

    settings = picked(Settings, _patient(choices))
    threads = choices["threads"] or (describe_machine().cores,)
    sessions = pick_sessions(choices["sessions"])
    asked = Asked(sessions, choices["batch"], threads, choices["detector"], choices["photo"])
    resume = not choices["no_resume"]
    with steps(quiet) as say:
        return run_bench(bundle, asked, settings, choices["output"], resume=resume, say=say)


def _patient(choices: dict[str, Any]) -> dict[str, Any]:
    """Let the limits that are not given follow those that are."""
    longest, timeout, seconds = choices["longest"], choices["timeout"], choices["seconds"] or 0.0
    if longest is None and seconds > 10:
        longest = 2 * seconds
    if timeout is None and (longest or 0.0) > 100:
        timeout = 3 * longest
    return {**choices, "longest": longest, "timeout": timeout}


def _show(results: Results, folder: Path) -> None:
    from faceport.benchmarks.latency.document import RESULTS, busy_text
    from faceport.benchmarks.latency.report import REPORT
    from faceport.benchmarks.latency.rows import SHORT_HEADER, problem_rows, short_rows, stage_table

    print_table(
        f"{results.subject.name}, fed {results.subject.fed}", SHORT_HEADER, short_rows(results)
    )
    if busy := busy_text(results):
        warn(busy)
    if problems := problem_rows(results):
        print_table("not measured", ("session", "artefact", "why not"), problems)
    header, rows = stage_table(results.stages)
    if rows:
        print_table("stages of the pipeline", header, rows)
    note(f"{folder / RESULTS}, {folder / REPORT} and plots are written")


def _compare(
    bundle: Path | None, first: Path, second: Path, limit: float | None, as_json: bool
) -> int:
    from faceport.benchmarks.latency.compare import compare_results
    from faceport.benchmarks.latency.document import read_results
    from faceport.errors import InputError

    if bundle is not None:
        raise click.UsageError("--compare takes no BUNDLE: it measures nothing")
    found = compare_results(read_results(first), read_results(second))
    if not found.ratios and not found.failed:
        raise InputError(
            f"{first} and {second} have no case in common",
            fix="measure the same bundle and sessions",
        )
    slower = found.slower(limit) if limit is not None else ()
    bad = limit is not None and bool(slower or found.failed)
    if as_json:
        print_json(
            {**encode(found), "fail_over": limit, "slower": encode(slower), "failed_gate": bad}
        )
    else:
        _show_comparison(found, limit)
    return int(bad)


def _show_comparison(found: Comparison, limit: float | None) -> None:
    for text in found.warnings:
        warn(text)
    rows = [
        (
            *(r.case, f"{r.before_ms:.3f}", f"{r.after_ms:.3f}", f"{r.ratio:.3f}"),
            *(f"{r.noise:.2f}", "SLOWER" if limit is not None and r.ratio > limit else ""),
        )
        for r in found.ratios
    ]
    header = ("case", "A: p50 ms", "B: p50 ms", "B / A", "noise", "")
    print_table("B against A; below 1 is faster", header, rows)
    for text in found.notes:
        note(f"differs: {text}")
    for case in found.only_before:
        note(f"only in A: {case}")
    for case in found.only_after:
        note(f"only in B: {case}")
    for case, problem in found.failed:
        warn(f"measured in A, fails in B: {case}: {problem}")
    if limit is not None:
        for ratio in found.slower(limit):
            warn(f"above {limit:g}: {ratio.case}: {ratio.ratio:.3f}")
