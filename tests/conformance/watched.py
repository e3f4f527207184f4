"""The programs of a fleet: replicas of the replayed trace, and the servers that watch them, each by a file of deploy/."""

import re
import shutil
import socket
import subprocess
from pathlib import Path

from scrape import Lines, Prometheus, eventually

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


class Replica:
    """A replica, at its account's first line or on its way."""

    def __init__(self, fleet, name, trace, seed, listen="127.0.0.1:0"):
        self.name = name
        self.path = fleet.folder / f"{name}-{seed}.account"
        command = [fleet.programs["replay"], "serve", *trace, "--listen", listen, "--seed", str(seed)]
        command += ["--speed", "4", "--account", self.path]
        self.program = fleet.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lines = Lines(self.program.stdout)
        self.address = self.until("serving ").removeprefix("http://").removesuffix("/metrics")

    def until(self, beginning):
        while True:
            found = self.lines.next().strip()
            if found.startswith(beginning):
                return found.removeprefix(beginning)

    def tell(self):
        self.program.stdin.write(b"\n")
        self.program.stdin.flush()

    def stop(self):
        """Has it record nothing more, and gives its account; what it exposes stays."""
        self.tell()
        self.until("written ")

    def end(self):
        self.program.stdin.close()
        if self.program.wait(timeout=60) != 0:
            raise SystemExit(f"{self.name} ended with {self.program.returncode}")


class Fleet:
    def __init__(self, folder, programs):
        self.folder = Path(folder)
        self.programs = programs
        self.started = []

    def start(self, command, **more):
        program = subprocess.Popen(command, **more)
        self.started.append(program)
        return program

    def kill(self):
        for program in self.started:
            program.kill()
            program.wait()

    def configured(self, name, replicas=(), level1=None):
        """A copy of deploy/ that scrapes each second, the replicas and the server that there are."""
        folder = self.folder / name
        shutil.copytree(DEPLOY, folder)
        for path in folder.glob("*.yml"):
            text = path.read_text("utf-8").replace("_interval: 15s", "_interval: 1s")
            path.write_text(text.replace("127.0.0.1:9090", level1 or "127.0.0.1:9090"), "utf-8")
        targets = folder / "targets" / "replicas.yml"
        text = targets.read_text("utf-8")
        for number, replica in enumerate(replicas, 1):
            text = text.replace(f"127.0.0.1:800{number}", replica.address)
        targets.write_text(text, "utf-8")
        return folder

    def prometheus(self, config, *flags, agent=False, **places):
        """Prometheus with a file of deploy/, and where it listens."""
        folder = self.configured(config, **places)
        path = folder / "prometheus.log"
        storage = "agent" if agent else "tsdb"
        command = [self.programs["prometheus"], f"--config.file={folder / config}.yml"]
        command += [f"--storage.{storage}.path={folder / 'data'}", "--web.listen-address=127.0.0.1:0", *flags]
        with open(path, "wb") as log:
            program = self.start(command, stdout=log, stderr=log, cwd=folder)

        def listening():
            text = path.read_text("utf-8")
            if program.poll() is not None:
                raise SystemExit(f"Prometheus with {config}.yml has ended: {text[-2000:]}")
            return re.search(r'msg="Listening on" address=([0-9.:]+)', text)

        address = eventually(f"Prometheus with {config}.yml listens", listening).group(1)
        return Prometheus(address), address

    def victoria(self, **places):
        """VictoriaMetrics, which scrapes by Prometheus' file."""
        folder = self.configured("victoria", **places)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        command = [self.programs["victoria"], f"-httpListenAddr={address}", f"-storageDataPath={folder / 'data'}"]
        command += [f"-promscrape.config={folder / 'prometheus.yml'}", "-promscrape.config.strictParse=false"]
        # It shows only what is older than this; half a minute unless told.
        command += ["-search.latencyOffset=1s", "-search.disableCache"]
        with open(folder / "victoria.log", "wb") as log:
            self.start(command, stdout=log, stderr=log, cwd=folder)
        server = Prometheus(address)
        eventually("VictoriaMetrics listens", lambda: server.ask("query", {"query": "1"})["result"])
        return server
