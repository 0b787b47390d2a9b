"""Orders: a small web application for walking through releases. Its behaviour is said by its environment.

GET /         a page in the colour of the version
GET /orders   a list of orders as JSON
GET /health   what the load balancer asks
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COLOURS = ("#1f6feb", "#1a7f37", "#9a6700", "#8250df")


class Settings:
    """What the environment says; read once at the start."""

    def __init__(self, environ=os.environ):
        self.version = environ.get("APP_VERSION", "1.0.0")
        self.port = int(environ.get("PORT", "8080"))
        self.error_rate = float(environ.get("APP_ERROR_RATE", "0"))
        self.latency_ms = float(environ.get("APP_LATENCY_MS", "5"))
        self.latency_sigma = float(environ.get("APP_LATENCY_SIGMA", "0.35"))
        self.leak_ms_per_minute = float(environ.get("APP_LEAK_MS_PER_MINUTE", "0"))
        self.began = time.monotonic()
        self.healthy = environ.get("APP_HEALTH", "ok").lower() != "fail"
        self.start_seconds = float(environ.get("APP_START_SECONDS", "0"))
        crash = float(environ.get("APP_CRASH_AFTER_SECONDS", "-1"))
        self.crash_after_seconds = crash if crash >= 0 else None

    @property
    def colour(self):
        return COLOURS[int(self.version.split(".")[0] or 0) % len(COLOURS) if self.version[:1].isdigit() else 0]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave together: two small packets wait 40 ms for an acknowledgement
    settings: Settings

    def do_GET(self):
        if self.path == "/health":
            healthy = self.settings.healthy
            return self.answer(200 if healthy else 503, "text/plain", "ok" if healthy else "ill")
        self.take_time()
        if random.random() < self.settings.error_rate:
            return self.answer(500, "application/json", json.dumps({"error": "the order could not be read"}))
        if self.path == "/orders":
            orders = [{"id": number, "item": item} for number, item in enumerate(("tea", "coffee", "milk"), 1)]
            listed = {"version": self.settings.version, "orders": orders}
            return self.answer(200, "application/json", json.dumps(listed))
        if self.path == "/":
            return self.answer(200, "text/html; charset=utf-8", self.page())
        return self.answer(404, "text/plain", "not found")

    def take_time(self):
        """As long as the version takes: lognormal around its median."""
        if self.settings.latency_ms > 0:
            age = (time.monotonic() - self.settings.began) / 60
            median = (self.settings.latency_ms + self.settings.leak_ms_per_minute * age) / 1000
            time.sleep(random.lognormvariate(math.log(median), self.settings.latency_sigma))

    def page(self):
        return (
            f"<!doctype html><title>Orders {self.settings.version}</title>"
            f'<body style="background:{self.settings.colour};color:white;font:48px sans-serif;text-align:center">'
            f"<p>Orders<p>version {self.settings.version}<p style='font-size:16px'>{socket.gethostname()}"
        )

    def answer(self, status, kind, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Version", self.settings.version)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        if self.path != "/health":
            print(json.dumps({"version": self.settings.version, "message": format % args}), flush=True)


class Server(ThreadingHTTPServer):
    daemon_threads = False  # a request that has begun is answered before the process ends
    request_queue_size = 128


def crash():
    print(json.dumps({"message": "out of memory, it says"}), flush=True)
    os._exit(1)


def main():
    settings = Settings()
    time.sleep(settings.start_seconds)
    Handler.settings = settings
    # A connection that is kept open and idle must not keep the process from ending.
    Handler.timeout = 5
    server = Server(("0.0.0.0", settings.port), Handler)
    # ECS sends SIGTERM and waits for the stop timeout: stop taking requests, finish what has begun, exit with 0.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    if settings.crash_after_seconds is not None:
        timer = threading.Timer(settings.crash_after_seconds, crash)
        timer.daemon = True
        timer.start()
    print(json.dumps({"version": settings.version, "message": f"listening on {settings.port}"}), flush=True)
    server.serve_forever()
    server.server_close()


if __name__ == "__main__":
    main()
