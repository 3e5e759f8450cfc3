"""Files that are read, and what is said about those that are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from pipeline.config import StreamSettings
from pipeline.config.load import ConfigError, config_schema, load_config, load_scene, scene_schema
from pipeline.events.event import ACTS
from pipeline.events.outbox import REMEMBER_DAYS
from pipeline.rules import RULES, build_rules
from pipeline.scene import Scene

EXAMPLES = Path(__file__).resolve().parents[2] / "configs" / "examples"
SCENES = sorted((Path(__file__).resolve().parents[1] / "e2e" / "scenes").glob("*.yaml"))

WORKER = """\
model:
  path: models/detector.onnx
cameras:
  - id: north
    detect:
      url: rtsp://192.0.2.1/stream
"""
SCENE = """\
lamps:
  - {id: ball, box: [0.8, 0.1, 0.85, 0.2]}
stop_lines:
  - id: south
    line: [[0.2, 0.6], [0.8, 0.6]]
    travel: [[0.5, 0.8], [0.5, 0.4]]
    movements:
      straight: {lamp: ball}
rules:
  red_light:
"""


def write(tmp_path: Path, text: str | bytes, name: str = "worker.yaml") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def problems(path: Path, *, scene: bool = False) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        (load_scene if scene else load_config)(path)
    assert all(problem.startswith(str(path)) for problem in caught.value.problems)
    assert str(caught.value).splitlines() == caught.value.problems
    return [problem.removeprefix(f"{path}:") for problem in caught.value.problems]


def test_a_configuration_is_read_and_its_paths_are_relative_to_it(tmp_path: Path) -> None:
    text = WORKER + "    scene: scenes/north.yaml\nworker: {data_dir: /var/lib/ngatu}\n"
    config = load_config(write(tmp_path, text))
    assert config.model.path == tmp_path / "models/detector.onnx"
    assert config.cameras[0].scene == tmp_path / "scenes/north.yaml"
    assert config.worker.data_dir == Path("/var/lib/ngatu")
    assert config.cameras[0].detect.url == "rtsp://192.0.2.1/stream"


def test_secrets_files_are_relative_too(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("pass\n")
    text = WORKER + "      password_file: secret\n"
    assert load_config(write(tmp_path, text)).cameras[0].detect.password() == "pass"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("file:clips/a.mp4", "{here}/clips/a.mp4"),
        ("file://clips/a.mp4", "{here}/clips/a.mp4"),
        ("file:///srv/a.mp4", "/srv/a.mp4"),
        ("file:/srv/a.mp4", "/srv/a.mp4"),
        ("file:../a.mp4", "{here}/../a.mp4"),
    ],
)
def test_file_addresses_are_relative_to_the_configuration(tmp_path: Path, url: str, expected: str) -> None:
    config = load_config(write(tmp_path, WORKER.replace("rtsp://192.0.2.1/stream", url)))
    path = config.cameras[0].detect.url.removeprefix("file:").removeprefix("//")
    assert path == expected.format(here=tmp_path)


@pytest.mark.parametrize(
    ("url", "public", "secret"),
    [
        ("rtsp://192.0.2.1:554/x?token=1", "rtsp://192.0.2.1:554/x", "rtsp://me@192.0.2.1:554/x?token=1"),
        ("rtsp://[fd00::7]:554/x", "rtsp://[fd00::7]:554/x", "rtsp://me@[fd00::7]:554/x"),
        ("rtsp://you@[fd00::7]/x", "rtsp://[fd00::7]/x", "rtsp://me@[fd00::7]/x"),
        (
            "rtsp://192.0.2.1/user=a&password=s3&channel=1/0.sdp?real_stream",
            "rtsp://192.0.2.1/…",
            "rtsp://me@192.0.2.1/user=a&password=s3&channel=1/0.sdp?real_stream",
        ),
        (
            "rtsp://nvr:554/live/password%3Ds3",
            "rtsp://nvr:554/live/…",
            "rtsp://me@nvr:554/live/password%3Ds3",
        ),
        ("rtsp://192.0.2.1:554/a/s3@x", "rtsp://192.0.2.1:554/a/…", "rtsp://me@192.0.2.1:554/a/s3@x"),
        ("file:///srv/day=1/a@b.mp4", "file:///srv/day=1/a@b.mp4", "file:///srv/day=1/a@b.mp4"),
    ],
)
def test_an_address_is_shown_without_what_is_secret(url: str, public: str, secret: str) -> None:
    stream = StreamSettings(url=url, username="me")
    assert stream.public_url() == public
    assert stream.secret_url() == secret


@pytest.mark.parametrize("cut", "/?#")
@pytest.mark.parametrize("before", ["2024", "secret"])
def test_a_password_that_cuts_the_address_in_two_is_refused_without_it(
    tmp_path: Path, before: str, cut: str
) -> None:
    login = f"admin:{before}{cut}hidden@192.0.2.1"
    (problem,) = problems(write(tmp_path, WORKER.replace("192.0.2.1", f"'{login}").replace("/stream", "/s'")))
    assert "an @ stands after the host" in problem
    assert "password_env" in problem
    assert before not in problem
    assert "hidden" not in problem


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://192.0.2.1:554/main@sub",
        "rtsp://[fd00::7]:554/main@sub",
        "rtsp://nvr/main@sub",
        "rtsp://me@nvr:554/main@sub",
        "rtsp://nvr:554/user=a&password=p@s",
        "rtsp://nvr:554/x?user=a@b",
        "file:///srv/a:1/b@c.mp4",
    ],
)
def test_an_at_that_belongs_to_the_path_is_taken(url: str) -> None:
    assert StreamSettings(url=url).url == url


def test_every_problem_is_listed_with_line_and_key(tmp_path: Path) -> None:
    text = """\
