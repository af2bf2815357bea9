"""What a server owes an HTTP/2 client that breaks the rules, case by case, in raw frames.

    http2.py HOST PORT AUTHORITY PATH

connects in clear with prior knowledge. Each case names its section of RFC 9113 (or of RFC 7541, HPACK). A server may answer
a stream error with a connection error (RFC 9113, 5.4.2), and may close instead of saying why. Prints one line for each
case; ends with 1 when one fails. Needs hpack (Debian: python3-hpack).
"""

import socket
import struct
import sys

import hpack

HOST, PORT, AUTHORITY, PATH = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_ERROR, PROTOCOL, INTERNAL, FLOW_CONTROL, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE, REFUSED, CANCEL, COMPRESSION = range(10)

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY_FLAG = 1, 1, 4, 8, 32


class Closed(Exception):
    """The server has closed the connection."""


class Failed(Exception):
    """The server did something that the case does not allow."""


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    length = len(payload) if length is None else length
    return struct.pack(">I", length)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def request(*extra, method="GET", without=(), path=None):
    fields = [(":method", method), (":scheme", "http"), (":path", path or PATH), (":authority", AUTHORITY)]
    return [field for field in fields if field[0] not in without] + list(extra)


def check_code(code, codes):
    """PROTOCOL_ERROR is the general code (RFC 9113, 7): right, if less telling than the one that the section names."""
    if not codes or code in codes:
        return None
    if code == PROTOCOL:
        return "with the general code"
    raise Failed(f"error code {code}, expected {codes}")


class Connection:
    def __init__(self, greet=True, settings=b""):
        self.socket = socket.create_connection((HOST, PORT), timeout=5)
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.buffer = b""
        if greet:
            self.send(PREFACE + frame(SETTINGS, payload=settings))
            self.until(lambda kind, flags, *_: kind == SETTINGS and flags & ACK)

    def send(self, *pieces):
        try:
            self.socket.sendall(b"".join(pieces))
        except (BrokenPipeError, ConnectionResetError):
            raise Closed from None

    def headers(self, fields, stream=1, flags=END_HEADERS | END_STREAM, prefix=b""):
        return frame(HEADERS, flags, stream, prefix + self.encoder.encode(fields, huffman=False))

    def read(self):
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                raise Closed from None
            except socket.timeout:
                raise Failed("no answer within five seconds") from None
            if not more:
                raise Closed
            self.buffer += more
        length = int.from_bytes(self.buffer[:3], "big")
        kind, flags, stream = self.buffer[3], self.buffer[4], int.from_bytes(self.buffer[5:9], "big") & 0x7FFFFFFF
        payload, self.buffer = self.buffer[9 : 9 + length], self.buffer[9 + length :]
        if kind == SETTINGS and not flags & ACK:
            self.send(frame(SETTINGS, ACK))
        return kind, flags, stream, payload

    def until(self, wanted):
        while True:
            got = self.read()
            if wanted(*got):
                return got

    def connection_error(self, *codes):
        """GOAWAY with one of the codes, or the end of the connection."""
        try:
            _, _, _, payload = self.until(lambda kind, *_: kind == GOAWAY)
        except Closed:
            return None
        return check_code(int.from_bytes(payload[4:8], "big"), codes)

    def stream_error(self, *codes):
        """RST_STREAM or GOAWAY with one of the codes, a refusal (4xx), or the end of the connection."""
        try:
            kind, _, stream, payload = self.until(lambda kind, *_: kind in (GOAWAY, RST_STREAM, HEADERS))
        except Closed:
            return None
        if kind == HEADERS:
            status = dict(self.decoder.decode(payload)).get(":status", "")
            if not status.startswith("4"):
                raise Failed(f"the request was served: {status}")
            return None
        return check_code(int.from_bytes(payload[4:8] if kind == GOAWAY else payload[:4], "big"), codes)

    def answered(self, stream=1):
        """The request is served, and the connection goes on."""
        try:
            _, _, _, payload = self.until(lambda kind, _, on, __: kind == HEADERS and on == stream)
        except Closed:
            raise Failed("the connection was closed") from None
        status = dict(self.decoder.decode(payload)).get(":status")
        if status != "200":
            raise Failed(f"status {status}")

    def alive(self):
        self.send(frame(PING, payload=b"are-you?"))
        try:
            self.until(lambda kind, flags, _, payload: kind == PING and flags & ACK and payload == b"are-you?")
        except Closed:
            raise Failed("the connection was closed") from None


