"""The commands `stoma` and `stoma-run`; one file for each group."""
