"""Has a real Prometheus scrape the exporter over TLS, with a certificate and a password, and without.

    secure.py PROMETHEUS SECURE FOLDER

PROMETHEUS and SECURE are programs. FOLDER has the web configuration and the certificates, and takes what Prometheus writes.
"""

import subprocess
from pathlib import Path

from scrape import Lines, ending, eventually, start

CONFIG = """
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: known
    scheme: https
    tls_config: {{ca_file: ca.crt, cert_file: client.crt, key_file: client.key}}
    basic_auth: {{username: prometheus, password: correct horse}}
    static_configs: [{{targets: ["{address}"]}}]
  - job_name: no_certificate
    scheme: https
    tls_config: {{ca_file: ca.crt}}
    basic_auth: {{username: prometheus, password: correct horse}}
    static_configs: [{{targets: ["{address}"]}}]
  - job_name: no_password
    scheme: https
    tls_config: {{ca_file: ca.crt, cert_file: client.crt, key_file: client.key}}
    static_configs: [{{targets: ["{address}"]}}]
  - job_name: no_tls
    static_configs: [{{targets: ["{address}"]}}]
"""
# What has to stand in the last error of those that are turned away.
ERRORS = {"no_certificate": "certificate required", "no_password": "401 Unauthorized", "no_tls": "HTTP"}


def has_scraped(prometheus):
    targets = {target["labels"]["job"]: target for target in prometheus.ask("targets")["activeTargets"]}
    return targets if all(target["health"] != "unknown" for target in targets.values()) else None


def run(started, prometheus_program, secure_program, folder):
    secure = subprocess.Popen([secure_program, f"{folder}/web.yml"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    started.append(secure)
    address = Lines(secure.stdout).next().strip()
    prometheus = start(started, prometheus_program, Path(folder), CONFIG.format(address=address), [])
    targets = eventually("all are scraped", lambda: has_scraped(prometheus))
    if targets["known"]["lastError"]:
        raise SystemExit(targets["known"]["lastError"])
    eventually("the counter", lambda: prometheus.value("app_tokens_total") == 5)
    for job, error in ERRORS.items():
        if targets[job]["health"] != "down" or error not in targets[job]["lastError"]:
            raise SystemExit(f"{job}: {targets[job]}")
        print(f"{job}: {targets[job]['lastError']}")
    print("scraped: with certificate and password only")


if __name__ == "__main__":
    ending(run)
