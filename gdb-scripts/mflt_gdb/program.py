# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs `mflt`, which does the work."""

import os
import queue
import shutil
import signal
import subprocess
import threading


class Failed(Exception):
    """`mflt` could not be run, or says why it failed."""


def path():
    """Where `mflt` is: MFLT, then what `mflt gdb-init` left beside the scripts, then PATH."""
    note = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "program")
    candidates = [os.environ.get("MFLT")]
    if os.path.isfile(note):
        with open(note, encoding="utf-8") as file:
            candidates.append(file.read().strip())
    candidates.append("mflt")
    for candidate in filter(None, candidates):
        found = shutil.which(candidate)
        if found:
            return found
    raise Failed("the program `mflt` is not found: put it into PATH, or name it with MFLT")


def run(arguments):
    """What `mflt` prints with `arguments`."""
    process = _start(arguments, subprocess.PIPE)
    printed, errors = process.communicate()
    if process.returncode != 0:
        raise Failed(errors.decode(errors="replace").strip())
    return printed.decode(errors="replace")


def serve(arguments, server, say):
    """Runs `mflt` and serves it meanwhile; what it tells goes to `say`, line by line.

    Ctrl-C makes it stop early and keep what it has; the second one ends it.
    """
    process = _start(arguments, subprocess.STDOUT)
    lines = queue.Queue()
    reader = threading.Thread(target=_collect, args=(process.stdout, lines), daemon=True)
    reader.start()
    errors = []
    interrupts = 0
    while True:
        # Ctrl-C may come anywhere.
        try:
            if process.poll() is not None and not reader.is_alive() and lines.empty():
                break
            if server.finished:
                reader.join(0.1)
            else:
                server.step(0.1)
            while not lines.empty():
                line = lines.get()
                if errors or line.startswith("error: "):
                    errors.append(line)
                else:
                    say(line)
        except KeyboardInterrupt:
            interrupts += 1
            if interrupts == 1 and os.name == "posix":
                process.send_signal(signal.SIGINT)
            else:
                process.kill()
    if process.returncode != 0:
        raise Failed("\n".join(errors) or "`mflt` was ended")


def _start(arguments, errors):
    try:
        # A session of its own: Ctrl-C is GDB's, and is passed on by us.
        return subprocess.Popen(
            [path(), "--color", "never"] + arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if errors is subprocess.PIPE else errors,
            start_new_session=True,
        )
    except OSError as error:
        raise Failed("the program `mflt` does not start: %s" % error) from None


def _collect(pipe, lines):
    for line in pipe:
        lines.put(line.decode(errors="replace").rstrip("\r\n"))
