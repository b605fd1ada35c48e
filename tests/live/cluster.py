"""A control plane on loopback: etcd, kube-apiserver, kube-controller-manager and kube-scheduler.

Everything lies in one folder. etcd keeps JSON instead of protobuf, so that whoever watches it
can read it. The API server takes the policy and the webhook's kubeconfig of deploy/, of which
only the address is replaced, and writes an audit log as well: what stands there and was never
acknowledged by the webhook was lost by the API server.
"""

import http.client
import json
import os
import random
import socket
import ssl
import subprocess
import threading
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

READY_SECONDS_MAX = 120
REQUEST_SECONDS_MAX = 30

# Who asks for what. Those of `people` are administrators, so that every request of theirs is
# carried out; the accounts of nodes are added by their names.
PEOPLE = ["kubernetes-admin", "alice", "bob", "operator"]
ACCOUNTS = {
    **{name: f"/O=system:masters/CN={name}" for name in PEOPLE},
    # Reads only, which the policy leaves out.
    "reader": "/O=system:masters/CN=reader",
    "kcm": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "server": "/CN=kube-apiserver",
}


class Unanswered(Exception):
    """The API server went away: whether the request was carried out is not known."""


class Refused(Exception):
    """The API server answered with an error."""

    def __init__(self, what, status, answer):
        super().__init__(f"{what}: {status} {answer[:300]!r}")
        self.status = status


def free_port():
    """One below those of outgoing connections, which would take it while its owner is dead."""
    while True:
        with socket.socket() as s:
            port = random.randrange(20000, 32000)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def wait_until(what, condition, seconds_max=READY_SECONDS_MAX, pause=0.2):
    end = time.monotonic() + seconds_max
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} took more than {seconds_max} s")
        time.sleep(pause)


class Authority:
    """Makes certificates in a folder, with openssl."""

    def __init__(self, folder):
        self.folder = folder
        self.key("ca")
        self.openssl("req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=ca", "-days", "2", "-out", "ca.crt",
                     "-addext", "basicConstraints=critical,CA:TRUE",
                     "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature")
        self.openssl("genrsa", "-out", "sa.key", "2048")
        self.openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def key(self, name):
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")

    def issue(self, name, subject):
        self.key(name)
        with open(f"{self.folder}/extensions", "w") as f:
            f.write("keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n"
                    "subjectAltName=IP:127.0.0.1\n")
        self.openssl("req", "-new", "-key", f"{name}.key", "-subj", subject, "-out", f"{name}.csr")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                     "-days", "2", "-out", f"{name}.crt", "-extfile", "extensions")


class Client:
    """Requests of one account. Each thread has a connection of its own."""

    def __init__(self, folder, account, cluster):
        self.account = account
        self.cluster = cluster
        self.tls = ssl.create_default_context(cafile=f"{folder}/ca.crt")
        self.tls.load_cert_chain(f"{folder}/{account}.crt", f"{folder}/{account}.key")
        self.local = threading.local()

    def request(self, method, path, value=None, content_type="application/json", headers=None):
        """Answers status and value. Never sends anything twice."""
        connection = self.connect(f"{method} {path}")
        body = None if value is None else json.dumps(value).encode()
        try:
            connection.request(method, path, body=body, headers={"Content-Type": content_type, **(headers or {})})
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.local.connection = None
            connection.close()
            raise Unanswered(f"{method} {path}: {error}") from error
        try:
            return response.status, json.loads(answer) if answer else None
        except ValueError:
            return response.status, answer.decode(errors="replace")

    def connect(self, what):
        """One to the API server that runs now; while none does, people wait, and kubelets try again later."""
        kept = getattr(self.local, "connection", None)
        if kept and self.local.kills == len(self.cluster.kills):
            return kept
        end = time.monotonic() + (REQUEST_SECONDS_MAX if self.account in PEOPLE else 0)
        while True:
            connection = http.client.HTTPSConnection("127.0.0.1", self.cluster.port, context=self.tls,
                                                     timeout=REQUEST_SECONDS_MAX)
            self.local.kills = len(self.cluster.kills)
            try:
                connection.connect()
                self.local.connection = connection
                return connection
            except OSError as error:
                if time.monotonic() >= end:
                    raise Unanswered(f"{what}: {error}") from error
                time.sleep(0.5)

    def __call__(self, method, path, value=None, content_type="application/json", headers=None):
        """Answers the value of a request that must succeed."""
        status, answer = self.request(method, path, value, content_type, headers)
        if status >= 300:
            raise Refused(f"{self.account} {method} {path}", status, json.dumps(answer))
        return answer


