// onecode-partner verify: codes in batches.

import type { BatchVerifyResponse, Verdict } from "../generated/onecode/v1/recognition.js";
import { brokenAnswer } from "./faults.js";
import { readPieces } from "./files.js";
import { batches, type Line, lines } from "./lines.js";
import { persist } from "./patience.js";
import { CODE_LINE_BYTES_MAX, fileName, type Task } from "./task.js";
import { verdictLine } from "./verdicts.js";

/** What BatchVerify takes at most. */
const BATCH_CODES_MAX = 4096;
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Shows each batch before the next is read, so that a long file needs little memory, and an error late in it takes no
 * answer away.
 *
 * @throws UsageFault, CallFault, OutputFault
 */
export async function verify(task: Task): Promise<void> {
  const { operand, json } = task.options;
  const codes = lines(readPieces(operand), fileName(operand), CODE_LINE_BYTES_MAX);
  for await (const batch of batches(codes, BATCH_CODES_MAX, BATCH_BYTES_MAX)) {
    const verdicts = await verdictsOf(task, batch);
    await task.output.write(
      batch.map(({ number }, index) => verdictLine(number, verdicts[index] as Verdict, json)).join(""),
    );
  }
}

/** Returns one verdict for each code, in their order. */
async function verdictsOf(task: Task, batch: readonly Line[]): Promise<Verdict[]> {
  const request = { codes: batch.map(({ bytes }) => bytes), host_region: task.options.region };
  const { verdicts } = await persist(task, (timeoutMs) =>
    task.connection.answer<BatchVerifyResponse>(timeoutMs, (metadata, how, reply) =>
      task.connection.recognition.batchVerify(request, metadata, how, reply),
    ),
  );
  // One verdict too few would put every later one beside the wrong code.
  if (verdicts.length !== batch.length) {
    throw brokenAnswer("the server did not answer each code with one verdict");
  }
  return verdicts;
}
