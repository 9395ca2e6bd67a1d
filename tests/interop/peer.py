"""A peer program under control: commands in, events out (README.md)."""

import json
import subprocess
import threading
import time


class Failed(Exception):
    """The case's predicate does not hold."""


class Peer:
    def __init__(self, role, host, command, arguments, show=False):
        self.role = role
        self.show = show
        self.events = []          # (seconds since start, event)
        self.taken = set()        # indexes of events that a wait has used up
        self.log = []
        self.arrived = threading.Condition()
        self.began = time.monotonic()
        self.ended = False
        self.process = host.popen(command + arguments, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.threads = [threading.Thread(target=f, daemon=True)
                        for f in (self._read_events, self._read_log)]
        for thread in self.threads:
            thread.start()

    def _read_events(self):
        for line in self.process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                event = {"event": "garbage", "text": line.rstrip()}
            with self.arrived:
                self.events.append((time.monotonic() - self.began, event))
                self.arrived.notify_all()
            if self.show:
                print(f"    {self.role}: {line.rstrip()}", flush=True)
        with self.arrived:
            self.ended = True
            self.arrived.notify_all()

    def _read_log(self):
        for line in self.process.stderr:
            if len(self.log) < 5000:
                self.log.append(line)
            if self.show:
                print(f"    {self.role}! {line.rstrip()}", flush=True)

    def do(self, what, **members):
        line = json.dumps({"do": what, **members})
        with self.arrived:
            self.events.append((time.monotonic() - self.began, {"did": what, **members}))
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except OSError as e:
            raise Failed(f"{self.role} is gone: {e}") from e

    def wait(self, name, timeout, /, errors=True, **wanted):
        """The first unused event of that name with these members (a callable value
        is a predicate). An error event in between fails the case unless errors is
        false."""
        until = time.monotonic() + timeout
        with self.arrived:
            while True:
                for i, (_, event) in enumerate(self.events):
                    if i in self.taken:
                        continue
                    if event.get("event") == name and self._matches(event, wanted):
                        self.taken.add(i)
                        return event
                    if errors and event.get("event") in ("error", "garbage"):
                        raise Failed(f"{self.role} reports {event.get('stage', 'garbage')}: "
                                     f"{event['text'][:300]}")
                if self.ended:
                    raise Failed(f"{self.role} ended while {name} was awaited")
                left = until - time.monotonic()
                if left <= 0:
                    raise Failed(f"{self.role}: no {name} {wanted or ''} within {timeout} s")
                self.arrived.wait(left)

    @staticmethod
    def _matches(event, wanted):
        return all(v(event.get(k)) if callable(v) else event.get(k) == v
                   for k, v in wanted.items())

    def seen(self, name):
        with self.arrived:
            return [e for _, e in self.events if e.get("event") == name]

    def quit(self, timeout=10):
        """Asks it to end; its exit status must be 0."""
        self.do("quit")
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired as e:
            raise Failed(f"{self.role} does not quit") from e
        if status != 0:
            raise Failed(f"{self.role} exits with {status}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for thread in self.threads:
            thread.join(5)

    def transcript(self):
        with self.arrived:
            events = [f"{t:9.3f} {json.dumps(e)}" for t, e in self.events]
        return "\n".join(events) + "\n\n--- stderr\n" + "".join(self.log)
