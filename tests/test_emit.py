"""`emit`: what other schedulers are told. Golden texts; the real Airflow, Kubernetes' schema and systemd judge them."""

from __future__ import annotations

import ast
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.clock import ManualClock
from house import Answer, House

GOLDEN = Path(__file__).parent / "golden"
FILE = "/opt/agent os/agent_os.pyz"
INI = """
[task:fetch]
command = true
partition = day
schedule = 30 6 * * *
timezone = Europe/Oslo
[task:check]
command = true
after = fetch
[task:report]
command = true
doc = The "daily" 100% report.
schedule = 30 6 * * *
timezone = Europe/Oslo
after = check
retries = 3
backoff = 1m
timeout = 5m
[task:mail]
command = true
after = report
[task:month]
command = true
schedule = 0 18 LW * *
dst = skip
timezone = America/New_York
[task:quarter]
command = true
schedule = every 15m
jitter = 2m
catch_up = none
[task:here]
command = true
schedule = daily 6:00
timezone = local
[task:days]
command = true
partition = day
"""
# An Airflow to ask: a Python that has it, in AIRFLOW_PYTHON, else our own.
AIRFLOW = os.environ.get("AIRFLOW_PYTHON", "")


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> House:
    """A home with a space in its path."""
    folder = tmp_path / "agent os"
    folder.mkdir()
    made = House(folder, capsys)
    made.clock = ManualClock()  # 2026-11-22
    made.ini(INI)
    return made


@pytest.fixture
def told(house: House):
    """`emit ...`, in which the paths of this machine are written alike everywhere."""

    def run(*words: str) -> Answer:
        code, out, err = house.run("emit", *words)
        out = out.replace(str(house.home), "/srv/agent os").replace(sys.executable, "/usr/bin/python3")
        return Answer(code, out, err)

    return run


