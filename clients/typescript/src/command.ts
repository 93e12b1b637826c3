// Runs one command, and says how it ended.

import type { Writable } from "node:stream";
import { Connection } from "./connection.js";
import { describe, UsageFault } from "./faults.js";
import { HelpWanted, parse, USAGE } from "./options.js";
import { publish } from "./publish.js";
import { scan } from "./scan.js";
import { Output, type Task } from "./task.js";
import { translate } from "./translate.js";
import { verify } from "./verify.js";

/** Whatever the verdicts: a refusal is an answer, and must not look like a server that is down. */
export const ANSWERED = 0;
/** The server failed or could not be reached, a part of the answers is missing, or a code is not translated. */
export const FAILED = 1;
/** The command line, a file or credentials cannot be used. */
export const UNUSABLE = 2;

/**
 * Runs the command of a command line and returns the status of the process. Never throws: what went wrong is one line
 * on `stderr`.
 */
export async function run(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  stdout: Writable,
  stderr: Writable,
): Promise<number> {
  const output = new Output(stdout);
  try {
    return await perform(args, environment, output);
  } catch (error) {
    if (error instanceof HelpWanted) {
      return output.write(USAGE).then(
        () => ANSWERED,
        () => FAILED,
      );
    }
    // A standard error that cannot be written leaves the status to tell.
    await new Output(stderr).write(`onecode-partner: ${describe(error)}\n`).catch(() => {});
    return error instanceof UsageFault ? UNUSABLE : FAILED;
  }
}

async function perform(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  output: Output,
): Promise<number> {
  const options = parse(args, environment);
  const connection = new Connection(options.access);
  const task: Task = { options, connection, output };
  try {
    switch (options.command) {
      case "verify":
        await verify(task);
        return ANSWERED;
      case "scan":
        await scan(task);
        return ANSWERED;
      case "publish":
        await publish(task);
        return ANSWERED;
      case "translate":
        return (await translate(task)) ? ANSWERED : FAILED;
    }
  } finally {
    connection.close();
  }
}
