# SPDX-License-Identifier: GPL-2.0-only
"""Write the inputs that a text file holds in hex into a directory."""

import re
import sys
from pathlib import Path

text = re.sub("#.*", "", Path(sys.argv[1]).read_text(encoding="ascii"))
where = Path(sys.argv[2])
where.mkdir(parents=True, exist_ok=True)
inputs = [part for part in re.split(r"\n\s*\n", text) if part.strip()]
for number, part in enumerate(inputs):
    (where / str(number)).write_bytes(bytes.fromhex(part))
