"""A bundle, printed: what it is, how it wants its pictures, what it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from faceport.bundle import Artefact, Bundle, Detail, Parity
from faceport.codec import encode
from faceport.commands.output import note, print_json, print_table, size_text, warn
from faceport.runtime.device import device_id
from faceport.runtime.device_file import DeviceFile
from faceport.spec import ModelSpec, PreprocessSpec

SHOWN_KEYS = 5
NO_LICENCE = "not known: ask whoever published the weights"


def print_artefacts(bundle: Bundle) -> None:
    """Print the artefacts: format, precision, size, opset, parity."""
    rows = [
        (
            artefact.file.path,
            artefact.format,
            artefact.precision,
            size_text(artefact.file.size_bytes),
            artefact.opset or "",
            _figures_text(artefact),
        )
        for artefact in bundle.manifest.artefacts
    ]
    title = f"{bundle.path}: {bundle.spec.family} {bundle.spec.arch}"
    columns = ("artefact", "format", "precision", "size", "opset", "parity")
    print_table(title, columns, rows)


def report_made(bundle: Bundle, *, as_json: bool) -> None:
    """Print a bundle that was just made, and on stderr what its user must know."""
    for message in (*bundle.spec.warnings, *_surprises(bundle)):
        warn(message)
    if as_json:
        print_json({"bundle": str(bundle.path), "manifest": encode(bundle.manifest)})
        return
    print_artefacts(bundle)
    note(f"licence of the weights: {bundle.spec.source.license or NO_LICENCE}")


def _surprises(bundle: Bundle) -> list[str]:
    """Return what came out otherwise than asked for."""
    keys = bundle.spec.dropped_keys
    more = f" and {len(keys) - SHOWN_KEYS} more" if len(keys) > SHOWN_KEYS else ""
    dropped = (
        [f"left out, used in training only: {', '.join(keys[:SHOWN_KEYS])}{more}"] if keys else []
    )
    opsets = [
        text for artefact in bundle.manifest.artefacts for text in artefact.notes if "opset" in text
    ]
    return [*dict.fromkeys([*bundle.manifest.notes, *dropped, *opsets])]


def print_bundle(bundle: Bundle) -> None:
    """Print all that a user asks of a bundle."""
    print_table(str(bundle.path), ("", ""), list(_facts(bundle)))
    print_artefacts(bundle)
    for artefact in bundle.manifest.artefacts:
        _print_notes(artefact)


def print_devices(files: Sequence[DeviceFile]) -> None:
    """Print what the bundle was tuned to, by device; nothing where it was not."""
    rows = [
        (
            f"{file.device}{' (this one)' if file.device == device_id() else ''}",
            f"{file.artefact} in {running_text(file)}",
            f"{file.p50_ms:.2f} ms for {file.measured_batch}",
            f"{file.cosine_loss:.1e} (limit {file.max_cosine_loss:g}) on {file.measured_on}",
        )
        for file in files
    ]
    if rows:
        print_table("tuned", ("device", "runs", "p50", "cosine loss"), rows)


def running_text(file: DeviceFile) -> str:
    """Return how a device file has its artefact run, in a few words."""
    options = file.options
    settings = [v for group in options.provider_options.values() for v in group.values()]
    parts = [f"{file.backend}/{','.join(options.providers)}{'@' if settings else ''}"]
    text = "".join([*parts, *settings, "+spinning" if options.spinning else ""])
    threads = "" if options.threads is None else f", {options.threads} threads"
    return f"{text}{threads}, batches up to {file.batch}"


def parity_text(figures: tuple[Parity, ...]) -> str:
    """Return parity as `batch 1: max |Δ| 1e-07, cosine 1.0000000`, one line a batch."""
    return "\n".join(
        f"batch {p.batch}: max |Δ| {p.max_abs_diff:.1e}, min cosine {p.min_cosine:.7f}"
        for p in figures
    )


def _figures_text(artefact: Artefact) -> str:
    if not artefact.parity:
        return "not run"
    means = [p.mean_cosine for p in artefact.faces if p.mean_cosine is not None]
    if not means:
        return parity_text(artefact.parity)
    lowest = min(p.min_cosine for p in artefact.faces)
    faces = f"real faces: min cosine {lowest:.7f}, mean {min(means):.7f}"
    return f"{faces}\n{parity_text(artefact.parity)}"


def detail_text(value: Detail) -> str:
    """Return a decision of the export in one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {number:.2g}" for name, number in value.items()) or "none"
    return (", ".join(value) or "none") if isinstance(value, tuple) else str(value)


