// Puts verdicts into lines. The code is left out: it speaks of a person, and a terminal or a log is no place for it.

import { Decision, Reason, Status, type Verdict } from "../generated/onecode/v1/recognition.js";
import { Level } from "../generated/onecode/v1/status.js";
import { oneLine } from "./faults.js";

/** A verdict by the names of the proto. A value that is newer than these stubs is its number. */
export interface NamedVerdict {
  readonly line: number;
  readonly decision: string;
  readonly level: string;
  readonly reason: string;
  readonly home_region: string;
  readonly status: string;
}

export function named(line: number, verdict: Verdict): NamedVerdict {
  return {
    line,
    decision: Decision[verdict.decision] ?? String(verdict.decision),
    level: Level[verdict.level] ?? String(verdict.level),
    reason: Reason[verdict.reason] ?? String(verdict.reason),
    home_region: verdict.home_region,
    status: Status[verdict.status] ?? String(verdict.status),
  };
}

/** Returns the line of a verdict: six fields with a tab between, or a JSON object. */
export function verdictLine(line: number, verdict: Verdict, json: boolean): string {
  const names = named(line, verdict);
  if (json) {
    return `${JSON.stringify(names)}\n`;
  }
  const fields = [
    line,
    names.decision.replace(/^DECISION_/, ""),
    names.level.replace(/^LEVEL_/, ""),
    names.reason.replace(/^REASON_/, ""),
    // A dash for no region, so that a line has six fields whatever the verdict.
    oneLine(names.home_region) || "-",
    names.status.replace(/^STATUS_/, ""),
  ];
  return `${fields.join("\t")}\n`;
}
