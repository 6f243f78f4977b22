# SPDX-License-Identifier: MIT OR Apache-2.0
"""Sends chunks on while the target runs: a breakpoint on the function that hands them out."""

import base64

import gdb

from . import upload

# What firmware calls the function, unless told otherwise.
FUNCTIONS = ["memfault_data_export_chunk", "user_transport_send_chunk_data"]
# No device sends more at once.
_LONGEST = 1 << 20


class ChunkHandler(gdb.Breakpoint):
    """Hands each chunk to `deliver`, and lets the target go on as long as that works."""

    def __init__(self, function, deliver, verbose):
        super().__init__(function, internal=True)
        # Not `silent`: what goes wrong is to be seen.
        self._deliver = deliver
        self._verbose = verbose

    def stop(self):
        """Called by GDB at each chunk; True halts the target."""
        try:
            chunk = _chunk(gdb.newest_frame())
            self._deliver(chunk)
        except (gdb.error, upload.Refused, OSError) as error:
            gdb.write("memfault: the chunk is not sent: %s\n" % error)
            gdb.write("memfault: the chunk handler is off, and the target halts\n")
            self.enabled = False
            return True
        if self._verbose:
            gdb.write("memfault: a chunk of %d bytes\n" % len(chunk))
        return False


def _chunk(frame):
    """The bytes that a function was given by a pointer and a length."""
    block = frame.block()
    while block.function is None:
        block = block.superblock
    start = size = None
    for symbol in block:
        if symbol.is_argument:
            value = frame.read_var(symbol)
            if value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR:
                start = int(value)
            else:
                size = int(value)
    if start is None or size is None or not 0 < size <= _LONGEST:
        raise gdb.error("%s has no pointer and length as arguments" % frame.name())
    return bytes(gdb.selected_inferior().read_memory(start, size))


def choose(function):
    """The function to watch: the one that is named, or the first that the program has."""
    for name in [function] if function else FUNCTIONS:
        if gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name):
            return name
    raise gdb.GdbError(
        "the program has no function %s: name it with --chunk-handler-func"
        % " or ".join("`%s`" % name for name in ([function] if function else FUNCTIONS))
    )


def to_file(path):
    """Appends each chunk to a file, as lines that `mflt decode` reads."""

    def deliver(chunk):
        with open(path, "a", encoding="ascii") as file:
            file.write("MC:%s:\n" % base64.b64encode(chunk).decode())

    return deliver


def to_server(chunks_uri, serial, project_key):
    """Uploads each chunk."""

    def deliver(chunk):
        status = upload.send_chunk(chunks_uri, serial, project_key, chunk)
        if status != 202:
            raise upload.Refused("%s answers %d" % (chunks_uri, status))

    return deliver
