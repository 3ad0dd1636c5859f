"""A proxy of TCP that delays what goes through it: ``python delaying_proxy.py HOST PORT SECONDS``. Prints its port.

Each piece of bytes leaves half of SECONDS after it came, in both directions, so that an answer comes SECONDS after its
request, as over a long line; how much goes through at once is not limited.
"""

from __future__ import annotations

import asyncio
import sys
import time

PIECE = 1 << 16


async def delayed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Carry bytes from one end to the other, each piece some time after it came."""
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def receive() -> None:
        data = b"."
        while data:
            data = await reader.read(PIECE)
            await pieces.put((time.monotonic() + seconds, data))

    receiving = asyncio.create_task(receive())
    try:
        while True:
            due, data = await pieces.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if not data:
                break
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        receiving.cancel()
    finally:
        writer.close()


async def serve(host: str, port: int, seconds: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, port)
        await asyncio.gather(
            delayed(reader, far_writer, seconds / 2),
            delayed(far_reader, writer, seconds / 2),
            return_exceptions=True,
        )

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
