"""Runs every example of docs/CLIENTS.md in the order of the page, and compares the answers that the page shows.

Arguments: the file with the addresses of the local service, and a folder for the programs of the page, with Node's packages.

- A block `sh` is pasted into a shell. The block `json` or `text` after it is its answer.
- `<!-- customer: … -->` uses the terminal that the last answer contains, with a card, or with the security code (`confirms`).
- `js`, `python` and `java` are programs. Receivers run from the start, and get every notification of the page. A `text` block with
  the names of clients is their output.
- A `json` block with a type is a notification. `json event` is a lifecycle event, which `cargo test` compares.
- `rust` is a file of `tests/api`, which `cargo test` compiles, runs and compares.

In answers, ids and times can have other values, but one id of the page always stands for the same id.
"""

import base64
import contextlib
import hashlib
import hmac
import http.client
import http.server
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

ADDRESSES = json.loads(pathlib.Path(sys.argv[1]).read_text())
PROGRAMS = pathlib.Path(sys.argv[2])
PAGE = pathlib.Path("docs/CLIENTS.md").read_text()
ELEMENT = re.compile(r"^(?:<!-- customer: (?P<customer>.+) -->|```(?P<kind>\S+) ?(?P<names>.*)\n(?P<text>(?:.*\n)*?)```)$", re.M)
COMMANDS = {"js": ["node"], "python": [sys.executable], "java": ["java"]}
SECRET = re.search(r"`(whsec_[^`]+)`", PAGE).group(1)

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ID = re.compile(r"(\d{10,})")
TERMINAL = re.compile(r"http://[^\s\"]+/Terminal/[^\s\"]+")


class Notifications:
    """Receives the notifications, passes them on to the receivers of the page, and answers 202 if all of them do."""

    def __init__(self):
        self.receivers, self.received = {}, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(request):
                body = request.rfile.read(int(request.headers["Content-Length"]))
                headers = {name: request.headers[name] for name in request.headers if name.lower().startswith("webhook-")}
                statuses = {name: post(port, body, headers) for name, port in self.receivers.items()}
                self.received.append((body, headers, statuses))
                request.send_response(202 if set(statuses.values()) == {202} else 500)
                request.end_headers()

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{server.server_port}/inbox"

    def get(self, kind):
        """Returns the body of the oldest notification of a type. Payments are notified by a schedule."""
        for _ in range(100):
            bodies = [json.loads(body) for body, _, _ in list(self.received)]
            for body in bodies:
                if body["type"] == kind:
                    return body
            urllib.request.urlopen(f"{ADDRESSES['console']}/schedule/settle-payments", data=b"")
            time.sleep(0.1)
        raise AssertionError(f"there is no notification {kind}: {bodies}")


