#!/usr/bin/env python3
"""The gateway's WebSocket against RFC 6455: a real client (websockets) for what is allowed, bytes by
hand for what is not."""

import asyncio
import json
import os
import re
import socket
import struct
import sys
import unittest
import urllib.request

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from exchange import Exchange

sys.dont_write_bytecode = True
EXCHANGE = None
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
PING_JSON = b'{"type":"ping"}'


def frame(opcode, payload=b"", fin=True, rsv=0, mask=b"\x01\x02\x03\x04", length=None):
    """A client frame; mask None = not masked; length = what the header claims."""
    claimed = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if claimed < 126:
        head += bytes([bit | claimed])
    elif claimed < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", claimed)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", claimed)
    if not mask:
        return head + payload
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


class Raw:
    """A connection that says whatever it is told to."""

    def __init__(self, first=b"", dribble=False, headers="", key="x3JJHMbDL1EzLkh9GBhXDw=="):
        self.socket = socket.create_connection(("127.0.0.1", EXCHANGE.port), timeout=5)
        request = (f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                   f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   f"Sec-WebSocket-Key: {key}\r\n{headers}\r\n").encode()
        self.buffer = b""
        self.send(request + first, dribble)
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        self.head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)

    def send(self, data, dribble=False):
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in (data[i:i + 1] for i in range(len(data))) if dribble else (data,):
            self.socket.sendall(piece)

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self.buffer += data

    def take(self, count):
        while len(self.buffer) < count:
            self.more()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def next(self):
        """(opcode, payload) of the next frame; servers send whole, unmasked ones."""
        first, second = self.take(2)
        assert first & 0xF0 == 0x80 and second < 128, (first, second)
        length = second
        if second == 126:
            length = struct.unpack(">H", self.take(2))[0]
        elif second == 127:
            length = struct.unpack(">Q", self.take(8))[0]
        return first & 15, self.take(length)

    def goodbye(self):
        """(code, reason) of the close frame; then the server hangs up."""
        opcode, payload = self.next()
        while opcode != CLOSE:
            opcode, payload = self.next()
        self.socket.sendall(frame(CLOSE, payload[:2]))
        try:
            while True:
                self.next()
        except (EOFError, ConnectionError):
            pass
        self.socket.close()
        return struct.unpack(">H", payload[:2])[0], payload[2:].decode()

    def abort(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Violations(unittest.TestCase):
    def closes(self, code, *frames):
        raw = Raw()
        self.assertIn(b" 101 ", raw.head)
        for data in frames:
            raw.send(data)
        got, reason = raw.goodbye()
        self.assertEqual(got, code, reason)
        self.assertTrue(reason)

    def test_not_masked(self):
        self.closes(1002, frame(TEXT, PING_JSON, mask=None))

    def test_reserved_bits(self):
        for rsv in (1, 2, 4):  # 4: compressed, which was not agreed
            self.closes(1002, frame(TEXT, PING_JSON, rsv=rsv))

    def test_reserved_opcodes(self):
        for opcode in (3, 7, 11, 15):
            self.closes(1002, frame(opcode))

    def test_binary(self):
        self.closes(1003, frame(BINARY, PING_JSON))

    def test_too_large(self):
        self.closes(1009, frame(TEXT, b" " * 4097))
        self.closes(1009, frame(TEXT, b"{", length=1 << 40))
        self.closes(1009, frame(TEXT, b" " * 4000, fin=False), frame(0, b" " * 97))

    def test_fragments_out_of_order(self):
        self.closes(1002, frame(0, PING_JSON))
        self.closes(1002, frame(TEXT, b"{", fin=False), frame(TEXT, b"}"))

    def test_control_frames(self):
        self.closes(1002, frame(PING, b"x", fin=False))
        self.closes(1002, frame(PING, b"x" * 126))
        self.closes(1002, frame(CLOSE, b"\x03"))
        for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535):
            self.closes(1002, frame(CLOSE, struct.pack(">H", code)))
        self.closes(1007, frame(CLOSE, struct.pack(">H", 1000) + b"\xff"))

    def test_not_utf8(self):
        for text in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"):
            self.closes(1007, frame(TEXT, text))
        self.closes(1007, frame(TEXT, b"\xe2", fin=False), frame(0, b"\x28"))

    def test_goodbyes_are_repeated(self):
        for code in (1000, 1001, 1011, 3000, 4999):
            self.closes(code, frame(CLOSE, struct.pack(">H", code) + "adi\u00f3s".encode()))


