"""The command ``onecode`` as a whole: its commands, and one clear line and status 2 for a wrong invocation."""

import io
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Final

import click

from onecode_server.cli.contexts import ContextName
from onecode_server.cli.options import PathType
from onecode_server.cli.printable import printable
from onecode_server.errors import Misconfigured, OnecodeError

_COMMANDS: Final = {
    "audit": "audit",
    "certs": "certs",
    "exception": "exception",
    "health": "health",
    "init": "init",
    "inspect": "inspect",
    "issue": "issue",
    "keys": "keys",
    "log": "log",
    "serve": "serve",
    "status": "status",
    "store": "store",
    "top": "top",
    "translate": "verify",
    "trust": "trust",
    "verify": "verify",
}
"""The module of each command, in which the function has the command's name."""


class _Commands(click.Group):
    """Imports a command when it is run: importing all of them takes longer than most take to run, and a
    supervisor of workers needs neither ``composition`` nor gRPC."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        found: click.Command = getattr(import_module(f"onecode_server.cli.{_COMMANDS[cmd_name]}"), cmd_name)
        return found


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="onecode", message="onecode %(version)s")
@click.option(
    "--context",
    envvar="ONECODE_CONTEXT",
    metavar="NAME",
    help="A server with its certificates, as the contexts file has it, for commands that call one. Or ONECODE_CONTEXT.",
)
@click.option(
    "--contexts-file",
    envvar="ONECODE_CONTEXTS",
    type=PathType(),
    metavar="FILE",
    help="Default: ~/.config/onecode/contexts.toml. Or ONECODE_CONTEXTS.",
)
@click.pass_context
def onecode(ctx: click.Context, context: str | None, contexts_file: Path | None) -> None:
    """Verify and translate health codes between regions: one code passes everywhere."""
    ctx.obj = ContextName(context, contexts_file)


def main() -> None:
    """Run the command. Mistakes in the arguments end with status 2, failures with status 1."""
    _prepare_streams()
    try:
        sys.exit(onecode.main(standalone_mode=False))
    except click.Abort:
        _fail(130, "interrupted")
    except click.exceptions.NoArgsIsHelpError as help_text:
        click.echo(help_text.format_message())
        sys.exit(2)
    except click.UsageError as mistake:
        where = mistake.ctx.command_path if mistake.ctx else "onecode"
        _fail(2, f"{mistake.format_message()} (see '{where} --help')")
    except click.ClickException as mistake:
        _fail(2, mistake.format_message())
    except Misconfigured as mistakes:
        _fail(2, *mistakes.mistakes)
    except UnicodeEncodeError:  # an argument with bytes that are no text, which Python passes as lone surrogates
        _fail(2, "an argument is not UTF-8")
    except OnecodeError as failure:
        _fail(1, str(failure))
    except OSError as fault:
        _end_without_output(fault)


def _prepare_streams() -> None:
    """Open closed standard streams, and let the others show characters that their encoding lacks.

    The next file that is opened gets the first free number: without a standard error, the store would get the number to
    which libraries write their errors.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _end_without_output(fault: OSError) -> None:
    """End where nothing more can be written, most often for a full disk. Commands report other failures themselves."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the interpreter tries once more at its end
    if isinstance(fault, BrokenPipeError):  # the reader of our output has read enough
        sys.exit(1)
    _fail(1, f"{fault.filename or 'standard output'}: {fault.strerror or fault}")


def _fail(status: int, *lines: str) -> None:
    for line in lines:
        click.echo(f"onecode: {printable(line)}", err=True)
    sys.exit(status)
