"""`python -m mmkeras.cli`, which is the command `mmkeras` of the environment that is running."""

import sys

from mmkeras.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
