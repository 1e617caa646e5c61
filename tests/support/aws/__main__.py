"""/usr/bin/python3 tests/support/aws --dir DIR: the same as -m tests.support.aws.double."""

import sys
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parent.parent.parent)

from support.aws.double import main  # noqa: E402  the path comes first

sys.exit(main())
