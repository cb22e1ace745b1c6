"""`python -m mmkeras.cli`: the command `mmkeras` of this Python environment, whatever PATH says."""

import sys

from mmkeras.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
