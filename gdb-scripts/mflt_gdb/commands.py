# SPDX-License-Identifier: MIT OR Apache-2.0
"""The commands: what the user types, and what becomes of it."""

import inspect
import os
import tempfile
import time

import gdb

from . import bridge, chunk_handler, program, server, upload
from .arguments import Parser, serial, size, software_version

_PREFIXES = ["memfault", "mflt"]


class _Session:
    """What lasts as long as this GDB."""

    account = None
    chunk_handler = None


def _say(text):
    gdb.write(text + "\n")


def _capture(path, options, say):
    """Writes the target's registers and memory to `path` by `mflt coredump`."""
    elfs = bridge.elf_files()
    if not elfs:
        _say("GDB has no ELF file: without symbols there is little to tell (`file zephyr.elf`)")
    words = ["coredump", "-o", path]
    for elf in elfs:
        words += ["--elf", elf]
    with bridge.Target().opened() as target:
        serving = server.Server(target, "GDB " + bridge.version())
        try:
            words += ["--gdb", serving.address]
            program.serve(words + options, serving, say)
        finally:
            serving.close()


def _add_peripherals(parser):
    parser.add_argument("--svd", metavar="FILE", help="CMSIS-SVD file, for --peripheral")
    parser.add_argument(
        "--peripheral",
        action="append",
        default=[],
        metavar="NAME",
        help="its registers too, or one: PERIPHERAL.REGISTER; may be repeated",
    )


def _peripherals(options):
    """What `mflt coredump` is told of peripherals."""
    if bool(options.svd) != bool(options.peripheral):
        raise gdb.GdbError("--svd FILE and --peripheral NAME need each other")
    words = ["--svd", os.path.expanduser(options.svd)] if options.svd else []
    for name in options.peripheral:
        words += ["--peripheral", name]
    return words


class _Command:
    """A command below `memfault`."""

    name = ""

    def parser(self, prefix):
        return Parser("%s %s" % (prefix, self.name), inspect.cleandoc(self.__doc__))

    def run(self, options):
        raise NotImplementedError


class Login(_Command):
    """Log in for uploads; for as long as this GDB runs.

    memfault login KEY -o acme -p sensor --api-uri https://crashes.example.com
    """

    name = "login"

    def parser(self, prefix):
        parser = super().parser(prefix)
        parser.add_argument("key", nargs="+", help="an access key, or e-mail and password")
        parser.add_argument("-o", "--organization", required=True, help="its short name")
        parser.add_argument("-p", "--project", required=True, help="its short name")
        parser.add_argument("--api-uri", required=True, help="the server")
        parser.add_argument("--ingress-uri", help="where coredumps go [the server]")
        return parser

    def run(self, options):
        if len(options.key) > 2:
            raise gdb.GdbError("give a key, or e-mail and password")
        account = upload.Account(
            options.key,
            options.organization,
            options.project,
            options.api_uri,
            options.ingress_uri,
        )
        try:
            account.check()
        except upload.Refused as error:
            if error.status in (401, 403, 404):
                raise gdb.GdbError("login failed: the server does not know this key") from None
            raise gdb.GdbError("login failed: %s" % error) from None
        _Session.account = account
        _say("Logged in to %s." % account.api_uri)


