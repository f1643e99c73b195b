"""Messages and shared arrays between client and worker. Runs on Python 3.8: the standard library and numpy alone.

A message is four bytes of length, big-endian, and that many bytes of JSON. Arrays of float64 lie one after the other in a file
that both processes map.
"""

from __future__ import annotations

import json
import socket
import struct

import numpy as np

PROTOCOL = 1
LENGTH = struct.Struct(">I")
LARGEST = 1 << 24


class Closed(Exception):
    """The other side is gone."""


class Garbled(Exception):
    """What came is no message."""


def send(connection: socket.socket, message: dict) -> None:
    """Send one message; raises `Closed`."""
    body = json.dumps(message).encode()
    try:
        connection.sendall(LENGTH.pack(len(body)) + body)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise Closed from error


def receive(connection: socket.socket) -> dict:
    """Wait for one message; raises `Closed`, `Garbled`, or `socket.timeout`."""
    (length,) = LENGTH.unpack(_exactly(connection, LENGTH.size))
    if length > LARGEST:
        raise Garbled(f"a message of {length} bytes")
    try:
        message = json.loads(_exactly(connection, length).decode())
    except ValueError as error:
        raise Garbled(str(error)) from error
    if not isinstance(message, dict):
        raise Garbled("a message that is no object")
    return message


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        try:
            part = connection.recv(min(count, 1 << 16))
        except ConnectionResetError as error:
            raise Closed from error
        if not part:
            raise Closed
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def make_arrays(path: str, layout: dict[str, list[int]]) -> None:
    """Write a file of zeros that `open_arrays` maps."""
    with open(path, "wb") as file:  # noqa: PTH123
        file.truncate(8 * max(sum(_size(shape) for shape in layout.values()), 1))


def open_arrays(path: str, layout: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """Views of the shared file, in the layout's order."""
    total = max(sum(_size(shape) for shape in layout.values()), 1)
    data = np.memmap(path, dtype=np.float64, mode="r+", shape=(total,))
    arrays, start = {}, 0
    for name, shape in layout.items():
        size = _size(shape)
        arrays[name] = data[start : start + size].reshape(shape)
        start += size
    return arrays


def _size(shape: list[int]) -> int:
    return int(np.prod(shape, dtype=np.int64))