CASES = []


def case(section, title):
    def add(run):
        CASES.append((section, title, run))
        return run

    return add


def refused(section, title, *codes, settings=b""):
    """What `build` sends is a connection error."""

    def add(build):
        def run():
            connection = Connection(settings=settings)
            try:
                connection.send(*build(connection))
            except Closed:
                return None
            return connection.connection_error(*codes)

        CASES.append((section, title, run))

    return add


def malformed(section, title, *codes):
    """What `build` sends is a stream error at least."""

    def add(build):
        def run():
            connection = Connection()
            connection.send(*build(connection))
            return connection.stream_error(*(codes or (PROTOCOL,)))

        CASES.append((section, title, run))

    return add


def accepted(section, title):
    """After what `build` sends, a request is answered."""

    def add(build):
        def run():
            connection = Connection()
            connection.send(*build(connection))
            connection.send(connection.headers(request(), stream=101))
            connection.answered(101)

        CASES.append((section, title, run))

    return add


# 3.4 The preface


@case("3.4", "a preface that is not one")
def _():
    connection = Connection(greet=False)
    connection.send(PREFACE.replace(b"SM", b"XX"))
    # Taken for HTTP/1, it is answered in HTTP/1, with 400 and the end.
    while more := connection.socket.recv(65536):
        connection.buffer += more
    if not connection.buffer.startswith(b"HTTP/1.1 400 "):
        raise Failed(f"answered with {connection.buffer[:20]}")


# 4 Frames

accepted("4.1", "a frame of an unknown type is ignored")(lambda c: [frame(0x77, 0xFF, 0, b"anything")])
accepted("4.1", "undefined flags are ignored")(lambda c: [frame(PING, 0xFE, 0, b"12345678")])
accepted("4.1", "the reserved bit is ignored")(lambda c: [frame(PING, 0, 0x80000000, b"12345678")])
refused("4.2", "DATA larger than the largest frame", FRAME_SIZE, FLOW_CONTROL)(
    lambda c: [c.headers(request(method="POST"), flags=END_HEADERS), frame(DATA, 0, 1, bytes(16385))]
)
refused("4.2", "HEADERS larger than the largest frame", FRAME_SIZE)(lambda c: [frame(HEADERS, 5, 1, bytes(16385))])
refused("4.3", "a field block that cannot be decoded", COMPRESSION)(lambda c: [frame(HEADERS, 5, 1, b"\xff\xff\xff\xff\xff")])
refused("4.3", "another frame inside a field block", PROTOCOL)(
    lambda c: [c.headers(request(), flags=END_STREAM), frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 15))]
)
refused("4.3", "another stream's HEADERS inside a field block", PROTOCOL)(
    lambda c: [c.headers(request(), flags=END_STREAM), c.headers(request(), stream=3)]
)

# 5 Streams