def post(port, body, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
    with contextlib.closing(connection):
        connection.request("POST", "/webhooks", body, {"Content-Type": "application/json", **headers})
        return connection.getresponse().status


NOTIFICATIONS = Notifications()
# The addresses of the page, and of this run.
REPLACED = {
    "http://127.0.0.1:3001/inbox": NOTIFICATIONS.address,
    "http://127.0.0.1:3000": ADDRESSES["api"],
    "http://127.0.0.1:3001": ADDRESSES["console"],
    "http://127.0.0.1:3002": ADDRESSES["netaxept"],
    "http://127.0.0.1:3003": ADDRESSES["issuer"],
}


def with_addresses(text):
    for page, actual in REPLACED.items():
        text = text.replace(page, actual)
    return text


class Answers:
    """Compares answers with those of the page."""

    def __init__(self):
        self.ids = {}

    def compare(self, shown, actual):
        """Fails if an answer differs in more than ids and times."""
        assert self.is_same(shown, actual), f"the page shows\n{shown}\nbut the answer is\n{actual}"

    def is_same(self, shown, actual):
        if isinstance(shown, dict) and isinstance(actual, dict):
            return list(shown) == list(actual) and all(self.is_same(shown[name], actual[name]) for name in shown)
        if isinstance(shown, list) and isinstance(actual, list):
            return len(shown) == len(actual) and all(map(self.is_same, shown, actual))
        if type(shown) is not type(actual):
            return False
        if isinstance(shown, bool) or shown is None:
            return shown == actual
        return self.is_same_text(str(shown), str(actual))

    def is_same_text(self, shown, actual):
        # `split` returns the ids at the odd places.
        shown, actual = (ID.split(INSTANT.sub("<instant>", text)) for text in (shown, actual))
        ids = list(zip(shown[1::2], actual[1::2]))
        for one, other in ids:
            self.ids.setdefault(one, other)
        return shown[::2] == actual[::2] and all(self.ids[one] == other for one, other in ids)


def parse_all(text):
    """Parses JSON values that follow each other."""
    decoder, values, text = json.JSONDecoder(), [], text.strip()
    while text:
        value, end = decoder.raw_decode(text)
        values.append(value)
        text = text[end:].strip()
    return values


class Shell:
    """A shell that runs the blocks one after the other, and ends when a command fails."""

    def __init__(self):
        self.bash = subprocess.Popen(["bash", "-eu"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, block):
        self.bash.stdin.write(f"{block}\necho end-of-block\n")
        self.bash.stdin.flush()
        lines = []
        while (line := self.bash.stdout.readline()) != "end-of-block\n":
            assert line, f"a command failed in\n{block}"
            lines.append(line)
        return "".join(lines)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments):
        return None


def use_terminal(address, customer):
    """Posts the form of the terminal page, as a browser does."""
    card = {} if customer == "confirms" else {"cardNo": customer, "month": "03", "year": "29"}
    form = urllib.parse.urlencode({**card, "securityCode": "123", "okButton": "x"}).encode()
    try:
        page = urllib.request.build_opener(NoRedirect).open(address, form)
        raise AssertionError(f"the page of the terminal is shown again: {page.read().decode()}")
    except urllib.error.HTTPError as response:
        assert response.code == 302 and "responseCode=OK" in response.headers["Location"], response.headers


def start(name, command, port=None):
    environment = {**os.environ, "WEBHOOK_SECRET": SECRET, "PYTHONUNBUFFERED": "1", **({"PORT": str(port)} if port else {})}
    return subprocess.Popen(
        [*command, name], cwd=PROGRAMS, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        # http.server logs each request.
        stderr=subprocess.DEVNULL if name == "receiver.py" else None,
    )


def start_receiver(name, command):
    """Starts a receiver on a free port, and waits until it accepts connections."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    process = start(name, command, port)
    for _ in range(600):
        assert process.poll() is None, f"{name} has ended"
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            NOTIFICATIONS.receivers[name] = port
            return process
        time.sleep(0.1)
    raise AssertionError(f"{name} does not listen")


def run_clients(processes, shown):
    """Runs clients beside each other. Nets' answers to the authorization of each and to the query after it are lost."""
    outputs = [""] * len(processes)
    for customer in ["4925000000000004", "confirms"]:
        for index, process in enumerate(processes):
            while not (terminal := TERMINAL.search(line := process.stdout.readline())):
                assert line, f"{process.args} has ended: {outputs[index]}"
                outputs[index] += line
            outputs[index] += line
            use_terminal(terminal.group(), customer)
        for operation in ["AUTH", "Query"] if customer == "confirms" else []:
            faults = {"operation": operation, "kind": "drop-reply", "count": len(processes)}
            urllib.request.urlopen(f"{ADDRESSES['console']}/netaxept/faults", urllib.parse.urlencode(faults).encode())
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
    for process, output in zip(processes, outputs):
        output += process.communicate()[0]
        assert process.returncode == 0, (process.args, output)
        Answers().compare(with_addresses(shown), output)


def sign(body, headers, timestamp):
    """Returns headers with another time, and the signature for it."""
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    mac = hmac.digest(key, f"{headers['webhook-id']}.{timestamp}.".encode() + body, hashlib.sha256)
    return {**headers, "webhook-timestamp": str(timestamp), "webhook-signature": "v1," + base64.b64encode(mac).decode()}


def check_receivers(receivers):
    """Sends notifications again, changed and unchanged. Then compares what the receivers have processed with what they got."""
    body, headers, _ = NOTIFICATIONS.received[0]
    now = int(time.time())
    missing = [{name: value for name, value in headers.items() if name != absent} for absent in headers]
    refused = [
        (body.replace(b"ACTIVE", b"EXPIRED"), headers),
        (body + b" ", headers),
        (b"\xff" + body, headers),
        (body, {**headers, "webhook-id": "1-activated-1"}),
        (body, {**headers, "webhook-timestamp": "tomorrow"}),
        (body, {**headers, "webhook-signature": "v1," + base64.b64encode(bytes(32)).decode()}),
        (body, {**headers, "webhook-signature": "v1"}),
        (body, {**headers, "webhook-signature": "v2" + headers["webhook-signature"].removeprefix("v1")}),
        (body, sign(body, headers, now - 400)),
        (body, sign(body, headers, now + 400)),
        *[(body, some) for some in missing],
    ]
    assert len(missing) == 3 and all(one != (body, headers) for one in refused)
    # Another delivery attempt has the same id and another time, and the signatures of two secrets while the secret changes.
    again = sign(body, headers, now + 1)
    again["webhook-signature"] = f"v1,{base64.b64encode(bytes(32)).decode()} {again['webhook-signature']}"
    for name, port in NOTIFICATIONS.receivers.items():
        assert post(port, body, headers) == post(port, body, again) == 202, name
        for changed in refused:
            assert post(port, *changed) == 400, (name, changed)
    expected = [headers["webhook-id"] for _, headers, _ in NOTIFICATIONS.received]
    assert len(set(expected)) == len(expected), expected
    for name, process in receivers.items():
        process.kill()
        processed = [line.split()[-1] for line in process.communicate()[0].splitlines()]
        assert sorted(processed) == sorted(expected), (name, processed, expected)


def check_notifications():
    """Each type of the page was received, except those that are sent later, and all receivers have answered 202."""
    types = set(re.findall(r"^\| `([a-z-]+\.[a-z]+)` \|", PAGE, re.M))
    for kind in types - {f"recurring-payment.{event}" for event in ["abandoned", "expiring", "expired"]}:
        NOTIFICATIONS.get(kind)
    names = set(NOTIFICATIONS.receivers)
    assert all(statuses == dict.fromkeys(names, 202) for _, _, statuses in NOTIFICATIONS.received), NOTIFICATIONS.received


def run_page(elements, clients):
    """Runs all elements in order. Returns how many blocks of each kind were run."""
    shell, answers, output, counts = Shell(), Answers(), "", {}
    for element in elements:
        customer, kind, names, text = element.group("customer", "kind", "names", "text")
        if customer:
            use_terminal(TERMINAL.search(output).group(), customer)
            continue
        counts[kind] = counts.get(kind, 0) + 1
        match (kind, names.split()):
            case ("sh", []):
                output = shell.run(with_addresses(text))
            case ("json", []):
                answers.compare(parse_all(with_addresses(text)), parse_all(output))
            case ("json", ["event"]):
                # A lifecycle event. tests/api/lifecycle_events.rs compares it: receivers refuse the time of a clock that was moved.
                pass
            case ("json", [notification]):
                Answers().compare(json.loads(text), NOTIFICATIONS.get(notification))
            case ("text", []):
                answers.compare(with_addresses(text), output)
            case ("text", some):
                run_clients([clients.pop(name) for name in some], text)
            case ("rust", [name]):
                assert pathlib.Path("tests/api/clients", name).read_text() == text, name
            case (program, [name]) if program in COMMANDS:
                assert (PROGRAMS / name).read_text() == with_addresses(text)
            case _:
                raise AssertionError(f"there is no way to run a block {kind} {names}")
    assert not clients, f"the page does not show the output of {clients}"
    return counts


def main():
    elements = list(ELEMENT.finditer(PAGE))
    assert sum(element["kind"] is not None for element in elements) * 2 == len(re.findall("^ *```", PAGE, re.M))
    programs = {element["names"]: element for element in elements if element["kind"] in COMMANDS}
    receivers, clients = {}, {}
    try:
        for name, element in programs.items():
            (PROGRAMS / name).write_text(with_addresses(element["text"]))
            command = COMMANDS[element["kind"]]
            if name.lower().startswith("receiver."):
                receivers[name] = start_receiver(name, command)
            else:
                clients[name] = start(name, command)
        counts = run_page(elements, clients)
        check_notifications()
        check_receivers(receivers)
    finally:
        for process in [*receivers.values(), *clients.values()]:
            process.kill()
    print(f"docs/CLIENTS.md: {counts}, {len(NOTIFICATIONS.received)} notifications to {len(receivers)} receivers")


main()
