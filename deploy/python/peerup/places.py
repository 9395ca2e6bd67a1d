"""Where a daemon's socket and cookie are, found as the program's own commands find them."""

from __future__ import annotations

import os
import pwd
from typing import Optional

SYSTEM_DIR = "/etc/peerup"
SYSTEM_RUN_DIR = "/run/peerup"


def _home() -> str:
    home = os.environ.get("HOME", "")
    root_home = pwd.getpwuid(0).pw_dir
    sudo_uid = os.environ.get("SUDO_UID", "")
    # sudo leaves HOME at root's home, where nobody looks for his own configuration.
    if os.geteuid() == 0 and sudo_uid.isdigit() and sudo_uid != "0" and home in ("", root_home):
        return pwd.getpwuid(int(sudo_uid)).pw_dir
    return home if home.startswith("/") else pwd.getpwuid(os.geteuid()).pw_dir


def runtime_dir(config: Optional[str] = None) -> str:
    """The folder of `peerup.sock` and `.daemon-cookie`."""
    chosen = os.environ.get("PEERUP_RUNTIME_DIR")
    if chosen:
        return chosen
    user_dir = os.path.join(_home(), ".config", "peerup")
    candidates = [
        os.path.abspath("peerup.yaml"),
        os.path.join(user_dir, "config.yaml"),
        os.path.join(SYSTEM_DIR, "config.yaml"),
    ]
    if config is None:
        config = next((path for path in candidates if os.path.exists(path)), "")
    if os.path.abspath(config).startswith(SYSTEM_DIR + "/"):
        return SYSTEM_RUN_DIR
    return user_dir