class Coredump(_Command):
    """Capture a coredump of the stopped target, and upload it if logged in.

    The file is an ELF core that `mflt analyze` and GDB open. ADDR and SIZE are GDB expressions.

    memfault coredump -o unit7.core
    memfault coredump -r &g_state sizeof(g_state) -r 0x20000000 64K
    """

    name = "coredump"

    def parser(self, prefix):
        parser = super().parser(prefix)
        # Users' scripts have it; a stopped target is all there is to capture.
        parser.ignored_word = "live"
        parser.add_argument(
            "-r",
            "--region",
            nargs=2,
            action="append",
            default=[],
            metavar=("ADDR", "SIZE"),
            help="memory to capture instead of all RAM of the ELF; may be repeated",
        )
        _add_peripherals(parser)
        parser.add_argument("-o", "--output", metavar="FILE", help="[coredump-<UTC time>.core]")
        parser.add_argument("--device-serial", type=serial, help="[upload: DEMOSERIALNUMBER]")
        parser.add_argument("--software-type", type=serial, help="[upload: main]")
        parser.add_argument("--software-version", type=software_version, help="[upload: 1.0.0]")
        parser.add_argument("--hardware-revision", type=serial, help="[upload: DEVBOARD]")
        parser.add_argument("-ns", "--no-symbols", action="store_true", help="keep the ELF here")
        parser.add_argument("-pk", "--project-key", help="[asked from the server]")
        parser.add_argument("--no-upload", action="store_true", help="only write the file")
        return parser

    def run(self, options):
        account = None if options.no_upload else _Session.account
        if account is not None and not _agreed():
            _say("Nothing is captured. `--no-upload` only writes a file.")
            return
        words = _peripherals(options)
        for address, length in options.region:
            start = bridge.evaluate(address, address=True)
            count = size(length)
            if count is None:
                count = bridge.evaluate(length, address=False)
            words += ["--region", "0x%08x" % (start & 0xFFFFFFFF), str(count)]
        elfs = bridge.elf_files()
        identity = {
            "device-serial": options.device_serial,
            "software-type": options.software_type,
            "software-version": options.software_version,
            "hardware-version": options.hardware_revision,
        }
        if account is not None:
            # A server cannot do without; what is not known gets the names that users know.
            identity["device-serial"] = identity["device-serial"] or "DEMOSERIALNUMBER"
            identity["software-type"] = identity["software-type"] or "main"
            identity["hardware-version"] = identity["hardware-version"] or "DEVBOARD"
            version = identity["software-version"] or "1.0.0"
            elf = elfs[0] if elfs else None
            identity["software-version"] = upload.version_of_build(version, elf)
        for name, value in identity.items():
            if value is not None:
                words.append("--%s=%s" % (name, value))
        name = time.strftime("coredump-%Y%m%dT%H%M%SZ.core", time.gmtime())
        path = os.path.expanduser(options.output or name)
        _say("One moment, capturing memory ...")
        _capture(path, words, _say)
        if account is not None:
            elf = elfs[0] if elfs and not options.no_symbols else None
            self._upload(account, path, elf, identity, options.project_key)

    @staticmethod
    def _upload(account, path, elf, identity, project_key):
        if elf is not None:
            _say("Uploading symbols ...")
            try:
                software = (identity["software-type"], identity["software-version"])
                if account.has_symbols(*software):
                    _say("The server has these symbols already.")
                else:
                    account.send_symbols(elf, *software)
            except (upload.Refused, OSError) as error:
                # The coredump is worth more than its symbols, which can follow.
                _say("The symbols are not uploaded: %s" % error)
        try:
            with tempfile.TemporaryDirectory(prefix="mflt-") as folder:
                raw = os.path.join(folder, "coredump.bin")
                program.run(["convert", path, raw, "--to", "memfault"])
                with open(raw, "rb") as file:
                    coredump = file.read()
            is_new = account.send_coredump(coredump, project_key or account.project_key())
        except (upload.Refused, OSError, program.Failed) as error:
            raise gdb.GdbError(
                "the coredump is not uploaded: %s\nit is kept in `%s`" % (error, path)
            ) from None
        _say("Coredump uploaded." if is_new else "The server has this coredump already.")
        where = (account.ingress_uri, account.organization, account.project)
        _say("Once processed it is among %s/organizations/%s/projects/%s/issues" % where)


