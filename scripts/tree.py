# SPDX-License-Identifier: GPL-2.0-only
"""The composed kernel tree, a git repository that borrows the base."""

import hashlib
import os
import subprocess
from pathlib import Path

from common import OUT, TOP, Failure, base, load, run, say, store


# Untracked files that nobody wants in the series.
LITTER = (".*", "*~", "*.orig", "*.rej", "*.o", "*.a", "*.ko", "*.mod",
          "*.pyc", "__pycache__", "cscope.*", "tags", "TAGS")


class Tree:
    """A git work tree made of the base and the series."""

    def __init__(self, path):
        self.path = Path(path)
        self.dir = self.path / ".git"
        self.index = self.dir / "compose.index"
        self.state = self.dir / "compose.json"
        self.made = self.dir / "compose-commits.json"
        self.base = base()

    def git(self, *args, **kw):
        """Run git in the tree."""
        return run("git", "-C", self.path, *args, **kw).rstrip("\n")

    def plumb(self, *args, **kw):
        """Run git with the index in which commits are prepared."""
        env = os.environ | {"GIT_INDEX_FILE": str(self.index)}
        return self.git(*args, env=env | kw.pop("extra", {}), **kw)

    def prepare(self, lender=None):
        """Create the repository, or move it to another base.

        Objects come from the base, and from a lender when there is one.
        """
        objects = Path(self.base["repo"]) / "objects"
        if not self.dir.exists():
            self.path.mkdir(parents=True, exist_ok=True)
            run("git", "init", "-q", "-b", "dma-windows", self.path)
            for key, value in (("gc.auto", "0"), ("core.compression", "1"),
                               ("user.name", "DMA windows"),
                               ("user.email", "dma-windows@example.org")):
                self.git("config", key, value)
        lenders = [objects] + ([lender / ".git/objects"] if lender else [])
        (self.dir / "objects/info/alternates").write_text(
            "".join(f"{p}\n" for p in lenders))
        shallow = objects.parent / "shallow"
        if shallow.exists():
            (self.dir / "shallow").write_bytes(shallow.read_bytes())
        self.git("update-ref", "refs/heads/base", self.base["commit"])
        self.finish()

    def finish(self):
        """Complete a switch that was interrupted."""
        target = (load(self.state) or {}).get("next")
        if target:
            (self.dir / "index.lock").unlink(missing_ok=True)
            self.git("reset", "-q", "--hard", target)
            store(self.state, {"head": target})

    def composed(self):
        """The commit that the work tree was composed to, or None."""
        return (load(self.state) or {}).get("head")

    def edits(self):
        """Files that differ from what was composed, commits included."""
        head = self.composed()
        if not head:
            return []
        if self.git("cat-file", "-t", head, check=False) != "commit":
            raise Failure(f"{self.path} borrows the base from a cache that "
                          "is gone; 'make clean' makes room for a new tree")
        self.git("update-index", "-q", "--refresh", check=False)
        names = set(self.git("diff", "--name-only", "-z", "--no-renames",
                             head).split("\0"))
        # Not by .gitignore: that of some bases ignores every new file.
        skip = [a for pattern in LITTER for a in ("-x", pattern)]
        names |= set(self.git("ls-files", "-o", "-z", *skip).split("\0"))
        return sorted(n for n in names if n)

    def refuse_edits(self):
        """Nothing that was edited in the composed tree is lost silently."""
        edited = self.edits()
        if edited:
            raise Failure(
                f"edited in {self.path} and not in the series:\n  "
                + "\n  ".join(edited[:20])
                + "\nwrite it back by 'make refresh P=<patch>', or drop it by"
                f"\n  git -C {self.path} reset -q --hard "
                f"{self.composed()[:12]} && git -C {self.path} clean -fdq")

    def commits(self, patches, keep=True):
        """Make one commit for each patch; returns all, the base first."""
        done = load(self.made) or {} if keep else {}
        head, ready, chain = self.base["commit"], None, []
        date = int(self.git("show", "-s", "--format=%ct", head))
        chain.append(head)
        for n, p in enumerate(patches, 1):
            key = self.key(head, p)
            parent, head = head, done.get(key)
            if not head or self.git("cat-file", "-t", head,
                                    check=False) != "commit":
                if ready != parent:
                    self.plumb("read-tree", parent)
                head = self.commit(parent, p, f"{date + 60 * n} +0000")
                ready = done[key] = head
            chain.append(head)
        if keep:
            store(self.made, {k: v for k, v in done.items() if v in chain})
        return chain

    @staticmethod
    def key(parent, p):
        """Everything that one commit depends on."""
        h = hashlib.sha256(f"{parent}\0{p.author}\0{p.message}\0{p.diff}"
                           .encode())
        for name in p.adds:
            file = TOP / name
            h.update(f"\0{name}\0{os.access(file, os.X_OK)}\0".encode())
            h.update(file.read_bytes())
        return h.hexdigest()

    def commit(self, parent, p, date):
        """Apply one patch to the prepared index and commit the result."""
        self.apply(p)
        for name in p.adds:
            if self.git("ls-tree", "--name-only", self.base["commit"], "--",
                        name):
                raise Failure(f"{p.name}: Adds: {name} exists in the base; "
                              "changes to it belong into the patch")
            mode = "100755" if os.access(TOP / name, os.X_OK) else "100644"
            blob = self.git("hash-object", "-w", TOP / name)
            self.plumb("update-index", "--add", "--cacheinfo",
                       f"{mode},{blob},{name}")
        who, mail = p.person()
        extra = {"GIT_AUTHOR_NAME": who, "GIT_AUTHOR_EMAIL": mail,
                 "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_NAME": who,
                 "GIT_COMMITTER_EMAIL": mail, "GIT_COMMITTER_DATE": date}
        return self.plumb("commit-tree", "-p", parent, "-F", "-",
                          self.plumb("write-tree"), extra=extra,
                          input=p.message)

    def apply(self, p):
        """Apply a patch's diff to the prepared index, without any fuzz."""
        if not p.diff:
            return
        env = os.environ | {"GIT_INDEX_FILE": str(self.index)}
        done = subprocess.run(
            ["git", "-C", self.path, "apply", "--cached",
             "--whitespace=nowarn", "-"], input=p.diff, text=True, env=env,
            stderr=subprocess.PIPE, check=False)
        if done.returncode:
            raise Failure(f"patches/{p.name} does not apply to Linux "
                          f"{self.base['version']} with the patches before "
                          f"it:\n{done.stderr.strip()}")

    def switch(self, head):
        """Write the files that differ between the old state and the new."""
        old = self.composed()
        if old == head:
            return 0
        store(self.state, {"head": old, "next": head})
        if old:
            names = self.git("diff", "--name-only", "--no-renames", old,
                             head)
            changed = len(names.splitlines())
            self.git("read-tree", "-m", "-u", old, head)
        else:
            say("  writing the whole tree")
            self.git("read-tree", "-m", "-u", head)
            changed = len(self.git("ls-files").splitlines())
        self.git("update-ref", "HEAD", head)
        store(self.state, {"head": head})
        return changed

    def adopt(self, head):
        """Declare the work tree, which has this content, to be composed."""
        self.git("read-tree", head)
        self.git("update-ref", "HEAD", head)
        self.git("update-index", "-q", "--refresh", check=False)
        store(self.state, {"head": head})


def stock():
    """A tree of the base alone, whatever was left in it."""
    tree = Tree(OUT / "stock")
    tree.prepare()
    tree.switch(tree.base["commit"])
    tree.git("reset", "-q", "--hard", tree.base["commit"])
    tree.git("clean", "-q", "-fd")
    return tree.path
