# SPDX-License-Identifier: GPL-2.0-only
"""Tests of what builds QEMU; none of them needs its source."""

import contextlib
import io
import os
from unittest import mock

import emulator
from common import OUT, Failure, Missing, load, store

WORK = OUT / "tmp/tools/emulator"


@contextlib.contextmanager
def scratch(name, by_apt=None):
    """emulator with a cache of its own, apt replaced, and nothing printed."""
    where = WORK / name
    (where / "download").mkdir(parents=True)
    (where / "apt").mkdir()
    with (mock.patch.multiple(emulator, STORE=where, SOURCE=where / "source",
                              RECORD=where / "source.json"),
          mock.patch("common.CACHE", where),
          mock.patch("sources.by_apt", by_apt),
          contextlib.redirect_stdout(io.StringIO())):
        yield where


def missing():
    """No archive has it: what needs QEMU is to be skipped, with a reason."""
    def by_apt(*_):
        raise Failure("no archive has it")
    with scratch("missing", by_apt):
        try:
            emulator.fetch()
        except Missing as e:
            text = str(e)
            return None if "no archive has it" in text else text
    return "it was not missed"


def altered():
    """A source whose bytes are not those of the record is fetched again."""
    fresh = {"version": "1:10.0.99", "files": {}}
    with scratch("altered", lambda *_: fresh) as where:
        (where / "download/qemu.tar.xz").write_bytes(b"altered")
        store(where / "source.json", {
            "version": "1:10.0.1", "files": {"qemu.tar.xz": "0" * 64}})
        got = emulator.fetch()
        if got != fresh or load(where / "source.json") != fresh:
            return f"taken: {got}"
    return None


def packages():
    """A source without a package that is wanted now is fetched again."""
    fresh = {"version": "1:10.0.99", "packages": list(emulator.PACKAGES),
             "files": {}}
    older = fresh | {"version": "1:10.0.1"}
    for record, right in ((older, older),
                          (older | {"packages": ["meson"]}, fresh),
                          ({"version": "1:10.0.1", "files": {}}, fresh)):
        name = f"packages{len(record.get('packages', ()))}"
        with scratch(name, lambda *_: fresh) as where:
            store(where / "source.json", record)
            got = emulator.fetch()
        if got != right:
            return f"{record}: {got}"
    return None


def version():
    """A suite with another QEMU than 10 is passed over."""
    for text, good in (("Version: 1:10.0.13+ds-0\n", True),
                       ("Version: 1:11.1.2+ds-3\n", False), ("", False)):
        with (scratch(f"version{len(text)}"),
              mock.patch("emulator.run", lambda *_, **__: text)):
            try:
                found = emulator.take({})["version"]
            except Failure:
                found = None
        if bool(found) != good:
            return f"{text!r}: {found}"
    return None


def renewed():
    """Only what changed gets a new time, and what is gone goes."""
    with scratch("renew") as where:
        for tree, files in (("source", {"same": "a", "changed": "b",
                                        "gone/x": "c"}),
                            ("fresh/qemu", {"same": "a", "changed": "B",
                                            "new/y": "d"})):
            for name, text in files.items():
                path = where / tree / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
                os.utime(path, (1000, 1000))
        emulator.renew(where / "fresh/qemu")
        found = {str(p.relative_to(where / "source")):
                 (p.read_text(encoding="utf-8"), p.stat().st_mtime > 1000)
                 for p in (where / "source").rglob("*") if p.is_file()}
        left = [p for p in ("source/gone", "fresh") if (where / p).exists()]
    wanted = {"same": ("a", False), "changed": ("B", True),
              "new/y": ("d", True)}
    return None if found == wanted and not left else f"{found} {left}"


def misfit():
    """A patch whose context differs is refused, and named."""
    with scratch("misfit") as where:
        (where / "file").write_text("1\n2\n3\nother\n", encoding="utf-8")
        patch = where / "9999-x.patch"
        patch.write_text("--- a/file\n+++ b/file\n@@ -1,4 +1,4 @@\n 1\n-2\n"
                         "+two\n 3\n 4\n", encoding="utf-8")
        try:
            emulator.apply(patch, where)
        except Failure as e:
            return None if "9999-x.patch" in str(e) else str(e)
    return "it was applied"


TESTS = (
    ("qemu says when its source cannot be had", missing),
    ("qemu replaces an altered source", altered),
    ("qemu fetches packages that are missing", packages),
    ("qemu takes version 10 only", version),
    ("qemu touches only what changed", renewed),
    ("qemu refuses a patch that only nearly fits", misfit),
)
