"""Sends each event of tests/events/ with `sam local invoke`, and compares the answers with those of answers.json."""

import json
import subprocess
import sys

import events


def invoke(step):
    """The program's arguments are further options of SAM's."""
    logical_id = step["function"].title().replace("-", "")
    command = ["sam", "local", "invoke", logical_id, "--event", events.FOLDER / step["event"], *sys.argv[1:]]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120, check=True)
    return json.loads(done.stdout)


def main():
    steps = events.steps()
    events.walk(steps, invoke)
    functions = {step["function"] for step in steps if "function" in step}
    print(f"sam local invoke: {sum('event' in step for step in steps)} answers as expected, of {len(functions)} functions")


main()
