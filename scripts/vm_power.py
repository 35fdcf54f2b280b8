# SPDX-License-Identifier: GPL-2.0-only
"""POWER machines: the bare one with its firmware, and a hypervisor's guest."""

import dataclasses
import math

from vm_machine import Board, Machine, Mode, blockdevs

EDU = "1234:11e8"
DISKS = ("nvme", "virtio")
# Network cards: PCI id, QEMU's device. The driver of nic32 wants ports, which
# the bare machines have not.
NICS = {
    "nic1": ("8086:10d3", "e1000e,mac=52:54:00:07:00:02"),
    "nic2": ("1af4:1041", "virtio-net-pci,mac=52:54:00:07:00:03,"
                          "disable-legacy=on,iommu_platform=on"),
    "nic32": ("8086:100e", "e1000,mac=52:54:00:07:00:03"),
}


def power_words(accel, tool):
    """What the kernel is told."""
    del accel, tool
    return ["console=hvc0"]


def board(args):
    """The same kernel and the same QEMU serve both machines."""
    return Board(config="power", arch="powerpc", kernel="vmlinux",
                 qemu="qemu-system-ppc64", words=power_words,
                 trace="phb4_tce_*", built=True, emulated=True,
                 args=lambda mode, accel: [*args, "-accel",
                                           "tcg,thread=multi"])


def edu(bits, place):
    """A card with an address mask."""
    return ["-device", f"edu,id=edu{bits},{place},"
            f"dma_mask={(1 << bits) - 1:#x}"]


def others(images, places):
    """Disks and, where they have places, network cards."""
    args = blockdevs(images) + [
        "-device", f"nvme,id=nvme,{places['nvme']},drive=disk-nvme,"
        "serial=nvme",
        "-device", f"virtio-blk-pci,id=virtio,{places['virtio']},"
        "drive=disk-virtio,disable-legacy=on,iommu_platform=on,"
        "serial=virtio"]
    for role, (_, device) in NICS.items():
        if role not in places:
            continue
        args += ["-netdev", f"hubport,id=net-{role},hubid=0", "-device",
                 f"{device},id={role},{places[role]},netdev=net-{role},"
                 "romfile="]
    return args


def machine(name, bits, nics=("nic1", "nic32"), **more):
    """A machine with these cards, in the order of their addresses."""
    cards = tuple(f"edu{n}" for n in bits)
    required = [f"{disk}.traffic.{what}" for disk in DISKS
                for what in ("write", "verify")]
    required += [f"{card}.run" for card in cards]
    ids = [("nvme", "1b36:0010", 1), ("virtio", "1af4:1042", 1)]
    required += [f"{nic}.{what}" for last in nics[-1:]
                 for nic in (last, f"{last}.back")
                 for what in ("send", "receive", "through-card")]
    ids += [(nic, NICS[nic][0], 1) for nic in nics]
    ids += [(card, EDU, n) for n, card in enumerate(cards, 1)]
    return Machine(
        name=name, cpus=2, disks=DISKS, plan="short", ids=tuple(ids),
        roles=tuple(role for role, *_ in ids), required=tuple(required),
        **more)


# What is counted, for the table of devices.
STATS = tuple((device, "stats") for device in (
    "1b36:0010", "1af4:1042", *(device for device, _ in NICS.values()), EDU))


def mode(words, what, **more):
    """The kernel has no IOMMU API domain of its own kind here."""
    return Mode(f"rig.mib=8 {words}", what, None, layers=STATS, **more)


BIT_59 = 1 << 59
GIB_4 = 1 << 32
# Devices with masks of 64 bits
WIDE = ("nvme", "virtio", "nic1", "nic2", "edu64")

# --- powernv ----------------------------------------------------------------


# Its host bridges are default devices; others are not wanted.
POWERNV = ["-nic", "none", "-monitor", "none"]


