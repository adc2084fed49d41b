"""Sends the events of tests/events/ in order, with any tool, and compares the answers with answers.json."""

import json
import pathlib
import urllib.error
import urllib.parse
import urllib.request

FOLDER = pathlib.Path("tests/events")
# In an expected answer: any text that is not empty.
ANY_TEXT = "*"
# The name of this machine in env.json, for functions in a container.
CONTAINER_HOST = "host.docker.internal"


def steps():
    return json.loads((FOLDER / "answers.json").read_text())


def comparable(answer):
    """Returns the parts to compare: the status and body of an HTTP response, or the whole answer of another function."""
    if "statusCode" not in answer:
        return {"answer": answer}
    return {"status": answer["statusCode"], "body": json.loads(answer.get("body") or "null")}


def matches(expected, answer):
    if isinstance(expected, dict) and isinstance(answer, dict):
        return expected.keys() == answer.keys() and all(matches(expected[name], answer[name]) for name in expected)
    return expected == answer or (expected == ANY_TEXT and isinstance(answer, str) and answer != "")


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def submit_form(form, address):
    """Submits the form of Nets' payment page, which then redirects to the shop."""
    try:
        urllib.request.build_opener(NoRedirect).open(address, urllib.parse.urlencode(form).encode(), timeout=10)
    except urllib.error.HTTPError as answer:
        if answer.code == 302:
            return
        raise
    raise AssertionError("the page does not redirect to the shop")


def run(steps, invoke):
    """Sends the event of each step with `invoke`, which returns the answer. Fails if an answer is not the expected one."""
    terminal = None
    for step in steps:
        if "enters" in step:
            submit_form(step["enters"], terminal.replace(CONTAINER_HOST, "127.0.0.1"))
            continue
        answer = comparable(invoke(step))
        expected = {name: value for name, value in step.items() if name in ("status", "body", "answer")}
        assert matches(expected, answer), f"{step['event']}:\nexpected {expected}\nreceived {answer}"
        print(f"{step['event']}: {answer.get('status', answer.get('answer'))}", flush=True)
        if isinstance(answer.get("body"), dict):
            terminal = answer["body"].get("terminalUri", terminal)
