"""The networks: torch only, no I/O; module names equal the keys of the published checkpoints.

Each is written for export (no control flow on data, sizes from the batch axis only). A network
gives its raw features, or a tuple that starts with them; `outputs` turns these into the outputs
that a spec names.
"""
