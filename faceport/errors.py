"""The tree of errors that faceport raises.

    FaceportError
    ├── InputError                  an argument or array of the wrong kind, shape or range
    ├── SpecError                   a spec is malformed or contradicts itself
    ├── MissingDependencyError      an extra is not installed
    ├── ImageDecodeError            a file is no readable picture, or too large a one
    ├── CheckpointError
    │   ├── CheckpointReadError     truncated, empty, not a checkpoint
    │   ├── UntrustedCheckpointError  a pickle that would have to run code
    │   ├── UnknownArchitectureError  no family has these keys
    │   ├── KeyMismatchError        the family is known, its keys or shapes differ
    │   └── DownloadError           a URL could not be fetched or has another hash
    ├── ExportError
    │   └── ParityError             an artefact does not compute what the checkpoint computes
    ├── BundleError                 a bundle is missing, malformed or not writable
    │   └── BundleIntegrityError    a file's hash or path is not what the manifest says
    ├── SessionError                a model did not load or run
    │   ├── ProviderUnavailableError  the provider asked for is not there
    │   └── ForeignEngineError      an engine belongs to another GPU or version of TensorRT
    ├── DatasetError                a data set of faces is damaged, or of other settings
    └── GalleryError
        ├── FingerprintMismatchError  vectors of another embedder
        └── GalleryUnreachableError   its server is not there; nothing was written
            └── GalleryInterruptedError   it was lost in the middle; nothing was written

Every error says what was received, what was expected, and what to do.
"""

from __future__ import annotations


class FaceportError(Exception):
    """Root of the tree.

    Args:
        subject: what went wrong, naming the file or argument.
        received: what was found.
        expected: what would have been right.
        fix: what to do about it.
    """

    def __init__(
        self,
        subject: str,
        *,
        received: object = None,
        expected: object = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(subject)
        self.subject = subject
        self.received = received
        self.expected = expected
        self.fix = fix

    def __str__(self) -> str:
        parts = [self.subject]
        if self.received is not None:
            parts.append(f"received {self.received}")
        if self.expected is not None:
            parts.append(f"expected {self.expected}")
        if self.fix is not None:
            parts.append(self.fix)
        return " ".join("; ".join(parts).split())


class InputError(FaceportError):
    """An argument or an array has the wrong kind, shape or range."""


class SpecError(FaceportError):
    """A spec is malformed or contradicts itself."""


class MissingDependencyError(FaceportError):
    """A package of an optional extra is not installed, or does not import: `problem` says why."""

    def __init__(self, package: str, extra: str, *, problem: str = "is not installed") -> None:
        super().__init__(
            f"{package} {problem}",
            fix=f"install it with: pip install 'faceport[{extra}]'",
        )
        self.package = package
        self.extra = extra


class ImageDecodeError(FaceportError):
    """A file is no readable picture, or has more pixels than the limit."""


class CheckpointError(FaceportError):
    """A checkpoint cannot be used."""


class CheckpointReadError(CheckpointError):
    """A checkpoint is truncated, empty or of another format."""


class UntrustedCheckpointError(CheckpointError):
    """A checkpoint is a pickle that would have to run code to be read."""


class UnknownArchitectureError(CheckpointError):
    """No known family has the checkpoint's keys."""


class KeyMismatchError(CheckpointError):
    """The family is known, but keys or shapes differ from its network's."""


class DownloadError(CheckpointError):
    """A URL could not be fetched, or what came has another hash."""


class ExportError(FaceportError):
    """An artefact could not be made."""


class ParityError(ExportError):
    """An artefact does not compute what its checkpoint computes."""


class BundleError(FaceportError):
    """A bundle is missing, malformed or not writable."""


class BundleIntegrityError(BundleError):
    """A file of a bundle is missing, changed, or outside the bundle."""


class SessionError(FaceportError):
    """A model did not load or did not run."""


class ProviderUnavailableError(SessionError):
    """The execution provider asked for is not there."""


class ForeignEngineError(SessionError):
    """An engine was built for another GPU or another version of TensorRT."""


class DatasetError(FaceportError):
    """A data set of faces is damaged, incomplete, of other settings, or could not be made."""


class GalleryError(FaceportError):
    """A gallery is damaged, locked, or asked for something it does not hold."""


class FingerprintMismatchError(GalleryError):
    """Embeddings of one embedder met a gallery of another."""


class GalleryUnreachableError(GalleryError):
    """A gallery's server is not there; what it was asked to write was not written."""


class GalleryInterruptedError(GalleryUnreachableError):
    """A gallery's server was lost in the middle; nothing was written, so it may be asked again."""
