# SPDX-License-Identifier: GPL-2.0-only
"""Statistics, table, JSON and plots of the benchmark."""

import math
import re
import statistics
import subprocess

from common import say, store

# What is aimed at: the ratio of new to stock is at most that.
REACH = {
    "map-4k": 0.6, "two-4k": 0.5, "cross-4k": 0.5, "two-256k": 0.4,
    "two-1m": 0.4, "iova-1m-flush5": 0.3, "strict-two-4k-flush5": 0.6,
    "alloc-fragmented": 0.01, "flushes-map-4k": 0.2, "memory-idle": 1.0,
    "windows-4k-to": 1.0, "windows-4k-from": 1.0, "windows-64k-to": 0.5,
    "windows-64k-from": 0.5, "windows-1m-to": 0.2, "windows-1m-from": 0.2,
    "capable-4k-to": 1.0, "capable-4k-from": 1.0, "capable-64k-to": 1.0,
    "capable-64k-from": 1.0, "capable-1m-to": 1.0, "capable-1m-from": 1.0,
    "camera-lazy-4k": 0.9, "camera-lazy-64k": 0.9, "camera-lazy-1m": 0.9,
    "camera-strict-4k": 0.9, "camera-strict-64k": 0.9,
    "camera-strict-1m": 0.9, "camera-lines": 0.5,
}
# Here the new side's own figure counts, whatever stock has.
REACH_OWN = {"aged-growth": 1.1, "windows-bounced": 0, "capable-bounced": 0,
             "windows-disk-bounced": 0, "windows-disk-slots": 0,
             "tces-40-kills": 0, "tces-40-writes": 0}
# Here more is better.
REACH_LEAST = {"windows-in-flight": 512, "windows-in-flight-noforce": 512}
# Works whose ratio says nothing: they measure the machine, or on one that is
# emulated, or more is better.
NO_RATIO = ("machine-", "map_benchmark", "windows-in-flight")


