"""A package index of a team's own: over TLS by an authority of its own, for those who sign in, behind a proxy."""

import base64
import hashlib
import select
import shutil
import socket
import ssl
import subprocess
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

OPENSSL = shutil.which("openssl")
USER, PASSWORD = "ada", "correct-horse-battery-staple"


def write_wheel(folder: Path, name: str, module: str, code: str = "") -> Path:
    """Write a package with one module."""
    path = folder / f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
    info = f"{name.replace('-', '_')}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{module}.py", code)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"{module}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path


def locked(wheel: Path) -> str:
    """Lock a package as `uv pip compile` does it."""
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    name, version = wheel.name.split("-")[:2]
    return f"{name.replace('_', '-')}=={version} \\\n    --hash=sha256:{digest}\n"


@dataclass
class Index:
    """An index with its wheels, and what was asked for through its proxy."""

    url: str
    authority: Path
    proxy: str
    connections: list[str] = field(default_factory=list)
    served: list[str] = field(default_factory=list)


class Quiet(BaseHTTPRequestHandler):
    """A handler that says nothing."""

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def relay(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until one side has ended."""
    while True:
        for ready in select.select([one, other], [], [], 10)[0]:
            data = ready.recv(65536)
            if not data:
                return
            (other if ready is one else one).sendall(data)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], certificate: Path | None = None) -> Iterator[int]:
    """Serve on a free port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, certificate.with_suffix(".key"))
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def sign(subject: str, path: Path, *extensions: str, by: Sequence[str] = ()) -> None:
    """Make a key and a certificate, signed by itself or by an authority."""
    command = [str(OPENSSL), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", subject, *by]
    added = [word for extension in extensions for word in ("-addext", extension)]
    files = ["-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    subprocess.run([*command, *added, *files], check=True, capture_output=True)


@contextmanager
def private_index(wheels: Mapping[str, Path], folder: Path) -> Iterator[Index]:
    """Serve wheels by the names of their packages."""
    authority, certificate = folder / "authority.pem", folder / "server.pem"
    sign("/CN=authority", authority, "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign")
    key = str(authority.with_suffix(".key"))
    names = ("subjectAltName=DNS:localhost", "basicConstraints=CA:FALSE")
    sign("/CN=localhost", certificate, *names, by=("-CA", str(authority), "-CAkey", key))
    known = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    index = Index("", authority, "")

    class Packages(Quiet):
        def do_GET(self) -> None:
            if self.headers["Authorization"] != f"Basic {known}":
                return self.answer(401, b"", "WWW-Authenticate", 'Basic realm="team"')
            name = self.path.strip("/").rpartition("/")[2]
            if wheel := wheels.get(name):
                return self.answer(200, f'<a href="/files/{wheel.name}">{wheel.name}</a>'.encode())
            for wheel in wheels.values():
                if wheel.name == name:
                    index.served.append(name)
                    return self.answer(200, wheel.read_bytes(), "Content-Type", "application/octet-stream")
            return self.answer(404, b"")

        def do_HEAD(self) -> None:
            self.do_GET()

        def answer(self, status: int, body: bytes, header: str = "Content-Type", value: str = "text/html") -> None:
            self.send_response(status)
            self.send_header(header, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

    class Proxy(Quiet):
        def do_CONNECT(self) -> None:
            index.connections.append(self.path)
            host, _, port = self.path.rpartition(":")
            with suppress(ConnectionError), closing(socket.create_connection((host, int(port)))) as other:
                self.send_response(200)
                self.end_headers()
                relay(self.connection, other)

    with serving(Packages, certificate) as port, serving(Proxy) as proxy:
        index.url = f"https://{USER}:{PASSWORD}@localhost:{port}/simple"
        index.proxy = f"http://127.0.0.1:{proxy}"
        yield index
