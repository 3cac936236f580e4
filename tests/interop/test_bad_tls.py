"""Wrong input for the TLS port: handshakes that are begun and left, other protocols, key updates
without end."""

import contextlib
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile

import harness
from badinput import DROP_SECONDS
from wire import PROTOCOL_HEADER, Wire

# What a handshake that was begun may cost.
HANDSHAKE_KIB = 256
KEY_UPDATES = 5000


class Tls(harness.BrokerTest):
    """A broker of its own, as the shared one has no TLS port."""

    @classmethod
    def setUpClass(cls):
        harness.need("openssl")
        cls.folder = tempfile.mkdtemp(prefix="lovage-tls-")
        cert, key = (str(pathlib.Path(cls.folder) / name) for name in ("cert.pem", "key.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert,
                        "-days", "2", "-subj", "/CN=localhost"], check=True, capture_output=True)
        cls.tls_broker = harness.LovageBroker(extra=[
            "--tls-port", "0", "--tls-cert", cert, "--tls-key", key])
        cls.tls_broker.start()
        cls.port = cls.tls_broker.tls_port

    @classmethod
    def tearDownClass(cls):
        cls.tls_broker.close()
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.broker = self.tls_broker
        self.before_kib = self.broker.rss_kib()

    def tearDown(self):
        super().tearDown()
        self.serves()

    def grown_kib(self):
        return self.broker.rss_kib() - self.before_kib

    def serves(self):
        """Another client gets through TLS and its login."""
        with self.secured() as client:
            client.sendall(PROTOCOL_HEADER)
            self.assertEqual(client.recv(1), b"\x01")
        wire = Wire(self.broker.port)
        wire.login()
        wire.close()

    def plain(self):
        client = socket.create_connection(("127.0.0.1", self.port), 20)
        self.addCleanup(client.close)
        return client

    @staticmethod
    def context():
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def secured(self):
        return self.context().wrap_socket(self.plain())

    def hello(self):
        """The first octets of a good handshake."""
        outgoing = ssl.MemoryBIO()
        half = self.context().wrap_bio(ssl.MemoryBIO(), outgoing)
        with contextlib.suppress(ssl.SSLWantReadError):
            half.do_handshake()
        return outgoing.read()

    def assert_gone(self, client):
        client.settimeout(DROP_SECONDS)
        with contextlib.suppress(ConnectionError):
            while client.recv(65536):
                pass

    def test_handshakes_that_are_begun_and_left(self):
        hello = self.hello()
        clients = [self.plain() for _ in range(6)]
        for client, octets in zip(clients, (b"", hello[:1], hello[:5], hello[:-1], hello,
                                            hello + hello[:5])):
            client.sendall(octets)
        self.serves()
        for client in clients:
            self.assert_gone(client)

    def test_silence_after_the_handshake(self):
        client = self.secured()
        self.serves()
        self.assert_gone(client)

    def test_other_protocols(self):
        for octets in (PROTOCOL_HEADER, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes(10_000),
                       b"\x16\x03\x01\xff\xff" + bytes(70_000), b"\x15\x03\x01\0\x02\x02\x28",
                       b"\x80\x2e\x01\0\x02" + bytes(100)):
            with self.subTest(octets=octets[:20]):
                client = self.plain()
                with contextlib.suppress(ConnectionError):
                    client.sendall(octets)
                self.assert_gone(client)

    def test_500_handshakes_at_once(self):
        hello = self.hello()
        clients = [self.plain() for _ in range(500)]
        for client in clients:
            client.sendall(hello)
        self.serves()
        self.assertLess(self.grown_kib(), len(clients) * HANDSHAKE_KIB)
        for client in clients:
            client.close()

    def test_key_updates_without_end(self):
        """Each asks for one in answer."""
        program = harness.spawn(
            ["openssl", "s_client", "-tls1_3", "-connect", f"127.0.0.1:{self.port}", "-quiet",
             "-no_ign_eof"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, bufsize=0)
        self.addCleanup(program.stderr.close)
        self.addCleanup(harness.end, program)
        updates = 0
        # `K` alone in a line asks for one; that it went is told.
        with contextlib.suppress(BrokenPipeError):
            for _ in range(KEY_UPDATES):
                program.stdin.write(b"K\n")
                while line := program.stderr.readline():
                    if b"KEYUPDATE" in line:
                        updates += 1
                        break
                else:
                    break
        with contextlib.suppress(BrokenPipeError):
            program.stdin.close()
        self.assertGreater(updates, 0)
        print(f"    {updates} key updates", flush=True)
        self.serves()
        self.assertLess(self.grown_kib(), 64 * 1024)
