# SPDX-License-Identifier: GPL-2.0-only
"""What test machines are made of, and what QEMU and the kernel are told."""

import dataclasses
import pathlib
import subprocess

MIB = 1 << 20

# What layers keep devices away from: the start of the memory above 4 GiB,
# which the kernel hands out first; for cards that only test, all of it.
NODMA = "0x100000000-0x10fffffff"
NODMA_OF = {"1234:11e8": "0x100000000-0x1ffffffff"}


@dataclasses.dataclass(frozen=True)
class Board:
    """What machines of one kind have in common."""

    config: str             # the kernel's configuration
    arch: str               # as the kernel names it
    kernel: str             # its image in the build directory
    qemu: str               # QEMU's program
    args: object            # (mode, accel) -> arguments for QEMU
    words: object           # (accel, tool) -> the kernel command line
    trace: str              # events that count as flushes
    built: bool = False     # QEMU has to be the one of emulation/qemu
    emulated: bool = False  # its processors are not like those of the host


@dataclasses.dataclass(frozen=True)
class Mode:
    """One way to boot a machine."""

    words: str              # added to the kernel command line
    what: str               # for people
    domain: object          # type of every device's IOMMU domain, or None;
    # or {role: type} when the others have none
    says: tuple = ()        # patterns that the kernel log has just once
    slow: bool = False      # a kernel that takes four times as long
    limit: int = 180        # seconds for a boot, four times what it takes
    config: str = ""        # the kernel's configuration, when not the board's
    kunit: bool = False     # the kernel's own tests run, at boot and after
    layers: tuple = ()      # (vendor:device, layers): what dma_layers= says
    known: tuple = ()       # results in which the stock kernel fails as well
    known_log: tuple = ()   # and the kernel reports that go with them
    firmware: object = None     # changes the ACPI tables before the boot
    bounce: str = None      # "no": nothing may be bounced, "yes": something is
    bounced: tuple = ()     # roles that have to be bounced all the same
    iommu: str = "intel-iommu,intremap=on"  # its device; "": none
    stock: bool = False     # it boots the base's kernel
    next: tuple = ()        # files that the guest has as disks, to start next
    windows: bool = False   # each device's windows are checked
    shared: bool = False    # the cards share windows, in one IOMMU group
    untrusted: tuple = ()   # roles that the kernel has to protect itself from
    vtd: str = ""           # properties of the IOMMU
    memory: str = ""        # for -m, when not the machine's
    ran: tuple = ()         # results that a skip is no substitute for
    skips: object = None    # patterns of those that may be skipped, if not any
    qemu: tuple = ()        # more arguments for QEMU
    direct: object = None   # {role: where all memory is for it}, if checked
    # The GART's (first, last address), and the first one that is used if that
    # is another; (): taken from memory; None: not checked
    aperture: object = None
    events: object = None   # {event: (least, most)} of those that QEMU traces
    trace: str = ""         # these events, when not the board's
    # Its guests' QEMU has to know IOMMUFD; else it is the one in /usr/bin
    iommufd: bool = False
    told: bool = False      # the IOMMU hears of each mapping that is made


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
    devices: object         # (images) -> arguments for QEMU
    # role: arguments of -device when it comes back
    hot: dict = dataclasses.field(default_factory=dict)
    ids: tuple = ()         # (role, PCI id, which of them): when not as in q35
    plan: str = ""          # what the guest does, when not everything
    more_memory: str = ""   # what can be added later, for -m
    board: object = None    # what it is built on, when not a PC
    port: str = "bus=pcie.0,addr=10"    # where the guest's report comes from
    places: str = "bus=pcie.0,addr={:x}"    # for more disks
    first_place: int = 0x1c


def with_caches(modes):
    """The modes, and again with the allocator that the arenas replace.

    Not again where no device has IOVAs.
    """
    return modes | {
        f"{name}-rcache": dataclasses.replace(
            mode, words=f"{mode.words} iommu.iova=rcache",
            what=f"{mode.what}, IOVAs from caches")
        for name, mode in modes.items()
        if mode.domain and "iommu.windows=off" not in mode.words.split()}


def option(arguments):
    """{"driver": "nvme", "id": "x"} as -device wants it."""
    rest = [f"{key}={value}" for key, value in arguments.items()
            if key != "driver"]
    return ",".join([arguments["driver"], *rest])


def blockdevs(images):
    """The images, as disks may use them."""
    args = []
    for role, path in images.items():
        # Not -drive: that one would vanish with the unplugged disk.
        args += ["-blockdev", f"driver=raw,node-name=disk-{role},"
                 "cache.no-flush=on,file.driver=file,"
                 f"file.filename={path.replace(',', ',,')}"]
    return args


