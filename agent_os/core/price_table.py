"""The prices that come with the program, as `price_facts` explains them. Data only.

The figures are facts from LiteLLM's list of models, which is published under the licence below. To renew them, get it
(`pip download --no-deps litellm`; the wheel holds litellm/model_prices_and_context_window_backup.json), and put what
this prints between the quotes:

    python3 -c 'import sys; from agent_os.core.price_import import table_of; print(table_of(sys.stdin.buffer.read(),
        name="PyPI wheel 1.110.2", read_on="2026-11-26"))' < model_prices_and_context_window_backup.json

A model whose price has changed since keeps the line with the old one, with the day of the change as its `until`, and
gets a second one with that day as `from`.

MIT License

Copyright (c) 2023 Berri AI

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""

TABLE = """\
{"form": "agent_os prices", "source": "LiteLLM (PyPI wheel 1.110.2)", "source_date": "2026-11-26", "licence": "MIT", "prices": [
{"models": ["claude-fable-5", "claude-mythos-5"],"vendor":"anthropic","input":"10","output":"50","cache_read":"1","cache_write_5m":"12.5","cache_write_1h":"20","web_search":"10","tiers":{"batch":"0.5"},"regions":{"us":"1.1"}},
{"models": ["claude-fable-5-1", "claude-mythos-5-1"],"vendor":"anthropic","input":"10","output":"50","cache_read":"0.25","cache_write_5m":"12.5","cache_write_1h":"20","web_search":"10","tiers":{"batch":"0.5"},"regions":{"us":"1.1"}},
{"models": ["claude-haiku-4-5"],"vendor":"anthropic","input":"1","output":"5","cache_read":"0.1","cache_write_5m":"1.25","cache_write_1h":"2","tiers":{"batch":"0.5"}},
{"models": ["claude-haiku-5-5"],"vendor":"anthropic","input":"0.1","output":"0.5","cache_read":"0.01","cache_write_5m":"0.125","cache_write_1h":"0.2","above":{"100000":{"input":"0.5","output":"2.5","cache_read":"0.05","cache_write_5m":"0.625","cache_write_1h":"1"}},"web_search":"10","tiers":{"batch":"0.5"},"regions":{"us":"1.1"}},
{"models": ["claude-mythos-preview"],"vendor":"anthropic","input":"10","output":"50","cache_read":"1","cache_write_5m":"12.5","cache_write_1h":"20","web_search":"10","regions":{"us":"1.1"}},
{"models": ["claude-opus-4-5"],"vendor":"anthropic","input":"5","output":"25","cache_read":"0.5","cache_write_5m":"6.25","cache_write_1h":"10","web_search":"10","tiers":{"batch":"0.5"}},
{"models": ["claude-opus-4-6", "claude-opus-4-7"],"vendor":"anthropic","input":"5","output":"25","cache_read":"0.5","cache_write_5m":"6.25","cache_write_1h":"10","web_search":"10","tiers":{"batch":"0.5"},"regions":{"us":"1.1"}},
{"models": ["claude-opus-4-8", "claude-opus-5"],"vendor":"anthropic","input":"5","output":"25","cache_read":"0.5","cache_write_5m":"6.25","cache_write_1h":"10","web_search":"10","tiers":{"batch":"0.5","fast":"2"},"regions":{"us":"1.1"}},
{"models": ["claude-opus-5-5"],"vendor":"anthropic","input":"4","output":"20","cache_read":"0.2","cache_write_5m":"5","cache_write_1h":"8","web_search":"10","tiers":{"batch":"0.5","fast":"2"},"regions":{"us":"1.1"}},
{"models": ["claude-sonnet-4-5"],"vendor":"anthropic","input":"3","output":"15","cache_read":"0.3","cache_write_5m":"3.75","cache_write_1h":"6","web_search":"10","tiers":{"batch":"0.5"}},
{"models": ["claude-sonnet-4-6"],"vendor":"anthropic","input":"3","output":"15","cache_read":"0.3","cache_write_5m":"3.75","cache_write_1h":"6","web_search":"10","tiers":{"batch":"0.5"},"regions":{"us":"1.1"}},
{"models": ["claude-sonnet-5"],"vendor":"anthropic","input":"2","output":"10","cache_read":"0.2","cache_write_5m":"2.5","cache_write_1h":"4","web_search":"10","tiers":{"batch":"0.5"},"regions":{"us":"1.1"}},
{"models": ["claude-sonnet-5-5"],"vendor":"anthropic","input":"2","output":"10","cache_read":"0.1","cache_write_5m":"2.5","cache_write_1h":"4","web_search":"10","tiers":{"batch":"0.5"},"regions":{"us":"1.1"}},
{"models": ["deep-research-max-preview-04-2026", "deep-research-preview-04-2026", "deep-research-pro-preview-12-2025"],"vendor":"google","input":"2","output":"12","web_search":"35","tiers":{"batch":"0.5"}},
{"models": ["gemini-2.5-computer-use-preview-10-2025"],"vendor":"google","input":"1.25","output":"10","above":{"200000":{"input":"2.5","output":"15"}}},
{"models": ["gemini-2.5-flash"],"vendor":"google","input":"0.3","output":"2.5","cache_read":"0.03","tiers":{"batch":{"input":"0.15","output":"1.25","cache_read":"0.03"},"flex":{"input":"0.15","output":"1.25","cache_read":"0.03"},"priority":"1.8"}},
{"models": ["gemini-2.5-flash-lite"],"vendor":"google","input":"0.1","output":"0.4","cache_read":"0.01","tiers":{"batch":{"input":"0.05","output":"0.2","cache_read":"0.01"},"flex":{"input":"0.05","output":"0.2","cache_read":"0.01"},"priority":"1.8"}},
{"models": ["gemini-2.5-pro"],"vendor":"google","input":"1.25","output":"10","cache_read":"0.125","above":{"200000":{"input":"2.5","output":"15","cache_read":"0.25"}},"tiers":{"priority":"1.8","batch":{"input":"0.625","output":"5","cache_read":"0.125","above":{"200000":{"input":"1.25","output":"7.5","cache_read":"0.25"}}},"flex":{"input":"0.625","output":"5","cache_read":"0.125","above":{"200000":{"input":"1.25","output":"7.5","cache_read":"0.25"}}}}},
{"models": ["gemini-3-flash-preview"],"vendor":"google","input":"0.5","output":"3","cache_read":"0.05","tiers":{"batch":{"input":"0.25","output":"1.5","cache_read":"0.05"},"flex":{"input":"0.25","output":"1.5","cache_read":"0.05"},"priority":"1.8"}},
{"models": ["gemini-3.1-flash-lite", "gemini-3.1-flash-lite-preview"],"vendor":"google","input":"0.25","output":"1.5","cache_read":"0.025","tiers":{"batch":"0.5","flex":"0.5","priority":"1.8"}},
{"models": ["gemini-3.1-pro-preview", "gemini-3.1-pro-preview-customtools"],"vendor":"google","input":"2","output":"12","cache_read":"0.2","above":{"200000":{"input":"4","output":"18","cache_read":"0.4"}},"tiers":{"batch":{"input":"1","output":"6","cache_read":"0.2","above":{"200000":{"input":"2","output":"9","cache_read":"0.4"}}},"priority":"1.8","flex":{"input":"1","output":"6","cache_read":"0.2","above":{"200000":{"input":"2","output":"9","cache_read":"0.4"}}}}},
{"models": ["gemini-3.5-flash"],"vendor":"google","input":"1.5","output":"9","cache_read":"0.15","tiers":{"batch":"0.5","priority":"1.8","flex":{"input":"0.75","output":"4.5","cache_read":"0.08"}}},
{"models": ["gemini-3.5-flash-lite"],"vendor":"google","input":"0.3","output":"2.5","cache_read":"0.03","tiers":{"batch":"0.5","flex":{"input":"0.15","output":"1.25","cache_read":"0.02"},"priority":{"input":"0.54","output":"4.5","cache_read":"0.05"}}},
{"models": ["gemini-3.6-flash", "gemini-3.7-flash", "gemini-3.8-flash"],"vendor":"google","input":"0.75","output":"3.75","cache_read":"0.075","tiers":{"batch":"0.5","flex":"0.5","priority":"1.8"}},
{"models": ["gemini-4-argon"],"vendor":"google","input":"2","output":"10","cache_read":"0.1","tiers":{"batch":"0.5","flex":"0.5","priority":"1.8"}},
{"models": ["gemini-4-hydrogen"],"vendor":"google","input":"1.5","output":"7.5","cache_read":"0.075","tiers":{"batch":"0.5","flex":"0.5","priority":"1.8"}},
{"models": ["gemini-embedding-001"],"vendor":"google","input":"0.15","output":"0","tiers":{"batch":{"input":"0.075"}}},
{"models": ["gemini-embedding-2", "gemini-embedding-2-preview"],"vendor":"google","input":"0.2","output":"0","tiers":{"batch":{"input":"0.1"}}},
{"models": ["gemini-exp-1114", "gemma-3-27b-it", "learnlm-1.5-pro-experimental"],"vendor":"google","input":"0","output":"0","above":{"128000":{"input":"0","output":"0"}}},
{"models": ["gemini-flash-latest"],"vendor":"google","input":"0.75","output":"3.75","cache_read":"0.075","tiers":{"flex":"0.5","priority":"1.8","batch":{"input":"0.375","output":"1.875"}}},
{"models": ["gemini-flash-lite-latest"],"vendor":"google","input":"0.3","output":"2.5","cache_read":"0.03","tiers":{"flex":{"input":"0.15","output":"1.25","cache_read":"0.02"},"priority":{"input":"0.54","output":"4.5","cache_read":"0.05"},"batch":{"input":"0.15","output":"1.25"}}},
{"models": ["gemini-gemma-2-27b-it", "gemini-gemma-2-9b-it"],"vendor":"google","input":"0.35","output":"1.05"},
{"models": ["gemini-pro-latest"],"vendor":"google","input":"2","output":"12","cache_read":"0.2","above":{"200000":{"input":"4","output":"18","cache_read":"0.4"}},"tiers":{"priority":"1.8","batch":{"input":"1","output":"6"},"flex":{"input":"1","output":"6","cache_read":"0.2"}}},
{"models": ["gemini-robotics-er-2-preview"],"vendor":"google","input":"1","output":"5","cache_read":"0.1","tiers":{"batch":"0.5"}},
{"models": ["gemini-robotics-er-2-streaming-preview"],"vendor":"google","input":"1","output":"5"},
{"models": ["gemma-4-26b-a4b-it", "gemma-4-31b-it"],"vendor":"google","input":"0","output":"0"},
{"models": ["chat-latest"],"vendor":"openai","input":"5","output":"30","cache_read":"0.5"},
{"models": ["computer-use-preview"],"vendor":"openai","input":"3","output":"12"},
{"models": ["daybreak-blue-latest", "gpt-daybreak-blue-latest"],"vendor":"openai","input":"4","output":"20","cache_read":"0.4","cache_write":"5","above":{"272000":{"input":"8","output":"30","cache_read":"0.8","cache_write":"10"}}},
{"models": ["daybreak-red-latest", "gpt-5.6-cyber", "gpt-daybreak-red-latest"],"vendor":"openai","input":"12.5","output":"75","cache_read":"1.25","cache_write":"15.625","above":{"272000":{"input":"25","output":"112.5","cache_read":"2.5","cache_write":"31.25"}}},
{"models": ["gpt-3.5-turbo"],"vendor":"openai","input":"0.5","output":"1.5"},
{"models": ["gpt-3.5-turbo-0125"],"vendor":"openai","input":"0.5","output":"1.5","tiers":{"batch":"0.5"}},
{"models": ["gpt-3.5-turbo-1106"],"vendor":"openai","input":"1","output":"2","tiers":{"batch":"1"}},
{"models": ["gpt-3.5-turbo-16k"],"vendor":"openai","input":"3","output":"4"},
{"models": ["gpt-4"],"vendor":"openai","input":"30","output":"60"},
{"models": ["gpt-4-0613"],"vendor":"openai","input":"30","output":"60","tiers":{"batch":"0.5"}},
{"models": ["gpt-4-1106-preview", "gpt-4-turbo"],"vendor":"openai","input":"10","output":"30"},
{"models": ["gpt-4-turbo-2024-04-09"],"vendor":"openai","input":"10","output":"30","tiers":{"batch":"0.5"}},
{"models": ["gpt-4.1"],"vendor":"openai","input":"2","output":"8","cache_read":"0.5","web_search":"25","tiers":{"priority":"1.75","batch":{"input":"1","output":"4"}}},
{"models": ["gpt-4.1-mini"],"vendor":"openai","input":"0.4","output":"1.6","cache_read":"0.1","web_search":"25","tiers":{"priority":"1.75","batch":{"input":"0.2","output":"0.8"}}},
{"models": ["gpt-4.1-nano"],"vendor":"openai","input":"0.1","output":"0.4","cache_read":"0.025","tiers":{"priority":"2","batch":{"input":"0.05","output":"0.2"}}},
{"models": ["gpt-4o"],"vendor":"openai","input":"2.5","output":"10","cache_read":"1.25","tiers":{"priority":"1.7","batch":{"input":"1.25","output":"5"}}},
{"models": ["gpt-4o-2024-05-13"],"vendor":"openai","input":"5","output":"15","tiers":{"batch":"0.5","priority":"1.75"}},
{"models": ["gpt-4o-mini"],"vendor":"openai","input":"0.15","output":"0.6","cache_read":"0.075","web_search":"25","tiers":{"priority":{"input":"0.25","output":"1","cache_read":"0.125"},"batch":{"input":"0.075","output":"0.3"}}},
{"models": ["gpt-4o-mini-search-preview"],"vendor":"openai","input":"0.15","output":"0.6","cache_read":"0.075","web_search":"25","tiers":{"batch":{"input":"0.075","output":"0.3"}}},
{"models": ["gpt-4o-search-preview"],"vendor":"openai","input":"2.5","output":"10","cache_read":"1.25","web_search":"25","tiers":{"batch":{"input":"1.25","output":"5"}}},
{"models": ["gpt-5", "gpt-5.1"],"vendor":"openai","input":"1.25","output":"10","cache_read":"0.125","web_search":"10","tiers":{"batch":"0.5","flex":"0.5","priority":"2"}},
{"models": ["gpt-5-chat", "gpt-5-codex", "gpt-5.1-chat-latest", "gpt-5.1-codex", "gpt-5.1-codex-max"],"vendor":"openai","input":"1.25","output":"10","cache_read":"0.125"},
{"models": ["gpt-5-mini"],"vendor":"openai","input":"0.25","output":"2","cache_read":"0.025","web_search":"10","tiers":{"batch":"0.5","flex":"0.5","priority":"1.8"}},
{"models": ["gpt-5-nano"],"vendor":"openai","input":"0.05","output":"0.4","cache_read":"0.005","web_search":"10","tiers":{"batch":"0.5","flex":"0.5"}},
{"models": ["gpt-5-pro"],"vendor":"openai","input":"15","output":"120","web_search":"10","tiers":{"batch":"0.5"}},
{"models": ["gpt-5-search-api"],"vendor":"openai","input":"1.25","output":"10","cache_read":"0.125","web_search":"10"},
{"models": ["gpt-5.1-codex-mini"],"vendor":"openai","input":"0.25","output":"2","cache_read":"0.025"},
{"models": ["gpt-5.2"],"vendor":"openai","input":"1.75","output":"14","cache_read":"0.175","web_search":"10","tiers":{"batch":"0.5","flex":"0.5","priority":"2"}},
{"models": ["gpt-5.2-chat-latest", "gpt-5.2-codex", "gpt-5.3-chat-latest"],"vendor":"openai","input":"1.75","output":"14","cache_read":"0.175"},
{"models": ["gpt-5.2-pro"],"vendor":"openai","input":"21","output":"168","web_search":"10","tiers":{"batch":"0.5"}},
{"models": ["gpt-5.3-codex"],"vendor":"openai","input":"1.75","output":"14","cache_read":"0.175","web_search":"10","tiers":{"priority":"2"}},
{"models": ["gpt-5.4"],"vendor":"openai","input":"2.5","output":"15","cache_read":"0.25","above":{"272000":{"input":"5","output":"22.5","cache_read":"0.5"}},"tiers":{"batch":{"input":"1.25","output":"7.5","cache_read":"0.13","above":{"272000":{"input":"2.5","output":"11.25","cache_read":"0.25"}}},"flex":{"input":"1.25","output":"7.5","cache_read":"0.13","above":{"272000":{"input":"2.5","output":"11.25","cache_read":"0.25"}}},"priority":{"input":"5","output":"30","cache_read":"0.5"}},"regions":{"eu":"1.1","us":"1.1"}},
{"models": ["gpt-5.4-mini"],"vendor":"openai","input":"0.75","output":"4.5","cache_read":"0.075","web_search":"10","tiers":{"batch":"0.5","flex":"0.5","priority":"2"},"regions":{"eu":"1.1","us":"1.1"}},
{"models": ["gpt-5.4-nano"],"vendor":"openai","input":"0.2","output":"1.25","cache_read":"0.02","web_search":"10","tiers":{"batch":"0.5","flex":"0.5"},"regions":{"eu":"1.1","us":"1.1"}},
{"models": ["gpt-5.4-pro"],"vendor":"openai","input":"30","output":"180","above":{"272000":{"input":"60","output":"270"}},"web_search":"10","tiers":{"flex":"0.5","batch":"0.5"},"regions":{"eu":"1.1","us":"1.1"}},
{"models": ["gpt-5.5"],"vendor":"openai","input":"5","output":"30","cache_read":"0.5","above":{"272000":{"input":"10","output":"45","cache_read":"1"}},"web_search":"10","tiers":{"batch":"0.5","flex":"0.5","priority":{"input":"12.5","output":"75","cache_read":"1.25"}},"regions":{"eu":"1.1","us":"1.1"}},
{"models": ["gpt-5.5-cyber", "gpt-5.5-cyber-preview"],"vendor":"openai","input":"12.5","output":"75","cache_read":"1.25"},
{"models": ["gpt-5.5-pro"],"vendor":"openai","input":"30","output":"180","above":{"272000":{"input":"60","output":"270"}},"web_search":"10","tiers":{"flex":{"input":"15","output":"90"},"batch":"0.5"},"regions":{"eu":"1.1","us":"1.1"}},
{"models": ["gpt-5.6", "gpt-5.6-sol"],"vendor":"openai","input":"4","output":"20","cache_read":"0.4","cache_write":"5","above":{"272000":{"input":"8","output":"30","cache_read":"0.8","cache_write":"10"}},"web_search":"10","tiers":{"flex":"0.5","priority":"2","batch":"0.5"},"regions":{"eu":"1.1","us":"1.1"}},
{"models": ["gpt-5.6-luna"],"vendor":"openai","input":"0.2","output":"1.2","cache_read":"0.02","cache_write":"0.25","above":{"272000":{"input":"0.4","output":"1.8","cache_read":"0.04","cache_write":"0.5"}},"web_search":"10","tiers":{"flex":"0.5","priority":"2","batch":"0.5"},"regions":{"eu":"1.1","us":"1.1"}},
{"models": ["gpt-5.6-terra"],"vendor":"openai","input":"2","output":"12","cache_read":"0.2","cache_write":"2.5","above":{"272000":{"input":"4","output":"18","cache_read":"0.4","cache_write":"5"}},"web_search":"10","tiers":{"flex":"0.5","priority":"2","batch":"0.5"},"regions":{"eu":"1.1","us":"1.1"}},
{"models": ["gpt-6-astra"],"vendor":"openai","input":"10","output":"50","cache_read":"1","cache_write":"12.5","above":{"272000":{"input":"20","output":"75","cache_read":"2","cache_write":"25"}},"web_search":"10","tiers":{"flex":"0.5","priority":"2","batch":"0.5","ultrafast":"6"},"regions":{"eu":"1.1","us":"1.1"}},
{"models": ["gpt-6-astra-law"],"vendor":"openai","input":"10","output":"50","cache_read":"1","web_search":"10","regions":{"eu":"1.1","us":"1.1"}},
{"models": ["gpt-6-cyber"],"vendor":"openai","input":"20","output":"100","cache_read":"2","cache_write":"25"},
{"models": ["gpt-6-luna"],"vendor":"openai","input":"0.1","output":"0.5","cache_read":"0.01","cache_write":"0.125","above":{"272000":{"input":"0.2","output":"0.75","cache_read":"0.02","cache_write":"0.25"}},"web_search":"10","tiers":{"decisions":{"input":"0.1","output":"0","cache_read":"0.01","cache_write":"0.125","above":{"272000":{"input":"0.2","output":"0","cache_read":"0.02","cache_write":"0.25"}}},"flex":"0.5","priority":"2","batch":"0.5"},"regions":{"eu":"1.1","us":"1.1"}},
{"models": ["gpt-6-rosalind"],"vendor":"openai","input":"15","output":"75","cache_read":"1.5","cache_write":"18.75","above":{"272000":{"input":"30","output":"112.5","cache_read":"3","cache_write":"37.5"}},"regions":{"eu":"1.1","us":"1.1"}},
{"models": ["gpt-6-sol"],"vendor":"openai","input":"2","output":"10","cache_read":"0.2","cache_write":"2.5","above":{"272000":{"input":"4","output":"15","cache_read":"0.4","cache_write":"5"}},"web_search":"10","tiers":{"flex":"0.5","priority":"2","batch":"0.5"},"regions":{"eu":"1.1","us":"1.1"}},
{"models": ["gpt-6.1-sol"],"vendor":"openai","input":"2","output":"10","cache_read":"0.1","cache_write":"2.5","above":{"272000":{"input":"4","output":"15","cache_read":"0.2","cache_write":"5"}},"web_search":"10","tiers":{"batch":"0.5","flex":"0.5","priority":"2","ultrafast":"6"},"regions":{"eu":"1.1","us":"1.1"}},
{"models": ["gpt-6.1-terra"],"vendor":"openai","input":"1","output":"5","cache_read":"0.05","cache_write":"1.25","above":{"272000":{"input":"2","output":"7.5","cache_read":"0.1","cache_write":"2.5"}},"web_search":"10","tiers":{"batch":"0.5","flex":"0.5","priority":"2"},"regions":{"eu":"1.1","us":"1.1"}},
{"models": ["gpt-rosalind-discovery", "gpt-rosalind-research"],"vendor":"openai","input":"5","output":"25","cache_read":"0.5"},
{"models": ["o1"],"vendor":"openai","input":"15","output":"60","cache_read":"7.5","tiers":{"batch":{"input":"7.5","output":"30"}}},
{"models": ["o1-pro"],"vendor":"openai","input":"150","output":"600","tiers":{"batch":"0.5"}},
{"models": ["o3"],"vendor":"openai","input":"2","output":"8","cache_read":"0.5","web_search":"10","tiers":{"flex":"0.5","priority":"1.75","batch":{"input":"1","output":"4"}}},
{"models": ["o3-deep-research"],"vendor":"openai","input":"10","output":"40","cache_read":"2.5"},
{"models": ["o3-mini"],"vendor":"openai","input":"1.1","output":"4.4","cache_read":"0.55","tiers":{"batch":{"input":"0.55","output":"2.2"}}},
{"models": ["o3-pro"],"vendor":"openai","input":"20","output":"80","web_search":"10","tiers":{"batch":"0.5"}},
{"models": ["o4-mini"],"vendor":"openai","input":"1.1","output":"4.4","cache_read":"0.275","web_search":"10","tiers":{"flex":{"input":"0.55","output":"2.2","cache_read":"0.138"},"priority":{"input":"2","output":"8","cache_read":"0.5"},"batch":{"input":"0.55","output":"2.2"}}},
{"models": ["o4-mini-deep-research"],"vendor":"openai","input":"2","output":"8","cache_read":"0.5"},
{"models": ["text-embedding-3-large"],"vendor":"openai","input":"0.13","output":"0","tiers":{"batch":"0.5"}},
{"models": ["text-embedding-3-small"],"vendor":"openai","input":"0.02","output":"0","tiers":{"batch":"0.5"}},
{"models": ["text-embedding-ada-002"],"vendor":"openai","input":"0.1","output":"0"},
{"models": ["text-embedding-ada-002-v2"],"vendor":"openai","input":"0.1","output":"0","tiers":{"batch":"0.5"}}
]}
"""
