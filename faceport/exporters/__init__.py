"""Exporters: one module a format, all behind the protocol in `base`.

Adding one: write a module with an `export` that is an `Exporter`, name it in `registry.EXPORTERS`,
and name the backend that runs its files in `faceport.runtime.sessions.FORMAT_BACKENDS`. The bundle,
the parity check and the manifest need no change.
"""

from __future__ import annotations

from faceport.exporters.base import Exportable, Exported, Exporter, ExportOptions
from faceport.exporters.bundle_export import export_bundle
from faceport.exporters.registry import EXPORTERS

__all__ = [
    "EXPORTERS",
    "ExportOptions",
    "Exportable",
    "Exported",
    "Exporter",
    "export_bundle",
]