# what is asked for -> the golden text
GOLDENS = {
    "emit_airflow.py.txt": ("airflow", "mail", "fetch", "report", "--file", FILE),
    "emit_airflow_every.py.txt": ("airflow", "quarter", "--file", FILE),
    "emit_kubernetes.yaml": ("kubernetes", "report", "quarter", "--image", "ghcr.io/us/agents:7"),
    "emit_systemd.txt": ("systemd", "month", "quarter", "--file", FILE),
    "emit_cron.txt": ("cron", "report", "here", "quarter", "days", "--file", FILE),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_what_is_printed_is_what_it_was(name: str, told) -> None:
    """The golden texts; AGENT_OS_GOLDEN=write writes them anew."""
    answer = told(*GOLDENS[name])
    assert (answer.code, answer.err) == (0, "")
    if os.environ.get("AGENT_OS_GOLDEN") == "write":
        (GOLDEN / name).write_text(answer.out, encoding="utf-8")
    assert answer.out == (GOLDEN / name).read_text(encoding="utf-8")


# id: (words, code, the sentence begins)
REFUSED = {
    "an unknown task": (("cron", "reprot"), 2, "error: there is no task 'reprot'; did you mean report?"),
    "an unknown target": (("nomad", "report"), 2, "error: argument TARGET: invalid choice: 'nomad'"),
    "no task": (("cron",), 2, "error: the following arguments are required: TASK"),
    "an image for cron": (("cron", "report", "--image", "x"), 2, "error: --image means nothing to cron"),
    "no time of its own": (
        ("systemd", "mail"),
        3,
        "error: mail has no time of its own: it is due when it is asked for; give it a schedule, or name a task that",
    ),
    "what the target cannot say": (
        ("cron", "month"),
        3,
        "error: cron cannot say '0 18 LW * *' (LW, the last working day): take L, or let `tick` look after the task;",
    ),
    "a zone that is another one there": (
        ("kubernetes", "here"),
        3,
        "error: Kubernetes has to be told the zone of 'daily 6:00' by name: write it instead of timezone = local",
    ),
    "two times in one DAG": (
        ("airflow", "report", "quarter"),
        3,
        "error: a DAG has one schedule, but report comes at '30 6 * * *' Europe/Oslo and quarter at 'every 15m' UTC",
    ),
}


@pytest.mark.parametrize(("words", "code", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_told_is_refused_with_a_sentence(words: tuple[str, ...], code: int, sentence: str, told) -> None:
    """And nothing is printed, not even a part."""
    answer = told(*words)
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith(sentence)


def test_yaml_reads_what_was_meant(told) -> None:
    """A letter beyond 16 bits as it is: the two escapes that JSON makes of it are two letters to YAML."""
    assert (
        '\n              image: "reg/\U0001f600:1"\n' in told("kubernetes", "report", "--image", "reg/\U0001f600:1").out
    )
    assert told("kubernetes", "report", "--image", "reg/x\ny: 1").code == 3


def test_a_description_steers_nothing(house: House, told) -> None:
    """It is a comment of one line, whatever it holds."""
    house.ini('[task:odd]\ncommand = x\nschedule = @daily\ndoc = a \u2028 spec: {b} %s \x85 kind: """\n')
    text = told("kubernetes", "odd").out
    assert "\u2028" not in text
    assert "\x85" not in text
    assert "\n# odd: a \\u2028 spec: {b} %s" in text


def test_a_database_that_only_this_shell_knows_is_told(house: House, told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts the task has not its variables: it would be done once more, by another database."""
    monkeypatch.setenv("AGENT_OS_DB_PATH", str(house.home / "other.db"))
    for target in ("airflow", "systemd", "cron"):
        assert "--db-path" in told(target, "days").out
    assert "--db-path" not in told("kubernetes", "days").out  # its home is another one


def test_json_is_the_files_by_their_names(told) -> None:
    """For a program that puts them where they belong."""
    assert list(told("systemd", "quarter", "days", "--json").json) == [
        *("agent-os-task-quarter.timer", "agent-os-task-quarter.service"),
        *("agent-os-task-days.timer", "agent-os-task-days.service"),
    ]
    assert list(told("airflow", "mail", "--json").json) == ["agent_os_mail.py"]


def test_a_dag_is_python_and_puts_tasks_in_their_order(told) -> None:
    """Also where a task in between is not named; a task without a time of its own has the run's name as its slot."""
    text = told("airflow", "mail", "fetch", "report").out
    compile(text, "dag.py", "exec")
    assert 'tasks["fetch"] >> tasks["report"]' in text
    assert 'tasks["report"] >> tasks["mail"]' in text
    calls = {
        node.keywords[0].value.value: node.keywords[1].value.value  # type: ignore[attr-defined]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "BashOperator"
    }
    assert calls["mail"].endswith(" --task mail --home '/srv/agent os' --key '{{ run_id }}' --exit-skipped 99 --quiet")
    assert ".subtract(days=1)" in calls["fetch"]
    assert ".subtract" not in calls["report"]


def test_a_dag_without_a_time_is_started_by_hand(told) -> None:
    """`schedule=None` is what Airflow has for that; with a collector it comes at the collector's hour."""
    assert "    schedule=None,\n" in told("airflow", "mail", "export").out
    text = told("airflow", "run_all", "mail").out
    assert '    schedule="0 6 * * *",\n' in text
    assert "--task run_all --home '/srv/agent os' --exit-skipped 99 --quiet" in text


def test_a_path_that_airflow_would_take_for_a_template_is_refused(told) -> None:
    """Two braces mean something there."""
    assert "would be a template to Airflow" in told("airflow", "mail", "--file", "/opt/{{ x }}.pyz").err
    assert "holds a character that no line can" in told("cron", "here", "--file", "/opt/a\nb.pyz").err


ASK_AIRFLOW = """
import json, sys, inspect
import pendulum
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag
more = {"include_examples": False} if "include_examples" in inspect.signature(DagBag.__init__).parameters else {}
bag = DagBag(dag_folder=sys.argv[1], **more)
end = pendulum.datetime(2026, 3, 29, 0, 30, tz="Europe/Oslo")
found = {}
for dag in bag.dags.values():
    for task in dag.tasks:
        text = dag.get_template_env().from_string(task.bash_command)
        command = text.render(data_interval_end=end, run_id="manual__2026-11-22T05:00:00+00:00")
        found[task.task_id] = [sorted(task.downstream_task_ids), task.retries, dag.catchup, command]
print(json.dumps({"errors": {str(path): text for path, text in bag.import_errors.items()}, "tasks": found}))
"""


@pytest.mark.skipif(not AIRFLOW, reason="AIRFLOW_PYTHON names no Python that has Airflow")
def test_a_real_airflow_reads_the_dag(told, tmp_path: Path) -> None:
    """It finds the tasks in their order, and renders the keys as UTC."""
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "dag.py").write_text(told("airflow", "mail", "fetch", "report").out)
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    call = [AIRFLOW, "-c", ASK_AIRFLOW, str(dags)]
    done = subprocess.run(call, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["errors"] == {}
    words = {name: shlex.split(each[3]) for name, each in found["tasks"].items()}
    assert {name: each[:3] for name, each in found["tasks"].items()} == {
        "fetch": [["report"], 1, True],
        "report": [["mail"], 3, True],
        "mail": [[], 1, True],
    }
    assert {name: each[each.index("--key") + 1] for name, each in words.items()} == {
        "fetch": "2026-03-27",
        "report": "2026-03-28T23:30Z",
        "mail": "manual__2026-11-22T05:00:00+00:00",
    }


def test_a_manifest_is_yaml_of_two_kinds(told) -> None:
    """The claim of the home once, and a CronJob a task that calls the file as a shell would not have to."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    claim, report, quarter = yaml.safe_load_all(told("kubernetes", "report", "quarter").out)
    assert (claim["kind"], report["kind"], quarter["kind"]) == ("PersistentVolumeClaim", "CronJob", "CronJob")
    assert (report["spec"]["schedule"], report["spec"]["timeZone"]) == ("30 6 * * *", "Europe/Oslo")
    assert (quarter["spec"]["schedule"], quarter["spec"]["timeZone"]) == ("*/15 * * * *", "Etc/UTC")
    assert [each["spec"]["startingDeadlineSeconds"] for each in (report, quarter)] == [86_400, 3600]
    container = report["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == ["python3", "/app/agent_os.pyz", "--task", "report", "--home", "/data", "--quiet"]


def test_a_manifest_fits_the_schema_of_kubernetes(told) -> None:
    """As the API server has it."""
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    documents = list(yaml.safe_load_all(told("kubernetes", "report", "quarter", "days").out))
    assert len(documents) == 4
    for document in documents:
        validate.validate(document, validate.latest_version(), strict=True)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_wrong_with_the_units(told, house: House, tmp_path: Path) -> None:
    """Every key known, every calendar read, and the program found."""
    units = json.loads(house.run("emit", "systemd", "month", "quarter", "days", "--json", "--file", sys.executable).out)
    for name, text in units.items():
        (tmp_path / name).write_text(text)
    call = ["systemd-analyze", "verify", "--user", "--man=no", *(str(tmp_path / name) for name in units)]
    env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(call, capture_output=True, text=True, check=False, env=env)
    ours = [line for line in done.stderr.splitlines() if "agent-os-task" in line]
    assert (done.returncode, ours) == (0, [])


def test_a_percent_in_a_crontab_is_escaped(told) -> None:
    """cron would end the command there, and hand over the rest as its input."""
    text = told("cron", "here", "--file", "/opt/100%/agent_os.pyz").out
    assert "/opt/100\\%/agent_os.pyz" in text
    assert text.endswith("--quiet\n")


def test_an_app_is_named_by_its_whole_path(told, house: House, monkeypatch) -> None:
    """Whoever starts the task stands in another folder; a module has the same name everywhere."""
    house.app("@app.task(schedule='@daily')\ndef inside(ctx): pass")
    monkeypatch.chdir(house.home)
    text = told("cron", "inside", "--app", "app_1.py").out
    assert text.endswith("--task inside --home '/srv/agent os' --app '/srv/agent os/app_1.py' --quiet\n")
    assert '"--app", "app_1.py"' in told("kubernetes", "inside", "--app", "app_1.py").out


def test_what_means_something_to_systemd_is_escaped(told) -> None:
    """A percent, a dollar, a backslash and a quote in a path are themselves."""
    text = told("systemd", "here", "--file", '/opt/100%/$x/"\\/agent_os.pyz').out
    line = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    assert line.split('" "')[1] == '/opt/100%%/$$x/\\"\\\\/agent_os.pyz'


def test_what_a_dag_calls_does_its_slot_once(told, house: House) -> None:
    """The words after the file are ours, with the keys as Airflow renders them: done, and then skipped."""
    text = told("airflow", "mail", "fetch", "report", "--json").json["agent_os_mail_fetch_report.py"]
    keys = {"fetch": "2026-11-21", "report": "2026-11-22T05:30Z", "mail": "scheduled__2026-11-22T05:30:00+00:00"}
    calls = [
        str(node.value.value)  # type: ignore[attr-defined]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.keyword) and node.arg == "bash_command"
    ]
    for wanted in (0, 99):
        for name in ("fetch", "report", "mail"):
            call = next(each for each in calls if f" --task {name} " in each)
            begin, end = call.index("{{"), call.index("}}") + 2
            _, _, *words = shlex.split(call[:begin] + keys[name] + call[end:])
            words[words.index("--home") + 1] = str(house.home)
            assert house.run(*words).code == wanted, name
    assert [house.slots(name)[key] for name, key in keys.items()] == ["success"] * 3
