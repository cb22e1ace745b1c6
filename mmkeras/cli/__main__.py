"""`python -m mmkeras.cli`: the `mmkeras` command of this very Python, whatever the PATH says."""

import sys

from mmkeras.cli import main

sys.exit(main())
