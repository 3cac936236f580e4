"""Virtual hosts, limits and the management API by which they and users are set. Section 26 of what
RabbitMQ 3.10.8 was seen to do."""

from permission_test import Api, PermissionTest, declare_queue
from wire import Wire


class Vhosts(PermissionTest):
    def setUp(self):
        super().setUp()
        self.vhost = self.name("vhost")
        self.api.do("PUT", "vhosts", self.vhost)
        self.addCleanup(self.api.ask, "DELETE", "vhosts", self.vhost)

    def entering(self, vhost, user=None):
        wire = Wire(self.broker.port)
        self.addCleanup(wire.close)
        wire.start()
        wire.start_ok(user=user or self.user, password="guest" if user else "secret")
        wire.expect(0, "connection.tune")
        wire.send(0, "connection.tune_ok", 2047, 131072, 0)
        wire.send(0, "connection.open", vhost, "", False)
        return wire

    def no_entry(self, vhost, text):
        self.assertEqual(self.entering(vhost).closed_connection(),
                         (530, "NOT_ALLOWED - " + text, 10, 40))

    def test_entering_needs_permission(self):
        self.no_entry(self.vhost,
                      f"access to vhost '{self.vhost}' refused for user '{self.user}'")
        self.no_entry("nowhere", "vhost nowhere not found")
        self.allow(vhost=self.vhost)
        self.as_user(self.vhost)

    def test_who_makes_one_may_use_it(self):
        wire = self.wire(vhost=self.vhost)
        wire.open(1)
        wire.declare(1, "q")

    def test_deleting_one_throws_its_clients_out(self):
        wire = self.wire(vhost=self.vhost)
        wire.open(1)
        wire.declare(1, "q", durable=True)
        self.api.do("DELETE", "vhosts", self.vhost)
        code, text, *ids = wire.closed_connection(answer=False)
        self.assertEqual((code, ids), (320, [0, 0]))
        self.assertRegex(text, f"^CONNECTION_FORCED - vhost '{self.vhost}' is (deleted|down)$")
        self.no_entry(self.vhost, f"vhost {self.vhost} not found")
        self.api.do("PUT", "vhosts", self.vhost)
        again = self.wire(vhost=self.vhost)
        again.open(1)
        again.send(1, "queue.declare", *declare_queue("q", passive=True))
        self.assertEqual(again.closed_channel(1)[0], 404)

    def test_queue_limit(self):
        self.api.do("PUT", "vhost-limits", self.vhost, "max-queues", body={"value": 1})
        wire = self.wire(vhost=self.vhost)
        wire.open(1)
        wire.declare(1, "a")
        wire.send(1, "queue.declare", *declare_queue("b"))
        self.assertEqual(
            wire.closed_channel(1),
            (406, f"PRECONDITION_FAILED - cannot declare queue 'b': queue limit in vhost "
             f"'{self.vhost}' (1) is reached", 50, 10))
        wire.open(1)
        wire.declare(1, "a")
        self.api.do("DELETE", "vhost-limits", self.vhost, "max-queues")
        wire.declare(1, "b")

    def test_connection_limit(self):
        self.allow(vhost=self.vhost)
        self.api.do("PUT", "vhost-limits", self.vhost, "max-connections", body={"value": 0})
        self.no_entry(self.vhost, f"access to vhost '{self.vhost}' refused for user "
                      f"'{self.user}': connection limit (0) is reached")

    def test_limits_come_before_permission(self):
        self.api.do("PUT", "vhost-limits", self.vhost, "max-connections", body={"value": 0})
        self.no_entry(self.vhost, f"access to vhost '{self.vhost}' refused for user "
                      f"'{self.user}': connection limit (0) is reached")
        self.api.do("DELETE", "vhost-limits", self.vhost, "max-connections")
        self.api.do("PUT", "user-limits", self.user, "max-connections", body={"value": 0})
        self.no_entry(self.vhost, f"connection refused for user '{self.user}': user connection "
                      "limit (0) is reached")

    def test_user_limits(self):
        self.api.do("PUT", "user-limits", self.user, "max-channels", body={"value": 1})
        self.joe.send(2, "channel.open", "")
        code, text, *ids = self.joe.closed_connection()
        self.assertEqual((code, ids), (530, [0, 0]))
        self.assertEqual(text, f"NOT_ALLOWED - number of channels opened for user '{self.user}' "
                         "has reached the maximum allowed user limit of (1)")
        self.joe.close()
        self.api.do("DELETE", "user-limits", self.user, "max-channels")
        self.api.do("PUT", "user-limits", self.user, "max-connections", body={"value": 0})
        self.no_entry("/", f"connection refused for user '{self.user}': user connection limit "
                      "(0) is reached")


