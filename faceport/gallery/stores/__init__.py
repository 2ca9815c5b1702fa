"""Where a gallery's rows are kept."""
