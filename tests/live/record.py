#!/usr/bin/env python3
"""Writes down what etcd holds, change by change: the truth that no kill of an API server breaks.

    record.py --etcd http://127.0.0.1:PORT --out FILE

Each line is one change: when it was received (seconds since 1970), its revision, `put` or
`delete`, its key, and the object, of a deletion the last one. etcd must hold JSON
(--storage-media-type=application/json). Runs until it is stopped.
"""

import argparse
import base64
import http.client
import json
import threading
import time
import urllib.parse

# What tells of pods, of what owns them, and of where they are.
PREFIXES = ["/registry/pods/", "/registry/replicasets/", "/registry/jobs/", "/registry/minions/",
            "/registry/namespaces/"]


def encoded(key):
    return base64.b64encode(key.encode()).decode()


def after(prefix):
    """The first key behind all that begin with the prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def watch(address, prefix, revision):
    """Yields the changes from a revision on, until the connection breaks."""
    connection = http.client.HTTPConnection(address.hostname, address.port)
    connection.request("POST", "/v3/watch", json.dumps({"create_request": {
        "key": encoded(prefix), "range_end": encoded(after(prefix)), "start_revision": revision, "prev_kv": True}}))
    response = connection.getresponse()
    while line := response.readline():
        message = json.loads(line)
        if "result" not in message:
            raise OSError(f"etcd: {message}")
        for event in message["result"].get("events", []):
            yield time.time(), event


def changes(address, prefix):
    revision = 1
    while True:
        try:
            for at, event in watch(address, prefix, revision):
                kv = event["kv"]
                revision = int(kv["mod_revision"]) + 1
                deleted = event.get("type") == "DELETE"
                value = event["prev_kv"]["value"] if deleted else kv["value"]
                yield {
                    "at": at, "revision": revision - 1, "do": "delete" if deleted else "put",
                    "key": base64.b64decode(kv["key"]).decode(), "object": json.loads(base64.b64decode(value)),
                }
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--etcd", required=True, metavar="URL")
    parser.add_argument("--out", required=True, metavar="FILE")
    arguments = parser.parse_args()
    address = urllib.parse.urlsplit(arguments.etcd)
    lock = threading.Lock()
    with open(arguments.out, "w", encoding="utf-8") as out:
        def follow(prefix):
            for change in changes(address, prefix):
                with lock:
                    out.write(json.dumps(change, separators=(",", ":")) + "\n")
                    out.flush()

        threads = [threading.Thread(target=follow, args=(prefix,)) for prefix in PREFIXES]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main()
