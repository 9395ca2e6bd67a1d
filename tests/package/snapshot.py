#!/usr/bin/env python3
"""What is on a machine, to compare what an installation left behind.

    snapshot.py take ROOT > FILE      every file, folder and link below ROOT, other mounts left out
    snapshot.py compare BEFORE AFTER  prints differences; status 1 when there are some
"""
import hashlib
import os
import stat
import sys

# What a package manager, the dynamic linker and a running system write for themselves.
IGNORED = (
    "/etc/.pwd.lock",
    "/etc/group-",
    "/etc/gshadow-",
    "/etc/ld.so.cache",
    "/etc/passwd-",
    "/etc/shadow-",
    "/etc/subgid-",
    "/etc/subuid-",
    "/root/.bash_history",
    "/var/cache/apt/",
    "/var/cache/debconf/",
    "/var/cache/ldconfig/",
    "/var/lib/apt/",
    "/var/lib/dpkg/",  # what it knows of ours is asked of dpkg
    "/var/lib/systemd/",
    "/var/log/",  # of dpkg, apt and the journal; a log of ours would be news to debian.sh
)


def describe(path, seen):
    if stat.S_ISREG(seen.st_mode):
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    return os.readlink(path) if stat.S_ISLNK(seen.st_mode) else "-"


def take(root):
    device = os.lstat(root + "/").st_dev
    for folder, folders, files in os.walk(root + "/"):
        folders[:] = [f for f in folders if os.path.islink(os.path.join(folder, f))
                      or os.lstat(os.path.join(folder, f)).st_dev == device]
        for name in sorted(folders + files):
            path = os.path.join(folder, name)
            seen = os.lstat(path)
            inside = "/" + os.path.relpath(path, root + "/")
            if not (inside + "/").startswith(IGNORED) and not inside.startswith(IGNORED):
                print(inside, f"{seen.st_mode:o}", seen.st_uid, seen.st_gid,
                      describe(path, seen), sep="\t")


def load(name):
    with open(name, encoding="utf-8") as file:
        return dict(line.rstrip("\n").split("\t", 1) for line in file)


def compare(before, after):
    before, after = load(before), load(after)
    for path in sorted(before.keys() | after.keys()):
        if path not in before:
            print("left behind:", path)
        elif path not in after:
            print("gone:", path)
        elif before[path] != after[path]:
            print("changed:", path, before[path], "->", after[path])
    return before != after


if __name__ == "__main__":
    if sys.argv[1] == "take":
        take(sys.argv[2].rstrip("/"))
    else:
        sys.exit(compare(*sys.argv[2:]))
