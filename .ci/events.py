"""The events of tests/events/ in their order, whatever they are sent with, and their answers held against answers.json."""

import json
import pathlib
import urllib.error
import urllib.parse
import urllib.request

FOLDER = pathlib.Path("tests/events")
# In an expected answer: any text, but not an empty one.
ANY = "*"
# This machine, as env.json names it for functions in a container.
CONTAINER_HOST = "host.docker.internal"


def steps():
    return json.loads((FOLDER / "answers.json").read_text())


def answered(answer):
    """Of API Gateway's answers status and body count, of others everything."""
    if "statusCode" not in answer:
        return {"answer": answer}
    return {"status": answer["statusCode"], "body": json.loads(answer.get("body") or "null")}


def fits(expected, answer):
    if isinstance(expected, dict) and isinstance(answer, dict):
        return expected.keys() == answer.keys() and all(fits(expected[name], answer[name]) for name in expected)
    return expected == answer or (expected == ANY and isinstance(answer, str) and answer != "")


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def enter(form, address):
    """What the customer does at Nets, whose page then leads back to the shop."""
    try:
        urllib.request.build_opener(Stay).open(address, urllib.parse.urlencode(form).encode(), timeout=10)
    except urllib.error.HTTPError as answer:
        if answer.code == 302:
            return
        raise
    raise AssertionError("the page does not lead back")


def walk(steps, invoke):
    """Sends the event of each step with `invoke`, which returns the answer."""
    terminal = None
    for step in steps:
        if "enters" in step:
            enter(step["enters"], terminal.replace(CONTAINER_HOST, "127.0.0.1"))
            continue
        answer = answered(invoke(step))
        expected = {name: value for name, value in step.items() if name in ("status", "body", "answer")}
        assert fits(expected, answer), f"{step['event']}:\nexpected {expected}\nanswered {answer}"
        print(f"{step['event']}: {answer.get('status', answer.get('answer'))}", flush=True)
        if isinstance(answer.get("body"), dict):
            terminal = answer["body"].get("terminalUri", terminal)