def read_only_disks(machine, files):
    """A disk for each, with its name as serial number."""
    args = []
    for slot, (name, path) in enumerate(files.items(), machine.first_place):
        path = str(path).replace(",", ",,")
        args += ["-blockdev", f"driver=raw,node-name={name},read-only=on,"
                 f"file.driver=file,file.filename={path}",
                 "-device", f"virtio-blk-pci,{machine.places.format(slot)},"
                 f"drive={name},serial={name},disable-legacy=on,"
                 "iommu_platform=on"]
    return args


def report_port(path, place):
    """The serial port through which the guest reports."""
    return [
        "-chardev", f"socket,id=rig,path={path},server=on,wait=off",
        "-device", f"virtio-serial-pci,id=serial,{place},"
        "disable-legacy=on,iommu_platform=on",
        "-device", "virtserialport,chardev=rig,name=rig",
    ]


def command(machine, mode, qemu, accel, images, sockets, console):
    """QEMU's command line, without kernel and initramfs."""
    board = board_of(machine)
    args = [qemu, "-no-user-config", "-display", "none", "-no-reboot",
            "-smp", str(machine.cpus),
            "-m", mode.memory or machine.memory + machine.more_memory,
            *board.args(mode, accel), *mode.qemu,
            *firmware(qemu)]
    args += ["-serial", f"file:{console}",
             "-qmp", f"unix:{sockets['qmp']},server=on,wait=off"]
    args += machine.devices(images)
    args += report_port(sockets["rig"], machine.port)
    # What the guest did wrong, and each flush that reached the IOMMU.
    args += ["-d", "guest_errors", "-trace",
             mode.trace or board.trace]
    return args


def firmware(qemu):
    """The firmware that lies beside a QEMU of ours."""
    directory = pathlib.Path(qemu).parent / "firmware"
    return ["-L", str(directory)] if directory.is_dir() else []


def pc_args(mode, accel):
    """The PC with its chipset."""
    if accel == "kvm":
        # Interrupt remapping needs the IO-APIC in QEMU.
        args = ["-M", "q35,kernel-irqchip=split", "-accel", "kvm",
                "-cpu", "host"]
    else:
        args = ["-M", "q35", "-accel", "tcg,thread=multi"]
    # PCIe's own hot-plug, not ACPI's: the port tells the guest.
    args += ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]
    args += ["-nodefaults"]
    # The vIOMMU comes before what it serves.
    if mode.iommu:
        args += ["-device", ",".join(filter(None, (
            mode.iommu, mode.vtd)))]
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
    return [f"rig.slow={factor}",
            f"watchdog_thresh={min(10 * factor, 60)}",
            f"rcupdate.rcu_cpu_stall_timeout={min(21 * factor, 300)}",
            f"sysctl.kernel.hung_task_timeout_secs={120 * factor}",
            f"nvme_core.io_timeout={30 * factor}"]


def guest_words(machine):
    """What the guest has to know when it is not the machine q35."""
    words = []
    if machine.ids:
        words.append("rig.roles=" + ",".join(
            ":".join(map(str, entry)) for entry in machine.ids))
    if machine.plan:
        words.append(f"rig.plan={machine.plan}")
    return words


def pc_words(accel, tool):
    """What a PC's kernel is told."""
    words = ["console=ttyS0", "intel_iommu=on", "pcie_ports=native",
             "iommu.debug_pagealloc=1", "debug_pagealloc=on"]
    if accel == "tcg":
        # The emulated timer may also starve while the kernel tries it.
        words += ["no_timer_check", *clock_words(tool)]
    return words


PC = Board(config="q35", arch="x86_64", kernel="arch/x86/boot/bzImage",
           qemu="qemu-system-x86_64", args=pc_args, words=pc_words,
           trace="vtd_inv_desc_iotlb*")


def board_of(machine):
    """Most machines are PCs."""
    return machine.board or PC


def config_of(machine, mode):
    """The kernel configuration that a mode boots."""
    config = machine.modes[mode].config or board_of(machine).config
    return f"{config}-debug" if mode.split("-")[0] == "debug" else config


def kernel_words(machine, mode, accel, tool, extra):
    """The kernel command line."""
    words = ["panic=-1", "oops=panic", "loglevel=7",
             *board_of(machine).words(accel, tool), *guest_words(machine),
             # Its own plan comes after the machine's.
             mode.words]
    if mode.layers:
        layers = ",".join(f"pci:{device}:{stack}"
                          for device, stack in mode.layers)
        words.append(f"dma_layers={layers}")
    forbidden = [f"pci:{device}:{NODMA_OF.get(device, NODMA)}"
                 for device, stack in mode.layers
                 if "nodma" in stack.split("+")]
    if forbidden:
        words.append(f"dma_nodma={','.join(forbidden)}")
    if mode.kunit:
        words += ["kunit.enable=1", "kunit.autorun=1", "rig.selftests"]
    return " ".join(word for word in (*words, *extra) if word)