class ManagementApi(PermissionTest):
    """What the tools of people see."""

    def users_api(self):
        return Api(self.broker, self.user, "secret")

    def test_what_is_set_is_shown(self):
        shown = self.api.do("GET", "users", self.user)
        self.assertEqual(shown["name"], self.user)
        self.assertEqual(shown["tags"], [])
        self.put_user(tags="monitoring,impersonator")
        self.assertEqual(self.api.do("GET", "users", self.user)["tags"],
                         ["monitoring", "impersonator"])
        self.assertIn(self.user, [each["name"] for each in self.api.do("GET", "users")])
        self.allow("c", "w", "r")
        wanted = {"user": self.user, "vhost": "/", "configure": "c", "write": "w", "read": "r"}
        self.assertEqual(self.api.do("GET", "permissions", "/", self.user), wanted)
        self.assertEqual(self.api.do("GET", "users", self.user, "permissions"), [wanted])
        self.assertIn(wanted, self.api.do("GET", "permissions"))
        self.assertIn(wanted, self.api.do("GET", "vhosts", "/", "permissions"))
        topics = {"exchange": "amq.topic", "write": "w", "read": "{username}"}
        self.api.do("PUT", "topic-permissions", "/", self.user, body=topics)
        wanted = {"user": self.user, "vhost": "/", **topics}
        self.assertEqual(self.api.do("GET", "topic-permissions", "/", self.user), [wanted])
        self.assertIn(wanted, self.api.do("GET", "topic-permissions"))
        self.assertEqual(self.api.do("GET", "whoami")["name"], "guest")
        self.assertIn("/", [each["name"] for each in self.api.do("GET", "vhosts")])
        self.api.do("PUT", "user-limits", self.user, "max-channels", body={"value": 9})
        wanted = {"user": self.user, "value": {"max-channels": 9}}
        self.assertEqual(self.api.do("GET", "user-limits", self.user), [wanted])
        self.assertIn(wanted, self.api.do("GET", "user-limits"))
        self.api.do("PUT", "vhost-limits", "/", "max-queues", body={"value": 900000})
        self.assertEqual(self.api.do("GET", "vhost-limits", "/"),
                         [{"vhost": "/", "value": {"max-queues": 900000}}])
        self.api.do("DELETE", "vhost-limits", "/", "max-queues")
        self.assertEqual(self.api.do("GET", "vhost-limits", "/"), [])

    def test_new_is_201_and_known_is_204(self):
        name = self.name("user")
        self.addCleanup(self.api.ask, "DELETE", "users", name)
        body = {"password": "p", "tags": ""}
        self.assertEqual(self.api.ask("PUT", "users", name, body=body)[0], 201)
        self.assertEqual(self.api.ask("PUT", "users", name, body=body)[0], 204)
        body = {"configure": "", "write": "", "read": ""}
        self.assertEqual(self.api.ask("PUT", "permissions", "/", name, body=body)[0], 201)
        self.assertEqual(self.api.ask("PUT", "permissions", "/", name, body=body)[0], 204)
        self.assertEqual(self.api.ask("DELETE", "permissions", "/", name)[0], 204)
        self.assertEqual(self.api.ask("DELETE", "permissions", "/", name)[0], 404)
        self.assertEqual(self.api.ask("DELETE", "users", name)[0], 204)
        self.assertEqual(self.api.ask("DELETE", "users", name)[0], 404)

    def test_what_is_not_there_is_404(self):
        for path in (("users", "nobody"), ("users", "nobody", "permissions"),
                     ("permissions", "/", "nobody"), ("vhosts", "nowhere"),
                     ("topic-permissions", "/", "nobody")):
            with self.subTest(path):
                self.assertEqual(self.api.ask("GET", *path)[0], 404)

    def test_wrong_bodies_are_400(self):
        name = self.name("user")
        for path, body in (
                (("users", name), {"password": "p"}),
                (("permissions", "/", self.user), {"configure": "", "write": ""}),
                (("permissions", "/", self.user), {"configure": "(", "write": "", "read": ""}),
                (("permissions", "/", "nobody"), {"configure": "", "write": "", "read": ""}),
                (("permissions", "nowhere", self.user),
                 {"configure": "", "write": "", "read": ""}),
                (("topic-permissions", "/", self.user), {"write": "", "read": ""})):
            with self.subTest(path=path, body=body):
                status, answer = self.api.ask("PUT", *path, body=body)
                self.assertEqual(status, 400)
                self.assertEqual(answer["error"], "bad_request")

    def test_tags_say_who_may_what(self):
        users = self.users_api()
        wrong = Api(self.broker, self.user, "wrong")
        self.assertEqual(wrong.ask("GET", "overview")[0], 401)
        self.assertEqual(users.ask("GET", "overview")[0], 401)
        levels = {"management": (200, 401), "policymaker": (200, 401), "monitoring": (200, 401),
                  "administrator": (200, 200)}
        for tag, (overview, list_users) in levels.items():
            with self.subTest(tag):
                self.put_user(tags=tag)
                self.assertEqual(users.ask("GET", "overview")[0], overview)
                self.assertEqual(users.ask("GET", "users")[0], list_users)
                self.assertEqual(users.ask("GET", "whoami")[0], 200)
        self.put_user(tags="management")
        self.assertEqual(
            users.ask("PUT", "users", self.user, body={"password": "x", "tags": "administrator"}),
            users.ask("GET", "users"))
        self.assertEqual(users.ask("DELETE", "users", "guest")[0], 401)
        self.assertEqual(users.ask("DELETE", "vhosts", "/")[0], 401)

    def test_management_users_see_their_vhosts_only(self):
        self.put_user(tags="management")
        vhost = self.name("vhost")
        self.api.do("PUT", "vhosts", vhost)
        self.addCleanup(self.api.ask, "DELETE", "vhosts", vhost)
        users = self.users_api()
        self.assertEqual([each["name"] for each in users.do("GET", "vhosts")], ["/"])
        self.assertEqual(users.ask("GET", "queues", vhost)[0], 401)
        self.assertEqual(users.ask("GET", "queues", "/")[0], 200)
