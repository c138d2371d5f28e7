"""`hldctl doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.cli.terminal.progress import ElapsedTime
from hldctl.contract.finding import FindingObject
from hldctl.doctor.check import Finding
from hldctl.doctor.run import examine
from hldctl.errors import ExitCode
from hldctl.paths import StateDirectory


def command(
    fix: Annotated[bool, typer.Option("--fix", help="Fix what can be fixed safely.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array of all findings.")] = False,
) -> None:
    """Diagnose problems, and print how to fix them.

    The exit code is 5 if there is an unfixed problem that keeps hldctl from working properly.
    """
    findings = []
    with ElapsedTime("repairing" if fix else "checking") as elapsed:
        for finding in examine(StateDirectory.from_environment(), fix=fix):
            findings.append(finding)
            if not as_json:
                with elapsed.hidden():
                    _print(finding)
    if as_json:
        output.print_json([_object(finding) for finding in findings])
    if any(finding.is_open for finding in findings):
        raise typer.Exit(ExitCode.ENVIRONMENT)


def _print(finding: Finding) -> None:
    level = "fixed" if finding.fixed else str(finding.level)
    output.print_data(f"{level:<8} {finding.subject}: {output.one_line(finding.message)}")
    if finding.advice and not finding.fixed:
        output.print_data(f"{'':<8} → {output.one_line(finding.advice)}")


def _object(finding: Finding) -> FindingObject:
    return {
        "subject": finding.subject,
        "level": finding.level,
        "message": finding.message,
        "advice": finding.advice,
        "fixable": finding.fix is not None,
        "fixed": finding.fixed,
    }
