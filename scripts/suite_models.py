# SPDX-License-Identifier: GPL-2.0-only
"""The device models of emulation/qemu, tried without a kernel."""

import emulator
import models_calgary
import models_camera
import models_gart
from common import Failure, Missing

# Each test is a function of QEMU's path.
MODELS = {
    "gart": models_gart.TESTS,
    "calgary": models_calgary.TESTS,
    "camera": models_camera.TESTS,
}


def suite(done):
    """One result for each test."""
    try:
        program = emulator.program("qemu-system-x86_64")
    except Missing as e:
        done.add("models", "qemu", "skip", str(e))
        return
    except Failure as e:
        done.add("models", "qemu", "fail", str(e))
        return
    for model, tests in MODELS.items():
        for test in tests:
            done.check("models", f"{model}: {test.__name__}", test, program)
