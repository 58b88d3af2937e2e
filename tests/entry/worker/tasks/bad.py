"""What tasks can do to a worker, as users write it."""

# ruff: noqa: PTH109, PTH123, SIM105, T201

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time


def echo(payload):
    return payload


def pid(payload):
    return {"pid": os.getpid(), "parent": os.getppid()}


def sleeps(payload):
    print("asleep", flush=True)
    time.sleep(payload["seconds"])
    return {}


def sleeps_deaf(payload):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def swallows(payload):
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass


def cleans_up(payload):
    try:
        time.sleep(600)
    finally:
        open(payload["file"], "w").close()


def hangs_with_children(payload):
    subprocess.Popen(["sleep", payload["seconds"]])
    subprocess.Popen(["sleep", payload["seconds"]], start_new_session=True)
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", payload["seconds"]])
    print("started", flush=True)
    time.sleep(600)


def leaves_child(payload):
    subprocess.Popen(["sleep", payload["seconds"]])
    return {}


def leaves_detached_child(payload):
    subprocess.Popen(["sh", "-c", "setsid sleep " + payload["seconds"] + " &"])
    return {}


def forks_and_returns(payload):
    return {"child": os.fork() == 0}


def floods(payload):
    block = b"x" * 1_000_000
    os.write(1, b"first")
    for _ in range(payload["megabytes"]):
        os.write(1, block)
    os.write(2, b"last")
    return {}


def speaks_every_way(payload):
    print("print")
    sys.stderr.write("stderr\n")
    logging.getLogger("any").info("logging")
    ctypes.CDLL(None).puts(b"puts")
    subprocess.run(["echo", "child"], check=True)
    return {}


def closes_output(payload):
    sys.stdout.close()
    os.close(1)
    os.close(2)
    return {}


def leaves(payload):
    sys.stdout.write("last words")
    os._exit(3)


def kills_itself(payload):
    os.kill(os.getpid(), signal.SIGKILL)


def segfaults(payload):
    print("before the fault")
    ctypes.string_at(0)


def raises_keyboard_interrupt(payload):
    raise KeyboardInterrupt


def raises_odd(payload):
    class Odd(Exception):
        def __str__(self):
            raise ValueError("no words")

    raise Odd


def raises_deep(payload):
    if payload["depth"]:
        raises_deep({"depth": payload["depth"] - 1})
    raise ValueError("m" * 100_000)


def remembers(payload):
    seen = {k: v for k, v in os.environ.items() if k.startswith("CIRRUS_") and k != "CIRRUS_DATA"}
    os.chdir("/")
    return seen


def where(payload):
    return {"cwd": os.getcwd(), "path": sys.path[0], "stdin": sys.stdin.read()}


def environment(payload):
    return {"A": os.environ.get("A"), "at_import": AT_IMPORT, "data": os.environ["CIRRUS_DATA"]}


AT_IMPORT = os.environ.get("A")


def overlaps(payload):
    with open(payload["journal"], "a") as journal:
        journal.write("+")
        journal.flush()
        time.sleep(0.01)
        journal.write("-")
    return {}


def foreign(payload):
    return {"a": [{"when": __import__("datetime").datetime.now()}]}


def no_items(payload):
    return {**payload, "features": payload["items"]}


def numbers(payload):
    return {1: (1, 2), "big": 2**80}


async def later(payload):
    return payload


class Plain:
    pass


value = 3


HOARD = []


def leaks(payload):
    HOARD.append(b"x" * payload["bytes"])
    return {"pid": os.getpid(), "held": len(HOARD)}


def allocates(payload):
    print("hungry", flush=True)
    held = []
    while len(held) * 10_000_000 < payload.get("bytes", 1_000_000_000):
        held.append(b"x" * 10_000_000)
    time.sleep(payload.get("seconds", 600))


def allocates_in_child(payload):
    code = "import time; held = [b'x' * 10_000_000 for _ in range(40)]; print('full', flush=True); time.sleep(600)"
    subprocess.run([sys.executable, "-c", code, payload["mark"]], check=True)
    return {}


def prints(payload):
    print(payload["words"])
    sys.stderr.write("and more\n")
    return {"pid": os.getpid(), "id": os.environ.get("CIRRUS_PAYLOAD_ID"), "path": os.environ["CIRRUS_DATA"]}


def says_nothing(payload):
    return None


def refuses(payload):
    class InvalidInput(Exception):
        pass

    raise InvalidInput("no bands")


def exits(payload):
    raise SystemExit("enough")


def interrupts(payload):
    raise KeyboardInterrupt


def closes_python_output(payload):
    sys.stdout.close()
    sys.stderr = None
    return {}
