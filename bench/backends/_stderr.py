"""What a runtime says on stderr while it is loaded: for some of what goes wrong there is no other word of it."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heard() -> Iterator[list[str]]:
    """Collect the lines that anything in this process writes to stderr, native code too; they are written there after.

    The list is filled when the block ends.
    """
    lines: list[str] = []
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            file.seek(0)
            said = file.read()
            os.write(2, said)
            text = re.sub(r"\x1b\[[0-9;]*m", "", said.decode(errors="replace"))
            lines += text.splitlines()