# A root port takes one device: the sixth has a bridge for the others.
def power9_devices(images):
    """Three cards, a disk and a network card at ports of their own."""
    args = ["-device", "pcie-pci-bridge,id=bridge,bus=pcie.5,addr=0"]
    args += others(images, {
        "nvme": "bus=pcie.0,addr=0", "nic1": "bus=pcie.1,addr=0",
        "virtio": "bus=bridge,addr=2", "nic2": "bus=bridge,addr=6"})
    for number, bits in enumerate((40, 48, 64)):
        args += edu(bits, f"bus=pcie.{number + 2},addr=0")
    for number, bits in enumerate((28, 32)):
        args += edu(bits, f"bus=bridge,addr={number + 4}")
    return args


# Cards whose window is chosen while no driver is bound, and moves data.
CHOICES = tuple(f"{card}.{place}.{what}" for card in ("edu40", "edu64")
                for place in ("bit59", "4GB")
                for what in ("busy", "malformed", "chosen", "random",
                             "window"))

# A machine with 6 GB has such memory, and TCEs for those that do not reach it.
ABOVE = tuple(f"edu{bits}.streaming-above-4g"
              for bits in (40, 48, 64, 28, 32))

WINDOW_4G = mode(
    "iommu=iommu_bypass", "direct at 4 GB, else TCEs",
    says=(r"PHB#0: DMA window at 4 GB, TCEs of 1024 MB in 1 levels",),
    direct=dict.fromkeys((*WIDE, "edu40", "edu48"), GIB_4),
    ran=(*CHOICES, *ABOVE), kunit=True)

BYPASS = mode("", "direct at bit 59, else TCEs", ran=ABOVE,
              direct=dict.fromkeys(WIDE, BIT_59))


def bare(name, modes):
    """A bare machine whose firmware knows the option."""
    return machine(
        name, (40, 48, 64, 28, 32), nics=("nic1", "nic2"), memory="6G",
        modes=modes,
        port="bus=bridge,addr=1", devices=power9_devices,
        board=board(POWERNV + ["-M", name]))


def window_4g(words, what, **more):
    """The window at 4 GB under other circumstances."""
    return dataclasses.replace(
        WINDOW_4G, words=f"{WINDOW_4G.words} {words}".strip(),
        what=f"{WINDOW_4G.what}, {what}", kunit=False, **more)


POWER9 = bare(
    "powernv9",
    modes={
        "window-4g": WINDOW_4G,
        # The firmware forgets the option when it resets a host bridge.
        "window-4g-reset": window_4g("ppc_pci_reset_phbs", "PHBs reset"),
        # Some end within the last TCE.
        **{f"window-4g-{size.lower()}": window_4g(
            "", f"{size}B of memory", memory=size,
            ran=CHOICES if size in ("1G", "2G") else WINDOW_4G.ran)
           for size in ("1G", "2G", "5220M", "9G")},
        "bypass": BYPASS,
        **{f"bypass-{size.lower()}": dataclasses.replace(
            BYPASS, what=f"{BYPASS.what}, {size}B of memory", memory=size,
            ran=ABOVE if size == "9G" else ())
           for size in ("1G", "2G", "9G")},
        "nobypass": mode("iommu=nobypass", "TCEs for every device", ran=ABOVE,
                         says=(r"IOMMU bypass window disabled",), direct={}),
    })

POWER10 = bare("powernv10", modes={"window-4g": WINDOW_4G})

COUNTED = ("edu40", EDU, 1)

# --- kernels that follow each other -----------------------------------------

# Ours has the window at 4 GB, stock wants it at bit 59 and does not look where
# it is, with TCEs above 4 GB as well; then ours without it and with it.
NEXT = ("stock:", "kernel:iommu=iommu_bypass", "kernel:",
        "kernel:iommu=iommu_bypass")


def kexec_devices(images):
    """Two disks, a card and room for more."""
    args = ["-device", "pcie-pci-bridge,id=bridge,bus=pcie.5,addr=0"]
    args += others(images, {"nvme": "bus=pcie.0,addr=0",
                            "virtio": "bus=bridge,addr=2"})
    return args + edu(40, "bus=pcie.2,addr=0")