def _agreed():
    """Whether memory may leave this machine; asked once."""
    consent = upload.Consent()
    if consent.given():
        return True
    _say("The registers and the memory of the target are going to be uploaded to the server that")
    _say("you logged in to. Memory may hold secrets, such as keys and passwords.")
    try:
        answer = input("Proceed? [y/n] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        return False
    problem = consent.keep()
    if problem:
        _say(problem)
    return True


class Save(_Command):
    """Capture the stopped target into a file; nothing leaves this machine.

    memfault save unit7.core
    """

    name = "save"

    def parser(self, prefix):
        parser = super().parser(prefix)
        parser.add_argument("file", metavar="FILE")
        _add_peripherals(parser)
        return parser

    def run(self, options):
        _capture(os.path.expanduser(options.file), _peripherals(options), _say)


class _Explained(_Command):
    """A command that captures, and prints what `mflt analyze` says."""

    def choice(self, options):
        return ["--section", self.name]

    def captured(self, options):
        """What is captured beside registers and RAM."""
        return []

    def run(self, options):
        with tempfile.TemporaryDirectory(prefix="mflt-") as folder:
            path = bridge.core_file()
            if path is None:
                path = os.path.join(folder, "target.core")
                # How the capture went is of interest only where it goes wrong.
                warn = lambda line: line.startswith("warning: ") and _say(line)
                _capture(path, self.captured(options), warn)
            words = ["analyze", path]
            for elf in bridge.elf_files():
                words += ["--elf", elf]
            gdb.write(program.run(words + self.choice(options)))


class Threads(_Explained):
    """List every thread: state, priority, stack, what it waits for.

    memfault threads
    """

    name = "threads"


class Fault(_Explained):
    """Tell the fault registers in words.

    memfault fault
    """

    name = "fault"


class Cause(_Explained):
    """Tell why the target stopped, with the evidence.

    memfault cause
    """

    name = "cause"


class Report(_Explained):
    """Tell all: cause, fault, threads, backtraces, logs, heaps, registers of peripherals.

    memfault report
    memfault report --full
    memfault report --svd nrf52840.svd --peripheral UARTE0
    """

    name = "report"

    def parser(self, prefix):
        parser = super().parser(prefix)
        parser.add_argument("--full", action="store_true", help="globals and memory as well")
        _add_peripherals(parser)
        return parser

    def choice(self, options):
        words = ["--full"] if options.full else []
        return words + (["--svd", os.path.expanduser(options.svd)] if options.svd else [])

    def captured(self, options):
        return _peripherals(options)


class FrameLocals(_Explained):
    """Print a frame of the crashed thread with its arguments and local variables.

    Frames have the numbers of `memfault report`; 0 is where it crashed.

    memfault frame-locals
    memfault frame-locals 2
    """

    name = "frame-locals"

    def parser(self, prefix):
        parser = super().parser(prefix)
        parser.add_argument("frame", nargs="?", type=int, default=0, metavar="N")
        return parser

    def choice(self, options):
        return ["--frame", str(options.frame)]


class InstallChunkHandler(_Command):
    """Send the chunks of the device on while it runs: to a server, or into a file.

    Sets a breakpoint on the function that hands chunks out; the target goes on after each.

    memfault install_chunk_handler --project-key KEY --chunks-uri https://crashes.example.com
    memfault install_chunk_handler --output chunks.log
    """

    name = "install_chunk_handler"

    def parser(self, prefix):
        parser = super().parser(prefix)
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("-pk", "--project-key", help="key of the project")
        where.add_argument("-o", "--output", metavar="FILE", help="for `mflt decode`")
        parser.add_argument(
            "-ch",
            "--chunk-handler-func",
            metavar="FUNCTION",
            help="[the first of %s that exists]" % ", ".join(chunk_handler.FUNCTIONS),
        )
        parser.add_argument("--chunks-uri", help="the server [that of the login]")
        parser.add_argument("-ds", "--device-serial", type=serial, default="GDB_TESTSERIAL")
        parser.add_argument("--verbose", action="store_true", help="tell each chunk")
        return parser

    def run(self, options):
        if options.output:
            deliver = chunk_handler.to_file(os.path.abspath(os.path.expanduser(options.output)))
        else:
            account = _Session.account
            uri = options.chunks_uri or (account and account.ingress_uri)
            if not uri:
                raise gdb.GdbError("no server is known: name it with --chunks-uri, or log in")
            deliver = chunk_handler.to_server(uri, options.device_serial, options.project_key)
        function = chunk_handler.choose(options.chunk_handler_func)
        before = _Session.chunk_handler
        if before is not None and before.is_valid():
            before.delete()
        _Session.chunk_handler = chunk_handler.ChunkHandler(function, deliver, options.verbose)
        _say("The chunk handler is installed on `%s`." % function)


_COMMANDS = [
    Login,
    Coredump,
    Save,
    Cause,
    Fault,
    Threads,
    Report,
    FrameLocals,
    InstallChunkHandler,
]


def register():
    """Makes the commands known to GDB, each under both names."""
    for prefix in _PREFIXES:
        _Prefix(prefix)
        for command in _COMMANDS:
            _Registered(prefix, command())


class _Prefix(gdb.Command):
    """Explain why the target crashed, capture coredumps; by the program `mflt`."""

    def __init__(self, name):
        super().__init__(name, gdb.COMMAND_USER, prefix=True)
        self._name = name

    def invoke(self, argument, from_tty):
        if argument:
            word = argument.split()[0]
            names = (self._name, word, self._name)
            raise gdb.GdbError("`%s` has no command `%s`: see `help %s`" % names)
        gdb.execute("help " + self._name)


class _Registered(gdb.Command):
    def __init__(self, prefix, command):
        self._command = command
        self._parser = command.parser(prefix)
        # GDB shows the first line in lists, and `help` puts it above the rest.
        summary, _, rest = self._parser.description.partition("\n")
        self._parser.description = rest.strip()
        self.__doc__ = "%s\n\n%s" % (summary, self._parser.format_help())
        super().__init__("%s %s" % (prefix, command.name), gdb.COMMAND_USER)

    def invoke(self, argument, from_tty):
        self.dont_repeat()
        options = self._parser.read(argument)
        if options is None:
            return
        try:
            self._command.run(options)
        except program.Failed as error:
            raise gdb.GdbError(str(error)) from None
