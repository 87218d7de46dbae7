"""What may be wrong between here and a provider: the sentence names the provider, or the setting, that is meant."""

from __future__ import annotations

import pytest

from agent_os.main import main
from agent_os.sandbox.server import Sandbox

from .test_command_line import write_env
from .world import FastClock

WRONG = [
    ("https://elsewhere.example/v1", "check OPENAI_BASE_URL"),
    ("http://10.0.0.1/v1", "use the https:// address"),
    ("file:///etc/passwd", "check OPENAI_BASE_URL"),
    ("https://user:password@api.openai.com/v1", "take it out of OPENAI_BASE_URL"),
]


@pytest.mark.parametrize(("address", "says"), WRONG)
def test_a_base_url_that_cannot_be_used_is_named_by_its_setting(
    tmp_path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, address: str, says: str
) -> None:
    """Exit 1, for the other provider is unharmed; nobody was asked."""
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    with Sandbox() as sandbox:
        write_env(tmp_path, sandbox)
        assert main(["--task", "run_all", "--quiet", "--home", str(tmp_path)]) == 1
        assert not sandbox.requests("openai")
        assert sandbox.requests("anthropic")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert says in lines[0]
    assert "password" not in lines[0] or "user name or password" in lines[0]


def test_a_proxy_that_cannot_be_reached_is_named(tmp_path, capsys, monkeypatch) -> None:
    """Not the provider, which nobody has asked yet."""
    for name, value in {"https_proxy": "http://127.0.0.1:9", "OPENAI_API_KEY": "sk-admin-invented-000"}.items():
        monkeypatch.setenv(name, value)
    assert main(["--task", "fetch_openai", "--quiet", "--home", str(tmp_path)], clock=FastClock()) == 1
    assert "the proxy 127.0.0.1:9, through which api.openai.com is asked" in capsys.readouterr().err
