# SPDX-License-Identifier: GPL-2.0-only
"""The test machines: what QEMU is told, and what each mode changes."""

import dataclasses
import subprocess

MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Mode:
    """One way to boot a machine."""

    words: str              # added to the kernel command line
    what: str               # for people
    domain: str             # type of every device's IOMMU domain
    says: tuple = ()        # patterns that the kernel log has just once
    slow: bool = False      # a kernel that takes three times as long
    kunit: bool = False     # the kernel's own tests run, at boot and after
    layers: tuple = ()      # (vendor:device, layers): what dma_layers= says
    known: tuple = ()       # results in which the stock kernel fails as well
    known_log: tuple = ()   # and the kernel reports that go with them


@dataclasses.dataclass(frozen=True)
class Machine:
    """A set of devices."""

    name: str
    memory: str
    cpus: int
    modes: dict
    disks: tuple            # roles that have an image file
    roles: tuple            # every device under test
    required: tuple         # results without which a report is not complete
    hot: dict               # role: arguments of -device when it comes back


# Everything that does DMA counts; the edu cards, the NVMe disk and the 32-bit
# card also bounce what lies in a no-DMA range.  That range is the start of the
# memory above 4 GiB, which the kernel hands out first.  "fault" is a module
# that comes when the AHCI driver has its device already.
NODMA = "0x100000000-0x10fffffff"
LAYERS = (
    ("1b36:0010", "nodma+stats"),
    ("1af4:1042", "stats"),
    ("8086:2922", "stats+fault"),
    ("8086:10d3", "stats"),
    ("8086:100e", "nodma+stats"),
    ("1234:11e8", "nodma+stats"),
)
ALL_STATS = tuple((device, "stats") for device, _ in LAYERS)

# Nothing remaps for a device in pass-through, and swiotlb's pool lies above
# what 28 bits reach: the mapping is refused, with a warning.
PT_KNOWN = {
    "known": tuple(f"edu0.{name}" for name in (
        "streaming-above-mask", "streaming-above-4g", "scatterlist",
        "sync-reuse", "random")),
    "known_log": (r"swiotlb addr \S+ overflow \(mask f{7},",),
}

# pciehp takes its two locks in both orders in one function; lockdep sees it as
# soon as a card is unplugged. Nothing but PCI hot-plug is involved.
PCIEHP_KNOWN = (r"trying to acquire lock:\n\S+ \(&ctrl->reset_lock\).* "
                r"at: pciehp_unconfigure_device\+",)

Q35_MODES = {
    "lazy": Mode("iommu.strict=0", "translated, flushes batched", "DMA-FQ",
                 layers=ALL_STATS),
    "strict": Mode("iommu.strict=1", "translated, flush at each unmap", "DMA",
                   layers=ALL_STATS),
    # Stock loses what follows "usedac", and says nothing about "bogus".
    "pt": Mode("iommu=usedac,bogus,pt", "pass-through", "identity",
               says=(r"iommu: unknown word 'bogus' ignored, accepted are: .*"
                     r"\bnopt\b",),
               layers=ALL_STATS, **PT_KNOWN),
    "layers": Mode("iommu.strict=0 dma_layer_fault=2,0,0,-1",
                   "lazy, with layers on every device", "DMA-FQ",
                   layers=LAYERS, kunit=True),
    "layers-pt": Mode("iommu=pt", "pass-through, with layers on every device",
                      "identity", layers=LAYERS, **PT_KNOWN),
    "plain": Mode("iommu.strict=0", "lazy, without any layer", "DMA-FQ"),
    "debug": Mode("iommu.strict=0", "debug kernel, lazy, with layers",
                  "DMA-FQ", slow=True, layers=LAYERS, kunit=True,
                  known_log=PCIEHP_KNOWN),
}

# The same with the allocator that the arenas replace.
Q35_MODES |= {
    f"{name}-rcache": dataclasses.replace(
        Q35_MODES[name], words=f"{Q35_MODES[name].words} iommu.iova=rcache",
        what=f"{Q35_MODES[name].what}, IOVAs from caches")
    for name in ("lazy", "strict", "layers", "plain")
}

Q35 = Machine(
    name="q35",
    memory="5G",
    cpus=2,
    modes=Q35_MODES,
    disks=("nvme", "virtio", "ahci"),
    roles=("nvme", "virtio", "ahci", "nic0", "nic1", "nic32", "edu0", "edu1"),
    required=(
        *(f"{disk}.traffic.{what}" for disk in ("nvme", "virtio", "ahci")
          for what in ("write", "verify")),
        *(f"{nic}.{what}" for nic in ("nic0", "nic1", "nic32", "nic32.back",
                                      "plug.nic0")
          for what in ("send", "receive", "through-card")),
        "edu0.run", "edu1.run",
        *(f"unplug.{role}.{what}" for role in ("nvme", "nic0")
          for what in ("gone", "data-until-then")),
        "plug.nvme.there", "plug.nvme.old-data", "nvme.plug.write",
        "nvme.plug.verify", "plug.nic0.there",
    ),
    hot={
        "nvme": {"driver": "nvme", "id": "nvme", "bus": "port0",
                 "drive": "disk-nvme", "serial": "nvme"},
        "nic0": {"driver": "e1000e", "id": "nic0", "bus": "port1",
                 "netdev": "net-nic0", "mac": "52:54:00:07:00:01",
                 "romfile": ""},
    },
)
MACHINES = {Q35.name: Q35}


