# SPDX-License-Identifier: GPL-2.0-only
"""Measure the mapping functions of a kernel object in a process."""

import re

import kernel
import tree
from common import LINUX, OUT, TOP, Failure, run, tail_of

FUNCTIONS = ("dma_map_phys", "dma_unmap_phys")
# Distributions have it, so that the base looks for operations of a device.
STOCK = "CONFIG_GART_IOMMU=y"
OBJECT = "kernel/dma/mapping.o"
PROBE = """\
/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/device.h>
const unsigned long dma_mask_at = offsetof(struct device, dma_mask);
const unsigned long device_size = sizeof(struct device);
"""


def objects(path, name):
    """Build the object and learn where struct device keeps its mask."""
    build = kernel.Build("q35", path, OUT / f"build-{name}",
                         strict=name != "stock",
                         extra=STOCK if name == "stock" else "")
    code, log = build.object(OBJECT, name=f"dispatch-{name}")
    if code:
        raise Failure(f"{OBJECT} does not build, see {log}\n{tail_of(log)}")
    probe = OUT / "bench" / name
    probe.mkdir(parents=True, exist_ok=True)
    (probe / "probe.c").write_text(PROBE, encoding="utf-8")
    (probe / "Kbuild").write_text("obj-m := probe.o\n", encoding="utf-8")
    code, log = build.object("probe.o", options=(f"M={probe}",),
                             name=f"dispatch-{name}-probe")
    if code:
        raise Failure(f"the probe does not build, see {log}\n{tail_of(log)}")
    return build.dir / OBJECT, probe


def constants(probe):
    """The values of the probe's constants."""
    found = {}
    text = run("objdump", "-s", "-j", ".rodata", probe / "probe.o")
    data = bytes.fromhex("".join(re.findall(
        r"^ [0-9a-f]+ ((?:[0-9a-f]+ ){1,4})", text, re.M)).replace(" ", ""))
    for line in run("nm", probe / "probe.o").splitlines():
        at, _, name = line.split()[-3:]
        if name in ("dma_mask_at", "device_size"):
            at = int(at, 16)
            found[name] = int.from_bytes(data[at:at + 8], "little")
    return found


def stubs(obj):
    """Assembler text for what the object needs from the kernel.

    Called symbols return at once, direct mapping with the physical address;
    all others are zeroed memory: no IOMMU, no operations, no tracing.
    """
    calls = set(re.findall(r"R_X86_64_PLT32\s+([\w.]+)",
                           run("objdump", "-r", obj)))
    code = ['.section .note.GNU-stack,"",@progbits', ".text",
            ".globl stubs, stubs_end", "stubs:"]
    data = [".data"]
    for line in run("nm", "-u", obj).splitlines():
        name = line.split()[-1]
        label = f".globl {name}\n{name}:"
        if name == "dma_direct_map_phys":
            code += [label, "mov %rsi, %rax", "ret"]
        elif name in calls:
            code += [label, "ret"]
        else:
            data += [label, ".zero 4096"]
    return "\n".join([*code, "stubs_end:", *data, ""])


def length(obj, name):
    """Number of instructions of a function."""
    text = run("objdump", "-d", "--no-show-raw-insn",
               f"--disassemble={name}", obj)
    return len([ln for ln in text.splitlines()
                if re.match(r" +[0-9a-f]+:\t", ln)
                and not re.search(r"\t(nop|int3|cs nop|data16)", ln)])


def count(obj, probe):
    """Run the functions in a process that counts their instructions."""
    stub, stepper = probe / "stubs.S", probe / "stepper"
    stub.write_text(stubs(obj), encoding="utf-8")
    defines = [f"-D{k.upper()}={v}" for k, v in constants(probe).items()]
    run("gcc", "-O1", "-Wall", "-Werror", "-nostdlib", "-static", "-no-pie",
        "-ffreestanding", "-fcf-protection=none", "-fno-stack-protector",
        *defines, "-o", stepper, TOP / "scripts/dispatch-step.c", stub, obj)
    found = {}
    for name in FUNCTIONS:
        found[name] = {"run": int(run(stepper, name, timeout=60)),
                       "length": length(obj, name)}
    return found


def measure():
    """Counts of the stock base and of the composed tree."""
    return [count(*objects(path, name))
            for path, name in ((tree.stock(), "stock"), (LINUX, "q35"))]
