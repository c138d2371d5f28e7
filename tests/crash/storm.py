"""Kills supervisors and readers at random instants while sessions stream, then compares database and journals.

`python -m tests.crash.storm --kills 1000` prints what was killed, compared, lost and doubled, and exits with 1 if
anything was. The suite runs a short one.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.crash.audit import faults
from tests.sandbox import Sandbox, eventually

SESSIONS = 6
STREAM = """
def say(block):
    print(json.dumps({"type": "assistant", "message": {"role": "assistant", "content": [block]}}), flush=True)
print(json.dumps({"type": "system", "subtype": "init", "session_id": "x", "model": "claude-opus-5"}), flush=True)
number = 0
while not os.path.exists("enough"):
    number += 1
    say({"type": "text", "text": f"{number} " + "x" * (number % 700)})
    if number % 7 == 0:
        call = {"type": "tool_use", "id": f"toolu_{number}", "name": "Bash", "input": {"command": "ls"}}
        say(call)
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": "out"}
        print(json.dumps({"type": "user", "message": {"role": "user", "content": [result]}}), flush=True)
    time.sleep(0.01 * (number % 3))
print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": str(number), "num_turns": 1,
                  "duration_ms": 1, "total_cost_usd": 0.5}))
"""
COMMANDS = (["ls"], ["show", "last"], ["tail", "last"], ["tail", "-f", "last"], ["wait", "last"], ["events"])


@dataclass
class Report:
    supervisors_killed: int = 0
    readers_killed: int = 0
    events: int = 0
    faults: list[str] = field(default_factory=list)


def run(sandbox: Sandbox, kills: int, seed: int) -> Report:
    """Goes on until that many supervisors have been killed; then all sessions end, and are audited."""
    chance, report = random.Random(seed), Report()
    sandbox.claude(STREAM)
    ids = [sandbox.launch(f"Session {number}") for number in range(SESSIONS)]
    readers: list[subprocess.Popen[str]] = []
    while report.supervisors_killed < kills:
        readers.append(_reader(sandbox, chance))
        time.sleep(chance.uniform(0, 0.2))
        report.supervisors_killed += _kill_one_of(_supervisors(sandbox), chance)
        if len(readers) > 4:
            report.readers_killed += _kill(readers.pop(chance.randrange(len(readers))))
    for reader in readers:
        _kill(reader)
    (sandbox.work / "enough").touch()
    for session_id in ids:
        sandbox.run("wait", session_id)
        report.faults += [f"{session_id}: {fault}" for fault in faults(sandbox, session_id)]
        if sandbox.show(session_id)["end_reason"] != "success":
            report.faults.append(f"{session_id}: ended as {sandbox.show(session_id)['end_reason']}")
    report.events = int(sandbox.sql("SELECT count(*) FROM conversation_events")[0][0])
    eventually(lambda: not sandbox.processes(), "all processes to leave")
    return report


def _reader(sandbox: Sandbox, chance: random.Random) -> subprocess.Popen[str]:
    return sandbox.popen(*chance.choice(COMMANDS), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _supervisors(sandbox: Sandbox) -> list[psutil.Process]:
    found = []
    for process in sandbox.processes():
        try:
            if "hldctl.supervisor" in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


def _kill_one_of(processes: list[psutil.Process], chance: random.Random) -> int:
    if not processes:
        return 0
    try:
        chance.choice(processes).kill()
    except psutil.NoSuchProcess:
        return 0
    return 1


def _kill(reader: subprocess.Popen[str]) -> int:
    alive = reader.poll() is None
    reader.kill()
    reader.wait()
    return int(alive)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        sandbox = Sandbox(Path(directory) / "sandbox")
        try:
            report = run(sandbox, wanted.kills, wanted.seed)
        finally:
            sandbox.close()
    print(
        f"seed {wanted.seed}: {report.supervisors_killed} supervisors and {report.readers_killed} readers killed,"
        f" {report.events} events compared, {len(report.faults)} faults"
    )
    print("\n".join(report.faults))
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
