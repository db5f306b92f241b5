"""Running a program without the rights of root: by them it could read and write every file."""

from __future__ import annotations

import os
import shutil
import subprocess

UNPRIVILEGED = ["unshare", "--user", "--map-user=65534", "--map-group=65534"] if os.geteuid() == 0 else []
"""What stands before a command."""

CAN_PRETEND = not UNPRIVILEGED or (
    bool(shutil.which("unshare"))
    and subprocess.run([*UNPRIVILEGED, "true"], capture_output=True).returncode == 0
)
