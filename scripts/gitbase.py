# SPDX-License-Identifier: GPL-2.0-only
"""The cache's git repository: one commit for each base kernel."""

import os
import shutil
import subprocess
import tarfile

from common import CACHE, Failure, run, sha256

REPO = CACHE / "base" / "linux.git"
# Fixed, so that one input always gives one commit.
DATE = "1767225600 +0000"
NAME = "Base kernel"
MAIL = "base@example.org"


def git(*args, **kw):
    """Run git in the cache's repository."""
    return run("git", f"--git-dir={REPO}", *args, **kw).strip()


def prepare():
    """Create the repository at first use."""
    if not (REPO / "HEAD").exists():
        REPO.mkdir(parents=True, exist_ok=True)
        run("git", "init", "-q", "--bare", REPO)
        for key, value in (("gc.auto", "0"), ("core.compression", "1"),
                           ("fetch.unpackLimit", "1")):
            git("config", key, value)


def discard():
    """Drop the repository; its commits come back from the sources."""
    shutil.rmtree(REPO, ignore_errors=True)


def packs():
    """File names and checksums of the packs."""
    return {p.name: sha256(p)
            for p in sorted((REPO / "objects/pack").glob("*.pack"))}


def intact(rec):
    """True when the packs of a record are still what they were."""
    try:
        return all(sha256(REPO / "objects/pack" / name) == digest
                   for name, digest in rec["packs"].items())
    except OSError:
        return False


def finish(commit, before=()):
    """Name a commit so that nothing prunes it, and describe it."""
    git("update-ref", f"refs/heads/base-{commit[:12]}", commit)
    return {"commit": commit, "repo": str(REPO), "packs":
            {k: v for k, v in packs().items() if k not in before}}


def stream_tar(tar, pipe):
    """Write the members of a tarball as a fast-import commit."""
    head = (f"commit refs/heads/import\ncommitter {NAME} <{MAIL}> {DATE}\n"
            "data 11\nbase kernel\n")
    pipe.write(head.encode())
    for m in tar:
        path = m.name.removeprefix("./").partition("/")[2]
        if not path or m.isdir():
            continue
        if m.issym():
            mode, data = "120000", m.linkname.encode()
        elif m.isreg():
            mode = "100755" if m.mode & 0o100 else "100644"
            data = tar.extractfile(m).read()
        else:
            raise Failure(f"{m.name}: neither a file nor a link")
        pipe.write(f"M {mode} inline {path}\ndata {len(data)}\n".encode())
        pipe.write(data + b"\n")
    pipe.write(b"done\n")


def import_tar(tarball):
    """Turn a tarball into a commit, without unpacking it on the way."""
    prepare()
    before = set(packs())
    unpack = subprocess.Popen(["xz", "-dcfT0", tarball],
                              stdout=subprocess.PIPE)
    importer = subprocess.Popen(
        ["git", f"--git-dir={REPO}", "fast-import", "--quiet", "--force",
         "--done", "--depth=0"], stdin=subprocess.PIPE)
    try:
        with tarfile.open(fileobj=unpack.stdout, mode="r|*") as tar:
            stream_tar(tar, importer.stdin)
        complete = True
    except (tarfile.TarError, EOFError, OSError):
        complete = False
    importer.stdin.close()
    unpack.stdout.close()
    if importer.wait() or unpack.wait() or not complete:
        raise Failure(f"{tarball}: truncated or damaged, it was refused")
    commit = git("rev-parse", "refs/heads/import")
    git("update-ref", "-d", "refs/heads/import")
    return finish(commit, before)


def import_commit(tree):
    """Take the checked-out commit of the user's git tree, as it is."""
    prepare()
    commit = run("git", "-C", tree, "rev-parse", "HEAD").strip()
    if git("cat-file", "-t", commit, check=False) != "commit":
        git("fetch", "-q", "--depth=1", f"file://{tree}", commit)
    return finish(commit) | {"packs": {}}


def import_dir(tree):
    """Turn a plain tree into a commit; stat data make it fast next time."""
    prepare()
    index = f"index{str(tree).replace(os.sep, '-')}"
    env = os.environ | {
        "GIT_INDEX_FILE": str(REPO / index), "GIT_AUTHOR_DATE": DATE,
        "GIT_COMMITTER_DATE": DATE, "GIT_AUTHOR_NAME": NAME,
        "GIT_COMMITTER_NAME": NAME, "GIT_AUTHOR_EMAIL": MAIL,
        "GIT_COMMITTER_EMAIL": MAIL}
    git(f"--work-tree={tree}", "add", "-Af", ".", env=env, cwd=tree)
    top = git("write-tree", env=env)
    commit = git("commit-tree", "-m", "base kernel", top, env=env)
    return finish(commit) | {"packs": {}}