refused("5.1", "DATA on an idle stream", PROTOCOL, STREAM_CLOSED)(lambda c: [frame(DATA, END_STREAM, 1, b"x")])
refused("5.1", "RST_STREAM on an idle stream", PROTOCOL)(lambda c: [frame(RST_STREAM, 0, 1, struct.pack(">I", CANCEL))])
refused("5.1", "WINDOW_UPDATE on an idle stream", PROTOCOL)(lambda c: [frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 100))])
refused("5.1", "CONTINUATION on an idle stream", PROTOCOL)(lambda c: [frame(CONTINUATION, END_HEADERS, 1, b"\x82")])
malformed("5.1", "DATA after the end of a request", STREAM_CLOSED)(lambda c: [c.headers(request()), frame(DATA, END_STREAM, 1, b"x")])
malformed("5.1", "HEADERS after the end of a request", STREAM_CLOSED, PROTOCOL)(lambda c: [c.headers(request()), c.headers(request())])
refused("5.1.1", "a stream with an even number", PROTOCOL)(lambda c: [c.headers(request(), stream=2)])
refused("5.1.1", "a stream with a smaller number than before", PROTOCOL, STREAM_CLOSED)(
    lambda c: [c.headers(request(), stream=5), c.headers(request(), stream=3)]
)
accepted("5.5", "an unknown setting is ignored")(lambda c: [frame(SETTINGS, payload=struct.pack(">HI", 0xFF, 1))])
refused("5.5", "an unknown frame inside a field block", PROTOCOL)(
    lambda c: [c.headers(request(), flags=END_STREAM), frame(0x77, 0, 0, b"x")]
)


@case("5.1.2", "more streams than announced")
def _():
    connection = Connection(greet=False)
    # With no window for their answers, the streams stay open.
    connection.send(PREFACE + frame(SETTINGS, payload=struct.pack(">HI", 4, 0)))
    _, _, _, payload = connection.until(lambda kind, flags, *_: kind == SETTINGS and not flags & ACK)
    settings = {key: value for key, value in struct.iter_unpack(">HI", payload)}
    most = settings.get(3)
    if most is None or most > 1000:
        raise Failed(f"no useful limit is announced: {most}")
    for number in range(most + 20):
        connection.send(connection.headers(request(), stream=2 * number + 1))
    try:
        kind, _, _, payload = connection.until(lambda kind, *_: kind in (RST_STREAM, GOAWAY))
    except Closed:
        return None
    code = int.from_bytes(payload[:4] if kind == RST_STREAM else payload[4:8], "big")
    return check_code(code, (REFUSED,))


# 6 Frame definitions

