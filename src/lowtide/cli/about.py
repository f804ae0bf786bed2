"""``schema``, ``completion`` and ``version``: what lowtide says about itself."""

from __future__ import annotations

import click

from lowtide.cli.options import debug_option, output_option
from lowtide.cli.output import emit, is_for_people, show
from lowtide.cli.verb import Verb


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  lowtide schema cluster > cluster.schema.json
  lowtide schema policy > lowtide.schema.json
""",
)
@click.argument("kind", type=click.Choice(["cluster", "policy", "scenario"]))
@debug_option
def schema(kind: str) -> None:
    """Print the JSON Schema of a file, for editors.

    cluster is cluster.yaml, policy is lowtide.yaml, scenario is a `kind: Scenario` workload.
    """
    import json

    from lowtide.app.documents import json_schema

    show(json.dumps(json_schema(kind), indent=2, ensure_ascii=False))


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  eval "$(lowtide completion bash)"                                  this shell only
  lowtide completion bash > ~/.local/share/bash-completion/completions/lowtide
  lowtide completion zsh  > "${fpath[1]}/_lowtide"
  lowtide completion fish > ~/.config/fish/completions/lowtide.fish
""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@debug_option
def completion(shell: str) -> None:
    """Print the completion script of a shell."""
    from click.shell_completion import get_completion_class

    from lowtide.cli.main import lowtide

    maker = get_completion_class(shell)
    assert maker is not None, shell
    show(maker(lowtide, {}, "lowtide", "_LOWTIDE_COMPLETE").source())


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  lowtide version
  lowtide version -o json
""",
)
@output_option
@debug_option
def version() -> None:
    """Print the version, with that of Python, for bug reports."""
    import platform

    from lowtide import __version__

    if is_for_people():
        show(f"lowtide {__version__} (Python {platform.python_version()})")
        return
    emit(
        {
            "schema": "lowtide.version/v1",
            "version": __version__,
            "python": platform.python_version(),
        }
    )