class Cluster:
    def __init__(self, binaries, folder, audit_port, nodes):
        """`audit_port`: where the webhook posts to; `nodes`: subjects of certificates by node."""
        self.binaries = os.path.abspath(binaries)
        self.folder = folder
        self.port = free_port()
        self.etcd_port = free_port()
        self.children = {}
        self.clients = {}
        self.kills = []
        # From when until when nobody was there.
        self.absences = []
        authority = Authority(folder)
        for name, subject in {**ACCOUNTS, **nodes}.items():
            authority.issue(name, subject)
        self.write_configuration(audit_port)

    def write_configuration(self, audit_port):
        with open(f"{REPOSITORY}/deploy/webhook-kubeconfig.yaml") as f:
            text = f.read()
        address = "http://127.0.0.1:7070/"
        assert text.count(f"server: {address}") == 1
        with open(f"{self.folder}/webhook.kubeconfig", "w") as f:
            f.write(text.replace(f"server: {address}", f"server: http://127.0.0.1:{audit_port}/"))
        for account in ("kcm", "scheduler", "reader"):
            with open(f"{self.folder}/{account}.kubeconfig", "w") as f:
                json.dump({
                    "apiVersion": "v1", "kind": "Config", "current-context": "live",
                    "clusters": [{"name": "live", "cluster": {
                        "server": f"https://127.0.0.1:{self.port}", "certificate-authority": "ca.crt"}}],
                    "users": [{"name": "live", "user": {
                        "client-certificate": f"{account}.crt", "client-key": f"{account}.key"}}],
                    "contexts": [{"name": "live", "context": {"cluster": "live", "user": "live"}}],
                }, f)

    def client(self, account):
        if account not in self.clients:
            self.clients[account] = Client(self.folder, account, self)
        return self.clients[account]

    def spawn(self, name, *arguments):
        log = open(f"{self.folder}/{name}.log", "ab")
        self.children[name] = subprocess.Popen(
            [f"{self.binaries}/{name}", *arguments], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self):
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{free_port()}"
        self.spawn("etcd", "--data-dir=etcd", "--unsafe-no-fsync", "--log-level=warn",
                   f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
                   f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
                   f"--initial-cluster=default={peer}")
        self.start_api_server()
        for name, account in (("kube-controller-manager", "kcm"), ("kube-scheduler", "scheduler")):
            # Whoever is alone elects nobody, and does not end when the API server is away for long.
            flags = [f"--kubeconfig={account}.kubeconfig", "--leader-elect=false", "--bind-address=127.0.0.1",
                     f"--secure-port={free_port()}", "--cert-dir=.",
                     f"--authentication-kubeconfig={account}.kubeconfig",
                     f"--authorization-kubeconfig={account}.kubeconfig"]
            if account == "kcm":
                flags += ["--use-service-account-credentials=true", "--service-account-private-key-file=sa.key",
                          "--root-ca-file=ca.crt", "--terminated-pod-gc-threshold=60",
                          "--node-monitor-period=2s", "--node-monitor-grace-period=40s"]
            self.spawn(name, *flags)

    def start_api_server(self):
        self.spawn("kube-apiserver", f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
                   "--storage-media-type=application/json", "--etcd-compaction-interval=0",
                   "--bind-address=127.0.0.1", f"--secure-port={self.port}", "--advertise-address=10.0.0.1",
                   "--endpoint-reconciler-type=none", "--tls-cert-file=server.crt", "--tls-private-key-file=server.key",
                   "--client-ca-file=ca.crt", "--cert-dir=.", "--service-cluster-ip-range=10.96.0.0/16",
                   "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
                   # Pods need no service account here, and so a new namespace takes them at once.
                   "--disable-admission-plugins=ServiceAccount",
                   "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
                   "--service-account-key-file=sa.pub", "--service-account-signing-key-file=sa.key",
                   f"--audit-policy-file={REPOSITORY}/deploy/audit-policy.yaml",
                   "--audit-log-path=audit.log", "--audit-log-maxsize=0",
                   "--audit-webhook-config-file=webhook.kubeconfig", "--audit-webhook-batch-max-wait=5s")
        wait_until("the start of the API server", self.ready)

    def ready(self):
        for name, child in self.children.items():
            if child.poll() is not None:
                raise RuntimeError(f"{name} ended: see {self.folder}/{name}.log")
        try:
            return self.client("reader").request("GET", "/readyz") == (200, "ok")
        except Unanswered:
            return False

    def kill_api_server(self):
        """SIGKILL, and the start of another one."""
        child = self.children.pop("kube-apiserver")
        child.kill()
        child.wait()
        self.kills.append(time.time())
        self.start_api_server()
        self.absences.append((self.kills[-1], time.time()))

    def compact(self):
        """Lets etcd forget everything but the present."""
        self.etcd("/v3/kv/compaction", {"revision": self.etcd("/v3/kv/range", {"key": "AA=="})["header"]["revision"]})

    def etcd(self, path, value):
        connection = http.client.HTTPConnection("127.0.0.1", self.etcd_port, timeout=REQUEST_SECONDS_MAX)
        connection.request("POST", path, json.dumps(value))
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        if response.status != 200:
            raise RuntimeError(f"etcd {path}: {answer}")
        return answer

    def stop_controllers(self):
        for name in ("kube-controller-manager", "kube-scheduler"):
            child = self.children.pop(name)
            child.terminate()
            child.wait()

    def stop(self):
        for child in reversed(self.children.values()):
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