refused("6.1", "DATA on stream 0", PROTOCOL)(lambda c: [frame(DATA, END_STREAM, 0, b"x")])
refused("6.1", "DATA with more padding than payload", PROTOCOL)(
    lambda c: [c.headers(request(method="POST"), flags=END_HEADERS), frame(DATA, END_STREAM | PADDED, 1, b"\x09x")]
)
refused("6.2", "HEADERS on stream 0", PROTOCOL)(lambda c: [c.headers(request(), stream=0)])
refused("6.2", "HEADERS with more padding than payload", PROTOCOL)(
    lambda c: [c.headers(request(), flags=END_HEADERS | END_STREAM | PADDED, prefix=b"\xff")]
)
refused("6.3", "PRIORITY on stream 0", PROTOCOL)(lambda c: [frame(PRIORITY, 0, 0, struct.pack(">IB", 0, 15))])
malformed("6.3", "PRIORITY of a wrong length", FRAME_SIZE)(
    lambda c: [c.headers(request(method="POST"), flags=END_HEADERS), frame(PRIORITY, 0, 1, b"\x00\x00")]
)
refused("6.4", "RST_STREAM on stream 0", PROTOCOL)(lambda c: [frame(RST_STREAM, 0, 0, struct.pack(">I", CANCEL))])
refused("6.4", "RST_STREAM of a wrong length", FRAME_SIZE)(
    lambda c: [c.headers(request(method="POST"), flags=END_HEADERS), frame(RST_STREAM, 0, 1, b"\x00")]
)
refused("6.5", "an acknowledgement of SETTINGS with a payload", FRAME_SIZE)(lambda c: [frame(SETTINGS, ACK, 0, bytes(6))])
refused("6.5", "SETTINGS on a stream", PROTOCOL)(lambda c: [frame(SETTINGS, 0, 1, struct.pack(">HI", 3, 10))])
refused("6.5", "SETTINGS of a wrong length", FRAME_SIZE)(lambda c: [frame(SETTINGS, 0, 0, b"\x00\x03\x00")])
refused("6.5.2", "ENABLE_PUSH that is neither 0 nor 1", PROTOCOL)(lambda c: [frame(SETTINGS, payload=struct.pack(">HI", 2, 2))])
refused("6.5.2", "INITIAL_WINDOW_SIZE above 2^31-1", FLOW_CONTROL)(lambda c: [frame(SETTINGS, payload=struct.pack(">HI", 4, 2**31))])
refused("6.5.2", "MAX_FRAME_SIZE below 2^14", PROTOCOL)(lambda c: [frame(SETTINGS, payload=struct.pack(">HI", 5, 2**14 - 1))])
refused("6.5.2", "MAX_FRAME_SIZE above 2^24-1", PROTOCOL)(lambda c: [frame(SETTINGS, payload=struct.pack(">HI", 5, 2**24))])
refused("6.6", "PUSH_PROMISE from a client", PROTOCOL)(
    lambda c: [c.headers(request(method="POST"), flags=END_HEADERS), frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2))]
)
refused("6.7", "PING on a stream", PROTOCOL)(lambda c: [frame(PING, 0, 1, b"12345678")])
refused("6.7", "PING of a wrong length", FRAME_SIZE)(lambda c: [frame(PING, 0, 0, b"1234567")])
refused("6.8", "GOAWAY on a stream", PROTOCOL)(lambda c: [frame(GOAWAY, 0, 1, struct.pack(">II", 0, 0))])
refused("6.9", "WINDOW_UPDATE by nothing, on the connection", PROTOCOL)(lambda c: [frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0))])
malformed("6.9", "WINDOW_UPDATE by nothing, on a stream")(
    lambda c: [c.headers(request(method="POST"), flags=END_HEADERS), frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 0))]
)
refused("6.9", "WINDOW_UPDATE of a wrong length", FRAME_SIZE)(lambda c: [frame(WINDOW_UPDATE, 0, 0, b"\x00\x00\x01")])
refused("6.9.1", "a connection window above 2^31-1", FLOW_CONTROL)(
    lambda c: [frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**31 - 1))] * 2
)
malformed("6.9.1", "a stream window above 2^31-1", FLOW_CONTROL)(
    lambda c: [c.headers(request(method="POST"), flags=END_HEADERS)] + [frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 2**31 - 1))] * 2
)
refused("6.10", "CONTINUATION after the end of a field block", PROTOCOL, STREAM_CLOSED)(
    lambda c: [c.headers(request(method="POST"), flags=END_HEADERS), frame(CONTINUATION, END_HEADERS, 1, b"\x82")]
)
refused("6.10", "CONTINUATION on stream 0", PROTOCOL)(
    lambda c: [c.headers(request(), flags=END_STREAM), frame(CONTINUATION, END_HEADERS, 0, b"\x82")]
)


@case("6.9.2", "a body waits for its window, and comes when the window opens")
def _():
    connection = Connection(settings=struct.pack(">HI", 4, 0))
    connection.send(connection.headers(request()))
    connection.answered()
    connection.alive()
    connection.send(frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1)))
    _, _, _, payload = connection.until(lambda kind, _, __, payload: kind == DATA and payload)
    if len(payload) != 1:
        raise Failed(f"{len(payload)} bytes in a window of one")


@case("6.7", "PING is answered with its own payload")
def _():
    Connection().alive()


# 8 Requests

malformed("8.1", "a second HEADERS that does not end the request")(
    lambda c: [c.headers(request(method="POST"), flags=END_HEADERS), c.headers([("x-trailer", "a")], flags=END_HEADERS)]
)
malformed("8.2.1", "an upper-case field name")(lambda c: [c.headers(request(("X-Upper", "a")))])
for name, value in [("connection", "keep-alive"), ("proxy-connection", "close"), ("keep-alive", "5"), ("transfer-encoding", "chunked"), ("upgrade", "h2c")]:
    malformed("8.2.2", f"the connection's own field {name}")(lambda c, field=(name, value): [c.headers(request(field))])
