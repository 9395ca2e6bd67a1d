"""Ends TLS and passes the bytes on, as a web server in front of a relay does:
tls_proxy.py CERTIFICATE KEY ADDRESS PORT BACKEND-PORT"""

import asyncio
import ssl
import sys


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def serve(certificate, key, address, port, backend):
    async def on_client(reader, writer):
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", int(backend))
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, to_writer), pump(to_reader, writer))

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    server = await asyncio.start_server(on_client, address, int(port), ssl=context)
    async with server:
        await server.serve_forever()


asyncio.run(serve(*sys.argv[1:]))
