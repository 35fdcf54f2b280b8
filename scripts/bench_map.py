# SPDX-License-Identifier: GPL-2.0-only
"""Run the kernel's own map_benchmark on the machine with a VT-d.

This shows that it works, not how fast it is: the machine is emulated. So is
the NVMe disk that is read there, but what larger commands save is shown: their
number, and the time of the CPU and of the emulation for each.
"""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import vm_machine
from common import LINUX, LOGS, OUT, TOP, Failure, run, say, step
from kernel import Build

NAME = "map_benchmark"
LIMIT = 180
QEMU = "qemu-system-x86_64"
MACHINE = ["-nodefaults", "-no-user-config", "-display", "none",
           "-no-reboot", "-M", "q35", "-accel", "tcg,thread=multi", "-m",
           "1G", "-smp", "2", "-device", "intel-iommu,intremap=on", "-device",
           "edu", "-drive", "if=none,id=nvme,driver=null-co,size=1G",
           "-device", "nvme,drive=nvme,serial=bench,mdts=0", "-serial",
           "stdio"]
BAD = ("WARNING:", "BUG:", "Oops", "DMAR: [DMA", "rcu: INFO", "panic")


def image(target):
    """An initramfs with busybox, the tool and what starts it."""
    with tempfile.TemporaryDirectory() as scratch:
        top = Path(scratch)
        for name in ("bin", "dev", "proc", "sys"):
            (top / name).mkdir()
        shutil.copy(shutil.which("busybox") or "", top / "bin/busybox")
        shutil.copy(TOP / "guest/map-benchmark", top / "init")
        headers = top / "include/linux"
        headers.mkdir(parents=True)
        shutil.copy(LINUX / "include/uapi/linux/map_benchmark.h", headers)
        run("gcc", "-O2", "-static", "-D_GNU_SOURCE",
            f"-I{top / 'include'}", "-o", top / "bin/dma_map_benchmark",
            LINUX / "tools/dma/dma_map_benchmark.c")
        shutil.rmtree(top / "include")
        names = "\n".join(str(p.relative_to(top))
                          for p in sorted(top.rglob("*")))
        target.write_bytes(run("cpio", "-o", "-H", "newc", "--quiet",
                               "-R", "0:0", cwd=top, input=names.encode()))


def console(machine, kernel, initrd, words, name, known=None, qemu=QEMU):
    """Let a machine run until it powers off; returns its console's text.

    Of what the kernel complains about, what is known is no failure.
    """
    words = ["console=ttyS0", "panic=-1", "loglevel=5", "intel_iommu=on",
             "no_timer_check", *words]
    log = LOGS / f"{name}.console"
    LOGS.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as f:
        try:
            subprocess.run([qemu, *machine, "-kernel", kernel, "-initrd",
                            initrd, "-append", " ".join(words)], stdout=f,
                           stdin=subprocess.DEVNULL, timeout=LIMIT,
                           stderr=subprocess.STDOUT, check=False)
        except subprocess.TimeoutExpired:
            raise Failure(f"the machine did not power off, see {log}"
                          ) from None
    text = log.read_text(errors="replace")
    bad = [ln for ln in text.splitlines() if any(b in ln for b in BAD)
           and not (known and re.search(known, ln))]
    if "rig: done" not in text or bad:
        raise Failure(f"{name} failed, see {log}\n" + "\n".join(bad[:10]))
    return text


def boot(kernel, initrd, allocator):
    """One boot; returns what the tool measured, in us by run."""
    name = f"{NAME}-{allocator}"
    text = console(MACHINE, kernel, initrd, [
        "iommu.strict=0", f"iommu.iova={allocator}",
        *vm_machine.clock_words(OUT / "tools/dmaload")], name)
    log, found = LOGS / f"{name}.console", {}
    for name, rest in re.findall(r"rig: run (.*?)\r?\n(.*?)(?=rig: )", text,
                                 re.S):
        times = re.findall(r"average (?:un)?map latency\(us\):([\d.]+)", rest)
        if len(times) != 2:
            raise Failure(f"{NAME} {name} printed no times, see {log}")
        found[f"{NAME} {name.strip()}"] = sum(float(t) for t in times)
    return found | nvme(text, log)


def nvme(text, log):
    """Reading by 128 KiB, and by what the allocator makes the most, in us."""
    most = re.search(r"rig: nvme-most (\d+)", text)
    best = {}
    for m in re.finditer(r"rig: nvme (\d+) (\d+) (\d+) (\d+)", text):
        size, mib, ticks, commands = map(int, m.groups())
        us = ticks * 10000 / mib
        if us < best.get(size, (us + 1, 0))[0]:
            best[size] = us, commands * 1024 // mib
    if not most or int(most[1]) not in best or 128 not in best:
        raise Failure(f"reading the NVMe disk printed no times, see {log}")
    for size, (us, commands) in sorted(best.items()):
        say(f"  NVMe, commands of {size} KiB: {us:.0f} us for each MiB, "
            f"{commands} commands for each GiB")
    return {"nvme-read 128k": best[128][0],
            "nvme-read most": best[int(most[1])][0]}


def liveness(kernel=None):
    """Both allocators' boots, as rows like those of the other works."""
    if not kernel:
        build = Build("q35")
        build.make()
        kernel = build.dir / "arch/x86/boot/bzImage"
    initrd = OUT / f"initramfs-{NAME}.cpio"
    image(initrd)
    rows = []
    for side, allocator in (("stock", "rcache"), ("new", "arena")):
        with step(f"{NAME} {allocator}"):
            for name, value in boot(kernel, initrd, allocator).items():
                rows.append({
                    "work": name, "side": side, "unit": "us",
                    "value": value, "worst_ns": 0, "unmaps": 0, "all": 0,
                    "ranged": 0, "pages": 0})
    say(f"{NAME} works on the machine with a VT-d; it is emulated, its "
        "times say little")
    return rows
