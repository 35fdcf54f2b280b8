# SPDX-License-Identifier: GPL-2.0-only
"""Where a base tarball can be downloaded, and how each one is verified."""

import glob
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request
from pathlib import Path

from common import Failure, Missing, run, say, sha256

KERNEL_ORG = "https://cdn.kernel.org/pub/linux/kernel/v7.x/"
# The key with which kernel.org signs its lists of checksums.
KEY_SITE = "https://kernel.org/.well-known/openpgpkey/hu/"
KEY_USER = "autosigner"
KEY_PRINT = "B8868C80BA62A1FFFAF5FDA9632D3A06589DA6B1"
PACKAGE = "linux-source-7.3"
SUITES = ("trixie-backports", "trixie", "forky", "forky-backports",
          "testing", "unstable", "experimental")


def get(url, limit=5):
    """Fetch a small file; give up when the site is silent."""
    try:
        with urllib.request.urlopen(url, timeout=limit) as answer:
            return answer.read()
    except (OSError, ValueError) as e:
        raise Failure(f"{url}: {getattr(e, 'reason', e)}") from None


def get_file(url, path):
    """Fetch a large file; thirty silent seconds end it."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer, \
                open(path, "wb") as f:
            shutil.copyfileobj(answer, f, 1 << 20)
    except OSError as e:
        raise Failure(f"{url}: {getattr(e, 'reason', e)}") from None


def zbase32(data):
    """The encoding that Web Key Directory uses for its file names."""
    bits = "".join(f"{b:08b}" for b in data)
    return "".join("ybndrfg8ejkmcpqxot1uwisza345h769"[int(bits[i:i + 5], 2)]
                   for i in range(0, len(bits), 5))


def signed_text(text, key):
    """The part of a clear-signed text that the expected key has signed."""
    with tempfile.TemporaryDirectory() as tmp:
        ring, signed, plain = (Path(tmp) / n for n in ("ring", "in", "out"))
        ring.write_bytes(key)
        signed.write_bytes(text)
        try:
            status = subprocess.run(
                ["gpgv", "--status-fd=1", f"--keyring={ring}",
                 f"--output={plain}", signed], stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True, check=False)
        except FileNotFoundError:
            raise Failure("gpgv is not installed") from None
        valid = re.search(r"^\[GNUPG:\] VALIDSIG .*$", status.stdout, re.M)
        if status.returncode or not valid \
                or valid.group(0).split()[-1] != KEY_PRINT:
            raise Failure("the signature of the list of checksums is bad")
        return plain.read_text(encoding="ascii", errors="replace")


def kernel_org(where):
    """The newest 7.3.y of kernel.org, by the signed list of checksums."""
    say("  trying kernel.org")
    sums = get(KERNEL_ORG + "sha256sums.asc")
    name = zbase32(hashlib.sha1(KEY_USER.encode()).digest())
    key = get(f"{KEY_SITE}{name}?l={KEY_USER}")
    releases = re.findall(r"^([0-9a-f]{64})  (linux-7\.3\.(\d+)\.tar\.xz)$",
                          signed_text(sums, key), re.M)
    if not releases:
        raise Failure("kernel.org has no 7.3.y release")
    digest, file, _ = max(releases, key=lambda r: int(r[2]))
    path = where / f"{file}.part"
    get_file(KERNEL_ORG + file, path)
    if sha256(path) != digest:
        path.unlink()
        raise Failure(f"{KERNEL_ORG}{file}: refused, its checksum is not "
                      "that of the signed list")
    return path, KERNEL_ORG + file


def stanzas(path):
    """The package sources in one file of apt, as dictionaries."""
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    text = "\n".join(ln for ln in text.splitlines()
                     if not ln.lstrip().startswith("#"))
    if path.endswith(".sources"):
        for block in re.split(r"\n\s*\n", text):
            pairs = re.findall(r"^([\w-]+):((?:.*)(?:\n[ \t].*)*)", block,
                               re.M)
            if pairs:
                yield {k.lower(): v.strip("\n") for k, v in pairs}
        return
    for m in re.finditer(r"^\s*deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)(.*)$",
                         text, re.M):
        options = dict(o.split("=", 1) for o in (m.group(1) or "").split()
                       if "=" in o)
        yield {"types": "deb", "uris": m.group(2), "suites": m.group(3),
               "components": m.group(4),
               "signed-by": options.get("signed-by", "").replace(",", " ")}


def mirrors():
    """(URI, key) of each Debian archive in the apt configuration."""
    shell = run("apt-config", "shell", "LIST", "Dir::Etc::sourcelist/f",
                "PARTS", "Dir::Etc::sourceparts/d")
    conf = dict(re.findall(r"^(\w+)='(.*)'$", shell, re.M))
    files = [conf["LIST"]] + sorted(
        f for ext in ("list", "sources")
        for f in glob.glob(os.path.join(conf["PARTS"], f"*.{ext}")))
    debian = re.compile(r"(bookworm|trixie|forky|stable|oldstable|testing|"
                        r"unstable|sid)(-updates|-backports)?$")
    found = []
    for file in filter(os.path.exists, files):
        for s in stanzas(file):
            if "deb" not in s.get("types", "").split() \
                    or s.get("enabled", "yes").strip() == "no" \
                    or "main" not in s.get("components", "").split() \
                    or not any(debian.match(x)
                               for x in s.get("suites", "").split()):
                continue
            for uri in s["uris"].split():
                pair = (uri, s.get("signed-by", "").rstrip())
                if pair not in found:
                    found.append(pair)
    if not found:
        raise Failure("the apt configuration names no Debian archive")
    return found


def private_apt(where, uri, key, suite, arch=""):
    """Set up an apt state of our own: the system's stays as it is."""
    for sub in ("lists/partial", "cache/archives/partial", "parts"):
        (where / sub).mkdir(parents=True, exist_ok=True)
    source = (f"Types: deb deb-src\nURIs: {uri}\nSuites: {suite}\n"
              "Components: main\n")
    if arch:
        source += f"Architectures: {arch}\n"
    if key:
        # A file name, or a key as an indented block of its own.
        source += f"Signed-By: {key.lstrip(' ')}\n"
    (where / "base.sources").write_text(source, encoding="utf-8")
    conf = where / "apt.conf"
    conf.write_text(f'''Dir::State "{where}";
Dir::State::lists "{where}/lists";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "{where}/cache";
Dir::Etc::sourcelist "{where}/base.sources";
Dir::Etc::sourceparts "{where}/parts";
Dir::Etc::preferencesparts "{where}/parts";
APT::Sandbox::User "";
APT::Architectures "{arch}";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
''', encoding="utf-8")
    return os.environ | {"APT_CONFIG": str(conf), "LC_ALL": "C"}


