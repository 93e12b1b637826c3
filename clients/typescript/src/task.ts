// What a command works with.

import type { Writable } from "node:stream";
import type { Connection } from "./connection.js";
import { OutputFault } from "./faults.js";
import { inWords } from "./files.js";
import type { Options } from "./options.js";

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

/** A stream of answers. A write has ended once its bytes are with the operating system. */
export class Output {
  constructor(readonly stream: Writable) {
    // Each write learns of its own error; without a listener, the event would end the process.
    stream.on("error", () => {});
  }

  /** @throws OutputFault */
  write(content: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.stream.write(content, (error) => {
        if (error) {
          reject(new OutputFault(`cannot write the answers: ${inWords(error)}`));
        } else {
          resolve();
        }
      });
    });
  }
}
