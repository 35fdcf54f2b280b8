# SPDX-License-Identifier: GPL-2.0-only
"""Machines that are kept busy with all that they have, see guest/soak.

Each is one of the others in one of its modes, and "debug" its debug kernel.
"""

import dataclasses

import vm_calgary
import vm_camera
import vm_gart
import vm_guests
import vm_power
import vm_q35
import vm_small
from vm_machine import NODMA, NODMA_OF, Mode, board_of

# What two devices must not touch with the layer "nodma"
FORBIDDEN = (("1234:11e8", NODMA_OF["1234:11e8"]), ("1af4:1042", NODMA))
TESTS = ("limits", "streaming-below-mask", "streaming-above-mask",
         "scatterlist", "coherent", "sync-reuse", "alloc-pages",
         "alloc-noncontiguous", "random", "masks-differ", "mask-change")


def words_of(mode, hot, guest):
    """What the guest is told, in place of what it does in that mode."""
    kept = [word for word in mode.words.split() if not word.startswith("rig.")]
    failing = {name.rpartition(".")[2] for name in mode.known}
    tests = [test for test in TESTS if test not in failing]
    nodma = ",".join(f"pci:{device}:{area}" for device, area in FORBIDDEN)
    return " ".join([*kept, f"dma_nodma={nodma}",
                     f"rig.soak-tests={','.join(tests)}",
                     *([f"rig.soak-hot={','.join(hot)}"] if hot else []),
                     *([f"rig.soak-guest={','.join(guest)}"] if guest
                       else [])])


def workers(machine, hot, guest):
    """Names of all who work in the guest, and have to have done something."""
    for role in machine.roles:
        if role in machine.disks or role.startswith("edu"):
            if role not in guest:
                yield role
    for kind, name in (("nic", "net"), ("camera", "cameras")):
        if any(role.startswith(kind) for role in machine.roles):
            yield name
    yield "memory"
    yield "cpu1"
    if hot:
        yield "hot-plug"
    if guest:
        yield "guests"


def in_the_end(machine):
    """Results of what all devices do when there are no faults any more."""
    for role in machine.roles:
        if role in machine.disks:
            yield f"{role}.end.verify"
        elif role.startswith("edu"):
            yield f"{role}.end.random"
        elif role.startswith("camera"):
            yield f"{role}.end"
    if any(role.startswith("nic") for role in machine.roles):
        yield "net.end.receive"


def soaked(machine, name, hot=(), guest=(), debug_log=()):
    """A machine that is busy in the way of one of its modes.

    Its debug kernel may report what debug_log says.
    """
    mode = machine.modes[name]
    busy = Mode(
        words_of(mode, hot, guest), f"all at work: {mode.what}", mode.domain,
        layers=mode.layers or vm_small.STATS, iommu=mode.iommu,
        qemu=mode.qemu, next=mode.next,
        ran=tuple(f"{role}.leak" for role in machine.roles
                  if not role.startswith("camera")))
    modes = {name: busy}
    if board_of(machine).arch == "x86_64":
        modes["debug"] = dataclasses.replace(
            busy, what=f"debug kernel, {busy.what}", slow=True,
            known_log=debug_log)
    required = [f"soak.{worker}" for worker in workers(machine, hot, guest)]
    required += in_the_end(machine)
    return dataclasses.replace(
        machine, name=f"soak.{machine.name}", plan="soak", modes=modes,
        required=tuple(required))


ALL = (
    soaked(vm_q35.Q35, "lazy", hot=("nvme", "nic0"),
           debug_log=vm_q35.PCIEHP_KNOWN),
    soaked(vm_small.MASKS, "pt"),
    soaked(vm_gart.GART, "lazy"),
    soaked(vm_calgary.ALL[0], "lazy"),
    soaked(vm_calgary.ALL[1], "strict"),
    soaked(vm_camera.CAMERA, "lazy"),
    soaked(vm_guests.GUESTS, "pt", guest=vm_guests.CARDS),
    soaked(vm_power.POWER9, "window-4g"),
)
