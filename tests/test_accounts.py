"""Several accounts of one provider: each with its own key, a provider of its own name in every table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_os.sandbox.server import Sandbox
from tests.world import World

WORK_KEY = "sk-admin-work-invented-0123456789"
HOME_KEY = "sk-admin-home-invented-0123456789"


class Accounts(World):
    """A home with OpenAI's key, and two more organizations at OpenAI."""

    def ini(self, text: str, *, mode: int = 0o600) -> None:
        """Write agent_os.ini."""
        path = self.home / "agent_os.ini"
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Accounts]:
    with Sandbox(seed=11) as sandbox:
        made = Accounts(tmp_path, sandbox, capsys)
        made.keys = {"OPENAI_ADMIN_KEY": sandbox.openai_key}
        made.write_env(OPENAI_ADMIN_KEY_WORK=WORK_KEY)
        yield made


TWO = f"""
[account:work]
provider = openai
key = env:OPENAI_ADMIN_KEY_WORK
doc = The company's.

[account:side-project]
provider = openai
key = {HOME_KEY}
"""


def test_accounts_never_mix(world: Accounts) -> None:
    """Each asks with its own key, and stores what that key's organization did under its own name."""
    ledgers = {
        "openai": world.sandbox.ledger,
        "work": world.sandbox.organization("openai", WORK_KEY, seed=21),
        "side-project": world.sandbox.organization("openai", HOME_KEY, seed=31),
    }
    world.ini(TWO)
    answer = world.collect()
    assert answer.code == 0, answer.err
    for name, ledger in ledgers.items():
        assert world.stored(name) == {day: ledger.truth("openai", day) for day in world.days()}
        assert answer.outcomes[name]["task"] == f"fetch_{name}"
        assert answer.outcomes[name]["status"] == "success"
    assert len({tuple(world.stored(name).items()) for name in ledgers}) == 3


def test_an_account_is_a_task_of_its_own(world: Accounts) -> None:
    """By its name, with its words; the others are not asked."""
    ledger = world.sandbox.organization("openai", WORK_KEY, seed=21)
    world.ini(TWO)
    listed = {each["task"]: each for each in json.loads(world.run("tasks", "--json").out)}
    assert listed["fetch_work"]["what"] == "The company's."
    assert listed["fetch_work"]["state"] == "ready, key from OPENAI_ADMIN_KEY_WORK"
    assert listed["fetch_side-project"]["what"] == "The account side-project of openai."
    assert listed["fetch_side-project"]["state"] == "ready, key from [account:side-project] key"
    assert world.run("--task", "fetch_work").code == 0
    assert world.rows("SELECT DISTINCT provider FROM results") == [("work",)]
    assert world.stored("work")[world.day(3)] == ledger.truth("openai", world.day(3))


def test_an_account_without_its_key_is_disabled(world: Accounts) -> None:
    """As a provider is: the others run, and the setting that is missing is named."""
    world.write_env()
    world.ini(TWO.replace(HOME_KEY, "env:NOT_SET_EITHER"))
    answer = world.collect()
    assert answer.code == 0, answer.err
    assert answer.outcomes["work"]["reason"] == "disabled: OPENAI_ADMIN_KEY_WORK is not set"
    assert answer.outcomes["side-project"]["reason"] == "disabled: NOT_SET_EITHER is not set"
    answer = world.run("--task", "fetch_work")
    assert answer.code == 3
    assert "put OPENAI_ADMIN_KEY_WORK=... into" in answer.err


def test_a_refused_key_is_the_accounts_own(world: Accounts) -> None:
    """Named where it stands, and never shown; the others are not hurt."""
    world.ini(TWO)
    answer = world.run("--task", "run_all")
    assert answer.code == 1
    assert "work refused the key in OPENAI_ADMIN_KEY_WORK" in answer.out + answer.err
    assert "side-project refused the key in [account:side-project] key" in answer.out + answer.err
    assert sorted(world.stored("openai")) == world.days()


def test_no_key_of_an_account_is_anywhere_but_in_the_request(world: Accounts) -> None:
    """Whatever its setting is called: not in the output, the log, the database, nor in what `config` shows."""
    key = "plain-words-as-a-key-0123456789"
    world.write_env(WORK=key)
    world.ini(TWO.replace("env:OPENAI_ADMIN_KEY_WORK", "env:WORK"))
    answers = [world.run("--task", "run_all", "--verbose"), world.run("config"), world.run("config", "--json")]
    files = [file.read_bytes().decode("latin-1") for file in world.home.iterdir() if file.suffix not in (".ini", "")]
    found = "".join(files + [answer.out + answer.err for answer in answers])
    for secret in (key, HOME_KEY, HOME_KEY[-12:]):
        assert secret not in found
    assert "[account:side-project] key" in answers[1].out


@pytest.mark.parametrize(("key", "warns"), [(HOME_KEY, True), ("env:OPENAI_ADMIN_KEY_WORK", False)])
def test_an_ini_with_a_key_must_not_be_open_to_others(world: Accounts, key: str, warns: bool) -> None:
    """A name of a setting is nobody's secret."""
    world.ini(f"[account:work]\nprovider = openai\nkey = {key}\n", mode=0o644)
    assert ("can be read by others" in world.run("tasks").err) is warns


