# SPDX-License-Identifier: GPL-2.0-only
"""The exported mails give exactly the composed tree."""

import re

import export
import series
import tree
from common import LINUX, OUT, base, run, step


def suite(done):
    """Export, apply to the pristine base, compare."""
    done.check("series", "export", check_export)
    if done.all[-1].status != "pass":
        return
    done.check("series", "git am gives the composed tree", check_am)
    done.check("series", "mails carry no Signed-off-by", check_unsigned)
    done.check("series", "cover letter", check_cover)
    done.check("series", "SIGNOFF= and TRAILERS=", check_signed)


def check_export():
    """As many mails as patches, and a cover letter."""
    mails = export.write()
    patches = series.patches()
    if len(mails) != len(patches) + 1:
        return f"{len(mails)} mails for {len(patches)} patches"
    return None


def check_am():
    """git am on the pristine base; the trees have to be the same."""
    stock = tree.Tree(OUT / "stock")
    stock.prepare()
    stock.switch(base()["commit"])
    stock.git("reset", "-q", "--hard", base()["commit"])
    try:
        with step("git am on the pristine base"):
            stock.git("am", "-q", *sorted(export.MAILS.glob("*.patch"))[1:])
        trees = [run("git", "-C", t, "rev-parse", "HEAD^{tree}")
                 for t in (stock.path, LINUX)]
        if trees[0] != trees[1]:
            return f"git am gave tree {trees[0]}, composed is {trees[1]}"
        return stock.git("diff", "--name-only", "HEAD")
    finally:
        stock.git("am", "--abort", check=False)
        stock.git("reset", "-q", "--hard", base()["commit"])


def check_unsigned():
    """Nobody has signed off what is exported by default."""
    return "\n".join(m.name for m in sorted(export.MAILS.glob("*.patch"))
                     if re.search(r"^Signed-off-by:", m.read_text(), re.M))


def check_cover():
    """The cover letter has all that readers look for."""
    letter = sorted(export.MAILS.glob("*.patch"))[0].read_text()
    wanted = [p.subject for p in series.patches()]
    wanted += [f"base-commit: {base()['commit']}", "files changed",
               "Results\n"]
    flat = " ".join(letter.split())
    missing = [w for w in wanted if " ".join(w.split()) not in flat]
    if "***" in letter:
        missing.append("text in place of a *** mark")
    return "\n".join(f"missing: {w}" for w in missing)


def check_signed():
    """A sender's name and trailers end up in every mail."""
    signer = "A Sender <sender@example.org>"
    lines = ["Reviewed-by: B Reader <reader@example.org>",
             f"Signed-off-by: {signer}"]
    patches = series.patches()
    bad = []
    for p in (export.signed(p, lines, signer) for p in patches):
        if not p.message.endswith("\n".join(lines) + "\n"):
            bad.append(f"{p.name}: {p.message[-200:]}")
        if p.author != signer and p.author == series.AUTHOR:
            bad.append(f"{p.name}: author is {p.author}")
    return "\n".join(bad)
