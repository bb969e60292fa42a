"""Private network and mount namespaces, in which the tests may use port 4000, invented names and a changed trust store
without touching the machine. Contains no client's name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

INSIDE = "TIDEGATE_CLIENTS_INSIDE"


def enter():
    """Runs this program again in a new mount and network namespace; returns only inside of it."""
    if os.environ.get(INSIDE):
        return
    for flags in (["--mount", "--net"], ["--user", "--map-root-user", "--mount", "--net"]):
        if subprocess.run(["unshare", *flags, "true"], capture_output=True, check=False).returncode == 0:
            os.environ[INSIDE] = "1"
            os.execvp("unshare", ["unshare", *flags, sys.executable, "-B", *sys.argv])
    print("client all: not run: namespaces can't be created here (unshare --mount --net)")
    sys.exit(0)


def raise_loopback():
    """Turns the loopback interface on, which is off in a new network namespace."""
    import fcntl
    import socket
    import struct

    siocgifflags, siocsifflags, iff_up = 0x8913, 0x8914, 0x1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        asked = fcntl.ioctl(s, siocgifflags, struct.pack("16sh14x", b"lo", 0))
        flags = struct.unpack("16sh14x", asked)[1]
        fcntl.ioctl(s, siocsifflags, struct.pack("16sh14x", b"lo", flags | iff_up))


def bind(source, target):
    subprocess.run(["mount", "--bind", source, target], check=True)


def names(work, hosts):
    """Adds names that only the processes in this namespace can resolve."""
    file = work / "hosts"
    file.write_text(Path("/etc/hosts").read_text() + "".join(f"{address} {name}\n" for name, address in hosts.items()))
    bind(file, "/etc/hosts")


class Store:
    """A copy of the machine's trust store with one more CA: for OpenSSL, Go, Java and Node."""

    def __init__(self, work, ca):
        self.folder = work / "certs"
        shutil.copytree("/etc/ssl/certs", self.folder, symlinks=True)
        bundle = self.folder / "ca-certificates.crt"
        text = bundle.read_text() if bundle.exists() else ""
        bundle.unlink(missing_ok=True)
        bundle.write_text(text + "\n" + ca.read_text())
        shutil.copy(ca, self.folder / "tidegate-test.pem")
        subprocess.run(["openssl", "rehash", self.folder], check=True, capture_output=True)
        self.ca = ca
        self.java = self._java(work, ca)

    def _java(self, work, ca):
        java = shutil.which("java")
        keytool = shutil.which("keytool")
        if not java or not keytool:
            return None
        home = Path(java).resolve().parent.parent
        store = home / "lib" / "security" / "cacerts"
        copy = work / "cacerts"
        shutil.copy(store.resolve(), copy)
        copy.chmod(0o644)
        subprocess.run(
            [keytool, "-importcert", "-noprompt", "-alias", "tidegate-test", "-file", ca, "-keystore", copy,
             "-storepass", "changeit"],
            check=True, capture_output=True,
        )
        return (copy, store.resolve())

    def command(self, command):
        """Returns the command with this store in the place of the machine's."""
        script = 'mount --bind "$1" /etc/ssl/certs; if [ -n "$2" ]; then mount --bind "$2" "$3"; fi; shift 3; exec "$@"'
        java = [str(p) for p in self.java] if self.java else ["", ""]
        return ["unshare", "--mount", "sh", "-ec", script, "sh", str(self.folder), *java, *command]

    def environment(self):
        return {"NODE_EXTRA_CA_CERTS": str(self.ca)}
