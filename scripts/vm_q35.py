# SPDX-License-Identifier: GPL-2.0-only
"""The machine with everything that does DMA."""

from vm_machine import Machine, Mode, blockdevs, option, with_caches

# Everything that does DMA counts; the edu cards, the NVMe disk and the 32-bit
# card also bounce what lies in a no-DMA range.  "fault" is a module that comes
# when the AHCI driver has its device already.
LAYERS = (
    ("1b36:0010", "nodma+stats"),
    ("1af4:1042", "stats"),
    ("8086:2922", "stats+fault"),
    ("8086:10d3", "stats"),
    ("8086:100e", "nodma+stats"),
    ("1234:11e8", "nodma+stats"),
)
ALL_STATS = tuple((device, "stats") for device, _ in LAYERS)

# Here a skip is no substitute: a card uses an address, and again when it is
# unmapped; and the last CPU goes.
TRANSLATED_RAN = ("edu0.stale-address", "edu1.stale-address",
                  "edu0.quiet.stale-address", "edu1.quiet.stale-address",
                  "cpu1.2.data")

# pciehp takes its two locks in both orders in one function; lockdep sees it as
# soon as a card is unplugged. Nothing but PCI hot-plug is involved.
PCIEHP_KNOWN = (r"trying to acquire lock:\n\S+ \(&ctrl->reset_lock\).* "
                r"at: pciehp_unconfigure_device\+",)

Q35_MODES = {
    "lazy": Mode("iommu.strict=0 rig.lose-cpu", "translated, flushes batched",
                 "DMA-FQ", layers=ALL_STATS, ran=TRANSLATED_RAN),
    "strict": Mode("iommu.strict=1 rig.lose-cpu",
                   "translated, flush at each unmap", "DMA",
                   layers=ALL_STATS, ran=TRANSLATED_RAN),
    # Stock loses what follows "usedac", and says nothing about "bogus".
    "pt": Mode("iommu=usedac,bogus,pt", "pass-through", "identity",
               says=(r"iommu: unknown word 'bogus' ignored, accepted are: .*"
                     r"\bnopt\b",),
               layers=ALL_STATS, bounce="no"),
    "layers": Mode("iommu.strict=0 dma_layer_fault=2,0,0,-1",
                   "lazy, with layers on every device", "DMA-FQ",
                   layers=LAYERS, kunit=True),
    "layers-pt": Mode("iommu=pt", "pass-through, with layers on every device",
                      "identity", layers=LAYERS),
    "plain": Mode("iommu.strict=0", "lazy, without any layer", "DMA-FQ"),
    "debug": Mode("rig.mib=8 iommu.strict=0 rig.lose-cpu",
                  "debug kernel, lazy, with layers", "DMA-FQ", slow=True,
                  layers=LAYERS, kunit=True, ran=("cpu1.2.data",),
                  known_log=PCIEHP_KNOWN),
    "debug-pt": Mode("rig.mib=8 iommu=pt",
                     "debug kernel, pass-through, with layers",
                     "identity", slow=True, layers=LAYERS,
                     known_log=PCIEHP_KNOWN),
}

HOT = {
    "nvme": {"driver": "nvme", "id": "nvme", "bus": "port0",
             "drive": "disk-nvme", "serial": "nvme"},
    "nic0": {"driver": "e1000e", "id": "nic0", "bus": "port1",
             "netdev": "net-nic0", "mac": "52:54:00:07:00:01",
             "romfile": ""},
}


def q35_devices(images):
    """-device and friends."""
    args = []
    for number in range(3):
        args += ["-device", f"pcie-root-port,id=port{number},bus=pcie.0,"
                 f"chassis={number + 1},slot={number + 1},addr={number + 2}"]
    args += blockdevs(images)
    for number, role in enumerate(("nic0", "nic1", "nic32")):
        args += ["-netdev", f"hubport,id=net-{role},hubid=0"]
    # An empty romfile: no firmware package is needed.
    args += [
        "-device", option(HOT["nvme"]),
        "-device", option(HOT["nic0"]),
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


Q35 = Machine(
    name="q35",
    memory="5G",
    cpus=2,
    modes=with_caches(Q35_MODES),
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
    hot=HOT,
    devices=q35_devices,
)
