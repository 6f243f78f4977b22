# SPDX-License-Identifier: MIT OR Apache-2.0
"""Login and upload over HTTP: the requests, no more. Works with any server of this surface."""

import base64
import hashlib
import json
import os
import urllib.error
import urllib.parse
import urllib.request

_SECONDS = 30


class Refused(Exception):
    """The server cannot be reached, or says no; `status` is its number, if it gave one."""

    def __init__(self, text, status=None):
        super().__init__(text)
        self.status = status


class Account:
    """Who uploads, where to."""

    def __init__(self, words, organization, project, api_uri, ingress_uri):
        if len(words) == 1:
            self._authorization = "Bearer " + words[0]
        else:
            pair = ":".join(words).encode()
            self._authorization = "Basic " + base64.b64encode(pair).decode()
        self.organization = organization
        self.project = project
        self.api_uri = api_uri.rstrip("/")
        self.ingress_uri = (ingress_uri or api_uri).rstrip("/")

    def check(self):
        """Asks the server who we are."""
        self._ask("GET", "/auth/me")

    def project_key(self):
        """The key with which devices of the project upload."""
        return self._field(self._ask("GET", self._project("api_key")), "api_key")

    def has_symbols(self, software_type, version):
        """Whether the server has the ELF file of this software already."""
        path = "software_types/%s/software_versions/%s" % (
            urllib.parse.quote(software_type, safe="+"),
            urllib.parse.quote(version, safe="+"),
        )
        try:
            reply = self._ask("GET", self._project(path))
        except Refused as error:
            if error.status is None:
                raise
            return False
        symbols = (reply.get("data") or {}).get("symbol_file") or {}
        return bool(symbols.get("downloadable"))

    def send_symbols(self, elf, software_type, version):
        """Uploads an ELF file as the symbols of this software."""
        prepared = self._ask("POST", self._project("upload"), b"")
        token = self._field(prepared, "token")
        with open(elf, "rb") as file:
            _request("PUT", self._field(prepared, "upload_url"), {}, file.read())
        commit = {
            "file": {"token": token, "name": "symbols.elf"},
            "software_version": {"version": version, "software_type": software_type},
        }
        kind = {"Content-Type": "application/json"}
        self._ask("POST", self._project("symbols"), json.dumps(commit).encode(), kind)

    def send_coredump(self, coredump, project_key):
        """Uploads a coredump; False when the server has it already."""
        try:
            send_bytes(self.ingress_uri + "/api/v0/upload/coredump", project_key, coredump)
        except Refused as error:
            if error.status != 409:
                raise
            return False
        return True

    def _project(self, path):
        return "/api/v0/organizations/%s/projects/%s/%s" % (self.organization, self.project, path)

    def _ask(self, method, path, body=None, headers=None):
        headers = dict(headers or {}, Authorization=self._authorization, Accept="application/json")
        _, reply = _request(method, self.api_uri + path, headers, body)
        try:
            parsed = json.loads(reply or b"{}")
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise Refused("%s%s answers with something that is no JSON" % (self.api_uri, path))
        return parsed

    def _field(self, reply, name):
        value = (reply.get("data") or {}).get(name)
        if not isinstance(value, str):
            raise Refused("the answer of %s has no `%s`" % (self.api_uri, name))
        return value


def send_chunk(chunks_uri, serial, project_key, chunk):
    """Uploads one chunk of a device; the status of the answer."""
    quoted = urllib.parse.quote(serial, safe="+:")
    uri = "%s/api/v0/chunks/%s" % (chunks_uri.rstrip("/"), quoted)
    return send_bytes(uri, project_key, chunk)


def send_bytes(uri, project_key, body):
    """Uploads what a device made; the status of the answer."""
    return _request("POST", uri, {"Memfault-Project-Key": project_key}, body)[0]


def version_of_build(version, elf):
    """`version` with a mark of the build, so that symbols of two builds are told apart."""
    if elf is None:
        return version
    digest = hashlib.md5()
    with open(elf, "rb") as file:
        for part in iter(lambda: file.read(1 << 20), b""):
            digest.update(part)
    return "%s-md5+%s" % (version, digest.hexdigest()[:8])


class Consent:
    """Whether the user has agreed to upload memory: kept in ~/.memfault/gdb.json."""

    _KEY = "coredump.allow"

    def __init__(self):
        self._path = os.path.join(os.path.expanduser("~"), ".memfault", "gdb.json")

    def given(self):
        """Whether it was given before."""
        return self._read().get(self._KEY) is True

    def keep(self):
        """Keeps it for the next time; what else stands in the file stays."""
        settings = dict(self._read(), **{self._KEY: True})
        try:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            with open(self._path, "w", encoding="utf-8") as file:
                json.dump(settings, file)
        except OSError as error:
            return "the answer cannot be kept for the next time: %s" % error
        return None

    def _read(self):
        try:
            with open(self._path, encoding="utf-8") as file:
                settings = json.load(file)
        except (OSError, ValueError):
            return {}
        return settings if isinstance(settings, dict) else {}


def _request(method, uri, headers, body):
    headers = dict({"Content-Type": "application/octet-stream"}, **headers)
    try:
        request = urllib.request.Request(uri, data=body, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=_SECONDS) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        raise Refused("%s answers %d %s" % (uri, error.code, error.reason), error.code) from None
    except urllib.error.URLError as error:
        raise Refused("%s cannot be reached: %s" % (uri, error.reason)) from None
    except (OSError, ValueError) as error:
        raise Refused("%s: %s" % (uri, error)) from None
