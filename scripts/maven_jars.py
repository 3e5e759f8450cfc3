"""Jars from Maven Central for servers that tests start, fetched once on a machine."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

DEPENDENCY = """
    <dependency>
      <groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>
    </dependency>"""

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>ngatu</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>{}
  </dependencies>
</project>
"""


def fetch_jars(name: str, artifacts: Sequence[str], megabytes: int) -> Path:
    """The folder of the jars of `artifacts` (group:artifact:version) and of all that they need.

    `name` is the program's, for folder and messages; the first artifact's version tells folders apart. They
    lie in ${XDG_CACHE_HOME:-~/.cache}/ngatu. Ends the program with a sentence where Java or Maven is missing,
    or Maven fails.
    """
    version = artifacts[0].rpartition(":")[2]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ngatu"
    jars = cache / f"{name}-{version}"
    if not shutil.which("java"):
        sys.exit(f"{name}: Java is missing: run scripts/setup, or install a JDK of 17 or later")
    if jars.is_dir():
        return jars
    if not shutil.which("mvn"):
        sys.exit(f"{name}: Maven is missing: run scripts/setup, or install it")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if jars.is_dir():
            return jars
        print(f"{name}: fetching {version} with Maven (about {megabytes} MB, once)", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=cache) as work:
            dependencies = "".join(DEPENDENCY.format(*one.split(":")) for one in artifacts)
            (Path(work) / "pom.xml").write_text(POM.format(dependencies))
            command = ["mvn", "-q", "-B", "-f", f"{work}/pom.xml", "dependency:copy-dependencies"]
            result = subprocess.run(
                [*command, "-DincludeScope=runtime", f"-DoutputDirectory={work}/jars"],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if result.returncode != 0:
                sys.exit(f"{name}: Maven could not fetch its jars:\n{result.stdout[-2000:]}")
            (Path(work) / "jars").rename(jars)
    return jars