KEXEC = Machine(
    name="kexec", cpus=4, disks=DISKS, plan="next", memory="9G",
    ids=(("nvme", "1b36:0010", 1), ("virtio", "1af4:1042", 1), COUNTED),
    roles=("nvme", "virtio", "edu40"), port="bus=bridge,addr=1",
    places="bus=bridge,addr={:x}", first_place=4,
    board=board(POWERNV + ["-M", "powernv9"]), devices=kexec_devices,
    required=("turn-2.stock",
              *(f"{disk}.turn-{turn}.{what}" for disk in DISKS
                for turn in range(1, len(NEXT) + 2)
                for what in ("write", "verify")),
              *(f"edu40.turn-{turn}.window" for turn in (1, 3, 4, 5)),
              *(f"edu40.turn-{turn}.cpu{cpu}.random" for cpu in range(4)
                for turn in range(1, len(NEXT) + 2))),
    modes={"window-4g": mode(
        f"iommu=iommu_bypass rig.next={','.join(NEXT)}",
        "ours, stock and ours, each started by the one before",
        next=("kernel", "initrd", "stock"), direct=dict.fromkeys(
            ("nvme", "virtio", "edu40"), GIB_4))})

# --- memory that comes later -------------------------------------------------

# The kernel knows of 3 GB when it makes the table at 4 GB.
ADDED = ("0xc0000000", "0x100000000")

PROBE = dataclasses.replace(
    KEXEC, name="probe", plan="probe", memory="6G", cpus=2,
    required=(*(f"memory.{start}.used" for start in ADDED),
              *(f"edu40.{start}.random" for start in ADDED),
              *(f"{disk}.{start}.verify" for start in ADDED
                for disk in DISKS)),
    modes={"window-4g": mode(
        f"iommu=iommu_bypass mem=3G rig.probe={','.join(ADDED)}",
        "memory is added while there is a window at 4 GB",
        direct=dict.fromkeys(("nvme", "virtio", "edu40"), GIB_4))})

# --- a host bridge that fails ------------------------------------------------

FENCE = dataclasses.replace(
    KEXEC, name="fence", plan="fence", memory="6G", cpus=2,
    required=("edu40.recovered", "edu40.window", "edu40.after.random",
              "nvme.recovered", "nvme.fenced.write", "nvme.fenced.verify",
              "virtio.bystander.verify"),
    modes={"window-4g": dataclasses.replace(
        mode("iommu=iommu_bypass", "host bridges are reset under DMA",
             direct=dict.fromkeys(("nvme", "virtio", "edu40"), GIB_4)),
        known_log=(r"EEH: Frozen PHB#[02]-PE#0 detected",
                   r"EEH: Call Trace:"))})

# --- what a mapping costs ---------------------------------------------------

# Round trips of one card with a mask of 40 bits: each has two mappings.
TRIPS = 64


def count_devices(images):
    """One card, and what the guest's report needs."""
    del images
    return edu(40, "bus=pcie.2,addr=0")


def counted(words, what, least, most, **more):
    """How often a kill finds TCEs that the card has used, and writes."""
    return Mode(words, what, None, qemu=("-trace", "phb4_table_*"),
                ran=("edu40.above.streaming-above-4g",),
                events={"tce_forgotten": (least, most),
                        "table_write": (2 * least, most),
                        "table_watched": (1, math.inf)}, **more)


# An unknown word is named with those of both tables, and changes nothing.
BOGUS = (r"unknown word 'bogus' ignored, accepted are:"
         r"(?=.* nobypass\b)(?=.* iommu_bypass\b)(?=.* novmerge\b)")

TCES = Machine(
    name="tces", cpus=2, disks=(), plan="count", ids=(COUNTED,),
    roles=("edu40",), required=("edu40.alone.random",), memory="6G",
    port="bus=pcie.0,addr=0", board=board(POWERNV + ["-M", "powernv9"]),
    devices=count_devices,
    modes={
        "window-4g": counted("iommu=iommu_bypass", "no TCE is killed", 0, 0,
                             direct={"edu40": GIB_4}),
        "bypass": counted("", "TCEs are killed for each mapping",
                          2 * TRIPS, math.inf, direct={}),
        "words": counted("iommu=nobypass,bogus,iommu_bypass",
                         "the last word of iommu= counts", 0, 0, says=(BOGUS,),
                         direct={"edu40": GIB_4}),
        "words-twice": counted("iommu=iommu_bypass,bogus iommu=nobypass",
                               "the last iommu= counts", 2 * TRIPS, math.inf,
                               direct={}, says=(
                                   BOGUS, "IOMMU bypass window disabled")),
    })

