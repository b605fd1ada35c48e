"""A bygone that is killed and started again, and what stands before it.

The API server posts to a relay, which passes each body on and keeps those that bygone
acknowledged. So it is known what bygone was given: what else happened it can't know.
"""

import http.client
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
import time

from cluster import free_port, wait_until

ANSWER_SECONDS_MAX = 120
STARTS_IN_VAIN_MAX = 20

AUDIT_ID = re.compile(rb'"auditID":"([^"]+)"')


class Bygone:
    def __init__(self, program, folder):
        self.options = []
        self.observes = set()
        # A build meanwhile must not change what is started again.
        self.program = shutil.copy2(program, f"{folder}/bygone.program")
        self.folder = folder
        self.ingest_port = free_port()
        self.api_port = free_port()
        self.kills = []
        # From when until when nobody was there.
        self.absences = []
        self.starts_in_vain = 0
        self.child = None
        self.lock = threading.Lock()

    def observe(self, sources, etcd_port):
        """Makes it watch the API server, by `reader.kubeconfig`, or read etcd, where that is among its sources."""
        blocks = {
            "watch": f'kubeconfig = "{self.folder}/reader.kubeconfig"',
            "etcd": f'endpoints = ["http://127.0.0.1:{etcd_port}"]',
        }
        self.observes = sources & blocks.keys()
        with open(f"{self.folder}/bygone.toml", "w") as f:
            for source in sorted(self.observes):
                f.write(f'[[{source}]]\ncluster = "my-cluster"\n{blocks[source]}\n')
        self.options = ["--config", f"{self.folder}/bygone.toml"]

    def start(self):
        self.spawn()
        # The first start may install its engine.
        wait_until("the start of bygone", self.ready, 600)

    def spawn(self):
        log = open(f"{self.folder}/bygone.log", "ab")
        self.child = subprocess.Popen(
            [self.program, "serve", "--data-dir", f"{self.folder}/bygone",
             "--ingest-listen", f"127.0.0.1:{self.ingest_port}", "--api-listen", f"127.0.0.1:{self.api_port}",
             *self.options],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ready(self):
        if self.child.poll() is not None:
            # As a service manager does. The engine of one that was killed may live a moment longer.
            self.starts_in_vain += 1
            if self.starts_in_vain > STARTS_IN_VAIN_MAX:
                raise RuntimeError(f"bygone does not start: see {self.folder}/bygone.log")
            time.sleep(1)
            self.spawn()
            return False
        return self.get("/readyz")[0] == 200

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, http.client.HTTPException):
            return None, ""
        finally:
            connection.close()

    def kill(self, away_seconds=0, meanwhile=lambda: None):
        """SIGKILL, and the start of another one on the same folder, after a while."""
        with self.lock:
            self.child.kill()
            self.child.wait()
            self.kills.append(time.time())
            time.sleep(away_seconds)
            meanwhile()
            self.start()
            self.absences.append((self.kills[-1], time.time()))

    def lists(self):
        """How often a watch, of the API or of etcd, had to list, by the log."""
        with open(f"{self.folder}/bygone.log", "rb") as f:
            log = f.read()
        return log.count(b" is no longer there: listing") + log.count(b" is compacted: listing")

    def stop(self):
        if self.child and self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(60)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        os.remove(self.program)

    def ask(self, *arguments):
        """`bygone get`: the rows, or None where bygone is away."""
        answer = subprocess.run(
            [self.program, "get", *arguments, "-o", "ndjson", "--server", f"http://127.0.0.1:{self.api_port}"],
            capture_output=True, timeout=ANSWER_SECONDS_MAX)
        if answer.returncode not in (0, 1):
            return None
        return [json.loads(line) for line in answer.stdout.splitlines()]

    def sources(self):
        """`bygone sources status`: one for each; None where bygone is away."""
        answer = subprocess.run(
            [self.program, "sources", "status", "-o", "ndjson", "--server", f"http://127.0.0.1:{self.api_port}"],
            capture_output=True, timeout=ANSWER_SECONDS_MAX)
        if answer.returncode:
            return None
        return [json.loads(line) for line in answer.stdout.splitlines()]

    def watches_everything(self):
        """Whether its watches keep up, and nothing of them is on its way."""
        watches = [it for it in self.sources() or [] if it["source"] in self.observes]
        return len(watches) == 3 * len(self.observes) and all(it["state"] == "watching" and it["oldest_seconds"] is None for it in watches)

    def stored_everything(self):
        """Whether nothing waits in the spool."""
        _, text = self.get("/metrics")
        waiting = [line for line in text.splitlines() if line.startswith("bygone_spool_waiting_frames ")]
        return bool(waiting) and float(waiting[0].split()[-1]) == 0


class Relay:
    """Between API server and bygone. Keeps what was acknowledged: one body a line."""

    def __init__(self, ingest_port, path, passes=True):
        """`passes`: whether bygone gets anything; else the API server is told that it did."""
        # Audit IDs.
        self.acknowledged = set()
        out = open(path, "wb")
        lock = threading.Lock()
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(handler):
                body = handler.rfile.read(int(handler.headers["Content-Length"]))
                if not passes:
                    handler.send_response(200)
                    handler.send_header("Content-Length", "0")
                    handler.end_headers()
                    return
                connection = http.client.HTTPConnection("127.0.0.1", ingest_port, timeout=60)
                try:
                    connection.request("POST", handler.path, body, {"Content-Type": "application/json"})
                    response = connection.getresponse()
                    status, answer = response.status, response.read()
                except (OSError, http.client.HTTPException):
                    # As if nobody were here: no answer, and the connection is closed.
                    handler.close_connection = True
                    return
                finally:
                    connection.close()
                if status == 200:
                    with lock:
                        out.write(body.rstrip(b"\n") + b"\n")
                        out.flush()
                        relay.acknowledged |= set(AUDIT_ID.findall(body))
                handler.send_response(status)
                handler.send_header("Content-Length", str(len(answer)))
                handler.end_headers()
                handler.wfile.write(answer)

            def log_message(handler, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