def percentile(values, share):
    """The smallest value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def side_of(rows):
    """One side of a record."""
    values = [r["value"] for r in rows]
    unmaps = sum(r["unmaps"] for r in rows)
    flushes = sum(r["all"] + r["ranged"] for r in rows)
    found = {"median": statistics.median(values),
             "p95": percentile(values, 0.95), "worst": max(values),
             "rounds": len(values), "values": values,
             "worst_call_ns": max(r["worst_ns"] for r in rows)}
    if unmaps:
        found["flushes_per_million"] = flushes * 1e6 / unmaps
        for name, count in (("domain_flushes", "all"),
                            ("ranged_flushes", "ranged"),
                            ("pages", "pages")):
            found[f"{name}_per_million"] = (sum(r[count] for r in rows)
                                            * 1e6 / unmaps)
    return found


def judged(rec, sides, judge):
    """A record with its ratio and, where there is a goal, the verdict."""
    stock, new = rec.get(sides[0]), rec.get(sides[1])
    rec["ratio"] = rec["reach"] = rec["met"] = None
    if stock and new and stock["median"] \
            and not rec["work"].startswith(NO_RATIO):
        rec["ratio"] = new["median"] / stock["median"]
    if rec["work"] in REACH_OWN and new:
        rec["reach"] = REACH_OWN[rec["work"]]
        rec["met"] = new["median"] <= rec["reach"]
    elif rec["work"] in REACH_LEAST and new:
        rec["reach"] = REACH_LEAST[rec["work"]]
        rec["met"] = new["median"] >= rec["reach"]
    elif rec["work"] in REACH and rec["ratio"] is not None:
        rec["reach"] = REACH[rec["work"]]
        rec["met"] = rec["ratio"] <= rec["reach"]
    if not judge:
        rec["met"] = None
    return rec


def derived(work, unit, values):
    """Rows of a work that is calculated from others."""
    return [{"work": work, "side": side, "unit": unit, "value": value,
             "worst_ns": 0, "unmaps": 0, "all": 0, "ranged": 0, "pages": 0}
            for side, value in values]


def growth(rows):
    """The last tenth of each life against its first."""
    lives = {}
    for r in rows:
        life = lives.setdefault((r["side"], r["round"], r["start"]), {})
        life[int(r["tenth"])] = r["value"]
    return derived("aged-growth", "ratio", [
        (key[0], tenths[10] / tenths[1]) for key, tenths in lives.items()
        if 1 in tenths and 10 in tenths])


def flushes(work, rows):
    """Flushes per million unmaps, round by round."""
    return derived(f"flushes-{work}", "per-million", [
        (r["side"], (r["all"] + r["ranged"]) * 1e6 / r["unmaps"])
        for r in rows if r["unmaps"]])


def expanded(samples):
    """All rows by work, calculated works after those they come from."""
    found = {}
    for work in samples.works():
        rows = [r for r in samples.rows if r["work"] == work]
        found[work] = rows
        if work in ("map-4k", "two-4k", "cross-4k"):
            found[f"flushes-{work}"] = flushes(work, rows)
        if work == "aged":
            found["aged-growth"] = growth(rows)
    return {work: rows for work, rows in found.items() if rows}


def records(samples, sides):
    """The list that goes into the JSON file."""
    found = []
    for work, rows in expanded(samples).items():
        rec = {"work": work, "unit": rows[0]["unit"]}
        for side in sides:
            mine = [r for r in rows if r["side"] == side]
            if mine:
                rec[side] = side_of(mine)
        found.append(judged(rec, sides, samples.arena))
    return found


def shown(value):
    """A figure with about four digits."""
    if value is None:
        return "-"
    digits = 0 if value >= 1000 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def figures(side, unit):
    """Median, 95th percentile and worst call of one side, for the table."""
    if not side:
        return f"{'-':>34}"
    worst = {"ns": side["worst_call_ns"], "insns": side["worst"]}.get(unit)
    worst = shown(worst / 1000) if worst else "-"
    return f"{shown(side['median']):>12}{shown(side['p95']):>12}{worst:>10}"


def table(found, sides):
    """The records for people."""
    say(f"\n{'':32}{sides[0] + ': median':>14}{'p95':>12}{'worst us':>10}"
        f"{sides[1] + ': median':>14}{'p95':>12}{'worst us':>10}"
        f"{'ratio':>8}  reach")
    for rec in found:
        reach = ""
        if rec["reach"] is not None:
            least = rec["work"] in REACH_LEAST
            own = " own" if least or rec["work"] in REACH_OWN else ""
            word = {None: "aim", True: "met", False: "missed"}[rec["met"]]
            reach = f"{word} ({'>=' if least else '<='} {rec['reach']}{own})"
        ratio = "-" if rec["ratio"] is None else f"{rec['ratio']:.3f}"
        name = rec["work"] + ("" if rec["unit"] == "ns"
                              else f" [{rec['unit']}]")
        say(f"{name:34}{figures(rec.get(sides[0]), rec['unit'])}"
            f"  {figures(rec.get(sides[1]), rec['unit'])}{ratio:>8}  {reach}")
    say("worst us: the worst single call, in thousands where instructions are "
        "counted;\nmachine-*: what a clock reading and an irqsave/irqrestore "
        "pair cost under\nUser-mode Linux, which no change here affects")


def flushed(found, sides):
    """What was flushed, of the works that unmap."""
    kinds = ("domain_flushes", "ranged_flushes", "pages")
    lines = []
    for rec in found:
        cells = [rec.get(side, {}).get(f"{kind}_per_million")
                 for side in sides for kind in kinds]
        if any(cell is not None for cell in cells):
            lines.append(f"{rec['work']:30}" + "".join(
                f"{shown(cell):>{width}}"
                for cell, width in zip(cells, 2 * (13, 10, 12))))
    if not lines:
        return
    say("\nper million unmaps: flushes of the whole domain, flushes of a "
        "range, pages in these ranges\n" + " " * 30 + "".join(
            f"{side + ': domain':>13}{'ranges':>10}{'pages':>12}"
            for side in sides))
    for line in lines:
        say(line)


def sweep(found, sides):
    """What the works about sizes say, one line for each size."""
    sweeps = {}
    for rec in found:
        m = re.fullmatch(r"sweep-(\w+-\d)-(\d+)([km])", rec["work"])
        if m and all(side in rec for side in sides):
            kib = int(m[2]) << (10 if m[3] == "m" else 0)
            sweeps.setdefault(kib, {})[m[1]] = rec
    if not sweeps:
        return
    names = list(dict.fromkeys(n for row in sweeps.values() for n in row))
    say("\nns for each MiB, " + " : ".join(sides) + ", and ratio; the number "
        "is that of CPUs\n" + " " * 10 + "".join(f"{n:>28}" for n in names))
    for kib, row in sorted(sweeps.items()):
        cells = [f"{kib} KiB".ljust(10)]
        for name in names:
            rec = row.get(name)
            cells.append("-".rjust(28) if not rec else " : ".join(
                f"{rec[side]['median'] * 1024 / kib:,.0f}"
                for side in sides).rjust(20) + f"{rec['ratio']:8.3f}")
        say("".join(cells))


def plot(path, title, setup, blocks):
    """One SVG picture of rows of data."""
    data = "".join(f"$d{n} << EOD\n" + "\n".join(rows) + "\nEOD\n"
                   for n, rows in enumerate(blocks))
    script = (f"set terminal svg size 1100,560 background 'white'\n"
              f"set output '{path}'\nset title '{title}'\n"
              f"set grid ytics\n{data}{setup}\n")
    try:
        done = subprocess.run(["gnuplot"], input=script, text=True,
                              stderr=subprocess.PIPE, check=False)
    except FileNotFoundError:
        say("no plots: gnuplot is not installed")
        return
    if done.returncode:
        say(f"no {path.name}: {done.stderr.strip()}")
    else:
        say(f"written: {path}")


def plot_ratios(found, path, sides):
    """Ratio of each work, with what is aimed at."""
    rows, goals = [], []
    for rec in found:
        if rec["ratio"] is not None:
            rows.append(f'"{rec["work"]}" {rec["ratio"]:.4f}')
            if rec["work"] in REACH:
                goals.append(f"{len(rows) - 1} {rec['reach']}")
    if not rows:
        return
    goal = (", $d1 using 1:2 with points pt 2 lc 'red' title 'aim'"
            if goals else "")
    plot(path, f"Ratio of {sides[1]} to {sides[0]} (less is better)",
         "set style fill solid 0.7\nset boxwidth 0.6\nset yrange [0:*]\n"
         "set xtics rotate by -50 noenhanced\nset key top right\n"
         "plot $d0 using 0:2:xtic(1) with boxes lc '#4477aa' notitle, "
         f"1 lc 'black' notitle{goal}", [rows, goals or ["0 0"]])


def plot_aged(samples, path, sides):
    """The course of an aged space."""
    blocks = []
    for side in sides:
        rows = [r for r in samples.rows if r["work"] == "aged"
                and r["side"] == side]
        tenths = sorted({int(r["tenth"]) for r in rows})
        blocks.append([
            f"{t} " + str(statistics.median(
                r["value"] for r in rows if r["tenth"] == t))
            for t in tenths])
    if all(blocks):
        curves = ", ".join(f"$d{n} with linespoints lw 2 title '{side}'"
                           for n, side in enumerate(sides))
        plot(path, "Aged space: ns per operation", "set yrange [0:*]\n"
             "set xlabel 'tenth of the run'\nset ylabel 'ns'\n"
             f"plot {curves}", blocks)


def plot_spread(found, path, sides):
    """Each round of the works that have an aim in ns."""
    rows = [rec for rec in found if rec["work"] in REACH
            and rec["unit"] == "ns" and all(s in rec for s in sides)]
    if not rows:
        return
    blocks = [[f"{n + shift} {value}" for n, rec in enumerate(rows)
               for value in rec[side]["values"]]
              for side, shift in zip(sides, (-0.15, 0.15))]
    tics = ", ".join(f'"{rec["work"]}" {n}' for n, rec in enumerate(rows))
    curves = ", ".join(f"$d{n} with points pt 7 ps 0.5 title '{side}'"
                       for n, side in enumerate(sides))
    plot(path, "All rounds", "set logscale y\nset ylabel 'ns'\n"
         f"set xtics ({tics}) rotate by -40 noenhanced\n"
         f"set xrange [-0.5:{len(rows) - 0.5}]\nplot {curves}", blocks)


def report(samples, sides, path):
    """Table, JSON file and plots; their names begin with @path."""
    found = records(samples, sides)
    table(found, sides)
    flushed(found, sides)
    sweep(found, sides)
    for work, reason in samples.skipped.items():
        say(f"skipped: {work}, {reason}")
    store(path.with_suffix(".json"), found)
    say(f"written: {path.with_suffix('.json')}")
    plot_ratios(found, path.with_name(path.name + "-ratios.svg"), sides)
    plot_spread(found, path.with_name(path.name + "-rounds.svg"), sides)
    plot_aged(samples, path.with_name(path.name + "-aged.svg"), sides)