# --- windows of user space ---------------------------------------------------


# At bridges of their own. All reach both windows, wherever the second one is.
VFIO_CARDS = ("edu64", "edu63", "edu62")


def vfio_devices(images):
    """The card of most tests, and two that may join it."""
    del images
    return (edu(64, "bus=pcie.2,addr=0") + edu(63, "bus=pcie.3,addr=0")
            + edu(62, "bus=pcie.4,addr=0"))


# Memory in pages that are as large as TCEs can be
LARGE = "hugepagesz=2M hugepages=2 hugepagesz=1G hugepages=1"


def vfio_mode(words, what, start, **more):
    """The kernel's selftest is told where the second window is."""
    return Mode(f"{words} rig.window={start:#x}", what, None,
                known_log=(r"^phb4\[0:[234]\]:",), **more)


def vfio_ran(*tests):
    """What must not be skipped."""
    return tuple(f"kselftest.{test}" for test in (
        "tce.guest_attaches", "tce.groups_share_windows", *tests,
        *(f"tce_large.{size}.{test}" for size in ("2mb", "1gb") for test in (
            "moves_data", "refuses_what_does_not_fit")),
        "tce_large.2mb.refuses_transparent_huge_pages"))


VFIO = Machine(
    name="vfio", cpus=2, disks=(), plan="vfio",
    ids=tuple((card, EDU, n) for n, card in enumerate(VFIO_CARDS, 1)),
    roles=VFIO_CARDS, memory="6G", port="bus=pcie.0,addr=0",
    required=("kselftest.complete", *(f"{card}.run" for card in VFIO_CARDS)),
    devices=vfio_devices, board=board(POWERNV + ["-M", "powernv9"]),
    modes={
        # The kernel has the window of one card at bit 59 by choice, that of
        # another because its bridge cannot have it at 4 GB.
        "window-4g": vfio_mode(
            f"iommu=iommu_bypass {LARGE} rig.differs=edu62",
            "user space has a window at 4 GB", GIB_4,
            qemu=("-global", "pnv-phb4.not-at-4gb=4"),
            says=(r"iommu_bypass: PHB does not keep it",),
            ran=vfio_ran("tce.groups_that_differ"),
            direct={"edu64": GIB_4, "edu63": BIT_59, "edu62": BIT_59}),
        "bypass": vfio_mode(
            LARGE, "user space has a window at bit 59", BIT_59,
            ran=vfio_ran(), direct=dict.fromkeys(VFIO_CARDS, BIT_59)),
    })

# --- a guest of KVM that has a card of the machine ---------------------------

# Not one of the guest's results is taken for granted.
INSIDE = tuple(f"guest.edu64.{test}" for test in (
    "limits", "streaming-below-mask", "scatterlist", "coherent", "sync-reuse",
    "alloc-pages", "alloc-noncontiguous", "random", "mask-change"))


def hypervisor_devices(images):
    """A card, and room for disks with what the guest is started from."""
    del images
    return ["-device", "pcie-pci-bridge,id=bridge,bus=pcie.5,addr=0",
            *edu(64, "bus=pcie.2,addr=0")]


def hypervisor_mode(words, what, start):
    """Where the guest's second window is depends on the machine's."""
    return dataclasses.replace(
        vfio_mode(words, what, start), next=("kernel", "initrd", "hypervisor"),
        ran=INSIDE, direct={"edu64": start},
        known_log=(r"^Trying to (read|write) invalid spr ",))


HYPERVISOR = dataclasses.replace(
    VFIO, name="hypervisor", plan="hypervisor", port="bus=bridge,addr=1",
    ids=(("edu64", EDU, 1),), roles=("edu64",),
    places="bus=bridge,addr={:x}", first_place=4, devices=hypervisor_devices,
    required=("guest.complete", "guest.window", "guest.log",
              "edu64.run"),
    modes={
        "window-4g": hypervisor_mode("iommu=iommu_bypass",
                                     "a guest has a window at 4 GB", GIB_4),
        "bypass": hypervisor_mode("", "a guest has a window at bit 59",
                                  BIT_59),
    })

