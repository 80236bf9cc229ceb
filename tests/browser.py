"""A headless Chromium that tests drive as a person would: it opens a page, moves, clicks, looks."""

import asyncio
import base64
import itertools
import json
import subprocess
import time
from pathlib import Path

from tornado.httpclient import AsyncHTTPClient
from tornado.websocket import websocket_connect

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Page:
    """One page: `asked` are the addresses it asked for, `errors` what its scripts complained of."""

    def __init__(self, chromium, profile: Path, size=(1400, 900)):
        self.asked, self.errors = [], []
        self._loop, self._numbers = asyncio.new_event_loop(), itertools.count(1)
        self._process = subprocess.Popen(
            [chromium, *QUIET, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}",
             "--remote-debugging-port=0", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._socket = self._loop.run_until_complete(self._connect(profile))
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.send("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1,
                  mobile=False)  # fmt: skip

    async def _connect(self, profile):
        port = profile / "DevToolsActivePort"
        until = time.monotonic() + 60
        while not port.is_file() or not port.read_text().strip():
            assert time.monotonic() < until, "Chromium does not start"
            await asyncio.sleep(0.1)
        address = f"http://127.0.0.1:{port.read_text().split()[0]}/json"
        targets = json.loads((await AsyncHTTPClient().fetch(address)).body)
        page = next(target for target in targets if target["type"] == "page")
        return await websocket_connect(page["webSocketDebuggerUrl"], max_message_size=2**28)

    def close(self):
        self._socket.close()
        self._process.terminate()
        self._process.wait(20)
        self._loop.close()

    def send(self, method, **parameters):
        """Send one command of the DevTools protocol and return its result."""
        return self._loop.run_until_complete(asyncio.wait_for(self._send(method, parameters), 60))

    async def _send(self, method, parameters):
        number = next(self._numbers)
        await self._socket.write_message(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            told = json.loads(await self._socket.read_message())
            if told.get("id") == number:
                assert "error" not in told, (method, told["error"])
                return told["result"]
            self._note(told)

    def _note(self, told):
        method, details = told.get("method"), told.get("params", {})
        if method == "Network.requestWillBeSent":
            self.asked.append(details["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(details["exceptionDetails"])[:600])
        elif method == "Log.entryAdded" and details["entry"]["level"] == "error":
            self.errors.append(details["entry"]["text"])

    def open(self, address):
        self.send("Page.navigate", url=address)

    def run(self, script):
        """Run an expression (or await a promise) in the page and return its value."""
        done = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait(self, condition, seconds=30):
        """Wait until an expression is true; one that fails, as while a page loads, is not."""
        script = f"(() => {{ try {{ return Boolean({condition}); }} catch {{ return false; }} }})()"
        until = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < until, f"{condition} stays false; {self.errors[:3]}"
            time.sleep(0.05)

    def mouse(self, kind, x, y, **more):
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x, y):
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)

    def theme(self, scheme):
        """Show the page as in a system with a 'light' or 'dark' theme."""
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path: Path):
        """Write a screenshot as PNG."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))
