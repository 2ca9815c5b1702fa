"""Family × format × precision: every checkpoint through every exporter (`make matrix`)."""

from __future__ import annotations
