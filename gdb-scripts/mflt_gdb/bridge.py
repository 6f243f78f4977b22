# SPDX-License-Identifier: MIT OR Apache-2.0
"""What GDB knows of the target: registers, memory, ELF files.

Only reads. The one setting of GDB that has to change for it is put back.
"""

import contextlib
import re

import gdb

# Every Cortex-M has these; `xpsr` is what a classic Arm has not.
_CORE = ["r%d" % number for number in range(13)] + ["sp", "lr", "pc", "xpsr"]
# Parts of the d registers under other names.
_ALIASES = re.compile(r"[sq]\d+")
_RAW = re.compile(r"^(\w+)\s.*\(raw (0x[0-9a-fA-F]+)\)", re.MULTILINE)
_CORE_FILE = re.compile(r"core dump file:\s+`(.*)', file type")
_RECEIVED = re.compile(r'^received: "(.*)"$', re.MULTILINE)


class Unreadable(Exception):
    """Memory that cannot be read."""


class Gone(Exception):
    """The target is no longer there."""


class Target:
    """The stopped target of this GDB."""

    def __init__(self):
        inferior = gdb.selected_inferior()
        threads = inferior.threads()
        if not threads:
            raise gdb.GdbError(
                "no target: connect to one first, for example `target extended-remote :3333`"
            )
        if core_file() is not None:
            raise gdb.GdbError("this is a core file, not a target: it is captured already")
        if 'name="mflt.dump"' in self.packet("qXfer:features:read:target.xml:0,200"):
            raise gdb.GdbError("this is a dump, not a target: `monitor mflt report` explains it")
        if any(thread.is_running() for thread in threads):
            raise gdb.GdbError("the target runs: stop it first, with `interrupt` or Ctrl-C")
        self._inferior = inferior
        self._found = gdb.selected_thread()
        if self._found is None:
            threads[0].switch()
        self._cpu = gdb.selected_thread()
        name = gdb.newest_frame().architecture().name()
        if self._integer("xpsr") is None:
            raise gdb.GdbError("the target is no Arm Cortex-M: GDB calls it `%s`" % name)
        self._select_cpu(threads)

    def _select_cpu(self, threads):
        # A server that knows an RTOS shows its threads. The CPU is the one whose stack pointer is
        # in use: that of another thread is neither MSP nor PSP.
        for thread in [self._cpu] + list(threads):
            thread.switch()
            banked = [self._integer("msp"), self._integer("psp")]
            if None in banked or self._integer("sp") in banked:
                self._cpu = thread
                break
        self._cpu.switch()

    @contextlib.contextmanager
    def opened(self):
        """Reads reach everything while this lasts; then GDB is as before."""
        hidden = gdb.parameter("mem inaccessible-by-default")
        found_frame = None
        with contextlib.suppress(gdb.error):
            self._found.switch()
            found_frame = gdb.selected_frame()
        self._cpu.switch()
        # Memory maps of servers often leave out peripherals and the System Control Space.
        if hidden:
            gdb.execute("set mem inaccessible-by-default off", to_string=True)
        try:
            yield self
        finally:
            if hidden:
                gdb.execute("set mem inaccessible-by-default on", to_string=True)
            with contextlib.suppress(gdb.error):
                if self._found is not None and self._found.is_valid():
                    self._found.switch()
                if found_frame is not None and found_frame.is_valid():
                    found_frame.select()

    def registers(self):
        """(name, bits, value) of each register; the value is None where GDB has none."""
        frame = gdb.newest_frame()
        names = list(_CORE)
        for register in frame.architecture().registers():
            if register.name not in names and not _ALIASES.fullmatch(register.name):
                names.append(register.name)
        found = []
        for name in names:
            try:
                kind = frame.read_register(name).type.strip_typedefs()
            except (gdb.error, ValueError):
                continue
            if kind.sizeof > 8:
                continue
            if kind.code in (gdb.TYPE_CODE_FLT, gdb.TYPE_CODE_UNION):
                value = self._raw(name)
            else:
                value = self._integer(name)
            found.append((name, kind.sizeof * 8, value))
        return found

    def _integer(self, name):
        try:
            value = gdb.newest_frame().read_register(name)
            return int(value) & ((1 << (value.type.sizeof * 8)) - 1)
        except (gdb.error, ValueError):
            return None

    def _raw(self, name):
        # As a number a floating-point register would lose what its NaN carries.
        for found, raw in _RAW.findall(gdb.execute("info registers " + name, to_string=True)):
            if found == name:
                return int(raw, 16)
        return None

    def read(self, address, size):
        """`size` bytes of memory."""
        try:
            return bytes(self._inferior.read_memory(address, size))
        except gdb.MemoryError:
            raise Unreadable() from None
        except gdb.error as error:
            if not self._inferior.is_valid() or not self._inferior.threads():
                raise Gone(str(error)) from None
            raise Unreadable() from None

    def packet(self, request):
        """The answer of the remote server to a packet; empty when it is none or knows none."""
        try:
            text = gdb.execute("maintenance packet " + request, to_string=True)
        except gdb.error:
            return ""
        found = _RECEIVED.search(text)
        return found.group(1) if found else ""

    def monitor(self, command):
        """What the server's console says to `command`; None when it refuses."""
        try:
            return gdb.execute("monitor " + command, to_string=True)
        except gdb.error:
            return None


def core_file():
    """The core file that GDB looks at instead of a target, or None."""
    found = _CORE_FILE.search(gdb.execute("info files", to_string=True))
    return found.group(1) if found else None


def elf_files():
    """The ELF files that GDB has loaded, the program first."""
    program = gdb.current_progspace().filename
    paths = [program] if program else []
    for objfile in gdb.objfiles():
        # Those with an owner are separate debug information.
        path = objfile.filename if objfile.is_valid() and objfile.owner is None else None
        if path and path not in paths:
            paths.append(path)
    return paths


def evaluate(expression, address):
    """The number that a GDB expression stands for; an object stands for its address or size."""
    try:
        value = gdb.parse_and_eval(expression)
        kind = value.type.strip_typedefs()
        if kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION, gdb.TYPE_CODE_ARRAY):
            return int(value.address) if address else kind.sizeof
        return int(value)
    except (gdb.error, TypeError) as error:
        raise gdb.GdbError("`%s` is no number: %s" % (expression, error)) from None


def version():
    """The version of this GDB."""
    return gdb.VERSION
