"""Side-by-side measurements: ours and a plain alternative, in one run on one machine."""
