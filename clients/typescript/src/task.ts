// What a command works with.

import type { Connection } from "./connection.js";
import type { Options } from "./options.js";
import type { Output } from "./output.js";
import { Patience } from "./patience.js";

export interface Task {
  readonly options: Options;
  readonly connection: Connection;
  readonly output: Output;
}

/** The longest line of a file of codes: as much as a call takes. A shorter one is the server's to refuse. */
export const CODE_LINE_BYTES_MAX = 4 * 1024 * 1024;

/** Returns how messages call a file. */
export function fileName(operand: string): string {
  return operand === "-" ? "standard input" : operand;
}

/**
 * Returns the answer of a call, which is repeated for as long as the task's timeout allows.
 *
 * @throws CallFault
 */
export async function persist<A>(task: Task, call: (timeoutMs: number) => Promise<A>): Promise<A> {
  const patience = new Patience(task.options.timeoutMs);
  for (;;) {
    try {
      return await call(patience.left());
    } catch (fault) {
      await patience.pause(fault);
      task.connection.renew();
    }
  }
}
