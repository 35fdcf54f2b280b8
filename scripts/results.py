# SPDX-License-Identifier: GPL-2.0-only
"""Test results: one line for each as it ends, JUnit XML, and the verdict."""

import re
import sys
import time
import traceback
import xml.etree.ElementTree as ET
from dataclasses import dataclass

import vm_ktap
from common import LINUX, OUT, Failure, say

# Characters that XML 1.0 cannot carry.
CONTROL = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd]")


class Skip(Exception):
    """A prerequisite is missing; the message says which."""


@dataclass
class Result:
    """What became of one test."""
    suite: str
    name: str
    status: str
    seconds: float
    detail: str = ""


class Results:
    """All results of a run."""

    def __init__(self):
        self.all = []
        self.clock = time.monotonic()

    def add(self, suite, name, status, detail=""):
        """Record a result and print its line."""
        now = time.monotonic()
        seconds, self.clock = now - self.clock, now
        word = {"pass": "ok  ", "fail": "FAIL", "skip": "skip",
                "known": "known"}[status]
        line = f"{word} {suite}: {name} ({seconds:.1f} s)"
        if status in ("skip", "known") and detail:
            line += f": {detail.splitlines()[0]}"
        say(line)
        if status == "fail" and detail:
            say("     " + detail.strip()[-4000:].replace("\n", "\n     "))
        self.all.append(Result(suite, name, status, seconds, detail))

    def check(self, suite, name, func, *args):
        """Run one test: it fails by an exception or by returning text."""
        try:
            detail = func(*args)
        except Skip as e:
            self.add(suite, name, "skip", str(e))
            return
        except Failure as e:
            detail = str(e)
        except Exception:  # one broken test must not end the run
            detail = traceback.format_exc()
        self.add(suite, name, "fail" if detail else "pass", detail or "")

    def count(self, *statuses):
        """How many results have one of these statuses."""
        return sum(r.status in statuses for r in self.all)

    def verdict(self):
        """The last line of a run."""
        text = f"{self.count('pass')} passed, {self.count('fail')} failed"
        skipped = self.count("skip", "known")
        return text + (f", {skipped} skipped" if skipped else "")

    def summary(self):
        """What is not simply passed; at the end, what failed, and why."""
        for status, title in (("skip", "skipped"),
                              ("known", "known to fail on the stock "
                               "kernel too"), ("fail", "failed")):
            names = [r for r in self.all if r.status == status]
            if names:
                say(f"{title}:")
            for r in names:
                why = r.detail.strip().splitlines() if r.detail else []
                shown = why[:20 if status == "fail" else 1]
                say(f"  {r.suite}: {r.name}"
                    + (f": {shown[0]}" if why else ""))
                for line in shown[1:]:
                    say(f"      {line}")

    def junit(self, path):
        """Write the results as JUnit XML."""
        root = ET.Element("testsuites", failures=str(self.count("fail")),
                          tests=str(len(self.all)))
        for suite in dict.fromkeys(r.suite for r in self.all):
            mine = [r for r in self.all if r.suite == suite]
            node = ET.SubElement(
                root, "testsuite", name=suite, tests=str(len(mine)),
                failures=str(sum(r.status == "fail" for r in mine)),
                skipped=str(sum(r.status in ("skip", "known")
                                for r in mine)),
                time=f"{sum(r.seconds for r in mine):.1f}")
            for r in mine:
                case = ET.SubElement(node, "testcase", classname=suite,
                                     name=CONTROL.sub("?", r.name),
                                     time=f"{r.seconds:.1f}")
                text = CONTROL.sub("?", r.detail)
                if r.status == "fail":
                    ET.SubElement(case, "failure").text = text
                elif r.status != "pass":
                    ET.SubElement(case, "skipped", message=text[:500])
        OUT.mkdir(parents=True, exist_ok=True)
        ET.ElementTree(root).write(path, "utf-8", xml_declaration=True)


def leaves(test, prefix=""):
    """(name, status, detail) of the innermost tests of a kunit_parser tree.

    Its errors (a missing plan, a test that never ended) count as failures.
    """
    name = "/".join(x for x in (prefix, test.name) if x and x != "main")
    status = {"SUCCESS": "pass", "SKIPPED": "skip"}.get(test.status.name,
                                                        "fail")
    found = [leaf for t in test.subtests for leaf in leaves(t, name)]
    if not test.subtests or (status == "fail" and not any(
            s == "fail" for _, s, _ in found)):
        log = [ln for ln in test.log if ln.strip()]
        found.append((name or "report", status, "\n".join(log[-40:])
                      or test.status.name.lower()))
    return found


def kunit(path):
    """Results in the log of a KUnit run, by the kernel's own parser."""
    sys.path.insert(0, str(LINUX / "tools/testing/kunit"))
    import kunit_parser
    from kunit_printer import null_printer
    text = path.read_text(errors="replace").splitlines()
    test = kunit_parser.parse_run_tests(text, null_printer)
    reasons = dict(re.findall(r"ok \d+ (?:- )?(\S.*?) +# SKIP (.+)",
                              "\n".join(text)))
    found = [(name, status, reasons.get(name.split("/")[-1], detail)
              if status == "skip" else detail)
             for name, status, detail in leaves(test)]
    if test.counts.errors:
        found.append(("report", "fail", f"{test.counts.errors} errors in "
                      f"the form of the report, see {path}"))
    return found


def machine(path):
    """Results in the report of a machine; nested names are joined."""
    text = path.read_text(errors="replace").splitlines()
    flat, complaints = vm_ktap.parse(text)
    found, inner = [], {}
    for r in flat:
        nested = inner.pop(r.depth + 1, [])
        status = ("skip" if r.skipped else "pass" if r.passed
                  else "known" if r.known else "fail")
        mine = [(f"{r.name}/{n}", s, d) for n, s, d in nested]
        if not mine or (status == "fail"
                        and all(s != "fail" for _, s, _ in mine)):
            why = "\n".join(r.notes) if status == "fail" else r.skipped
            mine.append((r.name, status, why or ""))
        if r.depth:
            inner.setdefault(r.depth, []).extend(mine)
        else:
            found += mine
    found += [(n, s, d) for rest in inner.values() for n, s, d in rest]
    found += [("report", "fail", c) for c in complaints]
    return found
