"""A program that runs beside a test: its lines are read as they come."""

import queue
import signal
import subprocess
import threading

import harness


class Running:
    """Goes on until it is told to end."""

    def __init__(self, command, environment, **how):
        self.process = harness.spawn(command, env=environment, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                     **how)
        self.lines, self.errors = queue.Queue(), []
        self.readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.lines.put)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.errors.append))]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _read(stream, put):
        for line in stream:
            put(line.rstrip("\n"))

    def line(self):
        try:
            return self.lines.get(timeout=harness.WAIT_SECONDS)
        except queue.Empty:
            raise AssertionError(f"no line from {self.process.args}: {self.errors}") from None

    def line_with(self, *words):
        """The next line that has all of them; others are passed over."""
        while True:
            line = self.line()
            if all(word in line for word in words):
                return line

    def take(self, count):
        return [self.line() for _ in range(count)]

    def enter(self):
        """What its user presses."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self, how=signal.SIGTERM, may_say_more=False):
        """Its exit status; without leave it may have printed nothing that was not taken."""
        status = harness.end(self.process, how)
        self.process.stdin.close()
        for reader in self.readers:
            reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        left = []
        while not self.lines.empty():
            left.append(self.lines.get())
        if left and not may_say_more:
            raise AssertionError(f"{self.process.args} also said {left}")
        return status
