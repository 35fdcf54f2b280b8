# SPDX-License-Identifier: GPL-2.0-only
"""Write the series as mails."""

import dataclasses
import os
import re
import shutil
import textwrap

import series
from common import LINUX, OUT, Failure, load, run
from tree import Tree

MAILS = OUT / "series"
COVER = series.PATCHES / "cover"
PERSON = r"[^<>\n]+ <[^<>@\s]+@[^<>@\s]+>"


def trailers():
    """The trailers that the user asks for; Signed-off-by comes last."""
    found = [t.strip() for t in re.split(r"[;\n]",
                                         os.environ.get("TRAILERS") or "")]
    found = [t for t in found if t]
    for t in found:
        if not re.fullmatch(r"[A-Z][A-Za-z-]+: \S.*", t):
            raise Failure(f"TRAILERS: '{t}' is no trailer; accepted: "
                          "'Key: value', several separated by ';'")
    signer = (os.environ.get("SIGNOFF") or "").strip()
    if signer:
        if not re.fullmatch(PERSON, signer):
            raise Failure(f"SIGNOFF='{signer}'; accepted: Name <mail>")
        found.append(f"Signed-off-by: {signer}")
    return found, signer


def signed(patch, lines, signer):
    """A patch with trailers added, and its sender as the author."""
    if not lines:
        return patch
    args = [a for t in lines for a in ("--trailer", t)]
    text = run("git", "interpret-trailers", "--if-exists", "addIfDifferent",
               *args, input=patch.message)
    subject, _, body = text.partition("\n")
    author = patch.author
    if signer and author == series.AUTHOR:
        author = signer
    return dataclasses.replace(patch, subject=subject, body=body.strip(),
                               author=author)


def first_paragraph(patch):
    """What a patch is for, in the words of its message."""
    text = " ".join(patch.body.split("\n\n")[0].split())
    return textwrap.fill(text, 72, initial_indent="    ",
                         subsequent_indent="    ")


def tested(tree):
    """What the last full test run said, if it was of this very tree."""
    rec = load(OUT / "verdict.json")
    if not rec or rec["tree"] != tree:
        return "No results of 'make test' were recorded for this tree."
    return (f"'make test' on this tree: {rec['verdict']}"
            f" (suites: {', '.join(rec['suites'])}).")


def cover_text(patches, tree):
    """Subject and text of the cover letter."""
    if COVER.exists():
        subject, _, text = COVER.read_text(encoding="utf-8").partition("\n")
    else:
        raise Failure("patches/cover is missing; accepted: a text whose "
                      "first line is the subject of the cover letter")
    purpose = "\n\n".join(
        f"{n}. {p.subject}\n{first_paragraph(p)}".rstrip()
        for n, p in enumerate(patches, 1))
    test = textwrap.fill(tested(tree), 72)
    return subject, (f"{text.strip()}\n\nWhat each patch is for\n\n{purpose}"
                     f"\n\nResults\n\n{test}")


def write():
    """Write all mails to out/series; returns their paths."""
    patches = series.patches()
    if not patches:
        raise Failure("patches/series is empty: there is nothing to export")
    repo = Tree(LINUX)
    lines, signer = trailers()
    chain = repo.commits([signed(p, lines, signer) for p in patches],
                         keep=not lines)
    name = repo.git("rev-parse", f"{chain[-1]}^{{tree}}")
    who = signer or series.AUTHOR
    m = re.fullmatch(r"(.+) <(.+)>", who)
    env = os.environ | {
        "GIT_COMMITTER_NAME": m.group(1), "GIT_COMMITTER_EMAIL": m.group(2),
        "GIT_COMMITTER_DATE": repo.git("show", "-s", "--format=%cI",
                                       chain[-1])}
    shutil.rmtree(MAILS, ignore_errors=True)
    repo.git("format-patch", "-q", "--cover-letter", "--thread=shallow",
             "--signature=", f"--base={chain[0]}", "-o", MAILS,
             f"{chain[0]}..{chain[-1]}", env=env)
    mails = sorted(MAILS.glob("*.patch"))
    subject, text = cover_text(patches, name)
    letter = mails[0].read_text(encoding="utf-8")
    letter = letter.replace("*** SUBJECT HERE ***", subject)
    letter = letter.replace("*** BLURB HERE ***", text)
    mails[0].write_text(letter, encoding="utf-8")
    return mails
