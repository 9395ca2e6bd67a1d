"""The scenarios. Each takes a contestant and returns {metric: value}, empty when it does not
apply."""

import json
import os
import re
import statistics
import subprocess
import time

GIB = 1 << 30
TICKS = os.sysconf("SC_CLK_TCK")
PACKETS_PORT = 5202   # no contestant knows it as a service
PING_COUNT = 100
PING_INTERVAL_S = 0.02


def cpu_seconds(pids):
    """User and system time of these processes so far."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def busy_seconds():
    """What all cores have spent not idling, softirqs of the cable included."""
    with open("/proc/stat") as f:
        fields = [int(x) for x in f.readline().split()[1:]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS


def iperf(cable, address, port, options):
    """One TCP flow from a to b: Mbit/s and bytes that arrived."""
    server = cable.b.popen(["iperf3", "-s", "-1", "-p", port], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
    try:
        wait_for_listener(cable.b, port)
        result = cable.a.run(["iperf3", "-c", address, "-p", port, "-t", options.seconds, "-J"],
                             check=False, timeout=options.seconds + 30)
        report = json.loads(result.stdout)
        if "error" in report:
            raise RuntimeError(f"iperf3 to {address}: {report['error']}")
        received = report["end"]["sum_received"]
        return received["bits_per_second"] / 1e6, received["bytes"]
    finally:
        server.kill()
        server.wait()


def wait_for_listener(host, port):
    for _ in range(100):
        if f":{port} " in host.run(["ss", "-lnt"]).stdout:
            return
        time.sleep(0.02)
    raise RuntimeError("iperf3 does not listen")


def transfer(contestant, cable, address, port, options):
    pids = contestant.pids()
    daemons, machine = cpu_seconds(pids), busy_seconds()
    mbit, size = iperf(cable, address, port, options)
    daemons, machine = cpu_seconds(pids) - daemons, busy_seconds() - machine
    result = {"mbit": mbit, "machine_s_per_gib": machine * GIB / size}
    if pids:
        result["cpu_s_per_gib"] = daemons * GIB / size
    return result


def packets(contestant, cable, options):
    """One TCP flow over the packet path."""
    return transfer(contestant, cable, contestant.address, PACKETS_PORT, options)


def service(contestant, cable, options):
    """One TCP flow to a named service."""
    if contestant.service_port is None:
        return {}
    return transfer(contestant, cable, contestant.address, contestant.service_port, options)


def rtt(contestant, cable, options):
    """Ping on an idle line: median of the replies."""
    out = cable.a.run(["ping", "-c", PING_COUNT, "-i", PING_INTERVAL_S, contestant.address]).stdout
    times = [float(t) * 1000 for t in re.findall(r"time=([\d.]+) ms", out)]
    return {"us": statistics.median(times)}


def resident_mib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) / 1024


def memory(contestant, cable, options):
    """The larger daemon, idle with peers, and right after a transfer."""
    pids = contestant.pids()
    if not pids:
        return {}
    contestant.connect_peers(options.peers)
    idle = max(resident_mib(p) for p in pids)
    iperf(cable, contestant.address, PACKETS_PORT, options)
    return {"idle_mib": idle, "load_mib": max(resident_mib(p) for p in pids)}


SCENARIOS = {f.__name__: f for f in (packets, service, rtt, memory)}