def preprocess_text(spec: PreprocessSpec) -> str:
    """Return the preprocessing in one line."""
    size = f"{spec.height} high × {spec.width} wide"
    mean, std = (", ".join(f"{v:g}" for v in values) for values in (spec.mean, spec.std))
    parts = [size, spec.color_order, spec.layout, spec.dtype]
    parts.append(f"(pixel - [{mean}]) / [{std}]")
    parts.append(_geometry_text(spec))
    return "; ".join(parts)


def _geometry_text(spec: PreprocessSpec) -> str:
    if spec.geometry == "align":
        return f"aligned by 5 landmarks to {spec.alignment_template}, {spec.resample}"
    if spec.geometry == "crop":
        return f"box crop with {spec.box_padding:.0%} padding, {spec.resample}"
    size = f"any multiple of {spec.size_multiple}" if spec.dynamic_size else "fixed size"
    return f"letterbox ({spec.pad_anchor}, pad {spec.pad_value}, {size}), {spec.resample}"


def _facts(bundle: Bundle) -> list[tuple[str, object]]:
    spec, manifest = bundle.spec, bundle.manifest
    facts: list[tuple[str, object]] = [
        ("task", spec.task),
        ("model", f"{spec.family} {spec.arch}"),
        ("input", _tensors(spec, "inputs")),
        ("outputs", _tensors(spec, "outputs")),
        ("preprocessing", preprocess_text(spec.preprocess)),
    ]
    if spec.fused is not None:
        facts.append(("in the graph", preprocess_text(spec.fused)))
    if spec.embedding_dim is not None:
        length = "unit length" if spec.normalized else "not normalised in the graph"
        tokens = "" if spec.pool is None else f", from the tokens {spec.pool}"
        facts.append(("embedding", f"{spec.embedding_dim} numbers, {length}{tokens}"))
    if spec.detector is not None:
        facts.append(("decoder", _decoder_text(spec)))
    facts += [
        ("batch", "dynamic" if spec.max_batch is None else f"at most {spec.max_batch}"),
        ("fingerprint", manifest.fingerprint),
        ("source", f"{spec.source.file} (sha256 {spec.source.sha256[:16]}…)"),
        ("origin", spec.source.origin or "not known"),
        ("licence", spec.source.license or NO_LICENCE),
        ("made", f"{manifest.created} by faceport {manifest.faceport_version}"),
    ]
    if spec.dropped_keys:
        facts.append(("dropped", ", ".join(spec.dropped_keys)))
    facts += [("warning", text) for text in spec.warnings]
    facts += [("note", text) for text in manifest.notes]
    return facts


def _tensors(spec: ModelSpec, side: str) -> str:
    tensors = getattr(spec, side)
    return "\n".join(f"{t.name} {t.dtype} ({', '.join(map(str, t.shape))})" for t in tensors)


def _decoder_text(spec: ModelSpec) -> str:
    detector = spec.detector
    if detector is None:
        return ""
    marks = "5 landmarks" if detector.keypoints else "no landmarks"
    return (
        f"{detector.decoder}, {marks}, score ≥ {detector.score_threshold:g}, "
        f"NMS IoU {detector.nms_threshold:g}"
    )


def _print_notes(artefact: Artefact) -> None:
    tools = [f"{name} {version}" for name, version in sorted(artefact.tools.items())]
    lines = [("made with", ", ".join(tools))] if tools else []
    lines += [("note", text) for text in artefact.notes]
    lines += [(name, detail_text(value)) for name, value in artefact.details.items()]
    if lines:
        print_table(artefact.file.path, ("", ""), lines)
