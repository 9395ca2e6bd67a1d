"""Prints the first value of a key, however deep, of the JSON documents on standard
input (one per line or one in all). Exit status 1 when there is none."""

import json
import sys


def find(value, key):
    if isinstance(value, dict):
        if key in value:
            return value[key]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            found = find(item, key)
            if found is not None:
                return found
    return None


text = sys.stdin.read()
try:
    documents = [json.loads(text)]
except ValueError:
    documents = [json.loads(line) for line in text.splitlines() if line.strip()]
result = find(documents, sys.argv[1])
if result is None:
    sys.exit(1)
print(result if isinstance(result, str) else json.dumps(result))