# --- memory with a hole -----------------------------------------------------


def chips_devices(images):
    """A disk and cards at bridges of both chips."""
    args = ["-device", "pcie-pci-bridge,id=bridge,bus=pcie.5,addr=0"]
    args += others(images, {"nvme": "bus=pcie.6,addr=0",
                            "virtio": "bus=bridge,addr=2"})
    for bits, port in ((44, 2), (48, 3), (64, 8)):
        args += edu(bits, f"bus=pcie.{port},addr=0")
    return args + edu(46, "bus=pcie.9,addr=0")


# The memory of the second chip is where real machines have it: a card with 44
# bits does not reach it, and has TCEs.
CHIPS = machine(
    "chips", (44, 48, 64, 46), nics=(), memory="6G",
    port="bus=bridge,addr=1", devices=chips_devices,
    board=board(POWERNV + ["-M", "powernv9,chip-distance=32T",
                           "-smp", "sockets=2"]),
    modes={"window-4g": dataclasses.replace(
        WINDOW_4G, kunit=False,
        what="direct at 4 GB, memory of two chips 32 TB from each other",
        direct=dict.fromkeys(
            ("nvme", "virtio", "edu48", "edu64", "edu46"), GIB_4),
        ran=tuple(f"edu{bits}.streaming-each-node"
                  for bits in (44, 46, 48, 64)))})

# --- a host bridge that has no window at 4 GB -------------------------------


def power8_devices(images):
    """A card and a disk at ports of their own, the others behind a bridge."""
    args = ["-device", "pcie-pci-bridge,id=bridge,bus=pcie.2,addr=0"]
    args += others(images, {"nvme": "bus=pcie.0,addr=0",
                            "virtio": "bus=bridge,addr=2"})
    return (args + edu(64, "bus=pcie.1,addr=0")
            + edu(40, "bus=bridge,addr=3") + edu(32, "bus=bridge,addr=4"))


POWER8 = machine(
    "powernv8", (64, 40, 32), nics=(), memory="2G",
    port="bus=bridge,addr=1", board=board(POWERNV + ["-M", "powernv8"]),
    devices=power8_devices,
    modes={"refused": mode(
        "iommu=iommu_bypass", "the window at 4 GB is refused",
        says=(r"iommu_bypass: firmware or PHB does not know it \(-7\), DMA "
              r"windows stay at bit 59",),
        direct=dict.fromkeys(("nvme", "virtio", "edu64"), BIT_59))})

# --- pseries ----------------------------------------------------------------


def pseries_devices(images):
    """All devices on the bus of one host bridge."""
    args = others(images, {
        "nvme": "bus=pci.0,addr=2", "nic1": "bus=pci.0,addr=3",
        "virtio": "bus=pci.0,addr=4", "nic32": "bus=pci.0,addr=5"})
    for number, bits in enumerate((28, 32, 40, 64)):
        args += edu(bits, f"bus=pci.0,addr={number + 6}")
    return args


AT_4GB = ("-global", "spapr-pci-host-bridge.dma64_win_addr=0x100000000")

PSERIES = machine(
    "pseries", (28, 32, 40, 64), memory="2G", port="bus=pci.0,addr=1",
    board=board(["-M", "pseries,x-vof=on", "-nodefaults"]),
    devices=pseries_devices,
    modes={
        "window": mode("", "a direct window with bit 59",
                       says=(r"starting addr = 8000000 0",),
                       direct=dict.fromkeys(WIDE, BIT_59)),
        "window-4g": mode("", "a direct window at 4 GB", qemu=AT_4GB,
                          says=(r"starting addr = 1 0",),
                          direct=dict.fromkeys((*WIDE, "edu40"), GIB_4)),
        "no-window": mode("disable_ddw", "TCEs for every device", direct={}),
    })

ALL = (POWER9, POWER10, KEXEC, PROBE, FENCE, TCES, VFIO, HYPERVISOR, CHIPS,
       POWER8, PSERIES)
