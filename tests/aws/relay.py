"""Keeps a server that listens everywhere inside a network of its own, and lets this machine in through a socket file.

`inside` runs in the new network namespace: it starts the server and passes what comes through the socket file on to
the server's port. `outside` listens on a port of the loopback interface and passes on to the socket file.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
from functools import partial

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
PR_SET_PDEATHSIG = 1


def raise_loopback() -> None:
    """A new network namespace has a loopback interface that is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = bytearray(struct.pack("16sH14s", b"lo", 0, b""))
        fcntl.ioctl(probe, SIOCGIFFLAGS, request)
        (flags,) = struct.unpack_from("H", request, 16)
        fcntl.ioctl(probe, SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags | IFF_UP, b""))


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.CancelledError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


async def serve(listening: str, target: str) -> None:
    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await connect(target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    if listening.isdigit():
        server = await asyncio.start_server(meet, "127.0.0.1", int(listening))
    else:
        server = await asyncio.start_unix_server(meet, listening)
    async with server:
        await server.serve_forever()


async def connect(target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if target.isdigit():
        return await asyncio.open_connection("127.0.0.1", int(target))
    return await asyncio.open_unix_connection(target)


def die_with_parent() -> None:
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    side, listening, target, *command = sys.argv[1:]
    server = None
    if side == "inside":
        raise_loopback()
        server = subprocess.Popen(command, preexec_fn=partial(die_with_parent))
    signal.signal(signal.SIGTERM, lambda *_: os._exit(stop(server)))
    asyncio.run(serve(listening, target))


def stop(server: subprocess.Popen[bytes] | None) -> int:
    if server is not None:
        server.kill()
        server.wait()
    return 0


if __name__ == "__main__":
    main()
