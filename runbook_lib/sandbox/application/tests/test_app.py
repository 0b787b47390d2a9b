"""python -m unittest discover -s tests"""

import json
import sys
import threading
import unittest
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import app


class Orders(unittest.TestCase):
    def get(self, path, **environ):
        app.Handler.settings = app.Settings({"APP_LATENCY_MS": "0", **environ})
        server = app.Server(("127.0.0.1", 0), app.Handler)
        threading.Thread(target=server.serve_forever).start()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        finally:
            server.shutdown()
            server.server_close()

    def test_orders_are_listed(self):
        status, body = self.get("/orders", APP_VERSION="2.0.0")
        self.assertEqual(status, 200)
        self.assertEqual(json.loads(body)["version"], "2.0.0")

    def test_health_can_be_made_to_fail(self):
        self.assertEqual(self.get("/health")[0], 200)
        self.assertEqual(self.get("/health", APP_HEALTH="fail")[0], 503)

    def test_errors_come_at_their_rate(self):
        self.assertEqual(self.get("/orders", APP_ERROR_RATE="1")[0], 500)

    def test_the_page_shows_its_version(self):
        self.assertIn("version 3.1.0", self.get("/", APP_VERSION="3.1.0")[1])

    def test_unknown_paths_are_not_found(self):
        self.assertEqual(self.get("/nothing")[0], 404)


if __name__ == "__main__":
    unittest.main()
