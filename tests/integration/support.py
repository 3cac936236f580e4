"""What the tests of whole programs share: a broker with an optional amqps port, workers, commands.

Processes and waiting come from tests/interop/harness.py. LOVAGE_BIN_DIR names the folder with the
programs; every process that is started here is ended here.
"""

import os
import pathlib
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))

import harness  # noqa: E402

harness.Options.bin_dir = os.environ.get("LOVAGE_BIN_DIR")

# How long a command that ends by itself may take; on a busy machine seconds mean little.
COMMAND_SECONDS = 90


def environment(**more):
    """Ours without LOVAGE_ variables of the caller's shell, which would change what is tested."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOVAGE_")}
    return {**kept, **more}


class Broker(harness.LovageBroker):
    """Knows what the ready line said."""

    def _ready_line(self):
        line = super()._ready_line()
        self.addresses = dict(word.split("=", 1) for word in line.split()[1:])
        return line

    def url(self, password="guest"):
        return f"amqp://guest:{password}@{self.addresses['amqp']}//"


class Worker:
    """`demo_tasks worker`, consuming when the constructor returns."""

    def __init__(self, url, *options):
        self.process = harness.spawn(
            [harness.program("demo_tasks"), "worker", "--broker", url, "-l", "error", *options],
            stdout=subprocess.PIPE, env=environment())
        limit = threading.Timer(harness.START_SECONDS, self.process.kill)
        limit.start()
        line = self.process.stdout.readline()
        limit.cancel()
        if not line.startswith(b"ready worker="):
            harness.end(self.process)
            raise AssertionError(f"the worker did not start: {line!r}")

    def stop(self):
        status = harness.end(self.process)
        self.process.stdout.close()
        return status


def run(program, *arguments, url=None, **options):
    """Status, stdout and stderr of one of our programs."""
    env = environment(**({"LOVAGE_BROKER_URL": url} if url else {}))
    done = subprocess.run([harness.program(program), *arguments], env=env, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=COMMAND_SECONDS, check=False, **options)
    return done.returncode, done.stdout, done.stderr


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_certificates(folder):
    """ca.pem, and server.pem with server.key for localhost and 127.0.0.1, in `folder`."""
    def make(name, *options):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{folder}/{name}.key",
                "-out", f"{folder}/{name}.pem", *options)

    make("ca")
    make("server", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-addext", "basicConstraints=critical,CA:FALSE",
         "-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key")
