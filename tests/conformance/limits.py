"""Changes every number and every time of the rules a little, one after the other, and has their tests notice each.

    limits.py PROMTOOL RULES     RULES: the folder of the rules, with their tests in a folder tests

Limits and quantiles become a tenth smaller and larger, zero becomes -1 and 2, windows and `for` half and double. A change that no
test fails on is named, and so is an alert of which nothing could be changed.

Native histograms are left out, as Debian's promtool has no notation for them in tests: there the expression has to be that of the
classic buckets, without their names.
"""

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

NUMBER = re.compile(r"(?<![\w.:])\d+(?:\.\d+)?(?![\w.:])")
WINDOW = re.compile(r"(?<=\[)(\d+)([smhd])(?=])")
FOR = re.compile(r"(?<= {8}for: )(\d+)([smhd])$")
# Short runs: nothing to be collected, and as many at a time as there are processors.
QUICKLY = {**os.environ, "GOGC": "off", "GOMAXPROCS": "1"}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def others(number):
    value = float(number[0])
    return [f"{value * 0.9:g}", f"{value * 1.1:g}"] if value else ["-1", "2"]


def other_times(time):
    seconds = int(time[1]) * SECONDS[time[2]]
    return [f"{seconds // 2}s", f"{seconds * 2}s"]


def changes(file):
    """(rule, line, what it becomes) for each change."""
    lines = file.read_text().splitlines()
    rule, in_expr, found = None, False, []
    for index, line in enumerate(lines):
        if begin := re.match(r" {6}- (?:alert|record): (\S+)$", line):
            rule = begin[1]
        elif key := re.match(r" {8}(\w+):", line):
            in_expr = key[1] == "expr"
        here = []
        if in_expr and line.lstrip().startswith("or histogram_quantile("):
            classic = lines[index - 1].replace("_bucket[", "[").replace(", le)", ")")
            if line.split() != ["or", *classic.split()]:
                sys.exit(f"limits: {file.name}:{index + 1}: {rule} asks something else of native histograms")
        elif in_expr:
            # What is in quotation marks is no number.
            plain = re.sub(r'"[^"]*"', lambda text: " " * len(text[0]), line)
            here += [(it, others(it)) for it in NUMBER.finditer(plain) if not plain[: it.start()].endswith("[")]
            here += [(it, other_times(it)) for it in WINDOW.finditer(plain)]
        here += [(it, other_times(it)) for it in FOR.finditer(line)]
        for it, instead in here:
            found += [(rule, index, line[: it.start()] + new + line[it.end() :]) for new in instead]
    alerts = re.findall(r"^ {6}- alert: (\S+)$", "\n".join(lines), re.M)
    if untouched := set(alerts) - {rule for rule, _, _ in found}:
        sys.exit(f"limits: {file.name}: nothing could be changed of {', '.join(sorted(untouched))}")
    return found


def is_noticed(promtool, file, index, changed):
    """Whether a test of the file fails when the line is the changed one."""
    with tempfile.TemporaryDirectory() as scratch:
        lines = file.read_text().splitlines()
        lines[index] = changed
        (Path(scratch) / file.name).write_text("\n".join(lines) + "\n")
        (Path(scratch) / "tests").mkdir()
        for test in sorted((file.parent / "tests").glob("*.yml")):
            text = test.read_text()
            if f"rule_files: [../{file.name}]\n" not in text:
                continue
            copy = Path(scratch) / "tests" / test.name
            copy.write_text(text)
            run = subprocess.run([promtool, "test", "rules", copy], capture_output=True, text=True, env=QUICKLY)
            if run.returncode != 0:
                # Rules that are none fail too.
                said = run.stdout + run.stderr
                return "got:" in said or sys.exit(f"limits: {file.name}:{index + 1}: {changed.strip()}\n{said}")
    return False


def main():
    promtool, folder = sys.argv[1], Path(sys.argv[2])
    todo = [(file, *change) for file in sorted(folder.glob("*.yml")) for change in changes(file)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        noticed = pool.map(lambda it: is_noticed(promtool, it[0], it[2], it[3]), todo)
        kept = [it for it, is_seen in zip(todo, noticed) if not is_seen]
    for file, rule, index, changed in kept:
        print(f"limits: no test of {file.name}:{index + 1} fails when {rule} has: {changed.strip()}")
    if kept or not todo:
        sys.exit(f"limits: {len(kept)} of {len(todo)} changes are not noticed")
    print(f"limits: each of {len(todo)} changes of a limit, a window or a time is noticed")


main()
