"""Pings every peer that has a name and says how far away it is."""

import peerup

client = peerup.Client()
for peer in client.peers():
    try:
        rtt = client.ping(peer["id"], count=1)["stats"]["avg_ms"]
        print(f"{peer.get('name', peer['id'])}: {rtt:.1f} ms")
    except peerup.Unreachable as problem:
        print(f"{peer.get('name', peer['id'])}: {problem}")
