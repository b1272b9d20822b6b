"""A connection that tells everything about an answer, over psycopg's libpq."""
import select
import time

from psycopg import pq

SECONDS_MAX = 10


class Answer:
    """What a server said to one statement: the results' columns and rows, or an SQLSTATE."""

    def __init__(self):
        self.state = None
        self.message = ""
        self.results = []  # (tag, columns, rows); a column is (name, type, modifier)
        self.parameters = ()


class Server:
    def __init__(self, port):
        self.port = port
        self.connection = None

    def connect(self, database):
        self.close()
        self.connection = pq.PGconn.connect(
            f"host=127.0.0.1 port={self.port} user=graphwire dbname={database} client_encoding=UTF8".encode())
        if self.connection.status != pq.ConnStatus.OK:
            raise RuntimeError(self.connection.error_message.decode())
        self.connection.notice_handler = lambda _: None

    def close(self):
        if self.connection:
            self.connection.finish()
            self.connection = None

    def fresh(self, database):
        """A new database of this name, and a connection to it."""
        self.connect("graphwire")
        answer = self.run(f"CREATE DATABASE {database}")
        if answer.state:
            raise RuntimeError(f"CREATE DATABASE {database}: {answer.message}")
        self.connect(database)

    def in_block(self):
        return self.connection.transaction_status in (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR)

    def in_error(self):
        return self.connection.transaction_status == pq.TransactionStatus.INERROR

    def parameter_types(self, text):
        """The types of a statement's parameters, or None if it can't be prepared."""
        result = self.connection.prepare(b"", text.encode())
        if result.status != pq.ExecStatus.COMMAND_OK:
            return None
        described = self.connection.describe_prepared(b"")
        return tuple(described.param_type(i) for i in range(described.nparams))

    def run(self, text, values=None):
        """Runs a statement; values makes it one of the extended protocol."""
        answer = Answer()
        connection = self.connection
        if values is None:
            connection.send_query(text.encode())
        else:
            connection.send_query_params(text.encode(), [v.encode() for v in values])
        until = time.monotonic() + SECONDS_MAX
        while (result := self._next(until)) is not None:
            if not self._take(result, answer):
                break
        return answer

    def _next(self, until):
        """The next result; a statement that takes too long is canceled."""
        connection = self.connection
        while connection.flush():
            pass
        while connection.is_busy():
            left = until - time.monotonic()
            if not select.select([connection.socket], [], [], max(left, 0))[0]:
                connection.get_cancel().cancel()
                until += 3600
                continue
            connection.consume_input()
        return connection.get_result()

    def _take(self, result, answer):
        status, S = result.status, pq.ExecStatus
        if status == S.COPY_IN:
            self.connection.put_copy_end()
        elif status == S.COPY_OUT:
            rows = []
            while True:
                count, data = self.connection.get_copy_data(0)
                if count <= 0:
                    break
                rows.append((bytes(data),))
            answer.results.append(("COPY OUT", (), rows))
        elif status in (S.TUPLES_OK, S.COMMAND_OK, S.EMPTY_QUERY):
            columns = tuple((result.fname(i).decode(), result.ftype(i), result.fmod(i)) for i in range(result.nfields))
            rows = [tuple(result.get_value(r, c) for c in range(result.nfields)) for r in range(result.ntuples)]
            answer.results.append(((result.command_status or b"").decode(), columns, rows))
        else:
            answer.state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"none").decode()
            answer.message = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or result.error_message).decode(errors="replace").strip()
            return status != S.FATAL_ERROR or self.connection.status == pq.ConnStatus.OK
        return True
