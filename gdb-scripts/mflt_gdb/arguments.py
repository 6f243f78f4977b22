# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the user types behind a command: argparse, with errors as GDB shows them."""

import argparse
import re

import gdb

_SIZE = re.compile(r"(\d+)([KM])$")
_UNITS = {"K": 1 << 10, "M": 1 << 20}


class Parser(argparse.ArgumentParser):
    """Raises what GDB prints, instead of ending GDB."""

    # What may stand first and means nothing. As an optional argument it would be blamed for others.
    ignored_word = None

    def __init__(self, name, description):
        super().__init__(
            prog=name,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message):
        raise gdb.GdbError("%s: %s\n%s" % (self.prog, message, self.format_usage().strip()))

    def exit(self, status=0, message=None):
        raise _Told()

    def read(self, text):
        """The options in `text`, quoted as in a shell; None when only help was wanted."""
        words = gdb.string_to_argv(text)
        if words and words[0] == self.ignored_word:
            del words[0]
        try:
            return self.parse_args(words)
        except _Told:
            return None


class _Told(Exception):
    """Help was printed; there is nothing to do."""


def size(text):
    """(bytes) of `256K` and `1M`; None for anything else, which is an expression."""
    found = _SIZE.match(text)
    return int(found.group(1)) * _UNITS[found.group(2)] if found else None


def _named(pattern, what):
    def check(text):
        if re.fullmatch(pattern, text):
            return text
        raise argparse.ArgumentTypeError("`%s` is no %s: it may hold %s" % (text, what, pattern))

    return check


serial = _named(r"[-A-Za-z0-9_.+:]+", "name")
software_version = _named(r"[-A-Za-z0-9_.+:\s()\[\]/,;]+", "version")
