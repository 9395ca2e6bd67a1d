#!/usr/bin/env python3
"""Lines of nat-matrix.sh as tables, one for each family and fate of UDP. Exit status 1 when a
cell failed."""
import sys

KINDS = ["none", "full-cone", "address-restricted", "port-restricted", "symmetric", "cgnat"]


def main():
    cells, failures = {}, []
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "cell":
            a, b, family, udp, path, reached, direct = rest
            text = path.lower() + ("" if direct == "-" else f" {direct}s")
            cells.setdefault((family, udp), {})[a, b] = text
        else:
            a, b, family, udp, *why = rest
            cells.setdefault((family, udp), {})[a, b] = "FAILED"
            failures.append(line.strip())
    for (family, udp), table in sorted(cells.items()):
        print(f"\nIPv{family if family != 'dual' else '4 and IPv6'}, UDP {udp}")
        used = [k for k in KINDS if any(k in pair for pair in table)]
        print(" " * 20 + "".join(f"{k:>20}" for k in used))
        for a in used:
            print(f"{a:20}" + "".join(f"{table.get((a, b), ''):>20}" for b in used))
    n = sum(len(t) for t in cells.values())
    print(f"\n{n} cells, {len(failures)} failed")
    print("\n".join(failures))
    return 1 if failures else 0


sys.exit(main())
