"""Reads `cargo metadata` and prints tach's minimum Rust; fails when a package that tach depends on asks for a newer one."""

import json
import sys


def version(text):
    """`1.88` or `1.88.0` as numbers."""
    numbers = [int(part) for part in text.split(".")]
    return tuple(numbers + [0] * (3 - len(numbers)))


def main():
    metadata = json.load(sys.stdin)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    (tach,) = [package for package in metadata["packages"] if package["name"] == "tach"]
    msrv = tach["rust_version"]

    # What is compiled for a user: neither for tests nor for benches.
    compiled, todo = set(), [tach["id"]]
    while todo:
        package = todo.pop()
        if package not in compiled:
            compiled.add(package)
            dependencies = nodes[package]["deps"]
            todo += [d["pkg"] for d in dependencies if any(kind["kind"] != "dev" for kind in d["dep_kinds"])]

    newer = []
    for package in sorted(compiled, key=lambda one: packages[one]["name"]):
        package = packages[package]
        asks = package["rust_version"]
        print(f"  {package['name']} {package['version']}: {asks or 'says nothing'}", file=sys.stderr)
        if asks and version(asks) > version(msrv):
            newer.append(f"{package['name']} {package['version']} asks for {asks}")
    print(f"{len(compiled) - 1} packages below tach", file=sys.stderr)
    if newer:
        sys.exit(f"newer than {msrv}: " + ", ".join(newer))
    print(msrv)


if __name__ == "__main__":
    main()
