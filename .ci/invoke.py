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
    """Returns the variables of env.json, with the addresses of the local service that is running for this test."""
    text = (events.FOLDER / "env.json").read_text()
    for name, default_port in [("netaxept", 3002), ("issuer", 3003), ("secrets", 3004), ("dynamodb", 8000)]:
        default = f"http://{events.CONTAINER_HOST}:{default_port}"
        assert default in text, f"env.json does not contain {default}"
        text = text.replace(default, addresses[name])
    return json.loads(text)["Parameters"]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def wait_for(port):
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port)), 1):
            return
        time.sleep(0.1)
    raise TimeoutError(f"no server listens on port {port}")


class DeadlineProxy(http.server.BaseHTTPRequestHandler):
    """A proxy between the functions and cargo-lambda. Corrects the deadline: cargo-lambda sends 600000, an instant in 1970."""

    protocol_version = "HTTP/1.1"
    port = None

    def forward(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        upstream = http.client.HTTPConnection("127.0.0.1", self.port)
        try:
            upstream.request(self.command, self.path, body, dict(self.headers))
            response = upstream.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):  # cargo-lambda has exited
            self.close_connection = True
            return
        finally:
            upstream.close()
        self.send_response(response.status)
        for name, value in response.getheaders():
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


class ProxyServer(http.server.ThreadingHTTPServer):
    def handle_error(self, *request):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # the function has exited
            super().handle_error(*request)


def start_proxy(port):
    """Starts a proxy for cargo-lambda's port. Returns the port of the proxy."""
    DeadlineProxy.port = int(port)
    server = ProxyServer(("127.0.0.1", 0), DeadlineProxy)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def start(function, port, binaries, variables):
    """Starts the binary as Lambda does. The access key is the name of the function."""
    own_variables = {
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
    return subprocess.Popen([binaries / function], env={**variables, **own_variables}, stdout=sys.stderr)


def invoke(step, port):
    command = ["cargo-lambda", "lambda", "invoke", "--invoke-address", "127.0.0.1", "-P", port, step["function"]]
    command += ["--data-file", events.FOLDER / step["event"], "--output-format", "json"]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    return json.loads(result.stdout)


def main():
    addresses = json.loads(pathlib.Path(sys.argv[1]).read_text())
    binaries = pathlib.Path(sys.argv[2])
    steps = events.steps()
    port = free_port()
    watch = ["cargo-lambda", "lambda", "watch", "--only-lambda-apis", "-A", "127.0.0.1", "-P", port]
    processes = [subprocess.Popen(watch, stdout=sys.stderr)]
    try:
        wait_for(port)
        proxy_port = start_proxy(port)
        functions = {step["function"] for step in steps if "function" in step}
        processes += [start(function, proxy_port, binaries, environment(addresses)) for function in sorted(functions)]
        events.run(steps, lambda step: invoke(step, port))
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(timeout=30)
    count = sum("event" in step for step in steps)
    print(f"cargo lambda invoke: {count} events, {len(functions)} functions: all answers as expected")


main()
