# SPDX-License-Identifier: GPL-2.0-only
"""All test machines, by name."""

import vm_calgary
import vm_camera
import vm_gart
import vm_guests
import vm_judges
import vm_power
import vm_q35
import vm_small
import vm_soak

MACHINES = {machine.name: machine
            for machine in (vm_q35.Q35, *vm_small.ALL, vm_guests.GUESTS,
                            vm_judges.JUDGES, *vm_gart.ALL,
                            *vm_calgary.ALL, vm_camera.CAMERA,
                            *vm_power.ALL, *vm_soak.ALL)}
