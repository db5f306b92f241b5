"""`stoma completion`: the script by which a shell completes `stoma` and `stoma-run`."""

from __future__ import annotations

import click

from stoma.cli.output import reporting

PROGRAMS = ("stoma", "stoma-run")

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@reporting
def completion(shell: str) -> None:
    """Print the script by which SHELL completes commands, options, task ids, run ids and more when TAB is pressed.

    \b
    bash   eval "$(stoma completion bash)"       in ~/.bashrc (bash 4.4 or newer)
    zsh    eval "$(stoma completion zsh)"        in ~/.zshrc, behind compinit
    fish   stoma completion fish > ~/.config/fish/conf.d/stoma.fish
    """
    for program in PROGRAMS:
        click.echo(script(shell, program))


def script(shell: str, program: str) -> str:
    """The script for one program; it asks the program itself, so that it need not be renewed with it."""
    from click.shell_completion import ShellComplete, get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.BadParameter(f"one of {', '.join(SHELLS)}")
    variable = f"_{program.upper().replace('-', '_')}_COMPLETE"
    # Not the class's own source(): that of bash first starts a bash to ask for its version.
    return ShellComplete.source(kind(click.Command(program), {}, program, variable))
