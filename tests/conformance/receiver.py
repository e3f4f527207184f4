"""An OTLP receiver that decodes with Google's protobuf, and answers as it is told to."""

import gzip
import http.server
import queue
import threading
import time

from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service

PATIENCE = 60


class Answer:
    """What a request gets: a status with headers and a body, after a pause, or the end of the connection."""

    def __init__(self, status=200, headers=None, body=b"", pause=0.0, reset=False):
        self.status, self.headers, self.body = status, headers or {}, body
        self.pause, self.reset = pause, reset


def response(rejected=0, message=""):
    answer = service.ExportMetricsServiceResponse()
    if rejected or message:
        answer.partial_success.rejected_data_points = rejected
        answer.partial_success.error_message = message
    return answer.SerializeToString()


class Received:
    def __init__(self, handler, body, taken):
        self.time = time.monotonic()
        self.path, self.headers, self.body = handler.path, handler.headers, body
        # Whether the sender is told that it was.
        self.taken = taken
        self.request = service.ExportMetricsServiceRequest.FromString(body)
        refuse_unknown(self.request)


def refuse_unknown(message):
    """What the definitions do not have is a mistake of the encoder."""
    if len(UnknownFieldSet(message)):
        raise ValueError(f"unknown fields in {type(message).__name__}")
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in value if field.is_repeated else [value]:
                refuse_unknown(part)


class Queue:
    """The answers that are to be given, and what was received."""

    def __init__(self):
        self.answers, self.received, self.faults = queue.Queue(), [], []

    def next(self, otherwise):
        """The answer whose turn it is, or `otherwise` if there is none."""
        try:
            return self.answers.get_nowait()
        except queue.Empty:
            return otherwise

    def answer(self, *answers):
        for answer in answers:
            self.answers.put(answer)

    def take(self):
        """What was received since the last call; ends the program on what could not be read."""
        if self.faults:
            raise SystemExit(f"the receiver could not read: {self.faults}")
        received, self.received = self.received, []
        return received


class Receiver(Queue):
    """Listens on loopback. `answers` are given in their order; then there is 200."""

    def __init__(self):
        super().__init__()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                outer.handle(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def handle(self, handler):
        body = handler.rfile.read(int(handler.headers["content-length"]))
        answer = self.next(Answer(body=response()))
        try:
            if handler.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            taken = 200 <= answer.status < 300 and not answer.reset and not answer.pause
            self.received.append(Received(handler, body, taken))
        except Exception as error:  # Whatever a decoder raises is told at the end.
            self.faults.append(repr(error))
        time.sleep(answer.pause)
        if answer.reset:
            handler.close_connection = True
            return
        try:
            handler.send_response(answer.status)
            for name, value in answer.headers.items():
                handler.send_header(name, value)
            handler.send_header("content-length", str(len(answer.body)))
            handler.end_headers()
            handler.wfile.write(answer.body)
        except OSError:
            # The client has not waited for it.
            handler.close_connection = True
