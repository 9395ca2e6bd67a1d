"""Where a daemon's socket and cookie are, found as the program's own commands find them."""

from __future__ import annotations

import os
import pwd
import re
from typing import Optional

SYSTEM_DIR = "/etc/peerup"
SYSTEM_RUN_DIR = "/run/peerup"
_INSTANCE = re.compile("[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?")


def _home() -> str:
    home = os.environ.get("HOME", "")
    root_home = pwd.getpwuid(0).pw_dir
    sudo_uid = os.environ.get("SUDO_UID", "")
    # sudo leaves HOME at root's home, where nobody looks for his own configuration.
    if os.geteuid() == 0 and sudo_uid.isdigit() and sudo_uid != "0" and home in ("", root_home):
        return pwd.getpwuid(int(sudo_uid)).pw_dir
    return home if home.startswith("/") else pwd.getpwuid(os.geteuid()).pw_dir


def _instance_config(user_dir: str, name: str) -> str:
    """What --instance stands for."""
    ours = os.path.join(user_dir, name, "config.yaml")
    system = os.path.join(SYSTEM_DIR, name, "config.yaml")
    if not os.path.exists(ours) and (os.path.exists(system) or os.geteuid() == 0):
        return system
    return ours


def _instance_in(config: str, folder: str) -> Optional[str]:
    """ordinary/work/config.yaml is the network called work."""
    parent = os.path.dirname(config)
    name = os.path.basename(parent)
    return name if os.path.dirname(parent) == folder and _INSTANCE.fullmatch(name) else None


def runtime_dir(config: Optional[str] = None, instance: Optional[str] = None) -> str:
    """The folder of `peerup.sock` and `.daemon-cookie`."""
    chosen = os.environ.get("PEERUP_RUNTIME_DIR")
    if chosen:
        return chosen
    user_dir = os.path.join(_home(), ".config", "peerup")
    if instance is not None:
        config = _instance_config(user_dir, instance)
    candidates = [
        os.path.abspath("peerup.yaml"),
        os.path.join(user_dir, "config.yaml"),
        os.path.join(SYSTEM_DIR, "config.yaml"),
    ]
    if config is None:
        config = next((path for path in candidates if os.path.exists(path)), "")
    config = os.path.join(os.getcwd(), config)
    name = _instance_in(config, SYSTEM_DIR)
    if name:
        return f"{SYSTEM_RUN_DIR}-{name}"
    if config.startswith(SYSTEM_DIR + "/"):
        return SYSTEM_RUN_DIR
    name = _instance_in(config, user_dir)
    return os.path.join(user_dir, name) if name else user_dir
