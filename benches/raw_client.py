"""A PostgreSQL client that does as little as can be done, so that the server's time is what is measured.

Log-in by trust alone.  Rows are counted as bytes, not decoded.
"""
import os
import socket
import struct
import time

READY = b"Z\x00\x00\x00\x05"


class ServerError(Exception):
    """An ErrorResponse; `sqlstate` is its field C."""

    def __init__(self, body):
        fields = {part[:1].decode(): part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
        self.sqlstate = fields.get("C", "?????")
        super().__init__(f"{self.sqlstate} {fields.get('M', '')}")


def frame(kind, body):
    return kind + struct.pack("!I", len(body) + 4) + body


class Client:
    """One connection."""

    def __init__(self, port, host="127.0.0.1", user="graphwire", database="graphwire"):
        self.address = (host, int(port))
        self.socket = socket.create_connection(self.address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray(1 << 20)
        self.key = None
        body = struct.pack("!I", 196608) + b"".join(
            part.encode() + b"\0" for part in ("user", user, "database", database)) + b"\0"
        self.socket.sendall(struct.pack("!I", len(body) + 4) + body)
        self.messages()

    def close(self):
        self.socket.close()

    def _exactly(self, count):
        parts = bytearray()
        while len(parts) < count:
            part = self.socket.recv(count - len(parts))
            if not part:
                raise ConnectionError("the server closed the connection")
            parts += part
        return bytes(parts)

    def messages(self):
        """All messages up to ReadyForQuery, as (kind, body); raises the ErrorResponse among them."""
        seen, error = [], None
        while True:
            kind, length = struct.unpack("!cI", self._exactly(5))
            body = self._exactly(length - 4)
            if kind == b"R" and body[:4] != b"\0\0\0\0":
                raise ConnectionError("the server wants a password: start it with --dev")
            if kind == b"K":
                self.key = body
            if kind == b"E":
                error = ServerError(body)
                if error.sqlstate.startswith("28"):
                    raise error
            seen.append((kind, body))
            if kind == b"Z":
                if error:
                    raise error
                return seen

    def send_query(self, text):
        self.socket.sendall(frame(b"Q", text.encode() + b"\0"))

    def query(self, text):
        """The rows of a query as lists of texts."""
        self.send_query(text)
        rows = []
        for kind, body in self.messages():
            if kind == b"D":
                row, at = [], 2
                for _ in range(struct.unpack_from("!H", body)[0]):
                    length = struct.unpack_from("!i", body, at)[0]
                    at += 4
                    row.append(None if length < 0 else body[at:at + length].decode())
                    at += max(length, 0)
                rows.append(row)
        return rows

    def send_binary(self, text):
        """Parse, Bind with binary results, Execute, Sync in one packet."""
        self.socket.sendall(
            frame(b"P", b"\0" + text.encode() + b"\0\0\0")
            + frame(b"B", b"\0\0\0\0\0\0\0\1\0\1")
            + frame(b"E", b"\0\0\0\0\0") + frame(b"S", b""))

    def drain(self):
        """Reads to ReadyForQuery without looking at the rows; returns the bytes.

        The end is seen by the last bytes alone: rows cannot end in them while more is to come and
        the socket is empty, but for a row that holds these very bytes at the end of a packet.
        """
        total, tail = 0, b""
        view = memoryview(self.buffer)
        while True:
            count = self.socket.recv_into(self.buffer)
            if count == 0:
                raise ConnectionError("the server closed the connection")
            total += count
            tail = (tail + bytes(view[max(0, count - 6):count]))[-6:]
            if tail[:5] == READY:
                return total

    def cancel(self):
        """Sends a CancelRequest for this connection over one of its own."""
        with socket.create_connection(self.address) as other:
            other.sendall(struct.pack("!II", 12 + len(self.key) - 4, 80877102) + self.key)
            other.recv(1)


def timed(action):
    started = time.perf_counter()
    result = action()
    return time.perf_counter() - started, result


def memory_mib(pid, field="VmHWM"):
    """Peak (VmHWM) or present (VmRSS) resident memory of a process; None if it is not ours to see."""
    try:
        with open(f"/proc/{pid}/status") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    return None


def server_pid():
    """The process of the server under test, where the script started it."""
    return os.environ.get("GRAPHWIRE_PID") or None