class Handshakes(unittest.TestCase):
    def test_accept_key_of_the_rfc(self):
        raw = Raw(key="dGhlIHNhbXBsZSBub25jZQ==")
        self.assertIn(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", raw.head)
        raw.abort()

    def test_frames_behind_the_request_and_byte_by_byte(self):
        for dribble in (False, True):
            raw = Raw(first=frame(TEXT, PING_JSON), dribble=dribble)
            types = [json.loads(raw.next()[1])["type"] for _ in range(2)]
            self.assertEqual(types, ["connected", "pong"])
            raw.abort()

    def test_extensions_and_protocols_are_declined(self):
        raw = Raw(headers="Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
                          "Sec-WebSocket-Protocol: soap, wamp\r\n")
        self.assertIn(b" 101 ", raw.head)
        self.assertNotIn(b"extensions", raw.head.lower())
        self.assertNotIn(b"protocol:", raw.head.lower())
        raw.abort()

    def refused(self, status, request):
        with socket.create_connection(("127.0.0.1", EXCHANGE.port), timeout=5) as s:
            s.sendall(request.encode())
            head = s.recv(65536).decode()
        self.assertRegex(head, rf"^HTTP/1\.1 {status} ")
        return head

    def test_bad_requests(self):
        good = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw=="}

        def request(line="GET /ws HTTP/1.1", **changes):
            fields = {**good, **{k.replace("_", "-"): v for k, v in changes.items()}}
            return line + "\r\nHost: x\r\n" + "".join(
                f"{k}: {v}\r\n" for k, v in fields.items() if v is not None) + "\r\n"

        for bad in (request(Sec_WebSocket_Key=None), request(Sec_WebSocket_Key="short"),
                    request(Sec_WebSocket_Version=None), request(Upgrade="h2c"),
                    request(Upgrade=None, Connection=None)):
            self.refused("(400|426)", bad)
        self.assertIn("Sec-WebSocket-Version: 13", self.refused("(400|426)", request(
            Sec_WebSocket_Version="8")))
        self.refused(404, request("GET /wss HTTP/1.1"))


class Raws(unittest.TestCase):
    def test_pings_between_fragments_and_split_characters(self):
        raw = Raw()
        raw.next()
        text = '{"type":"ping","id":"\u20ac\U0001f600"}'.encode()
        for i, byte in enumerate(text):
            raw.send(frame(TEXT if i == 0 else 0, bytes([byte]), fin=i == len(text) - 1))
            if i % 7 == 3:
                raw.send(frame(PING, bytes([i])) + frame(PONG, b"nobody asked"))
                self.assertEqual(raw.next(), (PONG, bytes([i])))
        answer = json.loads(raw.next()[1])
        self.assertEqual((answer["type"], answer["id"]), ("pong", "\u20ac\U0001f600"))
        raw.abort()

    def test_empty_fragments_and_the_largest_message(self):
        raw = Raw()
        raw.next()
        raw.send(frame(TEXT, b"", fin=False) + frame(0, b"", fin=False) + frame(0, PING_JSON))
        self.assertEqual(json.loads(raw.next()[1])["type"], "pong")
        raw.send(frame(TEXT, PING_JSON + b" " * (4096 - len(PING_JSON))))
        self.assertEqual(json.loads(raw.next()[1])["type"], "pong")
        raw.abort()

    def test_abrupt_ends_leave_nothing(self):
        def sockets():
            with urllib.request.urlopen(f"{EXCHANGE.url}/metrics") as answer:
                text = answer.read().decode()
            return int(re.search(r"^eidos_api_websockets(?:\{[^}]*\})? (\d+)", text, re.M)[1])

        raws = [Raw(first=frame(TEXT, b'{"type":"subscribe","channels":["ticker.*","depth.*.20"]}'))
                for _ in range(50)]
        self.assertGreaterEqual(sockets(), 50)
        for i, raw in enumerate(raws):
            if i % 2:
                raw.send(frame(TEXT, b"half a mess", length=100))
            raw.abort()
        for _ in range(100):
            if sockets() == 0:
                return
            asyncio.run(asyncio.sleep(0.05))
        self.fail(f"{sockets()} connections are left")


class Client(unittest.IsolatedAsyncioTestCase):
    def connect(self, **options):
        return websockets.connect(f"ws://127.0.0.1:{EXCHANGE.port}/ws", **options)

    async def test_compression_is_declined_and_all_goes_on(self):
        async with self.connect(extensions=[ClientPerMessageDeflateFactory()]) as ws:
            self.assertEqual(ws.protocol.extensions, [])
            self.assertEqual(json.loads(await ws.recv())["type"], "connected")
            await ws.send('{"type":"subscribe","channels":["depth.*.20","kline.*.1m","ticker.*"]}')
            self.assertEqual(json.loads(await ws.recv())["type"], "subscribed")
            snapshots = [json.loads(await ws.recv()) for _ in range(4)]
            self.assertEqual({m["channel"] for m in snapshots}, {"depth.*.20", "ticker.*"})

    async def test_pings_are_answered_with_their_payload(self):
        async with self.connect() as ws:
            await ws.recv()
            for payload in (b"", b"x" * 125):
                await asyncio.wait_for(await ws.ping(payload), 5)

    async def test_fragments(self):
        async with self.connect() as ws:
            await ws.recv()
            await ws.send(['{"type":', '"ping",', '"id":7}'])
            self.assertEqual(json.loads(await ws.recv())["id"], 7)

    async def test_close_codes_are_seen(self):
        for message, code in ((b"bytes", 1003), ("x" * 5000, 1009)):
            async with self.connect() as ws:
                await ws.recv()
                await ws.send(message)
                with self.assertRaises(websockets.ConnectionClosed) as closed:
                    await asyncio.wait_for(ws.recv(), 5)
                self.assertEqual(closed.exception.rcvd.code, code)
                self.assertTrue(closed.exception.rcvd.reason)

    async def test_a_client_says_goodbye(self):
        ws = await self.connect()
        await ws.close(1000, "done")
        self.assertEqual(ws.close_code, 1000)


def main():
    global EXCHANGE
    with Exchange() as EXCHANGE:
        before = EXCHANGE.restarts()
        suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
        result = unittest.TextTestRunner(verbosity=2 if os.environ.get("V") else 1).run(suite)
        restarted = EXCHANGE.restarts() != before
    bad = len(result.failures) + len(result.errors) + restarted
    print(f"{result.testsRun - bad} passed, {bad} failed")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
