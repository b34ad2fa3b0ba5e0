"""`python -m napari_brainseg` is `brainseg`."""

import sys

from napari_brainseg.cli import main

sys.exit(main())
