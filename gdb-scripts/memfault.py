# SPDX-License-Identifier: MIT OR Apache-2.0
python = None  # GDB without Python takes this for its own command, and says that it has none.

# The `memfault` commands for GDB, also as `mflt`: `source memfault.py`, then `help memfault`.
# They gather registers and memory through GDB, hand them to the program `mflt`, and print what it
# says. Needs GDB 10 or newer with Python 3.8 or newer; nothing else is imported.

import os
import sys

import gdb


def _load():
    if sys.version_info < (3, 8):
        raise gdb.GdbError("mflt: this GDB has Python %d.%d; 3.8 is needed" % sys.version_info[:2])
    folder = os.path.dirname(os.path.abspath(__file__))
    if folder not in sys.path:
        sys.path.insert(0, folder)
    from mflt_gdb import commands

    commands.register()


_load()
