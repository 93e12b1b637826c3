// Writes answers to standard output.

import type { Writable } from "node:stream";
import { OutputFault } from "./faults.js";
import { inWords } from "./files.js";

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
