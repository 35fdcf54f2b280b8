# SPDX-License-Identifier: GPL-2.0-only
"""KUnit under KCSAN: do two CPUs share data that they should not?"""

import re
import shutil
import subprocess

import kernel
import results
from common import OUT, logged, say, step, tail_of
from vm_ktap import STAMP

# Seconds for the boot and the tests, on a slow machine.
LIMIT = 1200
# Reports with a function of one of these in a stack are failures; others are
# the base's own.
OURS = ("drivers/iommu/iova-arena", "drivers/iommu/iova-tree",
        "drivers/iommu/dma-flush", "drivers/iommu/dma-arena",
        "drivers/iommu/dma-window", "drivers/iommu/soft/")
BEGIN = "BUG: KCSAN:"
RULE = re.compile(r"=+$")
FUNCTION = re.compile(r"([\w.]+)\+0x[0-9a-f]+/0x[0-9a-f]+")


def suite(done):
    """Boot a kernel with KCSAN in QEMU; its KUnit suites, then the races."""
    build = kernel.Build("kcsan")
    done.check("kcsan", "build", build.make)
    if done.all[-1].status != "pass":
        return
    log = OUT / "logs/kcsan.console"
    done.check("kcsan", "boot", boot, build, log)
    if done.all[-1].status != "pass":
        return
    for name, status, detail in results.kunit(log):
        done.add("kcsan", name, status, detail)
    done.check("kcsan", "races", judge, build, log)


def boot(build, log):
    """Run the tests on two CPUs that really work at one time."""
    if not shutil.which("qemu-system-x86_64"):
        raise results.Skip("qemu-system-x86_64 is not installed")
    log.parent.mkdir(parents=True, exist_ok=True)
    command = ["qemu-system-x86_64", "-machine", "q35",
               "-accel", "tcg,thread=multi", "-cpu", "max",
               "-smp", "2", "-m", "1G", "-nodefaults",
               "-no-reboot", "-display", "none", "-serial", f"file:{log}",
               "-kernel", build.dir / "arch/x86/boot/bzImage", "-append",
               "console=ttyS0 panic=-1 kunit_shutdown=reboot "
               # Else time may stand still while interrupts are off.
               "tsc=reliable no_timer_check"]
    log.unlink(missing_ok=True)
    with step("kcsan"):
        try:
            code, said = logged("kcsan-qemu", *command, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            return f"not through after {LIMIT} s, see {log}"
    if code:
        return f"QEMU ended with {code}\n{tail_of(said)}"
    text = log.read_text(errors="replace")
    if "kcsan: enabled" not in text:
        return f"KCSAN was not enabled, see {log}"
    if not re.search(r"smp: Brought up 1 node, 2 CPUs", text):
        return f"there were not two CPUs, see {log}"
    return None


def reports(text):
    """The reports of races in a log, each as its lines."""
    found, mine = [], None
    for line in text.splitlines():
        line = STAMP.sub("", line).rstrip()
        if line.startswith(BEGIN):
            mine = []
            found.append(mine)
        elif RULE.match(line):
            mine = None
        if mine is not None:
            mine.append(line)
    return found


def functions(build):
    """Names of the functions of our objects, in all their variants."""
    names = set()
    for prefix in OURS:
        for obj in build.dir.glob(f"{prefix}*.o"):
            table = subprocess.run(["nm", obj], text=True, check=True,
                                   stdout=subprocess.PIPE).stdout
            names |= {ln.split()[2].split(".")[0]
                      for ln in table.splitlines()
                      if ln.split()[-2] in "tT"}
    return names


def judge(build, log):
    """Our races; those of others are only listed."""
    ours = functions(build)
    if not ours:
        return "no object file of the allocator was found"
    bad = []
    for report in reports(log.read_text(errors="replace")):
        stack = {m.split(".")[0] for ln in report
                 for m in FUNCTION.findall(ln)}
        if stack & ours:
            bad += report
        else:
            say(f"  not ours: {report[0]}")
    return "\n".join(bad)
