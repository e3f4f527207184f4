"""Stands between Prometheus and the exporter: notes what format the answers are in, and may ask for another one."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PASSED_ON = ("Accept", "Accept-Encoding", "X-Prometheus-Scrape-Timeout-Seconds")


class Proxy:
    """Passes requests on to `target`, with `accept` instead of what they accept unless that is None."""

    def __init__(self, target, accept):
        self.content_types = set()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
                if accept is not None:
                    headers["Accept"] = accept
                status, answer, body = 502, {}, b""
                try:
                    connection = http.client.HTTPConnection(target, timeout=10)
                    connection.request("GET", self.path, headers=headers)
                    response = connection.getresponse()
                    status, answer, body = response.status, response.headers, response.read()
                    connection.close()
                    proxy.content_types.add(answer["Content-Type"])
                except OSError:
                    # The exporter is gone, which is for Prometheus to find out.
                    pass
                self.send_response(status)
                for name in ("Content-Type", "Content-Encoding"):
                    if name in answer:
                        self.send_header(name, answer[name])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