def test_a_limit_named_like_an_account_bounds_it(world: Accounts) -> None:
    """As one named like a provider does; the provider's own does not."""
    world.sandbox.organization("openai", WORK_KEY, seed=21)
    world.ini("[agent_os]\nlimits = work = 1, openai = 1\n" + TWO)
    world.run("--task", "fetch_work")
    assert world.rows("SELECT limits FROM runs WHERE task = 'fetch_work'") == [(",work,",)]


def test_an_account_may_have_an_address_of_its_own(world: Accounts) -> None:
    """Else it asks where its provider is asked."""
    with Sandbox(seed=5) as other:
        world.ini(f"[account:work]\nprovider = openai\nkey = {other.openai_key}\nbase_url = {other.openai_base_url}\n")
        answer = world.run("--task", "fetch_work")
        assert answer.code == 0, answer.err
        assert world.stored("work")[world.day(2)] == other.ledger.truth("openai", world.day(2))
    assert not world.sandbox.requests("openai")


def test_an_account_has_settings_of_its_own(world: Accounts) -> None:
    """Two bills at GitHub: one of the organization that is set for all, one of a person."""
    key = world.sandbox.github_key
    world.write_env(GITHUB_BASE_URL=world.sandbox.address("github"), GITHUB_BILLING_USER="nobody")
    account = f"[account:mine]\nprovider = github_copilot\nkey = {key}\ngithub_billing_user = sandbox-user\n"
    world.ini(account)
    answer = world.run("--task", "fetch_mine")
    assert answer.code == 0, answer.err
    assert {entry.path.split("/")[2] for entry in world.sandbox.requests("github")} == {"sandbox-user"}


def test_an_account_may_be_a_log_in_another_folder(world: Accounts) -> None:
    """Of another user, or of another machine whose files are copied here; it needs no key."""
    folder = world.home / "copied, as it was" / "projects"
    folder.mkdir(parents=True)
    usage = {"input_tokens": 12, "output_tokens": 5}
    message = {"id": "msg_1", "model": "claude-opus-5-5", "usage": usage}
    line = {"type": "assistant", "timestamp": f"{world.day(1)}T09:00:00.000Z", "requestId": "r", "message": message}
    (folder / "a.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    world.ini("[account:laptop]\nprovider = claude_code\npath = copied, as it was\n")
    answer = world.run("--task", "fetch_laptop", "--json")
    assert answer.code == 0, answer.err
    assert world.stored("laptop")[world.day(1)][0] == 17
    world.ini("[account:laptop]\nprovider = claude_code\npath = nowhere\nkey = env:X\n")
    assert "key means nothing to claude_code" in world.run("tasks").err


FAULTS = [
    pytest.param("[account:work]\nkey = env:K\n", "it has no provider", id="no-provider"),
    pytest.param("[account:work]\nprovider = opnai\nkey = env:K\n", "'opnai'; did you mean openai?", id="near"),
    pytest.param("[account:work]\nprovider = openai\n", "it has no key; write key = env:NAME", id="no-key"),
    pytest.param("[account:work]\nprovider = openai\nkey = env:\n", "names no setting", id="no-name"),
    pytest.param("[account:work]\nprovider = openai\nkey = env:K\nurl = x\n", "url is no option", id="option"),
    pytest.param(
        "[account:work]\nprovider = openai\nkey = env:K\nbase_ur = x\n", "did you mean base_url?", id="near-option"
    ),
    pytest.param("[account:work]\nprovider = openai\nkey = env:K\npath = x\n", "reads no folder", id="path"),
    pytest.param("[account:work]\nprovider = codex\n", "it has no path; without one it would", id="no path"),
    pytest.param("[account:openai]\nprovider = openai\nkey = env:K\n", "taken by a provider", id="provider-name"),
    pytest.param("[account:run_all]\nprovider = openai\nkey = env:K\n", "taken by a task", id="kernel-task"),
    pytest.param(
        "[account:tidy]\nprovider = openai\nkey = env:K\n[task:tidy]\ncommand = true\n", "taken by a task", id="task"
    ),
    pytest.param("[account:2nd]\nprovider = openai\nkey = env:K\n", "no name for an account", id="name"),
    pytest.param(
        "[account:work]\nprovider = openai\nkey = env:K\ngithub_billing_org = x\n", "github_billing_org is no option",
        id="setting-of-another",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), FAULTS)
def test_a_fault_of_an_account_is_told_before_anything_runs(world: Accounts, text: str, told: str) -> None:
    """With where it stands and what was probably meant; nothing is asked and nothing is made."""
    world.ini(text)
    answer = world.run("--task", "run_all")
    assert answer.code == 3
    assert told in answer.err
    assert "agent_os.ini [account:" in answer.err
    assert not world.sandbox.journal
    assert not (world.home / "agent_os.db").exists()


def test_all_faults_are_in_one_message(world: Accounts) -> None:
    """Of all accounts, and of the tasks beside them."""
    world.ini("[account:a]\nprovider = opnai\n[account:b]\nkey = env:X\n[task:c]\nretries = many\n")
    answer = world.run("--task", "run_all")
    assert answer.code == 3
    for told in ("[account:a]", "did you mean openai?", "[account:b]", "it has no provider", "[task:c]"):
        assert told in answer.err


def test_a_section_that_is_nearly_an_account_is_asked_about(world: Accounts) -> None:
    """As one that is nearly a task."""
    world.ini("[acount:work]\nprovider = openai\n")
    assert "did you mean [account:work]?" in world.run("tasks").err
