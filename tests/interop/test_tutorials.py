"""What RabbitMQ's tutorials one to seven teach, as small programs in three languages: Python (pika),
JavaScript (amqplib), shell (librabbitmq's tools). Nothing in tutorials/ knows of lovage; this module
runs the programs, reads what they print, and tells them to end."""

import os
import pathlib
import signal
import subprocess
import sys

import pika

import harness
from running import Running

FOLDER = pathlib.Path(__file__).resolve().parent / "tutorials"
RUN_SECONDS = 60


class Language:
    """How to run a program of a tutorial, and what the language's client can do."""

    def __init__(self, folder, ending, command, *, needs=None, shows_key=True, declares=True,
                 ends=(0,)):
        self.folder, self.ending, self.command = folder, ending, command
        self.needs = needs          # a program, if it is not the one that runs ours
        self.shows_key = shows_key  # a receiver learns the key of a message
        self.declares = declares    # exchanges; if not, the broker's own must do
        self.ends = ends            # exit statuses of a program that is told to end

    def program(self, name, *arguments):
        harness.need(self.needs or self.command[0])
        if self.folder == "javascript" and not (FOLDER / "javascript/node_modules/amqplib").is_dir():
            harness.missing("amqplib for JavaScript")
        return [*self.command, str(FOLDER / self.folder / f"{name}.{self.ending}"), *arguments]


PYTHON = Language("python", "py", [sys.executable, "-B"])
JAVASCRIPT = Language("javascript", "js", ["node"])
# amqp-consume itself has no orderly end.
SHELL = Language("shell", "sh", ["sh"], needs="amqp-consume", shows_key=False, declares=False,
                 ends=(0, -signal.SIGTERM))
LANGUAGES = (PYTHON, JAVASCRIPT, SHELL)


