# SPDX-License-Identifier: MIT OR Apache-2.0
"""Serves GDB's target to `mflt` over a socket of this machine, as a GDB server would.

The protocol is that of the GDB manual, appendix "Remote Serial Protocol". So a capture made in GDB is
planned, read and written by the same program as any other. Nothing can be written to the target.
"""

import re
import socket

from .bridge import Gone, Unreadable

# Bytes of a packet; half of it are bytes of memory.
_PACKET = 0x4000
_READ = re.compile(r"m([0-9a-f]+),([0-9a-f]+)$")
_DOCUMENT = re.compile(r"qXfer:features:read:target\.xml:([0-9a-f]+),([0-9a-f]+)$")


class Server:
    """One session, served step by step so that GDB stays in charge."""

    def __init__(self, target, name):
        self._target = target
        self._name = name
        self._registers = target.registers()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._client = None
        self._received = b""
        self._acknowledges = True
        self.finished = False

    @property
    def address(self):
        """Where `mflt` is to connect."""
        return "127.0.0.1:%d" % self._listener.getsockname()[1]

    def close(self):
        """Ends the session."""
        self.finished = True
        for stream in (self._client, self._listener):
            if stream is not None:
                stream.close()

    def step(self, seconds):
        """Answers what arrives within `seconds`."""
        try:
            if self._client is None:
                self._listener.settimeout(seconds)
                self._client, _ = self._listener.accept()
                self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._client.settimeout(seconds)
            data = self._client.recv(1 << 16)
            if not data:
                self.finished = True
                return
            self._received += data
            self._answer_all()
        except socket.timeout:
            pass
        except (OSError, Gone):
            # `mflt` says what it misses, and keeps what it has.
            self.close()

    def _answer_all(self):
        while True:
            start = self._received.find(b"$")
            end = self._received.find(b"#", start)
            if start < 0 or end < 0 or len(self._received) < end + 3:
                return
            request = self._received[start + 1 : end].decode("latin-1")
            self._received = self._received[end + 3 :]
            reply = self._answer(request)
            sent = b"+" if self._acknowledges else b""
            self._client.sendall(sent + _framed(reply))
            if request == "QStartNoAckMode":
                self._acknowledges = False

    def _answer(self, request):
        if request.startswith("qSupported"):
            return "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;mflt.debugger=%s" % (
                _PACKET,
                self._name,
            )
        if request in ("QStartNoAckMode", "Hg0", "D"):
            return "OK"
        if request == "?":
            return "T05"
        if request == "g":
            return "".join(_digits(bits, value) for _, bits, value in self._registers)
        read = _READ.match(request)
        if read:
            try:
                return self._target.read(int(read.group(1), 16), int(read.group(2), 16)).hex()
            except Unreadable:
                return "E14"
        document = _DOCUMENT.match(request)
        if document:
            return self._part(int(document.group(1), 16), int(document.group(2), 16))
        if request.startswith(("qqemu.", "Qqemu.")):
            # How QEMU is told from others, and made to show memory that the MPU hides.
            return self._target.packet(request)
        if request.startswith("qRcmd,"):
            said = self._target.monitor(bytes.fromhex(request[6:]).decode())
            return "E01" if said is None else said.encode().hex() or "OK"
        return ""

    def _part(self, start, size):
        lines = [
            '<reg name="%s" bitsize="%d" regnum="%d"/>' % (name, bits, number)
            for number, (name, bits, _) in enumerate(self._registers)
        ]
        document = '<target><feature name="gdb">%s</feature></target>' % "".join(lines)
        part = document[start : start + size]
        return ("m" if start + size < len(document) else "l") + part


def _digits(bits, value):
    size = (bits + 7) // 8
    return "xx" * size if value is None else value.to_bytes(size, "little").hex()


def _framed(payload):
    body = bytearray()
    for byte in payload.encode():
        body += bytes([0x7D, byte ^ 0x20]) if byte in b"#$}*" else bytes([byte])
    return b"$" + bytes(body) + b"#%02x" % (sum(body) & 0xFF)