modle:
  path: a.onnx
cameras:
  - id: North
    detect:
      url: http://192.0.2.1/
      transprot: udp
    analysis: {rate_hz: fast}
    ring: 3
"""
    found = problems(write(tmp_path, text))
    assert [line.split(":", 1)[0] for line in found] == ["1", "1", "4", "6", "7", "8", "9"]
    assert any("modle: unknown key; did you mean 'model'?" in line for line in found)
    assert any("model is missing" in line for line in found)
    assert any("cameras[0].id: " in line and "'North'" in line for line in found)
    assert any("cameras[0].detect.url: scheme 'http'" in line for line in found)
    assert any(
        "cameras[0].detect.transprot: unknown key; did you mean 'transport'?" in line for line in found
    )
    assert any("cameras[0].analysis.rate_hz: " in line and "not 'fast'" in line for line in found)
    assert any("cameras[0].ring: " in line for line in found)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        pytest.param(
            WORKER + "model:\n  path: b.onnx\n", "7", "given twice (first in line 1)", id="key twice"
        ),
        pytest.param("a: &x [1]\nb: [*x, *x]\n", "1", "anchors and aliases", id="alias bomb"),
        pytest.param("model: {path: a}\n" + "\tcameras: []\n", "2", "a tab in the indentation", id="tab"),
        pytest.param("model: [a\ncameras: 3\n", "2", "not valid YAML", id="syntax"),
        pytest.param("- a\n- b\n", "1", "must be a mapping", id="list"),
        pytest.param("", "1", "empty", id="empty"),
        pytest.param("# nothing\n", "1", "empty", id="comment only"),
        pytest.param("a: 1\n---\nb: 2\n", "2", "second document", id="two documents"),
        pytest.param("a: !!python/object/apply:os.system [id]\n", "1", "tag", id="foreign tag"),
        pytest.param("a: !secret x\n", "1", "tag", id="own tag"),
        pytest.param("a: " + "[" * 200 + "]" * 200 + "\n", "1", "levels deep", id="endless nesting"),
        pytest.param("a: b\n\x07: c\n", "2", "character", id="control character"),
        pytest.param(b"model:\n  path: \xff\xfe\n", "2", "UTF-8", id="not UTF-8"),
        pytest.param("? [a, b]\n: c\n", "1", "plain word", id="key is a list"),
        pytest.param(
            WORKER.replace("//192", "//${HOST}/192"),
            "6",
            "variables (${...}) are not expanded",
            id="variable",
        ),
        pytest.param(
            WORKER.replace("//192", "//u:hunter2@192"), "6", "does not belong in an address", id="password"
        ),
        pytest.param(
            WORKER.replace("//192", "//u:hunter2#@192"),
            "6",
            "an @ stands after the host",
            id="password with #",
        ),
        pytest.param(SCENE, "1", "this is a scene file; give the worker's configuration", id="scene"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused(
    tmp_path: Path, text: str | bytes, line: str, says: str
) -> None:
    found = problems(write(tmp_path, text))
    assert any(problem.startswith(f"{line}: ") and says in problem for problem in found), found
    assert "hunter2" not in "".join(found)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    assert "larger than" in problems(write(tmp_path, "# " + "x" * 600_000))[0]


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_config(path)


def test_two_cameras_of_one_id_are_refused(tmp_path: Path) -> None:
    text = WORKER + WORKER[WORKER.index("  - id") :]
    assert any("camera id used more than once: north" in line for line in problems(write(tmp_path, text)))


def test_a_key_that_looks_like_a_boolean_stays_a_word(tmp_path: Path) -> None:
    found = problems(write(tmp_path, WORKER + "on: 1\n"))
    assert found == [next(line for line in found if line.startswith("7: on: unknown key"))]


def test_a_scene_is_read(tmp_path: Path) -> None:
    scene = load_scene(write(tmp_path, SCENE, "scene.yaml"))
    assert [rule.name for rule in build_rules(Scene(scene))] == ["red_light"]


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("lamp: ball", "lamp: bal", "8", "stop_lines[0].movements.straight.lamp: lamp 'bal' is not among"),
        ("[0.8, 0.6]]", "[1.8, 0.6]]", "5", "stop_lines[0].line[1][0]: "),
        ("[0.5, 0.4]]", "[0.5, 0.7]]", "4", "stop_lines[0]: travel does not cross the line"),
        ("red_light:", "red_lihgt:", "10", "rules.red_lihgt: there is no such rule; "
         "did you mean 'red_light'"),
        ("red_light:", "wrong_way:", "10", "rules.wrong_way: is on, but the scene lacks a lane"),
        ("red_light:", "red_light: {grace: 1}", "10", "rules.red_light.grace: unknown key; "
         "did you mean 'grace_s'"),
        ("red_light:", "red_light: {grace_s: -1}", "10", "rules.red_light.grace_s: "),
        ("red_light:", "red_light: yes", "10", "rules.red_light: "),
    ],
)  # fmt: skip
def test_a_scene_that_cannot_be_is_refused(tmp_path: Path, old: str, new: str, line: str, says: str) -> None:
    found = problems(write(tmp_path, SCENE.replace(old, new, 1), "scene.yaml"), scene=True)
    assert len(found) == 1
    assert found[0].startswith(f"{line}: {says}"), found


def keys_of(model: type[BaseModel]) -> set[str]:
    """Every key an operator can write, at any depth."""
    keys: set[str] = set()

    def walk(schema: Any) -> None:
        if isinstance(schema, dict):
            keys.update(schema.get("properties", {}))
            for value in schema.values():
                walk(value)
        elif isinstance(schema, list):
            for value in schema:
                walk(value)

    walk(model.model_json_schema())
    return keys


def keys_in(text: str) -> set[str]:
    """Keys that stand in a file, those in comments included."""
    return {
        line.strip().removeprefix("#").strip().removeprefix("- ").split(":")[0]
        for line in text.splitlines()
        if ":" in line
    }


def test_the_example_configuration_is_whole_and_valid() -> None:
    path = EXAMPLES / "worker.yaml"
    config = load_config(path)
    assert config.cameras[0].scene == EXAMPLES / "scene.yaml"
    assert keys_of(type(config)) - keys_in(path.read_text()) == set()


def test_the_example_scene_is_whole_and_valid() -> None:
    path = EXAMPLES / "scene.yaml"
    scene = load_scene(path)
    assert set(scene.rules) == set(RULES)
    expected = keys_of(type(scene)).union(*(keys_of(rule.parameters) for rule in RULES.values()))
    assert expected - keys_in(path.read_text()) == set()


def test_evidence_is_kept_no_longer_than_it_is_known_that_its_event_was_sent(tmp_path: Path) -> None:
    """A bundle whose event nobody remembers would be told anew after a restart."""
    known_days = min(REMEMBER_DAYS[kind] for kind in ACTS)
    text = WORKER + "evidence: {retention_days: %s}\n"
    (said,) = problems(write(tmp_path, text % known_days))
    assert said.startswith("7: evidence.retention_days: ")
    longest = load_config(write(tmp_path, text % 365)).evidence.retention_days
    assert longest < known_days


def test_the_least_days_of_evidence_are_no_more_than_all(tmp_path: Path) -> None:
    text = WORKER + "evidence: {%s}\n"
    (said,) = problems(write(tmp_path, text % "retention_days: 20, least_days: 21"))
    assert said == "7: evidence: least_days (21) must be retention_days at most"
    for fine in ("retention_days: 20, least_days: 20", "retention_days: 3"):
        load_config(write(tmp_path, text % fine))


@pytest.mark.parametrize(("name", "schema"), [("worker", config_schema()), ("scene", scene_schema())])
def test_the_schema_for_editors_accepts_the_example_and_refuses_a_misspelt_key(
    name: str, schema: dict[str, Any]
) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(json.dumps(schema)))
    example = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    jsonschema.validate(example, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**example, "misspelt": 1}, schema)


def test_the_scene_schema_knows_every_rules_parameters() -> None:
    rules = scene_schema()["properties"]["rules"]
    assert set(rules["properties"]) == set(RULES)
    example = yaml.safe_load((EXAMPLES / "scene.yaml").read_text())
    example["rules"]["wrong_way"]["min_height"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(example, scene_schema())


def test_defaults_in_the_examples_are_the_defaults() -> None:
    """The examples are the reference: a default that they state must be true."""
    config = load_config(EXAMPLES / "worker.yaml")
    assert config.outbox == type(config.outbox)()
    assert config.evidence == type(config.evidence)()
    camera = config.cameras[0]
    for part in (camera.analysis, camera.ring, camera.reconnect, camera.clock):
        assert part == type(part)()
    scene = load_scene(EXAMPLES / "scene.yaml")
    for name, rule in RULES.items():
        assert rule.parameters.model_validate(scene.rules[name]) == rule.parameters()


@pytest.mark.parametrize("path", SCENES, ids=lambda path: path.stem)
def test_the_scenes_of_the_real_clips_are_valid(path: Path) -> None:
    assert build_rules(Scene(load_scene(path)))