malformed("8.2.2", "te with anything but trailers")(lambda c: [c.headers(request(("te", "gzip")))])
malformed("8.3", "a pseudo-field after an ordinary one")(
    lambda c: [frame(HEADERS, 5, 1, c.encoder.encode([(":method", "GET"), (":scheme", "http"), ("x-a", "b"), (":path", PATH), (":authority", AUTHORITY)]))]
)
malformed("8.3", "an unknown pseudo-field")(lambda c: [c.headers([(":unknown", "a")] + request())])
malformed("8.3", "a response's pseudo-field in a request")(lambda c: [c.headers(request() + [(":status", "200")])])
malformed("8.3", "a pseudo-field in trailers")(
    lambda c: [c.headers(request(method="POST"), flags=END_HEADERS), c.headers([(":path", "/b")])]
)
for name in [":method", ":scheme", ":path"]:
    malformed("8.3.1", f"no {name}")(lambda c, name=name: [c.headers(request(without=(name,)))])
    malformed("8.3.1", f"two of {name}")(lambda c, name=name: [c.headers([next(f for f in request() if f[0] == name)] + request())])
malformed("8.3.1", "an empty :path")(
    lambda c: [c.headers([(":method", "GET"), (":scheme", "http"), (":path", ""), (":authority", AUTHORITY)])]
)
malformed("8.1.1", "more DATA than content-length says")(
    lambda c: [c.headers(request(("content-length", "1"), method="POST"), flags=END_HEADERS), frame(DATA, END_STREAM, 1, b"xx")]
)
malformed("8.1.1", "less DATA than content-length says")(
    lambda c: [c.headers(request(("content-length", "9"), method="POST"), flags=END_HEADERS), frame(DATA, END_STREAM, 1, b"xx")]
)
malformed("8.2.1", "a field value with a line end")(lambda c: [c.headers(request(("x-a", "b\r\nx-c: d")))])
malformed("8.2.1", "a field value with a zero byte")(lambda c: [c.headers(request(("x-a", "b\0c")))])
malformed("8.3.1", "two hosts that differ")(lambda c: [c.headers(request(("host", "elsewhere.example")))])

# HPACK (RFC 7541)

refused("HPACK 2.3.3", "an index beyond the tables", COMPRESSION)(lambda c: [frame(HEADERS, 5, 1, b"\xfe")])
refused("HPACK 6.1", "index 0", COMPRESSION)(lambda c: [frame(HEADERS, 5, 1, b"\x80")])
refused("HPACK 4.2", "a change of the table's size at the end of a block", COMPRESSION)(
    lambda c: [frame(HEADERS, 5, 1, c.encoder.encode(request(), huffman=False) + b"\x20")]
)
refused("HPACK 6.3", "a table larger than was agreed", COMPRESSION)(
    lambda c: [frame(HEADERS, 5, 1, b"\x3f\xe1\xff\x03" + c.encoder.encode(request(), huffman=False))]
)
refused("HPACK 5.2", "Huffman padding longer than seven bits", COMPRESSION)(
    lambda c: [frame(HEADERS, 5, 1, c.encoder.encode(request(), huffman=False) + b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff")]
)
refused("HPACK 5.2", "the end-of-string symbol in a Huffman string", COMPRESSION)(
    lambda c: [frame(HEADERS, 5, 1, c.encoder.encode(request(), huffman=False) + b"\x00\x85\xf2\xb2\x4a\x87\xff\xff\xff\xfd\x25\x42\x7f")]
)


def main():
    failures = 0
    for section, title, run in CASES:
        try:
            outcome = ", ".join(filter(None, ["ok", run()]))
        except Failed as failure:
            outcome = f"FAILED: {failure}"
            failures += 1
        except Closed:
            outcome = "FAILED: the connection was closed too early"
            failures += 1
        print(f"{section:12} {title}: {outcome}", flush=True)
    connection = Connection()
    connection.send(connection.headers(request()))
    connection.answered()
    print(f"{len(CASES)} cases, {failures} failed")
    return 1 if failures else 0


sys.exit(main())