class TutorialTest(harness.BrokerTest):
    def environment(self):
        return {**os.environ, "AMQP_URL": f"amqp://guest:guest@127.0.0.1:{self.broker.port}/%2F"}

    def run_program(self, language, name, *arguments):
        """The lines it prints; it must end by itself and well."""
        done = subprocess.run(language.program(name, *arguments), env=self.environment(),
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=RUN_SECONDS,
                              check=False, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout.splitlines()

    def start(self, language, name, *arguments):
        """A program that waits for messages."""
        running = Running(language.program(name, *arguments), self.environment())
        self.addCleanup(harness.end, running.process, signal.SIGKILL)
        self.assertEqual(running.line(), "waiting")
        return running

    def stop(self, language, *running):
        for program in running:
            self.assertIn(program.end(), language.ends, program.errors)

    def exchange(self, language, kind):
        return self.name(kind) if language.declares else f"amq.{kind}"


class Tutorials:
    """The cases; a subclass names the language of the programs that receive. The shell has no
    server for the sixth: one needs properties of the message that amqp-consume does not hand on."""

    language = None

    def test_1_hello_world_from_every_language(self):
        name = self.name("hello")
        receiver = self.start(self.language, "hello_receive", name)
        for sender in LANGUAGES:
            text = f"Hello from {sender.folder}! Grüße ✓"
            self.assertEqual(self.run_program(sender, "hello_send", name, text), [f"sent: {text}"])
            self.assertEqual(receiver.line(), text)
        self.stop(self.language, receiver)

    def test_2_work_queue_gives_a_worker_one_task_at_a_time_and_loses_none(self):
        name = self.name("work")
        slow, quick = (self.start(self.language, "work_do", name) for _ in range(2))
        given = self.run_program(self.language, "work_give", name, "one", "two", "three", "four",
                                 "five")
        self.assertEqual(given, ["5 given"])
        first = {slow.line(), quick.line()}
        self.assertEqual(first, {"task: one", "task: two"})

        # The slow one keeps its task, the quick one gets what comes next, and when the slow one is
        # killed its task too, before the others.
        held = ({"task: one", "task: two"} - {self.finish(quick)}).pop()
        self.assertEqual(quick.line(), "task: three")
        slow.end(signal.SIGKILL)
        channel = self.channel()
        self.wait_count(channel, name, 3)
        for task in (held, "task: four", "task: five"):
            self.finish(quick)
            self.assertEqual(quick.line(), task)
        self.stop(self.language, quick)
        self.wait_count(channel, name, 1)
        self.assertEqual(self.gets(channel, name)[0][2], b"five")
        channel.queue_delete(name)

    def finish(self, worker):
        """Ends the task that the worker has; returns the line that announced it."""
        worker.enter()
        done = worker.line()
        self.assertRegex(done, "^done: ")
        return done.replace("done", "task", 1)

    def test_2_given_work_is_durable(self):
        name = self.name("durable")
        self.run_program(self.language, "work_give", name, "keep me")
        channel = self.channel()
        channel.queue_declare(name, durable=True)
        _, properties, body = self.gets(channel, name)[0]
        self.assertEqual((body, properties.delivery_mode), (b"keep me", 2))
        channel.queue_delete(name)

    def test_3_publish_subscribe_gives_everyone_a_copy(self):
        exchange = self.exchange(self.language, "fanout")
        self.run_program(self.language, "fanout_emit", exchange, "nobody listens yet")
        followers = [self.start(self.language, "fanout_follow", exchange) for _ in range(2)]
        for text in ("first", "second"):
            self.assertEqual(self.run_program(self.language, "fanout_emit", exchange, text),
                             [f"sent: {text}"])
        for follower in followers:
            self.assertEqual(follower.take(2), ["first", "second"])
        self.stop(self.language, *followers)

    def test_4_routing_selects_by_key(self):
        exchange = self.exchange(self.language, "direct")
        info, warning, error = (self.name(word) for word in ("info", "warning", "error"))
        errors = self.start(self.language, "direct_follow", exchange, error)
        both = self.start(self.language, "direct_follow", exchange, warning, error)
        for key in (info, warning, error):
            self.assertEqual(self.run_program(self.language, "direct_emit", exchange, key, "oh"),
                             [f"sent: {key}: oh"])
        self.assertEqual(errors.line(), f"{error}: oh")
        # With a queue for each key the shell promises no order between them.
        self.assertEqual(sorted(both.take(2)), sorted([f"{warning}: oh", f"{error}: oh"]))
        self.stop(self.language, errors, both)

    ANIMALS = ("quick.orange.rabbit", "lazy.orange.elephant", "lazy.brown.fox", "orange",
               "lazy.orange.new.rabbit", "lazy")
    FITTING = {"*.orange.*": ANIMALS[:2], "lazy.#": (*ANIMALS[1:3], *ANIMALS[4:]), "#": ANIMALS,
               "lazy.brown.fox": ANIMALS[2:3]}

    def test_5_topics_select_by_pattern(self):
        exchange = self.exchange(self.language, "topic")
        followers = {pattern: self.start(self.language, "topic_follow", exchange, pattern)
                     for pattern in self.FITTING}
        for animal in self.ANIMALS:
            self.run_program(PYTHON if self.language.declares else SHELL, "topic_emit", exchange,
                             animal, f"here is {animal}")
        for pattern, animals in self.FITTING.items():
            expected = [f"{animal if self.language.shows_key else pattern}: here is {animal}"
                        for animal in animals]
            self.assertEqual(followers[pattern].take(len(animals)), expected)
        self.stop(self.language, *followers.values())

    def test_6_rpc_answers_every_language(self):
        name = self.name("square")
        server = self.start(self.language, "square_serve", name)
        for client in LANGUAGES:
            self.assertEqual(self.run_program(client, "square_ask", name, "12", "5", "0"),
                             ["12 squared is 144", "5 squared is 25", "0 squared is 0"])
        self.assertEqual(server.take(9), ["answered: 144", "answered: 25", "answered: 0"] * 3)
        self.stop(self.language, server)

    CONFIRMED = {"python": ("one by one", "asynchronously"),
                 "javascript": ("one by one", "in batches", "asynchronously")}

    def test_7_publisher_confirms(self):
        name, count = self.name("confirm"), 60
        printed = self.run_program(self.language, "confirm_publish", name, str(count))
        if self.language is SHELL:
            self.assertEqual(printed, [f"sent: {count}", f"in the queue: {count}"])
            return
        ways = self.CONFIRMED[self.language.folder]
        self.assertEqual(printed, [*(f"{way}: {count} confirmed" for way in ways),
                                   "unroutable: 312 NO_ROUTE", "full queue: refused"])
        channel = self.channel()
        taken = self.gets(channel, name, count * len(ways))
        self.assertEqual([int(body) for _, _, body in taken], list(range(count)) * len(ways))
        self.assertEqual({properties.delivery_mode for _, properties, _ in taken},
                         {pika.spec.PERSISTENT_DELIVERY_MODE})
        self.assert_empty(channel, name)
        channel.queue_delete(name)


class Python(Tutorials, TutorialTest):
    language = PYTHON


class JavaScript(Tutorials, TutorialTest):
    language = JAVASCRIPT


class Shell(Tutorials, TutorialTest):
    language = SHELL
    test_6_rpc_answers_every_language = None
