"""WebSocket through a gateway beside the same WebSocket without one: whatever a client sends, it must get the same back.

    websocket.py serve                                        an echo server; prints its port, ends with its input
    websocket.py check PORT GATEWAY_HOST GATEWAY_PORT AUTHORITY
                                                              every case against PORT and through the gateway

The cases follow the sections of RFC 6455 and RFC 7692: frames of every length, whole and in pieces, control frames inside
messages, reserved bits and opcodes, bad UTF-8, closing in every way, compression, and large messages. Each runs directly,
through the gateway over HTTP/1.1 and over HTTP/2 (RFC 8441); the bytes that come back have to be equal to the last one.
What is in the environment as AUTHORIZATION is sent to the gateway. Prints one line for each case; ends with 1 when one
differs. Needs websockets and hpack (Debian: python3-websockets,
python3-hpack).
"""

import asyncio
import os
import struct
import sys
import zlib

import hpack
import websockets

MASK = b"\x12\x34\x56\x78"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
PATIENCE = 30
DIRECT = "localhost"
LAST = b"that is all"


def frame(opcode, payload=b"", fin=True, reserved=0, masked=True):
    head = bytes([(fin << 7) | (reserved << 4) | opcode])
    length = len(payload)
    bit = masked << 7
    if length < 126:
        head += bytes([bit | length])
    elif length < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", length)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", length)
    if not masked:
        return head + payload
    key = (MASK * (length // 4 + 1))[:length]
    return head + MASK + (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")


def close(code=None, reason=b""):
    return frame(CLOSE, b"" if code is None else struct.pack(">H", code) + reason)


def deflated(text):
    deflate = zlib.compressobj(wbits=-15)
    return (deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]


def pieces(data, size):
    return [data[at : at + size] for at in range(0, len(data), size)]


def cases():
    """Name, whether compression is offered, and what is written, piece by piece. Where it does not close, `farewell` is
    left to the run, which first waits for everything to be echoed."""
    farewell = None
    for length in [0, 1, 125, 126, 127, 128, 65535, 65536, 65537]:
        yield f"5.2 text of {length} bytes", False, [frame(TEXT, b"*" * length), farewell]
        yield f"5.2 binary of {length} bytes", False, [frame(BINARY, b"\xfe" * length), farewell]
    for size in [1, 3, 997]:
        yield f"5.2 a frame in pieces of {size}", False, pieces(frame(TEXT, b"*" * 1500), size) + [farewell]
    for length in [1 << 20, 4 << 20]:
        yield f"5.2 binary of {length} bytes", False, [frame(BINARY, bytes(range(256)) * (length // 256)), farewell]
        yield f"5.4 {length} bytes in fragments of 4096", False, [
            frame(BINARY if at == 0 else 0, b"\x55" * 4096, fin=at == length - 4096) for at in range(0, length, 4096)
        ] + [farewell]
    yield "5.5.2 a ping", False, [frame(PING), farewell]
    yield "5.5.2 a ping of 125 bytes", False, [frame(PING, b"\x00\xff" * 62 + b"a"), farewell]
    yield "5.5.2 a ping of 126 bytes", False, [frame(PING, b"a" * 126), farewell]
    yield "5.5.2 ten pings", False, [frame(PING, b"%d" % n) for n in range(10)] + [farewell]
    yield "5.5.3 a pong that nobody asked for", False, [frame(PONG, b"unasked"), frame(TEXT, b"on"), farewell]
    for bits in range(1, 8):
        yield f"5.2 reserved bits {bits:03b}", False, [frame(TEXT, b"a", reserved=bits), farewell]
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]:
        yield f"5.2 reserved opcode {opcode}", False, [frame(opcode, b"a"), farewell]
    yield "5.1 a frame without a mask", False, [frame(TEXT, b"a", masked=False), farewell]
    yield "5.4 two fragments", False, [frame(TEXT, b"a", fin=False), frame(0, b"b"), farewell]
    yield "5.4 empty fragments", False, [frame(TEXT, fin=False), frame(0, fin=False), frame(0), farewell]
    yield "5.4 a ping between fragments", False, [frame(TEXT, b"a", fin=False), frame(PING, b"!"), frame(0, b"b"), farewell]
    yield "5.4 a fragmented ping", False, [frame(PING, b"a", fin=False), frame(0, b"b"), farewell]
    yield "5.4 a continuation of nothing", False, [frame(0, b"b"), farewell]
    yield "5.4 a message inside a message", False, [frame(TEXT, b"a", fin=False), frame(TEXT, b"b"), farewell]
    words = "κόσμε — 日本語 🗝".encode()
    yield "8.1 valid UTF-8", False, [frame(TEXT, words), farewell]
    yield "8.1 a character across fragments", False, [frame(TEXT, words[:3], fin=False), frame(0, words[3:]), farewell]
    for bad in [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", words[:-1], b"\xf8\x88\x80\x80\x80"]:
        yield f"8.1 no UTF-8: {bad[:6].hex()}", False, [frame(TEXT, bad), farewell]
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]:
        yield f"7.4 closing with {code}", False, [close(code, b"bye")]
    for code in [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535]:
        yield f"7.4 closing with {code}, which is not allowed", False, [close(code)]
    yield "5.5.1 closing without a code", False, [close()]
    yield "5.5.1 closing with one byte", False, [frame(CLOSE, b"\x03")]
    yield "5.5.1 closing with 123 bytes of reason", False, [close(1000, b"r" * 123)]
    yield "5.5.1 closing with 124 bytes of reason", False, [close(1000, b"r" * 124)]
    yield "5.5.1 closing with a reason that is no UTF-8", False, [close(1000, b"\xff")]
    yield "5.5.1 a message after closing", False, [close(1000), frame(TEXT, b"late")]
    yield "5.5.1 closing twice", False, [close(1000), close(1001)]
    for length in [0, 1, 16, 1024, 128 * 1024]:
        text = (b"compressible " * (length // 13 + 1))[:length]
        yield f"RFC 7692, 7.2 {length} bytes compressed", True, [frame(TEXT, deflated(text), reserved=4), farewell]
    yield "RFC 7692, 7.2.3 two compressed messages", True, [frame(TEXT, deflated(b"one"), reserved=4)] * 2 + [farewell]
    yield "RFC 7692, 6 an uncompressed message among compressed", True, [frame(TEXT, b"plain"), farewell]
    yield "RFC 7692, 7.2 compressed rubbish", True, [frame(TEXT, b"\xff\xff\xff", reserved=4), farewell]


def handshake(authority, compression):
    fields = [("sec-websocket-version", "13")]
    if authority != DIRECT and "AUTHORIZATION" in os.environ:
        fields.append(("authorization", os.environ["AUTHORIZATION"]))
    if compression:
        fields.append(("sec-websocket-extensions", "permessage-deflate; client_no_context_takeover; server_no_context_takeover"))
    return fields


async def collect(reader, writer, written):
    """Writes the pieces and returns everything that comes back until the end."""
    received = bytearray()
    echoed = asyncio.Event()

    async def write():
        try:
            for piece in written:
                if piece is None:
                    # What comes after the last message is echoed has been preceded by everything else.
                    writer.write(frame(TEXT, LAST))
                    await writer.drain()
                    await echoed.wait()
                    piece = close(1000)
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            pass  # the server has heard enough

    async def read():
        try:
            while more := await reader.read(65536):
                received.extend(more)
                if received[-32:].endswith((frame(TEXT, LAST, masked=False), frame(TEXT, deflated(LAST), reserved=4, masked=False))):
                    echoed.set()
        except ConnectionError:
            pass
        echoed.set()

    await asyncio.gather(write(), read())
    return bytes(received)


async def over_http1(host, port, authority, compression, written):
    reader, writer = await asyncio.open_connection(host, port)
    fields = [("host", authority), ("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")]
    fields += handshake(authority, compression)
    head = "GET /echo HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n"
    writer.write(head.encode())
    answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    if not answer.startswith("http/1.1 101 ") or "s3pplmbitxaq9kygzzhzrbk+xoo=" not in answer:
        raise RuntimeError(f"no WebSocket: {answer.splitlines()[0]}")
    received = await collect(reader, writer, written)
    writer.close()
    return received


class Stream:
    """One extended CONNECT as a pair of reader and writer."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.decoder = reader, writer, hpack.Decoder()
        self.windows = {0: 65535, 1: 65535}
        self.room = asyncio.Event()
        self.ended = False

    def send(self, kind, flags, stream, payload):
        self.writer.write(struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload)

    async def next(self):
        head = await self.reader.readexactly(9)
        payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
        if kind == 4 and not flags & 1:
            settings = dict(struct.iter_unpack(">HI", payload))
            if 4 in settings:
                self.windows[1] += settings[4] - 65535
            self.connect_allowed = settings.get(8) == 1
            self.send(4, 1, 0, b"")
        elif kind == 8:
            self.windows[stream] = self.windows.get(stream, 0) + int.from_bytes(payload, "big")
            self.room.set()
        elif kind == 6 and not flags & 1:
            self.send(6, 1, 0, payload)
        elif kind == 0 and payload:
            for on in (0, stream):
                self.send(8, 0, on, struct.pack(">I", len(payload)))
        return kind, flags, payload

    def write(self, piece):
        self.piece = piece

    async def drain(self):
        for part in pieces(self.piece, 16384):
            while min(self.windows.values()) < len(part):
                self.room.clear()
                if self.ended:
                    raise ConnectionResetError
                await self.room.wait()
            for on in self.windows:
                self.windows[on] -= len(part)
            self.send(0, 0, 1, part)
            await self.writer.drain()

    async def read(self, _):
        while not self.ended:
            try:
                kind, flags, payload = await self.next()
            except asyncio.IncompleteReadError:
                kind, flags, payload = 7, 0, b""
            self.ended = kind in (3, 7) or (kind in (0, 1) and flags & 1)
            if self.ended:
                self.room.set()
            if kind == 0 and payload:
                return payload
        return b""


async def over_http2(host, port, authority, compression, written):
    reader, writer = await asyncio.open_connection(host, port)
    stream = Stream(reader, writer)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    stream.send(4, 0, 0, b"")
    while (await stream.next())[0] != 4:
        pass
    if not stream.connect_allowed:
        raise RuntimeError("the server does not announce extended CONNECT")
    fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/echo"), (":authority", authority)]
    stream.send(1, 4, 1, hpack.Encoder().encode(fields + handshake(authority, compression)))
    while True:
        kind, _, payload = await stream.next()
        if kind == 1:
            break
        if kind in (3, 7):
            raise RuntimeError("the stream was refused")
    status = dict(stream.decoder.decode(payload)).get(":status")
    if status != "200":
        raise RuntimeError(f"no WebSocket: {status}")
    received = await collect(stream, stream, written)
    writer.close()
    return received


async def check(port, gateway_host, gateway_port, authority):
    failures = total = 0
    for name, compression, written in cases():
        async def outcome(way):
            try:
                return await asyncio.wait_for(way, PATIENCE)
            except (RuntimeError, asyncio.TimeoutError) as error:
                return f"{type(error).__name__} {error}"

        expected = await outcome(over_http1("127.0.0.1", port, DIRECT, compression, written))
        for channel, way in [("HTTP/1.1", over_http1), ("HTTP/2", over_http2)]:
            total += 1
            got = await outcome(way(gateway_host, gateway_port, authority, compression, written))
            if isinstance(expected, bytes) and got == expected:
                print(f"{channel:8} {name}: ok, {len(got)} bytes", flush=True)
            else:
                failures += 1
                print(f"{channel:8} {name}: FAILED: {brief(got)} instead of {brief(expected)}", flush=True)
    print(f"{total} cases, {failures} failed")
    return 1 if failures else 0


def brief(outcome):
    return f"{len(outcome)} bytes {outcome[:24].hex()}" if isinstance(outcome, bytes) else outcome


async def serve():
    async def echo(socket):
        try:
            async for message in socket:
                await socket.send(message)
        except websockets.ConnectionClosed:
            pass  # as many cases want it

    quiet = dict(ping_interval=None, close_timeout=2, max_size=None, server_header=None)
    async with websockets.serve(echo, "127.0.0.1", 0, **quiet) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    elif len(sys.argv) == 6 and sys.argv[1] == "check":
        sys.exit(asyncio.run(check(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5])))
    else:
        sys.exit(__doc__)
