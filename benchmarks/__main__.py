"""`python -m benchmarks [NAME…]`: run the named measurements, or all that take minutes."""

from __future__ import annotations

import sys
from importlib import import_module

from benchmarks.machine import describe_machine

MEASUREMENTS = (
    "opening",
    "editing",
    "shipped_models",
    "training",
    "inference",
    "network_peak",
    "cold_start",
    "responsiveness",
)
LONG = ("annotation", "finetuning_methods")  # half an hour each: only when named


def main() -> int:
    """Print what the machine is, then each measurement; return 2 for a name that is none."""
    names = sys.argv[1:] or list(MEASUREMENTS)
    known = (*MEASUREMENTS, *LONG)
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"There is no measurement {unknown[0]!r}. Choose from {', '.join(known)}.", file=sys.stderr)
        return 2
    print(describe_machine())
    for name in names:
        import_module(f"benchmarks.{name}").run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
