"""Sends each event of tests/events/ with `sam local invoke`, and compares the answers with those of answers.json."""

import json
import subprocess
import sys

import events


def invoke(step):
    """Invokes the function of a step. Passes the arguments of this program to SAM as further options."""
    logical_id = step["function"].title().replace("-", "")
    command = ["sam", "local", "invoke", logical_id, "--event", events.FOLDER / step["event"], *sys.argv[1:]]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120, check=True)
    return json.loads(result.stdout)


def main():
    steps = events.steps()
    events.run(steps, invoke)
    functions = {step["function"] for step in steps if "function" in step}
    count = sum("event" in step for step in steps)
    print(f"sam local invoke: {count} events, {len(functions)} functions: all answers as expected")


main()
