// onecode-partner translate: one code.

import type { TranslateResponse } from "../generated/onecode/v1/recognition.js";
import { brokenAnswer, UsageFault } from "./faults.js";
import { readPieces } from "./files.js";
import { lines } from "./lines.js";
import { persist } from "./patience.js";
import { CODE_LINE_BYTES_MAX, fileName, type Task } from "./task.js";
import { named, verdictLine } from "./verdicts.js";

const LF = Buffer.from("\n");

/**
 * Prints the code of the target region, or the verdict that does not allow one.
 *
 * @returns whether there is one: a script that stores the output as a code must not go on with a verdict
 * @throws UsageFault, CallFault, OutputFault
 */
export async function translate(task: Task): Promise<boolean> {
  const request = { code: await readCode(task.options.operand), target_region: task.options.region };
  const { code, verdict } = await persist(task, (timeoutMs) =>
    task.connection.answer<TranslateResponse>(timeoutMs, (metadata, how, reply) =>
      task.connection.recognition.translate(request, metadata, how, reply),
    ),
  );
  if (verdict === undefined) {
    throw brokenAnswer("the server did not answer the code with a verdict");
  }
  if (task.options.json) {
    await task.output.write(`${JSON.stringify({ code: code.toString(), verdict: named(1, verdict) })}\n`);
  } else if (code.length === 0) {
    await task.output.write(verdictLine(1, verdict, false));
  } else {
    await task.output.write(Buffer.concat([code, LF]));
  }
  return code.length > 0;
}

/** Returns the operand, or the one line of standard input, which may be empty. */
async function readCode(operand: string): Promise<Buffer> {
  if (operand !== "-") {
    return Buffer.from(operand);
  }
  let code: Buffer = Buffer.alloc(0);
  for await (const { number, bytes } of lines(readPieces("-"), fileName("-"), CODE_LINE_BYTES_MAX)) {
    if (number > 1) {
      throw new UsageFault("standard input has more than one line, and translate takes one code");
    }
    code = bytes;
  }
  return code;
}