def by_apt(what, state, suites, take, arch=""):
    """What take(env) makes of the first archive and suite that have it."""
    tried = []
    for uri, key in mirrors():
        for suite in suites:
            say(f"  trying {what} in {suite} by apt")
            env = private_apt(state, uri, key, suite, arch)
            try:
                run("apt-get", "-qq", "update", "--error-on=any", env=env)
                return take(env)
            except Failure as e:
                tried.append(f"{suite}: {str(e).splitlines()[-1]}")
    raise Failure(f"{what} was not found by apt: " + "; ".join(tried))


def apt_package(where):
    """The tarball inside linux-source-7.3; apt verifies the package."""
    state = where / "apt"
    by_apt(PACKAGE, state, SUITES, lambda env: run(
        "apt-get", "-qq", "download", PACKAGE, env=env, cwd=state))
    return unpack_deb(state, where)


def package_file(state, package, arch, pattern):
    """The bytes of a file in another architecture's package."""
    def take(env):
        run("apt-get", "-qq", "download", f"{package}:{arch}", env=env,
            cwd=state)
        where = state / "unpacked"
        run("dpkg-deb", "-x", next(state.glob(f"{package}_*.deb")), where)
        return next(where.rglob(pattern)).read_bytes()
    try:
        data = by_apt(package, state, SUITES, take, arch)
    except Failure as e:
        raise Missing(str(e)) from None
    shutil.rmtree(state)
    return data


def unpack_deb(state, where):
    """Take the tarball out of the package that apt has just verified."""
    deb = max(state.glob(f"{PACKAGE}_*.deb"), key=os.path.getmtime)
    path = where / f"{PACKAGE}.tar.xz.part"
    with open(path, "wb") as f:
        data = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb],
                                stdout=subprocess.PIPE)
        code = subprocess.run(
            ["tar", "-xO", f"./usr/src/{PACKAGE}.tar.xz"],
            stdin=data.stdout, stdout=f, check=False).returncode
        data.stdout.close()
        if data.wait() or code:
            raise Failure(f"{deb.name} holds no usr/src/{PACKAGE}.tar.xz")
    origin = f"Debian package {deb.name.removesuffix('.deb')}"
    shutil.rmtree(state)
    return path, origin