def option(arguments):
    """{"driver": "nvme", "id": "x"} as -device wants it."""
    rest = [f"{key}={value}" for key, value in arguments.items()
            if key != "driver"]
    return ",".join([arguments["driver"], *rest])


def q35_devices(images):
    """-device and friends; the vIOMMU comes before what it serves."""
    args = ["-device", "intel-iommu,intremap=on"]
    for number in range(3):
        args += ["-device", f"pcie-root-port,id=port{number},bus=pcie.0,"
                 f"chassis={number + 1},slot={number + 1},addr={number + 2}"]
    for role, path in images.items():
        # Not -drive: that one would vanish with the unplugged disk.
        args += ["-blockdev", f"driver=raw,node-name=disk-{role},"
                 "cache.no-flush=on,file.driver=file,"
                 f"file.filename={path.replace(',', ',,')}"]
    for number, role in enumerate(("nic0", "nic1", "nic32")):
        args += ["-netdev", f"hubport,id=net-{role},hubid=0"]
    # An empty romfile: no firmware package is needed.
    args += [
        "-device", option(Q35.hot["nvme"]),
        "-device", option(Q35.hot["nic0"]),
        "-device", "e1000e,id=nic1,bus=port2,netdev=net-nic1,romfile=,"
        "mac=52:54:00:07:00:02",
        "-device", "e1000,id=nic32,bus=pcie.0,addr=6,netdev=net-nic32,"
        "romfile=,mac=52:54:00:07:00:03",
        "-device", "virtio-blk-pci,id=virtio,bus=pcie.0,addr=7,"
        "drive=disk-virtio,disable-legacy=on,iommu_platform=on,"
        "serial=virtio",
        "-device", "ide-hd,bus=ide.0,drive=disk-ahci,serial=ahci",
        "-device", "edu,id=edu0,bus=pcie.0,addr=8",
        "-device", "edu,id=edu1,bus=pcie.0,addr=9,dma_mask=0xffffffffff",
    ]
    return args


def report_port(path):
    """The serial port through which the guest reports."""
    return [
        "-chardev", f"socket,id=rig,path={path},server=on,wait=off",
        "-device", "virtio-serial-pci,id=serial,bus=pcie.0,addr=10,"
        "disable-legacy=on,iommu_platform=on",
        "-device", "virtserialport,chardev=rig,name=rig",
    ]


def command(machine, qemu, accel, images, sockets, console):
    """QEMU's command line, without kernel and initramfs."""
    args = [qemu, "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-m", machine.memory, "-smp", str(machine.cpus)]
    if accel == "kvm":
        # Interrupt remapping needs the IO-APIC in QEMU.
        args += ["-M", "q35,kernel-irqchip=split", "-accel", "kvm",
                 "-cpu", "host"]
    else:
        args += ["-M", "q35", "-accel", "tcg,thread=multi"]
    # PCIe's own hot-plug, not ACPI's: the port tells the guest.
    args += ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]
    args += ["-serial", f"file:{console}",
             "-qmp", f"unix:{sockets['qmp']},server=on,wait=off"]
    args += q35_devices(images)
    args += report_port(sockets["rig"])
    # What the guest did wrong, and each flush that reached the IOMMU.
    args += ["-d", "guest_errors", "-trace", "vtd_inv_desc_iotlb*"]
    return args


def clock_words(tool):
    """Words with which an emulated machine need not measure its clock.

    While a busy host holds it up it gets wrong values, and its time runs ten
    times too fast.
    """
    try:
        ticks = subprocess.run([tool, "ticks"], stdout=subprocess.PIPE,
                               check=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ["tsc=unstable"]
    return ["tsc=reliable", f"tsc_early_khz={ticks}"]


def patient_words(factor):
    """Words for a guest that gets only a part of its processors' time."""
    if factor == 1:
        return []
    return [f"rig.slow={factor}",
            f"watchdog_thresh={min(10 * factor, 60)}",
            f"rcupdate.rcu_cpu_stall_timeout={min(21 * factor, 300)}",
            f"nvme_core.io_timeout={30 * factor}"]


def kernel_words(mode, accel, tool, extra):
    """The kernel command line."""
    words = ["console=ttyS0", "panic=-1", "oops=panic", "loglevel=7",
             "intel_iommu=on", "pcie_ports=native", mode.words,
             "iommu.debug_pagealloc=1",
             "debug_pagealloc=on"]
    if accel == "tcg":
        # The emulated timer may also starve while the kernel tries it.
        words += ["no_timer_check", *clock_words(tool)]
    if mode.layers:
        layers = ",".join(f"pci:{device}:{stack}"
                          for device, stack in mode.layers)
        words.append(f"dma_layers={layers}")
    forbidden = [f"pci:{device}:{NODMA}" for device, stack in mode.layers
                 if "nodma" in stack.split("+")]
    if forbidden:
        words.append(f"dma_nodma={','.join(forbidden)}")
    if mode.kunit:
        words += ["kunit.enable=1", "kunit.autorun=1", "rig.selftests"]
    return " ".join(word for word in (*words, *extra) if word)
