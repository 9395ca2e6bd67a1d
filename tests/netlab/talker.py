"""A conversation over TCP that must not break, and how long it ever paused.

talker.py serve ADDRESS PORT          echoes everything to everyone
talker.py talk HOST PORT SECONDS      says a number twenty times a second and expects it back;
    prints JSON: words said and heard, and the longest pause between two answers in ms.
    Exit status 1 when the connection broke or an answer was wrong.
"""

import asyncio
import json
import struct
import sys
import time

EVERY = 0.05
DRAIN = 90  # seconds for the last answers


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def serve(address, port):
    server = await asyncio.start_server(echo, address, port)
    async with server:
        await server.serve_forever()


async def say(writer, seconds):
    n, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        writer.write(struct.pack("!Q", n))
        n += 1
        await asyncio.sleep(EVERY)
    return n


async def hear(reader, state):
    last = time.monotonic()
    while True:
        (n,) = struct.unpack("!Q", await reader.readexactly(8))
        now = time.monotonic()
        if n != state["heard"]:
            raise ValueError(f"heard {n} instead of {state['heard']}")
        state["heard"] += 1
        state["pause_ms"] = max(state["pause_ms"], int((now - last) * 1000))
        last = now


async def talk(host, port, seconds):
    state = {"said": 0, "heard": 0, "pause_ms": 0, "error": None}
    reader, writer = await asyncio.open_connection(host, port)
    ears = asyncio.create_task(hear(reader, state))
    mouth = asyncio.create_task(say(writer, seconds))
    try:
        await asyncio.wait([ears, mouth], return_when=asyncio.FIRST_COMPLETED)
        if mouth.done():
            state["said"] = mouth.result()
            until = time.monotonic() + DRAIN
            while state["heard"] < state["said"] and time.monotonic() < until and not ears.done():
                await asyncio.sleep(EVERY)
        if ears.done():
            ears.result()
        if state["heard"] < state["said"]:
            state["error"] = "answers are missing"
    except (OSError, ValueError, asyncio.IncompleteReadError) as e:
        state["error"] = str(e)
    print(json.dumps(state), flush=True)
    ears.cancel()
    mouth.cancel()
    return 1 if state["error"] else 0


def main():
    if sys.argv[1] == "serve":
        asyncio.run(serve(sys.argv[2], int(sys.argv[3])))
        return 0
    return asyncio.run(talk(sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))


sys.exit(main())
