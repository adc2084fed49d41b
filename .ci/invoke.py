"""Sends each event of tests/events/ with `cargo lambda invoke`, and compares the answers with those of answers.json."""

import contextlib
import http.client
import http.server
import json
import pathlib
import socket
import subprocess
import sys
import threading
import time

import events


def environment(addresses):
    """env.json, with the addresses of the service that runs for this."""
    text = (events.FOLDER / "env.json").read_text()
    for name, usual in [("netaxept", 3002), ("issuer", 3003), ("secrets", 3004), ("dynamodb", 8000)]:
        usual = f"http://{events.CONTAINER_HOST}:{usual}"
        assert usual in text, f"env.json without {usual}"
        text = text.replace(usual, addresses[name])
    return json.loads(text)["Parameters"]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def wait_for(port):
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port)), 1):
            return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on {port}")


class Deadlines(http.server.BaseHTTPRequestHandler):
    """Between the functions and cargo-lambda, whose deadline is 600000, an instant in 1970; on Lambda it is one to come."""

    protocol_version = "HTTP/1.1"
    port = None

    def forward(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        onward = http.client.HTTPConnection("127.0.0.1", self.port)
        try:
            onward.request(self.command, self.path, body, dict(self.headers))
            answer = onward.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):  # cargo-lambda has ended: so does this
            self.close_connection = True
            return
        finally:
            onward.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() == "lambda-runtime-deadline-ms":
                value = str(int((time.time() + 90) * 1000))
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = forward

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *about):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a function that has ended
            super().handle_error(*about)


def deadlines(port):
    """The port of the above."""
    Deadlines.port = int(port)
    server = Server(("127.0.0.1", 0), Deadlines)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def start(function, port, binaries, variables):
    """The binary, as Lambda starts it; the access key is its name."""
    own = {
        "AWS_ACCESS_KEY_ID": function,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "eu-north-1",
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_LAMBDA_RUNTIME_API": f"http://127.0.0.1:{port}/.rt/{function}",
    }
    return subprocess.Popen([binaries / function], env={**variables, **own}, stdout=sys.stderr)


def invoke(step, port):
    command = ["cargo-lambda", "lambda", "invoke", "--invoke-address", "127.0.0.1", "-P", port, step["function"]]
    command += ["--data-file", events.FOLDER / step["event"], "--output-format", "json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def main():
    addresses = json.loads(pathlib.Path(sys.argv[1]).read_text())
    binaries = pathlib.Path(sys.argv[2])
    steps = events.steps()
    port = free_port()
    watch = ["cargo-lambda", "lambda", "watch", "--only-lambda-apis", "-A", "127.0.0.1", "-P", port]
    started = [subprocess.Popen(watch, stdout=sys.stderr)]
    try:
        wait_for(port)
        runtime_api = deadlines(port)
        functions = {step["function"] for step in steps if "function" in step}
        started += [start(function, runtime_api, binaries, environment(addresses)) for function in sorted(functions)]
        events.walk(steps, lambda step: invoke(step, port))
    finally:
        for one in reversed(started):
            one.terminate()
        for one in started:
            one.wait(timeout=30)
    print(f"cargo lambda invoke: {sum('event' in step for step in steps)} answers as expected, of {len(functions)} functions")


main()
